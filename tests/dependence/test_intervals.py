from itertools import pairwise

import numpy as np
import pytest

from foretell.dependence import DependencyGraph, assess, metric_interval
from foretell.dependence.errors import DependenceError

RNG = np.random.default_rng(0)
GROUPS = np.repeat(np.arange(60), 5)
LABELS = RNG.integers(0, 2, 300)
RIGHT = RNG.random(60)[GROUPS] < 0.8
GUESSES = np.where(RIGHT, LABELS, 1 - LABELS)
SCORES = GUESSES + RNG.normal(size=300)


def test_groups_ids_and_graph_say_the_same():
    one = metric_interval(LABELS, GUESSES, groups=GROUPS)
    assert one == metric_interval(LABELS, GUESSES, ids={"g": GROUPS})
    assert one == metric_interval(LABELS, GUESSES, ids=[GROUPS])
    assert one == metric_interval(LABELS, GUESSES, ids=GROUPS[:, None])
    assert one == metric_interval(LABELS, GUESSES, graph=DependencyGraph.from_groups(GROUPS))
    assert one.effective_sample_size == pytest.approx(60)
    assert one.method == "chernoff"
    assert "share an object" in one.assumptions[0]
    assert one.low < one.estimate < one.high


@pytest.mark.parametrize(
    ("metric", "truth", "values", "span"),
    [
        ("accuracy", LABELS, GUESSES, None),
        ("error", LABELS, GUESSES, None),
        ("mean", None, SCORES, (-6, 7)),
        ("absolute_error", LABELS, SCORES, (0, 7)),
        ("squared_error", LABELS, SCORES, (0, 49)),
        ("win_rate", None, RIGHT / 2 + 0.25, None),
        ("acceptance_length", None, 1 + 3 * RIGHT, (1, 5)),
        ("bits_per_byte", np.full(300, 100), 100 + 50 * RIGHT, (0, 8)),
        ("f1", LABELS, GUESSES, None),
        ("auc", LABELS, SCORES, None),
        ("quantile", None, SCORES, None),
        (lambda a, b: np.minimum((a - b) ** 2, 1), LABELS, SCORES, (0, 1)),
    ],
)
def test_every_metric(metric, truth, values, span):
    found = metric_interval(truth, values, metric, groups=GROUPS, value_range=span)
    free = metric_interval(truth, values, metric, graph=DependencyGraph.independent(300), value_range=span)
    assert found.low <= found.estimate <= found.high
    assert free.half_width < found.half_width
    assert found.to_dict()["n_items"] == 300
    assert f"{found.estimate:.4f}" in str(found)
    wider = metric_interval(truth, values, metric, groups=GROUPS, value_range=span, confidence=0.999)
    assert wider.half_width > found.half_width


@pytest.mark.parametrize("metric", ["accuracy", "f1", "auc"])
def test_paired_differences(metric):
    other = np.where(RNG.random(300) < 0.5, LABELS, 1 - LABELS)
    found = metric_interval(LABELS, GUESSES, metric, groups=GROUPS, baseline=other)
    back = metric_interval(LABELS, other, metric, groups=GROUPS, baseline=GUESSES)
    one = metric_interval(LABELS, GUESSES, metric, groups=GROUPS)
    two = metric_interval(LABELS, other, metric, groups=GROUPS)
    assert found.estimate == pytest.approx(one.estimate - two.estimate)
    assert (found.low, found.high) == pytest.approx((-back.high, -back.low), abs=1e-6)
    assert "difference" in found.metric


def test_weights_shift_the_mean_and_equal_ones_do_nothing():
    plain = metric_interval(None, SCORES, "mean", groups=GROUPS, value_range=(-6, 7))
    same = metric_interval(None, SCORES, "mean", groups=GROUPS, value_range=(-6, 7), sample_weight=np.full(300, 3.0))
    assert (plain.low, plain.high) == pytest.approx((same.low, same.high))
    weights = np.where(GROUPS < 30, 1.0, 0.0)
    half = metric_interval(None, SCORES, "mean", groups=GROUPS, value_range=(-6, 7), sample_weight=weights)
    assert half.estimate == pytest.approx(SCORES[GROUPS < 30].mean())
    assert half.effective_sample_size == pytest.approx(30)


