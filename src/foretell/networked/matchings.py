"""Matchings: pairs that share no object, whole and fractional.

A fractional matching gives every pair a weight such that no object's pairs have more than 1 in all. The largest total
is nu*, the number of independent pairs that the data are worth (Wang, Guo, Ramon, ALT 2017). For pairs of two objects
it comes from a maximum matching of the bipartite double cover (a copy of each object on either side, each pair
twice), and is half-integral.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linprog
from scipy.sparse.csgraph import maximum_bipartite_matching

from foretell.compilation import compiled
from foretell.networked import kernels
from foretell.networked.errors import PairsError
from foretell.networked.graph import PairGraph
from foretell.networked.kernels import Floats, Members

MAX_LP_ENTRIES = 2_000_000
"""Beyond this many objects in hyperedges the linear program is refused: it would take hours."""


@dataclass(frozen=True)
class FractionalMatching:
    """A maximum fractional matching.

    Attributes
    ----------
    weights : ndarray, shape (m,)
        A vertex of the polytope: for pairs of two objects all 0, 1/2 or 1, and mostly 0.
    number : float
        nu*, the sum of the weights.
    cover : ndarray, shape (n,)
        A minimum fractional cover: at least 1 in all on the objects of every pair. Its sum is nu* too, which proves
        both.
    """

    weights: Floats
    number: float
    cover: Floats


def fractional_matching(pairs: PairGraph) -> FractionalMatching:
    """Maximum fractional matching: by Hopcroft-Karp for pairs, by a linear program for hyperedges.

    Raises
    ------
    PairsError
        Hyperedges with more than ``MAX_LP_ENTRIES`` objects in all.
    """
    if pairs.arity > 2:
        return _by_linear_program(pairs)
    return _by_matching(pairs)


def fractional_matching_number(pairs: PairGraph) -> float:
    """nu*, the number of independent pairs that the data are worth.

    Examples
    --------
    >>> triangle = PairGraph.from_edges([0, 1, 2], [1, 2, 0])
    >>> fractional_matching_number(triangle)
    1.5
    """
    return fractional_matching(pairs).number


def _by_matching(pairs: PairGraph) -> FractionalMatching:
    n, m = pairs.n_objects, pairs.n_pairs
    left, right = pairs.members[:, 0], pairs.members[:, 1]
    weights, cover = np.zeros(m), np.zeros(n)
    # An object paired with itself is best matched so: moving all its weight there loses nothing.
    alone = np.flatnonzero(right == n)
    taken = np.zeros(n + 1, dtype=bool)
    if alone.size:
        objects, first = np.unique(left[alone], return_index=True)
        weights[alone[first]] = 1.0
        cover[objects] = 1.0
        taken[objects] = taken[n] = True
    rest = np.flatnonzero(~(taken[left] | taken[right])) if alone.size else np.arange(m)
    if not rest.size:
        return FractionalMatching(weights, float(weights.sum()), cover)
    u, v = left[rest], right[rest]
    if pairs.sides is not None:
        rows, columns, number = _matched(u, v, n)
        _mark(u, v, rows.copy(), 1.0, weights, rest)
        row_cover, column_cover = _cover(number, rows, columns)
        cover += row_cover + column_cover
    else:
        rows, columns, number = _matched(np.concatenate([u, v]), np.concatenate([v, u]), n)
        left_over = rows.copy()
        _mark(u, v, left_over, 0.5, weights, rest)
        _mark(v, u, left_over, 0.5, weights, rest)
        row_cover, column_cover = _cover(number, rows, columns)
        cover += (row_cover + column_cover) / 2
    return FractionalMatching(weights, float(weights.sum()), cover)


def _matched(
    u: NDArray[np.int32], v: NDArray[np.int32], n: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], sparse.csr_matrix]:
    """Column of every row and row of every column in a maximum matching (-1: none), and the graph."""
    graph = sparse.csr_matrix((np.ones(u.size, dtype=np.int32), (u, v)), shape=(n, n))
    rows = maximum_bipartite_matching(graph, perm_type="column").astype(np.int32)
    columns = np.full(n, -1, dtype=np.int32)
    matched = np.flatnonzero(rows >= 0)
    columns[rows[matched]] = matched
    return rows, columns, graph


@compiled
def _mark(
    u: NDArray[np.int32],
    v: NDArray[np.int32],
    matched: NDArray[np.int32],
    amount: float,
    weights: Floats,
    numbers: NDArray[np.int64],
) -> None:
    """Add an amount to one pair for every matched arc, which is struck from ``matched``.

    Of pairs listed twice, to the first.
    """
    for e in range(u.size):
        if matched[u[e]] == v[e]:
            weights[numbers[e]] += amount
            matched[u[e]] = -1


def _cover(graph: sparse.csr_matrix, rows: NDArray[np.int32], columns: NDArray[np.int32]) -> tuple[Floats, Floats]:
    """Minimum cover of a bipartite graph from a maximum matching (König): rows not reached, columns reached."""
    reached_rows, reached_columns = _reach(graph.indptr, graph.indices, rows, columns)
    busy = np.diff(graph.indptr) > 0
    return (~reached_rows & busy).astype(np.float64), reached_columns.astype(np.float64)


@compiled
def _reach(
    starts: NDArray[np.int32], indices: NDArray[np.int32], rows: NDArray[np.int32], columns: NDArray[np.int32]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Rows and columns on alternating paths from unmatched rows."""
    n = rows.size
    seen_rows, seen_columns = np.zeros(n, dtype=np.bool_), np.zeros(n, dtype=np.bool_)
    stack = np.empty(n, dtype=np.int64)
    height = 0
    for row in range(n):
        if rows[row] < 0 and starts[row] < starts[row + 1]:
            seen_rows[row] = True
            stack[height] = row
            height += 1
    while height:
        height -= 1
        row = stack[height]
        for place in range(starts[row], starts[row + 1]):
            column = indices[place]
            if not seen_columns[column]:
                seen_columns[column] = True
                following = columns[column]
                if following >= 0 and not seen_rows[following]:
                    seen_rows[following] = True
                    stack[height] = following
                    height += 1
    return seen_rows, seen_columns


