"""Forest complexity of small graphs, exactly, by dynamic programming over sets of items."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
from numpy.typing import NDArray

from foretell.dependence.errors import DependenceError

LARGEST = 14
"""Items; beyond that time and memory grow out of hand."""


def exact_forest(adjacency: NDArray[np.bool_], coefficients: NDArray[np.float64]) -> tuple[float, list[list[int]]]:
    """Smallest complexity of a connected graph, and bags that have it, each after its parent.

    A root bag splits the rest into components, which are dealt out to child bags; all neighbours of a bag in one
    child's part must lie in that child bag. So the complexity below a bag of weight p is the least, over all ways to
    group the components into parts, of the sum over parts of

        cost(p, required, part) = min over bags B, required <= B <= part, of (p + c(B))^2 + what is below B,

    and the root, as the smallest bag, adds c(root)^2. (Two leaves may well share a bag: for leaves of weights a and b,
    (p + a + b)^2 is less than (p + a)^2 + (p + b)^2 if 2 a b < p^2.)

    Raises
    ------
    DependenceError
        If there are more than 14 items.
    """
    size = len(adjacency)
    if size > LARGEST:
        raise DependenceError(f"exact complexity of {size} connected items", f"at most {LARGEST} are possible")
    around = [sum(1 << int(j) for j in np.flatnonzero(row)) for row in adjacency]
    weights = [float(value) for value in coefficients]

    @cache
    def weight(mask: int) -> float:
        return 0.0 if not mask else weights[mask.bit_length() - 1] + weight(mask & ~(1 << (mask.bit_length() - 1)))

    @cache
    def near(mask: int) -> int:
        total = 0
        for item in _bits(mask):
            total |= around[item]
        return total

    @cache
    def components(mask: int) -> tuple[int, ...]:
        found = []
        while mask:
            part, grown = 0, mask & -mask
            while grown != part:
                part = grown
                grown |= near(part) & mask
            found.append(part)
            mask &= ~part
        return tuple(found)

    @cache
    def below(bag: int, rest: int) -> tuple[float, tuple[tuple[int, int], ...]]:
        parts = components(rest)
        joined = [sum(parts[k] for k in _bits(chosen)) for chosen in range(1 << len(parts))]
        best: list[tuple[float, tuple[tuple[int, int], ...]]] = [(0.0, ())]
        for chosen in range(1, 1 << len(parts)):
            least: tuple[float, tuple[tuple[int, int], ...]] = (np.inf, ())
            for others in _subsets(chosen & (chosen - 1)):  # the part with the lowest component, and the rest
                part = joined[chosen & ~others]
                value, child = cost(weight(bag), near(bag) & part, part)
                if value + best[others][0] < least[0]:
                    least = value + best[others][0], ((child, part), *best[others][1])
            best.append(least)
        return best[-1]

    @cache
    def cost(above: float, required: int, part: int) -> tuple[float, int]:
        best, choice = np.inf, part
        for extra in _subsets(part & ~required):
            bag = required | extra
            value = (above + weight(bag)) ** 2
            if value < best:
                value += below(bag, part & ~bag)[0]
                if value < best:
                    best, choice = value, bag
        return best, choice

    everything = (1 << size) - 1
    best, root = np.inf, everything
    for bag in _subsets(everything):
        if bag and weight(bag) ** 2 < best:
            value = weight(bag) ** 2 + below(bag, everything & ~bag)[0]
            if value < best:
                best, root = value, bag
    bags, waiting = [], [(root, everything)]
    while waiting:
        bag, part = waiting.pop()
        bags.append(list(_bits(bag)))
        waiting += list(below(bag, part & ~bag)[1])
    return float(best), bags


def _bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def _subsets(mask: int) -> Iterator[int]:
    """All subsets, the empty one first."""
    subset = 0
    while True:
        yield subset
        if subset == mask:
            return
        subset = (subset - mask) & mask
