"""Two drafters whose guesses go into one tree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from foretell.drafts.base import Drafter, TreeSize
from foretell.drafts.pace import DraftCosts, costs_of
from foretell.drafts.tree import Tree, best_nodes, child_of

_TRUSTED = 0.85
"""A chance of the next token from which on the network is not asked."""


def merge(first: Tree, second: Tree) -> Tree:
    """All paths of two trees with the same root; a path that is in both has the better of its chances.

    >>> from foretell.drafts.tree import chains
    >>> a, b = chains(7, [([1, 2], [0.6, 0.5])], 9), chains(7, [([1, 3], [0.8, 0.4]), ([4], [0.1])], 9)
    >>> found = merge(a, b)
    >>> found.tokens.tolist(), found.parents.tolist(), found.chances.tolist()
    ([7, 1, 2, 3, 4], [-1, 0, 1, 1, 0], [1.0, 0.8, 0.5, 0.4, 0.1])
    """
    tokens, parents, chances = (array.tolist() for array in first)
    places = [0]
    for node in range(1, second.tokens.size):
        parent, token, chance = places[second.parents[node]], int(second.tokens[node]), float(second.chances[node])
        known = child_of(first, parent, token) if parent < first.tokens.size else -1
        if known >= 0:
            chances[known] = max(chances[known], chance)
        else:
            known = len(tokens)
            tokens.append(token)
            parents.append(parent)
            chances.append(chance)
        places.append(known)
    return Tree(np.array(tokens, np.int32), np.array(parents, np.int32), np.array(chances))


class JointDrafter:
    """What followed last time where the text repeats itself, and a network's guesses elsewhere.

    Parameters
    ----------
    first, second : Drafter
        A network, and one that costs nothing and reads no layers of the target. Where the second is
        nearly sure of the next token, the first is not asked.
    """

    def __init__(self, first: Drafter, second: Drafter) -> None:
        self.name, self.taps = f"{first.name}+{second.name}", first.taps
        self._both = (first, second)
        self.spent = 0.0

    def measure(self) -> DraftCosts:
        """The first's costs."""
        return costs_of(self._both[0])

    def begin(self, streams: int, slots: int) -> None:
        """Forget everything."""
        for drafter in self._both:
            drafter.begin(streams, slots)

    def start(self, stream: int, token: int) -> None:
        """Begin a text."""
        for drafter in self._both:
            drafter.start(stream, token)

    def extend(self, stream: int, tokens: NDArray[np.int32], features: NDArray[np.float32]) -> None:
        """Tell both."""
        for drafter in self._both:
            drafter.extend(stream, tokens, features)

    def propose(self, streams: Sequence[int], roots: Sequence[int], size: TreeSize) -> list[Tree]:
        """The best nodes of both trees, or the second's alone."""
        first, second = self._both
        found = second.propose(streams, roots, size)
        asked = [i for i, tree in enumerate(found) if tree.chances[1:].max(initial=0.0) < _TRUSTED]
        self.spent = 0.0
        if asked:
            more = first.propose([streams[i] for i in asked], [roots[i] for i in asked], size)
            self.spent = getattr(first, "spent", 0.0)
            for i, tree in zip(asked, more, strict=True):
                found[i] = best_nodes(merge(tree, found[i]), size.nodes)
        return found
