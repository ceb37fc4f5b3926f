"""Hashed table of contexts: one line of bit histories for each context and half byte.

A line has 16 uint16 (half a cache line). Entry 0 holds a check of the context, entries 1 to 15 the histories
at the nodes of the half byte's binary tree. A context that is not found takes the line, of four neighbours,
that has been used least.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled, inlined
from foretell.entropy.counters import HISTORY_TOTAL
from foretell.pages import aligned_zeros

LINE = 16
_WAYS = 4


def new_table(line_bits: int) -> NDArray[np.uint16]:
    """Empty table of 2**line_bits lines, aligned to 64 bytes."""
    return aligned_zeros((LINE << line_bits,), np.uint16)


@inlined
def hash_pair(a: int, b: int) -> int:
    """32-bit hash of two integers below 2**32."""
    h = ((a + 0x3C6EF372) * 0x2545F491) ^ ((b + 0x1B873593) * 0x5851F42D)
    return (h ^ (h >> 29)) & 0xFFFFFFFF


@inlined
def find_line(table: NDArray[np.uint16], mask: int, context: int) -> int:
    """Offset of the line of a 32-bit context; an unknown context evicts a little used neighbour."""
    h = context * 0x61C88647
    check = (h >> 12) & 0xFFFF
    start = (h >> 28) & mask
    best = 0
    least = 1 << 40
    for way in range(_WAYS):
        offset = (start ^ way) * LINE
        if np.int64(table[np.uintp(offset)]) == check:
            return offset
        worth = np.int64(HISTORY_TOTAL[np.uintp(table[np.uintp(offset + 1)])])
        if worth < least:
            least = worth
            best = offset
    table[np.uintp(best)] = check
    for entry in range(1, LINE):
        table[np.uintp(best + entry)] = 0
    return best


@compiled
def find_lines(
    table: NDArray[np.uint16], mask: int, contexts: NDArray[np.int64], salt: int, lines: NDArray[np.int64]
) -> None:
    """Find the lines of all contexts, each hashed with ``salt``."""
    for i in range(contexts.size):
        lines[i] = find_line(table, mask, hash_pair(contexts[i], salt))
