"""TIFF files whose samples are neither compressed nor cut into tiles: one picture, strips in order."""

from __future__ import annotations

import struct
from typing import Final

from foretell.codecs.image.raster import Layout

MAGICS: Final = (b"II*\0", b"MM\0*")
_WIDTH, _ROWS, _BITS, _COMPRESSION, _OFFSETS, _CHANNELS, _COUNTS, _PLANAR, _TILES = (
    256,
    257,
    258,
    259,
    273,
    277,
    279,
    284,
    322,
)
_SIZES: Final = {1: ("B", 1), 3: ("H", 2), 4: ("I", 4)}
_MOST_VALUES: Final = 1 << 20


def find(head: bytes) -> tuple[int, Layout] | None:
    """Offset and layout of the raster of a TIFF file, as far as its directory lies within ``head``."""
    order = "<" if head.startswith(MAGICS[0]) else ">"
    try:
        tags = _tags(head, order)
    except struct.error:
        return None
    if not tags.keys() >= {_WIDTH, _ROWS, _OFFSETS, _COUNTS} or _TILES in tags:
        return None
    bits = tags.get(_BITS, (1,))
    plain = tags.get(_COMPRESSION, (1,)) == (1,) and tags.get(_PLANAR, (1,)) == (1,)
    channels = tags.get(_CHANNELS, (1,))[0]
    if not plain or bits not in ((8,) * channels, (16,) * channels):
        return None
    offsets, counts = tags[_OFFSETS], tags[_COUNTS]
    joined = len(offsets) == len(counts) and all(
        start + size == following for start, size, following in zip(offsets, counts, offsets[1:], strict=False)
    )
    layout = Layout(tags[_WIDTH][0], tags[_ROWS][0], channels, bits[0] // 8, order == ">" and bits[0] == 16)
    return (offsets[0], layout) if joined and layout.valid() and sum(counts) == layout.size else None


def _tags(head: bytes, order: str) -> dict[int, tuple[int, ...]]:
    """Whole-number fields of the first directory."""
    (start,) = struct.unpack_from(order + "I", head, 4)
    (count,) = struct.unpack_from(order + "H", head, start)
    tags: dict[int, tuple[int, ...]] = {}
    for index in range(count):
        place = start + 2 + 12 * index
        tag, kind, values = struct.unpack_from(order + "HHI", head, place)
        if kind not in _SIZES or not 1 <= values <= _MOST_VALUES:
            continue
        letter, size = _SIZES[kind]
        if size * values > 4:
            (place,) = struct.unpack_from(order + "I", head, place + 8)
        else:
            place += 8
        tags[tag] = struct.unpack_from(f"{order}{values}{letter}", head, place)
    return tags
