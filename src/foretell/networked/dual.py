"""The convex subproblem, by accelerated ascent on prices of objects.

    minimise  s A(w) + k1 |w|_2 + k2 |w|_max + k3 |w|_inf  over w >= 0 with sum 1      (penalised), or
    minimise  k1 |w|_2 + k2 |w|_max + k3 |w|_inf  over the same w with A(w) <= a        (capped)

The maximum over objects in A and in |w|_max is a maximum over distributions on objects: with prices y >= 0 of sum s
and shares pi >= 0 of sum 1, A is replaced by sum_e w_e y_e, and |w|_max by sqrt(sum_e pi_e w_e^2), where y_e and pi_e
sum over the pair's objects. What is left has a root in three unknowns for a solution (see dual_kernels), and its
value is a concave, smooth function of y and pi, whose gradients are loads of objects. So there are 2n variables for
any number of pairs, and every step yields weights (an upper bound) and prices (a lower bound): a certificate.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from foretell.compilation import announce
from foretell.networked import dual_kernels, kernels
from foretell.networked.dual_kernels import Root
from foretell.networked.errors import PairsError
from foretell.networked.graph import PairGraph
from foretell.networked.kernels import Floats
from foretell.networked.matchings import fractional_matching
from foretell.networked.weight_norms import Norms

Progress = Callable[[float], None]
_ROOT_TOLERANCE = (1e-10, 1e-7)
_ROOT_SHARE = 1e-3
"""The root's error relative to the gap that is asked for, within the limits above; it only widens the bounds."""
_MAX_FAILURES = 12
_PATIENCE, _TRIAL = 15, 60
"""Iterations from the first prices before others are tried, and for trying them."""
_UNKNOWN = (math.nan, math.nan, math.nan)
_NONE: Floats = np.empty(0)
_FLOOR_SHARE = 0.1
_SHRINK = 0.9
"""How fast the assumed curvature falls again after it was raised."""


@dataclass(frozen=True)
class Subproblem:
    """Factors of k0 A(w)^exponent + k1 |w|_2 + k2 |w|_max + k3 |w|_inf; the exponent is 1 unless the load is capped.

    With a ``cap`` the first term counts as k0 cap^exponent, a constant, and more than that only for weights above the
    cap.
    """

    k0: float
    k1: float
    k2: float = 0.0
    k3: float = 0.0
    exponent: float = 1.0
    cap: float | None = None

    def value(self, found: Norms) -> float:
        """Objective of weights with these norms."""
        load = found.load if self.cap is None else max(found.load, self.cap)
        rest = self.k1 * found.euclidean + self.k2 * found.object_euclidean + self.k3 * found.largest
        return float(self.k0 * load**self.exponent + rest)


@dataclass(frozen=True)
class Solution:
    """Weights of sum 1 and what is proved about them.

    Attributes
    ----------
    weights : ndarray, shape (m,)
    norms : Norms
    upper, lower : float
        Value of ``weights``, and a number below which no weights get.
    iterations : int
        Evaluations of the dual function.
    start : tuple
        From where a similar problem can start.
    """

    weights: Floats
    norms: Norms
    upper: float
    lower: float
    iterations: int
    start: _Point | None

    @property
    def gap(self) -> float:
        """Relative gap between the bounds."""
        return self.upper / self.lower - 1 if self.lower > 0 else np.inf


@dataclass(frozen=True)
class _Point:
    """Prices and shares of the objects, and the dual function there."""

    prices: Floats
    shares: Floats
    root: Root
    value: float
    lower: float
    upper: float
    norms: Norms
    trim: float
    price_slope: Floats
    share_slope: Floats
    total: float


class _Run:
    """The best bounds so far, over all points from where the dual function was climbed."""

    def __init__(self, gap: float, limit: int, point: _Point, progress: Progress | None) -> None:
        self.gap, self.limit, self.progress = gap, limit, progress
        self.upper = self.lower = point
        self.count = 1

    def note(self, point: _Point, count: int) -> None:
        """Take a point into account, which cost so many iterations."""
        self.count += count
        self.upper = point if point.upper < self.upper.upper else self.upper
        self.lower = point if point.lower > self.lower.lower else self.lower
        if self.progress and count:
            self.progress(self.upper.upper / self.lower.lower - 1 if self.lower.lower > 0 else math.inf)

    @property
    def done(self) -> bool:
        """Whether the gap is closed or patience is at its end."""
        return self.upper.upper <= (1 + self.gap) * self.lower.lower or self.count >= self.limit


