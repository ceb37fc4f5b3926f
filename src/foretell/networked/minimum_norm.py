"""The maximum fractional matching with the smallest Euclidean norm.

A vertex of the polytope gives most pairs weight 0 and is of little use as a sample weight. Of all maximum fractional
matchings, the one with the smallest norm is unique and spreads its weight. By complementary slackness with any
minimum cover y, the maximum fractional matchings are the weights w >= 0 that are 0 on pairs covered more than once
(y_u + y_v > 1), with load 1 at objects with y_v > 0 and at most 1 elsewhere. Over these, the least norm has the dual
max sum_v t_v - |(t_u + t_v)_+|^2 / 2  with t <= 0 where the load may be less than 1, and w_e = (t_u + t_v)_+.
"""

from __future__ import annotations

import math

import numpy as np

from foretell.networked import kernels
from foretell.networked.graph import PairGraph
from foretell.networked.kernels import Floats
from foretell.networked.matchings import FractionalMatching

_SLACK = 1e-9
_MAX_ITERATIONS = 5000


def minimum_norm_matching(pairs: PairGraph, found: FractionalMatching, *, tolerance: float = 1e-4) -> Floats:
    """Maximum fractional matching of minimum norm.

    Parameters
    ----------
    pairs : PairGraph
    found : FractionalMatching
        Any one with its cover, as from :func:`foretell.networked.matchings.fractional_matching`.
    tolerance : float
        Loads are met to this; the result is then scaled to be feasible, so that its sum is nu* less about this share.

    Returns
    -------
    ndarray, shape (m,)
        No load above 1.
    """
    n = pairs.n_objects
    covered = np.append(found.cover, 0.0)
    sums = np.empty(pairs.n_pairs)
    kernels.sum_of_objects(pairs.members, covered, sums)
    used = np.flatnonzero(sums <= 1 + _SLACK)
    part = pairs.select(used)
    free = covered[:n] > _SLACK
    duals = _ascend(part, free, tolerance)
    weights = np.zeros(pairs.n_pairs)
    weights[used] = _weights(part, duals)
    return weights / max(1.0, float(pairs.loads(weights).max()))


def _weights(pairs: PairGraph, duals: Floats) -> Floats:
    out = np.empty(pairs.n_pairs)
    kernels.sum_of_objects(pairs.members, duals, out)
    return np.maximum(out, 0.0, out=out)


def _ascend(pairs: PairGraph, free: np.ndarray[tuple[int], np.dtype[np.bool_]], tolerance: float) -> Floats:
    """FISTA with restarts in the metric of the degrees."""
    n, arity = pairs.n_objects, pairs.arity
    step = 1 / (arity * np.maximum(pairs.degree, 1))
    used = pairs.degree > 0
    duals = np.append(np.where(free & used, 1 / np.maximum(pairs.degree, 1), 0.0), 0.0)
    ahead, momentum = duals.copy(), 1.0
    for _ in range(_MAX_ITERATIONS):
        slope = 1.0 - pairs.loads(_weights(pairs, ahead))
        bad = np.where(free, np.abs(slope), np.maximum(-slope, 0.0))[used]
        if bad.max() <= tolerance:
            return ahead
        reached = ahead.copy()
        reached[:n] += np.where(used, step * slope, 0.0)
        reached[:n] = np.where(free, reached[:n], np.minimum(reached[:n], 0.0))
        if float(slope @ (reached - duals)[:n]) < 0:
            momentum = 1.0
        following = (1 + math.sqrt(1 + 4 * momentum**2)) / 2
        ahead = reached + (momentum - 1) / following * (reached - duals)
        ahead[:n] = np.where(free, ahead[:n], np.minimum(ahead[:n], 0.0))
        duals, momentum = reached, following
    return duals
