"""Trees of drafted tokens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Tree(NamedTuple):
    """Tokens that may follow; node 0 is the last known token, and parents come before their children.

    >>> tree = chains(7, [([1, 2, 3], [0.9, 0.8, 0.7]), ([1, 5], [0.5, 0.4])], 4)
    >>> tree.tokens.tolist(), tree.parents.tolist()
    ([7, 1, 2, 3, 5], [-1, 0, 1, 2, 1])
    >>> depths(tree).tolist()
    [0, 1, 2, 3, 2]
    >>> best_nodes(tree, 2).tokens.tolist()
    [7, 1, 2]
    """

    tokens: NDArray[np.int32]  # (N,)
    parents: NDArray[np.int32]  # (N,); -1 for the root
    chances: NDArray[np.float64]  # (N,): how probably the path down to the node comes true; the root's is 1


def root_only(token: int) -> Tree:
    """The tree without drafts."""
    return Tree(np.array([token], np.int32), np.array([-1], np.int32), np.ones(1))


def chains(root: int, paths: Iterable[tuple[Sequence[int], Sequence[float]]], most: int) -> Tree:
    """Tree of sequences with the chances of their tokens; they may share beginnings. First ones go first.

    At most ``most`` tokens are drafted.
    """
    tokens, parents, chances = [root], [-1], [1.0]
    children: dict[tuple[int, int], int] = {}
    for path, path_chances in paths:
        node = 0
        for token, chance in zip(path, path_chances, strict=True):
            child = children.get((node, token))
            if child is None:
                if len(tokens) > most:
                    break
                child = children[(node, token)] = len(tokens)
                tokens.append(token)
                parents.append(node)
                chances.append(chance)
            node = child
    return Tree(np.array(tokens, np.int32), np.array(parents, np.int32), np.array(chances))


def best_nodes(tree: Tree, count: int) -> Tree:
    """The root and the ``count`` drafted tokens with the best chances; no node's chance is above its parent's."""
    if tree.tokens.size <= count + 1:
        return tree
    kept = np.sort(np.r_[0, 1 + np.argsort(-tree.chances[1:], kind="stable")[:count]])
    places = np.full(tree.tokens.size, -1, np.int32)
    places[kept] = np.arange(kept.size)
    parents = np.where(tree.parents[kept] < 0, -1, places[tree.parents[kept]]).astype(np.int32)
    return Tree(tree.tokens[kept], parents, tree.chances[kept])


def depths(tree: Tree) -> NDArray[np.int32]:
    """Number of tokens between each node and the root."""
    found = np.zeros(tree.parents.size, np.int32)
    for node in range(1, found.size):
        found[node] = found[tree.parents[node]] + 1
    return found


def ancestors(tree: Tree) -> NDArray[np.bool_]:
    """Matrix (N, N): whether node j is node i or above it."""
    size = tree.parents.size
    seen = np.eye(size, dtype=np.bool_)
    for node in range(1, size):
        seen[node] |= seen[tree.parents[node]]
    return seen


def child_of(tree: Tree, node: int, token: int) -> int:
    """The child of a node that is this token, or -1."""
    found = np.flatnonzero((tree.parents == node) & (tree.tokens == token))
    return int(found[0]) if found.size else -1
