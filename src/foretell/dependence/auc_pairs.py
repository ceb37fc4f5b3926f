"""AUC as a mean over pairs of a positive and a negative item, which have a dependency graph of their own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.dependence.graph import DependencyGraph
from foretell.dependence.inequalities import Chernoff

Floats = NDArray[np.float64]
LEVELS = 16
"""Distinct sums of neighbours that are kept for each class."""


def auc_chernoff(graph: DependencyGraph, positive: NDArray[np.bool_]) -> Chernoff:
    """Bound for the mean over the n1 n0 pairs of positive and negative items.

    Pairs (i, j) and (k, l) can only depend if k or l is in N[i] or N[j]. For given (i, j) there are at most Q_ij =
    u_i + u_j such pairs, u_x = n0 p_x + n1 q_x, where N[x] has p_x positive and q_x negative items. A pair that comes
    first in a random order has probability at least 1 / Q_ij, so 1 / Q_ij are independent-set weights of the pairs
    (Caro and Wei), and inequality (H) of :mod:`foretell.dependence.covers` applies. Without any dependence, random
    matchings of the smaller class into the larger one are better: each pair is in with probability 1 / max(n1, n0)
    (Clemencon, Lugosi and Vayatis 2008; Hoeffding 1963).

    Parameters
    ----------
    graph : DependencyGraph
        Of the n items.
    positive : ndarray of bool, shape (n,)
        The labels, both of which occur.
    """
    n1, n0 = int(positive.sum()), int((~positive).sum())
    if not graph.indices.size and not graph.n_cliques:
        return Chernoff((1 / min(n1, n0),), (1.0,))
    near = n0 * graph.neighborhood_sums(positive.astype(float)) + n1 * graph.neighborhood_sums(1.0 - positive)
    ones, one_masses = _rounded_up(near[positive])
    others, other_masses = _rounded_up(near[~positive])
    sums = np.add.outer(ones, others).ravel()
    masses = np.outer(one_masses, other_masses).ravel()
    return Chernoff.from_weights(masses, masses / sums * (n1 * n0))


def _rounded_up(values: Floats) -> tuple[Floats, Floats]:
    """At most LEVELS values that are not below the given ones, and the share of items that each stands for."""
    distinct, where = np.unique(values, return_inverse=True)
    if distinct.size > LEVELS:
        grid = np.quantile(values, np.linspace(0, 1, LEVELS + 1)[1:], method="higher")
        where = np.searchsorted(grid, values)
        distinct = grid
    return distinct, np.bincount(where.ravel(), minlength=distinct.size) / values.size
