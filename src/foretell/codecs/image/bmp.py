"""Windows bitmaps without compression: 8, 24 and 32 bits a pixel."""

from __future__ import annotations

import struct

from foretell.codecs.image.raster import Layout

_UNPACKED = (0, 3)
_CHANNELS = {8: 1, 24: 3, 32: 4}


def find(head: bytes) -> tuple[int, Layout] | None:
    """Offset and layout of the raster of a BMP file, whose rows are padded to four bytes."""
    if len(head) < 34 or head[:2] != b"BM":
        return None
    (offset, size) = struct.unpack_from("<II", head, 10)
    if size == 12:
        width, height, planes, bits = struct.unpack_from("<HHHH", head, 18)
        packing = 0
    else:
        width, height, planes, bits, packing = struct.unpack_from("<iiHHI", head, 18)
    if planes != 1 or bits not in _CHANNELS or packing not in _UNPACKED or width <= 0 or height == 0:
        return None
    channels = _CHANNELS[bits]
    return offset, Layout(width, abs(height), channels, padding=-(width * channels) % 4)
