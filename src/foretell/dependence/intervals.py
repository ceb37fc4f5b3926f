"""Confidence intervals for metrics of dependent items, valid for every finite sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from foretell.dependence import metrics
from foretell.dependence.auc_pairs import auc_chernoff
from foretell.dependence.covers import FractionalCover, fractional_cover
from foretell.dependence.errors import DependenceError
from foretell.dependence.graph import DependencyGraph
from foretell.dependence.inequalities import (
    Chernoff,
    SubGaussian,
    check_delta,
    empirical_bernstein_deviation,
)
from foretell.dependence.metrics import Lipschitz, Mean, Ratio

Floats = NDArray[np.float64]
Problem: TypeAlias = Mean | Ratio | Lipschitz
Method = Literal["auto", "chernoff", "hoeffding", "empirical-bernstein", "elimination", "forest"]
METHODS: tuple[str, ...] = ("auto", "chernoff", "hoeffding", "empirical-bernstein", "elimination", "forest")
VACUOUS_SHARE = 0.9
"""An interval as wide as this share of all possible values is called vacuous."""
METRICS = {
    "accuracy": "share of items with y_pred equal to y_true",
    "error": "share of items with y_pred unlike y_true",
    "mean": "mean of y_pred; needs value_range",
    "absolute_error": "mean of |y_true - y_pred|; needs value_range of the error",
    "squared_error": "mean of (y_true - y_pred)^2; needs value_range of the error",
    "win_rate": "mean of outcomes y_pred from 0 (loss) over 0.5 (tie) to 1 (win)",
    "acceptance_length": "mean tokens per step y_pred; needs value_range=(1, draft length + 1)",
    "bits_per_byte": "bits y_pred over bytes y_true; needs value_range of bits per byte of one item",
    "f1": "micro-averaged F1 of y_pred for y_true, 0 and 1",
    "auc": "area under the ROC curve of scores y_pred for y_true, 0 and 1",
    "quantile": "quantile of y_pred",
}


@dataclass(frozen=True)
class Interval:
    """An interval, with everything needed to judge it.

    Attributes
    ----------
    metric, target : str
        What was computed, and the quantity that the interval is for.
    estimate, low, high : float
        The value on the sample and the two ends.
    confidence : float
        Probability, over samples, with which the interval holds the target: at least this, for every sample size.
    n_items, effective_sample_size : int, float
        Items, and independent items that would allow the same bound.
    method : str
        The bound that was used, chosen before looking at the values.
    assumptions : tuple of str
        All that is assumed.
    vacuous : bool
        Whether the interval is at least 90 % as wide as the range of possible values, so that it says next to nothing.
    planned : dict
        Half widths that the candidates promised, by which the method was chosen.
    """

    metric: str
    target: str
    estimate: float
    low: float
    high: float
    confidence: float
    n_items: int
    effective_sample_size: float
    method: str
    assumptions: tuple[str, ...]
    vacuous: bool
    planned: dict[str, float] = field(default_factory=dict)

    @property
    def half_width(self) -> float:
        """Half of the distance between the ends."""
        return (self.high - self.low) / 2

    def to_dict(self) -> dict[str, Any]:
        """All attributes as plain values, for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        note = ", vacuous" if self.vacuous else ""
        return (
            f"{self.metric} {self.estimate:.4f}, {self.confidence:.0%} interval {self.low:.4f} to {self.high:.4f} "
            f"({self.method}; n = {self.n_items}, n_eff = {self.effective_sample_size:.1f}{note})"
        )


