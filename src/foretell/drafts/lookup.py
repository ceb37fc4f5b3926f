"""Drafts from the text itself: what followed the last time that the same tokens stood here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from foretell.drafts.base import TreeSize
from foretell.drafts.tree import Tree, chains

LONGEST, SHORTEST = 6, 2
"""Tokens of the past that are looked up, from the most to the fewest."""
_KEPT = 3


class LookupDrafter:
    """Prompt lookup: chains of tokens that followed the longest repeated end of the text.

    For each number of last tokens the few latest places where they stood before are kept. No training, no cost,
    and much gained in code, tables and answers that quote their prompt. How often matches of each length came
    true is counted, so that trees say what may be expected of them.

    >>> drafter = LookupDrafter()
    >>> drafter.begin(1, 100)
    >>> drafter.extend(0, np.array([5, 6, 7, 8, 9, 5, 6], np.int32), np.empty((0, 7, 1), np.float32))
    >>> drafter.propose([0], [6], TreeSize(3, 3, 1))[0].tokens.tolist()
    [6, 7, 8, 9]
    """

    name = "lookup"
    taps: tuple[int, ...] = ()

    def __init__(self) -> None:
        # Right and all guesses of the token after a match of each length, as if ten had been made before.
        self._right = np.linspace(2.0, 8.0, LONGEST + 1)
        self._guesses = np.full(LONGEST + 1, 10.0)
        self.begin(1, 0)

    def begin(self, streams: int, slots: int) -> None:
        """Forget all texts, but not how far matches can be trusted."""
        self._texts: list[list[int]] = [[] for _ in range(streams)]
        self._places: list[dict[tuple[int, ...], list[int]]] = [{} for _ in range(streams)]

    def start(self, stream: int, token: int) -> None:
        """Begin a text."""
        self._texts[stream] = [token]

    def extend(self, stream: int, tokens: NDArray[np.int32], features: NDArray[np.float32]) -> None:
        """Note where each run of tokens ends, and whether what followed it last time followed again."""
        text, places = self._texts[stream], self._places[stream]
        for token in tokens.tolist():
            longest = True
            for length in range(min(LONGEST, len(text)), SHORTEST - 1, -1):
                known = places.setdefault(tuple(text[-length:]), [])
                if known and longest:
                    self._guesses[length] += 1
                    self._right[length] += text[known[-1]] == token
                    longest = False
                # The run is noted only now that something follows it.
                known.append(len(text))
                del known[:-_KEPT]
            text.append(token)

    def propose(self, streams: Sequence[int], roots: Sequence[int], size: TreeSize) -> list[Tree]:
        """Continuations of the longest match first, the latest first."""
        return [
            chains(root, self._paths(stream, size), size.nodes) for stream, root in zip(streams, roots, strict=True)
        ]

    def _paths(self, stream: int, size: TreeSize) -> list[tuple[list[int], list[float]]]:
        text, places = self._texts[stream], self._places[stream]
        paths: list[tuple[list[int], list[float]]] = []
        for length in range(min(LONGEST, len(text)), SHORTEST - 1, -1):
            for place in reversed(places.get(tuple(text[-length:]), [])):
                path = text[place : place + size.depth]
                # The first guess has its own chance; the match is one token longer at each that comes true.
                rates = [self._rate(length + step) for step in range(len(path))]
                chances = np.cumprod(rates) / (1 + len(paths))
                paths.append((path, chances.tolist()))
                if len(paths) == size.width:
                    return paths
        return paths

    def _rate(self, length: int) -> float:
        length = min(length, LONGEST)
        return float(self._right[length] / self._guesses[length])
