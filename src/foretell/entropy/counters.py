"""Adaptive probabilities and bit histories, the memory of a context-mixing model.

Two kinds of memory, all integers:

- A *map entry* is a uint32: a 22-bit probability of a one and a 10-bit count of observations. Its step is
  one over the count until the count reaches a limit.
- A *bit history* is a state number below 1024: up to eight bits it stands for the exact sequence, later for
  bounded counts of zeros and ones and the last two bits. A history predicts through a map entry of its own.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import inlined

HISTORY_STATES = 1024
EXACT_BITS = 8
"""Histories up to this length are kept exactly."""

_CAPS = (40, 32, 20, 14, 11, 9, 8, 7, 7)
"""Largest count of one bit, by the count of the other."""

DIVISOR_BITS = 16


def _discount(count: int) -> int:
    """Count of the other bit that survives an observation: recent evidence weighs more."""
    return count if count <= 2 else count.bit_length()


def _observe(zeros: int, ones: int, bit: int) -> tuple[int, int]:
    if bit:
        other = _discount(zeros)
        return other, min(ones + 1, _CAPS[min(other, 8)])
    other = _discount(ones)
    return min(zeros + 1, _CAPS[min(other, 8)]), other


def _fold(bits: str) -> tuple[int, int, int]:
    """Counts and last two bits of an exact history."""
    zeros = ones = 0
    for bit in bits:
        zeros, ones = _observe(zeros, ones, int(bit))
    return zeros, ones, int(bits[-2:], 2)


@cache
def _histories() -> tuple[NDArray[np.uint16], NDArray[np.uint32], NDArray[np.uint8]]:
    """Successors of every state, and the first map entry of every state."""
    exact = [""] + [format(value, f"0{n}b") for n in range(1, EXACT_BITS + 1) for value in range(1 << n)]
    numbers: dict[str | tuple[int, int, int], int] = {bits: number for number, bits in enumerate(exact)}
    queue: list[str | tuple[int, int, int]] = list(exact)
    successors: list[list[int]] = []
    counts: list[tuple[int, int]] = []
    position = 0
    while position < len(queue):
        state = queue[position]
        position += 1
        row = []
        for bit in (0, 1):
            following: str | tuple[int, int, int]
            if isinstance(state, str):
                longer = state + str(bit)
                following = longer if len(longer) <= EXACT_BITS else _fold(longer)
            else:
                following = (*_observe(state[0], state[1], bit), (state[2] * 2 + bit) & 3)
            if following not in numbers:
                numbers[following] = len(queue)
                queue.append(following)
            row.append(numbers[following])
        successors.append(row)
        zeros, ones = (state[0], state[1]) if not isinstance(state, str) else _fold(state)[:2] if state else (0, 0)
        counts.append((zeros, ones))
    if len(queue) > HISTORY_STATES:
        raise AssertionError(f"{len(queue)} history states do not fit {HISTORY_STATES}")
    table = np.zeros((HISTORY_STATES, 2), np.uint16)
    table[: len(queue)] = successors
    entries = np.full(HISTORY_STATES, 1 << 31, np.uint32)
    for number, (zeros, ones) in enumerate(counts):
        entries[number] = (((4 * ones + 1) << 22) // (4 * (zeros + ones) + 2)) << 10
    totals = np.zeros(HISTORY_STATES, np.uint8)
    totals[: len(queue)] = [zeros + ones for zeros, ones in counts]
    return table.ravel(), entries, totals


HISTORY_NEXT, HISTORY_FIRST, HISTORY_TOTAL = _histories()
"""``HISTORY_NEXT[2 * state + bit]`` follows a state; ``HISTORY_FIRST[state]`` is its first map entry."""

DIVISORS = np.array([(1 << DIVISOR_BITS) * 2 // (2 * n + 3) for n in range(1024)], dtype=np.int32)
"""65536 / (n + 1.5): the step of a probability seen n times."""


@inlined
def map_update(entry: int, bit: int, limit: int) -> int:
    """Map entry after a bit; its count stops at ``limit``. The probability stays in [0, 2**22)."""
    count = entry & 1023
    p = entry >> 10
    p += (((bit << 22) - p) * DIVISORS[np.uintp(count)]) >> DIVISOR_BITS
    updated: int = (p << 10) | (count + (1 if count < limit else 0))
    return updated
