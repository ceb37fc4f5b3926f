"""Independent sets and colourings of a graph, found greedily."""

from __future__ import annotations

from typing import Any

import numpy as np

from foretell.compilation import compiled


@compiled
def smallest_last_order(indptr: Any, indices: Any) -> Any:
    """Order that removes an item of least remaining degree again and again, reversed (Matula and Beck 1983)."""
    size = indptr.size - 1
    degree = np.diff(indptr)
    largest = degree.max() if size else 0
    starts = np.zeros(largest + 2, np.int64)
    for item in range(size):
        starts[degree[item] + 1] += 1
    starts = np.cumsum(starts)
    place, queue = np.empty(size, np.int64), np.empty(size, np.int64)
    fill = starts.copy()
    for item in range(size):
        place[item] = fill[degree[item]]
        queue[place[item]] = item
        fill[degree[item]] += 1
    for at in range(size):
        item = queue[at]
        for k in range(indptr[item], indptr[item + 1]):
            other = indices[k]
            if degree[other] > degree[item]:
                first = max(starts[degree[other]], at + 1)
                moved = queue[first]
                queue[place[other]], queue[first] = moved, other
                place[moved], place[other] = place[other], first
                starts[degree[other]] = first + 1
                degree[other] -= 1
    return queue[::-1].copy()


@compiled
def greedy_coloring(indptr: Any, indices: Any, order: Any) -> Any:
    """Give each item, in order, the first colour that none of its neighbours has."""
    size = indptr.size - 1
    colors = np.full(size, -1, np.int64)
    taken = np.full(size + 1, -1, np.int64)
    for item in order:
        for k in range(indptr[item], indptr[item + 1]):
            if colors[indices[k]] >= 0:
                taken[colors[indices[k]]] = item
        color = 0
        while taken[color] == item:
            color += 1
        colors[item] = color
    return colors


@compiled
def peeled_coloring(indptr: Any, indices: Any, noise: Any) -> Any:
    """Colour with one large independent set after the other, each found by least remaining degree.

    The first colours become large and the last ones small, which is what bounds on sums want.
    """
    size = indptr.size - 1
    colors = np.full(size, -1, np.int64)
    left, color = size, 0
    while left:
        degree = np.zeros(size, np.int64)
        for item in range(size):
            if colors[item] < 0:
                for k in range(indptr[item], indptr[item + 1]):
                    degree[item] += colors[indices[k]] < 0
        chosen = _independent_set(indptr, indices, colors, degree, noise)
        for item in range(size):
            if chosen[item]:
                colors[item] = color
                left -= 1
        color += 1
    return colors


@compiled
def _independent_set(indptr: Any, indices: Any, colors: Any, degree: Any, noise: Any) -> Any:
    """Take the item of least degree, drop its neighbours, update degrees; a bucket queue with lazy deletion."""
    size = indptr.size - 1
    largest = np.int64(degree.max())
    heads, following = np.full(largest + 1, -1, np.int64), np.full(size, -1, np.int64)
    state = np.zeros(size, np.int8)  # 0 free, 1 chosen, 2 dropped
    for item in noise:
        if colors[item] < 0:
            following[item] = heads[degree[item]]
            heads[degree[item]] = item
        else:
            state[item] = 2
    where = degree.copy()
    level = 0
    while level <= largest:
        item = heads[level]
        if item < 0:
            level += 1
            continue
        heads[level] = following[item]
        if state[item] != 0:
            continue
        if degree[item] < where[item]:  # its degree fell since it was queued
            where[item] = degree[item]
            following[item] = heads[degree[item]]
            heads[degree[item]] = item
            level = min(level, degree[item])
            continue
        state[item] = 1
        for k in range(indptr[item], indptr[item + 1]):
            other = indices[k]
            if state[other] != 0:
                continue
            state[other] = 2
            for j in range(indptr[other], indptr[other + 1]):
                third = indices[j]
                if state[third] == 0:
                    degree[third] -= 1
                    if where[third] > degree[third] and degree[third] < level:
                        level = degree[third]
    return state == 1


@compiled
def heavy_independent_set(indptr: Any, indices: Any, weights: Any) -> Any:
    """Independent set of large weight: items by weight against that of the free neighbourhood, then swaps."""
    size = indptr.size - 1
    score = np.empty(size)
    for item in range(size):
        around = weights[item]
        for k in range(indptr[item], indptr[item + 1]):
            around += weights[indices[k]]
        score[item] = weights[item] / around
    chosen, blocked = np.zeros(size, np.bool_), np.zeros(size, np.float64)
    for item in np.argsort(-score):
        if blocked[item] == 0.0:
            _put(indptr, indices, weights, chosen, blocked, item)
    for _ in range(2):
        for item in range(size):
            if not chosen[item] and blocked[item] < weights[item] * (1 - 1e-9):
                for k in range(indptr[item], indptr[item + 1]):
                    if chosen[indices[k]]:
                        _take(indptr, indices, weights, chosen, blocked, indices[k])
                _put(indptr, indices, weights, chosen, blocked, item)
        for item in range(size):
            if not chosen[item] and not _touches(indptr, indices, chosen, item):
                _put(indptr, indices, weights, chosen, blocked, item)
    return chosen


