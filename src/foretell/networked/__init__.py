"""Pairs that share objects: weights for learning and evaluation, intervals, bounds.

Most examples of ranking, link prediction, matching, retrieval and leaderboards are pairs of objects, and pairs share
objects. They are not independent, so that hubs dominate equal weights and intervals for independent data are wrong.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foretell.networked.battles import Leaderboard, leaderboard
    from foretell.networked.bounds import RiskBound, complete_graph_bound, equal_weights_bound, risk_bound
    from foretell.networked.errors import PairsError
    from foretell.networked.graph import PairGraph
    from foretell.networked.intervals import FinnerBound, dependency_graph, finner_bound, pair_interval
    from foretell.networked.learners import NetworkedClassifier, NetworkedRegressor
    from foretell.networked.matchings import (
        FractionalMatching,
        fractional_matching,
        fractional_matching_number,
        matching,
    )
    from foretell.networked.plot import plot_weights
    from foretell.networked.program import Program
    from foretell.networked.sampling import pair_sampler
    from foretell.networked.search import Certificate
    from foretell.networked.splits import PairKFold
    from foretell.networked.weight_norms import Norms, norms
    from foretell.networked.weights import METHODS, Weighting, networked_weights, weigh

_HOMES = {
    "METHODS": "weights",
    "Certificate": "search",
    "FinnerBound": "intervals",
    "FractionalMatching": "matchings",
    "Leaderboard": "battles",
    "NetworkedClassifier": "learners",
    "NetworkedRegressor": "learners",
    "Norms": "weight_norms",
    "PairGraph": "graph",
    "PairKFold": "splits",
    "PairsError": "errors",
    "Program": "program",
    "RiskBound": "bounds",
    "Weighting": "weights",
    "complete_graph_bound": "bounds",
    "dependency_graph": "intervals",
    "equal_weights_bound": "bounds",
    "finner_bound": "intervals",
    "fractional_matching": "matchings",
    "fractional_matching_number": "matchings",
    "leaderboard": "battles",
    "matching": "matchings",
    "networked_weights": "weights",
    "norms": "weight_norms",
    "pair_interval": "intervals",
    "pair_sampler": "sampling",
    "plot_weights": "plot",
    "risk_bound": "bounds",
    "weigh": "weights",
}

__all__ = [
    "METHODS",
    "Certificate",
    "FinnerBound",
    "FractionalMatching",
    "Leaderboard",
    "NetworkedClassifier",
    "NetworkedRegressor",
    "Norms",
    "PairGraph",
    "PairKFold",
    "PairsError",
    "Program",
    "RiskBound",
    "Weighting",
    "complete_graph_bound",
    "dependency_graph",
    "equal_weights_bound",
    "finner_bound",
    "fractional_matching",
    "fractional_matching_number",
    "leaderboard",
    "matching",
    "networked_weights",
    "norms",
    "pair_interval",
    "pair_sampler",
    "plot_weights",
    "risk_bound",
    "weigh",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for only then."""
    if name not in _HOMES:
        raise AttributeError(f"module 'foretell.networked' has no attribute {name!r}")
    # its function.
    value = getattr(import_module(f"foretell.networked.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
