"""Time and memory of the weights at 10^5 to 10^7 pairs, and against cvxpy with Clarabel at 10^4, in the same run.

Times are wall-clock after compilation, the best of three up to 10^6 pairs. A gap is certified: objective over lower
bound, less 1. Memory is the peak
of all arrays of the four-norm problem, beside the graph's own. Writes benchmarks/results/networked_speed.json, part
by part.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import networked_graphs
import numpy as np

from foretell.networked import PairGraph, Program, fractional_matching_number, networked_weights, weigh

RESULT = Path(__file__).parent / "results" / "networked_speed.json"
TWO = Program(3.0, 3.0)
FOUR = Program.at_confidence(0.05)
SCHEME = Program.at_confidence(0.05, beta=0.5)


def make(kind: str, m: int) -> PairGraph:
    if kind == "uniform":
        return networked_graphs.uniform(m // 5, m)
    if kind == "preferential":
        return networked_graphs.preferential(m // 5, 5)
    return networked_graphs.two_towers(m)


def timed(work: Callable[[], Any], repeats: int) -> tuple[float, float, Any]:
    """Least wall-clock time, least processor time, and the result."""
    wall = processor = np.inf
    result = None
    for _ in range(repeats):
        begin, before = time.perf_counter(), time.process_time()
        result = work()
        wall, processor = min(wall, time.perf_counter() - begin), min(processor, time.process_time() - before)
    return wall, processor, result


def large(kind: str, m: int) -> dict[str, Any]:
    warm = make(kind, 2000)
    for program in (TWO, FOUR, SCHEME):
        weigh(warm, "bound", program=program, epsilon=0.01)
    fractional_matching_number(warm)
    pairs = make(kind, m)
    _ = pairs.degree
    repeats = 3 if m <= 10**6 else 1
    row: dict[str, Any] = {
        "graph": kind,
        "load": os.getloadavg()[0],
        "pairs": pairs.n_pairs,
        "objects": pairs.n_objects,
    }
    row["maxdeg_seconds"], _, _ = timed(lambda: networked_weights(pairs, "maxdeg"), repeats)
    for name, program in (("two_norms", TWO), ("four_norms", FOUR), ("four_norms_beta_0.5", SCHEME)):
        if program is SCHEME and m > 10**6:
            continue
        seconds, processor, found = timed(
            lambda program=program: weigh(pairs, "bound", program=program, epsilon=0.01), repeats
        )
        certificate = found.certificate
        row[name] = {
            "seconds": round(seconds, 3),
            "processor_seconds": round(processor, 3),
            "gap": round(certificate.gap, 5),
            "certified": certificate.holds,
            "iterations": certificate.iterations,
            "problems": certificate.solves,
        }
    tracemalloc.start()
    weigh(pairs, "bound", program=FOUR, epsilon=0.01)
    row["bytes_per_pair"] = round(tracemalloc.get_traced_memory()[1] / pairs.n_pairs, 1)
    tracemalloc.stop()
    row["nu_seconds"], row["nu_processor_seconds"], row["nu"] = timed(
        lambda: fractional_matching_number(pairs), repeats
    )
    return row


def against_cvxpy(m: int) -> dict[str, Any]:
    """The same program at the same graph: foretell to a certified gap of 0.1 %, Clarabel to its own tolerance."""
    import cvxpy as cp

    pairs = networked_graphs.preferential(m // 5, 5)
    incidence = pairs.incidence
    row: dict[str, Any] = {
        "graph": "preferential",
        "pairs": pairs.n_pairs,
        "against": f"cvxpy {cp.__version__} with Clarabel",
    }
    for name, program in (("two_norms", TWO), ("four_norms", FOUR)):
        seconds, _, found = timed(lambda program=program: weigh(pairs, "bound", program=program, epsilon=1e-3), 4)
        begin = time.perf_counter()
        w = cp.Variable(pairs.n_pairs, nonneg=True)
        cost = program.k0 * cp.max(incidence @ w) + program.k1 * cp.norm(w)
        if program.k2:
            rows = np.split(incidence.indices, incidence.indptr[1:-1])
            cost = cost + program.k2 * cp.max(cp.hstack([cp.norm(w[row]) for row in rows if row.size]))
            cost = cost + program.k3 * cp.max(w)
        problem = cp.Problem(cp.Minimize(cost), [cp.sum(w) == 1])
        value = problem.solve(solver=cp.CLARABEL)
        theirs = time.perf_counter() - begin
        row[name] = {
            "foretell_seconds": round(seconds, 4),
            "gap": found.certificate.gap,
            "objective": found.certificate.objective,
            "cvxpy_seconds": round(theirs, 3),
            "clarabel_alone_seconds": round(problem.solver_stats.solve_time or 0.0, 3),
            "cvxpy_objective": float(value),
            "ratio": round(theirs / seconds, 1),
        }
    return row


def keep(row: dict[str, Any]) -> None:
    """Put a row in the place of the one about the same thing."""
    rows = json.loads(RESULT.read_text()) if RESULT.is_file() else []
    rows = [old for old in rows if (old["graph"], old.get("size")) != (row["graph"], row.get("size"))]
    rows.append(row)
    RESULT.write_text("[\n" + ",\n".join(json.dumps(old) for old in rows) + "\n]\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=float, default=[1e4, 1e5, 1e6, 1e7])
    parser.add_argument("--kind", help="one kind of graph, in this process")
    args = parser.parse_args()
    for size in map(int, args.sizes):
        if args.kind:
            row = large(args.kind, size)
            keep({**row, "size": size})
            print(json.dumps(row), flush=True)
        elif size <= 10**4:
            row = against_cvxpy(size)
            keep({**row, "size": size, "graph": "against cvxpy"})
            print(json.dumps(row), flush=True)
        else:
            for kind in ("uniform", "preferential", "two towers"):
                command = [sys.executable, __file__, str(size), "--kind", kind]
                subprocess.run(command, check=True, env=os.environ)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
