"""Graphs that the benchmarks of networked data share.

Generated ones, some of networkx, and link data of pykeen where its wheel is at hand.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from foretell.networked import PairGraph


def preferential(n: int, links: int, seed: int = 0) -> PairGraph:
    """Every object joins earlier ones in proportion to their degrees (Barabasi and Albert)."""
    rng = np.random.default_rng(seed)
    m = n * links
    ends = np.zeros(2 * m, dtype=np.int64)
    ends[0::2] = np.repeat(np.arange(1, n + 1), links)
    picks = (rng.random(m) * np.maximum(2 * np.arange(m), 1)).astype(np.int64)
    # An end copies an earlier end: follow the copies until all point at a new object's own place, which is known.
    place = np.arange(2 * m)
    place[1::2] = picks
    while True:
        following = place[place]
        if (following == place).all():
            break
        place = following
    # Place 1 is the first object's partner, object 0; it points to place 0, which would make a self-pair.
    ends[1::2] = ends[place[1::2]]
    ends[1] = 0
    apart = ends[0::2] != ends[1::2]
    return PairGraph.from_edges(ends[0::2][apart], ends[1::2][apart])


def uniform(n: int, m: int, seed: int = 0) -> PairGraph:
    """Pairs of random objects (Erdos and Renyi, with repeats)."""
    rng = np.random.default_rng(seed)
    left = rng.integers(0, n, m)
    right = (left + rng.integers(1, n, m)) % n
    return PairGraph.from_edges(left, right)


def two_towers(m: int, seed: int = 0) -> PairGraph:
    """A log of users and items with heavy tails on both sides."""
    rng = np.random.default_rng(seed)
    users = (max(m // 10, 3) * rng.random(m) ** 2).astype(np.int64)
    items = (max(m // 50, 3) * rng.random(m) ** 3).astype(np.int64)
    return PairGraph.from_edges(users, items, bipartite=True)


def hub(leaves: int) -> PairGraph:
    """A star, and as many pairs of their own."""
    star = np.stack([np.zeros(leaves, dtype=np.int64), np.arange(1, leaves + 1)], axis=1)
    return PairGraph.from_edges(np.concatenate([star, leaves + 1 + np.arange(2 * leaves).reshape(-1, 2)]))


def star(leaves: int) -> PairGraph:
    return PairGraph.from_edges(np.zeros(leaves, dtype=np.int64), np.arange(1, leaves + 1))


def complete(n: int) -> PairGraph:
    return PairGraph.from_edges(*np.triu_indices(n, 1))


def battles(m: int = 4000, seed: int = 0) -> PairGraph:
    """Prompts and judges that battles share, as in an arena: a few prompts and a few judges have most battles."""
    rng = np.random.default_rng(seed)
    prompts = (800 * rng.random(m) ** 2).astype(np.int64)
    judges = (300 * rng.random(m) ** 3).astype(np.int64)
    return PairGraph.from_edges(prompts, judges, bipartite=True)


def from_networkx() -> Iterator[tuple[str, PairGraph]]:
    """Small social networks; nothing where networkx is not installed."""
    if find_spec("networkx") is None:
        return
    import networkx

    yield "karate", PairGraph.from_networkx(networkx.karate_club_graph())
    yield "les miserables", PairGraph.from_networkx(networkx.les_miserables_graph())
    yield "davis women", PairGraph.from_networkx(networkx.davis_southern_women_graph())


def pykeen_triples(name: str, split: str = "train") -> list[list[str]] | None:
    """Heads, relations and tails of a data set in pykeen's wheel; None where that is not at hand.

    The wheel is unpacked where FORETELL_PYKEEN says (it needs nothing else to be read), or installed.
    """
    spec = find_spec("pykeen") if "FORETELL_PYKEEN" not in os.environ else None
    folder = Path(os.environ.get("FORETELL_PYKEEN", "")) if spec is None else Path(str(spec.origin)).parent
    file = folder / "datasets" / name / f"{split}.txt"
    return [line.split("\t") for line in file.read_text().splitlines()] if file.is_file() else None


def from_pykeen() -> Iterator[tuple[str, PairGraph]]:
    """Entity pairs of kinships, nations and umls."""
    for name in ("kinships", "nations", "umls"):
        rows = pykeen_triples(name)
        if rows is not None:
            yield name, PairGraph.from_edges([row[0] for row in rows], [row[2] for row in rows])


def all_graphs() -> dict[str, PairGraph]:
    """The ten graphs of the tables, fewer where a package is missing."""
    made = {
        "complete K40": complete(40),
        "uniform (500, 1250)": uniform(500, 1250),
        "preferential (500, 2)": preferential(500, 2),
        "hub 150 + 150": hub(150),
        "two towers 4000": two_towers(4000),
        "battles 4000": battles(),
    }
    return {**made, **dict(from_networkx()), **dict(from_pykeen())}
