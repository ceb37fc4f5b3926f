"""Elimination complexity: a bound for all Lipschitz functions that is never larger than forest complexity.

**Theorem.** Let B_1, ..., B_k be an ordered partition of the items, U_j = B_1 u ... u B_j, C_j the union of the
connected components of G[U_j] that meet B_j, and N_j the items outside U_j with a neighbour in C_j. For any f that
changes by at most c_i when item i changes,

    P(f - E f >= t) <= exp(-2 t^2 / D),   D = sum_j (c(B_j) + c(N_j))^2.

*Proof.* Reveal X_{B_1}, X_{B_2}, ... one after the other. C_j has no edge to U_j minus C_j or to what is outside U_j
and N_j, so X_{C_j} is independent of the two together. Hence, given what was revealed before, the value of X_{B_j}
does not change the law of the items outside U_j and N_j. Couple these to be equal for two values of X_{B_j}, and
those of N_j in any way: the conditional expectations of f differ by at most c(B_j) + c(N_j). Hoeffding's lemma and
Azuma's argument finish. []

For single items in an elimination order, c(N_j) is the sum over the later neighbours in the filled graph, so the column
counts of the sparse Cholesky factor tell D; blocks are found by merging along the elimination tree.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from foretell.compilation import announce
from foretell.dependence import elimination_kernels as kernels
from foretell.dependence import layers
from foretell.dependence.contraction import thins_out
from foretell.dependence.covers import check_coefficients
from foretell.dependence.elimination_exact import LARGEST, exact_elimination
from foretell.dependence.errors import DependenceError
from foretell.dependence.forest import forest_complexity
from foretell.dependence.graph import DependencyGraph
from foretell.dependence.minimum_degree import minimum_degree_order

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Order = Literal["auto", "metis", "minimum degree"]
LARGE = 4_000_000
"""Items and edges beyond which only the most promising orders are tried."""
METIS_PAIRS = 15_000_000
"""Edges, cliques spelled out, up to which METIS is asked."""
DEGREE_WORK, DEGREE_WORK_SHARE = 100_000_000, 10
"""Minimum degree gives up on the rest after so many steps, or so many per item and edge: on large expanders."""
METIS_FAST = {"niter": 1}
"""Rounds of refinement in large graphs: a fifth faster than the usual 10, bounds some 1 % larger."""
GROWTH = (0.25, 0.5, 1.0, 1.5, 2.0, 3.0, np.inf)
"""How large merged blocks may grow, as multiples of the weight of their later neighbours."""
LOCAL_EDGES = 2_000_000
"""Edges, twice counted, from which renumbering items in the order of a search pays."""
EXACT_SIZE, EXACT_COUNT = 9, 200
"""Components of at most so many items are solved exactly, the first so many of them."""
DEFINITION_SIZE = 3000
"""Items up to which the bags of forest approximations are tried as blocks too."""
TRIES = 12
"""Ties of minimum degree are broken in so many ways in graphs of at most SMALL items and edges."""
SMALL = 20_000


@dataclass(frozen=True)
class EliminationBound:
    """An ordered partition of the items, and the denominator that it gives.

    Attributes
    ----------
    value : float
        D of exp(-2 t^2 / D).
    blocks : ndarray of int, shape (n,)
        Number of each item's block; blocks are revealed in this order.
    order : str
        What the order came from, for the most costly component.
    lower_bound : float
        No bound that holds for every sample with this dependency graph is smaller (disjoint cliques).
    cut_short : bool
        Whether the search ended early, on a large graph without small separators. The bound holds all the same; no
        order is known to be much better on such graphs.
    """

    graph: DependencyGraph = field(repr=False)
    coefficients: Floats = field(repr=False)
    value: float
    blocks: Integers = field(repr=False)
    order: str
    lower_bound: float
    cut_short: bool = False

    def effective_sample_size(self) -> float:
        """(sum of coefficients)^2 / D."""
        return float(self.coefficients.sum() ** 2 / self.value)

    def verify(self) -> bool:
        """Whether D follows from the definition; slow, for graphs of some thousand items."""
        return bool(np.isclose(self.value, denominator_of_blocks(self.graph, self.coefficients, self.blocks)))


@dataclass(frozen=True)
class _Candidate:
    """Terms of D by item (the head of a block holds its term), and each item's place in the order of blocks."""

    name: str
    terms: Floats
    places: Integers
    complete: bool = True