def test_bits_per_byte_weighs_by_bytes():
    sizes = np.arange(1, 301)
    found = metric_interval(sizes, 2.0 * sizes, "bits_per_byte", groups=GROUPS, value_range=(0, 8))
    assert found.estimate == pytest.approx(2.0)


def test_methods_give_their_own_widths():
    def half_width(method):
        return metric_interval(LABELS, GUESSES, groups=GROUPS, method=method).half_width

    assert half_width("chernoff") <= half_width("hoeffding") <= half_width("elimination") * (1 + 1e-9)
    assert half_width("elimination") <= half_width("forest") * (1 + 1e-9)


def test_empirical_bernstein_wins_for_small_variance():
    values = 0.5 + 0.01 * SCORES
    groups = np.repeat(np.arange(3000), 5)
    many = np.tile(values, 50)
    one = metric_interval(None, many, "mean", groups=groups, value_range=(0, 1), method="empirical-bernstein")
    assert one.half_width < 0.3 * metric_interval(None, many, "mean", groups=groups, value_range=(0, 1)).half_width
    series = DependencyGraph.from_m_dependence(15_000, 3)
    two = metric_interval(None, many, "mean", graph=series, value_range=(0, 1), method="empirical-bernstein")
    assert one.half_width < two.half_width < 0.1


def test_the_method_is_chosen_without_the_values():
    planned = None
    for scores in (SCORES, -SCORES):
        found = metric_interval(LABELS, scores, "auc", graph=DependencyGraph.from_m_dependence(300, 2))
        assert found.method == min(found.planned, key=found.planned.get)
        assert planned in (None, found.planned)
        planned = found.planned


@pytest.mark.parametrize("metric", ["accuracy", "auc", "f1"])
def test_invariant_under_renumbering(metric):
    order = RNG.permutation(300)
    one = metric_interval(LABELS, SCORES if metric == "auc" else GUESSES, metric, groups=GROUPS)
    values = SCORES if metric == "auc" else GUESSES
    two = metric_interval(LABELS[order], values[order], metric, groups=GROUPS[order])
    assert (one.low, one.high) == pytest.approx((two.low, two.high), abs=1e-6)


@pytest.mark.parametrize("metric", ["accuracy", "auc", "f1", "quantile"])
def test_more_dependence_never_narrows(metric):
    values = SCORES if metric in ("auc", "quantile") else GUESSES
    widths = [
        metric_interval(LABELS, values, metric, groups=np.arange(300) // size).half_width for size in (1, 2, 6, 30)
    ]
    assert all(one <= other + 1e-6 for one, other in pairwise(widths))


def test_vacuous_intervals_say_so():
    found = metric_interval(LABELS, GUESSES, groups=np.zeros(300))
    assert found.vacuous
    assert "vacuous" in str(found)
    assert not metric_interval(LABELS, GUESSES, groups=GROUPS).vacuous


def test_quantile_ends_are_open_when_data_are_too_few():
    found = metric_interval(None, SCORES[:3], "quantile", graph=DependencyGraph.independent(3), quantile=0.9)
    assert found.high == np.inf
    assert np.isfinite(metric_interval(None, SCORES, "quantile", groups=GROUPS).high)


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["auc", "f1", "quantile"])
def test_coverage_of_metrics_that_are_no_means(metric):
    """Pairs share a group effect; truth by a large sample."""

    def sample(rng, count):
        groups = np.repeat(np.arange(count), 5)
        labels = rng.integers(0, 2, groups.size)
        return groups, labels, labels + rng.normal(size=count)[groups] + 0.3 * rng.normal(size=groups.size)

    def values(scores):
        return (scores > 0.5).astype(int) if metric == "f1" else scores

    rng = np.random.default_rng(1)
    _, labels, scores = sample(rng, 200_000)
    truth = metric_interval(labels, values(scores), metric, graph=DependencyGraph.independent(labels.size)).estimate
    held = []
    for _ in range(120):
        groups, labels, scores = sample(rng, 60)
        found = metric_interval(labels, values(scores), metric, groups=groups)
        held.append(found.low <= truth <= found.high)
    assert np.mean(held) >= 0.95


