"""Bytes and pictures through large models: every byte comes back, in lanes and patches of any size."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from models.gpt_folders import write_bytes_model, write_image_model, write_patches_model, write_text_model
from models.tiny import tiny

sys.path.insert(0, str(Path(__file__).parent))
import pictures
import sounds

import foretell
from foretell.archive.layout import check_16
from foretell.archive.pictures import cut_rows
from foretell.archive.seek import ArchiveFile
from foretell.codecs import bytes as codec_bytes
from foretell.codecs.bytes import BytesCodec
from foretell.codecs.image.raster import Layout
from foretell.codecs.pixels import codec as codec_pixels
from foretell.codecs.pixels.codec import PixelsCodec, groups_of
from foretell.codecs.pixels.colours import blue_range, nearest
from foretell.codecs.toolbox import forget_text_codecs
from foretell.errors import CorruptArchiveError, ForetellError, ModelError
from foretell.exact import samples
from foretell.exact.threads import set_thread_count
from foretell.models import registry

SQUARES = samples.integers(8, 0, 255, (9, 10, 3)).astype(np.uint8).repeat(2, 0).repeat(2, 1)
NUMBERS = tuple(str(value) for value in range(10, 256))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache of models and the folders that they came from."""
    base = tmp_path_factory.mktemp("models")
    write_bytes_model(base / "bytes")
    write_patches_model(base / "patches")
    write_image_model(base / "image")
    write_text_model(base / "text", words=NUMBERS)
    return base


@pytest.fixture(autouse=True)
def own_cache(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("FORETELL_CACHE", str(folder / "cache"))
    forget_text_codecs()
    yield
    forget_text_codecs()


def wave(count: int) -> bytes:
    """Something like a sound, from integers alone."""
    t = np.arange(count)
    return (40 + 4 * np.abs(t % 44 - 22) + samples.integers(1, 0, 9, (count,))).astype(np.uint8).tobytes()


def load(folder: Path, name: str) -> registry.Model:
    return tiny("llama") if name == "llama" else registry.load_any(str(folder / name))


@pytest.mark.parametrize("name", ["bytes", "patches", "text", "llama"])
@pytest.mark.parametrize("size", [1, 2, 27, 28, 29, 96, 97, 500])
def test_frames_of_any_size_come_back(name: str, size: int, folder: Path) -> None:
    codec = BytesCodec(load(folder, name))
    done: list[int] = []
    codec.progress = done.append
    frame = wave(size)
    (payload,) = codec.encode_frames([frame])
    assert sum(done) == size
    assert codec.decode_frames([(payload, size)]) == [frame]
    assert sum(done) == 2 * size


def test_several_groups_of_lanes_come_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec_bytes, "MOST_SLOTS", 200)
    codec = BytesCodec(load(folder, "bytes"))
    frame = wave(700)
    (payload,) = codec.encode_frames([frame])
    assert payload[2] == 2  # lanes of a group, of 96 bytes or fewer
    assert codec.decode_frames([(payload, 700)]) == [frame]
    smaller = len(payload)
    assert smaller < 700


@given(st.binary(min_size=1, max_size=120))
@settings(max_examples=15, deadline=None)
def test_any_bytes_come_back(data: bytes) -> None:
    codec = BytesCodec(tiny("llama"))
    (payload,) = codec.encode_frames([data])
    assert codec.decode_frames([(payload, len(data))]) == [data]


def test_numbers_may_stand_for_bytes(folder: Path) -> None:
    codec = BytesCodec(load(folder, "text"))
    codec.choose_tokens("numbers")
    frame = wave(60)
    (payload,) = codec.encode_frames([frame])
    assert BytesCodec(load(folder, "text")).decode_frames([(payload, 60)]) == [frame]
    codec = BytesCodec(tiny("llama"))
    codec.choose_tokens("numbers")
    with pytest.raises(ModelError, match="--tokens bytes"):
        codec.encode_frames([frame])


