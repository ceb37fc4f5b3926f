"""Confidence intervals for means over pairs, from Finner's inequality with the best fractional matching.

For independent objects, pairs with values in [0, 1], coefficients a_e of sum 1 and any fractional matching w (no
object's w sum above 1),

    P(sum a_e (x_e - E x_e) >= t) <= exp(-2 t^2 / D),   D = sum a_e^2 / w_e,

(Wang, Guo, Ramon, ALT 2017, Lemma 4, with free coefficients). The least D over w has the dual max over y >= 0 of
2 sum_e a_e sqrt(y_e) - sum_v y_v, y_e the sum of y over the pair's objects, which L-BFGS solves with one variable per
object. Any feasible w gives a valid D, so inaccuracy of the solver costs width, never validity.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize

from foretell.networked import kernels
from foretell.networked.errors import PairsError
from foretell.networked.graph import PairGraph, as_pairs
from foretell.networked.kernels import Floats
from foretell.networked.weight_norms import as_shares
from foretell.networked.weights import Method, weigh

if TYPE_CHECKING:
    from foretell.dependence.intervals import Interval

_TINY = 1e-60


@dataclass(frozen=True)
class FinnerBound:
    """The best fractional matching for given coefficients.

    Attributes
    ----------
    shares : ndarray, shape (m,)
        Coefficients a of the mean.
    matching : ndarray, shape (m,)
        Fractional matching w, 0 only where a is.
    denominator : float
        D = sum a_e^2 / w_e.
    lower : float
        No fractional matching has a smaller D.
    """

    shares: Floats
    matching: Floats
    denominator: float
    lower: float

    @property
    def effective_sample_size(self) -> float:
        """1 / D: a mean of so many independent values has the same bound."""
        return 1 / self.denominator

    def half_width(self, confidence: float) -> float:
        """Half width of the two-sided Hoeffding interval for values in a range of length 1."""
        if not 0 < confidence < 1:
            raise PairsError(f"a confidence of {confidence}", "give a probability such as 0.95")
        return float(np.sqrt(self.denominator * np.log(2 / (1 - confidence)) / 2))


def finner_bound(pairs: PairGraph, weights: ArrayLike | None = None, *, max_iterations: int = 300) -> FinnerBound:
    """Best fractional matching for the mean with given weights.

    Parameters
    ----------
    pairs : PairGraph
    weights : array_like, shape (m,), optional
        Of the mean, scaled to sum 1; equal by default.
    max_iterations : int
        Of L-BFGS.

    Examples
    --------
    Ten pairs of one object say as much as one:

    >>> finner_bound(PairGraph.from_edges([0] * 10, range(1, 11))).effective_sample_size
    1.0
    """
    shares = as_shares(pairs, np.ones(pairs.n_pairs) if weights is None else weights)
    used = np.flatnonzero(shares > 0)
    part = pairs if used.size == pairs.n_pairs else pairs.select(used)
    coefficients = shares[used]
    found, value = _dual(part, coefficients, max_iterations)
    sums = _over_objects(part, found)
    candidates = [coefficients, coefficients / np.sqrt(np.maximum(sums, _TINY))]
    feasible = [weight / part.loads(weight).max() for weight in candidates]
    best = min(feasible, key=lambda weight: float((coefficients**2 / weight).sum()))
    matching = np.zeros(pairs.n_pairs)
    matching[used] = best
    return FinnerBound(shares, matching, float((coefficients**2 / best).sum()), value)


def _over_objects(pairs: PairGraph, values: Floats) -> Floats:
    out = np.empty(pairs.n_pairs)
    kernels.sum_of_objects(pairs.members, np.append(values, 0.0), out)
    return out


def _dual(pairs: PairGraph, coefficients: Floats, max_iterations: int) -> tuple[Floats, float]:
    """Prices y and the value of the dual function, which bounds D from below.

    In the square roots z of the prices the curvature is of order 1 for hubs and leaves alike, and y = z^2 needs no
    bounds. Pairs of one object o alone would want z_o = sum of their coefficients, which is a good start for all.
    """
    loads = pairs.loads(coefficients)
    unit = float(loads.max())
    scaled = coefficients / unit

    def depth(roots: Floats) -> tuple[float, Floats]:
        lengths = np.sqrt(np.maximum(_over_objects(pairs, roots * roots), _TINY))
        slope = 2 * roots * (1 - pairs.loads(scaled / lengths))
        return float(roots @ roots - 2 * (scaled @ lengths)), slope

    found = minimize(
        depth, loads / unit, jac=True, method="L-BFGS-B",
        options={"maxiter": max_iterations, "maxfun": 2 * max_iterations, "ftol": 1e-9, "gtol": 1e-9},
    )  # fmt: skip
    return found.x**2, float(-found.fun) * unit * unit


def pair_interval(
    y_true: Any,
    y_pred: Any,
    metric: str | Callable[[Any, Any], Any] = "accuracy",
    *,
    pairs: Any,
    weights: ArrayLike | Method = "maxdeg",
    value_range: tuple[float, float] | None = None,
    baseline: Any = None,
    confidence: float = 0.95,
) -> Interval:
    """Confidence interval for a metric of pairs that share objects, valid at every sample size.

    It is assumed that objects are drawn independently of each other, that a pair's outcome depends on its objects and
    on noise of its own, and that which pairs were observed does not depend on the outcomes.

    Parameters
    ----------
    y_true, y_pred : array_like, shape (m,)
        As for :func:`foretell.dependence.intervals.metric_interval`; ``y_true`` is None for the metric ``mean``.
    metric : str or callable
        A metric of that function. Metrics that are no means (F1, AUC, quantiles) go to it as they are, without weights.
    pairs : PairGraph or what :func:`foretell.networked.networked_weights` takes
    weights : array_like of shape (m,), or a method
        Weights of the mean: chosen without looking at the outcomes.
    value_range, baseline, confidence
        As for that function.

    Returns
    -------
    foretell.dependence.intervals.Interval

    Examples
    --------
    One user liked all of fifty items, and of fifty other users, with an item each, half did:

    >>> pairs = PairGraph.from_edges([0] * 50 + list(range(1, 51)), range(51, 151))
    >>> outcome = [1] * 50 + [0, 1] * 25
    >>> print(pair_interval(None, outcome, "mean", pairs=pairs, value_range=(0, 1)))
    mean 0.5098, 95% interval 0.3254 to 0.6924 (finner-chernoff; n = 100, n_eff = 51.0)
    """
    from foretell.dependence.inequalities import Chernoff
    from foretell.dependence.intervals import VACUOUS_SHARE, Interval, build_problem, metric_interval
    from foretell.dependence.metrics import Mean

    graph = as_pairs(pairs)
    if metric in ("f1", "auc", "quantile"):
        return metric_interval(
            y_true, y_pred, metric, graph=dependency_graph(graph), baseline=baseline,
            value_range=value_range, confidence=confidence,
        )  # fmt: skip
    chosen = weigh(graph, cast(Method, weights)).weights if isinstance(weights, str) else graph.check_weights(weights)
    problem = build_problem(y_true, y_pred, metric, baseline, chosen, value_range)
    if not isinstance(problem, Mean) or problem.values.size != graph.n_pairs:
        raise PairsError(f"{graph.n_pairs} pairs, and not as many outcomes", "give one outcome for each pair")
    found = finner_bound(graph, problem.shares)
    used = found.matching > 0
    bound = Chernoff.from_weights(problem.shares[used], found.matching[used])
    delta, span = 1 - confidence, problem.high - problem.low
    half = found.half_width(confidence) * span
    scaled = min(max((problem.estimate - problem.low) / span, 0.0), 1.0)
    low = problem.low + span * bound.lower(scaled, delta / 2)
    high = problem.low + span * bound.upper(scaled, delta / 2)
    name = metric if isinstance(metric, str) else getattr(metric, "__name__", "metric")
    return Interval(
        f"{name} difference" if baseline is not None else name,
        "the expected value of the weighted mean",
        problem.estimate,
        low,
        high,
        confidence,
        graph.n_pairs,
        found.effective_sample_size,
        "finner-chernoff",
        (
            f"values lie in {problem.low:g} to {problem.high:g}",
            "objects are independent; a pair depends on its objects and on noise of its own",
            "which pairs were observed does not depend on their outcomes",
        ),
        high - low >= VACUOUS_SHARE * span,
        {"hoeffding": half},
    )


def dependency_graph(pairs: PairGraph) -> Any:
    """Pairs as items of a :class:`foretell.dependence.DependencyGraph`.

    Two depend on each other if they share an object.
    """
    from foretell.dependence.graph import DependencyGraph

    used = pairs.members != pairs.n_objects
    items = np.broadcast_to(np.arange(pairs.n_pairs)[:, None], used.shape)[used]
    return DependencyGraph.from_memberships(pairs.n_pairs, items, pairs.members[used])
