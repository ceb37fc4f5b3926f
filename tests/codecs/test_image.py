"""Pictures come back byte for byte, from every kind of file, and on every kind of machine that can be had here."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
import pictures

import foretell
from foretell.codecs.base import CODEC_NAMES
from foretell.codecs.image import arrays, containers, deflate, network, png, raster, shapes, weights
from foretell.codecs.image.codec import ImageCodec
from foretell.codecs.image.layers import unpack_pairs
from foretell.codecs.image.model import SINGLE, new_model
from foretell.codecs.image.raster import Layout
from foretell.compilation import compiled
from foretell.errors import CorruptArchiveError, ForetellError
from foretell.exact.threads import set_thread_count
from foretell.shipped import find_weights

WEIGHTS_DIGEST = "9eb009218c342bf4379a2793095946763c66f51512d6409e61e67a88c2535bd7"


def codecs_of(archive):
    from foretell.archive.index import read_index

    return [CODEC_NAMES[entry.head.kind] for entry in read_index(io.BytesIO(archive)).entries]


def comes_back(data, codec="image"):
    archive = foretell.compress(data, level=1, codec=codec)
    assert foretell.decompress(archive) == data
    return archive


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (17, 5), (3, 100)])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_rasters_of_odd_sizes(shape, channels):
    array = pictures.scene(*shape, channels)
    layout = Layout(shape[1], shape[0], channels)
    payload = raster.encode(array.tobytes(), layout)
    assert raster.decode(payload, layout) == array.tobytes()


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_samples_come_back(data):
    width, rows, channels = (data.draw(st.integers(1, n)) for n in (12, 8, 4))
    wide, big = data.draw(st.booleans()), data.draw(st.booleans())
    layout = Layout(width, rows, channels, 2 if wide else 1, big and wide, data.draw(st.integers(0, 3)))
    line = layout.row_bytes - layout.padding
    body = [data.draw(st.binary(min_size=line, max_size=line)) + bytes(layout.padding) for _ in range(rows)]
    payload = raster.encode(b"".join(body), layout)
    assert raster.decode(payload, layout) == b"".join(body)


def test_padding_that_is_not_zero_is_refused():
    assert raster.encode(b"abcd" * 5, Layout(3, 5, 1, padding=1)) is None


@pytest.mark.parametrize(
    "array",
    [
        pictures.scene(40, 33),
        pictures.scene(40, 33, 4),
        pictures.scene(40, 33, 1, 65535),
        pictures.scene(40, 33, 3, 4095),
        pictures.drawing(40, 40),
        np.zeros((30, 30, 3), np.uint8),
        np.full((20, 20), 65535, np.uint16),
        (pictures.scene(40, 33, 1, 15) * 17).astype(np.uint8),
        np.random.default_rng(1).integers(0, 256, (24, 24, 3), dtype=np.uint8),
    ],
    ids=["rgb", "rgba", "grey16", "rgb12", "drawing", "black", "white16", "gaps", "noise"],
)
def test_arrays_come_back(array):
    archive = foretell.compress_image(array)
    back = foretell.decompress_image(archive)
    assert back.dtype == array.dtype
    assert np.array_equal(back, array)


def test_a_picture_is_smaller_than_its_bytes_would_be():
    array = pictures.scene(96, 96)
    octets = foretell.compress(arrays.to_anymap(array), codec="octets")
    assert len(foretell.compress_image(array)) < 0.85 * len(octets)


def test_colours_on_a_lattice_are_found():
    """Given two channels, few values of the third occur: what an integer colour transform leaves."""
    rng = np.random.default_rng(3)
    luma = np.cumsum(rng.integers(-2, 3, (96, 96)), axis=1) + 60
    a, b = rng.integers(-3, 4, (2, 96, 96))
    lattice = np.stack([luma + 5 * a, luma, luma + 7 * b], -1).astype(np.uint8)
    noise = lattice + rng.integers(-3, 4, lattice.shape).astype(np.uint8)
    assert len(foretell.compress_image(lattice)) < 0.7 * len(foretell.compress_image(noise))


def test_arrays_that_are_no_pictures():
    for array in (np.zeros((2, 2)), np.zeros((2, 2, 5), np.uint8), np.zeros(4, np.uint8), np.zeros((0, 3), np.uint8)):
        with pytest.raises(ValueError, match=r"picture|channels"):
            foretell.compress_image(array)
    with pytest.raises(ForetellError, match="no picture"):
        foretell.decompress_image(foretell.compress(b"not a picture", level=1))


FILES = {
    "ppm": pictures.ppm(pictures.scene(30, 41)),
    "pgm16": pictures.ppm(pictures.scene(30, 41, 1, 65535)),
    "pam": arrays.to_anymap(pictures.scene(20, 21, 4)),
    "bmp": pictures.bmp(pictures.scene(21, 23)),
    "bmp8": pictures.bmp(pictures.scene(21, 23, 1)),
    "bmp32": pictures.bmp(pictures.scene(21, 23, 4)),
    "tiff": pictures.tiff(pictures.scene(33, 20)),
    "tiff16": pictures.tiff(pictures.scene(33, 20, 1, 65535), ">", 50, directory_last=False),
}


@pytest.mark.parametrize("name", FILES)
def test_files_come_back_as_pictures(name):
    archive = comes_back(FILES[name])
    assert "image" in codecs_of(archive)


@pytest.mark.parametrize("name", FILES)
def test_cut_and_lying_files_come_back_too(name):
    data = FILES[name]
    for cut in (1, 5, 20, 60, len(data) // 2, len(data) - 1):
        comes_back(data[:cut])
    comes_back(data + b"more that follows" * 9)


def test_headers_that_claim_too_much_take_no_memory():
    for head in (
        b"P6 99999999 99999999 255\n" + b"x" * 999,
        b"P5 1 16777217 255\n" + b"x" * 999,
        b"BM" + struct.pack("<IHHIIiiHHI", 0, 0, 0, 54, 40, 2**31 - 1, -(2**31), 1, 24, 0) + b"x" * 999,
        b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 65535) + b"\xff" * 999,
    ):
        comes_back(head)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.integers(0, 200), st.binary(min_size=1, max_size=4))
def test_finders_survive_fuzzed_headers(name, at, patch):
    data = bytearray(FILES[name])
    data[at : at + len(patch)] = patch
    for part in containers.parts_of(bytes(data)):
        assert part.size >= 0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 400), st.binary(min_size=1, max_size=3))
def test_fuzzed_payloads_end_in_an_error_or_wrong_bytes(at, patch):
    layout = Layout(12, 9, 3)
    payload = bytearray(ImageCodec().encode(pictures.scene(9, 12).tobytes(), layout))
    at %= len(payload)
    payload[at : at + len(patch)] = patch
    try:
        (raw,) = ImageCodec().decode_frames([(bytes(payload), layout.size)])
    except (CorruptArchiveError, ValueError, zlib.error):
        return
    assert len(raw) == layout.size


def test_layouts_beyond_the_frame_are_refused():
    payload = ImageCodec().encode(bytes(range(12)), Layout(2, 2, 3))
    with pytest.raises(CorruptArchiveError, match="bytes is in a frame"):
        ImageCodec().decode_frames([(payload, 13)])
    huge = bytes([0, 2]) + b"\xff\xff\xff\x07" * 2 + b"\0"
    with pytest.raises(CorruptArchiveError):
        ImageCodec().decode_frames([(huge, 1 << 26)])


def test_shapes_in_words():
    assert shapes.parse_shape("7x5x4:u16be") == Layout(7, 5, 4, 2, True)
    for text in ("", "7", "0x5", "7x5x5", "7x5:f32", "99999999x99999999"):
        with pytest.raises(ValueError, match="is not WIDTH"):
            shapes.parse_shape(text)


def test_raw_pictures_with_a_shape():
    raw = pictures.scene(30, 20).tobytes()
    archive = foretell.compress(raw, shape="20x30x3")
    assert codecs_of(archive) == ["image"]
    assert foretell.decompress(archive) == raw
    longer = foretell.compress(raw + b"tail", shape="20x30x3", level=1)
    assert foretell.decompress(longer) == raw + b"tail"


def test_bands_are_seekable(monkeypatch):
    monkeypatch.setattr(containers, "BAND_BYTES", 1500)
    data = pictures.ppm(pictures.scene(40, 50))
    archive = comes_back(data)
    assert codecs_of(archive).count("image") == 4
    with foretell.open(io.BytesIO(archive)) as file:
        file.seek(3000)
        assert file.read(700) == data[3000:3700]


def test_threads_change_nothing():
    array = pictures.scene(70, 40)
    layout = Layout(40, 70, 3)
    payloads = []
    for threads in (1, 2, 3):
        set_thread_count(threads)
        payloads.append(raster.encode(array.tobytes(), layout))
        assert raster.decode(payloads[0], layout) == array.tobytes()
    set_thread_count(0)
    assert len(set(payloads)) == 1


PROGRAM = """
import sys, hashlib
sys.path.insert(0, sys.argv[1])
import pictures
from foretell.codecs.image import raster
from foretell.codecs.image.raster import Layout
payload = open(sys.argv[2], "rb").read()
print(hashlib.sha256(raster.decode(payload, Layout(25, 20, 3))).hexdigest())
print(hashlib.sha256(raster.encode(pictures.scene(20, 25).tobytes(), Layout(25, 20, 3))).hexdigest())
"""


@pytest.mark.slow
def test_another_processor_computes_the_same(tmp_path):
    raw = pictures.scene(20, 25).tobytes()
    payload = raster.encode(raw, Layout(25, 20, 3))
    (tmp_path / "payload").write_bytes(payload)
    environment = os.environ | {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    command = [sys.executable, "-c", PROGRAM, str(Path(__file__).parent), str(tmp_path / "payload")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [hashlib.sha256(raw).hexdigest(), hashlib.sha256(payload).hexdigest()]


INTERPRETED = """
import os, sys
os.environ["NUMBA_DISABLE_JIT"] = "1"
sys.path.insert(0, sys.argv[1])
import numpy as np
import pictures
from foretell.codecs.image import coder, contexts, raster
from foretell.exact.threads import set_thread_count