@pytest.mark.parametrize("name", ["bytes", "patches"])
def test_damaged_heads_of_bytes_are_refused(name: str, folder: Path) -> None:
    codec = BytesCodec(load(folder, name))
    (payload,) = codec.encode_frames([wave(300)])
    at = 2 + payload[1]
    for damaged in (b"", payload[:1], b"\x07" + payload[1:], payload[:1] + b"\x21" + payload[2:], payload[:at]):
        with pytest.raises(CorruptArchiveError):
            codec.decode_frames([(damaged, 300)])
    for lanes in (0, 65):
        with pytest.raises(CorruptArchiveError):
            codec.decode_frames([(payload[:at] + bytes([lanes]) + payload[at + 1 :], 300)])
    with pytest.raises(CorruptArchiveError):
        codec.decode_frames([(payload[:at] + b"\x01\xff\xff\x7f" + payload[at + 2 :], 300)])


@pytest.mark.parametrize(("name", "head"), [("bytes", 4), ("patches", 7), ("image", 6), ("text", 6)])
def test_codes_of_noise_decode_to_something_of_the_right_size(name: str, head: int, folder: Path) -> None:
    model = load(folder, name)
    if name in ("image", "text"):
        codec: BytesCodec | PixelsCodec = PixelsCodec(model)
        payload, size = codec.encode(bytes(192), Layout(8, 8, 3)), 192
    else:
        codec, size = BytesCodec(model), 120
        (payload,) = codec.encode_frames([bytes(120)])
    assert payload is not None
    for seed in range(6):
        noise = samples.integers(seed, 0, 255, (200,)).astype(np.uint8).tobytes()
        (frame,) = codec.decode_frames([(payload[:head] + noise, size)])
        assert len(frame) == size


def test_groups_hold_every_pixel_once() -> None:
    for rows, width, side, lanes in ((1, 1, 8, 3), (8, 8, 8, 1), (9, 17, 8, 2), (30, 5, 16, 4)):
        seen = np.zeros((rows, width), int)
        for group in groups_of(rows, width, side, lanes):
            assert 1 <= len(group.origins) <= lanes
            for y, x in group.origins:
                seen[y : y + group.rows, x : x + group.width] += 1
        assert (seen == 1).all()


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 2**30))
@settings(max_examples=60, deadline=None)
def test_the_range_of_blue_is_what_belongs_to_a_colour(red: int, green: int, seed: int) -> None:
    colours = samples.integers(seed, 0, 255 * 2, (12, 3)).astype(np.int32) * 8
    colours[7] = colours[3]  # of two that are alike the first counts
    column = np.stack([np.full(256, red), np.full(256, green), np.arange(256)], 1).astype(np.int32)
    belongs, _ = nearest(column, colours)
    for colour in range(12):
        wanted = np.flatnonzero(belongs == colour)
        if wanted.size:
            assert blue_range(colours, colour, red, green) == (wanted[0], wanted[-1])


SHAPES = [(1, 1), (1, 20), (20, 1), (8, 8), (9, 17), (16, 40)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("name", "tokens", "channels"), [("image", "", 3), ("text", "", 3), ("text", "bytes", 1)])
def test_pictures_of_any_size_come_back(
    name: str, tokens: str, channels: int, shape: tuple[int, int], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codec_pixels, "TOKEN_SIDE", 8)
    codec = PixelsCodec(load(folder, name))
    data = pictures.scene(*shape, channels).tobytes()
    layout = Layout(shape[1], shape[0], channels)
    payload = codec.encode(data, layout, tokens)
    assert payload is not None
    assert codec.decode_frames([(payload, len(data))]) == [data]


