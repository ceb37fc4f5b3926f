"""Drafts from a smaller language model with the target's vocabulary."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from foretell.drafts.base import TreeSize
from foretell.drafts.grow import Growing, branch_mask, grow
from foretell.drafts.tree import Tree
from foretell.errors import ModelError
from foretell.models.decoder import Decoder, States

_BRANCHES = 512
"""Slots for drafted branches, after those of what was read."""
_CHUNK = 240


class StandaloneDrafter:
    """Any decoder that spells its tokens as the target does, such as a smaller model of one family.

    Parameters
    ----------
    model : Decoder
        The smaller model.
    target : Decoder
        Whose tokens are drafted.

    Raises
    ------
    ModelError
        If the two have different vocabularies.
    """

    taps: tuple[int, ...] = ()

    def __init__(self, model: Decoder, target: Decoder) -> None:
        ours, theirs = model.vocabulary, target.vocabulary
        if ours.leaves != theirs.leaves or not np.array_equal(ours.ids, theirs.ids):
            raise ModelError(f"{model.name} has other tokens than {target.name} and cannot draft for it")
        self.name = model.name
        self._model = model
        self._scales = model.head_scale[: ours.ids.size]
        self.begin(0, 0)

    def begin(self, streams: int, slots: int) -> None:
        """Forget everything."""
        self._room = min(slots + _BRANCHES, self._model.config.context)
        self._cache = self._model.new_cache(streams, self._room)
        self._waiting: list[list[int]] = [[] for _ in range(streams)]
        self._used = [0] * streams

    def start(self, stream: int, token: int) -> None:
        """Note the first token of a stream."""
        self._waiting[stream] = [token]

    def extend(self, stream: int, tokens: NDArray[np.int32], features: NDArray[np.float32]) -> None:
        """Note what is to be read before the next draft."""
        self._waiting[stream] += tokens.tolist()

    def propose(self, streams: Sequence[int], roots: Sequence[int], size: TreeSize) -> list[Tree]:
        """A tree for each stream."""
        return [self._grow(stream, root, size) for stream, root in zip(streams, roots, strict=True)]

    def _read(self, stream: int) -> States:
        """Read what is waiting; returns the state after the last token."""
        tokens = np.array(self._waiting[stream], np.int32)
        self._waiting[stream] = []
        for begin in range(0, tokens.size, _CHUNK):
            part = tokens[begin : begin + _CHUNK]
            slots = np.arange(self._used[stream], self._used[stream] + part.size, dtype=np.int32)
            states = self._model.forward(part, np.full(part.size, stream, np.int32), slots, self._cache)
            self._used[stream] += part.size
        return States(states.integers[-1:], states.scales[-1:])

    def _grow(self, stream: int, root: int, size: TreeSize) -> Tree:
        growing, expanded = Growing(root), list[int]()
        state = self._read(stream)
        room = self._room - self._used[stream]

        def expand(depth: int, nodes: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
            if depth == 0:
                return self._likeliest(state, size.width)
            expanded.extend(nodes.tolist())
            return self._likeliest(self._branch(stream, depth, nodes, expanded, growing), size.width)

        depth = min(size.depth, 1 + room // max(1, size.width))
        return grow(growing, TreeSize(size.nodes, depth, size.width), expand)

    def _branch(
        self, stream: int, depth: int, nodes: NDArray[np.int32], expanded: list[int], growing: Growing
    ) -> States:
        """States of new nodes, each of which sees what was read, its ancestors and itself."""
        count, used = nodes.size, self._used[stream]
        visible = branch_mask(nodes, expanded, growing)
        slots = np.arange(used + len(expanded) - count, used + len(expanded), dtype=np.int32)
        tokens = np.array([growing.tokens[node] for node in nodes], np.int32)
        positions, base = np.full(count, used - 1 + depth, np.int32), np.full(count, used, np.int32)
        streams = np.full(count, stream, np.int32)
        return self._model.forward(tokens, streams, slots, self._cache, positions, (base, visible))

    def _likeliest(self, states: States, count: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        sums = self._model.head_sums(states)[:, : self._scales.size]
        scores = sums * self._scales.astype(np.float64) * states.scales[:, None].astype(np.float64)
        scores[:, self._model.vocabulary.unspelled] = -np.inf
        best = np.argsort(-scores, axis=1, kind="stable")[:, :count]
        weights = np.exp(scores - scores.max(axis=1, keepdims=True))
        rates = np.take_along_axis(weights, best, 1) / weights.sum(axis=1, keepdims=True)
        return best.astype(np.int32), rates
