"""Worked examples on data that ship inside Python packages: intervals in use, and the valid one.

    python benchmarks/dependence_examples.py

Needs statsmodels, arch, libpysal and networkx for their data (pip install 'foretell[examples]'), and pykeen's wheel
unpacked where FORETELL_PYKEEN says (pip download --no-deps pykeen): what is missing keeps its rows.
Writes benchmarks/results/dependence_examples.json.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from networked_graphs import pykeen_triples

from foretell.dependence import Assessment, DependencyGraph, assess

RESULT = Path(__file__).resolve().parent / "results" / "dependence_examples.json"


def sunspots() -> Assessment:
    """How often does "as many as last year, or more" hold? Years; memory of one cycle, 11 years."""
    from statsmodels.datasets import sunspots

    activity = sunspots.load_pandas().data.SUNACTIVITY.to_numpy()
    rises = (np.diff(activity) >= 0).astype(float)
    return assess(None, rises, "mean", times=np.arange(rises.size), horizon=11, value_range=(0, 1))


def returns() -> Assessment:
    """95 % value at risk of the S&P 500, 1999 to 2018: days on which the loss is beyond that of the last 250 days."""
    from arch.data import sp500

    prices = sp500.load()["Adj Close"].to_numpy()
    change = np.diff(np.log(prices))
    limit = np.array([np.quantile(change[k - 250 : k], 0.05) for k in range(250, change.size)])
    beyond = (change[250:] < limit).astype(float)
    return assess(None, beyond, "mean", times=np.arange(beyond.size), horizon=21, value_range=(0, 1))


def travel() -> Assessment:
    """How well "the cheapest way" predicts which of four ways of travelling is taken; four rows per traveller."""
    from statsmodels.datasets import modechoice

    frame = modechoice.load_pandas().data
    cheapest = frame.groupby("individual").gc.transform("min") == frame.gc
    return assess(frame.choice, cheapest.astype(int), "accuracy", share={"traveller": frame.individual})


def crime() -> Assessment:
    """AUC of low house values for high crime, 49 neighbourhoods of Columbus; contiguous ones depend."""
    import libpysal

    table = libpysal.io.open(libpysal.examples.get_path("columbus.dbf"))
    crime, value = (np.array(table.by_col(name), dtype=float) for name in ("CRIME", "HOVAL"))
    weights = libpysal.io.open(libpysal.examples.get_path("columbus.gal")).read()
    number = {name: k for k, name in enumerate(weights.id_order)}
    edges = [(number[one], number[other]) for one in weights.neighbors for other in weights.neighbors[one]]
    graph = DependencyGraph.from_edges(crime.size, edges)
    return assess(crime > np.median(crime), -value, "auc", graph=graph)


def club() -> Assessment:
    """Do ties of the karate club stay within the faction? Ties depend if they share a member."""
    import networkx

    graph = networkx.karate_club_graph()
    edges = np.array(graph.edges())
    side = np.array([graph.nodes[k]["club"] == "Officer" for k in graph.nodes])
    same = (side[edges[:, 0]] == side[edges[:, 1]]).astype(float)
    ties = DependencyGraph.from_memberships(len(edges), np.tile(np.arange(len(edges)), 2), edges.T.ravel())
    return assess(None, same, "mean", graph=ties, value_range=(0, 1))


def links(name: str) -> Assessment:
    """How often is the right tail of a test triple among the three that its relation has most often in training.

    The simplest link predictor, on the test triples of pykeen's data. Triples depend if they share an entity, as head
    or as tail; relations and training triples are fixed.
    """
    train, test = pykeen_triples(name, "train"), pykeen_triples(name, "test")
    if train is None or test is None:
        raise ImportError("set FORETELL_PYKEEN")
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for _, relation, tail in train:
        counts[relation][tail] += 1
    best = {relation: {tail for tail, _ in found.most_common(3)} for relation, found in counts.items()}
    hits = [float(tail in best.get(relation, ())) for _, relation, tail in test]
    ends = np.array([[head, tail] for head, _, tail in test])
    graph = DependencyGraph.from_memberships(len(test), np.repeat(np.arange(len(test)), 2), ends.ravel())
    return assess(None, hits, "mean", graph=graph, value_range=(0, 1))


EXAMPLES: dict[str, Callable[[], Assessment]] = {
    "sunspots: rises": sunspots,
    "S&P 500: beyond value at risk": returns,
    "travel: accuracy": travel,
    "Columbus: AUC for crime": crime,
    "karate club: ties within factions": club,
    "UMLS: hits at 3": lambda: links("umls"),
    "Kinships: hits at 3": lambda: links("kinships"),
    "Nations: hits at 3": lambda: links("nations"),
}


def rows() -> Iterator[dict[str, Any]]:
    for name, example in EXAMPLES.items():
        try:
            found = example()
        except ImportError as error:
            print(f"{name}: left out ({error})")
            continue
        interval = found.interval
        intervals = {row.name: [round(row.low, 4), round(row.high, 4)] for row in found.comparisons}
        intervals[f"valid ({interval.method})"] = [round(interval.low, 4), round(interval.high, 4)]
        yield {
            "example": name, "n": interval.n_items, "n_eff": round(interval.effective_sample_size, 1),
            "estimate": round(interval.estimate, 4), "intervals": intervals, "vacuous": interval.vacuous,
        }  # fmt: skip


def main() -> int:
    found = {row["example"]: row for row in json.loads(RESULT.read_text())} if RESULT.exists() else {}
    for row in rows():
        found[row["example"]] = row
        print(json.dumps(row), flush=True)
    RESULT.write_text(json.dumps([found[name] for name in EXAMPLES if name in found], indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
