"""Local least squares: linear prediction fitted to what has been coded near a sample.

A plane is cut into blocks of ``BLOCK`` columns. For each block the products of features are summed over the rows
above, older rows fading, and over the current row to the left, farther samples fading. Several *horizons* fade at
different speeds. At the start of a block the sums of the block, of its two neighbours and of the row give
the normal equations, which are solved by elimination. Feature number ``n`` is the sample itself, so that one symmetric
matrix holds both sides of the equations. Single float32 operations in a fixed order throughout.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.image.vectors import EIGHT, add_scaled, fade, join_four, subtract_scaled
from foretell.uncounted import compiled, inlined_late

BLOCK = 8
FEATURES = 32
HORIZONS = 2
_SIZE = FEATURES**2

_F = np.float32
_RIDGE = _F(0.002)
_LEAST_PIVOT = _F(1e-3)
_ONE = _F(1)

FADE_ROW = np.array([0.8, 0.95], np.float32)
"""What remains of the current row's sums after each block."""
FADE_ABOVE = np.array([0.75, 0.96], np.float32)
"""What remains of a block's sums after each row."""


# Matrices are symmetric: of each row, only the eights from the one that holds the diagonal on are kept.


@inlined_late
def _eights(i: int) -> int:
    """Eights of row i from the one that holds the diagonal on."""
    return FEATURES // EIGHT - i // EIGHT


@inlined_late
def _start(i: int) -> int:
    """Place of the first of them in a matrix."""
    return i * FEATURES + (i & -EIGHT)


@compiled
def accumulate(sums: NDArray[np.float32], features: NDArray[np.float32], n: int, weight: np.float32) -> None:
    """Add the weighted products of all pairs of features."""
    for i in range(n + 1):
        add_scaled(sums, _start(i), features, i & -EIGHT, features[i] * weight, _eights(i))


@compiled
def close_block(
    above: NDArray[np.float32], row: NDArray[np.float32], sums: NDArray[np.float32], block: int, n: int
) -> None:
    """Merge a finished block's sums into its column and the row, and clear them."""
    for h in range(HORIZONS):
        column = (h * above.shape[1] + block + 1) * _SIZE
        for i in range(n + 1):
            start, count = _start(i), _eights(i)
            fade(row, h * _SIZE + start, sums, start, FADE_ROW[h], count)
            fade(above, column + start, sums, start, FADE_ABOVE[h], count)
    sums[:] = _F(0)


@compiled
def solve_block(
    above: NDArray[np.float32],
    row: NDArray[np.float32],
    block: int,
    n: int,
    a: NDArray[np.float32],
    weights: NDArray[np.float32],
) -> None:
    """Weights (features x horizons) for the samples of a block."""
    for h in range(HORIZONS):
        left = (h * above.shape[1] + block) * _SIZE
        for i in range(n):
            start = _start(i)
            middle, right, line = left + _SIZE + start, left + 2 * _SIZE + start, h * _SIZE + start
            join_four(a, start, above, left + start, above, middle, above, right, row, line, _eights(i))
        for i in range(n):
            a[i, i] = (a[i, i] + a[i, i] * _RIDGE) + _ONE
        _eliminate(a, n)
        _substitute(a, n, weights, h)


@inlined_late
def _eliminate(a: NDArray[np.float32], n: int) -> None:
    """Turn the upper triangle (right side in column n) into row echelon form."""
    for k in range(n):
        pivot = a[k, k]
        if not pivot > _LEAST_PIVOT:
            pivot = _LEAST_PIVOT
            a[k, k] = pivot
        inverse = _ONE / pivot
        for i in range(k + 1, n):
            factor = a[k, i] * inverse
            subtract_scaled(a, _start(i), a, k * FEATURES + (i & -EIGHT), factor, _eights(i))


@inlined_late
def _substitute(a: NDArray[np.float32], n: int, weights: NDArray[np.float32], h: int) -> None:
    """Solve for the weights, the last first."""
    for k in range(n - 1, -1, -1):
        value = a[k, n] / a[k, k]
        weights[k, h] = value
        for i in range(k):
            a[i, n] = a[i, n] - value * a[i, k]
