"""How often nominal 95 % intervals hold the truth on dependent data: those in use, and foretell's.

    python benchmarks/dependence_coverage.py [--draws N] [--only NAME]

Every family draws items from a known law with a known dependency graph and a known expectation. Writes
benchmarks/results/dependence_coverage.json; families in there already are kept, so that a run can be continued.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import networkx
import numpy as np
from scipy.stats import norm

from foretell.dependence import Chernoff, DependencyGraph, compare_intervals, fractional_cover, metric_interval

RESULT = Path(__file__).resolve().parent / "results" / "dependence_coverage.json"
RATE = 0.8
Draw = Callable[[np.random.Generator], np.ndarray]


@dataclass
class Family:
    """A law of 0/1 items with mean RATE, by standard normal scores that are cut at the right place."""

    name: str
    graph: DependencyGraph
    scores: Draw
    columns: list[np.ndarray] = field(default_factory=list)
    times: np.ndarray | None = None
    horizon: float = 0
    latent: bool = False


def sliding(size: int, m: int) -> Family:
    def scores(rng: np.random.Generator) -> np.ndarray:
        ends = np.cumsum(np.r_[0.0, rng.normal(size=size + m)])
        return (ends[m + 1 :] - ends[: -m - 1]) / np.sqrt(m + 1)

    graph = DependencyGraph.from_m_dependence(size, m)
    return Family(f"{m}-dependent series", graph, scores, times=np.arange(size), horizon=m)


def lattice(shape: tuple[int, ...], reach: int) -> Family:
    def scores(rng: np.random.Generator) -> np.ndarray:
        noise = rng.normal(size=[side + reach for side in shape])
        for axis in range(len(shape)):
            noise = np.lib.stride_tricks.sliding_window_view(noise, reach + 1, axis).sum(-1) / np.sqrt(reach + 1)
        return noise.ravel()

    places = np.argwhere(np.ones(shape))
    near = np.argwhere(np.abs(places[:, None] - places[None]).max(-1) <= reach) if places.shape[0] <= 3000 else None
    graph = DependencyGraph(len(places), near, links=("are near on the lattice",))
    return Family(f"{len(shape)}-D lattice, reach {reach}", graph, scores, times=np.arange(len(places)), horizon=reach)


def shared(name: str, columns: list[np.ndarray], graph: DependencyGraph, parts: list[float], **more: Any) -> Family:
    """Scores are sums of effects of the objects in each column and of noise; ``parts`` are their variances."""

    def scores(rng: np.random.Generator) -> np.ndarray:
        total = np.sqrt(1 - sum(parts)) * rng.normal(size=graph.n_items)
        for column, part in zip(columns, parts, strict=True):
            total += np.sqrt(part) * rng.normal(size=int(column.max()) + 1)[column]
        return total

    return Family(name, graph, scores, columns=columns, **more)


def matches(name: str, left: np.ndarray, right: np.ndarray) -> Family:
    """Pairs of objects of one kind, scores the sum of both objects' effects."""
    size = left.size
    graph = DependencyGraph.from_memberships(size, np.tile(np.arange(size), 2), np.r_[left, right])

    def scores(rng: np.random.Generator) -> np.ndarray:
        effects = rng.normal(size=int(max(left.max(), right.max())) + 1)
        return np.sqrt(0.45) * (effects[left] + effects[right]) + np.sqrt(0.1) * rng.normal(size=size)

    return Family(name, graph, scores, columns=[left, right])


def network(name: str, graph: Any) -> Family:
    """Each edge has an effect, items add up those of their edges: the graph itself is the dependency graph."""
    edges = np.array(graph.edges())
    size = graph.number_of_nodes()
    degree = np.bincount(edges.ravel(), minlength=size)

    def scores(rng: np.random.Generator) -> np.ndarray:
        effects = rng.normal(size=len(edges))
        total = np.bincount(edges[:, 0], effects, minlength=size) + np.bincount(edges[:, 1], effects, minlength=size)
        return np.where(degree > 0, total / np.sqrt(np.maximum(degree, 1)), rng.normal(size=size))

    return Family(name, DependencyGraph.from_edges(size, edges), scores)


def exclusive_or(count: int) -> Family:
    """Triples of which any two are independent and all three are not: set-wise dependence."""

    def scores(rng: np.random.Generator) -> np.ndarray:
        u = rng.random((count, 2))
        triple = np.c_[u, (u.sum(axis=1)) % 1.0]
        return norm.ppf(np.clip(triple, 1e-12, 1 - 1e-12)).ravel()

    groups = np.repeat(np.arange(count), 3)
    return Family("triples, pairwise independent", DependencyGraph.from_groups(groups), scores, columns=[groups])


def videos(count: int, length: int, m: int) -> Family:
    group, time_ = np.repeat(np.arange(count), length), np.tile(np.arange(length), count)

    def scores(rng: np.random.Generator) -> np.ndarray:
        ends = np.cumsum(np.c_[np.zeros(count), rng.normal(size=(count, length + m))], axis=1)
        return ((ends[:, m + 1 :] - ends[:, : -m - 1]) / np.sqrt(m + 1)).ravel()

    graph = DependencyGraph.from_times(time_, m, within=group)
    return Family("frames of videos, horizon 10", graph, scores, columns=[group])