np.seterr(over="ignore")
set_thread_count(1)
# Hints, which only a compiler can read, do nothing.
contexts.prefetch = coder.prefetch = lambda array, index: None
# Compiled code adds and multiplies int32 elements as int64.
hash_pair = contexts.hash_pair
contexts.hash_pair = lambda a, b: hash_pair(int(a), int(b))
samples = np.ascontiguousarray(np.load(sys.argv[2]))
payload = raster.encode_samples(samples)
back, _ = raster.decode_samples(payload, 0, samples.shape)
assert np.array_equal(back, samples)
sys.stdout.write(payload.hex())
"""


@pytest.mark.parametrize("kind", ["colour", "references larger than the plane"])
def test_the_interpreter_computes_the_same(tmp_path, kind):
    """The coder's Python source, run as Python: every operation alone, and every index out of range an error."""
    samples = pictures.scene(7, 6).astype(np.int32).transpose(2, 0, 1)
    if kind != "colour":
        samples = np.stack([samples[0], 300 + 200 * samples[1], samples[2]])
    np.save(tmp_path / "samples.npy", samples)
    command = [sys.executable, "-W", "ignore", "-c", INTERPRETED, str(Path(__file__).parent)]
    done = subprocess.run([*command, str(tmp_path / "samples.npy")], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == raster.encode_samples(np.ascontiguousarray(samples)).hex()


def network_outputs(references, inputs):
    """The network's outputs with 64-bit integers, layer by layer."""
    net = weights.new_network(references)
    x = inputs.astype(np.int64)
    for k, (packed, bias) in enumerate(((net.first, net.first_bias), (net.second, net.second_bias))):
        x = (unpack_pairs(packed) @ x + bias) >> net.shifts[k]
        x = np.clip(x, 0, weights.CEILING)
    return (unpack_pairs(net.third) @ x + net.third_bias) >> net.shifts[2]


@pytest.mark.parametrize("references", [0, 1, 2])
def test_the_network_equals_wide_integers(references):
    planes = new_model(8, 64, references, 255)
    planes.spreads[:] = 1
    rng = np.random.default_rng(references)
    for _ in range(20):
        planes.network.inputs[:] = rng.integers(-127, 128, weights.INPUTS)
        evaluate(planes)
        out = network_outputs(references, planes.network.inputs)
        at = np.clip((out[:3] + 8) >> 4, -128, 127) + 128
        assert np.array_equal(planes.shares, network.POWERS[at])
        assert np.array_equal(planes.places[SINGLE:], np.float32(0.5) + out[3:6].astype(np.float32) / np.float32(256))


@compiled
def evaluate(planes):
    network.run_network(planes)


def test_the_networks_sums_cannot_overflow():
    for references in range(3):
        net = weights.new_network(references)
        for packed, bias, most in (
            (net.first, net.first_bias, weights.MOST_INPUT),
            (net.second, net.second_bias, weights.CEILING),
            (net.third, net.third_bias, weights.CEILING),
        ):
            worst = np.abs(unpack_pairs(packed)).sum(1) * most + np.abs(bias.astype(np.int64))
            assert worst.max() < 2**31


def test_the_weights_are_those_of_the_format():
    file = find_weights("image") / "network.safetensors"
    assert hashlib.sha256(file.read_bytes()).hexdigest() == WEIGHTS_DIGEST


def test_a_map_shows_where_the_bits_went(tmp_path, capsys):
    from foretell.archive.pictures import bits_map
    from foretell.archive.seek import ArchiveFile
    from foretell.cli import main

    array = np.full((40, 50, 3), 90, np.uint8)
    array[10:30, 20:40] = np.random.default_rng(1).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    archive = foretell.compress_image(array)
    bits = bits_map(ArchiveFile(io.BytesIO(archive)), 1 << 30)
    assert bits.shape == (40, 50)
    assert 0.85 * 8 * len(archive) < bits.sum() < 8 * len(archive)
    assert bits[12:28, 22:38].mean() > 20 > 1 > bits[35:].mean()
    path = tmp_path / "picture.fore"
    path.write_bytes(archive)
    assert main(["info", "--map", str(tmp_path / "map.png"), str(path)]) == 0
    assert "bits per pixel, brightest" in capsys.readouterr().out
    drawn = (tmp_path / "map.png").read_bytes()
    assert drawn.startswith(png.SIGNATURE)
    assert struct.unpack(">II", drawn[16:24]) == (50, 40)
    assert main(["info", "--map", str(tmp_path / "map.png"), str(path)]) == 1  # it is there already
    text = tmp_path / "text.fore"
    text.write_bytes(foretell.compress(b"no picture", level=1))
    assert main(["info", "--map", str(tmp_path / "other.png"), str(text)]) == 1


def test_png_files_have_maps_too():
    from foretell.archive.pictures import bits_map
    from foretell.archive.seek import ArchiveFile

    data = pictures.png(rows_of(pictures.scene(24, 30)), 30, 8, 2)
    assert bits_map(ArchiveFile(io.BytesIO(foretell.compress(data, level=1))), 1 << 30).shape == (24, 30)


# PNG


def rows_of(array):
    return np.ascontiguousarray(array.astype(array.dtype.newbyteorder(">"))).view(np.uint8).reshape(array.shape[0], -1)


PNGS = {
    "rgb": (pictures.scene(24, 30), 8, 2),
    "grey": (pictures.scene(24, 31, 1), 8, 0),
    "rgba": (pictures.scene(12, 13, 4), 8, 6),
    "grey alpha": (pictures.scene(12, 13, 2), 8, 4),
    "rgb16": (pictures.scene(12, 13, 3, 65535), 16, 2),
}


@pytest.mark.parametrize("name", PNGS)
def test_png_files_are_made_anew(name):
    array, depth, colour = PNGS[name]
    kinds = np.arange(array.shape[0], dtype=np.uint8) % 5
    data = pictures.png(rows_of(array), array.shape[1], depth, colour, filters=kinds, strategy=1, extra=b"")
    payload = png.encode(data)
    assert payload is not None
    assert png.decode(payload, len(data)) == data


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_png_files_of_few_bits(depth):
    width, rng = 21, np.random.default_rng(depth)
    rows = rng.integers(0, 256, (9, (width * depth + 7) // 8), dtype=np.uint8)
    rows[:, -1] &= (0xFF << (-(width * depth) % 8)) & 0xFF
    extra = pictures.chunk(b"PLTE", bytes(range(48))) + pictures.chunk(b"tEXt", b"Comment\0made for tests")
    data = pictures.png(rows, width, depth, 3, extra=extra)
    payload = png.encode(data)
    assert payload is not None
    assert png.decode(payload, len(data)) == data
    rows[:, -1] |= 1  # bits beyond the width are not samples
    assert png.encode(pictures.png(rows, width, depth, 3)) is None


@pytest.mark.parametrize("level", [1, 3, 6, 9])
@pytest.mark.parametrize("memory", [8, 9])
def test_png_compression_settings_are_found(level, memory):
    array = pictures.drawing(60, 70)
    data = pictures.png(rows_of(array), 70, 8, 2, level=level, memory=memory, idat=500)
    assert png.decode(png.encode(data), len(data)) == data


def test_png_files_in_archives():
    array = pictures.scene(24, 30)
    data = pictures.png(rows_of(array), 30, 8, 2)
    assert codecs_of(comes_back(data)) == ["image"]
    for broken in (
        data[:-30],
        data[:60],
        data + b"tail",
        data.replace(b"IHDR", b"IHDS"),
        data[:100] + b"?" + data[101:],
    ):
        comes_back(broken)
    comes_back(pictures.png(rows_of(array), 30, 8, 2, interlaced=1))


def tiles(height, width, channels=3, largest=255):
    """Tiles of noise in few colours, in an order that repeats nowhere nearby."""
    rng = np.random.default_rng(9)
    kinds = rng.integers(0, 12, (7, 16, 16))
    order = rng.integers(0, 7, (height // 16 + 1, width // 16 + 1))
    places = np.block([[kinds[k] for k in row] for row in order])[:height, :width]
    colours = rng.integers(0, largest + 1, (12, channels)).astype(np.uint8 if largest < 256 else np.uint16)
    array = colours[places]
    return array[..., 0] if channels == 1 else array


@pytest.mark.parametrize(("channels", "largest"), [(1, 255), (3, 255), (4, 65535)])
def test_drawings_of_repeated_tiles_are_coded_by_their_colours(channels, largest):
    array = tiles(160, 161, channels, largest)
    layout = Layout(161, 160, channels, 2 if largest > 255 else 1)
    codec = ImageCodec(1)
    payload = codec.encode(array.tobytes(), layout)
    assert payload[0] == 4
    seen = []
    codec.watch = seen.append
    assert codec.decode_frames([(payload, layout.size)]) == [array.tobytes()]
    assert [bits.shape for bits in seen] == [(160, 161)]


def test_png_files_of_repeated_tiles():
    array = tiles(160, 161)
    data = pictures.png(rows_of(array), 161, 8, 2)
    payload = ImageCodec(1).encode(data, png.WholeFile())
    assert payload[0] == 5
    assert ImageCodec(1).decode_frames([(payload, len(data))]) == [data]
    for at in range(min(len(payload), 200)):
        bad = payload[:at] + bytes([payload[at] ^ 0x55]) + payload[at + 1 :]
        with contextlib.suppress(CorruptArchiveError, ValueError, zlib.error, struct.error):
            assert isinstance(ImageCodec(1).decode_frames([(bad, len(data))])[0], bytes)


def test_png_payloads_with_lies_are_refused():
    data = pictures.png(rows_of(pictures.scene(24, 30)), 30, 8, 2)
    payload = png.encode(data)
    for at in range(0, min(len(payload), 120)):
        bad = payload[:at] + bytes([payload[at] ^ 0x55]) + payload[at + 1 :]
        with contextlib.suppress(CorruptArchiveError, ValueError, zlib.error, struct.error):
            assert isinstance(png.decode(bad, len(data)), bytes)


@settings(max_examples=40, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=3000), st.lists(st.sampled_from([b"aaaa", b"abcab", b"\0\0\0", b"xyz"])).map(b"".join)
    ),
    st.integers(1, 9),
    st.integers(0, 4),
    st.integers(1, 9),
    st.integers(9, 15),
)
def test_deflate_makes_valid_streams(data, level, strategy, memory, window):
    stream = deflate.deflate(data, deflate.Parameters(level, strategy, memory, window))
    assert zlib.decompress(stream, -15) == data


@pytest.mark.skipif("ng" in zlib.ZLIB_RUNTIME_VERSION, reason="not zlib itself")
@pytest.mark.parametrize("strategy", range(5))
@pytest.mark.parametrize("level", range(1, 10))
def test_deflate_equals_zlib(level, strategy):
    scene = pictures.scene(60, 90).tobytes() + pictures.drawing(60, 90).tobytes() + b"so it goes. " * 900
    packer = zlib.compressobj(level, zlib.DEFLATED, -15, 8, strategy)
    assert deflate.deflate(scene, deflate.Parameters(level, strategy, 8, 15)) == packer.compress(scene) + packer.flush()


def test_rows_of_a_picture_are_cut_out(monkeypatch):
    from foretell.archive.pictures import cut_rows
    from foretell.archive.seek import ArchiveFile

    monkeypatch.setattr(containers, "BAND_BYTES", 1500)
    array = pictures.scene(40, 50)
    archive = ArchiveFile(io.BytesIO(foretell.compress(pictures.ppm(array), codec="image", level=1)))
    assert np.array_equal(arrays.from_anymap(b"".join(cut_rows(archive, 7, 23))), array[7:23])
    assert np.array_equal(arrays.from_anymap(b"".join(cut_rows(archive, 38, None))), array[38:])
    with pytest.raises(ForetellError, match="40 rows"):
        list(cut_rows(archive, 40, 50))
    with pytest.raises(ForetellError, match="no picture"):
        list(cut_rows(ArchiveFile(io.BytesIO(foretell.compress(b"text", level=1))), 0, 1))


def test_ranges_in_rows_and_frames():
    from foretell.cli.cat import Units, parse_wanted

    assert parse_wanted("3r:") == Units("r", 3, None)
    assert parse_wanted(":9f") == Units("f", 0, 9)
    assert parse_wanted("3:9") == slice(3, 9)
    for text in ("3r:9f", "3r:9", "r:f"):
        with pytest.raises(Exception, match="START:END"):
            parse_wanted(text)


def test_info_tells_size_and_depth(tmp_path, capsys):
    from foretell.cli import main

    path = tmp_path / "picture.fore"
    path.write_bytes(foretell.compress_image(pictures.scene(30, 41, 4)))
    assert main(["info", str(path)]) == 0
    assert "41 x 30, 4 channels, 8 bits" in capsys.readouterr().out


def test_pixels_instead_of_files(tmp_path):
    from foretell.cli import main

    image = pytest.importorskip("PIL.Image")
    array = pictures.scene(24, 30)
    interlaced = tmp_path / "odd.gif"
    image.fromarray(pictures.drawing(24, 30)).convert("P").save(interlaced)
    plain = tmp_path / "plain.png"
    plain.write_bytes(pictures.png(rows_of(array), 30, 8, 2, level=1, extra=pictures.chunk(b"tEXt", b"Title\0a test")))
    assert main(["pack", "-q", "--samples", str(plain), str(interlaced)]) == 0
    plain.unlink()
    assert main(["unpack", "-q", str(tmp_path / "plain.png.fore"), str(tmp_path / "odd.png.fore")]) == 0
    assert np.array_equal(np.asarray(image.open(plain)), array)
    assert image.open(plain).text == {"Title": "a test"}
    assert np.array_equal(np.asarray(image.open(tmp_path / "odd.png")), np.asarray(image.open(interlaced)))
    assert codecs_of((tmp_path / "plain.png.fore").read_bytes()) == ["image"]
    (tmp_path / "text.png").write_bytes(b"no picture")
    assert main(["pack", "-q", "--samples", str(tmp_path / "text.png")]) == 1


@pytest.mark.parametrize("kind", ["raster", "png"])
def test_a_drawing_is_never_larger_for_the_network(kind):
    array = np.zeros((60, 80, 3), np.uint8)
    array[20:40, 10:50] = (200, 30, 90)
    data = pictures.ppm(array) if kind == "raster" else pictures.png(rows_of(array), 80, 8, 2)
    found, plain = (foretell.compress(data, codec="image", level=level) for level in (6, 1))
    assert len(found) <= len(plain)
    assert foretell.decompress(found) == data
