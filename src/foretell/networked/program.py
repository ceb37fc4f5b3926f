"""The program for the weights, (P): the bound on the excess risk as a function of the weights.

    minimise  k0 A(w)^(1 / (1 + beta)) + k1 |w|_2 + k2 |w|_max + k3 |w|_inf  over w >= 0 with sum 1

For beta > 0 the first term is a concave power of a convex function and the program is not convex. The form is as
re-derived from "On the ERM principle with networked data" (arXiv 1711.04297, AAAI 2018), whose own constants are not
claimed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from foretell.networked.errors import PairsError
from foretell.networked.graph import PairGraph
from foretell.networked.weight_norms import Norms, norms


@dataclass(frozen=True)
class Program:
    """Constants of (P).

    Parameters
    ----------
    k0, k1, k2, k3 : float
        Factors of the four terms, not negative and not all 0.
    beta : float
        Entropy exponent of the class of predictors, 0 <= beta < 1; 0 for classes of finite VC dimension (up to
        logarithms).
    """

    k0: float
    k1: float
    k2: float = 0.0
    k3: float = 0.0
    beta: float = 0.0

    def __post_init__(self) -> None:
        for name in ("k0", "k1", "k2", "k3"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise PairsError(f"{name} is {value}", "give a finite number of 0 or more")
        if not self.k0 + self.k1 + self.k2 + self.k3 > 0:
            raise PairsError("k0 to k3 are all 0", "make at least one of them positive")
        if not 0 <= self.beta < 1:
            raise PairsError(f"beta is {self.beta}", "give a number from 0 to below 1")

    @classmethod
    def at_confidence(cls, delta: float = 0.05, *, beta: float = 0.0) -> Program:
        """Constants as they stand in the bound (B1) with its unknown factors set to 1.

        Parameters
        ----------
        delta : float
            Probability with which the bound may fail; L = log(1/delta) gives k1 = L, k2 = L^(3/2), k3 = L^2 and
            k0 = L (1 - beta)^(-2 / (1 + beta)).
        beta : float
            Entropy exponent.
        """
        if not 0 < delta < 1:
            raise PairsError(f"delta is {delta}", "give a probability above 0 and below 1")
        log = math.log(1 / delta)
        factor = (1 - beta) ** (-2 / (1 + beta)) if 0 <= beta < 1 else 1.0
        return cls(log * factor, log, log**1.5, log**2, beta)

    @property
    def exponent(self) -> float:
        """1 / (1 + beta)."""
        return 1 / (1 + self.beta)

    @property
    def is_convex(self) -> bool:
        """Whether (P) is convex: beta is 0, or the load does not count."""
        return self.beta == 0 or self.k0 == 0

    def rest(self, found: Norms) -> float:
        """g(w), what remains without the load."""
        return self.k1 * found.euclidean + self.k2 * found.object_euclidean + self.k3 * found.largest

    def of_norms(self, found: Norms) -> float:
        """Value of the objective from the norms of the weights."""
        return self.k0 * float(np.power(found.load, self.exponent)) + self.rest(found)

    def value(self, pairs: PairGraph, weights: ArrayLike) -> float:
        """Value of the objective for weights, which are scaled to sum 1 first."""
        return self.of_norms(norms(pairs, weights))