def test_blue_may_come_first_and_rows_be_padded(folder: Path) -> None:
    codec = PixelsCodec(load(folder, "image"))
    colours = codec.model.clusters  # type: ignore[union-attr]
    assert colours is not None
    pixels = (colours[samples.integers(1, 0, 15, (10, 9))] // 16)[..., ::-1].astype(np.uint8)
    data = b"".join(row.tobytes() + b"\0" for row in pixels)
    payload = codec.encode(data, Layout(9, 10, 3, padding=1))
    assert payload is not None
    assert payload[0] == codec_pixels.COLOURS | 16
    assert codec.decode_frames([(payload, len(data))]) == [data]


def test_other_pictures_are_left_to_other_codecs(folder: Path) -> None:
    codec = PixelsCodec(load(folder, "image"))
    for layout in (Layout(8, 8, 1), Layout(8, 8, 4), Layout(8, 8, 3, sample_bytes=2)):
        assert codec.encode(bytes(layout.size), layout) is None
    assert codec.encode(b"\1" * 250, Layout(8, 10, 3, padding=1)) is None
    assert codec.encode(b"short", Layout(8, 8, 3)) is None


def test_damaged_heads_of_pictures_are_refused(folder: Path) -> None:
    codec = PixelsCodec(load(folder, "image"))
    payload = codec.encode(bytes(300), Layout(10, 10, 3))
    assert payload is not None
    for damaged in (b"", b"\x09" + payload[1:], payload[:1] + b"\x03" + payload[2:], payload[:4], b"\0" + payload[1:],
                    payload[:5] + b"\0" + payload[6:], payload[:5] + b"\x40" + payload[6:]):  # fmt: skip
        with pytest.raises(CorruptArchiveError):
            codec.decode_frames([(damaged, 300)])


def test_models_of_another_kind_are_refused(folder: Path) -> None:
    with pytest.raises(ModelError, match="model of bytes"):
        PixelsCodec(load(folder, "patches"))
    with pytest.raises(ModelError, match="model of pictures"):
        BytesCodec(load(folder, "image"))
    with pytest.raises(ModelError, match="no model of text"):
        foretell.compress(b"some text " * 30, codec="text", model=str(folder / "bytes"))


def test_a_context_too_short_for_a_patch_is_refused(folder: Path) -> None:
    with pytest.raises(ModelError, match="does not hold a patch"):
        PixelsCodec(tiny("llama")).encode(bytes(768), Layout(16, 16, 3), "bytes")


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "foretell", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)


CASES = [
    ("patches", [], "sound.wav", "bytes"),
    pytest.param("text", ["--codec", "pixels"], "scene.ppm", "pixels", marks=pytest.mark.slow),
    pytest.param("image", [], "scene.bmp", "pixels", marks=pytest.mark.slow),
    ("image", [], "scene.png", "pixels"),
]


def content_of(name: str) -> bytes:
    if name.endswith(".wav"):
        return sounds.wav(wave(900), 1, 8000, 1)
    picture = pictures.scene(20, 18)
    if name.endswith(".png"):
        return pictures.png(picture.reshape(20, -1), 18, 8, 2)
    return pictures.bmp(picture) if name.endswith(".bmp") else pictures.ppm(picture)


@pytest.mark.parametrize(("model", "options", "name", "codec"), CASES)
def test_packed_in_one_process_unpacked_in_another(
    model: str, options: list[str], name: str, codec: str, folder: Path, tmp_path: Path
) -> None:
    path, data = tmp_path / name, content_of(name)
    path.write_bytes(data)
    packed = run("pack", "--model", folder / model, *options, path)
    assert packed.returncode == 0, packed.stderr
    path.unlink()
    info = run("info", f"{path}.fore").stdout
    assert f"  {codec}" in info
    assert f"{model}@" in info
    if codec == "pixels":
        assert "18 x 20, 3 channels, 8 bits" in info
    unpacked = run("unpack", f"{path}.fore")
    assert unpacked.returncode == 0, unpacked.stderr
    assert path.read_bytes() == data