def elimination_complexity(
    graph: DependencyGraph,
    coefficients: ArrayLike | None = None,
    *,
    order: Order = "auto",
    exact: bool = False,
) -> EliminationBound:
    """A small elimination bound: the best of several orders, component by component.

    Parameters
    ----------
    graph : DependencyGraph
        Who depends on whom.
    coefficients : array_like of float, shape (n,), optional
        Lipschitz coefficients c_i >= 0, 1 each if not given.
    order : {"auto", "metis", "minimum degree"}
        "auto" uses METIS where pymetis is installed, else minimum degree, and simpler orders beside. On large graphs
        that do not thin out when neighbours are joined (random ones, say), minimum degree stands in for METIS, which
        would take minutes there, and ends early: ``cut_short``.
    exact : bool
        Search all ordered partitions; for components of at most 14 items.

    Examples
    --------
    >>> elimination_complexity(DependencyGraph.from_m_dependence(1000, 1)).value
    3996.0
    """
    weights = check_coefficients(coefficients, graph.n_items)
    if not graph.n_items:
        raise DependenceError("a graph without items", "give at least one item")
    announce(minimum_degree_order, "the search for elimination orders")
    if graph.indices.size > LOCAL_EDGES and not exact:
        walk, _, _ = layers.breadth_first(graph.parts, np.arange(graph.n_items))
        found = _eliminate(graph.renumbered(walk), weights[walk], order, False)
        blocks = np.empty_like(found.blocks)
        blocks[walk] = found.blocks
        return replace(found, graph=graph, coefficients=weights, blocks=blocks)
    return _eliminate(graph, weights, order, exact)


def _eliminate(graph: DependencyGraph, weights: Floats, order: Order, exact: bool) -> EliminationBound:
    component, count = graph.component_labels, graph.n_components
    sizes = np.bincount(component)
    if exact and sizes.max() > LARGEST:
        raise DependenceError(
            f"exact elimination complexity of {int(sizes.max())} connected items",
            f"at most {LARGEST} are possible; leave exact=True out for a bound",
        )
    found = _candidates(graph, weights, order)
    costs = np.array([np.bincount(component, one.terms, minlength=count) for one in found])
    chosen = costs.argmin(axis=0)
    best = costs.min(axis=0)
    places = np.stack([one.places for one in found])[chosen[component], np.arange(graph.n_items)]
    lower = _lower_bounds(graph, weights)
    open_ones = np.flatnonzero((best > lower * (1 + 1e-12)) & (sizes <= (LARGEST if exact else EXACT_SIZE)))
    for label in open_ones if exact else open_ones[:EXACT_COUNT]:
        items = np.flatnonzero(component == label)
        adjacency = graph.subgraph(items).to_scipy().toarray().astype(bool)
        value, blocks = exact_elimination(adjacency, weights[items])
        if value < best[label] * (1 - 1e-12):
            best[label], places[items] = value, blocks
    blocks = np.unique(component * (int(places.max()) + 1) + places, return_inverse=True)[1].ravel()
    name, value = found[int(chosen[int(best.argmax())])].name, float(best.sum())
    if graph.n_items <= DEFINITION_SIZE and order == "auto":
        value, name, blocks = min((value, name, blocks), _of_forest(graph, weights, value), key=lambda one: one[0])
    cut_short = not all(one.complete for one in found)
    return EliminationBound(graph, weights, value, blocks, name, float(lower.sum()), cut_short)


