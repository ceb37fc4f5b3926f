"""The frame codec for video: groups of frames, each plane predicted from the frames before it in the group.

The first plane of a frame is predicted from the two frames before, moved block by block as vectors say that the encoder
found; the second from its own last frame, moved likewise, and from the first plane; the third from the second
and from its own last frame. Everything else is as for pictures, and what the models of the planes learn stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.base import VIDEO
from foretell.codecs.image.model import PlaneModel, new_model
from foretell.codecs.image.numbers import put_block, put_varints, take_blocks, take_varint
from foretell.codecs.image.pipeline import Code, Task, run_tasks
from foretell.codecs.image.planes import Picture, inside, new_plane
from foretell.codecs.octets import OctetsCodec
from foretell.codecs.video.motion import (
    BLOCK,
    BRIGHTNESS,
    COLOUR,
    ERRORS,
    MOST_QUARTERS,
    compensate,
    search,
    shrink,
)
from foretell.codecs.video.y4m import FRAME_LINE, VideoLayout
from foretell.errors import CorruptArchiveError

MOST_FRAMES = 1 << 16
_CHROMA = (None, (0, 0), (0, 1), (1, 1))


class VideoCodec:
    """Frames of whole frames of YUV4MPEG2.

    Attributes
    ----------
    progress : callable or None
        Called now and then with the number of bytes that have just been done.
    """

    name = "video"
    id = VIDEO
    progress: Callable[[int], None] | None = None

    def encode(self, data: bytes, layout: VideoLayout) -> bytes | None:
        """Payload of whole frames; None if a frame has a line of its own kind."""
        count = len(data) // layout.frame_bytes
        if not 1 <= count <= MOST_FRAMES or count * layout.frame_bytes != len(data):
            return None
        lines = np.frombuffer(data, np.uint8).reshape(count, layout.frame_bytes)
        if np.any(lines[:, : len(FRAME_LINE)] != np.frombuffer(FRAME_LINE, np.uint8)):
            return None
        frames = _to_planes(lines[:, len(FRAME_LINE) :], layout)
        largest = [max(1, max(int(frame[k].max()) for frame in frames)) for k in range(len(layout.shapes))]
        group = _Group(layout, count, largest, None, self._tell(layout))
        group.vectors = _find_vectors(frames, whole(largest[0]))
        group.run(frames)
        form = _CHROMA.index(layout.chroma) | layout.sample_bytes - 1 << 2
        head = bytes([form]) + put_varints(layout.width, layout.height, *largest)
        vectors = OctetsCodec(1).encode(group.vectors.transpose(3, 0, 1, 2).tobytes()) if count > 1 else b""
        return head + put_block(vectors) + b"".join(put_block(code.finish()) for code in group.codes)

    def encode_frames(self, frames: Sequence[bytes]) -> list[bytes]:
        """Frames without a layout cannot be video."""
        raise ValueError("video frames are encoded one by one, with their layout")

    def decode_frames(self, payloads: Sequence[tuple[bytes, int]]) -> list[bytes]:
        """Frames from (payload, size) pairs.

        Raises
        ------
        CorruptArchiveError
            If a payload is damaged in a way that shows here; the archive's checksums find the rest.
        """
        return [self._decode(payload, size) for payload, size in payloads]

    def _decode(self, payload: bytes, size: int) -> bytes:
        layout, largest, position = take_layout(payload)
        count = size // layout.frame_bytes
        if not 1 <= count <= MOST_FRAMES or count * layout.frame_bytes != size:
            raise CorruptArchiveError(f"video frames of {layout.frame_bytes} bytes are in a frame of {size}")
        (packed,), position = take_blocks(payload, position, 1)
        codes, position = take_blocks(payload, position, len(largest))
        group = _Group(layout, count, largest, codes, self._tell(layout))
        if count > 1:
            shape = (2, *group.vectors.shape[:3])
            vectors = np.frombuffer(OctetsCodec(1).decode(packed, int(np.prod(shape))), np.int8).reshape(shape)
            group.vectors = np.ascontiguousarray(vectors.transpose(1, 2, 3, 0))
            if np.abs(group.vectors.astype(np.int16)).max() > MOST_QUARTERS:
                raise CorruptArchiveError("a motion vector points too far")
        return _from_planes(group.run(None), layout)

    def _tell(self, layout: VideoLayout) -> Callable[[int], None] | None:
        tell = self.progress
        return None if tell is None else lambda samples: tell(samples * layout.sample_bytes)


def take_layout(payload: bytes) -> tuple[VideoLayout, list[int], int]:
    """Layout and largest values of a payload's planes, and the position after them."""
    if not payload or payload[0] >> 3:
        raise CorruptArchiveError("a video payload is of an unknown kind or empty")
    width, position = take_varint(payload, 1, 1 << 14)
    height, position = take_varint(payload, position, 1 << 14)
    layout = VideoLayout(width, height, _CHROMA[payload[0] & 3], (payload[0] >> 2) + 1)
    if not layout.valid():
        raise CorruptArchiveError("a video's layout is out of range")
    largest = []
    for _ in layout.shapes:
        top, position = take_varint(payload, position, 65535)
        largest.append(top)
    return layout, largest, position


