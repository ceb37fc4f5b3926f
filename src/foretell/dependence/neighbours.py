"""Walking a dependency graph: edges as CSR, cliques as lists of their members."""

from __future__ import annotations

from itertools import product
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled

Indices = NDArray[np.int64]
Parts: TypeAlias = tuple[Indices, Indices, Indices, Indices, Indices, Indices]
"""indptr and indices of edges; indptr and cliques of items; indptr and items of cliques."""


@compiled
def symmetric_csr(n_items: int, pairs: Any) -> Any:
    """CSR of both directions of pairs, sorted, repetitions merged and loops dropped: two passes of counting sort."""
    starts = np.zeros(n_items + 1, np.int64)
    for k in range(len(pairs)):
        if pairs[k, 0] != pairs[k, 1]:
            starts[pairs[k, 0] + 1] += 1
            starts[pairs[k, 1] + 1] += 1
    for item in range(n_items):
        starts[item + 1] += starts[item]
    place = starts[:-1].copy()
    unsorted = np.empty(starts[n_items], np.int32)
    for k in range(len(pairs)):
        left, right = pairs[k, 0], pairs[k, 1]
        if left != right:
            unsorted[place[left]] = right
            place[left] += 1
            unsorted[place[right]] = left
            place[right] += 1
    # Handing items on in the order of their number leaves every list sorted.
    place[:] = starts[:-1]
    indices = np.empty(starts[n_items], np.int32)
    for item in range(n_items):
        for k in range(starts[item], starts[item + 1]):
            other = unsorted[k]
            indices[place[other]] = item
            place[other] += 1
    return _without_repetitions(starts, indices)


@compiled
def _without_repetitions(starts: Any, indices: Any) -> Any:
    indptr = np.zeros(starts.size, np.int64)
    kept = 0
    for item in range(starts.size - 1):
        for k in range(starts[item], starts[item + 1]):
            if k == starts[item] or indices[k] != indices[k - 1]:
                indices[kept] = indices[k]
                kept += 1
        indptr[item + 1] = kept
    return indptr, indices[:kept].copy()


@compiled
def find(parent: Any, item: int) -> Any:
    """Root of an item in a union-find forest, halving the path on the way."""
    while parent[item] != item:
        parent[item] = parent[parent[item]]
        item = parent[item]
    return item


@compiled
def _searched(n_items: int, indptr: Any, indices: Any) -> Any:
    """For each item one item, itself or an earlier one, of its component by edges alone; the first of each is alone."""
    reached, queue = np.full(n_items, -1, np.int64), np.empty(n_items, np.int64)
    for root in range(n_items):
        if reached[root] >= 0:
            continue
        reached[root] = root
        queue[0], at, filled = root, 0, 1
        while at < filled:
            item = queue[at]
            at += 1
            for k in range(indptr[item], indptr[item + 1]):
                other = indices[k]
                if reached[other] < 0:
                    reached[other] = root
                    queue[filled] = other
                    filled += 1
    return reached


@compiled
def component_labels(n_items: int, indptr: Any, indices: Any, ends: Any, members: Any) -> Any:
    """Number of each item's component, in order of first appearance; a clique connects its items like a path."""
    parent = _searched(n_items, indptr, indices)
    for clique in range(ends.size - 1):
        for k in range(ends[clique] + 1, ends[clique + 1]):
            parent[find(parent, members[k - 1])] = find(parent, members[k])
    labels = np.full(n_items, -1, np.int64)
    count = 0
    for item in range(n_items):
        root = find(parent, item)
        if labels[root] < 0:
            labels[root] = count
            count += 1
    result = np.empty(n_items, np.int64)
    for item in range(n_items):
        result[item] = labels[find(parent, item)]
    return result


def transpose(n_items: int, indptr: Indices, items: Indices) -> tuple[Indices, Indices]:
    """From the items of cliques to the cliques of items."""
    order = np.argsort(items, kind="stable")
    owner = np.repeat(np.arange(indptr.size - 1), np.diff(indptr))
    counts = np.bincount(items, minlength=n_items)
    return np.r_[0, np.cumsum(counts)].astype(np.int64), owner[order].astype(np.int64)


def lattice_pairs(shape: tuple[int, ...], diagonal: bool, periodic: bool) -> Indices:
    """Neighbouring cells of a lattice."""
    cells = np.arange(int(np.prod(shape))).reshape(shape)
    found: list[Any] = []
    for step in product((-1, 0, 1), repeat=len(shape)):
        length = sum(map(abs, step))
        if step <= (0,) * len(shape) or (length > 1 and not diagonal):
            continue
        moved = np.roll(cells, [-s for s in step], axis=tuple(range(len(shape))))
        valid = np.ones(shape, dtype=bool)
        for axis, move in enumerate(step):
            if move and not periodic:
                edge = [slice(None)] * len(shape)
                edge[axis] = slice(-1, None) if move > 0 else slice(0, 1)
                valid[tuple(edge)] = False
        found.append(np.column_stack([cells[valid], moved[valid]]))
    return np.concatenate(found) if found else np.zeros((0, 2), dtype=np.int64)


