import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networked import graphs
from scipy import sparse

from foretell.errors import ForetellError
from foretell.networked import PairGraph, PairsError, networked_weights
from foretell.networked.graph import as_pairs


def test_edges_of_numbers():
    pairs = PairGraph.from_edges([0, 0, 3], [1, 2, 0])
    assert pairs.n_objects == 4
    assert pairs.n_pairs == 3
    assert pairs.degree.tolist() == [3, 1, 1, 1]
    assert pairs.maximum_degree == 3
    assert pairs.sides is None
    assert "3 pairs, 4 objects" in repr(pairs)


def test_strings_numbers_and_frames_agree():
    left, right = ["ann", "bob", "ann"], ["bob", "eve", "eve"]
    by_names = PairGraph.from_edges(left, right)
    by_frame = PairGraph.from_frame(pd.DataFrame({"a": left, "b": right, "c": [1, 2, 3]}), ["a", "b"])
    assert by_names.members.tolist() == by_frame.members.tolist() == [[0, 1], [1, 2], [0, 2]]
    assert by_names.labels.tolist() == ["ann", "bob", "eve"]


def test_bipartite_ids_of_two_columns_are_two_objects():
    left, right = [0, 1, 1], [0, 0, 1]
    apart = PairGraph.from_edges(left, right, bipartite=True)
    assert apart.n_objects == 4
    assert apart.sides.tolist() == [False, False, True, True]
    assert apart.labels.tolist() == [(0, 0), (0, 1), (1, 0), (1, 1)]
    together = PairGraph.from_edges(left, right)
    assert together.n_objects == 2
    assert together.sizes.tolist() == [1, 2, 1]


def test_numbers_and_strings_are_different_ids():
    pairs = PairGraph.from_edges(np.array([1, 2]), np.array(["1", "2"]))
    assert pairs.n_objects == 4


def test_huge_numbers_take_little_memory():
    pairs = PairGraph.from_edges([10**15, 5], [7, 10**15])
    assert pairs.n_objects == 3
    assert pairs.labels[pairs.members].tolist() == [[10**15, 7], [5, 10**15]]


def test_floats_that_are_whole_are_numbers():
    assert PairGraph.from_edges([0.0, 1.0], [1.0, 2.0]).members.tolist() == [[0, 1], [1, 2]]


def test_self_pairs_and_repeats():
    pairs = PairGraph.from_edges([0, 1, 0, 0], [0, 1, 1, 1])
    assert pairs.sizes.tolist() == [1, 1, 2, 2]
    assert pairs.degree.tolist() == [3, 3]
    assert pairs.loads([1, 2, 4, 8]).tolist() == [13, 14]


def test_hyperedges_with_repeated_objects():
    pairs = PairGraph.from_edges([0, 1], [1, 1], [0, 2])
    assert pairs.members.tolist() == [[0, 1, 3], [1, 2, 3]]
    assert pairs.sizes.tolist() == [2, 2]


def test_isolated_objects():
    pairs = PairGraph.from_edges([0], [1], n_objects=5)
    assert pairs.n_isolated == 3
    assert networked_weights(pairs, "bound").tolist() == [1.0]


def test_known_labels():
    pairs = PairGraph.from_edges(["a", "c"], ["b", "a"], labels=["c", "b", "a", "z"])
    assert pairs.members.tolist() == [[2, 1], [0, 2]]
    assert pairs.n_objects == 4


def test_sparse_matrices():
    symmetric = sparse.csr_array(np.array([[0, 1, 0], [1, 0, 2], [0, 2, 0]]))
    assert PairGraph.from_sparse(symmetric).members.tolist() == [[0, 1], [1, 2]]
    directed = sparse.coo_array((np.ones(2), ([0, 2], [1, 1])), shape=(3, 3))
    assert PairGraph.from_sparse(directed).members.tolist() == [[0, 1], [2, 1]]
    wide = sparse.csr_matrix(np.array([[1, 0, 1]]))
    assert PairGraph.from_sparse(wide).members.tolist() == [[0, 1], [0, 3]]
    square = PairGraph.from_sparse(sparse.csr_array(np.eye(2)), bipartite=True)
    assert square.members.tolist() == [[0, 2], [1, 3]]


