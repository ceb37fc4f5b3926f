"""Time and memory of forest complexity, elimination complexity and metric_interval, from 10^3 to 10^6 items.

    python benchmarks/dependence_speed.py [--largest N] [--only NAME]

Graphs have ten edges per item. Times are those of one thread, both as seen on the clock and as used of the processor
(they differ where the machine is busy), without compilation. Writes benchmarks/results/dependence_speed.json.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from foretell.dependence import DependencyGraph, metric_interval

RESULT = Path(__file__).resolve().parent / "results" / "dependence_speed.json"


def geometric(size: int) -> DependencyGraph:
    """Points in the plane, twenty neighbours each on average, in random order."""
    places = np.random.default_rng(0).random((size, 2))
    return DependencyGraph.from_coordinates(places, np.sqrt(20 / np.pi / size))


def series(size: int) -> DependencyGraph:
    """A 10-dependent series."""
    return DependencyGraph.from_m_dependence(size, 10)


def random(size: int) -> DependencyGraph:
    """Random pairs: an expander, the worst case for every method."""
    return DependencyGraph.from_edges(size, np.random.default_rng(0).integers(0, size, (10 * size, 2)))


def table(size: int) -> dict[str, Any]:
    """Answers of 3000 models to 50,000 prompts (fewer in small tables)."""
    rng = np.random.default_rng(0)
    ids = {"prompt": rng.integers(0, max(size // 20, 2), size), "model": rng.integers(0, max(size // 333, 2), size)}
    return {"y_true": np.ones(size), "y_pred": rng.random(size) < 0.8, "ids": ids}


def timed(action: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    wall, used = time.perf_counter(), time.process_time()
    result = action()
    return result, {"seconds": round(time.perf_counter() - wall, 3), "cpu": round(time.process_time() - used, 3)}


def measure(name: str, size: int) -> dict[str, Any]:
    row: dict[str, Any] = {"graph": name, "n": size}
    if name == "table":
        metric_interval(**table(500))
        data = table(size)
        found, row["metric_interval"] = timed(lambda: metric_interval(**data))
        row["effective_sample_size"] = round(found.effective_sample_size, 1)
    else:
        make = {"geometric": geometric, "series": series, "random": random}[name]
        warm = make(500)
        warm.forest_complexity(), warm.elimination_complexity(), warm.renumbered(np.arange(500))
        graph, row["build"] = timed(lambda: make(size))
        row["edges"] = graph.indices.size // 2
        forest, row["forest"] = timed(graph.forest_complexity)
        row["forest_n_eff"] = round(size**2 / forest.value, 2)
        orders = ["minimum degree", *(["metis"] if importlib.util.find_spec("pymetis") else [])]
        for order in orders:
            found, row[order] = timed(lambda order=order: graph.elimination_complexity(order=order))
            row[f"{order}_n_eff"] = round(size**2 / found.value, 2)
    row["peak_gb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2)
    row["load"] = round(os.getloadavg()[0], 1)
    return row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--largest", type=int, default=10**6)
    parser.add_argument("--only", default="", metavar="NAME")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(args.one[0], int(args.one[1]))))
        return 0
    rows = json.loads(RESULT.read_text()) if RESULT.exists() else []
    for name in ("table", "series", "geometric", "random"):
        for size in (10**3, 10**4, 10**5, 10**6):
            if args.only not in name or size > args.largest:
                continue
            # A process each, so that peaks of memory are their own.
            command = [sys.executable, __file__, "--one", name, str(size)]
            row = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            rows = [old for old in rows if (old["graph"], old["n"]) != (name, size)] + [row]
            RESULT.write_text(json.dumps(rows, indent=1) + "\n")
            print(json.dumps(row), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