def _of_forest(graph: DependencyGraph, weights: Floats, value: float) -> tuple[float, str, Integers]:
    """The bags of a forest approximation, leaves first: never more than its complexity."""
    forest = forest_complexity(graph, weights)
    if forest.value >= value:
        return np.inf, "forest", forest.bags
    depth, above = np.zeros(forest.parents.size, dtype=np.int64), forest.parents.copy()
    while (above >= 0).any():
        depth += above >= 0
        above = np.where(above >= 0, forest.parents[above], -1)
    rank = np.empty(depth.size, dtype=np.int64)
    rank[np.argsort(-depth, kind="stable")] = np.arange(depth.size)
    blocks = rank[forest.bags]
    return denominator_of_blocks(graph, weights, blocks), "forest", blocks


def _lower_bounds(graph: DependencyGraph, weights: Floats) -> Floats:
    from foretell.dependence.lower_bounds import clique_bounds

    return clique_bounds(graph, weights)


def _candidates(graph: DependencyGraph, weights: Floats, order: Order) -> list[_Candidate]:
    component = graph.component_labels
    first = np.unique(component, return_index=True)[1]
    whole = np.zeros(graph.n_items)
    whole[first] = np.bincount(component, weights) ** 2
    found = [_Candidate("one block", whole, np.zeros(graph.n_items, dtype=np.int64))]
    if not graph.indices.size and np.bincount(graph.clique_items, minlength=1).max() <= 1:
        return found
    reached, _, _ = layers.breadth_first(graph.parts, first)
    last = np.empty(graph.n_components, dtype=np.int64)
    last[component[reached]] = reached
    reached, level, _ = layers.breadth_first(graph.parts, last)
    large = _size(graph) > LARGE
    if order == "metis" or (order == "auto" and _metis_fits(graph)):
        dissected = _metis_order(graph, large)
        if dissected is not None:
            found += _of_order(graph, weights, "METIS", dissected)
    if order == "minimum degree" or len(found) == 1 or (order == "auto" and not large):
        for candidate, complete in _degree_orders(graph):
            found += _of_order(graph, weights, "minimum degree", candidate, complete=complete)
    if not large or order == "auto":
        bags = layers.layer_bags(graph.parts, reached, level)
        found += _of_order(graph, weights, "layers", reached[::-1].copy(), bags)
    if not large:
        found += _of_order(graph, weights, "as given", np.arange(graph.n_items))
    return found


def _size(graph: DependencyGraph) -> int:
    return graph.n_items + graph.indices.size + graph.clique_items.size


def _degree_orders(graph: DependencyGraph) -> Iterator[tuple[Integers, bool]]:
    """Minimum degree, and whether it came to its end; in small graphs ties are also broken by other numberings."""
    limit = max(DEGREE_WORK, DEGREE_WORK_SHARE * _size(graph))
    yield minimum_degree_order(graph.parts, limit)
    if _size(graph) <= SMALL:
        rng = np.random.default_rng(0)
        for _ in range(TRIES):
            shuffled = rng.permutation(graph.n_items)
            found, complete = minimum_degree_order(graph.renumbered(shuffled).parts, limit)
            yield shuffled[found], complete


def _metis_fits(graph: DependencyGraph) -> bool:
    sizes = np.diff(graph.clique_indptr).astype(float)
    pairs = graph.indices.size / 2 + (sizes * (sizes - 1)).sum() / 2
    return importlib.util.find_spec("pymetis") is not None and 50 < pairs <= METIS_PAIRS


def _metis_order(graph: DependencyGraph, large: bool = False) -> Integers | None:
    """Nested dissection by METIS (Karypis and Kumar 1998); None for large graphs without small separators."""
    try:
        import pymetis
    except ImportError:
        raise DependenceError("METIS is not installed", "pip install 'foretell[metis]', or leave order= out") from None
    if graph.n_cliques:
        matrix = graph.to_scipy()
        indptr, indices = matrix.indptr, matrix.indices
    else:
        indptr, indices = graph.indptr, graph.indices
    if large and not thins_out(indptr, indices):
        return None
    adjacency = pymetis.CSRAdjacency(indptr.astype(np.int32), indices.astype(np.int32))
    found, _ = pymetis.nested_dissection(adjacency, options=pymetis.Options(**(METIS_FAST if large else {})))
    return np.asarray(found, dtype=np.int64)


