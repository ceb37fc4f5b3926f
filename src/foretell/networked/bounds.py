"""The bound on the excess risk of weighted empirical risk minimisation, term by term.

The form, (B1), is re-derived from "On the ERM principle with networked data" (arXiv 1711.04297), with a proof in the
guide; factors that depend on the class of predictors are unknown and are the user's constants k0 to k3. With
probability at least 1 - delta,

    risk of the weighted minimiser - Bayes risk <= 2 (best in class - Bayes risk) + K (k0 A(w)^(1/(1+beta)) + k1 |w|_2
    + k2 |w|_max + k3 |w|_inf)

for weights of sum 1. Compare weights by it, or sample designs; with K unknown it is no number to promise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from foretell.networked.errors import PairsError
from foretell.networked.graph import as_pairs
from foretell.networked.matchings import fractional_matching_number
from foretell.networked.program import Program
from foretell.networked.weight_norms import Norms, norms


@dataclass(frozen=True)
class RiskBound:
    """Terms of (B1) for some weights, up to the factor K.

    Attributes
    ----------
    norms : Norms
    load_term, euclidean_term, object_term, largest_term : float
        k0 A^(1/(1+beta)) and the three others.
    least_load : float or None
        1/nu*, below which A cannot be, where it was computed.
    """

    norms: Norms
    load_term: float
    euclidean_term: float
    object_term: float
    largest_term: float
    least_load: float | None = None

    @property
    def value(self) -> float:
        """Sum of the terms."""
        return self.load_term + self.euclidean_term + self.object_term + self.largest_term


def risk_bound(pairs: Any, weights: ArrayLike | None = None, program: Program | None = None) -> RiskBound:
    """Terms of (B1) for weights of given pairs.

    Parameters
    ----------
    pairs : PairGraph or what :func:`foretell.networked.networked_weights` takes
    weights : array_like, shape (m,), optional
        Equal by default.
    program : Program, optional
        Constants; :meth:`Program.at_confidence` by default.

    Examples
    --------
    >>> star = [(0, leaf) for leaf in range(1, 101)]
    >>> round(risk_bound(star).norms.load, 6)
    1.0
    """
    graph = as_pairs(pairs)
    found = norms(graph, np.ones(graph.n_pairs) if weights is None else weights)
    least = 1 / fractional_matching_number(graph) if graph.arity == 2 else None
    return _terms(found, program or Program.at_confidence(), least)


def complete_graph_bound(n_objects: int, program: Program | None = None) -> RiskBound:
    """Terms of (B1) for all pairs of n objects with equal weights; O(log n / n) in all for beta = 0.

    A = 2/n, |w|_2 = sqrt(2 / (n (n-1))), |w|_max = 2 / (n sqrt(n-1)), |w|_inf = 2 / (n (n-1)).
    """
    n = n_objects
    if n < 2:
        raise PairsError(f"{n} objects have no pairs", "give at least 2")
    pairs = n * (n - 1) / 2
    found = Norms(2 / n, 1 / math.sqrt(pairs), math.sqrt(n - 1) / pairs, 1 / pairs)
    return _terms(found, program or Program.at_confidence(), 2 / n)


def equal_weights_bound(n_pairs: int, maximum_degree: int, program: Program | None = None) -> RiskBound:
    """Terms of (B1) for equal weights, which only know the largest degree: A = D/m, 1/sqrt(m), sqrt(D)/m, 1/m."""
    m, degree = n_pairs, maximum_degree
    if not 1 <= degree <= m:
        raise PairsError(f"a largest degree of {degree} for {m} pairs", "give one from 1 to the number of pairs")
    found = Norms(degree / m, 1 / math.sqrt(m), math.sqrt(degree) / m, 1 / m)
    return _terms(found, program or Program.at_confidence(), None)


def _terms(found: Norms, program: Program, least: float | None) -> RiskBound:
    return RiskBound(
        found,
        float(program.k0 * found.load**program.exponent),
        program.k1 * found.euclidean,
        program.k2 * found.object_euclidean,
        program.k3 * found.largest,
        least,
    )
