"""Binary arithmetic coding with 16-bit probabilities in a 64-bit interval, without carries.

The interval [low, high] of 64-bit integers is cut in proportion to the probability of a one; bytes on
which both ends agree are written at once. The two directions mirror each other line by line, and both
are Numba functions over small state arrays so that a codec can run them inside its own loop.

>>> import numpy as np
>>> out, encoder = np.zeros(64, np.uint8), new_encoder()
>>> for bit in (1, 0, 1, 1):
...     encode_bit(encoder, out, bit, 40000)
>>> size = finish(encoder, out)
>>> decoder = new_decoder(out[:size])
>>> [decode_bit(decoder, out[:size], 40000) for _ in range(4)]
[1, 0, 1, 1]
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled, inlined

LOW, HIGH, POSITION, CODE = 0, 1, 2, 3
TAIL_BYTES = 8
"""Most bytes that one :func:`encode_bit` or :func:`finish` call can write."""

_TOP = np.uint64(56)
_BYTE = np.uint64(8)
_ONES = np.uint64(0xFFFFFFFFFFFFFFFF)
_LAST = np.uint64(0xFF)
_SHIFT = np.uint64(16)
_FRACTION = np.uint64(0xFFFF)
_ONE = np.uint64(1)


@compiled
def new_encoder() -> NDArray[np.uint64]:
    """State of an encoder that has written nothing."""
    state = np.zeros(4, np.uint64)
    state[HIGH] = _ONES
    return state


@compiled
def new_decoder(data: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """State of a decoder at the start of ``data``; bytes past its end read as zeros."""
    state = np.zeros(4, np.uint64)
    state[HIGH] = _ONES
    for position in range(8):
        state[CODE] = state[CODE] << _BYTE
        if position < data.size:
            state[CODE] |= np.uint64(data[position])
    state[POSITION] = np.uint64(8)
    return state


@inlined
def _split(state: NDArray[np.uint64], p: int) -> int:
    """Last value of the part of the interval that stands for a one."""
    width = state[HIGH] - state[LOW]
    probability = np.uint64(p)
    share = (width >> _SHIFT) * probability + (((width & _FRACTION) * probability) >> _SHIFT)
    middle: int = state[LOW] + share
    return middle


@compiled
def encode_bit(state: NDArray[np.uint64], out: NDArray[np.uint8], bit: int, p: int) -> None:
    """Code one bit whose probability of being one is p / 65536 (1 <= p <= 65535)."""
    middle = _split(state, p)
    if bit:
        state[HIGH] = middle
    else:
        state[LOW] = middle + _ONE
    while (state[LOW] ^ state[HIGH]) >> _TOP == np.uint64(0):
        out[np.int64(state[POSITION])] = np.uint8(state[HIGH] >> _TOP)
        state[POSITION] += _ONE
        state[LOW] = state[LOW] << _BYTE
        state[HIGH] = (state[HIGH] << _BYTE) | _LAST


@compiled
def decode_bit(state: NDArray[np.uint64], data: NDArray[np.uint8], p: int) -> int:
    """Decode one bit whose probability of being one is p / 65536 (1 <= p <= 65535)."""
    middle = _split(state, p)
    if state[CODE] <= middle:
        bit = 1
        state[HIGH] = middle
    else:
        bit = 0
        state[LOW] = middle + _ONE
    while (state[LOW] ^ state[HIGH]) >> _TOP == np.uint64(0):
        state[CODE] = state[CODE] << _BYTE
        position = np.int64(state[POSITION])
        if position < data.size:
            state[CODE] |= np.uint64(data[position])
        state[POSITION] += _ONE
        state[LOW] = state[LOW] << _BYTE
        state[HIGH] = (state[HIGH] << _BYTE) | _LAST
    return bit


@compiled
def finish(state: NDArray[np.uint64], out: NDArray[np.uint8]) -> int:
    """Write the fewest bytes that identify the interval (zeros follow them); return the size."""
    position = np.int64(state[POSITION])
    for size in range(TAIL_BYTES + 1):
        keep = np.uint64(64 - 8 * size)
        value = state[HIGH] if size == 8 else (state[HIGH] >> keep) << keep if size else np.uint64(0)
        if value >= state[LOW]:
            break
    for index in range(size):
        out[position + index] = np.uint8((value >> (_TOP - np.uint64(8 * index))) & _LAST)
    total: int = position + size
    return total
