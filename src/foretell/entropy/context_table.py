"""Hashed table of contexts: one cache line of slots for each context and half byte.

A line has 16 uint32. Entry 0 holds a 16-bit check of the context and, in the line of the first half byte, the
byte last seen in the context and the length of its run; entries 1 to 15 are the slots of the half byte's
binary tree. A context that is not found takes the line, of four neighbours, that has been used least.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

LINE = 16
_WAYS = 4


def new_table(line_bits: int) -> NDArray[np.uint32]:
    """Empty table of 2**line_bits lines, aligned to 64 bytes."""
    raw = np.zeros((LINE << line_bits) + LINE, np.uint32)
    skip = (-raw.ctypes.data % 64) // 4
    return raw[skip : skip + (LINE << line_bits)]


@njit(cache=True, inline="always")
def hash_pair(a: int, b: int) -> int:
    """32-bit hash of two integers below 2**32."""
    h = ((a + 0x3C6EF372) * 0x2545F491) ^ ((b + 0x1B873593) * 0x5851F42D)
    return (h ^ (h >> 29)) & 0xFFFFFFFF


@njit(cache=True, inline="always")
def find_line(table: NDArray[np.uint32], mask: int, context: int) -> int:
    """Offset of the line of a 32-bit context; an unknown context evicts a little used neighbour."""
    h = context * 0x61C88647
    check = (h >> 12) & 0xFFFF
    start = (h >> 28) & mask
    best = 0
    least = 1 << 40
    for way in range(_WAYS):
        offset = (start ^ way) * LINE
        head = np.int64(table[offset])
        first = np.int64(table[offset + 1])
        if (head >> 16) == check and first != 0:
            return offset
        worth = (first >> 10) & 63
        if worth < least:
            least = worth
            best = offset
    table[best] = check << 16
    for entry in range(1, LINE):
        table[best + entry] = 1 << 31
    return best