def _of_order(
    graph: DependencyGraph,
    weights: Floats,
    name: str,
    order: Integers,
    bags: Integers | None = None,
    *,
    complete: bool = True,
) -> list[_Candidate]:
    """Bounds of one order: blocks merged with several limits or cut off, and bags of a tree-partition where given."""
    position = np.empty_like(order)
    position[order] = np.arange(order.size)
    parent = kernels.elimination_tree(graph.parts, order, position)
    later = kernels.later_neighbors(graph.parts, order, position, parent, weights)
    own = weights[order]
    component, count = graph.component_labels[order], graph.n_components
    merged = [kernels.amalgamate(parent, own, later, growth) for growth in GROWTH]
    merged.append(kernels.cut_off(own, later, component, count))
    if bags is not None:
        # All of a bag is connected once its last item is there, so that item's later neighbours are the bag's.
        head = np.zeros(order.size, dtype=np.int64)
        np.maximum.at(head, bags[order], np.arange(order.size))
        head = head[bags[order]]
        terms = (np.bincount(head, own, minlength=order.size) + later) ** 2
        merged.append((np.where(head == np.arange(order.size), terms, 0.0), head))
    costs = np.array([np.bincount(component, terms, minlength=count) for terms, _ in merged])
    chosen = costs.argmin(axis=0)[component]
    terms, places = np.empty(order.size), np.empty(order.size, dtype=np.int64)
    for k, (one, head) in enumerate(merged):
        kept = chosen == k
        terms[order[kept]], places[order[kept]] = one[kept], head[kept]
    return [_Candidate(name, terms, places, complete)]


def denominator_of_blocks(graph: DependencyGraph, coefficients: ArrayLike, blocks: ArrayLike) -> float:
    """D of an ordered partition, straight from the definition; slow.

    Parameters
    ----------
    graph : DependencyGraph
        Who depends on whom.
    coefficients : array_like of float, shape (n,)
        Lipschitz coefficients.
    blocks : array_like of int, shape (n,)
        Block of each item; blocks are revealed in increasing order.
    """
    weights, given = check_coefficients(coefficients, graph.n_items), np.asarray(blocks)
    matrix = graph.to_scipy()
    near = [set(matrix.indices[matrix.indptr[i] : matrix.indptr[i + 1]].tolist()) for i in range(graph.n_items)]
    home: dict[int, int] = {}
    parts: dict[int, tuple[set[int], set[int]]] = {}
    total = 0.0
    order = np.argsort(given, kind="stable")
    for block in np.split(order, np.flatnonzero(np.diff(given[order])) + 1):
        own = set(block.tolist())
        around = set().union(*(near[item] for item in own))
        joined = {home[item] for item in around if item in home}
        inside = own.union(*(parts[name][0] for name in joined))
        outside = around.union(*(parts[name][1] for name in joined)) - inside
        # Items of one block that are not connected yet still count as one: C_j is the union of their components.
        total += (weights[list(own)].sum() + weights[list(outside)].sum()) ** 2
        _keep_components(own, near, home, parts)
    return float(total)


def _keep_components(
    own: set[int], near: list[set[int]], home: dict[int, int], parts: dict[int, tuple[set[int], set[int]]]
) -> None:
    """Add the items of a block to the connected components of what was revealed."""
    for item in own:
        inside, outside = {item}, set(near[item])
        for name in {home[other] for other in near[item] if other in home}:
            members, border = parts.pop(name)
            inside |= members
            outside |= border
        parts[item] = inside, outside - inside
        for member in inside:
            home[member] = item
