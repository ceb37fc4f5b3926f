"""Elimination complexity of small graphs, exactly, by dynamic programming over sets of items."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled
from foretell.dependence.errors import DependenceError

LARGEST = 14
"""Items; the search looks at 3^n pairs of sets."""


def exact_elimination(
    adjacency: NDArray[np.bool_], coefficients: NDArray[np.float64]
) -> tuple[float, NDArray[np.int64]]:
    """Smallest D of a graph, and the block of each item, blocks in the order in which they are revealed.

    best[U] = min over non-empty B in U of best[U minus B] + (c(B) + c(N(U, B)))^2, where N(U, B) are the items
    outside U that are adjacent to the components of G[U] that meet B.
    """
    size = len(adjacency)
    if size > LARGEST:
        raise DependenceError(f"exact elimination of {size} connected items", f"at most {LARGEST} are possible")
    around = np.array([int(sum(1 << int(j) for j in np.flatnonzero(row))) for row in adjacency], dtype=np.int64)
    best, choice = _search(around, coefficients.astype(np.float64))
    blocks = np.zeros(size, dtype=np.int64)
    left, number = (1 << size) - 1, size
    while left:
        block = int(choice[left])
        number -= 1
        blocks[[item for item in range(size) if block >> item & 1]] = number
        left &= ~block
    return float(best[-1]), blocks


@compiled
def _search(around: Any, coefficients: Any) -> Any:
    size = around.size
    sums = np.zeros(1 << size)
    for mask in range(1, 1 << size):
        low = 0
        while not mask >> low & 1:
            low += 1
        sums[mask] = sums[mask & (mask - 1)] + coefficients[low]
    best, choice = np.full(1 << size, np.inf), np.zeros(1 << size, np.int64)
    best[0] = 0.0
    parts, borders = np.empty(size, np.int64), np.empty(size, np.int64)
    for mask in range(1, 1 << size):
        count, rest = 0, mask
        while rest:
            part, grown = np.int64(0), rest & -rest
            border = np.int64(0)
            while grown != part:
                part = grown
                border = 0
                for item in range(size):
                    if part >> item & 1:
                        border |= around[item]
                grown = part | (border & mask)
            parts[count], borders[count] = part, border & ~mask
            count += 1
            rest &= ~part
        block = mask
        while block:
            outside = np.int64(0)
            for k in range(count):
                if parts[k] & block:
                    outside |= borders[k]
            value = best[mask & ~block] + (sums[block] + sums[outside]) ** 2
            if value < best[mask]:
                best[mask], choice[mask] = value, block
            block = (block - 1) & mask
    return best, choice
