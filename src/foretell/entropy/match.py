"""Match model: an earlier occurrence of the last bytes foretells the next one.

A matcher follows one earlier position through the data. It predicts the byte found there with a strength that
it learns for each length of agreement. After a wrong prediction it keeps following (records often differ in
one field only) and remembers its recent misses, until a better candidate is found.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled, inlined

POINTER, LENGTH, MISSES, EXPECTED = 0, 1, 2, 3
MATCHER_FIELDS = 4
LENGTH_STEPS = 16
MATCH_CONTEXTS = LENGTH_STEPS * 16 * 2
"""Map entries of one matcher: length step, recent misses, expected bit."""

_VERIFY = 48
_LENGTH_LIMIT = 65535


@inlined
def length_step(length: int) -> int:
    """Length of agreement on a scale of 16 steps."""
    if length < 8:
        return length
    if length < 16:
        return 8 + (length - 8) // 4
    if length < 32:
        return 10 + (length - 16) // 8
    if length < 64:
        return 12
    if length < 256:
        return 13
    return 14 if length < 1024 else 15


@compiled
def match_next(
    state: NDArray[np.int64],
    heads: NDArray[np.int32],
    data: NDArray[np.uint8],
    pos: int,
    key: int,
    least: int,
) -> None:
    """Move a matcher past ``data[pos - 1]``; ``key`` hashes the last ``least`` bytes into ``heads``."""
    if state[POINTER] > 0:
        if state[EXPECTED] == data[pos - 1]:
            state[LENGTH] = min(state[LENGTH] + 1, _LENGTH_LIMIT)
            state[MISSES] = (state[MISSES] << 1) & 0xFF if state[LENGTH] & 3 == 0 else state[MISSES]
        else:
            state[LENGTH] = 0
            state[MISSES] = ((state[MISSES] << 1) | 1) & 0xFF
        state[POINTER] += 1
    if state[LENGTH] < least:
        candidate = np.int64(heads[key])
        if candidate > 0:
            length = 0
            limit = min(candidate, _VERIFY)
            while length < limit and data[candidate - 1 - length] == data[pos - 1 - length]:
                length += 1
            if length >= least and length > state[LENGTH]:
                state[POINTER] = candidate
                state[LENGTH] = length
                state[MISSES] = 0
        if state[MISSES] == 0xFF:
            state[POINTER] = 0
            state[MISSES] = 0
    heads[key] = pos
    state[EXPECTED] = data[state[POINTER]] if state[POINTER] > 0 else -1