class DualAscent:
    """FISTA with restarts and an adaptive step, for one graph; its buffers serve one problem after another.

    Every iteration takes one pass over the pairs to gather prices, some to find the root (one or two from a near
    start), and one to add up loads.

    Parameters
    ----------
    pairs : PairGraph
    """

    def __init__(self, pairs: PairGraph) -> None:
        announce(dual_kernels.find_root, "the solver of weights")
        degree = pairs.degree
        used = np.flatnonzero(degree)
        self._members = pairs.members
        if used.size < pairs.n_objects:
            place = np.full(pairs.n_objects + 1, used.size, dtype=np.int32)
            place[used] = np.arange(used.size, dtype=np.int32)
            self._members = place[pairs.members]
        self._pairs, self._used, self._cover = pairs, used, _NONE
        self._n = used.size
        self._degree = degree[used].astype(np.float64)
        self._arity = pairs.arity
        self._price_sums = np.empty(pairs.n_pairs)
        self._share_sums = np.empty(0)
        self._weights = np.empty(pairs.n_pairs)
        self._trimmed = np.empty(pairs.n_pairs)
        # Without shares on all objects, the dual function could have an edge where a pair without shares takes all
        # weight.
        self._floor: Floats = np.empty(0)
        self._tolerance = _ROOT_TOLERANCE[0]
        self._failures = 0

    def solve(
        self,
        problem: Subproblem,
        *,
        gap: float,
        max_iterations: int = 20000,
        start: Solution | None = None,
        progress: Progress | None = None,
    ) -> Solution:
        """Solve to a relative gap, or as near to it as ``max_iterations`` get.

        Parameters
        ----------
        problem : Subproblem
            k1 must be positive.
        gap : float
            Relative gap between the bounds at which to stop.
        start : Solution, optional
            Of a similar problem on the same graph.
        progress : callable, optional
            Called with the gap after every iteration.
        """
        if problem.k1 <= 0:
            raise PairsError("the dual method needs k1 above 0", "use solver='pdhg'")
        if self._share_sums.size == 0 and problem.k2 > 0:
            self._share_sums = np.empty(self._weights.size)
        self._floor = min(0.01, _FLOOR_SHARE * gap) * self._by_degree()
        self._tolerance = min(max(_ROOT_SHARE * gap, _ROOT_TOLERANCE[0]), _ROOT_TOLERANCE[1])
        run = _Run(gap, max_iterations, self._first(problem, start), progress)
        point = self._climb(problem, run.upper, run, _PATIENCE)
        if not run.done and self._arity == 2 and problem.cap is None and problem.k0 > 0:
            # Where the load decides nearly alone, prices are nearly a minimum cover, which is far from degrees.
            prices = problem.k0 * self._by_cover()
            other = self._climb(problem, self._evaluate(problem, prices, point.shares, point.root), run, _TRIAL)
            point = max(point, other, key=lambda found: found.value)
        while not run.done and self._failures < _MAX_FAILURES:
            point = self._climb(problem, point, run, max_iterations)
        return self._solution(run.upper, run.lower, run.count)

    def _climb(self, problem: Subproblem, point: _Point, run: _Run, limit: int) -> _Point:
        """Ascend from a point for so many iterations, or until the run is done; return where that led."""
        run.note(point, 0)
        previous = (point.prices, point.shares)
        curvature, momentum, self._failures = self._arity / point.total / 2, 1.0, 0
        metric = self._metric(problem, point)
        for _ in range(limit):
            if run.done or self._failures >= _MAX_FAILURES:
                break
            reached = self._ascend(problem, point, metric, curvature)
            following = (1 + math.sqrt(1 + 4 * momentum**2)) / 2
            ahead = self._ahead(problem, reached, previous, (momentum - 1) / following)
            found = self._evaluate(problem, *ahead, point.root)
            run.note(found, 1)
            needed = _curvature_between(point, found, metric)
            if found.value < point.value:
                # Either the step was too long, or momentum led astray: from here again, without momentum.
                self._failures = self._failures + 1 if momentum == 1.0 else 0
                curvature = min(max(needed, 1.5 * curvature), 8 * curvature) if needed > curvature else curvature
                previous, momentum = (point.prices, point.shares), 1.0
                metric = self._metric(problem, point)
                continue
            previous, point, momentum, self._failures = reached, found, following, 0
            curvature = max(_SHRINK * curvature, needed)
        return point

    def _by_cover(self) -> Floats:
        """A distribution on objects, in proportion to a minimum fractional cover, and 0 for the empty place."""
        if not self._cover.size:
            cover = fractional_matching(self._pairs).cover[self._used]
            self._cover = np.append(cover / cover.sum(), 0.0)
        return self._cover

    def _first(self, problem: Subproblem, start: Solution | None) -> _Point:
        """Prices by degree, or those of a similar problem."""
        if start is not None and start.start is not None:
            prices, shares, root = start.start.prices.copy(), start.start.shares, start.start.root
            if problem.k2 > 0:
                shares = self._floor + (1.0 - self._floor.sum()) * shares if shares.size else self._by_degree()
            total = prices.sum()
            if problem.cap is None:
                prices = prices * (problem.k0 / total) if total > 0 else problem.k0 * self._by_degree()
            return self._evaluate(problem, prices, shares, root)
        shares = self._by_degree() if problem.k2 > 0 else np.empty(0)
        prices = self._by_degree() * (problem.k0 if problem.cap is None else problem.k1)
        return self._evaluate(problem, prices, shares, _UNKNOWN)

    def _by_degree(self) -> Floats:
        """A distribution on objects, in proportion to their degrees, and 0 for the empty place."""
        return np.append(self._degree / self._degree.sum(), 0.0)

    def _metric(self, problem: Subproblem, point: _Point) -> tuple[Floats, Floats]:
        """Diagonals that, times a number, bound the curvature in prices and in shares."""
        if not problem.k2:
            return self._degree, np.empty(0)
        scale = 2 * point.root[1] * point.total * point.share_slope  # P^2 sum of W^2, at each object
        return self._degree, np.maximum(scale, 0.1 * scale.max())

    def _ascend(
        self, problem: Subproblem, point: _Point, metric: tuple[Floats, Floats], curvature: float
    ) -> tuple[Floats, Floats]:
        """Projected gradient step."""
        n = self._n
        prices, shares = np.zeros(n + 1), point.shares
        aim = point.prices[:n] + point.price_slope / (curvature * metric[0])
        if problem.cap is None:
            dual_kernels.project(aim, metric[0], problem.k0, prices[:n])
        else:
            np.maximum(aim, 0.0, out=prices[:n])
        if problem.k2:
            shares = np.zeros(n + 1)
            aim = point.shares[:n] + point.share_slope / (curvature * metric[1]) - self._floor[:n]
            dual_kernels.project(aim, metric[1], 1.0 - self._floor.sum(), shares[:n])
            shares += self._floor
        return prices, shares

    def _ahead(
        self, problem: Subproblem, reached: tuple[Floats, Floats], previous: tuple[Floats, Floats], push: float
    ) -> tuple[Floats, Floats]:
        """Point further on in the direction of the last two, with prices and shares as they must be."""
        if push == 0:
            return reached
        prices = np.maximum(reached[0] + push * (reached[0] - previous[0]), 0.0)
        if problem.cap is None and problem.k0:
            prices *= problem.k0 / prices.sum()
        shares = reached[1]
        if problem.k2:
            shares = np.maximum(shares + push * (shares - previous[1]) - self._floor, 0.0)
            shares = self._floor + shares * ((1.0 - self._floor.sum()) / shares.sum())
        return prices, shares

    def _evaluate(self, problem: Subproblem, prices: Floats, shares: Floats, root: Root) -> _Point:
        """Dual function, its gradient, and both bounds."""
        k = (float(problem.k1), float(problem.k2), float(problem.k3))
        n, members, w = self._n, self._members, self._weights
        kernels.sum_of_objects(members, prices, self._price_sums)
        q = self._share_sums if problem.k2 else _NONE
        if problem.k2:
            kernels.sum_of_objects(members, shares, q)
        root = dual_kernels.find_root(self._price_sums, q, k, root, self._tolerance)
        total, squares, squares_q, largest, excess = dual_kernels.write_weights(self._price_sums, q, root, w)
        loads = np.zeros(n + 1)
        kernels.add_to_objects(members, w, loads)
        loads[n] = 0.0
        loads /= total
        square_loads = np.zeros(0)
        if problem.k2:
            square_loads = np.zeros(n + 1)
            kernels.add_squares_to_objects(members, w, square_loads)
        heaviest = math.sqrt(square_loads[:n].max()) if problem.k2 else 0.0
        found = Norms(float(loads[:n].max()), math.sqrt(squares) / total, heaviest / total, largest / total)
        trim, found = self._better(problem, found, prices, loads, total)
        # Scaled down until the root's equations hold as inequalities, prices and level are a feasible dual point.
        share = min(1.0, problem.k1 / math.sqrt(squares))
        if problem.k2:
            share = min(share, problem.k2 / (root[1] * math.sqrt(squares_q)))
        if problem.k3:
            share = min(share, problem.k3 / excess) if excess > 0 else share
        value, constant = root[0], 0.0
        if problem.cap is not None:
            value -= problem.cap * float(prices.sum())
            constant = problem.k0 * problem.cap**problem.exponent
        return _Point(
            prices,
            shares,
            root,
            value,
            constant + share * value,
            problem.value(found),
            found,
            trim,
            loads[:n] - (problem.cap or 0.0),
            0.5 * root[1] * square_loads[:n] / total if problem.k2 else square_loads,
            total,
        )

    def _better(
        self, problem: Subproblem, found: Norms, prices: Floats, loads: Floats, total: float
    ) -> tuple[float, Norms]:
        """Cap for the loads (infinite for none) and norms of the better weights: those of the prices, or these trimmed.

        The loads that prices lead to scatter about their mean under the prices, and their largest one, which is what
        counts, is the last thing to settle. Trimmed to that mean, weights are nearly optimal long before.
        """
        sums = float(prices.sum())
        cap = problem.cap if problem.cap is not None else (prices * loads).sum() / sums if sums > 0 else math.inf
        if not 0 < cap < found.load:
            return math.inf, found
        n, out = self._n, self._trimmed
        kept, squares, largest = dual_kernels.trim_weights(self._members, self._weights, loads, cap, out)
        heaviest = 0.0
        if problem.k2:
            square_loads = np.zeros(n + 1)
            kernels.add_squares_to_objects(self._members, out, square_loads)
            heaviest = math.sqrt(square_loads[:n].max())
        kernels.add_to_objects(self._members, out, trimmed := np.zeros(n + 1))
        other = Norms(float(trimmed[:n].max()) / kept, math.sqrt(squares) / kept, heaviest / kept, largest / kept)
        return (cap, other) if problem.value(other) < problem.value(found) else (math.inf, found)

    def _solution(self, upper: _Point, lower: _Point, count: int) -> Solution:
        kernels.sum_of_objects(self._members, upper.prices, self._price_sums)
        q = self._share_sums if upper.shares.size else _NONE
        if upper.shares.size:
            kernels.sum_of_objects(self._members, upper.shares, q)
        weights = np.empty(self._weights.size)
        total = dual_kernels.write_weights(self._price_sums, q, upper.root, weights)[0]
        if math.isfinite(upper.trim):
            loads = np.zeros(self._n + 1)
            kernels.add_to_objects(self._members, weights, loads)
            loads[self._n] = 0.0
            total = dual_kernels.trim_weights(self._members, weights, loads / total, upper.trim, weights)[0]
        weights /= total
        return Solution(weights, upper.norms, upper.upper, lower.lower, count, lower)


def _curvature_between(point: _Point, found: _Point, metric: tuple[Floats, Floats]) -> float:
    """Curvature of the dual function along the way from one point to another, in units of the metric."""
    n = point.price_slope.size
    step = found.prices[:n] - point.prices[:n]
    linear, square = _product(point.price_slope, step), _product(metric[0], step**2)
    if point.shares.size:
        step = found.shares[:n] - point.shares[:n]
        linear += _product(point.share_slope, step)
        square += _product(metric[1], step**2)
    if square <= 0:
        return 0.0
    return max(2 * (point.value + linear - found.value) / square, 0.0)


def _product(one: Floats, other: Floats) -> float:
    """Inner product without BLAS, whose threads cost more than they gain at such sizes on a busy machine."""
    return float((one * other).sum())
