import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_graphs import adjacency, atlas, latent_law, partitions, random_graph

from foretell.dependence import DependencyGraph, elimination, elimination_complexity, forest_complexity
from foretell.dependence import elimination_kernels as kernels
from foretell.dependence.contraction import CLUSTER, contracted_edges, thins_out
from foretell.dependence.elimination import denominator_of_blocks
from foretell.dependence.elimination_exact import exact_elimination
from foretell.dependence.errors import DependenceError
from foretell.dependence.lower_bounds import clique_lower_bound
from foretell.dependence.minimum_degree import minimum_degree_order


@pytest.fixture
def heuristic(monkeypatch):
    monkeypatch.setattr(elimination, "EXACT_SIZE", 0)


@given(st.integers(0, 10**6))
@settings(deadline=None, max_examples=60)
def test_column_counts_follow_the_definition(seed):
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, int(rng.integers(2, 14)), cliques=bool(seed % 2))
    weights = rng.integers(0, 5, graph.n_items).astype(float)
    order = rng.permutation(graph.n_items)
    position = np.argsort(order)
    parent = kernels.elimination_tree(graph.parts, order, position)
    later = kernels.later_neighbors(graph.parts, order, position, parent, weights)
    assert ((weights[order] + later) ** 2).sum() == pytest.approx(denominator_of_blocks(graph, weights, position))
    for growth in (0.5, 2.0, np.inf):
        terms, head = kernels.amalgamate(parent, weights[order], later, growth)
        blocks = np.empty(graph.n_items, dtype=int)
        blocks[order] = head
        assert terms.sum() == pytest.approx(denominator_of_blocks(graph, weights, blocks))
        assert terms.sum() <= ((weights[order] + later) ** 2).sum() + 1e-9
    component, count = graph.component_labels[order], graph.n_components
    terms, head = kernels.cut_off(weights[order], later, component, count)
    blocks[order] = head
    assert terms.sum() == pytest.approx(denominator_of_blocks(graph, weights, blocks))
    assert terms.sum() <= (np.bincount(component, weights[order]) ** 2).sum() + 1e-9


@given(st.integers(0, 10**6))
@settings(deadline=None, max_examples=25)
def test_properties(seed):
    rng = np.random.default_rng(seed)
    graph = random_graph(rng, int(rng.integers(1, 25)), cliques=bool(seed % 2))
    weights = rng.integers(0, 4, graph.n_items).astype(float)
    found = elimination_complexity(graph, weights)
    assert found.verify()
    assert clique_lower_bound(graph, weights) <= found.value * (1 + 1e-12)
    assert found.value <= forest_complexity(graph, weights).value * (1 + 1e-12)
    cover = graph.fractional_cover(weights).denominator(weights)
    assert cover <= found.value * (1 + 1e-9)


def test_exact_search_equals_trying_all_ordered_partitions():
    rng = np.random.default_rng(5)
    for _ in range(4):
        graph, weights = random_graph(rng, 5), rng.integers(1, 4, 5).astype(float)
        best = np.inf
        for bags in partitions([*range(5)]):
            for order in permutations_of(len(bags)):
                blocks = np.empty(5, dtype=int)
                for place, bag in zip(order, bags, strict=True):
                    blocks[bag] = place
                best = min(best, denominator_of_blocks(graph, weights, blocks))
        value, blocks = exact_elimination(adjacency(graph), weights)
        assert value == pytest.approx(best)
        assert denominator_of_blocks(graph, weights, blocks) == pytest.approx(best)


def permutations_of(count):
    from itertools import permutations

    return permutations(range(count))


def compare(graphs):
    ratios = []
    for graph in graphs:
        found = elimination_complexity(graph)
        best = exact_elimination(adjacency(graph), np.ones(graph.n_items))[0]
        assert best <= found.value * (1 + 1e-12)
        ratios.append(found.value / best)
    return float(np.mean(ratios))


def test_heuristic_is_within_two_percent_on_all_graphs_of_up_to_six_items(heuristic):
    assert compare(atlas(6)) <= 1.02


@pytest.mark.slow
def test_heuristic_is_within_two_percent_on_all_graphs_of_seven_items_and_random_ones_of_twelve(heuristic):
    rng = np.random.default_rng(0)
    assert compare(atlas(7)) <= 1.02
    assert compare([random_graph(rng, int(rng.integers(8, 13))) for _ in range(150)]) <= 1.02


@pytest.mark.parametrize("seed", range(3))
def test_minimum_degree_gives_permutations(seed):
    rng = np.random.default_rng(seed)
    for size, cliques in ((1, False), (2, True), (40, False), (200, True), (400, False)):
        graph = random_graph(rng, size, cliques)
        for limit in (10**9, 0):
            order, complete = minimum_degree_order(graph.parts, limit)
            assert sorted(order.tolist()) == list(range(size))
            assert complete or limit == 0


def test_joining_neighbours_thins_out_graphs_with_small_separators_and_no_others():
    rng = np.random.default_rng(0)
    tree = DependencyGraph.from_edges(3000, [(k, int(rng.integers(0, k))) for k in range(1, 3000)])
    plane = DependencyGraph.from_coordinates(rng.random((3000, 2)), np.sqrt(10 / np.pi / 3000))
    for graph in (tree, plane, DependencyGraph.from_lattice((50, 60)), DependencyGraph.from_m_dependence(3000, 5)):
        assert thins_out(graph.indptr, graph.indices)
    for degree in (8, 20):
        graph = DependencyGraph.from_edges(20_000, rng.integers(0, 20_000, (10_000 * degree, 2)))
        assert not thins_out(graph.indptr, graph.indices)
    assert contracted_edges(*DependencyGraph.from_m_dependence(CLUSTER, 3).parts[:2]) == 0
    assert contracted_edges(*DependencyGraph.from_m_dependence(2 * CLUSTER, 1).parts[:2]) == 1


