"""Compiled passes over pairs: sums over a pair's objects, and sums over an object's pairs.

Arrays over objects have one entry more than there are objects. The last one stands for the empty place of a pair that
has fewer objects than the graph has columns; it holds 0 where it is read, and nobody reads what is added to it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled

Floats = NDArray[np.float64]
Members = NDArray[np.int32]


@compiled
def sum_of_objects(members: Members, values: Floats, out: Floats) -> None:
    """Write to out[e] the sum of values over the objects of pair e."""
    m, k = members.shape
    if k == 2:
        for e in range(m):
            out[e] = values[members[e, 0]] + values[members[e, 1]]
    else:
        for e in range(m):
            total = 0.0
            for j in range(k):
                total += values[members[e, j]]
            out[e] = total


@compiled
def largest_of_objects(members: Members, values: Floats, out: Floats) -> None:
    """Write to out[e] the largest value over the objects of pair e."""
    m, k = members.shape
    for e in range(m):
        best = values[members[e, 0]]
        for j in range(1, k):
            best = max(best, values[members[e, j]])
        out[e] = best


@compiled
def add_to_objects(members: Members, weights: Floats, out: Floats) -> None:
    """Add the weight of every pair to each of its objects."""
    m, k = members.shape
    if k == 2:
        for e in range(m):
            out[members[e, 0]] += weights[e]
            out[members[e, 1]] += weights[e]
    else:
        for e in range(m):
            for j in range(k):
                out[members[e, j]] += weights[e]


@compiled
def add_squares_to_objects(members: Members, weights: Floats, out: Floats) -> None:
    """Add the squared weight of every pair to each of its objects."""
    m, k = members.shape
    for e in range(m):
        square = weights[e] * weights[e]
        for j in range(k):
            out[members[e, j]] += square


@compiled
def count_pairs(members: Members, out: NDArray[np.int64]) -> None:
    """Add 1 to each object of every pair."""
    m, k = members.shape
    for e in range(m):
        for j in range(k):
            out[members[e, j]] += 1


@compiled
def clear_repeats(members: Members, empty: int) -> None:
    """Keep an object that a pair names several times once, and leave the other places empty, at the end."""
    m, k = members.shape
    for e in range(m):
        kept = 0
        for j in range(k):
            value = members[e, j]
            seen = value == empty
            for i in range(kept):
                seen = seen or members[e, i] == value
            if not seen:
                members[e, kept] = value
                kept += 1
        for j in range(kept, k):
            members[e, j] = empty
