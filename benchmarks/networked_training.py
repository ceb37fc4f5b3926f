"""Whether weights help training: a protocol that was written before it was run.

Protocol. Four kinds of graphs: uniform (600 objects, 1500 pairs), preferential attachment (600 objects, 2 pairs
each), half hub (a star of 300 pairs and 300 pairs of their own), two towers (2000 pairs, heavy tails on both sides).
Every object has 5 visible features, uniform in [-1, 1], and, in the second half of the runs, an effect that no
feature shows, normal with standard deviation 1. The label of a pair is 1 if a fixed linear function of the visible
features of both objects, plus the effects of both, plus logistic noise of scale 0.3, is positive. Logistic regression
(C = 1) on the 10 features, fitted with weights of mean 1 by each method (bound with its default constants and epsilon
0.05; blue with correlation 0.2). Accuracy is measured on 20,000 pairs of 400 new objects, each in about 100 pairs. 20
seeds draw graph, features, effects and labels anew; all methods see the same. Reported is the mean paired difference
of accuracy to equal weights in percentage points with its 95 % t interval: a win if the interval lies above 0, a loss
if below, else a tie. Nothing was tuned. Writes benchmarks/results/networked_training.json.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import networked_graphs
import numpy as np
from scipy.stats import t as student

from foretell.networked import NetworkedClassifier, PairGraph

RESULT = Path(__file__).parent / "results" / "networked_training.json"
METHODS = ("maxdeg", "matching", "fractional", "bound", "blue")
FEATURES = 5


def graph(kind: str, seed: int) -> PairGraph:
    if kind == "uniform":
        return networked_graphs.uniform(600, 1500, seed)
    if kind == "preferential":
        return networked_graphs.preferential(600, 2, seed)
    if kind == "half hub":
        return networked_graphs.hub(300)
    return networked_graphs.two_towers(2000, seed)


def labelled(
    pairs: np.ndarray, n: int, slope: np.ndarray, hidden: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    visible = rng.uniform(-1, 1, (n, FEATURES))
    effect = hidden * rng.normal(size=n)
    inputs = np.concatenate([visible[pairs[:, 0]], visible[pairs[:, 1]]], axis=1)
    score = inputs @ slope + effect[pairs].sum(axis=1) + rng.logistic(scale=0.3, size=pairs.shape[0])
    return inputs, (score > 0).astype(int)


def run(kind: str, hidden: float, seed: int) -> dict[str, float]:
    """Accuracy of every method on one draw."""
    rng = np.random.default_rng([seed, int(hidden > 0)])
    pairs = graph(kind, seed)
    pairs = pairs.select(pairs.sizes == 2)
    slope = rng.normal(size=2 * FEATURES)
    inputs, labels = labelled(pairs.members, pairs.n_objects, slope, hidden, rng)
    left = rng.integers(0, 400, 20_000)
    fresh = np.stack([left, (left + rng.integers(1, 400, left.size)) % 400], axis=1)
    test_inputs, test_labels = labelled(fresh, 400, slope, hidden, rng)
    found = {}
    for method in ("equal", *METHODS):
        options = {"correlation": 0.2} if method == "blue" else None
        model = NetworkedClassifier(method=method, options=options).fit(inputs, labels, pairs=pairs)
        found[method] = 100 * float((model.predict(test_inputs) == test_labels).mean())
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    seeds = parser.parse_args().seeds
    rows = []
    for hidden in (0.0, 1.0):
        for kind in ("uniform", "preferential", "half hub", "two towers"):
            found = [run(kind, hidden, seed) for seed in range(seeds)]
            equal = np.array([row["equal"] for row in found])
            row: dict[str, object] = {
                "graph": kind,
                "hidden_effects": hidden,
                "seeds": seeds,
                "equal": round(equal.mean(), 2),
            }
            print(f"{kind:13} effects {hidden}: equal {equal.mean():.2f} %", end="")
            for method in METHODS:
                difference = np.array([row[method] for row in found]) - equal
                half = float(student.ppf(0.975, seeds - 1) * difference.std(ddof=1) / np.sqrt(seeds))
                mean = float(difference.mean())
                verdict = "win" if mean > half else "loss" if mean < -half else "tie"
                row[method] = {"difference": round(mean, 2), "half_width": round(half, 2), "verdict": verdict}
                print(f" | {method} {mean:+.2f} +- {half:.2f} {verdict}", end="")
            print(flush=True)
            rows.append(row)
    RESULT.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
