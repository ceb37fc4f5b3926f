"""Norms of weights that the risk bound is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from foretell.networked.errors import PairsError
from foretell.networked.graph import PairGraph


@dataclass(frozen=True)
class Norms:
    """Norms of weights scaled to sum 1.

    Attributes
    ----------
    load : float
        A(w), the largest sum of the weights of one object's pairs; 1/nu* at the least, 1 at the most.
    euclidean : float
        |w|_2.
    object_euclidean : float
        |w|_max, the largest Euclidean norm of the weights of one object's pairs.
    largest : float
        |w|_inf.
    """

    load: float
    euclidean: float
    object_euclidean: float
    largest: float


def norms(pairs: PairGraph, weights: ArrayLike) -> Norms:
    """Norms of weights, which are scaled to sum 1 first.

    Parameters
    ----------
    pairs : PairGraph
    weights : array_like, shape (m,)
        Not negative, not all 0.

    Examples
    --------
    >>> star = PairGraph.from_edges([0, 0, 0, 0], [1, 2, 3, 4])
    >>> norms(star, [1, 1, 1, 1])
    Norms(load=1.0, euclidean=0.5, object_euclidean=0.5, largest=0.25)
    """
    shares = as_shares(pairs, weights)
    return Norms(
        float(pairs.loads(shares).max()),
        float(np.linalg.norm(shares)),
        float(np.sqrt(pairs.square_loads(shares).max())),
        float(shares.max()),
    )


def as_shares(pairs: PairGraph, weights: ArrayLike) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Weights scaled to sum 1; an error where some are negative or all are 0."""
    checked = pairs.check_weights(weights)
    if checked.min() < 0:
        raise PairsError("negative weights", "give weights of 0 or more")
    total = float(checked.sum())
    if total <= 0:
        raise PairsError("weights that are all 0", "give some pairs weight")
    return checked / total
