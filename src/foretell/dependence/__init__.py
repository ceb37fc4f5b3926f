"""Error bars and bounds for data that are not independent.

Say who shares what (a :class:`DependencyGraph`), and get intervals and bounds that hold for every finite sample.

Examples
--------
>>> from foretell.dependence import DependencyGraph
>>> DependencyGraph.from_m_dependence(1000, 10).effective_sample_size()  # doctest: +ELLIPSIS
90.9...
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foretell.dependence.assessment import Assessment, assess
    from foretell.dependence.comparisons import Comparison, compare_intervals
    from foretell.dependence.covers import FractionalCover, fractional_cover
    from foretell.dependence.elimination import EliminationBound, elimination_complexity
    from foretell.dependence.errors import DependenceError
    from foretell.dependence.forest import ForestApproximation, forest_complexity
    from foretell.dependence.graph import DependencyGraph
    from foretell.dependence.inequalities import Bennett, Bernstein, Chernoff, SubGaussian, sample_size
    from foretell.dependence.intervals import Interval, metric_interval
    from foretell.dependence.lower_bounds import clique_lower_bound
    from foretell.dependence.splitters import GraphKFold, LeaveNeighborhoodOut
    from foretell.dependence.stability import (
        Certificate,
        left_out_certificate,
        pac_bayes_bound,
        regularized_beta,
        stability_certificate,
    )

_HOMES = {
    "Assessment": "assessment",
    "assess": "assessment",
    "Comparison": "comparisons",
    "compare_intervals": "comparisons",
    "FractionalCover": "covers",
    "fractional_cover": "covers",
    "EliminationBound": "elimination",
    "elimination_complexity": "elimination",
    "DependenceError": "errors",
    "ForestApproximation": "forest",
    "forest_complexity": "forest",
    "DependencyGraph": "graph",
    "Bennett": "inequalities",
    "Bernstein": "inequalities",
    "Chernoff": "inequalities",
    "SubGaussian": "inequalities",
    "sample_size": "inequalities",
    "Interval": "intervals",
    "metric_interval": "intervals",
    "clique_lower_bound": "lower_bounds",
    "GraphKFold": "splitters",
    "LeaveNeighborhoodOut": "splitters",
    "Certificate": "stability",
    "left_out_certificate": "stability",
    "pac_bayes_bound": "stability",
    "regularized_beta": "stability",
    "stability_certificate": "stability",
}

__all__ = [
    "Assessment",
    "Bennett",
    "Bernstein",
    "Certificate",
    "Chernoff",
    "Comparison",
    "DependenceError",
    "DependencyGraph",
    "EliminationBound",
    "ForestApproximation",
    "FractionalCover",
    "GraphKFold",
    "Interval",
    "LeaveNeighborhoodOut",
    "SubGaussian",
    "assess",
    "clique_lower_bound",
    "compare_intervals",
    "elimination_complexity",
    "forest_complexity",
    "fractional_cover",
    "left_out_certificate",
    "metric_interval",
    "pac_bayes_bound",
    "regularized_beta",
    "sample_size",
    "stability_certificate",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for only then."""
    if name not in _HOMES:
        raise AttributeError(f"module 'foretell.dependence' has no attribute {name!r}")
    value = getattr(import_module(f"foretell.dependence.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
