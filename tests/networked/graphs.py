"""Graphs that tests share."""

from __future__ import annotations

import numpy as np

from foretell.networked import PairGraph


def complete(n: int) -> PairGraph:
    return PairGraph.from_edges(*np.triu_indices(n, 1))


def path(n: int) -> PairGraph:
    return PairGraph.from_edges(np.arange(n - 1), np.arange(1, n))


def cycle(n: int) -> PairGraph:
    return PairGraph.from_edges(np.arange(n), (np.arange(n) + 1) % n)


def star(leaves: int) -> PairGraph:
    return PairGraph.from_edges(np.zeros(leaves, dtype=int), np.arange(1, leaves + 1))


def disjoint(m: int) -> PairGraph:
    return PairGraph.from_edges(2 * np.arange(m), 2 * np.arange(m) + 1)


def complete_bipartite(a: int, b: int) -> PairGraph:
    return PairGraph.from_edges(np.repeat(np.arange(a), b), np.tile(np.arange(b), a), bipartite=True)


def hub(leaves: int) -> PairGraph:
    """A star, and as many pairs of their own."""
    away = leaves + 1 + np.arange(2 * leaves).reshape(-1, 2)
    edges = np.concatenate([np.stack([np.zeros(leaves, dtype=int), np.arange(1, leaves + 1)], axis=1), away])
    return PairGraph.from_edges(edges)


def random_pairs(seed: int, *, arity: int = 2, most: int = 30) -> PairGraph:
    """Few objects, with self-pairs, repeats and isolated objects."""
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(2, 12)), int(rng.integers(1, most))
    return PairGraph.from_edges(rng.integers(0, n, (m, arity)), n_objects=n)


def preferential(n: int, links: int, seed: int = 0) -> PairGraph:
    """Every object joins earlier ones in proportion to their degrees (Barabasi and Albert)."""
    rng = np.random.default_rng(seed)
    ends: list[int] = [0]
    edges = []
    for new in range(1, n):
        for old in {ends[i] for i in rng.integers(0, len(ends), links)}:
            edges.append((new, old))
            ends += [new, old]
    return PairGraph.from_edges(np.array(edges))
