"""A picture of where a picture's bits went."""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_STOPS = np.array(
    [
        [0, 0, 4],
        [40, 11, 84],
        [101, 21, 110],
        [159, 42, 99],
        [212, 72, 66],
        [245, 125, 21],
        [250, 193, 39],
        [252, 255, 164],
    ]
)
"""Colours from nothing to the most, ever brighter, so that they can be told apart in grey too."""


def draw_map(bits: NDArray[np.float32]) -> tuple[bytes, float]:
    r"""PNG file of bits for each pixel, dark for few, and how many bits the brightest colour stands for.

    One pixel in a thousand may have more than that.

    >>> draw_map(np.ones((2, 3), np.float32))[0][:4]
    b'\x89PNG'
    """
    most = max(float(np.quantile(bits, 0.999)), 1e-6)
    place = np.clip(bits / most, 0, 1) * (len(_STOPS) - 1)
    low = np.minimum(place.astype(int), len(_STOPS) - 2)
    share = (place - low)[..., None]
    colours = np.rint(_STOPS[low] * (1 - share) + _STOPS[low + 1] * share).astype(np.uint8)
    height, width = bits.shape
    lines = np.zeros((height, 1 + 3 * width), np.uint8)
    lines[:, 1:] = colours.reshape(height, -1)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = [(b"IHDR", head), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b"")]
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in body
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks), most