def metric_interval(
    y_true: Any,
    y_pred: Any,
    metric: str | Callable[[Any, Any], Any] = "accuracy",
    *,
    graph: DependencyGraph | None = None,
    groups: Any = None,
    ids: Any = None,
    baseline: Any = None,
    sample_weight: Any = None,
    value_range: tuple[float, float] | None = None,
    quantile: float = 0.5,
    confidence: float = 0.95,
    latent: bool = False,
    method: Method = "auto",
) -> Interval:
    """Interval for a metric whose items depend on each other, with proven coverage at every sample size.

    Parameters
    ----------
    y_true, y_pred : array_like, shape (n,)
        What is true and what was predicted; see ``METRICS`` for what each metric reads. ``y_true`` may be None for
        metrics that only read ``y_pred``.
    metric : str or callable
        One of ``METRICS``, or a function of (y_true, y_pred) that returns one value per item, whose mean is wanted.
    graph : DependencyGraph, optional
        Who depends on whom. Exactly one of ``graph``, ``groups`` and ``ids`` must be given.
    groups : array_like, shape (n,), optional
        Clusters: items of different clusters are independent.
    ids : mapping, data frame or sequence of columns, optional
        Identifiers of shared objects: two items depend if they share one in any column.
    baseline : array_like, shape (n,), optional
        A second system's ``y_pred``; the interval is for the metric of ``y_pred`` minus that of ``baseline``.
    sample_weight : array_like of float, shape (n,), optional
        Weights of items in a mean, chosen without looking at the values.
    value_range : (float, float), optional
        Lowest and highest value that an item can have. Known for accuracy, error, win_rate, f1 and auc.
    quantile : float
        Which quantile, for ``metric="quantile"``.
    confidence : float
        Probability that the interval is to hold the target with, between 0 and 1.
    latent : bool
        Assume that items are functions of independent objects (and of something of their own); needed for tight
        intervals with three and more columns of ids.
    method : {"auto", "chernoff", "hoeffding", "empirical-bernstein", "elimination", "forest"}
        The bound; "auto" takes the tightest one for the graph, without looking at the values.

    Returns
    -------
    Interval

    Raises
    ------
    DependenceError
        If something is missing, out of range, or contradictory; the message says what to do.

    Examples
    --------
    Ten questions, each asked five times:

    >>> import numpy as np
    >>> question = np.repeat(np.arange(10), 5)
    >>> right = (question % 4 != 0).astype(int)
    >>> interval = metric_interval(np.ones(50), right, "accuracy", groups=question)
    >>> interval.effective_sample_size
    10.0
    >>> print(interval)
    accuracy 0.7000, 95% interval 0.2848 to 0.9578 (chernoff; n = 50, n_eff = 10.0)
    """
    delta = check_delta(1 - confidence)
    name = metric if isinstance(metric, str) else getattr(metric, "__name__", "metric")
    if method not in METHODS:
        raise DependenceError(f"a method {method!r}", f"choose one of {', '.join(METHODS)}")
    if metric == "quantile":
        column = metrics.check_column(y_pred, "y_pred")
        known = resolve_graph(column.size, graph, groups, ids)
        return _quantile_interval(column, known, sample_weight, quantile, confidence, latent)
    problem = build_problem(y_true, y_pred, metric, baseline, sample_weight, value_range)
    known = resolve_graph(_size(problem), graph, groups, ids)
    if baseline is not None:
        name = f"{name} difference"
    if isinstance(problem, Mean):
        return _mean_interval(problem, known, name, delta, latent, method)
    if isinstance(problem, Ratio):
        return _ratio_interval(problem, known, name, delta, latent, method)
    pairs = None
    if metric == "auc" and baseline is None:
        pairs = metrics.as_binary(np.asarray(y_true), "y_true")
    return _lipschitz_interval(problem, known, name, delta, method, pairs)


def build_problem(
    y_true: Any,
    y_pred: Any,
    metric: str | Callable[[Any, Any], Any],
    baseline: Any = None,
    sample_weight: Any = None,
    value_range: tuple[float, float] | None = None,
) -> Problem:
    """Turn data and a metric into what bounds are about; parameters as for :func:`metric_interval`."""
    if metric in ("f1", "auc") and sample_weight is not None:
        raise DependenceError(f"sample_weight for {metric}", "leave it out; weights are for means")
    if metric == "auc":
        one = metrics.auc(y_true, y_pred)
        return one if baseline is None else metrics.difference(one, metrics.auc(y_true, baseline))
    if metric == "f1":
        if baseline is None:
            return metrics.f1_counts(y_true, y_pred, value_range)
        return metrics.difference(metrics.f1_given_labels(y_true, y_pred), metrics.f1_given_labels(y_true, baseline))
    values, span, weights = _item_values(y_true, y_pred, metric, value_range)
    if sample_weight is not None:
        weights = sample_weight if weights is None else metrics.check_column(sample_weight, "sample_weight") * weights
    if baseline is None:
        return metrics.build_mean(values, weights, span, f"{metric if isinstance(metric, str) else 'the metric'}")
    others, _, _ = _item_values(y_true, baseline, metric, value_range)
    ours, theirs = (metrics.build_mean(column, weights, span, str(metric)) for column in (values, others))
    return Mean(ours.values - theirs.values, ours.shares, ours.low - ours.high, ours.high - ours.low)


