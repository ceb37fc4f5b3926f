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

from foretell.compilation import compiled, inlined_late

BLOCK = 8
FEATURES = 32
HORIZONS = 2

_F = np.float32
_RIDGE = _F(0.002)
_LEAST_PIVOT = _F(1e-3)
_ONE = _F(1)

FADE_ROW = np.array([0.8, 0.95], np.float32)
"""What remains of the current row's sums after each block."""
FADE_ABOVE = np.array([0.75, 0.96], np.float32)
"""What remains of a block's sums after each row."""


# Loops run over whole rows, although half of a symmetric matrix would do: from 0 to a bound they become vector code.


@compiled
def accumulate(sums: NDArray[np.float32], features: NDArray[np.float32], n: int, weight: np.float32) -> None:
    """Add the weighted products of all pairs of features."""
    for i in range(n + 1):
        x = features[i] * weight
        for j in range(features.size):
            sums[i, j] = sums[i, j] + x * features[j]


@inlined_late
def _close(column: NDArray[np.float32], line: NDArray[np.float32], sums: NDArray[np.float32], n: int, h: int) -> None:
    keep_row, keep_above = FADE_ROW[h], FADE_ABOVE[h]
    for i in range(n + 1):
        for j in range(sums.shape[1]):
            line[i, j] = line[i, j] * keep_row + sums[i, j]
            column[i, j] = column[i, j] * keep_above + sums[i, j]


@compiled
def close_block(
    above: NDArray[np.float32], row: NDArray[np.float32], sums: NDArray[np.float32], block: int, n: int
) -> None:
    """Merge a finished block's sums into its column and the row, and clear them."""
    for h in range(HORIZONS):
        _close(above[h, block + 1], row[h], sums, n, h)
    sums[:] = _F(0)


@inlined_late
def _gather(
    left: NDArray[np.float32],
    middle: NDArray[np.float32],
    right: NDArray[np.float32],
    line: NDArray[np.float32],
    a: NDArray[np.float32],
    n: int,
) -> None:
    for i in range(n):
        for j in range(a.shape[1]):
            a[i, j] = ((left[i, j] + middle[i, j]) + right[i, j]) + line[i, j]


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
        _gather(above[h, block], above[h, block + 1], above[h, block + 2], row[h], a, n)
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
            for j in range(a.shape[1]):
                a[i, j] = a[i, j] - factor * a[k, j]


@inlined_late
def _substitute(a: NDArray[np.float32], n: int, weights: NDArray[np.float32], h: int) -> None:
    """Solve for the weights, the last first."""
    for k in range(n - 1, -1, -1):
        value = a[k, n] / a[k, k]
        weights[k, h] = value
        for i in range(k):
            a[i, n] = a[i, n] - value * a[i, k]