Planes = list[NDArray[np.int32]]


def _to_planes(rows: NDArray[np.uint8], layout: VideoLayout) -> list[Planes]:
    """Samples of the planes of every frame."""
    kind = np.dtype("<u2") if layout.sample_bytes == 2 else np.dtype(np.uint8)
    samples = np.ascontiguousarray(rows).view(kind)
    frames: list[Planes] = []
    for frame in samples:
        planes, position = [], 0
        for height, width in layout.shapes:
            end = position + height * width
            planes.append(frame[position:end].reshape(height, width).astype(np.int32))
            position = end
        frames.append(planes)
    return frames


def _from_planes(frames: list[Planes], layout: VideoLayout) -> bytes:
    kind = np.dtype("<u2") if layout.sample_bytes == 2 else np.dtype(np.uint8)
    return b"".join(FRAME_LINE + b"".join(plane.astype(kind).tobytes() for plane in planes) for planes in frames)


def whole(largest: int) -> int:
    """Largest number of as many bits."""
    return (1 << largest.bit_length()) - 1


def _find_vectors(frames: list[Planes], largest: int) -> NDArray[np.int8]:
    """Vectors of all frames from the second on."""
    height, width = frames[0][0].shape
    vectors = np.zeros((max(len(frames) - 1, 0), -(-height // BLOCK), -(-width // BLOCK), 2), np.int8)
    for number in range(1, len(frames)):
        search(frames[number][0], frames[number - 1][0], largest, vectors[number - 1])
    return vectors


class _Group:
    """The models, codes and last frames of a group while it is coded."""

    def __init__(
        self,
        layout: VideoLayout,
        count: int,
        largest: Sequence[int],
        codes: Sequence[bytes] | None,
        progress: Callable[[int], None] | None,
    ) -> None:
        self._layout = layout
        self._count = count
        self._progress = progress
        self._largest = whole(largest[0])
        shapes = layout.shapes
        self._models: list[PlaneModel] = [
            new_model(width, height * width * count, 2, top)
            for (height, width), top in zip(shapes, largest, strict=True)
        ]
        self.codes = [Code() if codes is None else Code(codes[k]) for k in range(len(shapes))]
        height, width = shapes[0]
        self.vectors = np.zeros((max(count - 1, 0), -(-height // BLOCK), -(-width // BLOCK), 2), np.int8)
        self._pictures: list[list[Picture]] = [[] for _ in shapes]

    def run(self, frames: list[Planes] | None) -> list[Planes]:
        """Code all frames, or decode them."""
        done: list[Planes] = []
        planes = len(self._layout.shapes)
        # The colours of a frame are coded while the next frame's first plane is.
        for step in range(self._count + (1 if planes > 1 else 0)):
            tasks = []
            if step < self._count:
                tasks.append(self._task(0, step, frames))
            if planes > 1 and step > 0:
                second = self._task(1, step - 1, frames)
                tasks += [second, self._task(2, step - 1, frames, second)]
            run_tasks(tasks, self._progress)
            if planes == 1 or step > 0:
                number = step if planes == 1 else step - 1
                done.append([inside(pictures[number].own).copy() for pictures in self._pictures])
                self._forget(number)
        return done

    def _forget(self, number: int) -> None:
        """Let go of a frame that no other will be predicted from."""
        for pictures in self._pictures:
            if number >= 2:
                pictures[number - 2] = pictures[number - 1]

    def _task(self, k: int, number: int, frames: list[Planes] | None, other: Task | None = None) -> Task:
        height, width = self._layout.shapes[k]
        own = new_plane(height, width)
        if frames is not None:
            inside(own)[:] = frames[number][k]
        error = new_plane(height, width)
        first, first_error = self._moved(k, number, 1)
        if k == 0:
            second, second_error = self._moved(k, number, 2)
            picture = Picture(own, first, second, error, first_error, second_error)
        elif k == 1:
            down, right = self._layout.chroma or (0, 0)
            luma = shrink(self._pictures[0][number].own, height, width, down, right)
            picture = Picture(own, first, luma, error, first_error, new_plane(height, width))
        else:
            known = self._pictures[1][number]
            picture = Picture(own, known.own, first, error, known.own_error, first_error)
        self._pictures[k].append(picture)
        return Task(self._models[k], picture, self.codes[k], [other] if other else [])

    def _moved(self, k: int, number: int, back: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Plane of an earlier frame and what was missed in it, moved to where they are expected now."""
        if number < back:
            empty = new_plane(*self._layout.shapes[k])
            return empty, empty
        down, right = (self._layout.chroma or (0, 0)) if k else (0, 0)
        plane, error = self._pictures[k][number - back].own, self._pictures[k][number - back].own_error
        for step in range(back - 1, -1, -1):
            vectors = self.vectors[number - step - 1]
            plane = compensate(plane, vectors, COLOUR if k else BRIGHTNESS, self._largest, down, right)
            error = compensate(error, vectors, ERRORS, self._largest, down, right)
        return plane, error