def _by_linear_program(pairs: PairGraph) -> FractionalMatching:
    if pairs.incidence.nnz > MAX_LP_ENTRIES:
        raise PairsError(
            f"hyperedges with {pairs.incidence.nnz} objects in all are too many for the linear program",
            "use method='maxdeg' or 'bound'",
        )
    result = linprog(-np.ones(pairs.n_pairs), A_ub=pairs.incidence, b_ub=np.ones(pairs.n_objects), method="highs")
    if result.x is None:
        raise PairsError(f"the linear program failed: {result.message}", "use method='maxdeg'")
    weights = np.maximum(result.x, 0.0)
    weights /= max(1.0, float(pairs.loads(weights).max()))
    return FractionalMatching(weights, float(weights.sum()), np.maximum(-result.ineqlin.marginals, 0.0))


def matching(pairs: PairGraph) -> Floats:
    """Weights 1 for pairs that share no object, 0 for all others; no further pair can be added.

    Of bipartite pairs (see :attr:`PairGraph.sides`) as many as possible. Otherwise the cycles of a maximum fractional
    matching are cut into pairs, which keeps at least 2/3 of nu*, and free objects are paired greedily; hyperedges are
    chosen greedily, those with few neighbours first.
    """
    if pairs.arity > 2:
        loads = np.empty(pairs.n_pairs)
        kernels.sum_of_objects(pairs.members, np.append(pairs.degree, 0).astype(np.float64), loads)
        return _greedy(pairs.members, np.argsort(loads, kind="stable"), pairs.n_objects, np.zeros(pairs.n_pairs))
    chosen = fractional_matching(pairs).weights
    whole = np.where(chosen == 1.0, 1.0, 0.0)
    halves = np.flatnonzero(chosen == 0.5)
    if halves.size:
        order = _along_cycles(pairs.members[halves], pairs.n_objects)
        whole = _greedy(pairs.members, halves[order], pairs.n_objects, whole)
    degree = np.append(pairs.degree, 0)
    order = np.argsort(degree[pairs.members].min(axis=1), kind="stable")
    return _greedy(pairs.members, order, pairs.n_objects, whole)


@compiled
def _greedy(members: Members, order: NDArray[np.int64], empty: int, chosen: Floats) -> Floats:
    """Add pairs in an order, if their objects are free; ``chosen`` holds those that are in already."""
    busy = np.zeros(empty + 1, dtype=np.bool_)
    m, k = members.shape
    for e in range(m):
        if chosen[e] > 0.0:
            for j in range(k):
                busy[members[e, j]] = True
    busy[empty] = False
    for e in order:
        free = chosen[e] == 0.0
        for j in range(k):
            free = free and not busy[members[e, j]]
        if free:
            chosen[e] = 1.0
            for j in range(k):
                busy[members[e, j]] = members[e, j] != empty
    return chosen


@compiled
def _along_cycles(members: Members, n: int) -> NDArray[np.int64]:
    """Order of the pairs of disjoint cycles, one cycle after another, each along its way."""
    at = np.full((n, 2), -1, dtype=np.int64)
    for e in range(members.shape[0]):
        for j in range(2):
            v = members[e, j]
            at[v, 0 if at[v, 0] < 0 else 1] = e
    order = np.empty(members.shape[0], dtype=np.int64)
    done = np.zeros(members.shape[0], dtype=np.bool_)
    count = 0
    for first in range(members.shape[0]):
        e, v = first, members[first, 0]
        while e >= 0 and not done[e]:
            done[e] = True
            order[count] = e
            count += 1
            v = members[e, 1] if members[e, 0] == v else members[e, 0]
            e = at[v, 1] if at[v, 0] == e else at[v, 0]
    return order
