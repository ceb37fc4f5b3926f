import subprocess
import sys
from datetime import timedelta

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from small_graphs import adjacency, random_graph

from foretell.dependence import DependencyGraph
from foretell.dependence.encoding import encode
from foretell.dependence.errors import DependenceError

pairs_of_ten = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=40)


def brute(n, related):
    return np.array([[i != j and bool(related(i, j)) for j in range(n)] for i in range(n)])


@given(pairs_of_ten)
@settings(deadline=None, max_examples=50)
def test_edges_any_order_repeated_or_loops(pairs):
    graph = DependencyGraph.from_edges(10, pairs)
    known = {frozenset(pair) for pair in pairs}
    assert (adjacency(graph) == brute(10, lambda i, j: frozenset((i, j)) in known)).all()
    assert graph.degrees().tolist() == adjacency(graph).sum(axis=1).tolist()
    assert [graph.neighbors(i).tolist() for i in range(10)] == [np.flatnonzero(r).tolist() for r in adjacency(graph)]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 9)), min_size=1, max_size=12))
@settings(deadline=None, max_examples=50)
def test_items_depend_if_they_share_an_object_in_any_column(rows):
    columns = np.array(rows).T
    graph = DependencyGraph.from_ids(*columns)
    n = len(rows)
    assert (adjacency(graph) == brute(n, lambda i, j: (columns[:, i] == columns[:, j]).any())).all()
    assert graph.max_degree == adjacency(graph).sum(axis=1).max()
    parts = networkx.connected_components(networkx.Graph(adjacency(graph)))
    assert sorted(map(sorted, parts)) == sorted(part.tolist() for part in graph.connected_components())


def test_objects_of_different_columns_differ_even_under_one_name():
    assert DependencyGraph.from_ids(["a", "b"], ["b", "a"]).degrees().tolist() == [0, 0]


def test_memberships_join_objects_of_one_kind():
    graph = DependencyGraph.from_memberships(3, [0, 0, 1, 1, 2, 2], [5, 6, 6, 7, 8, 9])
    assert graph.degrees().tolist() == [1, 1, 0]


@given(st.lists(st.floats(0, 20), min_size=1, max_size=15), st.floats(0, 5), st.booleans())
@settings(deadline=None, max_examples=50)
def test_times_within_a_horizon(times, horizon, grouped):
    within = [k % 2 for k in range(len(times))] if grouped else None
    graph = DependencyGraph.from_times(times, horizon, within=within)

    def related(i, j):
        return abs(times[i] - times[j]) <= horizon and (within is None or within[i] == within[j])

    assert (adjacency(graph) == brute(len(times), related)).all()


def test_blocks_of_time_only_add_edges(monkeypatch):
    times = np.random.default_rng(0).uniform(0, 50, 80)
    exact = adjacency(DependencyGraph.from_times(times, 3.0))
    monkeypatch.setattr("foretell.dependence.graph.MAX_PAIRS", 10)
    blocks = DependencyGraph.from_times(times, 3.0)
    assert "blocks" in blocks.notes[-1]
    monkeypatch.undo()
    assert (adjacency(blocks) >= exact).all()


def test_dates():
    days = np.array(["2026-01-01", "2026-01-03", "2026-01-04"], dtype="datetime64[D]")
    assert DependencyGraph.from_times(days, np.timedelta64(1, "D")).degrees().tolist() == [0, 1, 1]
    assert "at most 36 hours apart" in DependencyGraph.from_times(days, timedelta(hours=36)).notes[0]
    for horizon in (1, np.timedelta64(1), np.timedelta64(1, "M")):
        with pytest.raises(DependenceError, match="without a length"):
            DependencyGraph.from_times(days, horizon)


@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 4)])
@pytest.mark.parametrize("neighborhood", ["rook", "queen"])
def test_lattices(shape, neighborhood):
    cells = np.argwhere(np.ones(shape))
    measure = (lambda d: d.sum()) if neighborhood == "rook" else (lambda d: d.max())
    expected = brute(len(cells), lambda i, j: measure(np.abs(cells[i] - cells[j])) == 1)
    assert (adjacency(DependencyGraph.from_lattice(shape, neighborhood=neighborhood)) == expected).all()


def test_periodic_lattice_is_a_torus():
    torus = networkx.to_numpy_array(networkx.grid_2d_graph(4, 5, periodic=True)).astype(bool)
    assert (adjacency(DependencyGraph.from_lattice((4, 5), periodic=True)) == torus).all()


def test_coordinates():
    points = np.random.default_rng(1).random((30, 2))
    expected = brute(30, lambda i, j: np.hypot(*(points[i] - points[j])) <= 0.2)
    assert (adjacency(DependencyGraph.from_coordinates(points, 0.2)) == expected).all()


def test_scipy_and_networkx():
    graph = networkx.petersen_graph()
    matrix = networkx.to_scipy_sparse_array(graph)
    one, other = DependencyGraph.from_networkx(graph), DependencyGraph.from_scipy(sparse.csr_matrix(matrix))
    assert (adjacency(one) == adjacency(other)).all()
    assert networkx.utils.graphs_equal(networkx.Graph(one.to_networkx().edges), networkx.Graph(graph.edges))


