"""What metrics are made of: items' values for means, constants of bounded differences for the rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from foretell.dependence.errors import DependenceError

Floats = NDArray[np.float64]
ElementWise = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Mean:
    """A weighted mean of values of items that lie in [low, high].

    ``shares`` are the items' weights, of sum 1. A change of item i moves the mean by at most shares_i (high - low),
    which is attained, so these are the exact constants of bounded differences.
    """

    values: Floats
    shares: Floats
    low: float
    high: float

    @property
    def estimate(self) -> float:
        """The weighted mean."""
        return float(np.dot(self.shares, self.values))

    @property
    def influence(self) -> Floats:
        """Part of each item in the estimate's error."""
        return self.shares * (self.values - self.estimate)


@dataclass(frozen=True)
class Ratio:
    """2 TP / (2 TP + FP + FN), summed over items with at most ``cap`` objects each: the micro-averaged F1.

    For a number g let Z_i(g) = 2 tp_i - g (2 tp_i + fp_i + fn_i). Each Z_i lies in [-g cap, (2 - 2 g) cap], and its
    mean has expectation 0 exactly if g is the population's F1 = 2 E TP / E (2 TP + FP + FN). An interval for F1 is
    the set of g that a test of mean 0 does not reject; bounds on means are enough, and the true F1 is rejected with
    probability at most 1 - confidence, whatever the dependence between TP, FP and FN.
    """

    hits: Floats
    mistakes: Floats
    cap: float

    @property
    def estimate(self) -> float:
        """F1 of the sample."""
        return float(2 * self.hits.sum() / (2 * self.hits.sum() + self.mistakes.sum()))

    @property
    def influence(self) -> Floats:
        """Part of each item in the estimate's error, to first order."""
        total = 2 * self.hits.sum() + self.mistakes.sum()
        return np.asarray((2 * self.hits - self.estimate * (2 * self.hits + self.mistakes)) / total)

    def scaled_mean(self, g: float) -> float:
        """Mean of Z(g), moved to [0, 1]; an expectation of Z of 0 becomes g / (2 - g)."""
        z = (2 - 2 * g) * self.hits.mean() - g * self.mistakes.mean()
        return float((z / self.cap + g) / (2 - g))


@dataclass(frozen=True)
class Lipschitz:
    """A function with constants of bounded differences: item i changes it by at most ``coefficients[i]``."""

    estimate: float
    coefficients: Floats
    low: float
    high: float
    influence: Floats
    target: str


def build_mean(values: Any, weights: Any, value_range: tuple[float, float] | None, name: str) -> Mean:
    """Check values, weights and range."""
    column = check_column(values, name)
    if value_range is None:
        raise DependenceError(
            f"the range of {name} is not known",
            "pass value_range=(lowest, highest possible value), which finite-sample bounds need",
        )
    low, high = float(value_range[0]), float(value_range[1])
    if not (np.isfinite([low, high]).all() and low < high):
        raise DependenceError(f"a range of {low:g} to {high:g}", "give finite numbers, the lower one first")
    if column.min() < low or column.max() > high:
        worst = int(np.argmax(np.maximum(low - column, column - high)))
        raise DependenceError(
            f"item {worst} has {name} {column[worst]:g}, outside {low:g} to {high:g}", "correct the value or the range"
        )
    return Mean(column, check_weights(weights, column.size), low, high)


def check_column(values: Any, name: str) -> Floats:
    """One finite number per item."""
    try:
        column = np.asarray(values, dtype=float)
    except (TypeError, ValueError):
        raise DependenceError(f"{name} is not made of numbers", "give one number per item") from None
    if column.ndim != 1 or not column.size:
        raise DependenceError(f"{name} has shape {column.shape}", "give one number per item, for at least one item")
    if not np.isfinite(column).all():
        bad = int(np.argmin(np.isfinite(column)))
        raise DependenceError(f"{name} of item {bad} is {column[bad]}", "drop or repair such items")
    return column


def check_weights(weights: Any, size: int) -> Floats:
    """Weights of sum 1; equal ones if not given."""
    if weights is None:
        return np.full(size, 1 / size)
    column = check_column(weights, "sample_weight")
    if column.size != size or (column < 0).any() or not column.sum() > 0:
        raise DependenceError("weights that do not fit", "give one weight of 0 or more per item, not all of them 0")
    return np.asarray(column / column.sum())


