"""The round of speculative decoding: draft a tree, check it in one pass, keep the path that came true."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from foretell.drafts.base import Drafter, TreeSize
from foretell.drafts.pace import NEVER, Pace, costs_of, measured_costs
from foretell.drafts.tree import Tree, ancestors, child_of, depths, root_only
from foretell.models.decoder import Decoder, States
from foretell.models.roll_back import keep_slots

CHUNK = 240
"""Tokens of a prompt that go through the target together."""


class Choice(NamedTuple):
    """A token that was chosen, and whether its stream goes on."""

    token: int
    more: bool


class Chooser(Protocol):
    """Chooses the next token of a stream: the largest, a random one, or the one that an archive says."""

    def __call__(self, stream: int, sums: NDArray[np.int32], scale: np.float32) -> Choice:
        """Choose from the head's integer sums after the stream's last token; called once for each token."""
        ...


class Speculation:
    """Streams of one target, each of which goes on by at least one token in a round.

    Parameters
    ----------
    target : Decoder
        The model whose tokens are wanted.
    drafter : Drafter
        Where drafts come from.
    streams, slots : int
        How many streams there are, and how many tokens each may have.
    costs : ndarray of float64, optional
        What passes of 1, 2, ... tokens cost (:func:`foretell.drafts.pace.measured_costs`): trees are trimmed to what
        pays. Without, they are checked whole.

    Attributes
    ----------
    used : ndarray of int32
        Tokens of each stream that the target has read.
    rounds, tokens : int
        Passes so far, counted for each stream, and tokens that came of them.
    """

    def __init__(
        self, target: Decoder, drafter: Drafter, streams: int, slots: int, costs: NDArray[np.float64] | None = None
    ) -> None:
        self.target = target
        self.drafter = drafter
        self.capacity = slots
        self._pace = None if costs is None else Pace(costs, costs_of(drafter))
        self.cache = target.new_cache(streams, slots + 1)
        self.used = np.zeros(streams, np.int32)
        self.roots = np.zeros(streams, np.int32)
        self.rounds = self.tokens = 0
        drafter.begin(streams, slots)

    def read(self, stream: int, tokens: NDArray[np.int32]) -> None:
        """Let a new stream begin with these tokens, at least one; the last is left for the first round.

        Raises
        ------
        ValueError
            If there are no tokens, or more than the stream may have.
        """
        if not 0 < tokens.size <= self.capacity:
            raise ValueError(f"{tokens.size} tokens for a stream of 1 to {self.capacity}")
        self.drafter.start(stream, int(tokens[0]))
        for begin in range(0, tokens.size - 1, CHUNK):
            end = min(begin + CHUNK, tokens.size - 1)
            slots = np.arange(begin, end, dtype=np.int32)
            taps = self.target.new_taps(self.drafter.taps, end - begin)
            self.target.forward(tokens[begin:end], np.full(end - begin, stream, np.int32), slots, self.cache, taps=taps)
            self.drafter.extend(stream, tokens[begin + 1 : end + 1], taps.values)
        self.used[stream] = tokens.size - 1
        self.roots[stream] = tokens[-1]

    def round(self, streams: Sequence[int], choose: Chooser, size: TreeSize) -> list[list[int]]:
        """One pass of the target for these streams, ascending; returns the tokens that each goes on with."""
        begin = time.perf_counter()
        room = int(self.capacity - self.used[list(streams)].max()) - 1
        limited = size._replace(nodes=max(0, min(size.nodes, room)), depth=max(0, min(size.depth, room)))
        if self._pace:
            limited = self._pace.limited(limited, len(streams))
        roots = [int(self.roots[s]) for s in streams]
        if limited.least >= NEVER and len(streams) > 1:
            # Side by side, even guesses that cost nothing gain less than their handling takes.
            trees = [root_only(root) for root in roots]
        else:
            trees = self.drafter.propose(streams, roots, limited)
        if self._pace:
            trees = self._pace.trim(trees, getattr(self.drafter, "spent", 0.0))
        states, features = self._check(streams, trees)
        sums = self.target.head_sums(states)
        results, start = [], 0
        for stream, tree in zip(streams, trees, strict=True):
            rows = slice(start, start + tree.tokens.size)
            path, chosen = _walk(stream, tree, sums[rows], states.scales[rows], choose)
            sources = (self.used[stream] + np.array(path)).astype(np.int32)
            keep_slots(self.cache, stream, sources, int(self.used[stream]))
            self.used[stream] += len(path)
            self.roots[stream] = chosen[-1]
            self.drafter.extend(stream, np.array(chosen, np.int32), features[:, start + np.array(path)])
            results.append(chosen)
            start = rows.stop
        tokens = sum(map(len, results))
        if self._pace:
            self._pace.learn(tokens, time.perf_counter() - begin)
        self.rounds += len(trees)
        self.tokens += tokens
        return results

    def _check(self, streams: Sequence[int], trees: list[Tree]) -> tuple[States, NDArray[np.float32]]:
        """Feed all nodes of all trees."""
        sizes = [tree.tokens.size for tree in trees]
        count, widest = sum(sizes), max(sizes)
        visible = np.zeros((count, widest), np.bool_)
        of_row = np.repeat(np.asarray(streams, np.int32), sizes)
        base = self.used[of_row]
        start = 0
        for tree, size in zip(trees, sizes, strict=True):
            visible[start : start + size, :size] = ancestors(tree)
            start += size
        slots = base + np.concatenate([np.arange(size, dtype=np.int32) for size in sizes])
        positions = base + np.concatenate([depths(tree) for tree in trees])
        tokens = np.concatenate([tree.tokens for tree in trees])
        taps = self.target.new_taps(self.drafter.taps, count)
        states = self.target.forward(tokens, of_row, slots, self.cache, positions, (base, visible), taps)
        return states, taps.values


def new_speculation(target: Decoder, drafter: Drafter, slots: int, streams: int = 1) -> Speculation:
    """Streams of ``slots`` tokens, their trees trimmed to what pays on this machine."""
    costs = None if drafter.name == "none" else np.array(measured_costs(target))
    return Speculation(target, drafter, streams, slots, costs)


def _walk(
    stream: int, tree: Tree, sums: NDArray[np.int32], scales: NDArray[np.float32], choose: Chooser
) -> tuple[list[int], list[int]]:
    """Follow the tree while what is chosen was drafted; returns the nodes and the tokens chosen after each."""
    path, chosen, node = [0], [], 0
    while True:
        token, more = choose(stream, sums[node], scales[node])
        chosen.append(token)
        node = child_of(tree, node, token) if more else -1
        if node < 0:
            return path, chosen
        path.append(node)
