"""The approximation scheme against exact optima on small graphs, and fractional matchings against linear programs.

The optimum is found by other software alone: with the largest load a fixed, the program is convex and Clarabel solves
it (through cvxpy) for 48 loads from 1/nu* to 1; around the best of them, 12 more are tried. Writes
benchmarks/results/networked_exact.json.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import cvxpy as cp
import numpy as np
from scipy.optimize import linprog

from foretell.networked import PairGraph, Program, fractional_matching, weigh

RESULT = Path(__file__).parent / "results" / "networked_exact.json"
BETAS = (0.0, 0.5, 0.9)
EPSILONS = (0.5, 0.1, 0.01)


def random_graph(rng: np.random.Generator) -> PairGraph:
    """Few objects; every third graph has a hub, every fifth is bipartite; repeats and self-pairs occur."""
    n, m = int(rng.integers(4, 14)), int(rng.integers(4, 26))
    left, right = rng.integers(0, n, m), rng.integers(0, n, m)
    kind = int(rng.integers(0, 15))
    if kind % 3 == 0:
        left[: m // 2] = 0
    return PairGraph.from_edges(left, right, bipartite=kind % 5 == 0)


class Oracle:
    """V(a), the least of the three norms' terms with loads of at most a, by Clarabel."""

    def __init__(self, pairs: PairGraph, program: Program) -> None:
        m, incidence = pairs.n_pairs, pairs.incidence
        self.program, self.cap = program, cp.Parameter(nonneg=True)
        w = cp.Variable(m, nonneg=True)
        around = [cp.norm(w[row]) for row in np.split(incidence.indices, incidence.indptr[1:-1]) if row.size]
        cost = program.k1 * cp.norm(w) + program.k2 * cp.max(cp.hstack(around)) + program.k3 * cp.max(w)
        self.problem = cp.Problem(cp.Minimize(cost), [cp.sum(w) == 1, incidence @ w <= self.cap])
        self.known: dict[float, float] = {}

    def rest(self, load: float) -> float:
        """V at a load."""
        if load not in self.known:
            self.cap.value = load
            self.known[load] = float(self.problem.solve(solver=cp.CLARABEL))
        return self.known[load]

    def least(self, lowest: float, beta: float) -> float:
        """Least objective over a grid of loads and a finer one about the best."""
        exponent = 1 / (1 + beta)

        def value(load: float) -> float:
            return self.program.k0 * load**exponent + self.rest(load)

        loads = np.geomspace(lowest * (1 + 1e-6), 1.0, 48)
        values = [value(float(load)) for load in loads]
        best = int(np.argmin(values))
        finer = np.linspace(loads[max(best - 1, 0)], loads[min(best + 1, 47)], 14)[1:-1]
        return min(*values, *(value(float(load)) for load in finer))


def constants(rng: np.random.Generator) -> list[float]:
    """k0 to k3 over two orders of magnitude; k1 is 1."""
    scale = 10 ** rng.uniform(-1, 1, 3)
    return [float(scale[0] * 3), 1.0, float(scale[1]), float(scale[2])]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--graphs", type=int, default=300)
    count = parser.parse_args().graphs
    rng = np.random.default_rng(0)
    rows = {(beta, epsilon, search): [] for beta in BETAS for epsilon in EPSILONS for search in ("adaptive", "grid")}
    matchings_equal = 0
    begin = time.time()
    for number in range(count):
        pairs, k = random_graph(rng), constants(rng)
        incidence = pairs.incidence
        lp = linprog(-np.ones(pairs.n_pairs), A_ub=incidence, b_ub=np.ones(pairs.n_objects), method="highs")
        found = fractional_matching(pairs)
        matchings_equal += abs(found.number + lp.fun) < 1e-9 and pairs.loads(found.weights).max() <= 1
        oracle = Oracle(pairs, Program(*k))
        for beta in BETAS:
            exact = oracle.least(-1 / lp.fun, beta)
            for epsilon in EPSILONS:
                for search in ("adaptive", "grid"):
                    certificate = weigh(
                        pairs, "bound", program=Program(*k, beta=beta), epsilon=epsilon, search=search
                    ).certificate
                    rows[beta, epsilon, search].append(
                        (
                            certificate.objective / exact,
                            certificate.lower_bound / exact,
                            certificate.gap,
                            certificate.solves,
                        )
                    )
        if number % 50 == 49:
            print(f"{number + 1} graphs, {time.time() - begin:.0f} s", flush=True)
    results = [{"graphs": count, "fractional_matchings_equal_to_lp": int(matchings_equal)}]
    print(" beta   eps    search  worst / optimum  within 1+eps  bound <= optimum  problems")
    for (beta, epsilon, search), values in rows.items():
        ratio, lower, gap, solves = np.array(values).T
        row = {
            "beta": beta,
            "epsilon": epsilon,
            "search": search,
            "worst_ratio": round(float(ratio.max()), 6),
            "within": int((ratio <= 1 + epsilon).sum()),
            # The oracle itself is exact to some 1e-5.
            "valid_lower_bounds": int((lower <= 1 + 1e-5).sum()),
            "certified": int((gap <= epsilon * (1 + 1e-9)).sum()),
            "mean_problems": round(float(solves.mean()), 2),
        }
        results.append(row)
        print(
            f"{beta:5} {epsilon:5} {search:>9} {ratio.max():16.5f} {row['within']:9} / {count} "
            f"{row['valid_lower_bounds']:10} / {count} {solves.mean():9.2f}"
        )
    print(f"fractional matchings equal to the linear program: {matchings_equal} / {count}")
    RESULT.write_text("[\n" + ",\n".join(json.dumps(row) for row in results) + "\n]\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