def check_pair(y_true: Any, y_pred: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """Two columns of equal length without missing values."""
    one, other = np.asarray(y_true), np.asarray(y_pred)
    if one.shape != other.shape or one.ndim == 0 or not one.size:
        raise DependenceError(f"y_true has shape {one.shape}, y_pred {other.shape}", "give one of each per item")
    for name, column in (("y_true", one), ("y_pred", other)):
        absent = np.asarray(column != column if column.dtype.kind in "fO" else False)
        if column.dtype.kind == "O":
            absent |= np.array([value is None for value in column.ravel()]).reshape(column.shape)
        if absent.any():
            raise DependenceError(f"{name} is missing for item {int(np.argwhere(absent)[0][0])}", "drop such items")
    return one, other


def f1_counts(y_true: Any, y_pred: Any, value_range: tuple[float, float] | None) -> Ratio:
    """Counts for the micro-averaged F1.

    Parameters
    ----------
    y_true, y_pred : array_like of 0 and 1, shape (n,) or (n, labels)
        Labels of items. If ``y_true`` is None, ``y_pred`` has shape (n, 3): true positives, false positives and false
        negatives of each item (a document, say), and ``value_range=(0, most objects in one item)``, TP + FP + FN.
    """
    if y_true is None:
        counts = np.asarray(y_pred, dtype=float)
        if counts.ndim != 2 or counts.shape[1] != 3 or not np.isfinite(counts).all() or (counts < 0).any():
            raise DependenceError("counts that are not three per item", "give TP, FP and FN of each item, 0 or more")
        if value_range is None:
            raise DependenceError("the most objects in one item is not known", "pass value_range=(0, most objects)")
        if counts.sum(axis=1).max() > value_range[1]:
            raise DependenceError("an item with more objects than value_range allows", "correct it or the range")
        hits, mistakes, cap = counts[:, 0], counts[:, 1] + counts[:, 2], float(value_range[1])
    else:
        one, other = check_pair(y_true, y_pred)
        truth, guess = as_binary(one, "y_true"), as_binary(other, "y_pred")
        both, either = truth & guess, truth ^ guess
        cap = 1.0 if one.ndim == 1 else float(one.shape[1])
        hits, mistakes = (part.reshape(len(one), -1).sum(axis=1).astype(float) for part in (both, either))
    if not hits.sum() + mistakes.sum():
        raise DependenceError("no positive labels at all", "F1 is not defined for such data")
    return Ratio(hits, mistakes, cap)


def as_binary(column: NDArray[Any], name: str) -> NDArray[np.bool_]:
    """Two classes as False and True; -1 and 1 are allowed."""
    values = np.unique(column)
    if not set(values.tolist()) <= {0, 1} and not set(values.tolist()) <= {-1, 1}:
        raise DependenceError(f"{name} has values other than 0 and 1", "binarise it: 1 for the positive class")
    return np.asarray(column == 1)


def auc(y_true: Any, y_pred: Any) -> Lipschitz:
    """Area under the ROC curve, given the labels.

    With n1 positive and n0 negative items, AUC is the mean over pairs of 1{s_i > s_j} + 1{s_i = s_j} / 2. A change of
    the score of a positive item touches n0 of the n1 n0 pairs, each by at most 1, so AUC moves by at most 1 / n1, and
    by at most 1 / n0 for a negative one; a perfect ranking and one score moved from top to bottom attain it. []
    """
    labels, scores = check_pair(y_true, y_pred)
    positive = as_binary(labels, "y_true")
    scores = check_column(scores, "y_pred")
    n1, n0 = int(positive.sum()), int((~positive).sum())
    if not n1 or not n0:
        raise DependenceError("only one class in y_true", "AUC needs positive and negative items")
    # Share of the other class that each item beats, from ranks among all and among its own class.
    wins = np.empty(scores.size)
    ranks = rankdata(scores)
    for own, others in ((positive, n0), (~positive, n1)):
        wins[own] = (ranks[own] - rankdata(scores[own])) / others
    estimate = float(wins[positive].mean())
    influence = np.where(positive, (wins - estimate) / n1, (1 - estimate - wins) / n0)
    coefficients = np.where(positive, 1 / n1, 1 / n0)
    return Lipschitz(estimate, coefficients, 0.0, 1.0, influence, "the expected AUC of such samples, given the labels")


def f1_given_labels(y_true: Any, y_pred: Any) -> Lipschitz:
    """Binary F1 as a Lipschitz function of the predictions, given the labels.

    With P positive items, F1 = 2 T / (P + M), T true positives and M positive predictions. Turning the prediction for a
    positive item on changes it from 2 T / D to 2 (T + 1) / (D + 1), D = P + M: by 2 (D - T) / (D (D + 1)), at most
    2 / (P + 1), as D - T <= D and D >= P. For a negative item it falls by 2 T / (D (D + 1)); with D >= P + T this is at
    most 2 T / ((P + T)(P + T + 1)), which grows with T while T^2 <= P (P + 1), so that for T <= P it is at most
    1 / (2 P + 1). Both are attained. []
    """
    labels, guesses = check_pair(y_true, y_pred)
    if labels.ndim != 1:
        raise DependenceError("labels of several classes", "differences of F1 are made for one class, shape (n,)")
    truth = as_binary(labels, "y_true")
    if not truth.any():
        raise DependenceError("no positive labels at all", "F1 is not defined for such data")
    counts = f1_counts(labels, guesses, None)
    positives = int(truth.sum())
    coefficients = np.where(truth, 2 / (positives + 1), 1 / (2 * positives + 1))
    return Lipschitz(
        counts.estimate, coefficients, 0.0, 1.0, counts.influence, "the expected F1 of such samples, given the labels"
    )


def difference(one: Lipschitz, other: Lipschitz) -> Lipschitz:
    """Difference of two functions of the same items: constants add."""
    return Lipschitz(
        one.estimate - other.estimate,
        one.coefficients + other.coefficients,
        one.low - other.high,
        one.high - other.low,
        one.influence - other.influence,
        one.target.replace("the expected", "the expected difference in"),
    )