@compiled
def _touches(indptr: Any, indices: Any, chosen: Any, item: int) -> bool:
    found = False
    for k in range(indptr[item], indptr[item + 1]):
        found = found or chosen[indices[k]]
    return found


@compiled
def _put(indptr: Any, indices: Any, weights: Any, chosen: Any, blocked: Any, item: int) -> None:
    chosen[item] = True
    for k in range(indptr[item], indptr[item + 1]):
        blocked[indices[k]] += weights[item]


@compiled
def _take(indptr: Any, indices: Any, weights: Any, chosen: Any, blocked: Any, item: int) -> None:
    chosen[item] = False
    for k in range(indptr[item], indptr[item + 1]):
        blocked[indices[k]] -= weights[item]


@compiled
def is_proper(indptr: Any, indices: Any, labels: Any) -> bool:
    """Whether no edge joins two items of one label; label -1 stands for items of no set."""
    for item in range(indptr.size - 1):
        for k in range(indptr[item], indptr[item + 1]):
            if labels[item] >= 0 and labels[item] == labels[indices[k]]:
                return False
    return True


@compiled
def greedy_clique_packing(indptr: Any, indices: Any, order: Any) -> Any:
    """Number of a clique for each item: disjoint cliques, grown greedily from neighbours that are still free."""
    size = indptr.size - 1
    owner = np.full(size, -1, np.int64)
    mark = np.full(size, -1, np.int64)
    hits = np.zeros(size, np.int64)
    count = 0
    for item in order:
        if owner[item] >= 0:
            continue
        owner[item] = count
        length = 1
        for k in range(indptr[item], indptr[item + 1]):
            mark[indices[k]], hits[indices[k]] = item, 1
        for k in range(indptr[item], indptr[item + 1]):
            other = indices[k]
            if owner[other] >= 0 or hits[other] != length:
                continue
            owner[other] = count
            length += 1
            for j in range(indptr[other], indptr[other + 1]):
                if mark[indices[j]] == item:
                    hits[indices[j]] += 1
        count += 1
    return owner


@compiled
def matching_loads(n_cliques: int, item_indptr: Any, item_cliques: Any, weights: Any) -> Any:
    """Sum of the weights of each clique's items."""
    loads = np.zeros(n_cliques)
    for item in range(item_indptr.size - 1):
        for k in range(item_indptr[item], item_indptr[item + 1]):
            loads[item_cliques[k]] += weights[item]
    return loads


@compiled
def fractional_matching(n_cliques: int, item_indptr: Any, item_cliques: Any, coefficients: Any, rounds: int) -> Any:
    """Weights w that minimise the sum of c_i^2 / w_i while no clique's weights sum to more than 1, nearly.

    The optimum is w_i = c_i / sqrt(sum of y over the item's cliques) with multipliers y >= 0; y is raised where a
    clique is overloaded and lowered where it is not. Whatever y is, dividing each weight by the largest load of its
    cliques gives weights that are feasible.
    """
    size = item_indptr.size - 1
    mass = matching_loads(n_cliques, item_indptr, item_cliques, coefficients)
    duals = mass * mass + 1e-300
    best, least = np.ones(size), np.inf
    weights = np.ones(size)
    for _ in range(rounds):
        bound = -duals.sum()
        for item in range(size):
            total = 0.0
            for k in range(item_indptr[item], item_indptr[item + 1]):
                total += duals[item_cliques[k]]
            root = np.sqrt(total)
            weights[item] = 1.0 if total == 0.0 else coefficients[item] / root
            bound += coefficients[item] ** 2 if total == 0.0 else 2 * coefficients[item] * root
        loads = matching_loads(n_cliques, item_indptr, item_cliques, weights)
        value = 0.0
        feasible = np.ones(size)
        for item in range(size):
            worst = 0.0
            for k in range(item_indptr[item], item_indptr[item + 1]):
                worst = max(worst, loads[item_cliques[k]])
            if worst > 0.0:
                feasible[item] = weights[item] / worst
            if coefficients[item] > 0.0:
                value += coefficients[item] ** 2 / feasible[item]
        if value < least:
            least, best = value, feasible
        if least <= 1.003 * bound:  # weak duality: nothing is better than the bound
            break
        duals *= loads
    return best