@compiled
def window_ends(times: Any, codes: Any, reach: float) -> Any:
    """Last position, in sorted order, that is within reach of each position and in the same group."""
    size = times.size
    last = np.empty(size, np.int64)
    end = 0
    for begin in range(size):
        end = max(end, begin)
        while end + 1 < size and codes[end + 1] == codes[begin] and times[end + 1] - times[begin] <= reach:
            end += 1
        last[begin] = end
    return last


@compiled
def window_pairs(order: Any, last: Any) -> Any:
    """All pairs of items order[i], order[j] with i < j <= last[i]."""
    total = 0
    for begin in range(last.size):
        total += last[begin] - begin
    pairs = np.empty((total, 2), np.int64)
    at = 0
    for begin in range(last.size):
        for end in range(begin + 1, last[begin] + 1):
            pairs[at, 0] = order[begin]
            pairs[at, 1] = order[end]
            at += 1
    return pairs


@compiled
def closed_neighborhood(parts: Any, item: int) -> Any:
    """An item and its neighbours, sorted."""
    indptr, indices, own, cliques, ends, members = parts
    found = [np.int64(item)]
    for k in range(indptr[item], indptr[item + 1]):
        found.append(np.int64(indices[k]))
    for c in range(own[item], own[item + 1]):
        for k in range(ends[cliques[c]], ends[cliques[c] + 1]):
            found.append(members[k])
    return np.unique(np.array(found))


@compiled
def renumbered(indptr: Any, indices: Any, order: Any, position: Any) -> Any:
    """CSR of the same edges with item order[k] as item k; the neighbours of an item come in no particular order."""
    starts = np.zeros(indptr.size, np.int64)
    for k in range(order.size):
        starts[k + 1] = starts[k] + indptr[order[k] + 1] - indptr[order[k]]
    found = np.empty(indices.size, np.int32)
    for k in range(order.size):
        at = starts[k]
        for j in range(indptr[order[k]], indptr[order[k] + 1]):
            found[at] = position[indices[j]]
            at += 1
    return starts, found


@compiled
def degrees(parts: Any) -> Any:
    """Neighbours of each item, counted once each."""
    indptr, indices, own, cliques, ends, members = parts
    size = indptr.size - 1
    seen = np.full(size, -1, np.int64)
    count = np.zeros(size, np.int64)
    for item in range(size):
        seen[item] = item
        for k in range(indptr[item], indptr[item + 1]):
            if seen[indices[k]] != item:
                seen[indices[k]] = item
                count[item] += 1
        for c in range(own[item], own[item + 1]):
            for k in range(ends[cliques[c]], ends[cliques[c] + 1]):
                if seen[members[k]] != item:
                    seen[members[k]] = item
                    count[item] += 1
    return count


@compiled
def neighborhood_sums(parts: Any, values: Any, exact: bool) -> Any:
    """Sum of values over closed neighbourhoods; if not exact, once for each clique that two items share."""
    indptr, indices, own, cliques, ends, members = parts
    size = indptr.size - 1
    of_clique = np.zeros(ends.size - 1)
    for clique in range(ends.size - 1):
        for k in range(ends[clique], ends[clique + 1]):
            of_clique[clique] += values[members[k]]
    seen = np.full(size, -1, np.int64)
    total = values.copy()
    for item in range(size):
        seen[item] = item
        for k in range(indptr[item], indptr[item + 1]):
            seen[indices[k]] = item
            total[item] += values[indices[k]]
        for c in range(own[item], own[item + 1]):
            if not exact or (own[item + 1] == own[item] + 1 and indptr[item] == indptr[item + 1]):
                total[item] += of_clique[cliques[c]] - values[item]
                continue
            for k in range(ends[cliques[c]], ends[cliques[c] + 1]):
                if seen[members[k]] != item:
                    seen[members[k]] = item
                    total[item] += values[members[k]]
    return total


@compiled
def spelled_out(parts: Any) -> Any:
    """CSR of all edges, those within cliques included, sorted."""
    indptr, indices, own, cliques, ends, members = parts
    size = indptr.size - 1
    count = degrees(parts)
    starts = np.zeros(size + 1, np.int64)
    for item in range(size):
        starts[item + 1] = starts[item] + count[item]
    found = np.empty(starts[size], np.int64)
    seen = np.full(size, -1, np.int64)
    for item in range(size):
        seen[item] = item
        at = starts[item]
        for k in range(indptr[item], indptr[item + 1]):
            if seen[indices[k]] != item:
                seen[indices[k]] = item
                found[at] = indices[k]
                at += 1
        for c in range(own[item], own[item + 1]):
            for k in range(ends[cliques[c]], ends[cliques[c] + 1]):
                if seen[members[k]] != item:
                    seen[members[k]] = item
                    found[at] = members[k]
                    at += 1
        found[starts[item] : at].sort()
    return starts, found
