import math

import numpy as np
import pytest
from networked import graphs, oracles

from foretell.networked import fractional_matching, fractional_matching_number, matching, networked_weights
from foretell.networked.graph import PairGraph
from foretell.networked.matchings import _by_linear_program
from foretell.networked.minimum_norm import minimum_norm_matching


@pytest.mark.parametrize(
    ("pairs", "number"),
    [
        (graphs.star(7), 1.0),
        (graphs.complete(7), 3.5),
        (graphs.complete(8), 4.0),
        (graphs.complete(2), 1.0),
        (graphs.complete_bipartite(3, 5), 3.0),
        (graphs.path(7), 3.0),
        (graphs.path(8), 4.0),
        (graphs.cycle(7), 3.5),
        (graphs.cycle(8), 4.0),
        (graphs.disjoint(6), 6.0),
        (graphs.hub(9), 10.0),
        (PairGraph.from_edges([0, 0], [0, 1]), 1.0),
        (PairGraph.from_edges([0, 0, 0], [1, 1, 1]), 1.0),
    ],
)
def test_closed_forms(pairs, number):
    assert fractional_matching_number(pairs) == number


@pytest.mark.parametrize("seed", range(150))
def test_equal_to_the_linear_program(seed):
    pairs = graphs.random_pairs(seed)
    found = fractional_matching(pairs)
    assert math.isclose(found.number, oracles.fractional_number(pairs), rel_tol=1e-9)
    assert pairs.loads(found.weights).max() <= 1
    assert np.isin(found.weights, [0, 0.5, 1]).all()
    # The cover proves that there is no larger one.
    assert math.isclose(found.cover.sum(), found.number)
    assert (np.append(found.cover, 0)[pairs.members].sum(axis=1) >= 1).all()


@pytest.mark.parametrize("seed", range(40))
def test_bipartite_matchings_are_whole_and_proved(seed):
    rng = np.random.default_rng(seed)
    pairs = PairGraph.from_edges(rng.integers(0, 8, 20), rng.integers(0, 6, 20), bipartite=True)
    found = fractional_matching(pairs)
    assert np.isin(found.weights, [0, 1]).all()
    assert found.cover.sum() == found.number == matching(pairs).sum()
    assert math.isclose(found.number, oracles.fractional_number(pairs), rel_tol=1e-9)


@pytest.mark.parametrize("seed", range(40))
def test_hyperedges_by_linear_program(seed):
    pairs = graphs.random_pairs(seed, arity=3)
    found = fractional_matching(pairs)
    assert math.isclose(found.number, oracles.fractional_number(pairs), rel_tol=1e-7)
    assert pairs.loads(found.weights).max() <= 1 + 1e-12
    chosen = matching(pairs)
    assert pairs.loads(chosen).max() <= 1
    assert chosen.sum() <= found.number + 1e-9


@pytest.mark.parametrize("seed", range(60))
def test_matchings_are_maximal_and_large(seed):
    networkx = pytest.importorskip("networkx")
    pairs = graphs.random_pairs(seed)
    chosen = matching(pairs)
    assert np.isin(chosen, [0, 1]).all()
    loads = pairs.loads(chosen)
    assert loads.max() <= 1
    busy = np.append(loads > 0, False)
    assert busy[pairs.members].any(axis=1).all()
    graph = networkx.Graph([tuple(row) for row in pairs.members.tolist()])
    graph.add_edges_from((v, f"alone {v}") for v in pairs.members[pairs.sizes == 1, 0].tolist())
    graph.remove_nodes_from([pairs.n_objects])
    exact = len(networkx.max_weight_matching(graph, maxcardinality=True))
    assert 2 / 3 * fractional_matching_number(pairs) - 1e-9 <= chosen.sum() <= exact


@pytest.mark.parametrize("seed", range(60))
def test_minimum_norm(seed):
    pairs = graphs.random_pairs(seed, arity=2 + seed % 2)
    found = fractional_matching(pairs)
    weights = minimum_norm_matching(pairs, found, tolerance=1e-8)
    assert weights.min() >= 0
    assert pairs.loads(weights).max() <= 1 + 1e-12
    assert math.isclose(weights.sum(), found.number, rel_tol=1e-6)
    assert weights @ weights <= found.weights @ found.weights + 1e-6
    # The nearest point of a convex set to 0: no other member lies on this side of the plane through it.
    cover = found.cover
    for direction in np.random.default_rng(seed).random((5, pairs.n_pairs)):
        other = _member(pairs, cover, direction)
        assert weights @ other >= weights @ weights - 1e-5


def _member(pairs, cover, direction):
    """Some other maximum fractional matching: a vertex in a random direction, by linear programming."""
    from scipy.optimize import linprog

    result = linprog(
        direction, A_ub=pairs.incidence, b_ub=np.ones(pairs.n_objects), A_eq=np.ones((1, pairs.n_pairs)),
        b_eq=[cover.sum()], method="highs",
    )  # fmt: skip
    return result.x if result.x is not None else _by_linear_program(pairs).weights


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        (graphs.complete(6), np.full(15, 1 / 5)),
        (graphs.star(4), np.full(4, 1 / 4)),
        (graphs.cycle(5), np.full(5, 1 / 2)),
        (graphs.disjoint(3), np.ones(3)),
        (graphs.complete_bipartite(2, 3), np.full(6, 1 / 3)),
        (graphs.path(4), np.array([1.0, 0.0, 1.0])),
    ],
)
def test_minimum_norm_closed_forms(pairs, expected):
    weights = minimum_norm_matching(pairs, fractional_matching(pairs), tolerance=1e-9)
    assert np.allclose(weights, expected, atol=1e-6)


def test_maxdeg_is_always_a_fractional_matching():
    for seed in range(60):
        pairs = graphs.random_pairs(seed, arity=2 + seed % 3)
        weights = networked_weights(pairs, "maxdeg")
        feasible = weights / weights.max() / pairs.degree[pairs.degree > 0].min()
        degrees = np.append(pairs.degree, 0)[pairs.members].max(axis=1)
        assert np.allclose(weights * degrees, weights[0] * degrees[0])
        assert pairs.loads(1 / degrees).max() <= 1 + 1e-12
        assert feasible.min() > 0


def test_many_repeats_of_a_pair():
    pairs = PairGraph.from_edges(np.zeros(1000, dtype=int), np.ones(1000, dtype=int))
    assert fractional_matching_number(pairs) == 1.0
    assert matching(pairs).sum() == 1.0
    assert np.allclose(networked_weights(pairs, "fractional"), 1.0)