def test_comparisons_fit_the_structure():
    names = [row.name for row in assess(LABELS, GUESSES, share={"g": GROUPS}).comparisons]
    assert names == ["i.i.d.", "cluster-robust", "block bootstrap"]
    timed = assess(LABELS, GUESSES, times=np.arange(300), horizon=4)
    assert [row.name for row in timed.comparisons] == ["i.i.d.", "Newey-West", "block bootstrap"]
    plain = assess(LABELS, GUESSES, graph=DependencyGraph.from_groups(GROUPS))
    assert [row.name for row in plain.comparisons] == ["i.i.d.", "graph-robust"]
    assert {row["name"] for row in plain.to_dict()["comparisons"]} == {"i.i.d.", "graph-robust"}


def test_cluster_robust_errors_agree_with_the_formula():
    found = assess(LABELS, GUESSES, share={"g": GROUPS}).comparisons[1]
    errors = (LABELS == GUESSES) - np.mean(LABELS == GUESSES)
    variance = 60 / 59 * (np.bincount(GROUPS, errors) ** 2).sum() / 300**2
    from scipy.stats import t

    assert (found.high - found.low) / 2 == pytest.approx(t.isf(0.025, 59) * np.sqrt(variance))


def test_two_way_clusters_agree_with_pairwise_sums():
    rng = np.random.default_rng(5)
    one, two = rng.integers(0, 60, 2000), rng.integers(0, 50, 2000)
    errors = (rng.normal(size=60)[one] + rng.normal(size=50)[two]) / 2000
    from foretell.dependence.comparisons import compare_intervals

    graph = DependencyGraph.from_ids(one, two)
    pairs = compare_intervals(0.0, errors, graph=graph)[1]
    ways = compare_intervals(0.0, errors, columns=[one, two])[1]
    assert ways.high == pytest.approx(pairs.high, rel=0.15)  # small-sample corrections differ


def test_plot(tmp_path):
    pytest.importorskip("matplotlib")
    axes = assess(LABELS, GUESSES, share={"g": GROUPS}).plot()
    assert [label.get_text() for label in axes.get_yticklabels()][-1] == "valid (chernoff)"
    axes.figure.savefig(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "not said"),
        ({"groups": GROUPS, "ids": [GROUPS]}, "said once"),
        ({"groups": GROUPS[:-1]}, "299"),
        ({"groups": GROUPS, "confidence": 1.0}, "confidence"),
        ({"groups": GROUPS, "confidence": np.nan}, "confidence"),
        ({"groups": GROUPS, "metric": "accuray"}, "choose one of accuracy"),
        ({"groups": GROUPS, "method": "magic"}, "method"),
        ({"groups": GROUPS, "metric": "mean"}, "value_range"),
        ({"groups": GROUPS, "metric": "mean", "value_range": (0, 0.5)}, "outside 0 to 0.5"),
        ({"groups": GROUPS, "metric": "win_rate", "y_pred": SCORES}, "outside 0 to 1"),
        ({"groups": GROUPS, "metric": "auc", "sample_weight": GROUPS}, "sample_weight"),
        ({"groups": GROUPS, "metric": "auc", "method": "hoeffding"}, "hoeffding"),
        ({"groups": GROUPS, "metric": "f1", "method": "forest"}, "F1"),
        ({"groups": GROUPS, "metric": "quantile", "quantile": 1.0}, "quantile"),
        ({"groups": GROUPS, "metric": "bits_per_byte", "y_true": np.zeros(300), "value_range": (0, 8)}, "0 bytes"),
        ({"groups": [None] * 300}, "missing"),
    ],
)
def test_bad_input(arguments, says):
    call = {"y_true": LABELS, "y_pred": GUESSES, **arguments}
    with pytest.raises(DependenceError, match=says):
        metric_interval(**call)
