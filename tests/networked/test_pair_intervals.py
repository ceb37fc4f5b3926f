import math

import numpy as np
import pytest
from networked import graphs
from scipy.optimize import linprog

from foretell.dependence.errors import DependenceError
from foretell.dependence.intervals import metric_interval
from foretell.networked import (
    PairGraph,
    PairsError,
    dependency_graph,
    finner_bound,
    fractional_matching_number,
    networked_weights,
    pair_interval,
)


@pytest.mark.parametrize("seed", range(60))
def test_bounds_enclose_the_best_denominator(seed):
    pairs = graphs.random_pairs(seed, arity=2 + seed % 2)
    weights = np.random.default_rng(seed).random(pairs.n_pairs) * (np.arange(pairs.n_pairs) % 4 != 1)
    found = finner_bound(pairs, weights + (weights.sum() == 0))
    used = found.shares > 0
    assert (found.matching[used] > 0).all()
    assert pairs.loads(found.matching).max() <= 1 + 1e-12
    assert math.isclose(found.denominator, (found.shares[used] ** 2 / found.matching[used]).sum())
    assert found.lower * (1 - 1e-12) <= found.denominator <= found.lower * 1.005
    # Never worse than the load, never better than all of nu* independent pairs.
    assert 1 / fractional_matching_number(pairs) <= found.denominator * (1 + 1e-9)
    assert found.denominator <= pairs.loads(found.shares).max() * (1 + 1e-9)


@pytest.mark.parametrize("seed", range(10))
def test_no_direction_improves_the_matching(seed):
    """D is convex in w: at its least, a linear program in the direction of its gradient gains nothing."""
    pairs = graphs.random_pairs(seed)
    found = finner_bound(pairs)
    gradient = -((found.shares / found.matching) ** 2)
    best = linprog(gradient, A_ub=pairs.incidence, b_ub=np.ones(pairs.n_objects), method="highs")
    assert gradient @ found.matching - best.fun <= 0.02 * found.denominator


@pytest.mark.parametrize(
    ("pairs", "effective"),
    [
        (graphs.star(9), 1.0),
        (graphs.complete(10), 5.0),
        (graphs.disjoint(7), 7.0),
        (graphs.cycle(9), 4.5),
        (graphs.complete_bipartite(3, 5), 3.0),
        # Star of m pairs and m alone, all of weight 1/(2m): D = 1/4 + 1/(4m).
        (graphs.hub(50), 1 / (1 / 4 + 1 / 200)),
    ],
)
def test_closed_forms(pairs, effective):
    assert finner_bound(pairs).effective_sample_size == pytest.approx(effective, rel=1e-3)


def test_intervals_cover_where_the_naive_one_does_not():
    """Hub graph and complete graph, outcomes that depend on both objects: 300 draws."""
    for pairs in (graphs.hub(60), graphs.complete(25)):
        rng = np.random.default_rng(1)
        weights = networked_weights(pairs, "maxdeg")
        covered = naive = 0
        half = math.sqrt(math.log(2 / 0.05) / (2 * pairs.n_pairs))
        for _ in range(60):
            numbers = rng.random(pairs.n_objects)
            outcome = numbers[pairs.members].sum(axis=1) > 1
            interval = pair_interval(None, outcome, "mean", pairs=pairs, weights=weights, value_range=(0, 1))
            covered += interval.low <= 0.5 <= interval.high
            naive += abs(outcome.mean() - 0.5) <= half
        assert covered >= 57
        assert naive < 45


def test_independent_pairs_have_the_kl_interval():
    outcome = np.arange(40) % 4 == 0
    mine = pair_interval(None, outcome, "mean", pairs=graphs.disjoint(40), value_range=(0, 1))
    theirs = metric_interval(None, outcome, "mean", groups=np.arange(40), value_range=(0, 1))
    assert (mine.low, mine.high) == pytest.approx((theirs.low, theirs.high), abs=1e-6)
    assert mine.effective_sample_size == pytest.approx(40)


def test_metrics_differences_and_ranges():
    pairs = graphs.hub(30)
    truth = np.arange(60) % 2
    right = np.where(np.arange(60) % 5 == 0, 1 - truth, truth)
    accuracy = pair_interval(truth, right, pairs=pairs, weights="equal")
    assert accuracy.estimate == pytest.approx(0.8)
    assert accuracy.metric == "accuracy"
    difference = pair_interval(truth, right, pairs=pairs, baseline=1 - right)
    assert difference.estimate == pytest.approx(0.6, abs=0.1)
    assert -1 <= difference.low <= difference.estimate <= difference.high <= 1
    squared = pair_interval(truth, right * 2.0, "squared_error", pairs=pairs, value_range=(0, 4))
    assert 0 <= squared.low <= squared.estimate <= squared.high <= 4


def test_metrics_that_are_no_means_go_by_the_dependency_graph():
    pairs = graphs.disjoint(100)
    truth = np.arange(100) % 2
    scores = np.random.default_rng(0).normal(size=100) + 3 * truth
    auc = pair_interval(truth, scores, "auc", pairs=pairs)
    assert auc.low < auc.estimate <= auc.high
    assert dependency_graph(graphs.path(4)).degrees().tolist() == [1, 2, 1]
    assert dependency_graph(PairGraph.from_edges([0, 0], [0, 1])).degrees().tolist() == [1, 1]


def test_weights_of_zero_leave_pairs_out():
    pairs = graphs.star(10)
    one = pair_interval(None, np.arange(10) < 5, "mean", pairs=pairs, weights=np.eye(10)[0], value_range=(0, 1))
    assert one.estimate == 1.0
    assert one.effective_sample_size == pytest.approx(1.0)
    assert one.vacuous


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"y_pred": [1, 0]}, ValueError, "weights"),
        ({"y_pred": [2, 0, 1]}, DependenceError, "outside 0 to 1"),
        ({"value_range": None}, DependenceError, "range"),
        ({"weights": [1, -1, 1]}, ValueError, "weight"),
        ({"weights": "best"}, PairsError, "no method"),
        ({"confidence": 1.5}, PairsError, "confidence"),
    ],
)
def test_bad_input_is_refused(change, error, message):
    arguments = {"y_pred": [1, 0, 1], "value_range": (0, 1), "metric": "mean", **change}
    with pytest.raises(error, match=message):
        pair_interval(None, pairs=graphs.path(4), **arguments)
