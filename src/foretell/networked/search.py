"""The program for the weights to a factor 1 + epsilon: grid and adaptive search over the largest load.

With a = A(w) fixed, what is left of (P) is convex: V(a) = min of g(w) = k1 |w|_2 + k2 |w|_max + k3 |w|_inf over
weights with A(w) <= a. The grid is the fully polynomial-time approximation scheme as re-derived from arXiv
1711.04297: it solves V at loads that grow by a factor (1 + epsilon)^(1 + beta), O(log n / epsilon) of them. The
adaptive search uses that V is convex: minimising s A(w) + g(w) to a lower bound d proves V(a) >= d - s a for all a.
Between the corners of such cuts, k0 a^p plus a cut is concave, so its minimum over all a lies at a corner. The search
puts the next cut where the lower bound is lowest, and is done when that is within epsilon of the best weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np

from foretell.networked import kernels
from foretell.networked.dual import Solution, Subproblem
from foretell.networked.errors import PairsError
from foretell.networked.graph import PairGraph
from foretell.networked.kernels import Floats
from foretell.networked.program import Program
from foretell.networked.weight_norms import Norms, norms

MAX_SOLVES = 100
_NEAR = 0.01
_INNER_SHARE = 0.6
"""Share of epsilon that one convex problem may leave open while several are needed."""


@dataclass(frozen=True)
class Certificate:
    """What is proved about weights.

    Attributes
    ----------
    objective : float
        Value of the program for these weights.
    lower_bound : float
        No weights have a lower value.
    epsilon : float
        Relative gap that was asked for.
    solves, iterations : int
        Convex problems solved, and their iterations in all.
    """

    objective: float
    lower_bound: float
    epsilon: float
    solves: int
    iterations: int

    @property
    def gap(self) -> float:
        """Proved relative gap: the objective is at most 1 + gap times the least."""
        return max(self.objective / self.lower_bound - 1, 0.0) if self.lower_bound > 0 else math.inf

    @property
    def holds(self) -> bool:
        """Whether the gap is what was asked for."""
        return self.gap <= self.epsilon * (1 + 1e-12)


class Solver(Protocol):
    """Solves a convex subproblem to a relative gap; see :class:`foretell.networked.dual.DualAscent`."""

    def solve(
        self, problem: Subproblem, *, gap: float, max_iterations: int, start: Solution | None, progress: Report | None
    ) -> Solution:
        """Weights and a lower bound."""


Report = Callable[[float], None]


@dataclass(frozen=True)
class _Cut:
    """V(a) >= value - slope a; the solution that proves it, or None for what needs no proof."""

    slope: float
    value: float
    solution: Solution | None


class Search:
    """State of a search: the best weights so far, and how much was done.

    Parameters
    ----------
    pairs : PairGraph
    program : Program
    solver : Solver
    epsilon : float
        Relative gap to reach.
    max_iterations : int
        For each convex problem.
    progress : callable, optional
        Called with the gap of the convex problem at work.
    """

    def __init__(
        self,
        pairs: PairGraph,
        program: Program,
        solver: Solver,
        epsilon: float,
        max_iterations: int,
        progress: Report | None = None,
    ) -> None:
        if not (math.isfinite(epsilon) and epsilon > 0):
            raise PairsError(f"epsilon is {epsilon}", "give a positive number such as 0.05")
        self.pairs, self.program, self.solver = pairs, program, solver
        self.epsilon, self.max_iterations, self.progress = epsilon, max_iterations, progress
        self.weights: Floats = np.empty(0)
        self.objective = math.inf
        self.solves = self.iterations = 0

    def solve(self, problem: Subproblem, gap: float, start: Solution | None) -> Solution:
        """Solve a convex problem, and keep its weights if they are the best."""
        found = self.solver.solve(
            problem, gap=gap, max_iterations=self.max_iterations, start=start, progress=self.progress
        )
        self.solves += 1
        self.iterations += found.iterations
        self.offer(found.weights, found.norms)
        return found

    def offer(self, weights: Floats, found: Norms) -> None:
        """Keep weights if they are the best."""
        value = self.program.of_norms(found)
        if value < self.objective:
            self.objective, self.weights = value, weights

    def penalised(self, slope: float, gap: float, start: Solution | None) -> Solution:
        """Minimise slope A(w) + g(w)."""
        program = self.program
        return self.solve(Subproblem(slope, program.k1, program.k2, program.k3), gap, start)

    def certificate(self, lower: float) -> Certificate:
        """Certificate with a lower bound."""
        return Certificate(self.objective, lower, self.epsilon, self.solves, self.iterations)


def convex(search: Search) -> Certificate:
    """Solve a convex program (beta = 0): one problem."""
    solution = search.penalised(search.program.k0, search.epsilon, None)
    return search.certificate(solution.lower)


def adaptive(search: Search, least_load: Callable[[], float]) -> Certificate:
    """Search with cuts.

    Parameters
    ----------
    search : Search
    least_load : callable
        Gives 1/nu*, the least load of any weights; asked for only when it matters.
    """
    program, pairs = search.program, search.pairs
    # Loads sum to the sizes of the pairs, over the objects in use.
    low = float(pairs.sizes.min()) / int(np.count_nonzero(pairs.degree))
    exact_low = False
    gap = search.epsilon * _INNER_SHARE
    start = norms(pairs, 1 / largest_degrees(pairs)).load
    cuts = [_Cut(0.0, _floor(search), None), _cut(search, _tangent(program, start), gap, None)]
    while True:
        corner, lower, steeper, flatter = _lowest(program, cuts, low)
        if search.objective <= (1 + search.epsilon) * lower or search.solves >= MAX_SOLVES:
            return search.certificate(lower)
        if corner == low and not exact_low:
            exact_low, low = True, max(low, least_load())
            continue
        slope = _next_slope(program, corner, steeper, flatter)
        if slope is None:
            # The cuts on both sides are as good as one: it is their own gaps that are too wide.
            gap *= 0.3
            worst, known = max(
                ((cut, cut.solution) for cut in (steeper, flatter) if cut and cut.solution),
                key=lambda pair: pair[1].gap,
            )
            cuts[cuts.index(worst)] = _cut(search, worst.slope, gap, known)
            continue
        near = min((cut for cut in cuts if cut.solution), key=lambda cut: abs(math.log(cut.slope / slope)))
        cuts.append(_cut(search, slope, gap, near.solution))


def grid(search: Search, least_load: Callable[[], float]) -> Certificate:
    """Search on the grid of the approximation scheme; parameters as for :func:`adaptive`."""
    program = search.program
    step = math.sqrt(1 + search.epsilon) - 1  # half for the grid, half for the problems, which multiply
    flat = search.penalised(0.0, step, None)
    load, high = least_load(), flat.norms.load
    bounds = [program.k0 * high**program.exponent + flat.lower]  # weights with a load above that of the flat ones
    previous: Solution | None = None
    while load < high:
        cap = load * (1 + step) ** (1 / program.exponent)
        problem = Subproblem(program.k0, program.k1, program.k2, program.k3, program.exponent, cap)
        previous = search.solve(problem, step, previous)
        rest = previous.lower - program.k0 * cap**program.exponent
        bounds.append(program.k0 * load**program.exponent + rest)
        load = cap
    return search.certificate(min(bounds))


def _cut(search: Search, slope: float, gap: float, start: Solution | None) -> _Cut:
    solution = search.penalised(slope, gap, start)
    return _Cut(slope, solution.lower, solution)


def _floor(search: Search) -> float:
    """A number that g(w) is never below: no norm is less than that of weights spread as thinly as can be."""
    program, pairs = search.program, search.pairs
    m, n = pairs.n_pairs, int(np.count_nonzero(pairs.degree))
    # Squared norms at the objects sum to the squared weights times the pairs' sizes.
    nearby = math.sqrt(float(pairs.sizes.min()) / (m * n))
    return program.k1 / math.sqrt(m) + program.k2 * nearby + program.k3 / m


def _tangent(program: Program, load: float) -> float:
    """Slope of k0 a^p."""
    return program.k0 * program.exponent * load ** (program.exponent - 1)


def _lowest(program: Program, cuts: list[_Cut], low: float) -> tuple[float, float, _Cut | None, _Cut | None]:
    """Load at which k0 a^p plus the highest cut is lowest, that value, and the cuts that meet there."""
    kept = _envelope(cuts)
    corners: list[tuple[float, _Cut | None, _Cut | None]] = []
    for steeper, flatter in pairwise(kept):
        corners.append(((steeper.value - flatter.value) / (steeper.slope - flatter.slope), steeper, flatter))
    inside = [corner for corner in corners if low < corner[0] < 1]
    inside += [(low, None, _highest(cuts, low)), (1.0, _highest(cuts, 1.0), None)]

    def bound(load: float) -> float:
        return program.k0 * load**program.exponent + max(cut.value - cut.slope * load for cut in cuts)

    load, steeper_cut, flatter_cut = min(inside, key=lambda corner: bound(corner[0]))
    return load, bound(load), steeper_cut, flatter_cut


def _highest(cuts: list[_Cut], load: float) -> _Cut:
    return max(cuts, key=lambda cut: cut.value - cut.slope * load)


def _envelope(cuts: list[_Cut]) -> list[_Cut]:
    """Cuts that are highest somewhere, from steep to flat."""
    kept: list[_Cut] = []
    for cut in sorted(cuts, key=lambda cut: (-cut.slope, -cut.value)):
        if kept and cut.slope == kept[-1].slope:
            continue
        while len(kept) > 1 and _meet(kept[-2], cut) <= _meet(kept[-2], kept[-1]):
            kept.pop()
        kept.append(cut)
    return kept


def _meet(steeper: _Cut, flatter: _Cut) -> float:
    return (steeper.value - flatter.value) / (steeper.slope - flatter.slope)


def _next_slope(program: Program, load: float, steeper: _Cut | None, flatter: _Cut | None) -> float | None:
    """Slope of the next cut: the tangent of k0 a^p there, or one between the neighbours; None if they are too near."""
    tangent = _tangent(program, load)
    if steeper is None and flatter is not None:
        return max(tangent, 2 * flatter.slope)  # at the least load
    if flatter is None and steeper is not None:
        return min(tangent, steeper.slope / 2)  # at load 1
    assert steeper is not None
    assert flatter is not None
    slopes = (flatter.slope, steeper.slope)
    if slopes[0] * (1 + _NEAR) < tangent < slopes[1] / (1 + _NEAR):
        return tangent
    middle = math.sqrt(slopes[0] * slopes[1]) if slopes[0] > 0 else slopes[1] / 4
    return middle if slopes[1] > slopes[0] * (1 + 2 * _NEAR) else None


def largest_degrees(pairs: PairGraph) -> Floats:
    """Largest degree among the objects of every pair, shape (m,)."""
    out = np.empty(pairs.n_pairs)
    kernels.largest_of_objects(pairs.members, np.append(pairs.degree, 0).astype(np.float64), out)
    return out
