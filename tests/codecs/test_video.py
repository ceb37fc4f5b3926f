"""Video comes back byte for byte; earlier frames are worth something."""

from __future__ import annotations

import io
import itertools
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))
import pictures
from test_image import codecs_of, comes_back

import foretell
from foretell.codecs.image import containers
from foretell.codecs.video import fields, motion, order, y4m
from foretell.codecs.video.codec import VideoCodec
from foretell.errors import CorruptArchiveError


def clip(count, height, width, chroma=(1, 1), largest=255, step=2):
    """A scene that moves to the left."""
    wide = pictures.scene(height, width + step * count, 3, largest)
    down, right = chroma or (0, 0)
    frames = []
    for n in range(count):
        view = wide[:, step * n : step * n + width]
        planes = [np.ascontiguousarray(view[..., 0])]
        if chroma is not None:
            planes += [np.ascontiguousarray(view[:: 1 << down, :: 1 << right, k]) for k in (1, 2)]
        frames.append(planes)
    return frames


@pytest.mark.parametrize(
    ("colour", "chroma", "largest"),
    [
        (b"420jpeg", (1, 1), 255),
        (b"422", (0, 1), 255),
        (b"444", (0, 0), 255),
        (b"mono", None, 255),
        (b"420p10", (1, 1), 1023),
        (b"mono10", None, 1023),
    ],
)
@pytest.mark.parametrize("size", [(17, 23), (1, 1), (2, 33)])
def test_clips_come_back(colour, chroma, largest, size):
    data = pictures.y4m(clip(3, *size, chroma, largest), colour)
    archive = comes_back(data, "video")
    assert "video" in codecs_of(archive) or size == (1, 1)


def test_no_frames_cut_frames_and_other_lines():
    data = pictures.y4m(clip(3, 20, 30))
    head = data[: data.index(b"\n") + 1]
    for odd in (
        head,
        head[:-1],
        data[:-1],
        data[:-700],
        data + b"FRAME\n",
        pictures.y4m(clip(2, 20, 30), line=b"FRAME Ip\n"),
    ):
        comes_back(odd, "video")


def test_absurd_sizes_are_left_alone():
    for size in (b"W0 H5", b"W99999 H99999", b"W16384 H16384", b"Wx H5", b"H5"):
        comes_back(b"YUV4MPEG2 " + size + b" F25:1 C444\nFRAME\n" + b"x" * 999, "video")


def test_earlier_frames_help():
    frames = clip(6, 48, 64)
    together = len(foretell.compress(pictures.y4m(frames), codec="video"))
    alone = sum(len(foretell.compress(pictures.y4m([frame]), codec="video")) for frame in frames)
    assert together < 0.6 * alone


def test_groups_are_seekable(monkeypatch):
    monkeypatch.setattr(containers, "MOST_GROUP_FRAMES", 2)
    data = pictures.y4m(clip(5, 16, 24))
    archive = comes_back(data, "video")
    assert codecs_of(archive).count("video") == 3
    with foretell.open(io.BytesIO(archive)) as file:
        file.seek(len(data) - 300)
        assert file.read() == data[-300:]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 400), st.binary(min_size=1, max_size=3))
def test_fuzzed_payloads_end_in_an_error_or_wrong_bytes(at, patch):
    offset, layout = y4m.find(data := pictures.y4m(clip(2, 9, 12)))
    payload = bytearray(VideoCodec().encode(data[offset:], layout))
    at %= len(payload)
    payload[at : at + len(patch)] = patch
    try:
        (raw,) = VideoCodec().decode_frames([(bytes(payload), len(data) - offset)])
    except (CorruptArchiveError, ValueError, zlib.error):
        return
    assert len(raw) == len(data) - offset


