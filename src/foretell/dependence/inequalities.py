"""Tail bounds as objects: the probability of a deviation, and its inverses.

Every bound is for one side; for both sides, halve ``1 - confidence``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, exp, expm1, log, log1p, sqrt
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from foretell.dependence.errors import DependenceError

Floats = NDArray[np.float64]
TINY = 1e-8
GRID_SIZE, GRID_WIDTHS = 13, (2.5, 1.2, 0.6, 0.3, 0.12, 0.05, 0.02, 0.008)
"""Points in each direction, and half widths of the grids on which bounds are searched."""


class Inequality(Protocol):
    """P(f - E f >= t) <= tail(t), and the other way round."""

    def tail(self, t: float) -> float:
        """Bound on the probability of exceeding the expectation by ``t`` or more."""
        ...

    def deviation(self, delta: float) -> float:
        """Smallest t for which the bound is ``delta``."""
        ...


@dataclass(frozen=True)
class SubGaussian:
    """exp(-2 t^2 / D): McDiarmid's, Hoeffding's, Janson's and the forest and elimination inequalities.

    Parameters
    ----------
    denominator : float
        D, from a fractional cover (sums), a forest approximation or an elimination order (Lipschitz functions).

    Examples
    --------
    >>> bound = SubGaussian(denominator=100.0)
    >>> round(bound.tail(bound.deviation(0.05)), 9)
    0.05
    """

    denominator: float

    def __post_init__(self) -> None:
        _positive("the denominator", self.denominator)

    def tail(self, t: float) -> float:
        """Bound on the probability of exceeding the expectation by ``t`` or more."""
        return exp(-2 * max(t, 0.0) ** 2 / self.denominator)

    def deviation(self, delta: float) -> float:
        """Smallest t for which the bound is ``delta``."""
        return sqrt(self.denominator * log(1 / check_delta(delta)) / 2)


@dataclass(frozen=True)
class Bernstein:
    """Bernstein's inequality for a mean: exp(-N t^2 / (2 (s^2 + b t / 3))).

    Valid for dependent items with N = n / chi_f by inequality (H) of :mod:`foretell.dependence.covers`, applied to
    bounds on moment generating functions that are concave in the variance.

    Parameters
    ----------
    effective_sample_size : float
        N.
    variance : float
        s^2, an upper bound on the mean of the items' variances.
    bound : float
        b: no item exceeds its own expectation by more.
    """

    effective_sample_size: float
    variance: float
    bound: float

    def __post_init__(self) -> None:
        _positive("the effective sample size", self.effective_sample_size)
        _positive("the variance", self.variance)
        _positive("the bound", self.bound)

    def tail(self, t: float) -> float:
        """Bound on the probability of exceeding the expectation by ``t`` or more."""
        t = max(t, 0.0)
        return exp(-self.effective_sample_size * t * t / (2 * (self.variance + self.bound * t / 3)))

    def deviation(self, delta: float) -> float:
        """Smallest t for which the bound is ``delta``."""
        level = log(1 / check_delta(delta)) / self.effective_sample_size
        linear = self.bound * level / 3
        return linear + sqrt(linear**2 + 2 * self.variance * level)


@dataclass(frozen=True)
class Bennett(Bernstein):
    """Bennett's inequality: exp(-N (s^2 / b^2) h(b t / s^2)), h(u) = (1 + u) log(1 + u) - u; never worse."""

    def tail(self, t: float) -> float:
        """Bound on the probability of exceeding the expectation by ``t`` or more."""
        return exp(-self.effective_sample_size * self._rate(max(t, 0.0)))

    def deviation(self, delta: float) -> float:
        """Smallest t for which the bound is ``delta``."""
        level = log(1 / check_delta(delta)) / self.effective_sample_size
        end = super().deviation(delta) * (1 + 1e-9)
        return float(brentq(lambda t: self._rate(t) - level, 0.0, end, xtol=1e-15))

    def _rate(self, t: float) -> float:
        ratio = self.bound * t / self.variance
        return self.variance / self.bound**2 * ((1 + ratio) * log1p(ratio) - ratio)


