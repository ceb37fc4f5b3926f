"""Forest complexity: the smallest variance proxy that groups of items, arranged as a forest, allow.

**Theorem (forest approximation; form as re-derived from Zhang, Liu, Wang, Wang, NeurIPS 2019, arXiv 1909.02330).**
Let the bags of a partition of the items form a forest F, in the sense that every edge of the dependency graph lies
within a bag or between bags that are adjacent in F. For any f that changes by at most c_i when item i changes, with
s_u = c(bag u),

    P(f - E f >= t) <= exp(-2 t^2 / lambda),   lambda = sum_{uv in E(F)} (s_u + s_v)^2 + sum_trees min_u s_u^2.

The forest complexity is the least lambda. The proof is in the guide, "Bounds and proofs".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from foretell.dependence import layers
from foretell.dependence.covers import check_coefficients
from foretell.dependence.errors import DependenceError
from foretell.dependence.forest_exact import LARGEST, exact_forest
from foretell.dependence.graph import DependencyGraph

if TYPE_CHECKING:
    import networkx

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
WORK = 12_000_000
"""Items and edges, times roots, that the search may look at."""
LOCAL_EDGES = 2_000_000
"""Edges, twice counted, from which renumbering pays."""
EXACT_SIZE, EXACT_COUNT = 9, 200
"""Components of at most so many items are solved exactly, the first so many of them."""


@dataclass(frozen=True)
class ForestApproximation:
    """A partition of the items into bags whose quotient graph is a forest.

    Attributes
    ----------
    value : float
        lambda, the denominator of exp(-2 t^2 / lambda); an upper bound on the forest complexity, or equal to it.
    lower_bound : float
        No forest approximation of the graph has less.
    bags : ndarray of int, shape (n,)
        Bag of each item.
    parents : ndarray of int, shape (number of bags,)
        Parent of each bag in the forest, -1 for roots, which are the smallest bags of their trees.
    """

    graph: DependencyGraph = field(repr=False)
    coefficients: Floats = field(repr=False)
    value: float
    lower_bound: float
    bags: Integers = field(repr=False)
    parents: Integers = field(repr=False)

    @property
    def exact(self) -> bool:
        """Whether the value is certainly the forest complexity."""
        return self.value <= self.lower_bound * (1 + 1e-12)

    @property
    def bag_weights(self) -> Floats:
        """s_u = c(bag u)."""
        return np.bincount(self.bags, self.coefficients, minlength=self.parents.size).astype(np.float64)

    def effective_sample_size(self) -> float:
        """(sum of coefficients)^2 / lambda."""
        return float(self.coefficients.sum() ** 2 / self.value)

    def verify(self) -> bool:
        """Whether edges stay within bags or between neighbouring ones, bags form a forest, and lambda is right."""
        parts = self.graph.parts
        inside = _edges_fit(parts[0], parts[1], parts[4], parts[5], self.bags, self.parents)
        return inside and _is_forest(self.parents) and bool(np.isclose(self.value, self._recomputed(), rtol=1e-9))

    def _recomputed(self) -> float:
        return float(tree_costs(self.parents, self.bag_weights, roots_of(self.parents)).sum())

    def to_networkx(self) -> networkx.Graph[Any]:
        """The forest: nodes are bags, with their items as ``items`` and their weight as ``weight``."""
        import networkx

        forest: networkx.Graph[Any] = networkx.Graph()
        for bag, weight in enumerate(self.bag_weights):
            forest.add_node(bag, items=np.flatnonzero(self.bags == bag).tolist(), weight=float(weight))
        forest.add_edges_from((bag, int(above)) for bag, above in enumerate(self.parents) if above >= 0)
        return forest

    def draw(self, axes: Any = None) -> Any:
        """Draw the graph with its bags; see :func:`foretell.dependence.pictures.draw_forest`."""
        from foretell.dependence.pictures import draw_forest

        return draw_forest(self, axes)


def forest_complexity(
    graph: DependencyGraph, coefficients: ArrayLike | None = None, *, exact: bool = False, seed: int = 0
) -> ForestApproximation:
    """A forest approximation with small complexity, and how small it could be.

    Parameters
    ----------
    graph : DependencyGraph
        Who depends on whom.
    coefficients : array_like of float, shape (n,), optional
        Lipschitz coefficients c_i >= 0, 1 each if not given.
    exact : bool
        Search all forest approximations; for components of at most 14 items.
    seed : int
        Of the roots that are tried.

    Raises
    ------
    DependenceError
        If ``exact`` is asked for a component of more than 14 items, or coefficients are negative or not finite.

    Examples
    --------
    >>> forest_complexity(DependencyGraph.from_m_dependence(5, 1)).value
    17.0
    >>> forest_complexity(DependencyGraph.complete(10)).value
    100.0
    """
    weights = check_coefficients(coefficients, graph.n_items)
    if not graph.n_items:
        raise DependenceError("a graph without items", "give at least one item")
    if graph.indices.size > LOCAL_EDGES and not exact:
        return _renumbered(graph, weights, seed)
    return _forest(graph, weights, exact, seed)


def _renumbered(graph: DependencyGraph, weights: Floats, seed: int) -> ForestApproximation:
    """The same by way of a graph whose items are numbered in the order of a search, which walks memory in order."""
    order, _, _ = layers.breadth_first(graph.parts, np.arange(graph.n_items))
    found = _forest(graph.renumbered(order), weights[order], False, seed)
    bags = np.empty_like(found.bags)
    bags[order] = found.bags
    return ForestApproximation(graph, weights, found.value, found.lower_bound, bags, found.parents)


def _forest(graph: DependencyGraph, weights: Floats, exact: bool, seed: int) -> ForestApproximation:
    sizes = np.bincount(graph.component_labels)
    if exact and sizes.max() > LARGEST:
        raise DependenceError(
            f"exact forest complexity of {int(sizes.max())} connected items",
            f"at most {LARGEST} are possible; leave exact=True out for a bound",
        )
    parents, bags, costs = _best_layers(graph, weights, np.random.default_rng(seed))
    lower = forest_lower_bounds(graph, weights)
    open_ones = np.flatnonzero((costs > lower * (1 + 1e-12)) & (sizes <= (LARGEST if exact else EXACT_SIZE)))
    for component in open_ones if exact else open_ones[:EXACT_COUNT]:
        parents, bags, costs[component] = _solve_exactly(
            graph, weights, int(component), parents, bags, costs[component]
        )
        lower[component] = costs[component]
    return _tidy(graph, weights, parents, bags, float(costs.sum()), float(min(lower.sum(), costs.sum())))


def _best_layers(
    graph: DependencyGraph, weights: Floats, rng: np.random.Generator
) -> tuple[Integers, Integers, Floats]:
    """The best tree-partition of each component over several roots; bags are named by one of their items."""
    component, count = graph.component_labels, graph.n_components
    first = np.unique(component, return_index=True)[1]
    # Everything in one bag is where the search starts.
    bags: Integers = first[component]
    parents = np.full(graph.n_items, -1, dtype=np.int64)
    costs: Floats = np.bincount(component, weights, minlength=count).astype(np.float64) ** 2
    order, _, _ = layers.breadth_first(graph.parts, first)
    size = graph.n_items + graph.indices.size + 2 * graph.clique_items.size
    tries = int(np.clip(WORK // max(size, 1), 1, 24))
    roots = _last_items(component, order)
    for trial in range(tries):
        order, level, source = layers.breadth_first(graph.parts, roots)
        plain = _bags_of(graph, order, level, source)
        for found, above in (plain, _polished(*plain, level, weights)):
            names = np.flatnonzero(np.bincount(found, minlength=graph.n_items))
            local = tree_costs(
                np.where(above[names] >= 0, np.searchsorted(names, above[names]), -1),
                np.bincount(found, weights, minlength=graph.n_items)[names].astype(np.float64),
                component[names],
            )
            better = local < costs
            costs = np.where(better, local, costs)
            bags = np.where(better[component], found, bags)
            parents = np.where(better[component], above, parents)
        if trial + 1 < tries:
            roots = _random_items(component, count, rng) if trial else _last_items(component, order)
    return parents, bags, costs


def _last_items(component: Integers, order: Integers) -> Integers:
    """The last item of each component in an order: the far end of a breadth-first search."""
    last = np.empty(int(component.max()) + 1, dtype=np.int64)
    last[component[order]] = order
    return last


def _random_items(component: Integers, count: int, rng: np.random.Generator) -> Integers:
    chosen = np.empty(count, dtype=np.int64)
    shuffled = rng.permutation(component.size)
    chosen[component[shuffled]] = shuffled
    return chosen


def _bags_of(graph: DependencyGraph, order: Integers, level: Integers, source: Integers) -> tuple[Integers, Integers]:
    """Bags, by name, and the parents of the bags that are named by an item."""
    bags: Integers = layers.layer_bags(graph.parts, order, level)
    own = np.flatnonzero(bags == np.arange(bags.size))
    parents = np.full(graph.n_items, -1, dtype=np.int64)
    parents[own] = np.where(source[own] >= 0, bags[source[own]], -1)
    return bags, parents


def _polished(bags: Integers, parents: Integers, level: Integers, weights: Floats) -> tuple[Integers, Integers]:
    """The same after merging bags where that pays."""
    own = np.flatnonzero(bags == np.arange(bags.size))
    number = np.full(bags.size, -1, dtype=np.int64)
    number[own] = np.arange(own.size)
    above = np.where(parents[own] >= 0, number[parents[own]], -1)
    sizes = np.bincount(bags, weights, minlength=bags.size)[own]
    merged = layers.polish_forest(above, sizes, np.argsort(-level[own], kind="stable"))
    kept = merged == np.arange(own.size)
    fewer = np.full(bags.size, -1, dtype=np.int64)
    fewer[own] = np.where(kept & (above >= 0), own[merged[above]], -1)
    return own[merged[number[bags]]], fewer


def tree_costs(parents: Integers, sizes: Floats, labels: Integers) -> Floats:
    """Complexity of each tree: sum of (s_u + s_v)^2 over its edges plus its smallest s_u^2."""
    count = int(labels.max()) + 1
    below = np.flatnonzero(parents >= 0)
    costs = np.bincount(labels[below], (sizes[below] + sizes[parents[below]]) ** 2, minlength=count)
    smallest = np.full(count, np.inf)
    np.minimum.at(smallest, labels, sizes)
    return np.asarray(costs + np.where(np.isfinite(smallest), smallest, 0.0) ** 2)


def roots_of(parents: Integers) -> Integers:
    """Number of the tree that each bag is in; pointers are doubled until they reach the root."""
    above = np.where(parents >= 0, parents, np.arange(parents.size))
    while True:
        higher = above[above]
        if (higher == above).all():
            break
        above = higher
    return np.asarray(np.unique(above, return_inverse=True)[1].ravel())


def _is_forest(parents: Integers) -> bool:
    """Whether following parents always ends: within as many doublings as the number of bags has digits."""
    above = np.where(parents >= 0, parents, np.arange(parents.size))
    for _ in range(int(parents.size).bit_length() + 1):
        above = above[above]
    return bool((parents[above] < 0).all())


def _edges_fit(
    indptr: Integers, indices: Integers, ends: Integers, members: Integers, bags: Integers, parents: Integers
) -> bool:
    """Edges within bags or between a bag and its parent; a clique's bags are at most two neighbouring ones."""
    one, other = bags[np.repeat(np.arange(indptr.size - 1), np.diff(indptr))], bags[indices]
    if not ((one == other) | (parents[one] == other) | (parents[other] == one)).all():
        return False
    for clique in range(ends.size - 1):
        used = np.unique(bags[members[ends[clique] : ends[clique + 1]]])
        joined = used.size == 1 or (used.size == 2 and (parents[used[0]] == used[1] or parents[used[1]] == used[0]))
        if not joined:
            return False
    return True


