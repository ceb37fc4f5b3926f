"""Video comes back byte for byte; earlier frames are worth something."""

from __future__ import annotations

import io
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
from foretell.codecs.image.planes import inside, new_plane
from foretell.codecs.video import motion, y4m
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


@pytest.mark.parametrize(("dy", "dx"), [(0, 0), (4, -8), (2, 0), (0, 2), (1, 0), (3, 3), (2, 1), (-1, -2)])
def test_quarters_of_samples(dy, dx):
    """Slopes are interpolated exactly, up to rounding; whole moves are copies."""
    y, x = np.mgrid[:40, :40]
    plane = (100 + 4 * y + 8 * x).astype(np.int32)
    value = motion.quarter(plane, 20, 20, dy, dx, 65535)
    assert abs(value - (100 + 4 * (20 + dy / 4) + 8 * (20 + dx / 4))) <= 1
    assert abs(motion.eighth(plane, 20, 20, dy, dx) - (100 + 4 * (20 + dy / 8) + 8 * (20 + dx / 8))) <= 1


def test_the_search_finds_a_move():
    wide = pictures.scene(32, 60, 1).astype(np.int32)
    vectors = np.zeros((4, 5, 2), np.int8)
    motion.search(np.ascontiguousarray(wide[:, 3:43]), np.ascontiguousarray(wide[:, :40]), 255, vectors)
    assert np.all(vectors[:, :4] == [0, 12])
    plane = new_plane(32, 40)
    inside(plane)[:] = wide[:, :40]
    moved = inside(motion.compensate(plane, vectors, motion.BRIGHTNESS, 255))
    assert np.array_equal(moved[:, :32], wide[:, 3:35])


def test_frames_of_a_video_are_cut_out(monkeypatch):
    from foretell.archive.pictures import cut_frames
    from foretell.archive.seek import ArchiveFile

    monkeypatch.setattr(containers, "MOST_GROUP_FRAMES", 2)
    frames = clip(5, 16, 24)
    archive = ArchiveFile(io.BytesIO(foretell.compress(pictures.y4m(frames), codec="video", level=1)))
    assert b"".join(cut_frames(archive, 1, 4)) == pictures.y4m(frames[1:4])
