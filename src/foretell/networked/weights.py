"""Weights for pairs, by every method, with what is known about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np

from foretell.networked import search as searches
from foretell.networked.blue import blue_weights
from foretell.networked.dual import DualAscent
from foretell.networked.errors import PairsError
from foretell.networked.graph import PairGraph, as_pairs
from foretell.networked.kernels import Floats
from foretell.networked.matchings import fractional_matching, fractional_matching_number, matching
from foretell.networked.minimum_norm import minimum_norm_matching
from foretell.networked.pdhg import PrimalDual
from foretell.networked.program import Program
from foretell.networked.search import Certificate
from foretell.networked.weight_norms import Norms, norms

Method = Literal["equal", "maxdeg", "matching", "fractional", "bound", "blue"]
METHODS: tuple[str, ...] = get_args(Method)
SEARCHES = ("adaptive", "grid")
SOLVERS = ("auto", "dual", "pdhg")


@dataclass(frozen=True, eq=False)
class Weighting:
    """Weights of pairs and what is known about them.

    Attributes
    ----------
    pairs : PairGraph
    weights : ndarray, shape (m,)
        Not negative, mean 1, so that they replace unit weights without changing the balance with a regulariser.
    method : str
    program : Program, optional
        What was minimised, for the method ``bound``.
    certificate : Certificate, optional
        How near to the least, for the method ``bound``.
    """

    pairs: PairGraph
    weights: Floats
    method: str
    program: Program | None = None
    certificate: Certificate | None = None

    @cached_property
    def norms(self) -> Norms:
        """Norms of the weights scaled to sum 1."""
        return norms(self.pairs, self.weights)

    @property
    def effective_sample_size(self) -> float:
        """1 / A(w).

        The mean is at least as concentrated (Hoeffding) as that of so many independent pairs; nu* at the most.
        """
        return 1 / self.norms.load

    @property
    def noise_sample_size(self) -> float:
        """1 / |w|_2^2 (Kish): how many pairs the weights keep as far as each pair's own noise goes; m at the most."""
        return 1 / self.norms.euclidean**2


def networked_weights(pairs: Any, method: Method = "maxdeg", **options: Any) -> Floats:
    """Weights for pairs that share objects, to be passed as ``sample_weight``.

    Parameters
    ----------
    pairs : PairGraph, array_like of shape (m, k), DataFrame of id columns or SciPy sparse matrix
    method : {"equal", "maxdeg", "matching", "fractional", "bound", "blue"}
    **options
        Those of :func:`weigh`.

    Returns
    -------
    ndarray, shape (m,)
        Not negative, mean 1.

    Examples
    --------
    A hub in three pairs, and a pair of its own:

    >>> networked_weights([(0, 1), (0, 2), (0, 3), (4, 5)]).round(3)
    array([0.667, 0.667, 0.667, 2.   ])
    """
    return weigh(pairs, method, **options).weights


def weigh(
    pairs: Any,
    method: Method = "maxdeg",
    *,
    program: Program | None = None,
    epsilon: float = 0.05,
    search: Literal["adaptive", "grid"] = "adaptive",
    solver: Literal["auto", "dual", "pdhg"] = "auto",
    max_iterations: int = 20000,
    correlation: float | None = None,
    progress: Callable[[float], None] | None = None,
) -> Weighting:
    """Weights for pairs that share objects, with norms and, for ``bound``, a certificate.

    Parameters
    ----------
    pairs : PairGraph, array_like of shape (m, k), DataFrame of id columns or SciPy sparse matrix
    method : {"equal", "maxdeg", "matching", "fractional", "bound", "blue"}
        ``equal``: 1. ``maxdeg``: one over the larger degree of the pair's objects. ``matching``: pairs that share no
        object, others 0. ``fractional``: the maximum fractional matching of minimum norm. ``bound``: the minimum of
        ``program``. ``blue``: least variance of a weighted mean under ``correlation``.
    program : Program, optional
        For ``bound``; :meth:`Program.at_confidence` by default.
    epsilon : float
        For ``bound``: the objective is to be at most 1 + epsilon times the least.
    search : {"adaptive", "grid"}
        For ``bound`` with beta > 0.
    solver : {"auto", "dual", "pdhg"}
        For ``bound``; ``auto`` takes the dual method unless k1 is 0.
    max_iterations : int
        For ``bound``, in each convex problem. The certificate says what was reached.
    correlation : float
        For ``blue``: correlation of two pairs that share an object.
    progress : callable, optional
        For ``bound``: called with the gap still open in the convex problem at work.

    Raises
    ------
    PairsError
        Pairs or options that nothing can be computed from.
    """
    graph = as_pairs(pairs)
    if method not in METHODS:
        raise PairsError(f"no method {method!r}", f"choose from {', '.join(METHODS)}")
    if (correlation is None) == (method == "blue"):
        raise PairsError("method 'blue', and no other, weighs by a correlation", "give both or neither")
    if method == "bound":
        chosen = program or Program.at_confidence()
        weights, certificate = _bound(graph, chosen, epsilon, search, solver, max_iterations, progress)
        return Weighting(graph, _mean_one(weights), method, chosen, certificate)
    if correlation is not None:
        return Weighting(graph, _mean_one(blue_weights(graph, correlation)), method)
    simple = {"equal": _equal, "maxdeg": maxdeg_weights, "matching": matching, "fractional": _fractional}
    return Weighting(graph, _mean_one(simple[method](graph)), method)


def maxdeg_weights(pairs: PairGraph) -> Floats:
    """1 / (largest degree of the pair's objects): always a fractional matching, in O(m)."""
    return 1 / searches.largest_degrees(pairs)


def _equal(pairs: PairGraph) -> Floats:
    return np.ones(pairs.n_pairs)


def _fractional(pairs: PairGraph) -> Floats:
    return minimum_norm_matching(pairs, fractional_matching(pairs))


def _mean_one(weights: Floats) -> Floats:
    return np.asarray(weights * (weights.size / weights.sum()))


def _bound(
    pairs: PairGraph,
    program: Program,
    epsilon: float,
    search: str,
    solver: str,
    max_iterations: int,
    progress: Callable[[float], None] | None,
) -> tuple[Floats, Certificate]:
    if search not in SEARCHES or solver not in SOLVERS:
        raise PairsError(f"search {search!r} with solver {solver!r}", "choose adaptive or grid, and auto, dual or pdhg")
    if max_iterations < 1:
        raise PairsError(f"max_iterations is {max_iterations}", "give at least 1")
    by_pdhg = solver == "pdhg" or (solver == "auto" and program.k1 == 0)
    used = PrimalDual(pairs) if by_pdhg else DualAscent(pairs)
    state = searches.Search(pairs, program, used, epsilon, max_iterations, progress)
    if program.is_convex:
        certificate = searches.convex(state)
    else:
        chosen = searches.grid if search == "grid" else searches.adaptive
        certificate = chosen(state, lambda: 1 / fractional_matching_number(pairs))
    return state.weights, certificate
