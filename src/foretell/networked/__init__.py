"""Pairs that share objects: weights for learning and evaluation, intervals, bounds.

Most examples of ranking, link prediction, matching, retrieval and leaderboards are pairs of objects, and pairs share
objects. They are not independent, so that hubs dominate equal weights and intervals for independent data are wrong.
"""

from foretell.networked.errors import PairsError
from foretell.networked.graph import PairGraph
from foretell.networked.matchings import FractionalMatching, fractional_matching, fractional_matching_number, matching
from foretell.networked.norms import Norms, norms
from foretell.networked.program import Program
from foretell.networked.search import Certificate
from foretell.networked.weights import METHODS, Weighting, networked_weights, weigh

__all__ = [
    "METHODS",
    "Certificate",
    "FractionalMatching",
    "Norms",
    "PairGraph",
    "PairsError",
    "Program",
    "Weighting",
    "fractional_matching",
    "fractional_matching_number",
    "matching",
    "networked_weights",
    "norms",
    "weigh",
]