@pytest.mark.parametrize("order", ["auto", "metis", "minimum degree"])
def test_large_expanders_get_a_valid_bound_from_a_search_that_ended_early(monkeypatch, order):
    graph = DependencyGraph.from_edges(400, np.random.default_rng(0).integers(0, 400, (4000, 2)))
    weights = np.random.default_rng(1).random(400)
    whole = elimination_complexity(graph, weights, order="minimum degree")
    assert not whole.cut_short
    monkeypatch.setattr(elimination, "LARGE", 1000)
    monkeypatch.setattr(elimination, "thins_out", lambda indptr, indices: False)
    monkeypatch.setattr(elimination, "DEGREE_WORK", 0)
    monkeypatch.setattr(elimination, "DEGREE_WORK_SHARE", 1)
    monkeypatch.setattr(elimination, "DEFINITION_SIZE", 0)
    monkeypatch.setattr(elimination, "LOCAL_EDGES", 100)
    found = elimination_complexity(graph, weights, order=order)
    assert found.cut_short
    assert found.order != "METIS"
    assert found.verify()
    assert whole.lower_bound <= found.value < weights.sum() ** 2


def test_dense_graphs_end_in_one_block():
    graph = DependencyGraph.from_edges(2000, np.random.default_rng(0).integers(0, 2000, (10_000, 2)))
    found = elimination_complexity(graph, order="minimum degree")
    assert found.verify()
    assert found.effective_sample_size() > 2
    assert np.unique(found.blocks, return_counts=True)[1].max() > 800


def test_minimum_degree_eliminates_trees_from_their_leaves():
    rng = np.random.default_rng(0)
    edges = [(k, int(rng.integers(0, k))) for k in range(1, 300)]
    graph = DependencyGraph.from_edges(300, edges)
    assert elimination_complexity(graph, order="minimum degree").value == 4 * 299


def test_metis_beats_natural_order_on_a_lattice():
    pytest.importorskip("pymetis")
    graph = DependencyGraph.from_lattice((40, 40))
    found = elimination_complexity(graph, order="metis")
    assert found.order == "METIS"
    assert found.verify()
    assert found.value < 0.8 * forest_complexity(graph).value


@pytest.mark.parametrize("seed", range(6))
def test_no_law_breaks_the_bound(seed):
    """Enumerate a law with latent coins; log E exp(s (f - E f)) is at most s^2 D / 8 for Lipschitz f."""
    rng = np.random.default_rng(seed)
    shapes = [[(0, 1), (1, 2)], [(0, 1), (1, 2), (2, 3)], [(0, 1), (1, 2), (2, 3), (3, 0)], [(0, 1), (0, 2), (0, 3)],
              [(0, 1), (1, 2), (2, 0), (2, 3)], [(0, 1), (2, 3), (3, 4)]]  # fmt: skip
    size = 1 + max(max(edge) for edge in shapes[seed])
    graph = DependencyGraph.from_edges(size, shapes[seed])
    weights = rng.integers(1, 3, size).astype(float)
    value = elimination_complexity(graph, weights, exact=True).value
    worst = 0.0
    for _ in range(30):
        outcomes, chances = latent_law(graph, rng)
        # The largest function with these Lipschitz constants through random values at a few outcomes.
        anchors = outcomes[rng.integers(0, len(outcomes), 3)]
        apart = (outcomes[:, None] != anchors[None]) @ weights
        f = (apart + rng.uniform(0, weights.sum(), 3)).min(axis=1)
        centred = f - chances @ f
        for s in (-1.0, -0.3, 0.3, 1.0):
            worst = max(worst, 8 * np.log(chances @ np.exp(s * centred)) / s**2)
    assert 0 < worst <= value


def test_a_bound_that_forgets_one_neighbour_is_broken_by_some_law():
    """The test above would notice a wrong bound: sums of copies reach c(B) + c(N) squared in a pair."""
    graph = DependencyGraph.from_edges(2, [(0, 1)])
    outcomes, chances = np.array([[0, 0], [1, 1]]), np.array([0.5, 0.5])
    centred = outcomes.sum(axis=1) - chances @ outcomes.sum(axis=1)
    reached = 8 * np.log(chances @ np.exp(0.1 * centred)) / 0.01
    assert 1 + 1 < reached <= elimination_complexity(graph).value == 4


def test_large_graphs_are_renumbered(monkeypatch):
    rng = np.random.default_rng(2)
    graph = random_graph(rng, 60)
    plain = elimination_complexity(graph).value
    monkeypatch.setattr(elimination, "LOCAL_EDGES", 10)
    found = elimination_complexity(graph)
    assert found.verify()
    assert found.value <= 1.1 * plain


def test_without_metis(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setitem(__import__("sys").modules, "pymetis", None)
    graph = DependencyGraph.from_lattice((20, 20))
    assert elimination_complexity(graph).verify()
    with pytest.raises(DependenceError, match="foretell\\[metis\\]"):
        elimination_complexity(graph, order="metis")


def test_exact_search_refuses_large_components():
    with pytest.raises(DependenceError, match="at most 14"):
        elimination_complexity(DependencyGraph.complete(15), exact=True)
