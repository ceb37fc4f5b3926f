import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_graphs import adjacency, atlas, forest_cost, partitions, random_graph

from foretell.dependence import DependencyGraph, forest, forest_complexity
from foretell.dependence.errors import DependenceError
from foretell.dependence.forest_exact import exact_forest
from foretell.dependence.lower_bounds import clique_lower_bound


@pytest.fixture
def heuristic(monkeypatch):
    """Leave exact search out, so that what is tested is the search of layers."""
    monkeypatch.setattr(forest, "EXACT_SIZE", 0)


@pytest.mark.parametrize("seed", range(8))
def test_exact_search_equals_trying_all_partitions(seed):
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, 6)
    weights = rng.integers(1, 4, 6).astype(float) if seed % 2 else np.ones(6)
    found = exact_forest_of(graph, weights)
    assert found == pytest.approx(min(forest_cost(adjacency(graph), bags, weights) for bags in partitions([*range(6)])))


def exact_forest_of(graph, weights):
    parts = [graph.subgraph(items) for items in graph.connected_components()]
    pieces = [weights[items] for items in graph.connected_components()]
    return sum(exact_forest(adjacency(part), piece)[0] for part, piece in zip(parts, pieces, strict=True))


def test_heuristic_against_all_graphs_of_up_to_six_items(heuristic):
    ratios = []
    for graph in atlas(6):
        found, best = forest_complexity(graph), exact_forest(adjacency(graph), np.ones(graph.n_items))[0]
        assert found.verify()
        assert found.lower_bound <= best <= found.value
        ratios.append(found.value / best)
    assert np.mean(ratios) < 1.03


@pytest.mark.slow
def test_heuristic_against_all_graphs_of_seven_items_and_random_ones_of_twelve(heuristic):
    rng = np.random.default_rng(0)
    ratios = []
    for graph in atlas(7) + [random_graph(rng, int(rng.integers(8, 13))) for _ in range(60)]:
        found, best = forest_complexity(graph), exact_forest_of(graph, np.ones(graph.n_items))
        assert found.lower_bound <= best * (1 + 1e-9) <= found.value * (1 + 2e-9)
        ratios.append(found.value / best)
    assert np.mean(ratios) < 1.03


@pytest.mark.parametrize(
    ("graph", "value"),
    [
        (DependencyGraph.independent(7), 7),
        (DependencyGraph.complete(9), 81),
        (DependencyGraph.from_groups([0, 0, 0, 1, 1, 2]), 9 + 4 + 1),
        (DependencyGraph.from_m_dependence(50, 1), 4 * 50 - 3),
        (DependencyGraph.from_m_dependence(2, 1), 4),
        (DependencyGraph.from_edges(5, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)]), 25),
        (DependencyGraph.from_edges(20, [(k, (k + 1) % 20) for k in range(20)]), 8 * 20 - 13),
        (DependencyGraph.from_edges(21, [(k, (k + 1) % 21) for k in range(21)]), 8 * 21 - 14),
        (DependencyGraph.from_lattice((3, 3)), 69),
        (DependencyGraph.from_lattice((4, 4)), 167),
        (DependencyGraph.from_lattice((12, 12)), 1 + 2 * sum((2 * k + 1) ** 2 for k in range(1, 12))),
    ],
)
def test_closed_forms(graph, value):
    assert forest_complexity(graph).value == value


@pytest.mark.parametrize("m", [2, 5, 10])
def test_m_dependence_stays_below_its_closed_form(m):
    assert forest_complexity(DependencyGraph.from_m_dependence(200, m)).value <= 4 * m * 200 - 3 * m * m


@given(st.integers(0, 10**6))
@settings(deadline=None, max_examples=30)
def test_properties(seed):
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, int(rng.integers(1, 25)), cliques=bool(seed % 2))
    weights = rng.integers(0, 4, graph.n_items).astype(float)
    found = forest_complexity(graph, weights)
    assert found.verify()
    assert clique_lower_bound(graph, weights) <= found.value * (1 + 1e-12)
    assert forest_complexity(graph, 3 * weights).value == pytest.approx(9 * found.value)
    assert found.value <= sum(weights[items].sum() ** 2 for items in graph.connected_components()) * (1 + 1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_exact_value_is_invariant_and_grows_with_edges(seed):
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, 7)
    order = rng.permutation(7)
    value = forest_complexity(graph, exact=True).value
    assert forest_complexity(graph.renumbered(order), exact=True).value == value
    assert forest_complexity(graph | random_graph(rng, 7), exact=True).value >= value


def test_verify_notices_wrong_forests():
    good = forest_complexity(DependencyGraph.from_m_dependence(12, 1))
    one_bag_moved = good.bags.copy()
    one_bag_moved[0], one_bag_moved[6] = one_bag_moved[6], one_bag_moved[0]
    for change in ({"bags": one_bag_moved}, {"value": good.value - 1}, {"parents": np.roll(good.parents, 1)}):
        assert not forest.ForestApproximation(**{**vars(good), **change}).verify()


def test_a_cycle_of_bags_is_no_forest():
    graph = DependencyGraph.from_edges(3, [(0, 1), (1, 2), (2, 0)])
    ring = forest.ForestApproximation(graph, np.ones(3), 12.0, 1.0, np.arange(3), np.array([1, 2, 0]))
    assert not ring.verify()


def test_large_graphs_are_renumbered_and_cliques_work_the_same(monkeypatch):
    rng = np.random.default_rng(3)
    ids = rng.integers(0, 60, 300), rng.integers(0, 60, 300)
    implicit = DependencyGraph.from_ids(*ids)
    spelled = DependencyGraph.from_scipy(implicit.to_scipy())
    assert forest_complexity(implicit).verify()
    value = forest_complexity(spelled).value
    monkeypatch.setattr(forest, "LOCAL_EDGES", 10)
    renumbered = forest_complexity(spelled)
    assert renumbered.verify()
    assert renumbered.value <= 1.2 * value


def test_export_and_drawing():
    found = forest_complexity(DependencyGraph.from_lattice((4, 4)))
    tree = found.to_networkx()
    assert sum(len(items) for items in dict(tree.nodes(data="items")).values()) == 16
    pytest.importorskip("matplotlib")
    assert "complexity 167" in found.draw().get_title()
    with pytest.raises(DependenceError, match="drawing"):
        forest_complexity(DependencyGraph.from_m_dependence(3000, 1)).draw()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: forest_complexity(DependencyGraph.complete(15), exact=True), "at most 14"),
        (lambda: forest_complexity(DependencyGraph.complete(3), [1, -1, 1]), "negative"),
        (lambda: forest_complexity(DependencyGraph.complete(3), [1, np.nan, 1]), "NaN"),
        (lambda: forest_complexity(DependencyGraph.complete(3), [1, 1]), "shape"),
        (lambda: forest_complexity(DependencyGraph.independent(0)), "without items"),
    ],
)
def test_bad_input(call, says):
    with pytest.raises(DependenceError, match=says):
        call()