def quarter(plane, y, x, dy, dx, largest):
    """Value of a plane at a place moved by quarters, as H.264 (8.4.2.2.1) says it, one sample at a time."""

    def at(row, column):
        return int(plane[min(max(row, 0), plane.shape[0] - 1), min(max(column, 0), plane.shape[1] - 1)])

    def six(values):
        return sum(a * b for a, b in zip(values, (1, -5, 20, 20, -5, 1), strict=True))

    def half(row, column, down, right):
        if not down and not right:
            return at(row, column)
        if not down:
            value = (six([at(row, column + i) for i in range(-2, 4)]) + 16) >> 5
        elif not right:
            value = (six([at(row + i, column) for i in range(-2, 4)]) + 16) >> 5
        else:
            lines = [six([at(row + i, column + j) for j in range(-2, 4)]) for i in range(-2, 4)]
            value = (six(lines) + 512) >> 10
        return min(max(value, 0), largest)

    y, x, fy, fx = y + (dy >> 2), x + (dx >> 2), dy & 3, dx & 3
    if fy & 1 and fx & 1:
        ends = (half(y + (fy == 3), x, 0, 1), half(y, x + (fx == 3), 1, 0))
    elif fy & 1:
        ends = (
            (half(y, x, 0, fx >> 1), half(y, x, 1, fx >> 1))
            if fy == 1
            else (half(y, x, 1, fx >> 1), half(y + 1, x, 0, fx >> 1))
        )
    elif fx & 1:
        ends = (
            (half(y, x, fy >> 1, 0), half(y, x, fy >> 1, 1))
            if fx == 1
            else (half(y, x, fy >> 1, 1), half(y, x + 1, fy >> 1, 0))
        )
    else:
        ends = (half(y, x, fy >> 1, fx >> 1),) * 2
    return (sum(ends) + 1) >> 1


def test_phases_are_those_of_the_standard():
    plane = np.random.default_rng(5).integers(0, 256, (9, 11)).astype(np.int32)
    moved = motion.phases(plane, 255)
    for dy in range(-9, 9):
        for dx in (-40, -9, *range(-4, 5), 17, 50):
            top, left = motion.MARGIN + (dy >> 2), motion.MARGIN + (dx >> 2)
            block = moved[(dy & 3) * 4 + (dx & 3), top : top + 9, left : left + 11]
            for y, x in ((0, 0), (4, 5), (8, 10)):
                assert block[y, x] == quarter(plane, y, x, dy, dx, 255)


def test_the_search_finds_a_move():
    wide = pictures.scene(32, 60, 1).astype(np.int32)
    vectors = np.zeros((4, 5, 2), np.int8)
    moved = motion.phases(np.ascontiguousarray(wide[:, :40]), 255)
    motion.search(np.ascontiguousarray(wide[:, 3:43]), moved, vectors)
    assert np.all(vectors[:, :4] == [0, 12])
    assert np.array_equal(motion.move_brightness(moved, vectors)[:, :32], wide[:, 3:35])


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 2),
    st.integers(1, 5),
    st.integers(1, 5),
    st.integers(-4, 4).filter(bool),
    st.integers(-4, 4).filter(bool),
    st.integers(0, 1 << 32),
)
def test_fields_of_moves_come_back(count, rows, columns, first, second, seed):
    most = motion.MOST_QUARTERS
    moves = np.random.default_rng(seed).integers(-most, most + 1, (count, rows, columns, 2)).astype(np.int8)
    steps, back = np.empty_like(moves), np.empty_like(moves)
    fields.code_fields(moves, np.array([first, second]), steps)
    fields.restore_fields(steps, np.array([first, second]), back)
    assert np.array_equal(back, moves)


def test_moves_that_are_not_used_cost_nothing():
    rng = np.random.default_rng(4)
    planes = [rng.integers(0, 256, (32, 40)).astype(np.int32) for _ in range(2)]
    planner = order.Planner([planes[0], planes[1], planes[0]], 255)
    found = planner.motion(2, (0, 1))
    assert np.all(found.modes == fields.FIRST)
    steps = np.empty_like(found.vectors)
    fields.code_fields(found.vectors, order.distances(2, (0, 1)), steps)
    assert not steps.any()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, order.MOST_JUMPED), min_size=1, max_size=12))
def test_every_frame_is_coded_once_after_its_references(jumps):
    sequence = order.coding_order(jumps)
    assert sorted(sequence) == list(range(len(jumps) + sum(jumps)))
    for step, others in enumerate(order.references(sequence)):
        assert set(others) <= set(sequence[:step])
        assert len(others) == len(set(others)) <= 2
        assert bool(others) == bool(step)


