"""Elimination trees and weighted column counts of graphs made of edges and cliques, without any fill being stored."""

from __future__ import annotations

from typing import Any

import numpy as np

from foretell.compilation import compiled


@compiled
def elimination_tree(parts: Any, order: Any, position: Any) -> Any:
    """Parent of each position in the elimination tree, or -1 (Liu 1986); a clique acts like a path of its items."""
    indptr, indices, own, cliques, ends, _ = parts
    size = order.size
    parent, ancestor = np.full(size, -1, np.int64), np.full(size, -1, np.int64)
    last = np.full(ends.size - 1, -1, np.int64)
    for now in range(size):
        item = order[now]
        for k in range(indptr[item], indptr[item + 1]):
            if position[indices[k]] < now:
                _climb(parent, ancestor, position[indices[k]], now)
        for k in range(own[item], own[item + 1]):
            clique = cliques[k]
            if last[clique] >= 0:
                _climb(parent, ancestor, last[clique], now)
            last[clique] = now
    return parent


@compiled
def _climb(parent: Any, ancestor: Any, begin: int, now: int) -> None:
    """Make ``now`` the root of the tree that ``begin`` is in, shortening the way for later."""
    node = begin
    while node != -1 and node < now:
        above = ancestor[node]
        ancestor[node] = now
        if above == -1:
            parent[node] = now
        node = above


@compiled
def postorder(parent: Any) -> Any:
    """Positions so that children come before their parent and subtrees are contiguous."""
    size = parent.size
    head, following = np.full(size, -1, np.int64), np.full(size, -1, np.int64)
    for node in range(size - 1, -1, -1):
        if parent[node] >= 0:
            following[node] = head[parent[node]]
            head[parent[node]] = node
    result, stack = np.empty(size, np.int64), np.empty(size, np.int64)
    count = 0
    for root in range(size):
        if parent[root] >= 0:
            continue
        stack[0], top = root, 0
        while top >= 0:
            node = stack[top]
            child = head[node]
            if child >= 0:
                head[node] = following[child]
                top += 1
                stack[top] = child
            else:
                top -= 1
                result[count] = node
                count += 1
    return result


@compiled
def later_neighbors(parts: Any, order: Any, position: Any, parent: Any, coefficients: Any) -> Any:
    """Coefficients of the later neighbours of each position in the filled graph (Gilbert, Ng and Peyton 1994).

    Item i is a later neighbour of all positions of its row subtree. Its coefficient is added at the leaves of that
    subtree and taken off where two leaves' paths meet and above i, so that sums over subtrees of the elimination tree
    give the answer. Of a clique only the first item needs its edges: elimination hands them on.
    """
    indptr, indices, _, _, ends, members = parts
    size = order.size
    post = postorder(parent)
    first, ancestor = np.full(size, -1, np.int64), np.arange(size)
    rank = np.empty(size, np.int64)
    delta = np.zeros(size)
    for k in range(size):
        node = post[k]
        rank[node] = k
        if first[node] < 0:
            delta[node] = coefficients[order[node]]
        while node >= 0 and first[node] < 0:
            first[node] = k
            node = parent[node]
    heads, following = np.full(size, -1, np.int64), np.full(ends.size - 1, -1, np.int64)
    for clique in range(ends.size - 1):
        least = size
        for k in range(ends[clique], ends[clique + 1]):
            least = min(least, rank[position[members[k]]])
        following[clique] = heads[least]
        heads[least] = clique
    newest, previous = np.full(size, -1, np.int64), np.full(size, -1, np.int64)
    for k in range(size):
        node = post[k]
        item = order[node]
        if parent[node] >= 0:
            delta[parent[node]] -= coefficients[item]
        for at in range(indptr[item], indptr[item + 1]):
            other = indices[at]
            _leaf(node, position[other], coefficients[other], first, newest, previous, ancestor, delta)
        clique = heads[k]
        while clique >= 0:
            for at in range(ends[clique], ends[clique + 1]):
                other = members[at]
                _leaf(node, position[other], coefficients[other], first, newest, previous, ancestor, delta)
            clique = following[clique]
        if parent[node] >= 0:
            ancestor[node] = parent[node]
    for node in range(size):
        if parent[node] >= 0:
            delta[parent[node]] += delta[node]
    for node in range(size):
        delta[node] = max(delta[node] - coefficients[order[node]], 0.0)
    return delta


@compiled
def _leaf(
    node: int, row: int, amount: float, first: Any, newest: Any, previous: Any, ancestor: Any, delta: Any
) -> None:
    """Count ``row`` at ``node`` if that is a leaf of its row subtree."""
    if row <= node or first[node] <= newest[row]:
        return
    newest[row] = first[node]
    before = previous[row]
    previous[row] = node
    delta[node] += amount
    if before < 0:
        return
    meeting = before
    while ancestor[meeting] != meeting:
        meeting = ancestor[meeting]
    while ancestor[before] != meeting and before != meeting:
        above = ancestor[before]
        ancestor[before] = meeting
        before = above
    delta[meeting] -= amount


@compiled
def cut_off(own: Any, later: Any, component: Any, count: int) -> Any:
    """Single positions up to the best place in each component's order, and the rest as one block; terms and heads.

    Where elimination joins everything that is left, as in random graphs, this is less than what merging finds: the last
    block of r items costs r^2 and takes over no later neighbours.
    """
    size = own.size
    rest, spent, last = np.zeros(count), np.zeros(count), np.zeros(count, np.int64)
    for node in range(size):
        rest[component[node]] += own[node]
        last[component[node]] = node
    least, place = rest**2, np.full(count, -1, np.int64)
    for node in range(size):
        label = component[node]
        spent[label] += (own[node] + later[node]) ** 2
        rest[label] -= own[node]
        if spent[label] + rest[label] ** 2 < least[label]:
            least[label], place[label] = spent[label] + rest[label] ** 2, node
    terms, head, block = np.zeros(size), np.arange(size), np.zeros(count)
    for node in range(size):
        label = component[node]
        if node <= place[label]:
            terms[node] = (own[node] + later[node]) ** 2
        else:
            head[node] = last[label]
            block[label] += own[node]
    for label in range(count):
        if place[label] < last[label]:
            terms[last[label]] = block[label] ** 2
    return terms, head


@compiled
def amalgamate(parent: Any, own: Any, later: Any, largest: float) -> Any:
    """Merge blocks into their parents while that lowers the sum of (own + later)^2; return its terms and block heads.

    ``own`` and ``later`` are c(B) and c(N) of single positions. A block that is merged into its parent takes over the
    parent's later neighbours, so each merge costs a few operations. Merged blocks may grow to ``largest`` times c(N).
    """
    size = parent.size
    block = own.copy()
    head = np.arange(size)
    terms = np.zeros(size)
    for node in range(size):
        above = parent[node]
        if above >= 0:
            merged = block[node] + block[above]
            apart = (block[node] + later[node]) ** 2 + (block[above] + later[above]) ** 2
            together = (merged + later[above]) ** 2
            small = merged <= largest * later[above] or later[node] == block[above] + later[above]
            if small and together < apart:
                block[above] = merged
                head[node] = above
                continue
        terms[node] = (block[node] + later[node]) ** 2
    for node in range(size - 1, -1, -1):
        head[node] = head[head[node]]
    return terms, head
