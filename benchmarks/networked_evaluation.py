"""Means over pairs that share objects: standard deviation by kind of weights, and coverage of 95 % intervals.

Every object has an independent uniform number, and a pair's outcome is 1 if the sum over its objects is above 1
(probability 1/2; outcomes of two pairs that share an object have correlation 1/3, which is what ``blue`` is told). Of
each draw of all objects the weighted mean is taken, and intervals of three kinds: Hoeffding's for independent pairs,
and those of foretell with equal and with maxdeg weights. Writes benchmarks/results/networked_evaluation.json.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import networked_graphs
import numpy as np

from foretell.dependence.inequalities import Chernoff
from foretell.networked import PairGraph, finner_bound, fractional_matching_number, networked_weights

RESULT = Path(__file__).parent / "results" / "networked_evaluation.json"
METHODS = ("equal", "maxdeg", "fractional", "bound", "blue")
CONFIDENCE = 0.95


def draws(pairs: PairGraph, count: int, rng: np.random.Generator) -> np.ndarray:
    """Outcomes, shape (count, m), of pairs of two objects; a self-pair's outcome is a coin."""
    numbers = rng.random((count, pairs.n_objects + 1))
    numbers[:, -1] = rng.random(count)
    return numbers[:, pairs.members[:, 0]] + numbers[:, pairs.members[:, 1]] > 1


def coverage(pairs: PairGraph, weights: np.ndarray, means: np.ndarray) -> tuple[float, float, float]:
    """Coverage of 1/2 and mean half width of foretell's intervals, and the effective sample size."""
    found = finner_bound(pairs, weights)
    bound = Chernoff.from_weights(found.shares, found.matching)
    delta = (1 - CONFIDENCE) / 2
    # Ends depend on the mean alone, monotonously: they are computed at 201 means, and taken outwards.
    grid = np.linspace(0, 1, 201)
    low = np.array([bound.lower(float(q), delta) for q in grid])
    high = np.array([bound.upper(float(q), delta) for q in grid])
    below = np.interp(means, grid, low)
    above = np.interp(means, grid, high)
    covered = (below <= 0.5) & (above >= 0.5)
    return float(covered.mean()), float((above - below).mean() / 2), found.effective_sample_size


def measure(name: str, pairs: PairGraph, count: int) -> dict[str, object]:
    rng = np.random.default_rng(0)
    weights = {
        method: networked_weights(pairs, method, **({"correlation": 1 / 3} if method == "blue" else {}))
        for method in METHODS
    }
    means: dict[str, list[np.ndarray]] = {method: [] for method in METHODS}
    for _ in range(count // 100):
        outcomes = draws(pairs, 100, rng)
        for method, values in weights.items():
            means[method].append(outcomes @ values / values.sum())
    joined = {method: np.concatenate(values) for method, values in means.items()}
    half = np.sqrt(np.log(2 / (1 - CONFIDENCE)) / (2 * pairs.n_pairs))
    row: dict[str, object] = {
        "graph": name,
        "pairs": pairs.n_pairs,
        "objects": pairs.n_objects,
        "largest_degree": pairs.maximum_degree,
        "nu": fractional_matching_number(pairs),
        "draws": count,
        "sd": {method: round(float(values.std()), 5) for method, values in joined.items()},
        "naive_coverage": round(float((np.abs(joined["equal"] - 0.5) <= half).mean()), 4),
        "naive_half_width": round(float(half), 4),
    }
    for method in ("equal", "maxdeg"):
        covered, width, effective = coverage(pairs, weights[method], joined[method])
        row[f"{method}_interval"] = {"coverage": covered, "half_width": round(width, 4), "n_eff": round(effective, 1)}
    return row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=2000)
    count = parser.parse_args().draws
    graphs = {**networked_graphs.all_graphs(), "star 200": networked_graphs.star(200)}
    rows = []
    names = " ".join(f"{method:>10}" for method in METHODS)
    print(f"{'graph':22} {'m':>6} {'nu*':>7} | sd: {names} | 95 %: naive   equal (hw)     maxdeg (hw)")
    for name, pairs in graphs.items():
        row = measure(name, pairs, count)
        rows.append(row)
        sd, equal, maxdeg = row["sd"], row["equal_interval"], row["maxdeg_interval"]
        print(
            f"{name:22} {pairs.n_pairs:6} {row['nu']:7.1f} |     {' '.join(f'{sd[m]:10.4f}' for m in METHODS)} |      "
            f"{row['naive_coverage']:.3f}  {equal['coverage']:.3f} ({equal['half_width']:.3f}) "
            f"{maxdeg['coverage']:.3f} ({maxdeg['half_width']:.3f})",
            flush=True,
        )
    RESULT.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
