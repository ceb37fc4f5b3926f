"""Approximate minimum degree orders (Amestoy, Davis and Duff 1996) of graphs made of edges and cliques.

Cliques are what that algorithm calls elements, so a graph that comes with cliques starts as if something had been
eliminated already, and nothing is ever spelled out. The order only decides how good a bound is, never whether it holds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from foretell.compilation import compiled

STOP_SHARE, STOP_ITEMS = 4, 200
"""Once the least degree times STOP_SHARE reaches the number of items left, if many, these form one last block."""


@compiled
def minimum_degree_order(parts: Any, work_limit: int) -> Any:
    """Order of all items, and whether the work limit was kept; if not, what is left comes last, by its degree.

    A node is an item or an element. Its list in ``store`` begins at ``start``; items list elements first,
    ``elements`` of them, then items, ``length`` in all. ``weight`` counts the items that a node stands for, 0 once it
    is absorbed.
    """
    indptr, indices, own, cliques, ends, members = parts
    size, given = indptr.size - 1, ends.size - 1
    nodes = size + given
    room = indices.size + 2 * members.size + size
    store = np.empty(room + room // 4 + 4 * size + 64, np.int32)
    start, length = np.zeros(nodes, np.int64), np.zeros(nodes, np.int64)
    elements = np.zeros(nodes, np.int32)
    weight = np.ones(nodes, np.int32)
    degree = np.zeros(nodes, np.int64)
    mark = np.ones(nodes, np.int64)
    free = 0
    for item in range(size):
        start[item] = free
        for k in range(own[item], own[item + 1]):
            store[free] = size + cliques[k]
            free += 1
            degree[item] += ends[cliques[k] + 1] - ends[cliques[k]] - 1
        elements[item] = free - start[item]
        for k in range(indptr[item], indptr[item + 1]):
            store[free] = indices[k]
            free += 1
        length[item] = free - start[item]
        degree[item] = min(degree[item] + indptr[item + 1] - indptr[item], size - 1)
    for clique in range(given):
        node = size + clique
        start[node], length[node] = free, ends[clique + 1] - ends[clique]
        degree[node] = length[node]
        for k in range(ends[clique], ends[clique + 1]):
            store[free] = members[k]
            free += 1
    # Items of one degree form a doubly linked list; those that a node absorbed hang on it.
    heads, after, before = np.full(size + 1, -1, np.int64), np.full(size, -1, np.int64), np.full(size, -1, np.int64)
    for item in range(size - 1, -1, -1):
        _queue(heads, after, before, item, degree[item])
    absorbed_head, absorbed_tail = np.full(size, -1, np.int64), np.arange(size)
    buckets, in_bucket = np.full(size, -1, np.int64), np.full(size, -1, np.int64)
    element = np.zeros(nodes, np.bool_)
    element[size:] = True
    order = np.empty(size, np.int64)
    done, filled, least, flag, work = 0, 0, 0, 2, 0
    while done < size:
        while heads[least] < 0:
            least += 1
        if (size - done > STOP_ITEMS and least * STOP_SHARE >= size - done) or work > work_limit:
            break
        pivot = heads[least]
        _unqueue(heads, after, before, pivot, least)
        if free + least + elements[pivot] + 64 > store.size:
            store, free = _compacted(store, start, length, weight, mark, element, nodes, least + size)
        # The pivot becomes an element; its items are the union of its list and of the elements it absorbs.
        pivot_weight = weight[pivot]
        done += pivot_weight
        weight[pivot] = -pivot_weight
        begin, pivot_degree = free, 0
        for k in range(start[pivot], start[pivot] + length[pivot]):
            node = store[k]
            if k < start[pivot] + elements[pivot]:
                if mark[node] == 0:
                    continue
                for j in range(start[node], start[node] + length[node]):
                    item = store[j]
                    if weight[item] > 0:
                        pivot_degree += weight[item]
                        weight[item] = -weight[item]
                        store[free] = item
                        free += 1
                        _unqueue(heads, after, before, item, degree[item])
                work += length[node]
                mark[node] = 0
            elif weight[node] > 0:
                pivot_degree += weight[node]
                weight[node] = -weight[node]
                store[free] = node
                free += 1
                _unqueue(heads, after, before, node, degree[node])
        element[pivot] = True
        start[pivot], length[pivot], elements[pivot] = begin, free - begin, 0
        # How much of each other element lies outside the new one.
        for k in range(begin, free):
            item = store[k]
            inside = -weight[item]
            for j in range(start[item], start[item] + elements[item]):
                node = store[j]
                if mark[node] >= flag:
                    mark[node] -= inside
                elif mark[node] != 0:
                    mark[node] = degree[node] + flag - inside
            work += length[item] + 1
        # New degrees; elements that lie inside the new one are absorbed.
        for k in range(begin, free):
            item = store[k]
            put, outside, key = start[item], np.int64(0), np.int64(0)
            first, middle = start[item], start[item] + elements[item]
            last = start[item] + length[item]
            kept_items = np.int64(0)
            for j in range(first, middle):
                node = store[j]
                if mark[node] == 0:
                    continue
                if mark[node] - flag > 0:
                    outside += mark[node] - flag
                    store[put] = node
                    put += 1
                    key += node
                else:
                    mark[node] = 0
            kept_elements = put - first
            for j in range(middle, last):
                node = store[j]
                if weight[node] > 0 and not element[node]:
                    outside += weight[node]
                    store[put] = node
                    put += 1
                    key += node
                    kept_items += 1
            if outside == 0 and kept_elements == 0:
                # Nothing but the pivot: eliminated together with it.
                done -= weight[item]
                pivot_weight -= weight[item]
                pivot_degree += weight[item]
                weight[item] = 0
                _absorb(absorbed_head, absorbed_tail, pivot, item)
                continue
            # The new element takes the first place; whatever stood there moves behind the others of its kind.
            if kept_items:
                store[put] = store[first + kept_elements]
                store[first + kept_elements] = store[first]
            else:
                store[put] = store[first]
            store[first] = pivot
            elements[item] = kept_elements + 1
            length[item] = kept_elements + kept_items + 1
            degree[item] = min(degree[item], outside)
            key = key % size
            in_bucket[item] = buckets[key]
            buckets[key] = item
            after[item] = key  # kept here until the item is queued again
        mark[pivot] = 1
        degree[pivot] = pivot_degree
        flag += size + 1
        # Items with the same neighbours are one from now on.
        for k in range(begin, free):
            item = store[k]
            if weight[item] >= 0 or buckets[after[item]] < 0:
                continue
            one = buckets[after[item]]
            buckets[after[item]] = -1
            while one >= 0 and in_bucket[one] >= 0:
                for j in range(start[one] + 1, start[one] + length[one]):
                    mark[store[j]] = flag  # elements stay alive: any mark but 0 will do
                previous, other = one, in_bucket[one]
                while other >= 0:
                    same = length[one] == length[other] and elements[one] == elements[other]
                    if same:
                        for j in range(start[other] + 1, start[other] + length[other]):
                            if mark[store[j]] != flag:
                                same = False
                                break
                    work += 2
                    if same:
                        weight[one] += weight[other]
                        weight[other] = 0
                        _absorb(absorbed_head, absorbed_tail, one, other)
                        in_bucket[previous] = in_bucket[other]
                    else:
                        previous = other
                    other = in_bucket[other]
                flag += 1
                one = in_bucket[one]
        # Items of the new element get their degrees and are queued again.
        put = begin
        for k in range(begin, free):
            item = store[k]
            if weight[item] >= 0:
                continue
            weight[item] = -weight[item]
            degree[item] = max(min(degree[item] + pivot_degree - weight[item], size - done - weight[item]), 0)
            _queue(heads, after, before, item, degree[item])
            least = min(least, degree[item])
            in_bucket[item] = -1
            store[put] = item
            put += 1
        weight[pivot] = 0
        length[pivot], free = put - begin, put
        if length[pivot] == 0:
            mark[pivot] = 0
        order[filled] = pivot
        filled = _members(absorbed_head, absorbed_tail, pivot, order, filled)
    for level in range(size + 1):
        item = heads[level]
        while item >= 0:
            order[filled] = item
            filled = _members(absorbed_head, absorbed_tail, item, order, filled)
            item = after[item]
    return order, work <= work_limit


@compiled
def _queue(heads: Any, after: Any, before: Any, item: int, degree: int) -> None:
    after[item] = heads[degree]
    before[item] = -1
    if heads[degree] >= 0:
        before[heads[degree]] = item
    heads[degree] = item


@compiled
def _unqueue(heads: Any, after: Any, before: Any, item: int, degree: int) -> None:
    if before[item] >= 0:
        after[before[item]] = after[item]
    else:
        heads[degree] = after[item]
    if after[item] >= 0:
        before[after[item]] = before[item]


@compiled
def _absorb(head: Any, tail: Any, keeper: int, item: int) -> None:
    """Append an item, and all that hangs on it, to those that hang on another."""
    head[tail[keeper]] = item
    tail[keeper] = tail[item]


@compiled
def _members(head: Any, tail: Any, keeper: int, order: Any, filled: int) -> int:
    """Write what hangs on an item behind it."""
    filled += 1
    item = head[keeper]
    while item >= 0:
        order[filled] = item
        filled += 1
        item = head[item]
    return filled


@compiled
def _compacted(
    store: Any, start: Any, length: Any, weight: Any, mark: Any, element: Any, nodes: int, extra: int
) -> Any:
    """Lists of all nodes that are still in use, without gaps, in a store with room for more."""
    total = 0
    for node in range(nodes):
        if (element[node] and mark[node] != 0) or (not element[node] and weight[node] != 0):
            total += length[node]
    fresh = np.empty(max(total + total // 4 + extra + 64, 1), np.int32)
    free = 0
    for node in range(nodes):
        if (element[node] and mark[node] != 0) or (not element[node] and weight[node] != 0):
            for k in range(length[node]):
                fresh[free + k] = store[start[node] + k]
            start[node] = free
            free += length[node]
    return fresh, free
