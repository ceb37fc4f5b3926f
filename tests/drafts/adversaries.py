"""Drafters that know everything, nothing, or half of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from foretell.drafts.base import TreeSize
from foretell.drafts.tree import Tree


class RandomDrafter:
    """Random trees, in which some paths are the true continuation (``truth``: what follows in each stream)."""

    name = "random"

    def __init__(
        self, seed: int, vocabulary: int, truth: Sequence[Sequence[int]] = (), taps: tuple[int, ...] = ()
    ) -> None:
        self.random = np.random.default_rng(seed)
        self.vocabulary = vocabulary
        self.truth = truth
        self.taps = taps
        self.seen: list[list[int]] = []
        self.features: list[list[NDArray[np.float32]]] = []

    def begin(self, streams: int, slots: int) -> None:
        self.seen = [[] for _ in range(streams)]
        self.features = [[] for _ in range(streams)]

    def start(self, stream: int, token: int) -> None:
        self.first = token

    def extend(self, stream: int, tokens: NDArray[np.int32], features: NDArray[np.float32]) -> None:
        assert features.shape[:2] == (len(self.taps), tokens.size)
        self.seen[stream] += tokens.tolist()
        self.features[stream] += list(features.transpose(1, 0, 2).copy())

    def propose(self, streams: Sequence[int], roots: Sequence[int], size: TreeSize) -> list[Tree]:
        return [self._tree(stream, root, size) for stream, root in zip(streams, roots, strict=True)]

    def _tree(self, stream: int, root: int, size: TreeSize) -> Tree:
        tokens, parents, depth, right = [root], [-1], [0], [True]
        future = list(self.truth[stream][len(self.seen[stream]) :]) if self.truth else []
        for _ in range(size.nodes):
            parent = int(self.random.integers(max(0, len(tokens) - 4), len(tokens)))
            if depth[parent] >= size.depth:
                continue
            taken = [tokens[i] for i in range(1, len(tokens)) if parents[i] == parent]
            true = future[depth[parent]] if right[parent] and depth[parent] < len(future) else -1
            token = true if true >= 0 and self.random.random() < 0.7 else int(self.random.integers(self.vocabulary))
            if token in taken:
                continue
            tokens.append(token)
            parents.append(parent)
            depth.append(depth[parent] + 1)
            right.append(right[parent] and token == true)
        chances = 0.9 ** np.array(depth, np.float64)
        return Tree(np.array(tokens, np.int32), np.array(parents, np.int32), chances)