def test_networkx_graphs():
    networkx = pytest.importorskip("networkx")
    pairs = PairGraph.from_networkx(networkx.karate_club_graph())
    assert (pairs.n_pairs, pairs.n_objects, pairs.maximum_degree) == (78, 34, 17)
    named = PairGraph.from_networkx(networkx.davis_southern_women_graph())
    assert "Evelyn Jefferson" in named.labels.tolist()


def test_incidence_gives_loads():
    for seed in range(30):
        pairs = graphs.random_pairs(seed, arity=3)
        weights = np.random.default_rng(seed).random(pairs.n_pairs)
        assert np.allclose(pairs.incidence @ weights, pairs.loads(weights))
        assert np.allclose(pairs.incidence @ weights**2, pairs.square_loads(weights))
        assert (pairs.incidence.sum(axis=1) == pairs.degree).all()


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=40))
def test_labels_give_ids_back(edges):
    names = [(f"o{a}", f"o{b}") for a, b in edges]
    pairs = PairGraph.from_edges(*zip(*names, strict=True))
    for row, (left, right) in zip(pairs.members, names, strict=True):
        found = {pairs.labels[v] for v in row if v != pairs.n_objects}
        assert found == {left, right}


def test_as_pairs_takes_what_users_have():
    frame = pd.DataFrame({"a": [0, 1], "b": [1, 2]})
    for source in (frame, frame.to_numpy(), [(0, 1), (1, 2)], sparse.coo_array(([1, 1], ([0, 1], [1, 2])), (3, 3))):
        assert as_pairs(source).members.tolist() == [[0, 1], [1, 2]]
    pairs = as_pairs(frame)
    assert as_pairs(pairs) is pairs


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PairGraph.from_edges([], []), "no pairs"),
        (lambda: PairGraph.from_edges([1, 2], [1]), "columns of 2, 1 ids"),
        (lambda: PairGraph.from_edges([1, 2]), "at least two columns"),
        (lambda: PairGraph.from_edges([0, np.nan], [1, 2]), "1 missing id in column 0, the first in row 1"),
        (lambda: PairGraph.from_edges(["a", None, None], ["b", "c", "d"]), "2 missing ids in column 0"),
        (lambda: PairGraph.from_edges(pd.array([1, pd.NA]), [1, 2]), "missing id in column 0"),
        (lambda: PairGraph.from_edges([0, 1], [1, 9], n_objects=5), "unknown id 9"),
        (lambda: PairGraph.from_edges([0, -1], [1, 0], n_objects=5), "unknown id -1"),
        (lambda: PairGraph.from_edges(["x"], ["y"], n_objects=5), "not whole numbers"),
        (lambda: PairGraph.from_edges(["x"], ["q"], labels=["x", "y"]), "unknown id 'q'"),
        (lambda: PairGraph.from_edges(["x"], ["x"], labels=["x", "x"]), "an object twice"),
        (lambda: PairGraph.from_edges([[0, 1]], [[0, 1]]), "not in columns"),
        (lambda: PairGraph.from_frame(pd.DataFrame({"a": [1]}), ["a", "b"]), "no column 'b'"),
        (lambda: PairGraph.from_frame(pd.DataFrame({"a": [1]}), ["a"]), "two objects"),
        (lambda: PairGraph.from_sparse(np.eye(2)), "no SciPy sparse matrix"),
        (lambda: PairGraph.from_sparse(sparse.csr_array(np.ones((2, 3))), bipartite=False), "not square"),
        (lambda: PairGraph.from_sparse(sparse.csr_array((3, 3))), "no pairs"),
        (lambda: graphs.path(3).loads([1.0]), "weights of shape"),
        (lambda: graphs.path(3).loads([1.0, np.nan]), "not finite"),
        (lambda: graphs.path(3).select([]), "no pairs are left"),
    ],
)
def test_bad_pairs_are_refused(make, message):
    with pytest.raises(PairsError, match=message) as caught:
        make()
    assert isinstance(caught.value, ForetellError)
    assert isinstance(caught.value, ValueError)
    assert caught.value.remedy
