"""Weights for which a weighted mean has the least variance, when pairs that share an object are correlated.

Model: a value at pair e is the sum of independent effects of its objects and noise of its own, so that two pairs of
two objects have correlation c if they share one object. With r = var(effect) / var(noise) = c / (1 - 2 c) the
covariance is proportional to I + r B'B, B being the incidence matrix, and the best linear unbiased weights (BLUE) are
proportional to (I + r B'B)^-1 1.
"""

from __future__ import annotations

import numpy as np

from foretell.networked import kernels
from foretell.networked.errors import PairsError
from foretell.networked.graph import PairGraph
from foretell.networked.kernels import Floats

_STEPS = 100


def blue_weights(pairs: PairGraph, correlation: float, *, nonnegative: bool = True, tolerance: float = 1e-8) -> Floats:
    """Weights of minimum variance, scaled to sum 1.

    Parameters
    ----------
    pairs : PairGraph
    correlation : float
        Correlation c of two pairs of k objects that share one of them, 0 <= c < 1/k.
    nonnegative : bool
        Whether weights below 0 are ruled out. The unrestricted optimum has some where a pair joins two hubs; learners
        refuse them.
    tolerance : float
        Of the equations, relative.

    Examples
    --------
    >>> path = PairGraph.from_edges([0, 1, 2], [1, 2, 3])
    >>> blue_weights(path, 0.25).round(3)
    array([0.375, 0.25 , 0.375])
    """
    limit = 1 / pairs.arity
    if not 0 <= correlation < limit:
        raise PairsError(
            f"a correlation of {correlation}", f"give a number from 0 to below {limit:.3g}, one for each object"
        )
    ratio = correlation / (1 - pairs.arity * correlation)
    loads = np.zeros(pairs.n_objects)
    residual = _remainder(pairs, loads, ratio)
    for _ in range(_STEPS):
        active = (residual > 0).astype(np.float64) if nonnegative else np.ones(pairs.n_pairs)
        slope = loads - pairs.loads(residual * active)
        if np.abs(slope).max() <= tolerance * max(1.0, np.abs(loads).max()):
            break
        step = _newton_step(pairs, active, ratio, slope, tolerance)
        loads, residual = _line_search(pairs, loads, step, slope, ratio, nonnegative)
    weights = np.maximum(residual, 0.0) if nonnegative else residual
    return np.asarray(weights / weights.sum())


def _remainder(pairs: PairGraph, loads: Floats, ratio: float) -> Floats:
    """1 - r B'x, which is w where it is positive, x being the loads of w."""
    out = np.empty(pairs.n_pairs)
    kernels.sum_of_objects(pairs.members, np.append(loads, 0.0), out)
    return 1.0 - ratio * out


def _newton_step(pairs: PairGraph, active: Floats, ratio: float, slope: Floats, tolerance: float) -> Floats:
    """Solve (I + r B_S B_S') d = -slope by conjugate gradients with a diagonal preconditioner."""
    buffer = np.empty(pairs.n_pairs)
    diagonal = 1.0 + ratio * pairs.loads(active)
    solution = np.zeros_like(slope)
    rest = -slope
    scaled = rest / diagonal
    direction, product = scaled.copy(), float(rest @ scaled)
    target = (0.1 * tolerance) ** 2 * product
    for _ in range(1000):
        if product <= target or product == 0:
            break
        kernels.sum_of_objects(pairs.members, np.append(direction, 0.0), buffer)
        image = direction + ratio * pairs.loads(buffer * active)
        length = product / float(direction @ image)
        solution += length * direction
        rest -= length * image
        scaled = rest / diagonal
        before, product = product, float(rest @ scaled)
        direction = scaled + product / before * direction
    return solution


def _line_search(
    pairs: PairGraph, loads: Floats, step: Floats, slope: Floats, ratio: float, nonnegative: bool
) -> tuple[Floats, Floats]:
    """Go along a step as far as the convex function |(1 - r B'x)_+|^2 / (2 r) + |x|^2 / 2 falls enough."""

    def height(x: Floats, residual: Floats) -> float:
        kept = np.maximum(residual, 0.0) if nonnegative else residual
        return float(kept @ kept) / (2 * ratio) + float(x @ x) / 2 if ratio else float(x @ x) / 2

    here = height(loads, _remainder(pairs, loads, ratio))
    falls = float(slope @ step)
    share = 1.0
    while True:
        there = loads + share * step
        residual = _remainder(pairs, there, ratio)
        if share < 1e-6 or height(there, residual) <= here + 1e-4 * share * falls + 1e-12 * abs(here):
            return there, residual
        share /= 2
