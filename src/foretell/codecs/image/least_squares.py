"""Local least squares: linear prediction fitted to what has been coded near a sample.

A plane is cut into blocks of ``BLOCK`` columns. For each block the products of features are summed over the rows
above, older rows fading, and over the current row to the left, farther samples fading. Several *horizons* fade at
different speeds. At the start of a block the sums of the block, of its two neighbours and of the row give
the normal equations, which are solved by elimination. Feature number ``n`` is the sample itself, so that one symmetric
matrix holds both sides of the equations. Single float32 operations in a fixed order throughout.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.image.triangles import FEATURES, HORIZONS, SIZE, add_products, eliminate, fade_into, join
from foretell.uncounted import compiled, inlined_late

BLOCK: Final = 8

_F = np.float32
_RIDGE = _F(0.002)
_ONE = _F(1)

FADE_ROW = np.array([0.8, 0.95], np.float32)
"""What remains of the current row's sums after each block."""
FADE_ABOVE = np.array([0.75, 0.96], np.float32)
"""What remains of a block's sums after each row."""


@compiled
def accumulate(
    sums: NDArray[np.float32],
    features: NDArray[np.float32],
    scaled: NDArray[np.float32],
    n: int,
    weight: np.float32,
) -> None:
    """Add the weighted products of all pairs of features."""
    for i in range(FEATURES):
        scaled[i] = features[i] * weight
    add_products(sums, features, scaled, n + 1)


@compiled
def close_block(
    above: NDArray[np.float32], row: NDArray[np.float32], sums: NDArray[np.float32], block: int, n: int
) -> None:
    """Merge a finished block's sums into its column and the row, and clear them."""
    for h in range(HORIZONS):
        column = (h * above.shape[1] + block + 1) * SIZE
        fade_into(row, h * SIZE, sums, FADE_ROW[h], n + 1)
        fade_into(above, column, sums, FADE_ABOVE[h], n + 1)
    sums[:] = _F(0)


@compiled
def solve_block(
    above: NDArray[np.float32],
    row: NDArray[np.float32],
    block: int,
    n: int,
    work: NDArray[np.float32],
    scaled: NDArray[np.float32],
    fit: NDArray[np.float32],
) -> None:
    """Fill ``fit`` (features, horizons) with weights for the samples of a block."""
    for h in range(HORIZONS):
        join(work, h * SIZE, above, (h * above.shape[1] + block) * SIZE, row, h * SIZE, n)
        for i in range(n):
            work[h, i, i] = (work[h, i, i] + work[h, i, i] * _RIDGE) + _ONE
    eliminate(work, scaled, n)
    _substitute(work, n, fit)


@inlined_late
def _substitute(work: NDArray[np.float32], n: int, fit: NDArray[np.float32]) -> None:
    """Solve for the weights, the last first; the right side is in column n."""
    for i in range(n):
        for h in range(HORIZONS):
            fit[i, h] = work[h, i, n]
    for k in range(n - 1, -1, -1):
        fast, slow = fit[k, 0] / work[0, k, k], fit[k, 1] / work[1, k, k]
        fit[k, 0], fit[k, 1] = fast, slow
        for i in range(k):
            fit[i, 0] = fit[i, 0] - fast * work[0, i, k]
            fit[i, 1] = fit[i, 1] - slow * work[1, i, k]