@dataclass(frozen=True)
class Chernoff:
    """The best bound on a weighted mean of [0, 1] quantities that independent-set weights allow.

    For terms with coefficients a_i (of sum 1) and weights v_i, inequality (H) and convexity of exp give, with the means
    m_i of the items unknown but for sum_i a_i m_i = mu,

        log E exp(s mean) <= L(s, mu) = max_m sum_i v_i log(1 + m_i (exp(s a_i / v_i) - 1)),

    and P(mean >= q) <= exp(-max_s (s q - L(s, mu))). If all a_i / v_i are equal to 1 / N this is exp(-N kl(q, mu)), the
    kl inequality. In general L has a dual bound L(s, mu) <= theta mu + H(s, theta) for every theta > 0, so that

        mu >= (s q - H(s, theta) - log(1 / delta)) / theta

    whatever s and theta are: they are searched for, and no inaccuracy of the search can make the bound wrong.

    Parameters
    ----------
    steps : ndarray of float, shape (k,)
        Distinct values of a_i / v_i.
    masses : ndarray of float, shape (k,)
        Sums of a_i over the items with that value; their sum is 1.
    """

    steps: tuple[float, ...]
    masses: tuple[float, ...]

    @classmethod
    def from_weights(cls, coefficients: Floats, weights: Floats, levels: int = 32) -> Chernoff:
        """Bound for coefficients a_i >= 0 and independent-set weights v_i.

        Many distinct values of a_i / v_i are rounded up to ``levels`` values: v log E exp(s a X / v) is the logarithm
        of an L_p norm of exp(s a X), p = 1 / v, and grows with p, so this keeps the bound valid.
        """
        shares = coefficients / coefficients.sum()
        kept = shares > 0
        shares, steps = shares[kept], shares[kept] / weights[kept]
        values, where = np.unique(steps, return_inverse=True)
        if values.size > levels and values[-1] > values[0] * (1 + 1e-9):
            grid = np.geomspace(values[0], values[-1], levels)
            grid[-1] = values[-1]
            where = np.searchsorted(grid, steps * (1 - 1e-12))
            values = grid
        masses = np.bincount(where.ravel(), shares, minlength=values.size)
        return cls(tuple(values[masses > 0].tolist()), tuple(masses[masses > 0].tolist()))

    @property
    def effective_sample_size(self) -> float:
        """n_eff of the Hoeffding bound with the same weights, 1 / sum_i a_i^2 / v_i."""
        return 1 / float(np.dot(self.steps, self.masses))

    def lower(self, mean: float, delta: float) -> float:
        """Lower confidence bound on the expectation of a weighted mean that was seen, at confidence 1 - delta."""
        level = log(1 / check_delta(delta))
        if mean <= TINY:
            return 0.0
        if len(self.steps) == 1:
            return kl_lower(mean, level * self.steps[0])
        # The bound grows with the mean, so that a mean slightly below 1 may stand for it.
        found = _search(min(mean, 1 - 1e-9), level, np.array(self.steps), np.array(self.masses))
        return max(found, kl_lower(mean, level * max(self.steps)))

    def upper(self, mean: float, delta: float) -> float:
        """Upper confidence bound: the lower one for 1 - X."""
        return 1 - self.lower(1 - mean, delta)


