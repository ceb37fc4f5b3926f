"""The convex subproblem by the primal-dual hybrid gradient method (Chambolle and Pock 2011), with projections only.

Slower than :mod:`foretell.networked.dual`, but without any assumption on the constants: k1 may be 0. It shares no
code with it, so that each checks the other.

    minimise  k0 A(w) + k1 |w|_2 + k2 |w|_max + k3 |w|_inf  over w >= 0 with sum 1

Each norm is the largest product of w with a member of its dual ball: prices on objects, a vector on pairs, a vector
for each object on its pairs, prices on pairs.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from foretell.networked.dual import Solution, Subproblem
from foretell.networked.errors import PairsError
from foretell.networked.graph import PairGraph
from foretell.networked.kernels import Floats
from foretell.networked.weight_norms import norms

_CHECK_EVERY = 25


class PrimalDual:
    """PDHG for one graph.

    Parameters
    ----------
    pairs : PairGraph
    """

    def __init__(self, pairs: PairGraph) -> None:
        self.pairs = pairs
        self._incidence = pairs.incidence
        self._transposed = pairs.incidence.T.tocsr()
        # Pairs as the objects see them: entry j of the incidence is pair _pair[j] at object _object[j].
        self._pair = self._incidence.indices
        self._object = np.repeat(np.arange(pairs.n_objects), np.diff(self._incidence.indptr))

    def solve(
        self,
        problem: Subproblem,
        *,
        gap: float,
        max_iterations: int = 20000,
        start: Solution | None = None,
        progress: Callable[[float], None] | None = None,
    ) -> Solution:
        """Solve to a relative gap, or as near to it as ``max_iterations`` get.

        Parameters
        ----------
        problem : Subproblem
            Without a cap.
        gap : float
            Relative gap between the bounds at which to stop.
        start : Solution, optional
            Gives the first weights.
        progress : callable, optional
            Called with the gap now and then.
        """
        if problem.cap is not None:
            raise PairsError("PDHG solves the penalised problem only", "use search='adaptive'")
        run = _Run(self, problem, start)
        count = 0
        while run.upper > (1 + gap) * run.lower and count < max_iterations:
            run.advance(_CHECK_EVERY)
            count += _CHECK_EVERY
            run.check()
            if progress:
                progress(run.upper / run.lower - 1 if run.lower > 0 else math.inf)
        return Solution(run.best, norms(self.pairs, run.best), run.upper, run.lower, count, None)


class _Run:
    """Iterates of one problem, averages since the last restart, and bounds."""

    def __init__(self, solver: PrimalDual, problem: Subproblem, start: Solution | None) -> None:
        self.solver, self.problem = solver, problem
        m, n, entries = solver.pairs.n_pairs, solver.pairs.n_objects, solver._pair.size
        self.w = np.full(m, 1 / m) if start is None else start.weights.copy()
        self.dual: list[Floats] = [np.zeros(n), np.zeros(m), np.zeros(entries), np.zeros(m)]
        self.best, self.upper, self.lower = self.w, math.inf, 0.0
        self._restart()
        # |K|^2 of the stacked operator: loads, and up to three copies of the pairs.
        degree = float(solver.pairs.degree.max())
        size = math.sqrt(solver.pairs.arity * degree + 2 + solver.pairs.arity)
        scale = max(problem.k0, problem.k1, problem.k2, problem.k3) * math.sqrt(m)
        self.primal_step, self.dual_step = 1 / (size * scale), scale / size
        self.check()

    def _restart(self) -> None:
        self.total_w = np.zeros_like(self.w)
        self.total_dual = [np.zeros_like(part) for part in self.dual]
        self.count = 0

    def advance(self, steps: int) -> None:
        """Take steps; averages are kept."""
        for _ in range(steps):
            before = self.w
            self.w = project_simplex(before - self.primal_step * self._back(self.dual), 1.0)
            self._climb(2 * self.w - before)
            self.total_w += self.w
            for total, part in zip(self.total_dual, self.dual, strict=True):
                total += part
            self.count += 1

    def _back(self, dual: list[Floats]) -> Floats:
        """Sum of the duals' prices of every pair."""
        solver = self.solver
        costs = solver._transposed @ dual[0] + dual[1] + dual[3]
        return np.asarray(costs + np.bincount(solver._pair, weights=dual[2], minlength=costs.size))

    def _climb(self, w: Floats) -> None:
        solver, problem, step = self.solver, self.problem, self.dual_step
        y, u, q, z = self.dual
        y = project_simplex(y + step * (solver._incidence @ w), problem.k0)
        u = u + step * w
        u = u * min(1.0, problem.k1 / max(float(np.linalg.norm(u)), 1e-300))
        q = self._shrink(q + step * w[solver._pair]) if problem.k2 else q
        z = project_simplex(z + step * w, problem.k3)
        self.dual = [y, u, q, z]

    def _shrink(self, q: Floats) -> Floats:
        """Nearest vectors whose norms, one for each object, sum to k2 at most."""
        lengths = self._lengths(q)
        if lengths.sum() <= self.problem.k2:
            return q
        shorter = project_simplex(lengths, self.problem.k2)
        return q * (shorter / np.maximum(lengths, 1e-300))[self.solver._object]

    def _lengths(self, q: Floats) -> Floats:
        return np.sqrt(np.bincount(self.solver._object, weights=q * q, minlength=self.solver.pairs.n_objects))

    def check(self) -> None:
        """Bounds of the last iterate and of the average; restart from the average where that is better."""
        candidates = [(self.w, self.dual)]
        if self.count:
            candidates.append((self.total_w / self.count, [total / self.count for total in self.total_dual]))
        gaps = []
        for w, dual in candidates:
            upper = self.problem.value(norms(self.solver.pairs, w))
            lower = float(self._back(dual).min())
            gaps.append(upper - lower)
            if upper < self.upper:
                self.upper, self.best = upper, w
            self.lower = max(self.lower, lower)
        if len(gaps) == 2 and gaps[1] < gaps[0] and self.count >= 8 * _CHECK_EVERY:
            self.w, self.dual = candidates[1]
            self._restart()


def project_simplex(values: Floats, total: float) -> Floats:
    """Nearest point of {x >= 0, sum x = total}, by sorting."""
    if total == 0:
        return np.zeros_like(values)
    ordered = np.sort(values)[::-1]
    excess = np.cumsum(ordered) - total
    count = np.arange(1, values.size + 1)
    last = int(np.flatnonzero(ordered * count > excess)[-1])
    return np.asarray(np.maximum(values - excess[last] / (last + 1), 0.0))
