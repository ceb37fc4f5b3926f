"""Rotary position angles from IEEE operations alone: the same table on every machine.

Angles are kept in turns, so that the argument reduction is exact, and sine and cosine are
polynomials evaluated in float64 by single multiplications and additions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_TWO_PI = 6.283185307179586
_SINE = (6.283185307179586, -41.341702240399755, 81.60524927607504, -76.70585975306136, 42.058693944897655,
         -15.094642576822984, 3.8199525848482803, -0.7181223017785001)  # fmt: skip
_COSINE = (1.0, -19.739208802178716, 64.93939402266829, -85.45681720669371, 60.24464137187666,
           -26.426256783374398, 7.903536371318467, -1.7143907110886734, 0.28200596845579096)  # fmt: skip


def inverse_frequencies(base: float, width: int) -> NDArray[np.float64]:
    """``base ** (-2 i / width)`` for i = 0 ... width / 2 - 1, width a power of two, by square roots and products."""
    root = np.float64(base)
    for _ in range((width // 2).bit_length() - 1):
        root = np.sqrt(root)
    values = np.ones(width // 2, np.float64)
    for i in range(1, width // 2):
        values[i] = values[i - 1] / root
    return values


def _polynomial(coefficients: tuple[float, ...], x: NDArray[np.float64]) -> NDArray[np.float64]:
    total = np.full_like(x, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        total = total * x + coefficient
    return total


def rotary_table(positions: int, frequencies: NDArray[np.float64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Cosines and sines, (positions, width / 2) float32, of position times frequency (radians)."""
    turns = np.arange(positions, dtype=np.float64)[:, None] * (frequencies / _TWO_PI)[None, :]
    turns = turns - np.rint(turns)  # in [-1/2, 1/2]
    quarters = np.rint(turns * 4.0)
    rest = turns - quarters / 4.0  # in [-1/8, 1/8]
    square = rest * rest
    sine, cosine = _polynomial(_SINE, square) * rest, _polynomial(_COSINE, square)
    quadrant = quarters.astype(np.int64) & 3
    cosines = np.choose(quadrant, (cosine, -sine, -cosine, sine))
    sines = np.choose(quadrant, (sine, cosine, -sine, -cosine))
    return cosines.astype(np.float32), sines.astype(np.float32)
