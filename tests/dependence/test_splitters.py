import numpy as np
import pytest
from small_graphs import adjacency, random_graph

from foretell.dependence import DependencyGraph, GraphKFold, LeaveNeighborhoodOut
from foretell.dependence.errors import DependenceError


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("buffered", [False, True])
def test_no_edges_between_training_and_test(seed, buffered):
    rng = np.random.default_rng(seed)
    graph = (
        DependencyGraph.from_ids(rng.integers(0, 30, 80)) if not buffered else DependencyGraph.from_m_dependence(80, 3)
    )
    near = adjacency(graph)
    tested = []
    for train, test in GraphKFold(graph, 4, buffered=buffered).split(np.zeros((80, 2))):
        assert not near[np.ix_(train, test)].any()
        assert not set(train) & set(test)
        if not buffered:
            assert train.size + test.size == 80
        tested += test.tolist()
    assert sorted(tested) == list(range(80))


def test_buffers_are_small():
    graph = DependencyGraph.from_m_dependence(100, 2)
    assert all(train.size >= 74 for train, _ in GraphKFold(graph, 5, buffered=True).split(np.zeros(100)))


@pytest.mark.parametrize("seed", range(3))
def test_leave_neighborhood_out(seed):
    graph = random_graph(np.random.default_rng(seed), 12, cliques=True)
    near = adjacency(graph)
    splitter = LeaveNeighborhoodOut(graph)
    try:
        rounds = list(splitter.split(np.zeros(12)))
    except DependenceError:
        assert near.sum(axis=1).max() == 11
        return
    assert len(rounds) == splitter.get_n_splits() == 12
    for train, (item,) in rounds:
        assert train.tolist() == np.flatnonzero(~near[item] & (np.arange(12) != item)).tolist()


def test_some_items_only():
    splitter = LeaveNeighborhoodOut(DependencyGraph.from_m_dependence(50, 1), max_splits=7, random_state=3)
    assert len(list(splitter.split(np.zeros(50)))) == splitter.get_n_splits() == 7


def test_works_in_scikit_learn():
    model_selection = pytest.importorskip("sklearn.model_selection")
    linear_model = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(0)
    X, y, groups = rng.normal(size=(60, 3)), rng.normal(size=60), np.repeat(np.arange(12), 5)
    scores = model_selection.cross_val_score(linear_model.Ridge(), X, y, groups=groups, cv=GraphKFold(n_splits=3))
    assert scores.shape == (3,)
    search = model_selection.GridSearchCV(
        linear_model.Ridge(), {"alpha": [1, 10]}, scoring="neg_mean_squared_error",
        cv=LeaveNeighborhoodOut(DependencyGraph.from_groups(groups), max_splits=9),
    )  # fmt: skip
    assert search.fit(X, y).best_params_["alpha"] in (1, 10)
    assert GraphKFold(n_splits=3).get_n_splits() == 3


def test_several_columns_as_groups():
    groups = np.column_stack([[0, 0, 1, 1, 2, 2], [5, 6, 5, 6, 7, 8]])
    folds = [set(test) for _, test in GraphKFold(n_splits=2).split(np.zeros(6), groups=groups)]
    assert folds == [{0, 1, 2, 3}, {4, 5}]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: list(GraphKFold(n_splits=2).split(np.zeros(3))), "not said"),
        (lambda: list(GraphKFold(DependencyGraph.complete(4), 2).split(np.zeros(4))), "buffered=True"),
        (lambda: list(GraphKFold(DependencyGraph.complete(4), 2, buffered=True).split(np.zeros(4))), "depends on all"),
        (lambda: list(GraphKFold(DependencyGraph.independent(4), 2).split(np.zeros(5))), "5 items"),
        (lambda: GraphKFold(n_splits=1), "1 folds"),
        (lambda: list(LeaveNeighborhoodOut(DependencyGraph.complete(3)).split(np.zeros(3))), "depends on all"),
        (lambda: LeaveNeighborhoodOut(max_splits=0), "0 splits"),
        (lambda: LeaveNeighborhoodOut().get_n_splits(), "number of items"),
    ],
)
def test_bad_input(call, says):
    with pytest.raises(DependenceError, match=says):
        call()


def test_splitters_say_what_they_are():
    graph = DependencyGraph.from_m_dependence(10, 2)
    assert repr(GraphKFold(graph, 3)) == f"GraphKFold({graph!r}, n_splits=3, buffered=False)"
    assert "max_splits=4" in repr(LeaveNeighborhoodOut(graph, max_splits=4))