@pytest.mark.parametrize("jumps", [[0, 0, 0, 0, 0, 0], [0, 1, 1, 0], [0, 3, 0], [0, 2, 1]])
@pytest.mark.parametrize("chroma", [(1, 1), None])
def test_any_order_of_frames_comes_back(monkeypatch, jumps, chroma):
    monkeypatch.setattr(order.Planner, "jumps", lambda self: jumps)
    offset, layout = y4m.find(data := pictures.y4m(clip(6, 19, 26, chroma), b"420jpeg" if chroma else b"mono"))
    payload = VideoCodec().encode(data[offset:], layout)
    assert VideoCodec().decode_frames([(payload, len(data) - offset)]) == [data[offset:]]


def test_frames_that_are_means_of_their_neighbours_are_jumped_over():
    rng = np.random.default_rng(2)
    ends = [pictures.scene(48, 64, 1).astype(np.int32) + rng.integers(0, 9, (48, 64)) for _ in range(4)]
    frames = [ends[0]]
    for before, after in itertools.pairwise(ends):
        frames += [(before + after + 1) >> 1, after]
    assert order.Planner([np.clip(frame, 0, 255) for frame in frames], 255).jumps() == [0, 1, 1, 1]


@pytest.mark.parametrize(
    ("form", "colour", "codec"),
    [
        ("yuv420p", b"C420jpeg", "ffv1"),
        ("yuv422p10le", b"C422p10", "ffv1"),
        ("yuv444p", b"C444", "libx264"),
        ("gray", b"Cmono", "ffv1"),
    ],
)
def test_samples_of_video_files(tmp_path, form, colour, codec):
    from foretell.cli import main

    av = pytest.importorskip("av")
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        try:
            stream = container.add_stream(codec, rate=25)
        except Exception:
            pytest.skip(f"no encoder {codec} here")
        stream.width, stream.height, stream.pix_fmt = 38, 26, form
        for planes in clip(3, 26, 38):
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(planes[0]), "gray").reformat(format=form)
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    wanted = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            lines = [np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size) for plane in frame.planes]
            size = 2 if form.endswith("le") else 1
            wanted.append(
                b"FRAME\n"
                + b"".join(
                    line[: plane.height, : plane.width * size].tobytes()
                    for line, plane in zip(lines, frame.planes, strict=True)
                )
            )
    assert main(["pack", "-q", "--samples", str(path)]) == 0
    data = foretell.decompress((tmp_path / "clip.y4m.fore").read_bytes())
    head, rest = data.split(b"\n", 1)
    assert colour in head.split(b" ")
    assert b"W38" in head.split(b" ")
    assert rest == b"".join(wanted)
    if form == "yuv420p":
        assert "video" in codecs_of((tmp_path / "clip.y4m.fore").read_bytes())


def test_video_files_that_are_none(tmp_path):
    from foretell.cli import main

    pytest.importorskip("av")
    (tmp_path / "lie.mkv").write_bytes(b"\x1a\x45\xdf\xa3" + bytes(500))
    assert main(["pack", "-q", "--samples", str(tmp_path / "lie.mkv")]) == 1
    assert not (tmp_path / "lie.y4m.fore").exists()


def test_a_map_of_a_video(tmp_path, capsys):
    from foretell.cli import main

    data = pictures.y4m(clip(3, 20, 31))
    path = tmp_path / "clip.fore"
    path.write_bytes(foretell.compress(data, codec="video", level=1))
    assert main(["info", "--map", str(tmp_path / "map.png"), str(path)]) == 0
    assert "31 x 20, 4:2:0, 8 bits, 3 frames" in capsys.readouterr().out
    assert (tmp_path / "map.png").read_bytes()[16:24] == bytes([0, 0, 0, 31, 0, 0, 0, 20])


def test_frames_of_a_video_are_cut_out(monkeypatch):
    from foretell.archive.pictures import cut_frames
    from foretell.archive.seek import ArchiveFile

    monkeypatch.setattr(containers, "MOST_GROUP_FRAMES", 2)
    frames = clip(5, 16, 24)
    archive = ArchiveFile(io.BytesIO(foretell.compress(pictures.y4m(frames), codec="video", level=1)))
    assert b"".join(cut_frames(archive, 1, 4)) == pictures.y4m(frames[1:4])
