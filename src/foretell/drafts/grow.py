"""Growing a tree where it is most probable (EAGLE-2's dynamic trees, arXiv 2406.16858)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from foretell.drafts.base import TreeSize
from foretell.drafts.tree import Tree, best_nodes, root_only

Expand = Callable[[int, NDArray[np.int32]], tuple[NDArray[np.int32], NDArray[np.float64]]]
"""Given a depth and the nodes of that depth to expand (indices into all tokens so far, tokens given by
:class:`Growing`), returns their most probable children: tokens and probabilities, each (nodes, width)."""


class Growing:
    """A tree while it grows: every token that was considered, in order of depth."""

    def __init__(self, root: int) -> None:
        self.tokens = [root]
        self.parents = [-1]
        self.chances = [1.0]

    def add(self, parent: int, tokens: NDArray[np.int32], rates: NDArray[np.float64]) -> list[int]:
        """Add children of a node; returns their indices."""
        first = len(self.tokens)
        self.tokens += tokens.tolist()
        self.parents += [parent] * tokens.size
        self.chances += (self.chances[parent] * rates).tolist()
        return list(range(first, len(self.tokens)))

    def tree(self) -> Tree:
        """All of it."""
        if len(self.tokens) == 1:
            return root_only(self.tokens[0])
        return Tree(np.array(self.tokens, np.int32), np.array(self.parents, np.int32), np.array(self.chances))


def branch_mask(nodes: NDArray[np.int32], expanded: list[int], growing: Growing) -> NDArray[np.bool_]:
    """Which of the nodes that were expanded (the root apart) each of these is below, or is: (nodes, expanded)."""
    visible = np.zeros((nodes.size, len(expanded)), np.bool_)
    for row, start in enumerate(nodes.tolist()):
        node = start
        while node > 0:
            visible[row, expanded.index(node)] = True
            node = growing.parents[node]
    return visible


def grow(growing: Growing, size: TreeSize, expand: Expand) -> Tree:
    """Expand the most probable nodes of each depth, and keep the best of all.

    Parameters
    ----------
    growing : Growing
        A tree with its root alone.
    size : TreeSize
        At most ``width`` nodes are expanded at a depth, until none has the chance ``least``; ``nodes`` are kept.
    expand : callable
        Asks the drafter for children; called for depths 0, 1, ... once each.
    """
    frontier = [0]
    for depth in range(size.depth if size.nodes else 0):
        tokens, rates = expand(depth, np.array(frontier, np.int32))
        children = [
            child
            for node, own, rate in zip(frontier, tokens, rates, strict=True)
            for child in growing.add(node, own, rate)
        ]
        order = np.argsort([-growing.chances[child] for child in children], kind="stable")
        frontier = [children[i] for i in order[: size.width]]
        if growing.chances[frontier[0]] < size.least:
            break
    return best_nodes(growing.tree(), size.nodes)
