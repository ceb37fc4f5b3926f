"""Online logistic mixing in integers: gated linear mixing of predictions and the refinement of one.

A mixer holds one row of weights for each value of a small context. The prediction is the dot product of the
row in use with the inputs, both in the logistic domain; after the bit is known the row moves along
error x input, which is online gradient descent on coding cost. Weights are int32 with 16 fraction bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import inlined
from foretell.entropy.logistic import SQUASH, STRETCH_LIMIT

WEIGHT_ONE = 1 << 16
WEIGHT_LIMIT = (1 << 19) - 1
"""Weights stay below 8, so that weight x input fits in 31 bits."""

REFINE_STEPS = 33
"""Interpolation points of one refinement context."""
_REFINE_SPACING = 192


@inlined
def mix(weights: NDArray[np.int32], start: int, inputs: NDArray[np.int32]) -> int:
    """Logistic value of the weighted sum of inputs; the row of weights begins at ``start``."""
    total = np.int32(0)
    for i in range(inputs.size):
        product = np.int32(weights[np.uintp(start + i)] * inputs[i])
        total = np.int32(total + np.int32(product >> 8))
    x: int = min(max((total + 128) >> 8, -STRETCH_LIMIT), STRETCH_LIMIT)
    return x


@inlined
def train(weights: NDArray[np.int32], start: int, inputs: NDArray[np.int32], error: int, rate: int) -> None:
    """Move a row by inputs x error; ``error`` is 65536 (bit - p), ``rate`` is in 2**-14."""
    step = np.int32((error * rate) >> 8)
    for i in range(inputs.size):
        product = np.int32(inputs[i] * step)
        change = np.int32(np.int32(product + np.int32(1 << 13)) >> 14)
        weight = np.int32(weights[np.uintp(start + i)] + change)
        weights[np.uintp(start + i)] = min(max(weight, np.int32(-WEIGHT_LIMIT)), np.int32(WEIGHT_LIMIT))


def _refine_identity() -> NDArray[np.int32]:
    points = [int(SQUASH[STRETCH_LIMIT + min((step - 16) * _REFINE_SPACING, STRETCH_LIMIT)]) for step in range(1, 33)]
    return np.array([64, *(p << 6 for p in points)], dtype=np.int32)


REFINE_IDENTITY = _refine_identity()
"""22-bit probability at each interpolation point; tables hold what was learnt beyond it, at first 0."""


@inlined
def refine(table: NDArray[np.int32], context: int, x: int, used: NDArray[np.int64], which: int) -> int:
    """16-bit probability that a context has learnt for logistic value x; remembers the nearest point."""
    shifted = x + 16 * _REFINE_SPACING
    low = shifted // _REFINE_SPACING
    share = shifted - low * _REFINE_SPACING
    index = context * REFINE_STEPS + low
    used[which] = index + (1 if share >= _REFINE_SPACING // 2 else 0)
    p0 = REFINE_IDENTITY[np.uintp(low)] + table[np.uintp(index)]
    p1 = REFINE_IDENTITY[np.uintp(low + 1)] + table[np.uintp(index + 1)]
    p = (p0 * (_REFINE_SPACING - share) + p1 * share) // (_REFINE_SPACING << 6)
    refined: int = min(max(p, 1), 65535)
    return refined


@inlined
def refine_update(table: NDArray[np.int32], index: int, bit: int, shift: int) -> None:
    """Move the remembered point towards the bit."""
    p = REFINE_IDENTITY[np.uintp(index % REFINE_STEPS)] + table[np.uintp(index)]
    table[np.uintp(index)] += ((bit << 22) - p) >> shift
