"""Q4_K and Q6_K superblocks of 256 weights, written here from the formats' description.

Each function draws the integers of a matrix and returns both its bytes and the weights that they stand for.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.exact import samples

SIZE = 256
Packed = tuple[NDArray[np.uint8], NDArray[np.float32]]


def q4_k(rows: int, inputs: int, seed: int) -> Packed:
    """Eight blocks of 32 weights ``d * scale * q - least * offset``; q has 4 bits, scale and offset 6."""
    count = rows * inputs // SIZE
    q = samples.integers(seed, 0, 15, (count, 8, 32))
    scale, offset = samples.integers(seed + 1, 0, 63, (count, 8)), samples.integers(seed + 2, 0, 63, (count, 8))
    d = (np.abs(samples.floats(seed + 3, (count,))) * np.float32(0.01)).astype(np.float16)
    least = (np.abs(samples.floats(seed + 4, (count,))) * np.float32(0.01)).astype(np.float16)
    out = np.zeros((count, 144), np.uint8)
    for n in range(count):
        out[n, 0:2], out[n, 2:4] = d[n : n + 1].view(np.uint8), least[n : n + 1].view(np.uint8)
        for j in range(4):
            # The last four pairs keep their low bits in bytes 8 to 11 and their high bits on top of the first four.
            out[n, 4 + j] = scale[n, j] | scale[n, j + 4] >> 4 << 6
            out[n, 8 + j] = offset[n, j] | offset[n, j + 4] >> 4 << 6
            out[n, 12 + j] = scale[n, j + 4] & 15 | (offset[n, j + 4] & 15) << 4
        for pair in range(4):
            first, second = q[n, 2 * pair], q[n, 2 * pair + 1]
            out[n, 16 + 32 * pair : 48 + 32 * pair] = first | second << 4
    slope = d.astype(np.float32)[:, None] * scale.astype(np.float32)
    base = least.astype(np.float32)[:, None] * offset.astype(np.float32)
    weights = slope[..., None] * q.astype(np.float32) - base[..., None]
    return out.reshape(rows, -1), weights.reshape(rows, inputs).astype(np.float32)


def q6_k(rows: int, inputs: int, seed: int) -> Packed:
    """Sixteen blocks of 16 weights ``d * scale * (q - 32)``; q has 6 bits, scale is an int8."""
    count = rows * inputs // SIZE
    q = samples.integers(seed, 0, 63, (count, SIZE))
    scale = samples.integers(seed + 1, -128, 127, (count, 16)).astype(np.int8)
    d = (samples.floats(seed + 2, (count,)) * np.float32(0.001)).astype(np.float16)
    out = np.zeros((count, 210), np.uint8)
    for n in range(count):
        for half in range(2):
            part = q[n, 128 * half : 128 * half + 128].reshape(4, 32)
            low, high = part & 15, part >> 4
            out[n, 64 * half : 64 * half + 32] = low[0] | low[2] << 4
            out[n, 64 * half + 32 : 64 * half + 64] = low[1] | low[3] << 4
            out[n, 128 + 32 * half : 160 + 32 * half] = high[0] | high[1] << 2 | high[2] << 4 | high[3] << 6
        out[n, 192:208], out[n, 208:210] = scale[n].view(np.uint8), d[n : n + 1].view(np.uint8)
    slope = d.astype(np.float32)[:, None] * scale.astype(np.float32)
    weights = slope[..., None] * (q.reshape(count, 16, 16).astype(np.float32) - np.float32(32))
    return out.reshape(rows, -1), weights.reshape(rows, inputs).astype(np.float32)
