"""A metric with all its intervals side by side: those in use, and the one that is valid."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from foretell.dependence.comparisons import Comparison, compare_intervals
from foretell.dependence.errors import DependenceError
from foretell.dependence.graph import DependencyGraph
from foretell.dependence.intervals import Interval, Method, build_problem, metric_interval


@dataclass(frozen=True)
class Assessment:
    """A valid interval and the asymptotic ones beside it.

    Attributes
    ----------
    interval : Interval
        The valid one.
    comparisons : tuple of Comparison
        I.i.d., cluster-robust, Newey-West, bootstrap, as far as they fit the data.
    """

    interval: Interval
    comparisons: tuple[Comparison, ...]
    graph: DependencyGraph = field(repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        return {**self.interval.to_dict(), "comparisons": [asdict(row) for row in self.comparisons]}

    def plot(self, axes: Any = None) -> Any:
        """Draw the intervals; see :func:`foretell.dependence.pictures.plot_intervals`."""
        from foretell.dependence.pictures import plot_intervals

        return plot_intervals(self, axes)


def assess(
    y_true: Any,
    y_pred: Any,
    metric: str | Callable[[Any, Any], Any] = "accuracy",
    *,
    share: Mapping[str, Any] | None = None,
    times: Any = None,
    horizon: Any = None,
    within: Any = None,
    graph: DependencyGraph | None = None,
    baseline: Any = None,
    sample_weight: Any = None,
    value_range: tuple[float, float] | None = None,
    quantile: float = 0.5,
    confidence: float = 0.95,
    latent: bool = False,
    method: Method = "auto",
    missing: str = "error",
) -> Assessment:
    """Compute a metric with its valid interval and the ones that people use.

    Parameters
    ----------
    share : mapping of str to array_like, optional
        Columns of identifiers: items depend if they share a value in any of them.
    times, horizon, within : optional
        Items depend if their times differ by at most the horizon (and they are of the same group ``within``); see
        :meth:`DependencyGraph.from_times`.
    graph : DependencyGraph, optional
        Further dependences.
    missing : {"error", "own"}
        What a missing identifier means.
    y_true, y_pred, metric, baseline, sample_weight, value_range, quantile, confidence, latent, method
        As for :func:`metric_interval`.

    Examples
    --------
    >>> import numpy as np
    >>> document = np.repeat(np.arange(40), 25)
    >>> right = (document % 5 > 0).astype(int)
    >>> result = assess(np.ones(1000), right, share={"document": document})
    >>> [row.name for row in result.comparisons]
    ['i.i.d.', 'cluster-robust', 'block bootstrap']
    >>> round(result.interval.effective_sample_size, 6)
    40.0
    """
    share = dict(share or {})
    parts = [] if graph is None else [graph]
    if share:
        parts.append(DependencyGraph.from_ids(*share.values(), missing="own" if missing == "own" else "error"))
    if (times is None) != (horizon is None):
        raise DependenceError("a time without a horizon, or the reverse", "give both, or neither")
    if times is not None:
        parts.append(DependencyGraph.from_times(times, horizon, within=within))
    if not parts:
        raise DependenceError(
            "who depends on whom is not said",
            "name what items share, or times and a horizon, or a graph (DependencyGraph.independent(n) if nothing)",
        )
    joined = parts[0]
    for part in parts[1:]:
        joined = joined | part
    interval = metric_interval(
        y_true, y_pred, metric, graph=joined, baseline=baseline, sample_weight=sample_weight, value_range=value_range,
        quantile=quantile, confidence=confidence, latent=latent, method=method,
    )  # fmt: skip
    rows: list[Comparison] = []
    if metric != "quantile":
        problem = build_problem(y_true, y_pred, metric, baseline, sample_weight, value_range)
        rows = compare_intervals(
            problem.estimate, problem.influence, columns=list(share.values()), times=times,
            horizon=horizon or 0.0, graph=joined, confidence=confidence,
        )  # fmt: skip
    return Assessment(interval, tuple(rows), joined)
