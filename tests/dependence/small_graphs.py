"""Small graphs, and what follows from the definitions by trying everything."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product

import networkx
import numpy as np

from foretell.dependence import DependencyGraph


def atlas(largest: int, connected: bool = True) -> list[DependencyGraph]:
    """All graphs of 2 to ``largest`` (at most 7) items, up to renumbering."""
    found = [graph for graph in networkx.graph_atlas_g() if 2 <= graph.number_of_nodes() <= largest]
    return [DependencyGraph.from_networkx(graph) for graph in found if not connected or networkx.is_connected(graph)]


def random_graph(rng: np.random.Generator, size: int, cliques: bool = False) -> DependencyGraph:
    """Graph with random edges, or with random edges and two random columns of identifiers."""
    pairs = np.argwhere(np.triu(rng.random((size, size)) < rng.uniform(0.05, 0.6), 1))
    graph = DependencyGraph.from_edges(size, pairs)
    if cliques:
        columns = [rng.integers(0, max(size // 2, 1), size) for _ in range(2)]
        graph = DependencyGraph.from_ids(*columns) | DependencyGraph.from_edges(size, pairs[: size // 4])
    return graph


def adjacency(graph: DependencyGraph) -> np.ndarray:
    return graph.to_scipy().toarray().astype(bool)


def partitions(items: list[int]) -> Iterator[list[list[int]]]:
    """All partitions of a list."""
    if not items:
        yield []
        return
    first, rest = items[0], items[1:]
    for partition in partitions(rest):
        for k in range(len(partition)):
            yield [*partition[:k], [first, *partition[k]], *partition[k + 1 :]]
        yield [[first], *partition]


def forest_cost(near: np.ndarray, bags: list[list[int]], weights: np.ndarray) -> float:
    """Complexity of a partition by definition, infinite if the quotient is no forest."""
    quotient = networkx.Graph()
    quotient.add_nodes_from(range(len(bags)))
    for one, other in combinations(range(len(bags)), 2):
        if near[np.ix_(bags[one], bags[other])].any():
            quotient.add_edge(one, other)
    if not networkx.is_forest(quotient):
        return np.inf
    sizes = [weights[bag].sum() for bag in bags]
    total = sum((sizes[one] + sizes[other]) ** 2 for one, other in quotient.edges)
    return total + sum(min(sizes[bag] for bag in tree) ** 2 for tree in networkx.connected_components(quotient))


def latent_law(graph: DependencyGraph, rng: np.random.Generator, levels: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """A law with this dependency graph: items are random functions of fair coins, one for each edge and item.

    Returns all outcomes, shape (k, n) of item values, and their probabilities.
    """
    edges = [(i, j) for i, j in np.argwhere(np.triu(adjacency(graph), 1))]
    coins = len(edges) + graph.n_items
    own = [[k for k, edge in enumerate(edges) if item in edge] + [len(edges) + item] for item in range(graph.n_items)]
    tables = [rng.integers(0, levels, 2 ** len(sources)) for sources in own]
    flips = np.array(list(product((0, 1), repeat=coins)))
    columns = []
    for sources, table in zip(own, tables, strict=True):
        columns.append(table[flips[:, sources] @ (1 << np.arange(len(sources)))])
    outcomes, counts = np.unique(np.column_stack(columns), axis=0, return_counts=True)
    return outcomes, counts / counts.sum()
