"""Linear prediction whose weights solve the least-squares problem of the recent past.

A filter keeps the matrix ``R = sum of c v v'`` and the vector ``b = sum of c v x`` of its inputs v and targets x, where
c is ``trust * forget**age``, and every few samples solves ``(R + ridge) w = b`` by Cholesky's method. All loops run in
a fixed order of single binary64 operations, so that weights are the same on every machine; the inner loops go
over independent elements, never along a sum, and so can be vectorised.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from foretell.uncounted import compiled

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
def accumulate_four(
    matrix: NDArray[np.float64],
    vector: NDArray[np.float64],
    inputs: NDArray[np.float64],
    n: int,
    targets: NDArray[np.float64],
    forget: float,
    trusts: NDArray[np.float64],
) -> None:
    """Take in four rows of inputs at once, earliest first, in one pass over the matrix."""
    two = forget * forget
    three = two * forget
    four = two * two
    ta, tb, tc, td = trusts[0] * three, trusts[1] * two, trusts[2] * forget, trusts[3]
    va, vb, vc, vd = inputs[0], inputs[1], inputs[2], inputs[3]
    for i in range(n):
        fa, fb, fc, fd = ta * va[i], tb * vb[i], tc * vc[i], td * vd[i]
        row = matrix[i]
        for j in range(i, n):
            row[j] = (((four * row[j] + fa * va[j]) + fb * vb[j]) + fc * vc[j]) + fd * vd[j]
        vector[i] = (((four * vector[i] + fa * targets[0]) + fb * targets[1]) + fc * targets[2]) + fd * targets[3]


@compiled
def mean_diagonal(matrix: NDArray[np.float64], n: int) -> float:
    """Mean of the first n elements of the diagonal, summed from the first on."""
    trace = 0.0
    for i in range(n):
        trace = trace + matrix[i, i]
    return trace / n


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
        row, kept = work[i], matrix[i]
        for j in range(i, n):
            row[j] = kept[j]
        row[i] += ridge
    # Rows are eliminated four at a time, in the same order of operations on every element as one by one.
    for first in range(0, n, 4):
        last = min(first + 4, n)
        for k in range(first, last):
            upper = work[k]
            for p in range(first, k):
                above = work[p]
                f = above[k]
                for j in range(k, n):
                    upper[j] = upper[j] - f * above[j]
            pivot = upper[k]
            if not pivot > LEAST_PIVOT:
                return
            pivot = math.sqrt(pivot)
            inverse = 1.0 / pivot
            upper[k] = pivot
            for j in range(k + 1, n):
                upper[j] = upper[j] * inverse
            g = y[k] * inverse
            y[k] = g
            for j in range(k + 1, n):
                y[j] = y[j] - upper[j] * g
        if last < first + 4:
            break
        a, b, c, d = work[first], work[first + 1], work[first + 2], work[first + 3]
        for i in range(last, n):
            fa, fb, fc, fd = a[i], b[i], c[i], d[i]
            lower = work[i]
            for j in range(i, n):
                lower[j] = (((lower[j] - fa * a[j]) - fb * b[j]) - fc * c[j]) - fd * d[j]
    for k in range(n):
        i = n - 1 - k
        value = y[i] / work[i, i]
        weights[i] = value
        for j in range(i):
            y[j] = y[j] - work[j, i] * value
