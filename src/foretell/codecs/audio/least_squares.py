"""Linear prediction whose weights solve the least-squares problem of the recent past.

A filter keeps the matrix ``R = sum of forget**age * v v'`` and the vector ``b = sum of forget**age * v x`` of its inputs v
and targets x, and every few samples solves ``(R + ridge) w = b`` by Cholesky's method. All loops run in
a fixed order of single binary64 operations, so that weights are the same on every machine; the inner loops go
over independent elements, never along a sum, and so can be vectorised.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled

RIDGE = 0.001
"""Added to the diagonal, times the sum of weights of all samples."""
RELATIVE_RIDGE = 2.0**-30
"""Added to the diagonal too, times the mean of the diagonal."""
LEAST_PIVOT = 1e-9


@compiled
def accumulate(
    matrix: NDArray[np.float64],
    vector: NDArray[np.float64],
    v: NDArray[np.float64],
    n: int,
    target: float,
    forget: float,
    trust: float,
) -> None:
    """Take in inputs ``v[:n]`` and their target, times ``trust``; only the upper triangle of the matrix is kept."""
    for i in range(n):
        f = trust * v[i]
        row = matrix[i]
        for j in range(i, n):
            row[j] = forget * row[j] + f * v[j]
        vector[i] = forget * vector[i] + f * target


@compiled
def solve(
    matrix: NDArray[np.float64],
    vector: NDArray[np.float64],
    n: int,
    ridge: float,
    work: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> None:
    """Set ``weights[:n]`` to the solution of ``(matrix + ridge) w = vector``, or leave them where there is none."""
    y = work[n]
    for i in range(n):
        y[i] = vector[i]
        for j in range(i, n):
            work[i, j] = matrix[i, j]
        work[i, i] += ridge
    for k in range(n):
        pivot = work[k, k]
        if not pivot > LEAST_PIVOT:
            return
        pivot = math.sqrt(pivot)
        inverse = 1.0 / pivot
        upper = work[k]
        upper[k] = pivot
        for j in range(k + 1, n):
            upper[j] = upper[j] * inverse
        y[k] = y[k] * inverse
        g = y[k]
        for j in range(k + 1, n):
            y[j] = y[j] - upper[j] * g
        for i in range(k + 1, n):
            f = upper[i]
            lower = work[i]
            for j in range(i, n):
                lower[j] = lower[j] - f * upper[j]
    for k in range(n):
        i = n - 1 - k
        value = y[i] / work[i, i]
        weights[i] = value
        for j in range(i):
            y[j] = y[j] - work[j, i] * value
