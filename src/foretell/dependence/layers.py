"""Breadth-first layers of a graph and the tree-partitions that they give."""

from __future__ import annotations

from typing import Any

import numpy as np

from foretell.compilation import compiled
from foretell.dependence.neighbours import find


@compiled
def breadth_first(parts: Any, roots: Any) -> Any:
    """Order in which a search from each root reaches items, their distances, and the items they were reached from."""
    indptr, indices, own, cliques, ends, members = parts
    size = indptr.size - 1
    order, level, source = np.empty(size, np.int64), np.full(size, -1, np.int64), np.full(size, -1, np.int64)
    opened = np.zeros(ends.size - 1, np.bool_)
    filled = 0
    for root in roots:
        if level[root] >= 0:
            continue
        level[root] = 0
        order[filled] = root
        at = filled
        filled += 1
        while at < filled:
            item = order[at]
            at += 1
            for k in range(indptr[item], indptr[item + 1]):
                other = indices[k]
                if level[other] < 0:
                    level[other], source[other] = level[item] + 1, item
                    order[filled] = other
                    filled += 1
            for c in range(own[item], own[item + 1]):
                if opened[cliques[c]]:
                    continue
                opened[cliques[c]] = True
                for k in range(ends[cliques[c]], ends[cliques[c] + 1]):
                    other = members[k]
                    if level[other] < 0:
                        level[other], source[other] = level[item] + 1, item
                        order[filled] = other
                        filled += 1
    return order, level, source


@compiled
def layer_bags(parts: Any, order: Any, level: Any) -> Any:
    """Bags of the tree-partition: items of one level that are connected without going through earlier levels.

    Levels are handled from the deepest one on; union-find keeps the components of what was handled. The name of a bag
    is one of its items.
    """
    indptr, indices, own, cliques, ends, _ = parts
    size = indptr.size - 1
    parent, rank = np.arange(size), np.zeros(size, np.int8)
    touched = np.full(ends.size - 1, -1, np.int64)
    bag, named, stamp = np.empty(size, np.int64), np.empty(size, np.int64), np.full(size, -1, np.int64)
    last = size
    while last > 0:
        begin = last - 1
        now = level[order[begin]]
        while begin > 0 and level[order[begin - 1]] == now and now > 0:
            begin -= 1
        for at in range(begin, last):
            item = order[at]
            for k in range(indptr[item], indptr[item + 1]):
                other = indices[k]
                if level[other] > now or (level[other] == now and other < item):
                    _join(parent, rank, item, other)
            for k in range(own[item], own[item + 1]):
                if touched[cliques[k]] >= 0:
                    _join(parent, rank, item, touched[cliques[k]])
                touched[cliques[k]] = item
        for at in range(begin, last):
            root = find(parent, order[at])
            if stamp[root] != begin:
                stamp[root] = begin
                named[root] = order[at]
            bag[order[at]] = named[root]
        last = begin
    return bag


@compiled
def _join(parent: Any, rank: Any, one: int, other: int) -> None:
    one, other = find(parent, one), find(parent, other)
    if one == other:
        return
    if rank[one] < rank[other]:
        one, other = other, one
    parent[other] = one
    if rank[one] == rank[other]:
        rank[one] += 1


@compiled
def polish_forest(bag_parent: Any, bag_size: Any, order: Any) -> Any:
    """Merge bags of a rooted forest where that lowers its complexity; return the bag that each one ends up in.

    Bags come in ``order`` from the leaves to the roots. A bag is merged into its parent, or a leaf into the last leaf
    below the same parent, if the sum of (s_u + s_v)^2 over forest edges falls; sums over children make that a matter of
    a few operations.
    """
    count = bag_parent.size
    merged = np.arange(count)
    size, parent = bag_size.copy(), bag_parent.copy()
    children, below = np.zeros(count), np.zeros(count)
    for bag in range(count):
        if parent[bag] >= 0:
            children[parent[bag]] += 1
            below[parent[bag]] += size[bag]
    leaf = np.full(count, -1, np.int64)
    for bag in order:
        above = parent[bag]
        if above < 0:
            continue
        other = leaf[above]
        if children[bag] == 0 and other >= 0 and 2 * size[bag] * size[other] < size[above] ** 2:
            merged[bag] = other
            size[other] += size[bag]
            children[above] -= 1
            continue
        change = children[bag] * size[above] ** 2 + 2 * size[above] * (below[bag] + children[bag] * size[bag])
        rest = below[above] - size[bag]
        change += (children[above] - 1) * (size[bag] ** 2 + 2 * size[bag] * size[above]) + 2 * size[bag] * rest
        if parent[above] >= 0:
            change += size[bag] ** 2 + 2 * size[bag] * (size[parent[above]] + size[above])
        if change < (size[bag] + size[above]) ** 2:
            merged[bag] = above
            children[above] += children[bag] - 1
            below[above] += below[bag] - size[bag]
            if parent[above] >= 0:
                below[parent[above]] += size[bag]
            size[above] += size[bag]
        elif children[bag] == 0:
            leaf[above] = bag
    for bag in order[::-1]:
        if merged[bag] != bag:
            merged[bag] = merged[merged[bag]]
    return merged
