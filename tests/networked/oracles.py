"""Independent answers, by general solvers of SciPy and by plain definitions; slow, for small graphs."""

from __future__ import annotations

import numpy as np
from scipy.optimize import LinearConstraint, linprog, minimize

from foretell.networked import PairGraph, Program


def fractional_number(pairs: PairGraph) -> float:
    """nu* by linear programming."""
    found = linprog(-np.ones(pairs.n_pairs), A_ub=pairs.incidence, b_ub=np.ones(pairs.n_objects), method="highs")
    return float(-found.fun)


def least_objective(pairs: PairGraph, program: Program, starts: list[np.ndarray]) -> float:
    """Least value of the program that sequential quadratic programming finds from some starts.

    In epigraph form: minimise k0 a^p + k1 |w|_2 + k2 b + k3 c with loads <= a, object norms <= b, weights <= c. An
    upper bound of the least value in any case; for beta = 0 the program is convex and it is the least value.
    """
    m, incidence = pairs.n_pairs, pairs.incidence.toarray()
    p = program.exponent

    def value(x: np.ndarray) -> float:
        w, (a, b, c) = x[:m], x[m:]
        return program.k0 * max(a, 1e-9) ** p + program.k1 * np.linalg.norm(w) + program.k2 * b + program.k3 * c

    constraints = [
        LinearConstraint(np.concatenate([np.ones(m), np.zeros(3)]), 1, 1),
        {"type": "ineq", "fun": lambda x: x[m] - incidence @ x[:m]},
        {"type": "ineq", "fun": lambda x: x[m + 1] - np.sqrt(incidence @ x[:m] ** 2 + 1e-14)},
        {"type": "ineq", "fun": lambda x: x[m + 2] - x[:m]},
    ]
    best = np.inf
    for start in starts:
        w = start / start.sum()
        first = np.concatenate([w, [(incidence @ w).max(), np.sqrt((incidence @ w**2).max()), w.max()]])
        bounds = [(0, 1)] * (m + 3)
        found = minimize(value, first, method="SLSQP", bounds=bounds, constraints=constraints, options={"maxiter": 300})
        w = np.maximum(found.x[:m], 0)
        if w.sum() > 0:
            best = min(best, program.value(pairs, w))
    return best


def by_definition(pairs: PairGraph, program: Program, weights: np.ndarray) -> float:
    """Objective, term by term."""
    w = weights / weights.sum()
    around = [[e for e, row in enumerate(pairs.members) if v in row] for v in range(pairs.n_objects)]
    load = max(sum(w[e] for e in edges) for edges in around)
    nearby = max(sum(w[e] ** 2 for e in edges) ** 0.5 for edges in around)
    norm = sum(x * x for x in w) ** 0.5
    return program.k0 * load ** (1 / (1 + program.beta)) + program.k1 * norm + program.k2 * nearby + program.k3 * max(w)