def _item_values(
    y_true: Any, y_pred: Any, metric: str | Callable[[Any, Any], Any], span: tuple[float, float] | None
) -> tuple[Any, tuple[float, float] | None, Any]:
    """One value per item, their range, and weights where the metric brings its own."""
    if not isinstance(metric, str):
        return metric(y_true, y_pred), span, None
    if metric in ("accuracy", "error"):
        one, other = metrics.check_pair(y_true, y_pred)
        if one.ndim != 1:
            raise DependenceError(f"labels of shape {one.shape}", "give one label per item")
        return (one == other) == (metric == "accuracy"), (0.0, 1.0), None
    if metric == "win_rate":
        return y_pred, (0.0, 1.0), None
    if metric in ("mean", "acceptance_length"):
        return y_pred, span, None
    if metric in ("absolute_error", "squared_error"):
        error = metrics.check_column(y_pred, "y_pred") - metrics.check_column(y_true, "y_true")
        return (np.abs(error) if metric == "absolute_error" else error**2), span, None
    if metric == "bits_per_byte":
        sizes = metrics.check_column(y_true, "bytes per item")
        if (sizes <= 0).any():
            raise DependenceError("items of 0 bytes", "join them with their neighbours")
        return metrics.check_column(y_pred, "bits per item") / sizes, span, sizes
    raise DependenceError(f"a metric {metric!r}", f"choose one of {', '.join(METRICS)}, or pass a function")


def resolve_graph(n_items: int, graph: DependencyGraph | None, groups: Any, ids: Any) -> DependencyGraph:
    """The graph that was said in one of three ways."""
    given = [value is not None for value in (graph, groups, ids)]
    if sum(given) != 1:
        raise DependenceError(
            "who depends on whom must be said once" if any(given) else "who depends on whom is not said",
            "pass one of graph=, groups= and ids= (graph=DependencyGraph.independent(n) if nobody does)",
        )
    if graph is None:
        graph = DependencyGraph.from_groups(groups) if groups is not None else DependencyGraph.from_ids(*_columns(ids))
    if graph.n_items != n_items:
        raise DependenceError(f"{n_items} items and a graph of {graph.n_items}", "they must be about the same items")
    return graph


def _columns(ids: Any) -> list[Any]:
    if isinstance(ids, Mapping):
        return list(ids.values())
    if hasattr(ids, "columns"):
        return [ids[name] for name in ids.columns]
    if isinstance(ids, np.ndarray):
        return [ids] if ids.ndim == 1 else list(ids.T)
    if isinstance(ids, Sequence) and ids and not isinstance(ids[0], str) and hasattr(ids[0], "__len__"):
        return list(ids)
    return [ids]


def _size(problem: Problem) -> int:
    return problem.influence.size