def _search(mean: float, level: float, steps: Floats, masses: Floats) -> float:
    """Largest dual bound on grids of (s, theta / s) that close in; the first lies around the kl bound's solution."""
    average = float(np.dot(steps, masses))
    guess = min(max(kl_lower(mean, level * average), 1e-9), mean * (1 - 1e-6))
    odds = log(mean * (1 - guess) / (guess * (1 - mean)))
    slope = expm1(odds) / (1 + guess * expm1(odds)) / odds
    center, best = np.log([odds / average, slope]), 0.0
    for width in GRID_WIDTHS:
        one, other = (place + width * np.linspace(-1, 1, GRID_SIZE) for place in center)
        s, ratio = np.exp(np.minimum(one, 600.0))[:, None], np.exp(np.clip(other, -300.0, 300.0))
        bounds = _dual_bounds(mean, level, s, s * ratio, steps, masses)
        row, column = divmod(int(bounds.argmax()), GRID_SIZE)
        if bounds[row, column] > best:
            best, center = float(bounds[row, column]), np.array([one[row], other[column]])
    return best


def _dual_bounds(mean: float, level: float, s: Floats, theta: Floats, steps: Floats, masses: Floats) -> Floats:
    """(s q - H(s, theta) - level) / theta for all pairs, shapes (k, 1) and (k, l)."""
    held = np.zeros(theta.shape)
    for step, mass in zip(steps, masses, strict=True):
        power = np.minimum(s * step, 700.0)
        growth = np.expm1(power)
        m = np.clip(1 / (theta * step) - 1 / growth, 0.0, 1.0)
        held += mass * (np.log1p(m * growth) / step - theta * m)
    return np.where(s * steps.max() < 700.0, (s * mean - held - level) / theta, -np.inf)


def kl_lower(mean: float, level: float) -> float:
    """Smallest mu <= mean with kl(mean, mu) <= level."""
    if mean <= 0 or level == np.inf:
        return 0.0
    if mean >= 1:
        return exp(-level)
    low, high = 0.0, mean
    for _ in range(80):
        middle = (low + high) / 2
        if kl(mean, middle) > level:
            low = middle
        else:
            high = middle
    return low


def kl_upper(mean: float, level: float) -> float:
    """Largest mu >= mean with kl(mean, mu) <= level."""
    return 1 - kl_lower(1 - mean, level)


def kl(p: float, q: float) -> float:
    """Relative entropy of a coin of bias p from one of bias q, in nats.

    >>> round(kl(0.5, 0.25), 4)
    0.1438
    """
    total = 0.0
    for one, other in ((p, q), (1 - p, 1 - q)):
        if one > 0:
            if other <= 0:
                return float("inf")
            total += one * log(one / other)
    return max(total, 0.0)


def empirical_bernstein_deviation(variance: float, size: int, delta: float) -> float:
    """Deviation of the mean of independent [0, 1] items with sample variance ``variance``, at 1 - delta, one side.

    Maurer and Pontil (2009), Theorem 4; the items need not have the same distribution.
    """
    level = log(2 / check_delta(delta))
    return sqrt(2 * variance * level / size) + 7 * level / (3 * (size - 1)) if size > 1 else 1.0


def sample_size(half_width: float, confidence: float, *, share: float = 1.0, value_range: float = 1.0) -> int:
    """Items needed for an interval of mean plus or minus ``half_width`` (Hoeffding, both sides).

    Parameters
    ----------
    half_width : float
        Wanted half width, in units of the metric.
    confidence : float
        Between 0 and 1.
    share : float
        Effective items per item, n_eff / n, of data of the same structure.
    value_range : float
        Width of the range of the items' values.

    Examples
    --------
    >>> sample_size(0.01, 0.95), sample_size(0.01, 0.95, share=1 / 11)
    (18445, 202889)
    """
    _positive("the half width", half_width)
    _positive("the share of effective items", share)
    effective = (value_range / half_width) ** 2 * log(2 / check_delta(1 - confidence)) / 2
    return ceil(effective / share)


def check_delta(delta: float) -> float:
    """A probability of error strictly between 0 and 1."""
    if not 0 < delta < 1:
        raise DependenceError(f"a confidence of {1 - delta:g}", "give a number between 0 and 1, such as 0.95")
    return delta


def _positive(what: str, value: float) -> None:
    if not (value > 0 and np.isfinite(value)):
        raise DependenceError(f"{what} is {value:g}", "give a positive number")