def test_text_may_go_through_gpt_2(folder: Path) -> None:
    text = "the token model is exact, every bit of it: é 日本\n".encode() * 12 + b"\0\xff"
    archive = foretell.compress(text, codec="text", model=str(folder / "text"))
    assert foretell.decompress(archive) == text
    assert len(archive) < len(text) // 3


@pytest.mark.parametrize("name", ["patches", "image"])
def test_threads_change_nothing(name: str, folder: Path) -> None:
    data = wave(900) if name == "patches" else pictures.ppm(pictures.scene(20, 17))
    archives = []
    try:
        for threads in (1, 3):
            set_thread_count(threads)
            archives.append(foretell.compress(data, model=str(folder / name)))
            assert foretell.decompress(archives[0]) == data
    finally:
        set_thread_count(0)
    assert archives[0] == archives[1]


def test_rows_of_a_picture_are_cut_out_of_its_archive(folder: Path, tmp_path: Path) -> None:
    picture = pictures.scene(20, 18)
    path = tmp_path / "scene.fore"
    path.write_bytes(foretell.compress_image(picture, model=str(folder / "image")))
    assert np.array_equal(foretell.decompress_image(path.read_bytes()), picture)
    with ArchiveFile(path) as archive:
        rows = b"".join(cut_rows(archive, 3, 5))
    assert rows.endswith(picture[3:5].tobytes())


def test_a_missing_model_is_one_clear_line(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "sound.wav.fore"
    archive.write_bytes(foretell.compress(wave(300), model=str(folder / "bytes")))
    monkeypatch.setenv("FORETELL_CACHE", str(tmp_path / "empty"))
    unpacked = run("unpack", archive)
    assert unpacked.returncode == 1
    (line,) = unpacked.stderr.strip().splitlines()
    assert "needs a model with SHA-256" in line
    assert "foretell models pull" in line


def test_a_frame_of_another_kind_than_the_model_is_refused(folder: Path) -> None:
    data = pictures.ppm(pictures.scene(10, 10))
    archive = foretell.compress(data, model=str(folder / "image"))
    digest = load(folder, "image").digest
    other = load(folder, "bytes").digest
    assert archive.count(digest) == 1
    start = archive.index(digest)
    note = archive[start - 3 : start] + other
    forged = archive[: start - 3] + note + check_16(note) + archive[start + 34 :]
    with pytest.raises(ForetellError, match="model of bytes"):
        foretell.decompress(forged)


def test_every_damage_is_noticed(folder: Path) -> None:
    archive = foretell.compress(wave(200), model=str(folder / "patches"), codec="bytes")
    for place in range(0, len(archive), 3):
        damaged = bytearray(archive)
        damaged[place] ^= 16
        with pytest.raises(ForetellError):
            foretell.decompress(bytes(damaged))


def test_levels_and_verification(folder: Path) -> None:
    data = wave(400)
    for level in (1, 9):
        archive = foretell.compress(data, level=level, model=str(folder / "patches"), verify=True)
        assert foretell.decompress(archive) == data


GOLDEN = {
    "bytes": "375c1e36c3697f81bd24e2e9b1c4bb5fd5c7ac15fdf2490b81a47b84b6feb992",
    "patches": "73283527b102ab6cbf61ea307499c1f786dc616ba727a3b40ccb65102f4e8e27",
    "image": "f741ab5f2f3c9949acdd9d0aeb59f6bf505e4e0abe68a665d73245e5268d7318",
    "text": "4107daeb15d4a3e28c79add1e3107ee4be4b28e8b0d7919e580cdda82efb4c48",
}


@pytest.mark.parametrize("name", list(GOLDEN))
def test_payloads_have_their_golden_digests(name: str, folder: Path) -> None:
    model = load(folder, name)
    if name in ("image", "text"):
        payload = PixelsCodec(model).encode(SQUARES.tobytes(), Layout(20, 18, 3))
    else:
        (payload,) = BytesCodec(model).encode_frames([wave(400)])
    assert payload is not None
    assert hashlib.sha256(payload).hexdigest() == GOLDEN[name]
