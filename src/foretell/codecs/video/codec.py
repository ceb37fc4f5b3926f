"""The frame codec for video: groups of frames, each plane predicted from the frames before it in the group.

The first plane of a frame is predicted from two others, moved block by block as vectors say that the encoder found, or
from the mean of both; the second plane from the same planes of those frames, moved likewise, and from the first plane;
the third from the second and from its own like. Everything else is as for pictures, and what the models of the planes
learn stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.base import VIDEO
from foretell.codecs.image.model import PlaneModel, new_model
from foretell.codecs.image.pipeline import Code, Task, Watch, run_tasks
from foretell.codecs.image.planes import Picture, inside, new_plane
from foretell.codecs.octets import OctetsCodec
from foretell.codecs.video.fields import MEAN, code_fields, restore_fields
from foretell.codecs.video.motion import (
    BLOCK,
    MOST_QUARTERS,
    Phases,
    move_brightness,
    move_colour,
    move_errors,
    padded,
    phases,
    shrink,
)
from foretell.codecs.video.order import (
    MOST_JUMPED,
    Motion,
    Planner,
    block_shape,
    coding_order,
    distances,
    expected,
    no_motion,
    references,
)
from foretell.codecs.video.y4m import FRAME_LINE, VideoLayout
from foretell.errors import CorruptArchiveError
from foretell.varint import put_block, put_varints, take_blocks, take_varint

MOST_FRAMES = 1 << 16
_CHROMA = (None, (0, 0), (0, 1), (1, 1))


class VideoCodec:
    """Frames of whole frames of YUV4MPEG2.

    Attributes
    ----------
    progress : callable or None
        Called now and then with the number of bytes that have just been done.
    watch : callable or None
        Called with the bits of every pixel (rows, width) of each frame that has been decoded.
    """

    name = "video"
    id = VIDEO
    progress: Callable[[int], None] | None = None
    watch: Watch | None = None

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
        planner = Planner([frame[0] for frame in frames], whole(largest[0]))
        jumps = planner.jumps()
        group = _Group(layout, jumps, largest, None, self._tell(layout))
        shape = block_shape(layout.height, layout.width)
        group.motions = [
            planner.motion(number, others) if others else no_motion(shape)
            for number, others in zip(group.order, group.references, strict=True)
        ]
        group.run(frames)
        form = _CHROMA.index(layout.chroma) | layout.sample_bytes - 1 << 2
        head = bytes([form]) + put_varints(layout.width, layout.height, *largest, *jumps)
        return head + put_block(_pack_motion(group)) + b"".join(put_block(code.finish()) for code in group.codes)

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
        jumps: list[int] = []
        while len(jumps) + sum(jumps) < count:
            jump, position = take_varint(payload, position, MOST_JUMPED)
            jumps.append(jump)
        if len(jumps) + sum(jumps) != count:
            raise CorruptArchiveError("the order of a video's frames does not fit their number")
        (packed,), position = take_blocks(payload, position, 1)
        codes, position = take_blocks(payload, position, len(largest))
        group = _Group(layout, jumps, largest, codes, self._tell(layout))
        shape = block_shape(layout.height, layout.width)
        group.motions = _unpack_motion(packed, group, shape)
        return _from_planes(group.run(None, self.watch), layout)

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


def _pack_motion(group: _Group) -> bytes:
    """Octets payload of the steps of the moves, and the modes, of all frames."""
    parts = []
    for number, others, motion in zip(group.order, group.references, group.motions, strict=True):
        if others:
            steps = np.empty_like(motion.vectors)
            code_fields(motion.vectors, distances(number, others), steps)
            parts.append(steps.transpose(0, 3, 1, 2).tobytes() + (motion.modes.tobytes() if len(others) == 2 else b""))
    return OctetsCodec(1).encode(b"".join(parts)) if parts else b""


def _unpack_motion(packed: bytes, group: _Group, shape: tuple[int, int]) -> list[Motion]:
    """Moves and modes of all frames."""
    blocks = shape[0] * shape[1]
    counts = [len(others) for others in group.references]
    size = sum(2 * count * blocks + (blocks if count == 2 else 0) for count in counts)
    data = OctetsCodec(1).decode(packed, size) if size else b""
    motions, at = [], 0
    for number, others in zip(group.order, group.references, strict=True):
        motion = no_motion(shape)
        if others:
            stored = np.frombuffer(data, np.int8, 2 * len(others) * blocks, at).reshape(len(others), 2, *shape)
            at += stored.size
            steps = np.ascontiguousarray(stored.transpose(0, 2, 3, 1))
            motion = Motion(np.empty_like(steps), motion.modes)
            restore_fields(steps, distances(number, others), motion.vectors)
        if len(others) == 2:
            motion = Motion(motion.vectors, np.frombuffer(data, np.uint8, blocks, at).reshape(shape))
            at += blocks
        if others and (
            int(np.abs(motion.vectors.astype(np.int16)).max()) > MOST_QUARTERS or int(motion.modes.max()) > MEAN
        ):
            raise CorruptArchiveError("a video's motion is out of range")
        motions.append(motion)
    return motions


class _Group:
    """The models, codes and frames of a group while it is coded."""

    def __init__(
        self,
        layout: VideoLayout,
        jumps: Sequence[int],
        largest: Sequence[int],
        codes: Sequence[bytes] | None,
        progress: Callable[[int], None] | None,
    ) -> None:
        self._layout = layout
        self._progress = progress
        self._largest = whole(largest[0])
        self.order = coding_order(jumps)
        self.references = references(self.order)
        self.motions: Sequence[Motion] = ()
        self._models: list[PlaneModel] = [
            new_model(width, height * width * len(self.order), 2, top, network=False)
            for (height, width), top in zip(layout.shapes, largest, strict=True)
        ]
        self.codes = [Code() if codes is None else Code(codes[k]) for k in range(len(layout.shapes))]
        self._tasks: dict[int, list[Task]] = {}
        self._phases: dict[int, Phases] = {}

    def run(self, frames: list[Planes] | None, watch: Watch | None = None) -> list[Planes]:
        """Code all frames, or decode them."""
        done: dict[int, Planes] = {}
        late = 1 if len(self._layout.shapes) > 1 else 0
        # The colours of a frame are coded while the next frame's first plane is.
        for step in range(len(self.order) + late):
            tasks = []
            if step < len(self.order):
                self._tasks[self.order[step]] = []
                tasks.append(self._begin(0, step, frames, watch))
            if late and step > 0:
                tasks += [self._begin(k, step - 1, frames, watch) for k in (1, 2)]
            run_tasks(tasks, self._progress)
            if step < len(self.order):
                number = self.order[step]
                self._phases[number] = phases(inside(self._tasks[number][0].picture.own), self._largest)
            if step >= late:
                number = self.order[step - late]
                done[number] = [inside(task.picture.own).copy() for task in self._tasks[number]]
                if watch:
                    watch(self._costs(self._tasks[number]))
                self._forget(step - late)
        return [done[number] for number in range(len(self.order))]

    def _forget(self, step: int) -> None:
        """Let go of frames that no frame after a step is predicted from."""
        needed = {self.order[step], *(other for others in self.references[step + 1 :] for other in others)}
        needed.update(self.order[step + 1 :])
        for number in set(self._tasks) - needed:
            del self._tasks[number], self._phases[number]

    def _begin(self, k: int, step: int, frames: list[Planes] | None, watch: Watch | None) -> Task:
        """Task of a plane of the frame at a step."""
        number = self.order[step]
        height, width = self._layout.shapes[k]
        own = new_plane(height, width)
        if frames is not None:
            inside(own)[:] = frames[number][k]
        (first, first_error), (second, second_error) = self._expected(k, step)
        behind: list[Task] = []
        if k == 1:
            down, right = self._layout.chroma or (0, 0)
            luma = shrink(self._tasks[number][0].picture.own, height, width, down, right)
            second, second_error = luma, new_plane(height, width)
        elif k == 2:
            behind = [self._tasks[number][1]]
            other = behind[0].picture
            first, first_error, second, second_error = other.own, other.own_error, first, first_error
        picture = Picture(own, first, second, new_plane(height, width), first_error, second_error)
        costs = np.zeros((height, width) if watch else (0, 0), np.float32)
        task = Task(self._models[k], picture, self.codes[k], behind, costs)
        self._tasks[number].append(task)
        return task

    def _expected(self, k: int, step: int) -> list[tuple[NDArray[np.int32], NDArray[np.int32]]]:
        """Padded planes that a plane is expected to be like, best first, each with its errors."""
        others, motion = self.references[step], self.motions[step]
        if not others:
            empty = new_plane(*self._layout.shapes[k])
            return [(empty, empty)] * 2
        down, right = (self._layout.chroma or (0, 0)) if k else (0, 0)
        moved, missed = [], []
        for other, vectors in zip(others, motion.vectors, strict=True):
            picture = self._tasks[other][k].picture
            if k:
                moved.append(move_colour(inside(picture.own), vectors, down, right))
            else:
                moved.append(move_brightness(self._phases[other], vectors))
            missed.append(move_errors(inside(picture.own_error), vectors, down, right))
        planes = expected(moved, motion.modes, BLOCK >> down, BLOCK >> right)
        errors = expected(missed, motion.modes, BLOCK >> down, BLOCK >> right)
        return [(padded(plane), padded(error)) for plane, error in zip(planes, errors, strict=True)]

    def _costs(self, tasks: Sequence[Task]) -> NDArray[np.float32]:
        """Bits of every place of the first plane, those of colours shared between the places that they cover."""
        total = tasks[0].costs
        down, right = self._layout.chroma or (0, 0)
        for task in tasks[1:]:
            spread = np.repeat(np.repeat(task.costs, 1 << down, 0), 1 << right, 1) / np.float32(1 << down + right)
            total = total + spread[: total.shape[0], : total.shape[1]]
        return total
