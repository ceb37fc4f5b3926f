"""Fractional covers by independent sets: the key to bounds on sums of dependent items.

Let A be a random independent set of the dependency graph, and v_i a lower bound on the probability that item i is in A.
Then for independent-set weights v and any coefficients a_i >= 0,

    log E exp(s sum_i a_i X_i)  <=  sum_i v_i log E exp(s a_i X_i / v_i).                                     (H)

Proof. First let P(i in A) = v_i exactly. Then sum_i a_i X_i = sum_A P(A) sum_{i in A} (a_i / v_i) X_i. By Hoelder's
inequality with exponents 1 / P(A),

    E exp(s sum_i a_i X_i) <= prod_A ( E exp(s sum_{i in A} (a_i / v_i) X_i) )^P(A),

and the items of an independent set A are independent, so that the inner expectation is a product over i in A.
Collecting the terms of item i gives (H). Subsets of independent sets are independent, so a smaller v_i is the
probability for another random set. []

With Hoeffding's lemma, the sum of a_i X_i, with X_i in intervals of length r_i, exceeds its mean by t with
probability at most exp(-2 t^2 / D), D = sum_i (a_i r_i)^2 / v_i. Equal weights v_i = 1 / chi_f, the fractional
chromatic number, give Janson's Theorem 2.1 (2004); unequal ones are never worse, and (H) gives Bernstein's, Bennett's
and the kl inequality with n / chi_f in the place of n and without further constants. Components of the graph are
independent, so they are covered one by one. Finner's inequality (1992) is (H) for weights v with sum at most 1 over
the items of each object; it needs items to be functions of independent objects, and then no colouring at all.

**For sums, covers are never worse than elimination or forests.** Give item i an exponential clock of rate c_i and let
A be the items that ring before all their neighbours: v_i = c_i / c(N[i]) (Caro and Wei, with weights), and
D = sum_i c_i c(N[i]) = sum_i c_i^2 + 2 sum_{ij in E} c_i c_j. Every edge of G lies within a block of an elimination
order or between a block and its later neighbours, so the right-hand side is at most sum_j (c(B_j) + c(N_j))^2. []
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from foretell.compilation import announce
from foretell.dependence import independent_sets as sets
from foretell.dependence.errors import DependenceError
from foretell.dependence.graph import MAX_PAIRS, DependencyGraph

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
PEEL_EDGES = 3_000_000
"""Graphs with more edges are coloured in fewer ways."""
POLISH_ITEMS, POLISH_EDGES, POLISH_COLORINGS = 12_000, 200_000, 6
"""Sizes up to which mixtures of many independent sets are searched, and colourings to start from."""
POLISH_ROUNDS, POLISH_STEPS = 12, 12
SLACK = 1e-12


@dataclass(frozen=True)
class Layer:
    """One colouring of a mixture: in each component by itself, the random set is a class with its ``chance``.

    ``labels`` is -1 for items of no class; ``chance`` is the same for all items of a class in one component.
    """

    labels: Integers
    chance: Floats


@dataclass(frozen=True)
class FractionalCover:
    """Independent-set weights of a graph, and how to see that they are valid.

    Attributes
    ----------
    weights : ndarray of float, shape (n,)
        v_i, a probability with which item i is in a random independent set.
    reason : str
        Why they are valid.
    layers : tuple of Layer
        The random set, where it is a mixture of colourings.
    assumptions : tuple of str
        What is assumed beyond the dependency graph.
    """

    graph: DependencyGraph = field(repr=False)
    weights: Floats = field(repr=False)
    reason: str
    layers: tuple[Layer, ...] = field(repr=False, default=())
    assumptions: tuple[str, ...] = ()

    def denominator(self, coefficients: ArrayLike | None = None) -> float:
        """D of exp(-2 t^2 / D) for a sum whose terms have ranges ``coefficients`` (1 each if not given)."""
        ranges = check_coefficients(coefficients, self.graph.n_items)
        return float((ranges**2 / self.weights).sum())

    def verify(self) -> bool:
        """Whether the weights of a mixture are what its independent sets say; costs a pass over all edges per set."""
        if not self.layers:
            return bool((self.weights > 0).all() and (self.weights <= 1).all())
        matrix = self.graph.to_scipy()
        indptr, indices = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64)
        component = self.graph.component_labels
        spent = np.zeros(self.graph.n_components)
        for layer in self.layers:
            if not sets.is_proper(indptr, indices, layer.labels):
                return False
            members = np.flatnonzero(layer.labels >= 0)
            _, first = np.unique(
                component[members] * (self.graph.n_items + 1) + layer.labels[members], return_index=True
            )
            spent += np.bincount(component[members[first]], layer.chance[members[first]], spent.size)
        total = sum(np.where(layer.labels >= 0, layer.chance, 0.0) for layer in self.layers)
        return bool((spent <= 1 + 1e-9).all() and (self.weights <= total * (1 + 1e-9)).all())

    def effective_sample_size(self, coefficients: ArrayLike | None = None) -> float:
        """(sum of ranges)^2 / D: n for independent items with equal ranges."""
        ranges = check_coefficients(coefficients, self.graph.n_items)
        return float(ranges.sum() ** 2 / self.denominator(ranges))


def check_coefficients(coefficients: ArrayLike | None, n_items: int) -> Floats:
    """Coefficients as an array; ones if not given."""
    if coefficients is None:
        return np.ones(n_items)
    values = np.asarray(coefficients, dtype=float)
    if values.shape != (n_items,):
        raise DependenceError(f"coefficients of shape {values.shape}", f"give one for each of the {n_items} items")
    if not np.isfinite(values).all() or (values < 0).any():
        raise DependenceError("coefficients that are negative, NaN or infinite", "give numbers of 0 or more")
    return values


def fractional_cover(
    graph: DependencyGraph,
    coefficients: ArrayLike | None = None,
    *,
    latent: bool = False,
    seed: int = 0,
) -> FractionalCover:
    """Independent-set weights with a small denominator, found component by component.

    Parameters
    ----------
    graph : DependencyGraph
        Who depends on whom.
    coefficients : array_like of float, shape (n,), optional
        Ranges of the terms of the sum, 1 each if not given.
    latent : bool
        Assume that items are functions of independent objects (one for each clique) and things of their own. This is
        stronger than what a dependency graph says, and allows Finner's inequality for three and more columns.
    seed : int
        Of the orders in which items are coloured.

    Returns
    -------
    FractionalCover
        Weights that are valid whatever the search found; only their quality is heuristic.

    Examples
    --------
    >>> round(fractional_cover(DependencyGraph.from_m_dependence(12, 2)).effective_sample_size(), 6)
    4.0
    >>> fractional_cover(DependencyGraph.from_groups([0] * 50 + list(range(1, 951)))).denominator()
    3450.0
    """
    ranges = check_coefficients(coefficients, graph.n_items)
    if _disjoint(graph):
        sizes = np.ones(graph.n_items)
        sizes[graph.clique_items] = np.repeat(np.diff(graph.clique_indptr), np.diff(graph.clique_indptr))
        reason = "groups are independent" if graph.n_cliques else "items are independent"
        return FractionalCover(graph, 1 / sizes, reason)
    announce(sets.heavy_independent_set, "the search for independent sets")
    matching = _matching(graph, ranges, latent)
    choices = [_caro_wei(graph, ranges) if matching is None else matching]
    if matching is None or graph.n_items <= 20_000:
        mixture = _coloring(graph, ranges, np.random.default_rng(seed))
        choices += [mixture] if mixture is not None else []
    return min(choices, key=lambda cover: cover.denominator(ranges))


def _disjoint(graph: DependencyGraph) -> bool:
    return not graph.indices.size and np.bincount(graph.clique_items, minlength=1).max() <= 1


def _caro_wei(graph: DependencyGraph, ranges: Floats) -> FractionalCover:
    """Items whose clock, of rate c_i, rings before those of all neighbours: probability c_i / c(N[i])."""
    rates = np.maximum(ranges, 1e-12 * ranges.max(initial=0.0) + 1e-300)
    around = graph.neighborhood_sums(rates)
    return FractionalCover(graph, rates / around, "items that come first in a random order (Caro and Wei)")


def _matching(graph: DependencyGraph, ranges: Floats, latent: bool) -> FractionalCover | None:
    """Weights that sum to at most 1 over the items of each object.

    If no item has more than two objects, items are edges between objects and independent sets are matchings. Between
    two kinds of objects (a bipartite graph) every fractional matching is a mixture of matchings (Birkhoff, Koenig);
    in any graph two thirds of it is one, because Edmonds' condition on an odd set S of objects asks for (|S| - 1) / 2,
    the fractional matching gives |S| / 2, and |S| is at least 3.
    """
    indptr, cliques = graph.item_cliques
    if graph.indices.size or not graph.n_cliques:
        return None
    counts = np.diff(indptr)
    if counts.max() > 2 and not latent:
        return None
    weights = sets.fractional_matching(graph.n_cliques, indptr, cliques, ranges, 60)
    weights = np.maximum(weights, 1e-300)
    if latent:
        assumption = "items are functions of independent objects and of things of their own"
        return FractionalCover(graph, weights, "a fractional matching of objects (Finner)", (), (assumption,))
    if _two_sided(graph.n_cliques, indptr, cliques):
        return FractionalCover(graph, weights, "a fractional matching between two kinds of objects (Koenig)")
    return FractionalCover(graph, weights * (2 / 3), "two thirds of a fractional matching of objects (Edmonds)")


def _two_sided(n_cliques: int, indptr: Integers, cliques: Integers) -> bool:
    """Whether objects fall into two kinds so that no item has two of one kind."""
    double = np.flatnonzero(np.diff(indptr) == 2)
    left, right = cliques[indptr[double]], cliques[indptr[double] + 1]
    # Two copies of each object; an edge crosses over. An odd cycle is what connects an object to its own copy.
    rows, columns = np.r_[left, left + n_cliques], np.r_[right + n_cliques, right]
    matrix = sparse.csr_matrix((np.ones(rows.size, np.int8), (rows, columns)), shape=(2 * n_cliques,) * 2)
    labels = connected_components(matrix, directed=False)[1]
    return bool((labels[:n_cliques] != labels[n_cliques:]).all())


def _coloring(graph: DependencyGraph, ranges: Floats, rng: np.random.Generator) -> FractionalCover | None:
    """The best colouring of each component, and mixtures of more independent sets where there is time."""
    sizes = np.diff(graph.clique_indptr).astype(float)
    if (sizes * (sizes - 1)).sum() / 2 + graph.indices.size / 2 > MAX_PAIRS / 2:
        return None
    matrix = graph.to_scipy()
    indptr, indices = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64)
    component = graph.component_labels
    best = np.full(graph.n_components, np.inf)
    labels, chance = np.zeros(graph.n_items, np.int64), np.zeros(graph.n_items)
    colorings = _colorings(indptr, indices, rng)
    for colors in colorings:
        found = _class_chances(component, colors, ranges)
        value = np.bincount(component, ranges**2 / found, minlength=graph.n_components)
        better = (value < best)[component]
        best = np.minimum(best, value)
        labels[better], chance[better] = colors[better], found[better]
    if graph.n_items > POLISH_ITEMS or indices.size > POLISH_EDGES:
        return FractionalCover(graph, chance, "the classes of a colouring", (Layer(labels, chance),))
    layers, weights = _polish(indptr, indices, component, [labels, *colorings], ranges)
    better = (np.bincount(component, ranges**2 / weights) < best)[component]
    layers = [Layer(np.where(better, layer.labels, -1), layer.chance) for layer in layers]
    layers.append(Layer(np.where(better, -1, labels), chance))
    weights = np.where(better, weights, chance)
    return FractionalCover(graph, weights, "a mixture of independent sets", tuple(layers))


def _colorings(indptr: Integers, indices: Integers, rng: np.random.Generator) -> list[Integers]:
    size = indptr.size - 1
    orders = [np.arange(size), sets.smallest_last_order(indptr, indices)]
    if indices.size <= PEEL_EDGES:
        orders.append(np.argsort(-np.diff(indptr), kind="stable"))
    found: list[Integers] = [sets.greedy_coloring(indptr, indices, order) for order in orders]
    if indices.size <= PEEL_EDGES:
        for _ in range(8 if indices.size < PEEL_EDGES // 10 else 2):
            found.append(sets.peeled_coloring(indptr, indices, rng.permutation(size)))
    return found


def _class_chances(component: Integers, colors: Integers, ranges: Floats) -> Floats:
    """Probabilities q of the classes of each component that minimise sum_j ||r_j||^2 / q_j: proportional to ||r_j||."""
    key = component * (int(colors.max()) + 1) + colors
    _, member = np.unique(key, return_inverse=True)
    norms = np.sqrt(np.bincount(member, ranges**2)) + 1e-150
    totals = np.zeros(int(component.max()) + 1)
    first = np.full(norms.size, -1)
    first[member] = component
    np.add.at(totals, first, norms)
    return np.asarray(norms[member] / totals[component])


def _polish(
    indptr: Integers, indices: Integers, component: Integers, colorings: list[Integers], ranges: Floats
) -> tuple[list[Layer], Floats]:
    """Minimise sum_i r_i^2 / v_i over mixtures of independent sets, in each component by itself.

    Starts from the classes of all colourings, made maximal. Shares are improved by the multiplicative algorithm of
    optimal design (share times the square root of its gain, which never makes things worse), and sets that would gain
    most are added (column generation, with a greedy search for them).
    """
    heavy = sets.heavy_independent_set
    chosen = [
        heavy(indptr, indices, np.where(colors == color, 1.0, 1e-9))
        for colors in colorings[:POLISH_COLORINGS]
        for color in range(int(colors.max()) + 1)
    ]
    members = np.unique(np.array(chosen, dtype=bool), axis=0).astype(float)
    starts = np.flatnonzero(np.r_[True, np.diff(np.sort(component)) > 0])
    order = np.argsort(component, kind="stable")
    members = members[:, order]
    home = component[order]
    squares = np.maximum(ranges[order], 1e-4 * ranges.max(initial=0.0)) ** 2 + 1e-300
    shares = np.full((len(members), starts.size), 1 / len(members))
    for _ in range(POLISH_ROUNDS):
        weights = _improve(members, shares, home, starts, squares)
        gain = np.empty(component.size)
        gain[order] = squares / weights**2
        fresh = heavy(indptr, indices, gain)[order].astype(float)
        members = np.vstack([members, fresh])
        shares = np.vstack([shares * 0.98, np.full((1, starts.size), 0.02)])
    _improve(members, shares, home, starts, squares)
    useful = shares.max(axis=1) > 1e-7
    members, shares = members[useful], shares[useful]
    weights = np.empty(component.size)
    weights[order] = (members * shares[:, home]).sum(axis=0) * (1 - SLACK)
    back = np.argsort(order)
    layers = [
        Layer(np.where(row > 0, 0, -1)[back], (row * share[home])[back])
        for row, share in zip(members, shares, strict=True)
    ]
    return layers, weights


def _improve(members: Floats, shares: Floats, home: Integers, starts: Integers, squares: Floats) -> Floats:
    """Multiplicative steps on the shares, in place; return the weights."""
    for _ in range(POLISH_STEPS):
        weights = (members * shares[:, home]).sum(axis=0)
        gains = np.add.reduceat(members * (squares / weights**2), starts, axis=1)
        shares *= np.sqrt(gains)
        shares /= shares.sum(axis=0)
    return np.asarray((members * shares[:, home]).sum(axis=0))
