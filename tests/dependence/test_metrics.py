"""Constants of bounded differences are attacked by random search and met by the worst cases of their proofs."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretell.dependence import metrics
from foretell.dependence.errors import DependenceError
from foretell.dependence.inequalities import kl

sklearn_metrics = pytest.importorskip("sklearn.metrics")


def attacked(make, labels, draw, seed, tries=60):
    """Largest change over coefficient that changing one item's prediction makes."""
    rng = np.random.default_rng(seed)
    worst = 0.0
    for _ in range(tries):
        before = draw(rng, labels.size)
        item = int(rng.integers(labels.size))
        after = before.copy()
        after[item] = draw(rng, 1)[0]
        one, other = make(labels, before), make(labels, after)
        worst = max(worst, abs(one.estimate - other.estimate) / one.coefficients[item])
    return worst


@given(st.lists(st.booleans(), min_size=2, max_size=12), st.integers(0, 10**6))
@settings(deadline=None, max_examples=20)
def test_no_change_beats_the_constants(labels, seed):
    labels = np.array(labels, dtype=int)
    labels[:2] = 0, 1
    scores = lambda rng, n: rng.integers(0, 5, n).astype(float)  # noqa: E731
    guesses = lambda rng, n: rng.integers(0, 2, n)  # noqa: E731
    assert attacked(metrics.auc, labels, scores, seed) <= 1 + 1e-9
    assert attacked(metrics.f1_given_labels, labels, guesses, seed) <= 1 + 1e-9


def test_the_constants_are_attained():
    labels = np.array([1, 0, 0, 0])
    one, other = (metrics.auc(labels, scores) for scores in ([9, 1, 2, 3], [0, 1, 2, 3]))
    assert one.estimate - other.estimate == pytest.approx(one.coefficients[0]) == 1
    labels = np.array([1, 1, 1, 0])
    one, other = (metrics.f1_given_labels(labels, guess) for guess in ([0, 0, 0, 0], [1, 0, 0, 0]))
    assert other.estimate - one.estimate == pytest.approx(one.coefficients[0])
    one, other = (metrics.f1_given_labels(labels, guess) for guess in ([1, 1, 1, 0], [1, 1, 1, 1]))
    assert one.estimate - other.estimate == pytest.approx(one.coefficients[3])


@pytest.mark.parametrize("seed", range(5))
def test_values_agree_with_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    labels, guesses, scores = rng.integers(0, 2, 50), rng.integers(0, 2, 50), rng.integers(0, 9, 50)
    assert metrics.auc(labels, scores).estimate == pytest.approx(sklearn_metrics.roc_auc_score(labels, scores))
    assert metrics.f1_counts(labels, guesses, None).estimate == pytest.approx(sklearn_metrics.f1_score(labels, guesses))
    many, guess = rng.integers(0, 2, (20, 4)), rng.integers(0, 2, (20, 4))
    expected = sklearn_metrics.f1_score(many, guess, average="micro")
    assert metrics.f1_counts(many, guess, None).estimate == pytest.approx(expected)
    assert metrics.f1_counts(many, guess, None).cap == 4


@pytest.mark.parametrize("seed", range(3))
def test_influences_are_first_order_errors(seed):
    rng = np.random.default_rng(seed)
    labels, scores = rng.integers(0, 2, 400), rng.normal(size=400)
    found = metrics.auc(labels, scores)
    assert abs(found.influence.sum()) < 1e-12
    kept = rng.permutation(400)[5:]
    moved = metrics.auc(labels[kept], scores[kept]).estimate - found.estimate
    predicted = -np.delete(found.influence, kept).sum()
    assert moved == pytest.approx(predicted, abs=3e-4)
    counts = metrics.f1_counts(labels, scores > 0, None)
    assert abs(counts.influence.sum()) < 1e-12


def test_z_lies_in_its_range_and_centres_at_f1():
    rng = np.random.default_rng(0)
    counts = rng.multinomial(5, [0.3, 0.2, 0.2, 0.3], 200)[:, :3]
    ratio = metrics.f1_counts(None, counts, (0, 5))
    for g in np.linspace(0, 1, 11):
        z = 2 * ratio.hits - g * (2 * ratio.hits + ratio.mistakes)
        assert (z >= -5 * g - 1e-9).all()
        assert (z <= 5 * (2 - 2 * g) + 1e-9).all()
    assert ratio.scaled_mean(ratio.estimate) == pytest.approx(ratio.estimate / (2 - ratio.estimate))


@given(st.floats(0.001, 1), st.floats(0, 1))
def test_values_farther_from_f1_are_rejected_more_clearly(hits, others):
    """So that the values of F1 that a test does not reject are an interval, and its ends can be bisected."""
    mistakes = others * (1 - hits)
    ratio = metrics.Ratio(np.array([hits]), np.array([mistakes]), 1.0)
    for end in (1e-4, 1 - 1e-6):
        grid = np.linspace(ratio.estimate, end, 100)[1:]
        evidence = [kl(min(max(ratio.scaled_mean(g), 0.0), 1.0), g / (2 - g)) for g in grid]
        assert (np.diff(evidence) >= -1e-9).all()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: metrics.auc([1, 1], [0.1, 0.2]), "only one class"),
        (lambda: metrics.auc([0, 2], [0.1, 0.2]), "other than 0 and 1"),
        (lambda: metrics.auc([0, 1], [0.1, np.nan]), "missing"),
        (lambda: metrics.auc([0, 1], [0.1]), "shape"),
        (lambda: metrics.f1_counts([0, 0], [0, 0], None), "no positive"),
        (lambda: metrics.f1_counts(None, [[1, 2]], (0, 3)), "three per item"),
        (lambda: metrics.f1_counts(None, [[1, 2, 0]], None), "value_range"),
        (lambda: metrics.f1_counts(None, [[3, 2, 0]], (0, 4)), "more objects"),
        (lambda: metrics.f1_given_labels([0, 0], [0, 1]), "no positive"),
        (lambda: metrics.build_mean([0.5, 1.5], None, (0, 1), "x"), "item 1 has x 1.5"),
        (lambda: metrics.build_mean([0.5], None, None, "x"), "value_range"),
        (lambda: metrics.build_mean([0.5], None, (1, 0), "x"), "range"),
        (lambda: metrics.build_mean([np.inf], None, (0, 1), "x"), "inf"),
        (lambda: metrics.build_mean([], None, (0, 1), "x"), "shape"),
        (lambda: metrics.build_mean(["a"], None, (0, 1), "x"), "numbers"),
        (lambda: metrics.check_weights([1, -1], 2), "weights"),
        (lambda: metrics.check_weights([0, 0], 2), "weights"),
        (lambda: metrics.check_pair([1, None], [1, 1]), "missing for item 1"),
    ],
)
def test_bad_input(call, says):
    with pytest.raises(DependenceError, match=says):
        call()
