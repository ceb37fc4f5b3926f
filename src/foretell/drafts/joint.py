"""Two drafters whose guesses go into one tree."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from foretell.drafts.base import Drafter, TreeSize
from foretell.drafts.tree import Tree, best_nodes, child_of


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
    """A network's guesses and, where the text repeats itself, what followed last time.

    Parameters
    ----------
    first, second : Drafter
        The second reads no layers of the target.
    """

    def __init__(self, first: Drafter, second: Drafter) -> None:
        self.name, self.taps = f"{first.name}+{second.name}", first.taps
        self._both = (first, second)

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
        """The best nodes of both trees."""
        first, second = (drafter.propose(streams, roots, size) for drafter in self._both)
        return [best_nodes(merge(a, b), size.nodes) for a, b in zip(first, second, strict=True)]