def _mean_interval(
    problem: Mean, graph: DependencyGraph, name: str, delta: float, latent: bool, method: Method
) -> Interval:
    if method in ("elimination", "forest"):
        coefficients = problem.shares * (problem.high - problem.low)
        described = Lipschitz(problem.estimate, coefficients, problem.low, problem.high, problem.influence, "the mean")
        return _lipschitz_interval(described, graph, name, delta, method, None)
    cover = fractional_cover(graph, problem.shares, latent=latent)
    span = problem.high - problem.low
    bound = Chernoff.from_weights(problem.shares, cover.weights)
    hoeffding = SubGaussian(cover.denominator(problem.shares))
    planned = {"chernoff": hoeffding.deviation(delta / 2) * span, "hoeffding": hoeffding.deviation(delta / 2) * span}
    if method == "hoeffding":
        low, high = (problem.estimate + sign * planned["hoeffding"] for sign in (-1, 1))
    elif method == "empirical-bernstein":
        deviation = _empirical_bernstein(problem, graph, delta) * span
        low, high = problem.estimate - deviation, problem.estimate + deviation
    else:
        method, scaled = "chernoff", (problem.estimate - problem.low) / span
        low = problem.low + span * bound.lower(scaled, delta / 2)
        high = problem.low + span * bound.upper(scaled, delta / 2)
    return _report(
        name, "the expected value of the mean", problem, (low, high), delta, 1 / hoeffding.denominator,
        method, graph, (f"values lie in {problem.low:g} to {problem.high:g}", *cover.assumptions), planned,
    )  # fmt: skip


def _empirical_bernstein(problem: Mean, graph: DependencyGraph, delta: float) -> float:
    """Deviation from sample variances: of group sums where groups are disjoint, else within classes of a colouring."""
    scaled = (problem.values - problem.low) / (problem.high - problem.low) * problem.shares
    sizes = np.diff(graph.clique_indptr)
    blocks, classes = np.arange(graph.n_items), np.zeros(graph.n_items, dtype=np.int64)
    if graph.n_components * max(sizes.max(initial=1), 1) <= 4 * graph.n_items and not graph.indices.size:
        blocks = graph.component_labels
    elif graph.indices.size or graph.n_cliques:
        classes = _coloring_classes(graph)
    total = 0.0
    count = int(classes.max()) + 1
    for label in range(count):
        inside = classes == label
        sums = np.bincount(blocks[inside], scaled[inside])
        masses = np.bincount(blocks[inside], problem.shares[inside])
        sums, masses = sums[masses > 0], masses[masses > 0]
        top = float(masses.max())
        spread = float(np.var(sums / top, ddof=1)) if sums.size > 1 else 0.25
        total += top * sums.size * empirical_bernstein_deviation(spread, sums.size, delta / 2 / count)
    return total


def _coloring_classes(graph: DependencyGraph) -> NDArray[np.int64]:
    from foretell.dependence.independent_sets import greedy_coloring

    matrix = graph.to_scipy()
    found: NDArray[np.int64] = greedy_coloring(
        matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64), np.arange(graph.n_items)
    )
    return found


def _ratio_interval(
    problem: Ratio, graph: DependencyGraph, name: str, delta: float, latent: bool, method: Method
) -> Interval:
    if method not in ("auto", "chernoff"):
        raise DependenceError(f"method {method!r} for F1", 'use "auto"')
    cover: FractionalCover = fractional_cover(graph, latent=latent)
    bound = Chernoff.from_weights(np.ones(graph.n_items), cover.weights)
    low = _bisect(0.0, problem.estimate, lambda g: bound.lower(problem.scaled_mean(g), delta / 2) > g / (2 - g))
    high = 1 - _bisect(
        0.0, 1 - problem.estimate, lambda u: bound.upper(problem.scaled_mean(1 - u), delta / 2) < (1 - u) / (1 + u)
    )
    planned = {"chernoff": SubGaussian(1 / bound.effective_sample_size).deviation(delta / 2)}
    assumptions = (f"an item has at most {problem.cap:g} objects", *cover.assumptions)
    return _report(
        name, "the population's F1", problem, (low, high), delta, bound.effective_sample_size,
        "chernoff", graph, assumptions, planned,
    )  # fmt: skip


def _bisect(low: float, high: float, rejected: Callable[[float], bool]) -> float:
    """Largest rejected value between low and high, or low if nothing is rejected there; rounded outwards."""
    if not rejected(low):
        return low
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if rejected(middle) else (low, middle)
    return low


