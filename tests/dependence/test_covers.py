import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from small_graphs import adjacency, latent_law, random_graph

from foretell.dependence import DependencyGraph, clique_lower_bound, fractional_cover


def independent_sets(graph):
    near = networkx.Graph(adjacency(graph))
    found = list(networkx.find_cliques(networkx.complement(near)))
    return np.array([[item in chosen for chosen in found] for item in range(graph.n_items)], dtype=float)


def best_denominator(graph, ranges):
    """Minimum over all mixtures of maximal independent sets, by a general solver."""
    sets = independent_sets(graph)
    count = sets.shape[1]

    def value(x):
        shares = np.exp(x) / np.exp(x).sum()
        return float((ranges**2 / np.maximum(sets @ shares, 1e-12)).sum())

    return min(minimize(value, start).fun for start in (np.zeros(count), np.linspace(-1, 1, count)))


@pytest.mark.parametrize("seed", range(12))
def test_close_to_the_optimum_on_small_graphs(seed):
    rng = np.random.default_rng(seed)
    graph, ranges = random_graph(rng, 8), rng.uniform(0.5, 2, 8)
    found = fractional_cover(graph, ranges)
    assert found.verify()
    best = best_denominator(graph, ranges)
    assert best * (1 - 1e-4) <= found.denominator(ranges) <= best * 1.02
    assert clique_lower_bound(graph, ranges) <= best * (1 + 1e-6)


@given(st.integers(0, 10**6))
@settings(deadline=None, max_examples=30)
def test_weights_are_chances_of_independent_sets(seed):
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, int(rng.integers(1, 20)), cliques=bool(seed % 2))
    cover = fractional_cover(graph, rng.uniform(0, 2, graph.n_items))
    assert cover.verify()
    assert (cover.weights > 0).all()
    near = adjacency(graph)
    for one, other in np.argwhere(near):  # two neighbours are never in one independent set
        assert cover.weights[one] + cover.weights[other] <= 1 + 1e-9


@pytest.mark.parametrize(
    ("graph", "effective"),
    [
        (DependencyGraph.independent(8), 8),
        (DependencyGraph.complete(9), 1),
        (DependencyGraph.from_m_dependence(1000, 10), 1000 / 11 * 0.999),
        (DependencyGraph.from_m_dependence(1000, 1), 500),
        (DependencyGraph.from_edges(5, [(k, (k + 1) % 5) for k in range(5)]), 2),
        (DependencyGraph.from_lattice((32, 32)), 512),
        (DependencyGraph.from_groups([0] * 50 + list(range(1, 951))), 1000**2 / 3450),
        (DependencyGraph.from_ids(np.repeat(range(30), 5), np.tile(range(5), 30)), 5),
    ],
)
def test_known_values(graph, effective):
    assert graph.effective_sample_size() == pytest.approx(effective, rel=2e-3)


@pytest.mark.parametrize("seed", range(4))
def test_two_columns_are_covered_by_matchings(seed):
    rng = np.random.default_rng(seed)
    left, right = rng.integers(0, 5, 14), rng.integers(0, 4, 14)
    graph = DependencyGraph.from_ids(left, right)
    cover = fractional_cover(graph)
    near = best_denominator(graph, np.ones(14))
    assert near * (1 - 1e-3) <= cover.denominator() <= near * 1.02


def test_matchings_of_many_items_between_two_kinds_and_within_one(monkeypatch):
    rng = np.random.default_rng(0)
    size = 30_000
    left, right = rng.integers(0, 500, size), rng.integers(0, 300, size)
    two = fractional_cover(DependencyGraph.from_ids(left, right))
    assert "Koenig" in two.reason
    for column in (left, right):
        assert np.bincount(column, two.weights).max() <= 1 + 1e-9
    one = fractional_cover(DependencyGraph.from_memberships(size, np.tile(np.arange(size), 2), np.r_[left, right]))
    assert "Edmonds" in one.reason
    loads = np.bincount(left, one.weights, minlength=500)
    loads += np.bincount(right, one.weights * (left != right), minlength=500)
    assert loads.max() <= 2 / 3 + 1e-9


def test_latent_objects_allow_more_with_three_columns():
    rng = np.random.default_rng(0)
    columns = [rng.integers(0, 10, 400) for _ in range(3)]
    graph = DependencyGraph.from_ids(*columns)
    finner = fractional_cover(graph, latent=True)
    assert finner.assumptions
    assert finner.effective_sample_size() > fractional_cover(graph).effective_sample_size()
    assert all(np.bincount(column, finner.weights).max() <= 1 + 1e-9 for column in columns)


@pytest.mark.parametrize("seed", range(6))
def test_no_law_breaks_inequality_h(seed):
    """Enumerate laws: log E exp(s sum a X) <= sum v log E exp(s a X / v)."""
    rng = np.random.default_rng(seed)
    graph = DependencyGraph.from_edges(
        5, [[(0, 1), (1, 2), (2, 3), (3, 4)], [(k, (k + 1) % 5) for k in range(5)]][seed % 2]
    )
    a = rng.uniform(0, 1, 5)
    v = fractional_cover(graph, a).weights
    for _ in range(20):
        outcomes, chances = latent_law(graph, rng)
        for s in (-2.0, 0.5, 3.0):
            left = np.log(chances @ np.exp(s * outcomes @ a))
            right = sum(v[i] * np.log(chances @ np.exp(s * a[i] * outcomes[:, i] / v[i])) for i in range(5))
            assert left <= right + 1e-9


def test_weights_that_are_too_large_break_inequality_h():
    """The same test fails for two equal items that both claim to be in the set more than half of the time."""
    outcomes, chances, s, v = np.array([[0, 0], [1, 1]]), np.array([0.5, 0.5]), 1.0, 0.6
    left = np.log(chances @ np.exp(s * outcomes.sum(axis=1)))
    assert left > 2 * v * np.log(chances @ np.exp(s * outcomes[:, 0] / v))


def test_verify_notices_wrong_weights():
    cover = fractional_cover(DependencyGraph.from_m_dependence(20, 2))
    wrong = type(cover)(cover.graph, cover.weights * 1.1, cover.reason, cover.layers)
    assert cover.verify()
    assert not wrong.verify()