@pytest.mark.parametrize("seed", range(5))
def test_union_subgraph_and_renumbering(seed):
    rng = np.random.default_rng(seed)
    one, other = random_graph(rng, 12), random_graph(rng, 12, cliques=True)
    assert (adjacency(one | other) == (adjacency(one) | adjacency(other))).all()
    order = rng.permutation(12)
    assert (adjacency(other.renumbered(order)) == adjacency(other)[np.ix_(order, order)]).all()
    chosen = order[:7]
    assert (adjacency(other.subgraph(chosen)) == adjacency(other)[np.ix_(chosen, chosen)]).all()


@pytest.mark.parametrize("seed", range(5))
def test_colorings_are_proper_and_small(seed):
    graph = random_graph(np.random.default_rng(seed), 15, cliques=True)
    colors, near = graph.coloring(), adjacency(graph)
    assert not (near & (colors[:, None] == colors[None])).any()
    assert colors.max() <= near.sum(axis=1).max()
    assert DependencyGraph.from_m_dependence(60, 4).coloring().max() == 4


@pytest.mark.parametrize("seed", range(5))
def test_neighborhood_sums(seed):
    rng = np.random.default_rng(seed)
    graph, values = random_graph(rng, 15, cliques=True), rng.random(15)
    assert np.allclose(graph.neighborhood_sums(values), adjacency(graph) @ values + values)


def test_notes_name_all_links():
    graph = DependencyGraph.from_ids([1, 1]) | DependencyGraph.from_m_dependence(2, 1)
    assert graph.notes == (
        "sets of items are independent unless some of them share an object or are at most 1 apart in time",
    )
    assert DependencyGraph.independent(3).notes == ("items are independent",)


def test_identifiers_of_many_kinds():
    assert encode([3, 1, 3]).tolist() == [0, 1, 0]
    assert encode(np.array([10**12, 5, 10**12])).tolist() == [0, 1, 0]
    assert encode([("a", 1), "a", ("a", 1)]).tolist() == [0, 1, 0]
    assert encode([1.5, np.nan, np.nan], missing="own").tolist() == [0, 1, 2]
    assert encode(np.array(["2026-01-01", "NaT"], "datetime64[D]"), missing="own").tolist() == [0, 1]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: DependencyGraph.from_edges(3, [(0, 3)]), "outside 0 to 2"),
        (lambda: DependencyGraph.from_edges(3, [(0, -1)]), "outside"),
        (lambda: DependencyGraph.from_edges(3, [(0.5, 1)]), "not whole"),
        (lambda: DependencyGraph.from_edges(3, [(np.nan, 1)]), "not whole"),
        (lambda: DependencyGraph.from_edges(3, [("a", "b")]), "not numbers"),
        (lambda: DependencyGraph.from_edges(3, [(0, 1, 2)]), "shape"),
        (lambda: DependencyGraph.from_edges(-1, []), "items"),
        (lambda: DependencyGraph.from_ids(), "no column"),
        (lambda: DependencyGraph.from_ids([1, None]), "missing in 1 rows, first in row 1"),
        (lambda: DependencyGraph.from_ids([1.0, np.nan]), "missing"),
        (lambda: DependencyGraph.from_ids([1, 2], [1]), "rows"),
        (lambda: DependencyGraph.from_ids([[1], [2]], [{}, 1]), "compared"),
        (lambda: DependencyGraph.from_ids(np.zeros((2, 2))), "dimensions"),
        (lambda: DependencyGraph.from_times([0, np.nan], 1), "missing"),
        (lambda: DependencyGraph.from_times([0, 1], -1), "horizon"),
        (lambda: DependencyGraph.from_times(["x", "y"], 1), "not numbers"),
        (lambda: DependencyGraph.from_m_dependence(5, -1), "m is -1"),
        (lambda: DependencyGraph.from_lattice((0, 3)), "shape"),
        (lambda: DependencyGraph.from_coordinates([[0, np.inf]], 1), "coordinates"),
        (lambda: DependencyGraph.from_coordinates([[0, 1]], np.nan), "radius"),
        (lambda: DependencyGraph.from_scipy(np.eye(2)), "adjacency"),
        (lambda: DependencyGraph.from_scipy(sparse.csr_matrix([[0, np.nan], [0, 0]])), "NaN"),
        (lambda: DependencyGraph.complete(20_000).to_scipy(), "50 million"),
        (lambda: DependencyGraph.independent(2) | DependencyGraph.independent(3), "2 and 3"),
        (lambda: DependencyGraph.independent(0).effective_sample_size(), "without items"),
        (lambda: DependencyGraph.independent(2).effective_sample_size("median"), "median"),
    ],
)
def test_bad_input_is_one_clear_error(make, says):
    with pytest.raises(DependenceError, match=says) as caught:
        make()
    assert "; " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_large_cliques_stay_implicit():
    graph = DependencyGraph.from_ids(np.zeros(100_000), np.arange(100_000) % 1000)
    assert graph.max_degree == 99_999
    assert graph.n_components == 1
    assert graph.effective_sample_size("mean") == pytest.approx(1.0)
    assert graph.effective_sample_size("lipschitz") == pytest.approx(1.0)


def test_empty_graphs():
    assert DependencyGraph.independent(0).connected_components() == []
    assert DependencyGraph.independent(0).degrees().size == 0
    assert DependencyGraph.from_edges(4, []).n_components == 4


def test_torch_is_not_imported():
    code = "import sys, foretell.dependence as d; [getattr(d, n) for n in d.__all__]; assert 'torch' not in sys.modules"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