def _lipschitz_interval(
    problem: Lipschitz,
    graph: DependencyGraph,
    name: str,
    delta: float,
    method: Method,
    positive: NDArray[np.bool_] | None,
) -> Interval:
    """The smallest denominator of those asked for; for AUC also the kl bound over pairs of items."""
    denominators: dict[str, float] = {}
    if method in ("auto", "elimination"):
        denominators["elimination"] = graph.elimination_complexity(problem.coefficients).value
    if method in ("auto", "forest"):
        denominators["forest"] = graph.forest_complexity(problem.coefficients).value
    pairs = auc_chernoff(graph, positive) if positive is not None and method in ("auto", "chernoff") else None
    if pairs is not None:
        denominators["chernoff"] = 1 / pairs.effective_sample_size
    if not denominators:
        raise DependenceError(f"method {method!r} for {name}", 'use "auto", "elimination" or "forest"')
    planned = {key: SubGaussian(value).deviation(delta / 2) for key, value in denominators.items()}
    chosen = min(planned, key=lambda key: (planned[key], key))
    if pairs is not None and chosen == "chernoff":
        ends = pairs.lower(problem.estimate, delta / 2), pairs.upper(problem.estimate, delta / 2)
    else:
        ends = problem.estimate - planned[chosen], problem.estimate + planned[chosen]
    effective = (problem.high - problem.low) ** 2 / denominators[chosen]
    return _report(
        name, problem.target, problem, ends, delta, effective,
        chosen, graph, ("the dependency graph holds given the labels",) if "labels" in problem.target else (), planned,
    )  # fmt: skip


def _quantile_interval(
    values: Floats, graph: DependencyGraph, weights: Any, level: float, confidence: float, latent: bool
) -> Interval:
    """Order statistics: what is below the quantile has expected share ``level``, and shares are means of 0 and 1.

    Let F_n(x) be the weighted share of items at most x. At the quantile q, E F_n(q) >= level, so F_n(q) exceeds every c
    whose upper confidence bound is below level, but with probability delta / 2; then q is at least the smallest x with
    F_n(x) > c. The other end is its mirror image.
    """
    if not 0 < level < 1:
        raise DependenceError(f"a quantile of {level:g}", "give a number between 0 and 1")
    shares = metrics.check_weights(weights, values.size)
    cover = fractional_cover(graph, shares, latent=latent)
    bound = Chernoff.from_weights(shares, cover.weights)
    delta = 1 - confidence
    below = _bisect(0.0, level, lambda c: bound.upper(c, delta / 2) < level)
    above = 1 - _bisect(0.0, 1 - level, lambda c: bound.lower(1 - c, delta / 2) > level)
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(shares[order])
    ranked = values[order]
    open_low, open_high = bound.upper(0.0, delta / 2) >= level, bound.lower(1.0, delta / 2) <= level
    low = -np.inf if open_low else ranked[min(int(np.searchsorted(reached, below, "right")), values.size - 1)]
    high = np.inf if open_high else ranked[min(int(np.searchsorted(reached, above, "left")), values.size - 1)]
    middle = ranked[min(int(np.searchsorted(reached, level - 1e-12)), values.size - 1)]
    return Interval(
        f"quantile {level:g}", f"the {level:g} quantile", float(middle), float(low), float(high), confidence,
        values.size, bound.effective_sample_size, "chernoff", (*graph.notes, *cover.assumptions),
        bool(np.isinf(low) and np.isinf(high)),
    )  # fmt: skip


def _report(
    name: str,
    target: str,
    problem: Problem,
    ends: tuple[float, float],
    delta: float,
    effective: float,
    method: str,
    graph: DependencyGraph,
    assumptions: tuple[str, ...],
    planned: dict[str, float],
) -> Interval:
    floor, ceiling = (0.0, 1.0) if isinstance(problem, Ratio) else (problem.low, problem.high)
    low, high = max(float(ends[0]), floor), min(float(ends[1]), ceiling)
    vacuous = high - low >= VACUOUS_SHARE * (ceiling - floor)
    return Interval(
        name, target, problem.estimate, low, high, 1 - delta, graph.n_items, float(effective),
        method, (*graph.notes, *assumptions), bool(vacuous), planned,
    )  # fmt: skip