def _solve_exactly(
    graph: DependencyGraph, weights: Floats, component: int, parents: Integers, bags: Integers, cost: float
) -> tuple[Integers, Integers, float]:
    items = np.flatnonzero(graph.component_labels == component)
    adjacency = graph.subgraph(items).to_scipy().toarray().astype(bool)
    value, found = exact_forest(adjacency, weights[items])
    if value >= cost * (1 - 1e-12):
        return parents, bags, cost
    parents[items] = -1
    for bag in found:
        bags[items[bag]] = items[bag[0]]
    for k, bag in enumerate(found[1:], 1):
        near = adjacency[bag].any(axis=0)
        above = next(other for other in found[:k] if near[other].any())
        parents[items[bag[0]]] = items[above[0]]
    return parents, bags, value


def _tidy(
    graph: DependencyGraph, weights: Floats, parents: Integers, bags: Integers, value: float, lower: float
) -> ForestApproximation:
    """Number the bags 0, 1, 2, ..."""
    names, numbered = np.unique(bags, return_inverse=True)
    above = parents[names]
    above = np.where(above >= 0, np.searchsorted(names, above), -1)
    numbered = numbered.ravel()
    above = _rooted_at_smallest(above, np.bincount(numbered, weights, minlength=names.size).astype(np.float64))
    return ForestApproximation(graph, weights, value, lower, numbered, above)


def _rooted_at_smallest(parents: Integers, sizes: Floats) -> Integers:
    """Turn the edges of each tree so that its smallest bag is the root."""
    below = np.flatnonzero(parents >= 0)
    tree = roots_of(parents)
    order = np.lexsort((sizes, tree))
    roots = order[np.r_[True, np.diff(tree[order]) > 0]]
    forest = DependencyGraph(parents.size, np.column_stack([below, parents[below]]))
    _, _, source = layers.breadth_first(forest.parts, roots)
    return np.asarray(source)


def forest_lower_bounds(graph: DependencyGraph, weights: Floats) -> Floats:
    """Lower bound for each component; see :mod:`foretell.dependence.lower_bounds`."""
    from foretell.dependence.lower_bounds import forest_lower_bounds as bounds

    return bounds(graph, weights)