def families() -> list[Family]:
    """All laws, small and large."""
    rng = np.random.default_rng(7)
    ids = DependencyGraph.from_ids
    even = np.repeat(np.arange(50), 20)
    skewed = np.repeat(np.arange(120), np.maximum(1, 300 // np.arange(1, 121)))
    prompt, model, judge = rng.integers(0, 300, 3000), rng.integers(0, 40, 3000), rng.integers(0, 60, 3000)
    drawn = [prompt[:1000], model[:1000]]
    grid = [part.ravel() for part in np.meshgrid(np.arange(100), np.arange(20))]
    u, v = np.triu_indices(40, 1)
    hub = np.r_[np.zeros(100, int), np.arange(101, 161)], np.r_[np.arange(1, 101), np.arange(161, 221)]
    return [
        sliding(30, 2),
        sliding(1000, 20),
        sliding(10_000, 50),
        lattice((10, 10), 2),
        lattice((50, 50), 2),
        lattice((10, 10, 10), 1),
        matches("all pairs of 40 objects", u, v),
        matches("hub of 100 pairs and 60 pairs", *hub),
        shared("prompts x models, 1000 drawn", drawn, ids(*drawn), [0.4, 0.4]),
        shared("block design 100 x 20", grid, ids(*grid), [0.4, 0.4]),
        shared("50 groups of 20", [even], ids(even), [0.6]),
        shared("groups of 1 to 300", [skewed], ids(skewed), [0.6]),
        shared("prompts, models, judges", [prompt, model, judge], ids(prompt, model, judge), [0.3] * 3, latent=True),
        network("random graph, mean degree 4", networkx.gnm_random_graph(1000, 2000, seed=1)),
        network("random tree", networkx.random_labeled_tree(1000, seed=1)),
        network("scale-free graph", networkx.barabasi_albert_graph(1000, 2, seed=1)),
        network("3-regular graph, n 10000", networkx.random_regular_graph(3, 10_000, seed=1)),
        exclusive_or(60),
        videos(20, 150, 10),
    ]  # fmt: skip


def measure(family: Family, draws: int) -> dict[str, Any]:
    """Share of draws in which each interval holds the truth, and mean half widths."""
    size = family.graph.n_items
    cover = fractional_cover(family.graph, np.full(size, 1 / size), latent=family.latent)
    bound = Chernoff.from_weights(np.full(size, 1 / size), cover.weights)
    rng = np.random.default_rng(11)
    known: dict[float, tuple[float, float]] = {}
    hits: dict[str, list[bool]] = {}
    widths: dict[str, list[float]] = {}
    threshold = norm.ppf(RATE)
    for draw in range(draws):
        values = (family.scores(rng) <= threshold).astype(float)
        mean = float(values.mean())
        if mean not in known:
            known[mean] = bound.lower(mean, 0.025), bound.upper(mean, 0.025)
        if draw == 0:
            public = metric_interval(np.ones(size), values, graph=family.graph, latent=family.latent)
            assert np.allclose((public.low, public.high), known[mean], atol=1e-6), family.name
        rows = [("foretell", *known[mean])]
        others = compare_intervals(
            mean, (values - mean) / size, columns=family.columns, times=family.times, horizon=family.horizon,
            graph=family.graph, seed=draw, resamples=199,
        )  # fmt: skip
        rows += [(row.name, row.low, row.high) for row in others]
        for name, low, high in rows:
            hits.setdefault(name, []).append(low <= RATE <= high)
            widths.setdefault(name, []).append((high - low) / 2)
    return {
        "family": family.name,
        "n": size,
        "draws": draws,
        "effective_sample_size": round(bound.effective_sample_size, 1),
        "coverage": {name: round(float(np.mean(found)), 4) for name, found in hits.items()},
        "half_width": {name: round(float(np.mean(found)), 4) for name, found in widths.items()},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--only", metavar="NAME", help="families with NAME in their name")
    args = parser.parse_args()
    rows = json.loads(RESULT.read_text()) if RESULT.exists() else []
    for family in families():
        size = family.graph.n_items
        if args.only and args.only not in family.name:
            continue
        draws = args.draws if size < 5000 else max(args.draws // 3, 50)
        if any((row["family"], row["n"]) == (family.name, size) and row["draws"] >= draws for row in rows):
            continue
        begin = time.perf_counter()
        row = measure(family, draws)
        rows = [old for old in rows if (old["family"], old["n"]) != (family.name, size)] + [row]
        RESULT.write_text(json.dumps(rows, indent=1) + "\n")
        print(f"{family.name:32} n {size:6} n_eff {row['effective_sample_size']:7} {row['coverage']} "
              f"({time.perf_counter() - begin:.0f} s)", flush=True)  # fmt: skip
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
