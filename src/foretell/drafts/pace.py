"""How much drafting pays: tokens expected of a round, over what draft and pass cost on this machine."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foretell.drafts.base import Drafter, TreeSize
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
_SURE_GAIN = 3.0
"""With several streams, a drafter is asked where a first token that is right saves so many times what it costs: their
trees differ in size, which no measurement of passes foresees. With one it need only save more than it costs."""
NEVER = 2.0
"""A chance that no path has: a drafter that is asked for nothing less stays at its root."""
FIRST_STINT, LONGEST_STINT = 16, 256
"""Rounds with or without the drafter, whichever is faster, before the other is tried again; twice as many each time."""
TRIED = 3
"""Rounds for which the other is tried."""


class DraftCosts(NamedTuple):
    """Seconds that a drafter takes for a stream's tree of one depth, and for every further depth."""

    first: float = 0.0
    step: float = 0.0


def costs_of(drafter: Drafter) -> DraftCosts:
    """What a drafter's trees cost, if it can tell."""
    measure = getattr(drafter, "measure", None)
    return DraftCosts() if measure is None else measure()


class _Speed:
    """Tokens and seconds of late."""

    def __init__(self) -> None:
        self.tokens = self.seconds = 0.0

    def add(self, tokens: int, seconds: float) -> None:
        self.tokens = _FADING * self.tokens + tokens
        self.seconds = _FADING * self.seconds + seconds

    @property
    def seconds_a_token(self) -> float:
        return self.seconds / self.tokens


class Pace:
    """Decides how deep trees grow, which of their nodes are checked, and when not to ask the drafter at all.

    Rounds with and without the drafter are timed, so that what no measurement foresees counts too.

    Parameters
    ----------
    passes : ndarray of float64
        What passes of 1, 2, ... tokens cost.
    draft : DraftCosts
        What the drafter costs; where it is nothing, the drafter is always asked.

    Attributes
    ----------
    resting : bool
        Whether the drafter is not asked at present.

    >>> pace = Pace(np.array([1.0, 1.1, 1.2, 1.3, 1.4]), DraftCosts(0.1, 0.16))
    >>> round(pace.limited(TreeSize(4, 4, 2), 1).least, 2)
    0.4
    """

    def __init__(self, passes: NDArray[np.float64], draft: DraftCosts) -> None:
        self._passes, self._draft = passes, draft
        self._speeds = (_Speed(), _Speed())
        self.resting, self._trying = False, False
        self._stint = self._left = FIRST_STINT

    def limited(self, size: TreeSize, streams: int) -> TreeSize:
        """The tree to ask for: a depth pays while its likeliest node saves more than it costs."""
        if self.resting:
            return size._replace(least=NEVER)
        passes = self._passes[min(streams, self._passes.size) - 1 :]
        row = float(passes[-1] - passes[0]) / (passes.size - 1) if passes.size > 1 else np.inf
        worth = _CHILD_RIGHT * float(passes[0]) / streams
        gain = _SURE_GAIN if streams > 1 else 1.0
        if self._draft.first and self._draft.first + row > worth / gain:
            return size._replace(least=NEVER)
        return size._replace(least=max(size.least, (self._draft.step + row) / worth))

    def trim(self, trees: list[Tree], spent: float) -> list[Tree]:
        """Keep the nodes that pay, of trees that took ``spent`` seconds."""
        return trim(trees, self._passes, spent)

    def learn(self, tokens: int, seconds: float) -> None:
        """Note what a round gave and took; now and then, decide whether the drafter is asked in the next rounds."""
        self._speeds[self.resting].add(tokens, seconds)
        self._left -= 1
        if self._left > 0 or not self._draft.first:
            return
        if not self._trying:
            self._trying, self.resting, self._left = True, not self.resting, TRIED
            return
        before, (asked, plain) = not self.resting, self._speeds
        self._trying, self.resting = False, plain.seconds_a_token < asked.seconds_a_token
        self._stint = min(2 * self._stint, LONGEST_STINT) if self.resting == before else FIRST_STINT
        self._left = self._stint


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
