"""Blocks of interleaved samples, as most uncompressed picture files hold them, coded plane by plane.

A raster is the bytes of whole rows: samples of all channels of the first pixel, then of the second, and so on, each row
followed by padding of zeros. ``docs/images-format.md`` describes the payload.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.image.model import LARGEST, memory_needed, new_model
from foretell.codecs.image.pipeline import DEFAULT_MANNER, Code, Manner, Task, no_plane, run_tasks
from foretell.codecs.image.planes import Picture, inside, new_plane
from foretell.errors import CorruptArchiveError
from foretell.varint import put_block, put_varints, take_blocks, take_varint

MOST_CHANNELS = 4
MOST_SIDE = 1 << 24
"""Most pixels in a row, and rows in a raster."""


PlaneEncoder = Callable[[NDArray[Any], Manner], bytes | None]
"""From samples (channels, rows, width) to a code that tells where it ends; None if it has none for them."""
PlaneDecoder = Callable[[bytes, int, tuple[int, int, int], Manner], tuple[NDArray[np.int32], int]]
"""From a payload, a position and a shape to the samples and the position after their code."""


@dataclass(frozen=True)
class Layout:
    """How bytes make up a raster.

    Parameters
    ----------
    width, rows : int
        Pixels in a row; rows.
    channels : int
        Samples of a pixel, 1 to 4.
    sample_bytes : int
        1 or 2.
    big_endian : bool
        Whether the first byte of a sample of two is the high one.
    padding : int
        Bytes of zero after each row.
    """

    width: int
    rows: int
    channels: int
    sample_bytes: int = 1
    big_endian: bool = False
    padding: int = 0

    @property
    def row_bytes(self) -> int:
        """Bytes of a row with its padding."""
        return self.width * self.channels * self.sample_bytes + self.padding

    @property
    def size(self) -> int:
        """Bytes of the raster."""
        return self.row_bytes * self.rows

    def valid(self) -> bool:
        """Whether the numbers are within the limits of the format."""
        sides = 1 <= self.width <= MOST_SIDE and 1 <= self.rows <= MOST_SIDE
        return sides and 1 <= self.channels <= MOST_CHANNELS and self.sample_bytes in (1, 2) and 0 <= self.padding < 64


def coding_order(channels: int) -> tuple[tuple[int, tuple[int, ...]], ...]:
    """Channels in the order in which they are coded, each with the channels it is predicted from.

    Colour begins with green, in the middle whether red or blue comes first. The last of two or four channels is taken
    for transparency, which has edges of its own: it stands alone, and comes first.

    >>> coding_order(4)
    ((3, ()), (1, ()), (0, (1,)), (2, (0, 1)))
    """
    colour: tuple[tuple[int, tuple[int, ...]], ...] = ((1, ()), (0, (1,)), (2, (0, 1))) if channels > 2 else ((0, ()),)
    return ((channels - 1, ()), *colour) if channels in (2, 4) else colour


def memory(layout: Layout) -> int:
    """Bytes of memory, about, that coding a raster takes."""
    samples = layout.width * layout.rows
    return layout.channels * (memory_needed(samples, layout.width) + 12 * samples) + 2 * layout.size


def to_samples(data: bytes, layout: Layout) -> NDArray[np.int32] | None:
    """Samples (channels, rows, width) of the bytes of a raster; None if its padding is not all zeros."""
    octets = np.frombuffer(data, np.uint8).reshape(layout.rows, layout.row_bytes)
    if layout.padding:
        if octets[:, -layout.padding :].any():
            return None
        octets = octets[:, : -layout.padding]
    kind = np.dtype(np.uint8) if layout.sample_bytes == 1 else np.dtype(">u2" if layout.big_endian else "<u2")
    samples = np.ascontiguousarray(octets).view(kind).reshape(layout.rows, layout.width, layout.channels)
    return np.ascontiguousarray(samples.transpose(2, 0, 1)).astype(np.int32)


def from_samples(samples: NDArray[np.int32], layout: Layout) -> bytes:
    """Bytes of the raster of samples (channels, rows, width)."""
    kind = np.dtype(np.uint8) if layout.sample_bytes == 1 else np.dtype(">u2" if layout.big_endian else "<u2")
    rows = np.ascontiguousarray(samples.transpose(1, 2, 0).astype(kind)).view(np.uint8).reshape(layout.rows, -1)
    if not layout.padding:
        return rows.tobytes()
    out = np.zeros((layout.rows, layout.row_bytes), np.uint8)
    out[:, : -layout.padding] = rows
    return out.tobytes()


def pixels_of(data: bytes, layout: Layout, rows: int) -> NDArray[Any]:
    """Pixels (rows, width, channels), or (rows, width) of one channel, of so many whole rows of a raster."""
    samples = to_samples(data, replace(layout, rows=rows))
    if samples is None:
        raise CorruptArchiveError("a picture's padding is not zero")
    kind = np.uint8 if layout.sample_bytes == 1 else np.uint16
    pixels = np.ascontiguousarray(samples.transpose(1, 2, 0)).astype(kind)
    return pixels[..., 0] if layout.channels == 1 else pixels


def encode(data: bytes, layout: Layout, manner: Manner = DEFAULT_MANNER) -> bytes | None:
    """Payload of the bytes of a raster; None if it is none."""
    samples = to_samples(data, layout)
    return None if samples is None else encode_samples(samples, manner)


def encode_samples(samples: NDArray[np.int32], manner: Manner = DEFAULT_MANNER) -> bytes:
    """Coded planes: for every channel, in coding order, its values and its code."""
    packed = [_squeeze(plane) for plane in samples]
    heads, tasks = [b""] * len(packed), new_tasks(samples.shape, [top for _, top, _ in packed], None, manner.network)
    for (channel, _), task in zip(coding_order(len(packed)), tasks, strict=True):
        plane, largest, values = packed[channel]
        heads[channel] = put_varints(largest) + put_block(values)
        inside(task.picture.own)[:] = plane
    run_tasks([task for task in tasks if int(task.model.fixed[LARGEST])], manner.progress)
    codes = [task.code.finish() if int(task.model.fixed[LARGEST]) else b"" for task in tasks]
    return b"".join(heads) + b"".join(map(put_block, codes))


def decode(
    payload: bytes, layout: Layout, manner: Manner = DEFAULT_MANNER, planes: PlaneDecoder | None = None
) -> bytes:
    """Bytes of a raster from its payload, whose planes are coded as ``planes`` decodes; by default `decode_samples`."""
    take = planes or decode_samples
    samples, position = take(payload, 0, (layout.channels, layout.rows, layout.width), manner)
    if position != len(payload):
        raise CorruptArchiveError("bytes follow the planes of a picture")
    return from_samples(samples, layout)


def decode_samples(
    payload: bytes,
    position: int,
    shape: tuple[int, int, int],
    manner: Manner = DEFAULT_MANNER,
) -> tuple[NDArray[np.int32], int]:
    """Samples (channels, rows, width) of the coded planes at a position, and the position after them."""
    tables, largest = [], []
    for _ in range(shape[0]):
        top, position = take_varint(payload, position, 65535)
        (values,), position = take_blocks(payload, position, 1)
        tables.append(_values(values, top))
        largest.append(top)
    codes, position = take_blocks(payload, position, shape[0])
    tasks = new_tasks(shape, largest, codes, manner.network)
    costs = [np.zeros(shape[1:], np.float32) for _ in tasks] if manner.watch else []
    for task, bits in zip(tasks, costs, strict=False):
        task.costs = bits
    run_tasks([task for task in tasks if int(task.model.fixed[LARGEST])], manner.progress)
    if manner.watch:
        manner.watch(np.sum(costs, axis=0))
    samples = np.zeros(shape, np.int32)
    for (channel, _), task in zip(coding_order(shape[0]), tasks, strict=True):
        plane = inside(task.picture.own)
        table = tables[channel]
        samples[channel] = plane if table is None else table[plane]
    return samples, position


def new_tasks(
    shape: tuple[int, ...], largest: Sequence[int], codes: Sequence[bytes] | None, network: bool = True
) -> list[Task]:
    """Tasks of all planes, in coding order; ``codes`` are to be decoded, or there are none yet."""
    _, rows, width = shape
    done: dict[int, Task] = {}
    for number, (channel, known) in enumerate(coding_order(shape[0])):
        own = new_plane(rows, width)
        empty = no_plane(own)
        # Constant planes tell nothing and would have references of no use.
        references = [done[other].picture for other in known if largest[other]]
        first = references[0] if references else None
        second = references[1] if len(references) > 1 else None
        picture = Picture(
            own,
            first.own if first else empty,
            second.own if second else empty,
            new_plane(rows, width),
            first.own_error if first else empty,
            second.own_error if second else empty,
        )
        model = new_model(width, rows * width, len(references), largest[channel], network)
        code = Code() if codes is None else Code(codes[number])
        done[channel] = Task(model, picture, code, [done[other] for other in known if largest[other]])
    return list(done.values())


def _squeeze(plane: NDArray[np.int32]) -> tuple[NDArray[np.int32], int, bytes]:
    """Plane, largest value, and where few values of the range occur, their list: the plane then holds ranks."""
    top = int(plane.max())
    values = np.unique(plane)
    if values.size == 1:
        return np.zeros_like(plane), 0, _pack_values(values)
    packed = _pack_values(values)
    # Ranks save about the logarithm of how sparse the values are, for each sample; the list must be worth it.
    saved = plane.size * ((top + 1) // values.size).bit_length() - plane.size
    if 2 * values.size > top or 8 * len(packed) > saved:
        return plane, top, b""
    return np.searchsorted(values, plane).astype(np.int32), values.size - 1, packed


def _pack_values(values: NDArray[np.int32]) -> bytes:
    steps = np.diff(values, prepend=-1) - 1
    return zlib.compress(steps.astype("<u2").tobytes(), 9)


def _values(packed: bytes, top: int) -> NDArray[np.int32] | None:
    """List of values of a plane whose largest rank is ``top``; None if it holds samples themselves."""
    if not packed:
        return None
    steps = zlib.decompressobj().decompress(packed, 2 * top + 3)
    if len(steps) != 2 * top + 2:
        raise CorruptArchiveError("the list of a picture's values has a wrong size")
    values = np.cumsum(np.frombuffer(steps, "<u2").astype(np.int64) + 1) - 1
    if values[-1] > 65535:
        raise CorruptArchiveError("a picture's value is too large")
    return values.astype(np.int32)
