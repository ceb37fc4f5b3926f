"""How large a tree pays: tokens expected of a pass, over what a pass of that size costs on this machine."""

from __future__ import annotations

import time
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from foretell.drafts.base import TreeSize
from foretell.drafts.tree import Tree, best_nodes
from foretell.models.decoder import Decoder

MOST_NODES = 32
LARGEST_TREE = TreeSize(nodes=MOST_NODES - 1, depth=12, width=3, least=0.12)
"""What is drafted; how much of it is checked depends on what passes cost. A step of the shipped draft takes about a
tenth of a pass, so that it pays where it gives that much of a token."""
_SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
_CONTEXT = 64
_REPEATS = 3


@lru_cache(maxsize=4)
def measured_costs(target: Decoder) -> tuple[float, ...]:
    """Seconds of a pass of 1, 2, ... ``MOST_NODES`` tokens, measured now (the smallest of a few each)."""
    cache = target.new_cache(1, _CONTEXT + MOST_NODES)
    tokens = np.zeros(_CONTEXT + MOST_NODES, np.int32)
    slots = np.arange(tokens.size, dtype=np.int32)
    seconds = []
    for size in (_CONTEXT, *_SIZES):
        part = slice(0, size) if size == _CONTEXT else slice(_CONTEXT, _CONTEXT + size)
        best = float("inf")
        for _ in range(_REPEATS):
            begin = time.perf_counter()
            states = target.forward(tokens[part], np.zeros(size, np.int32), slots[part], cache)
            target.head_sums(states)
            best = min(best, time.perf_counter() - begin)
        seconds.append(best)
    # A larger pass is never cheaper; what measurement says otherwise is noise.
    costs = np.maximum.accumulate(seconds[1:])
    return tuple(np.interp(np.arange(1, MOST_NODES + 1), _SIZES, costs).tolist())


def trim(trees: list[Tree], costs: NDArray[np.float64]) -> list[Tree]:
    """Keep the nodes with the best chances over all trees, as many as give the most tokens a second.

    ``costs[n - 1]`` is what a pass of n tokens costs; passes have at most that many, and one for each tree.

    >>> from foretell.drafts.tree import chains
    >>> tree = chains(0, [([1, 2, 3, 4], [0.9, 0.8, 0.2, 0.1])], 4)
    >>> trim([tree], np.array([1.0, 1.2, 1.4, 1.7, 2.0]))[0].tokens.tolist()
    [0, 1, 2]
    """
    chances = np.concatenate([tree.chances[1:] for tree in trees])
    owners = np.repeat(np.arange(len(trees)), [tree.tokens.size - 1 for tree in trees])
    order = np.argsort(-chances, kind="stable")
    roots = len(trees)
    room = max(0, min(chances.size, costs.size - roots))
    best = 0
    if room:
        gains = roots + np.concatenate([[0.0], np.cumsum(chances[order[:room]])])
        best = int(np.argmax(gains / costs[roots - 1 : roots + room]))
    counts = np.bincount(owners[order[:best]], minlength=roots)
    return [best_nodes(tree, int(count)) for tree, count in zip(trees, counts, strict=True)]
