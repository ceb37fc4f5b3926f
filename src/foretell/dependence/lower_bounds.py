"""What no forest approximation, or no bound of this kind at all, can go below."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from foretell.compilation import compiled
from foretell.dependence.covers import check_coefficients
from foretell.dependence.forest_exact import exact_forest
from foretell.dependence.graph import DependencyGraph
from foretell.dependence.independent_sets import greedy_clique_packing

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
LARGEST_PACKING = 3_000_000
"""Edges up to which cliques are looked for; in larger graphs only those that they came with are used."""
BALL_SIZE, BALL_COUNT = 8, 300
"""Items of the connected pieces that are solved exactly, and how many pieces of each graph."""


def clique_lower_bound(graph: DependencyGraph, coefficients: ArrayLike | None = None) -> float:
    """Lower bound on every denominator that is valid for all data with this dependency graph.

    Take disjoint cliques and give all items of a clique the same fair coin. The sum of c_i X_i then has independent
    parts, one for each clique Q, that take two values c(Q) apart; a bound exp(-2 t^2 / D) for all weights of such
    sums needs D >= sum_Q c(Q)^2 (compare variances). Holds for elimination, forests, fractional covers and anything
    to come.
    """
    return float(clique_bounds(graph, check_coefficients(coefficients, graph.n_items)).sum())


def clique_bounds(graph: DependencyGraph, weights: Floats) -> Floats:
    """The same, component by component; the better of given cliques, large ones first, and cliques found in edges."""
    component, count = graph.component_labels, graph.n_components
    owner = _pack_given(graph)
    best = _squares(owner, component, weights, count)
    sizes = np.diff(graph.clique_indptr).astype(float)
    if graph.indices.size and (sizes**2).sum() / 2 + graph.indices.size / 2 <= LARGEST_PACKING:
        matrix = graph.to_scipy()
        indptr, indices = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64)
        order = np.argsort(np.diff(indptr), kind="stable")
        for sequence in (order, order[::-1], np.arange(graph.n_items)):
            owner = greedy_clique_packing(indptr, indices, sequence)
            best = np.maximum(best, _squares(owner, component, weights, count))
    return best


def _pack_given(graph: DependencyGraph) -> Integers:
    owner = np.arange(graph.n_items) + graph.n_cliques
    order = np.argsort(-np.diff(graph.clique_indptr), kind="stable")
    _claim(owner, order, graph.clique_indptr, graph.clique_items)
    return owner


@compiled
def _claim(owner: Any, order: Any, ends: Any, members: Any) -> None:
    """Give each clique, in order, all of its items that are still free."""
    for clique in order:
        for k in range(ends[clique], ends[clique + 1]):
            if owner[members[k]] >= ends.size - 1:
                owner[members[k]] = clique


def _squares(owner: Integers, component: Integers, weights: Floats, count: int) -> Floats:
    names, where = np.unique(owner, return_inverse=True)
    sums = np.bincount(where.ravel(), weights, minlength=names.size)
    home = np.empty(names.size, dtype=np.int64)
    home[where.ravel()] = component
    return np.bincount(home, sums**2, minlength=count).astype(np.float64)


def forest_lower_bounds(graph: DependencyGraph, weights: Floats) -> Floats:
    """Lower bound on the forest complexity of each component: the best of three.

    * Disjoint cliques, as in :func:`clique_lower_bound`.
    * A connected graph of n >= 3 items has at least 4 n - 3 with coefficients of 1, scaled by the least coefficient:
      forest complexity does not grow when edges are removed, so spanning trees suffice, and for trees it is 4 n - 3.
    * Superadditivity: for disjoint connected pieces H_i, it is at least the sum of theirs. Restrict the bags to each
      piece; (s_u + s_v)^2 is at least the sum of the squares of the pieces' parts. The pieces' own minimum terms are
      paid for by the forest edge from the topmost bag of each piece to that bag's parent, which the piece does not
      reach; one piece may reach the root, whose minimum term is there to pay. Pieces are balls of breadth-first
      search, solved exactly.
    """
    component, count = graph.component_labels, graph.n_components
    best = clique_bounds(graph, weights)
    sizes = np.bincount(component, minlength=count)
    least = np.full(count, np.inf)
    np.minimum.at(least, component, weights)
    best = np.maximum(best, np.where(sizes >= 3, (4 * sizes - 3) * least**2, 0.0))
    if graph.n_items <= BALL_SIZE * BALL_COUNT and graph.indices.size + graph.clique_items.size:
        best = np.maximum(best, _packed_balls(graph, weights))
    return best


def _packed_balls(graph: DependencyGraph, weights: Floats) -> Floats:
    matrix = graph.to_scipy()
    indptr, indices = matrix.indptr, matrix.indices
    free = np.ones(graph.n_items, dtype=bool)
    total = np.zeros(graph.n_components)
    known: dict[tuple[bytes, bytes], float] = {}
    for start in np.argsort(-np.diff(indptr), kind="stable"):
        if not free[start]:
            continue
        ball = [int(start)]
        for item in ball:
            for other in indices[indptr[item] : indptr[item + 1]]:
                if free[other] and other not in ball and len(ball) < BALL_SIZE:
                    ball.append(int(other))
        free[ball] = False
        adjacency = matrix[ball][:, ball].toarray().astype(bool)
        key = adjacency.tobytes(), weights[ball].tobytes()
        if key not in known:
            known[key] = exact_forest(adjacency, weights[ball])[0]
        total[graph.component_labels[start]] += known[key]
    return total
