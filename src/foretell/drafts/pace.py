"""How much drafting pays: tokens expected of a round, over what draft and pass cost on this machine."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foretell.drafts.base import TreeSize
from foretell.drafts.tree import Tree, best_nodes
from foretell.models.decoder import Decoder

MOST_NODES = 32
LARGEST_TREE = TreeSize(nodes=MOST_NODES - 1, depth=12, width=4)
"""What is drafted at most; how much of it is drafted and checked depends on what drafts and passes cost."""
_SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)
_CONTEXT = 64
_REPEATS = 4


@lru_cache(maxsize=4)
def measured_costs(target: Decoder) -> tuple[float, ...]:
    """Seconds of a pass of 1, 2, ... ``MOST_NODES`` tokens, measured now (the smallest of a few each).

    Sizes take turns, so that what else the machine does meets all of them.
    """
    cache = target.new_cache(1, _CONTEXT + MOST_NODES)
    tokens = np.zeros(_CONTEXT + MOST_NODES, np.int32)
    slots = np.arange(tokens.size, dtype=np.int32)
    target.forward(tokens[:_CONTEXT], np.zeros(_CONTEXT, np.int32), slots[:_CONTEXT], cache)
    seconds = np.full(len(_SIZES), np.inf)
    for _ in range(_REPEATS):
        for place, size in enumerate(_SIZES):
            part = slice(_CONTEXT, _CONTEXT + size)
            begin = time.perf_counter()
            states = target.forward(tokens[part], np.zeros(size, np.int32), slots[part], cache)
            target.head_sums(states)
            seconds[place] = min(seconds[place], time.perf_counter() - begin)
    # A larger pass is never cheaper; what measurement says otherwise is noise.
    costs = np.maximum.accumulate(seconds)
    return tuple(np.interp(np.arange(1, MOST_NODES + 1), _SIZES, costs).tolist())


_CHILD_RIGHT = 0.65
"""How often the likeliest child of a node that came true comes true, about."""
_FADING = 0.97
NEVER = 2.0
"""A chance that no path has: a drafter that is asked for nothing less stays at its root."""
_JUDGED = 6
"""Tokens of a stream after which a drafter is judged."""
SHORTEST_REST, LONGEST_REST = 8, 128
"""Rounds without the drafter after it was found too slow; each time twice as many."""


class DraftCosts(NamedTuple):
    """Seconds that a drafter takes for a stream's tree of one depth, and for every further depth."""

    first: float = 0.0
    step: float = 0.0


class Pace:
    """Decides how deep trees grow, which of their nodes are checked, and when it pays to draft nothing for a while.

    Everything follows from costs and counts, not from clocks, so that the same text is drafted the same way again.

    Parameters
    ----------
    passes : ndarray of float64
        What passes of 1, 2, ... tokens cost.
    draft : DraftCosts
        What the drafter costs.

    >>> pace = Pace(np.array([1.0, 1.1, 1.2, 1.3, 1.4]), DraftCosts(0.2, 0.16))
    >>> round(pace.limited(TreeSize(4, 4, 2), 1).least, 2)
    0.4
    """

    def __init__(self, passes: NDArray[np.float64], draft: DraftCosts) -> None:
        self._passes, self._draft = passes, draft
        self._tokens = self._cost = 0.0
        self._resting, self._rest = 0, SHORTEST_REST

    def _plain(self, streams: int) -> float:
        """Seconds that a token takes without drafts."""
        return self._pass(streams) / streams

    def _pass(self, tokens: int) -> float:
        return float(self._passes[min(tokens, self._passes.size) - 1])

    def limited(self, size: TreeSize, streams: int) -> TreeSize:
        """The tree to ask for: a depth pays while its likeliest node saves more than it costs."""
        if self._resting:
            return size._replace(least=NEVER)
        passes = self._passes[streams - 1 :]
        row = float(passes[-1] - passes[0]) / (passes.size - 1) if passes.size > 1 else np.inf
        seconds = self._cost / self._tokens if self._tokens else self._plain(streams)
        return size._replace(least=max(size.least, (self._draft.step + row) / (_CHILD_RIGHT * seconds)))

    def trim(self, trees: list[Tree], spent: float) -> list[Tree]:
        """Keep the nodes that pay, of trees that took ``spent`` seconds."""
        return trim(trees, self._passes, spent)

    def learn(self, streams: int, nodes: int, spent: float, tokens: int) -> None:
        """Note what a pass of so many nodes gave; where drafts have cost more than they saved, rest from them."""
        if self._resting:
            self._resting -= 1
            return
        self._tokens = _FADING * self._tokens + tokens
        self._cost = _FADING * self._cost + self._pass(nodes) + spent
        if self._tokens < _JUDGED * streams:
            return
        if self._cost <= self._plain(streams) * self._tokens:
            self._rest = SHORTEST_REST
        else:
            self._resting, self._rest = self._rest, min(2 * self._rest, LONGEST_REST)
            self._tokens = self._cost = 0.0


def trim(trees: list[Tree], costs: NDArray[np.float64], spent: float = 0.0) -> list[Tree]:
    """Keep the nodes with the best chances over all trees, as many as give the most tokens a second.

    ``costs[n - 1]`` is what a pass of n tokens costs; passes have at most that many, and one for each tree. ``spent``
    is what the trees themselves took.

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
        best = int(np.argmax(gains / (costs[roots - 1 : roots + room] + spent)))
    counts = np.bincount(owners[order[:best]], minlength=roots)
    return [best_nodes(tree, int(count)) for tree, count in zip(trees, counts, strict=True)]
