"""A round of drafting as one compiled call that all threads share.

A step of a small network takes less than handing it to threads, so that they read what is new, grow the whole tree and
meet in between, as in :mod:`foretell.models.few_rows`. Shapes: M rows, D width, T tapped layers, R rows of the
vocabulary that are drafted (padded to 16), P threads.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled
from foretell.exact.arithmetic import LOG2_E
from foretell.exact.head import frequencies_below, largest
from foretell.exact.meeting import meet, share
from foretell.exact.product import BLOCK, product_at
from foretell.exact.transform import hadamard, quantise, rms_norm
from foretell.models.few_rows import MOST_ROWS, Shared, project_part, run_few
from foretell.models.layers import Cache, Rows, Shape, Taps, Weights


class Network(NamedTuple):
    """Packed 8-bit weights around the layers of a draft network; see :class:`~foretell.drafts.config.DraftConfig`."""

    first: NDArray[np.int8]  # (T, D / 16, D / 4, 16, 4), or none where features are used as they are
    first_scale: NDArray[np.float32]  # (T, D)
    first_bias: NDArray[np.float32]  # (D,)
    tap_norm: NDArray[np.float32]  # (D,): norm of features, or (0,) where they have none
    fuse: NDArray[np.int8]  # (modules, 2, D / 16, D / 4, 16, 4): of token and state
    fuse_scale: NDArray[np.float32]  # (modules, 2, D)
    fuse_bias: NDArray[np.float32]  # (modules, D)
    module_of: NDArray[np.int64]  # (steps,): the module of each step; the last one's serves all later steps
    embedding: NDArray[np.int16]  # (rows of the vocabulary, D)
    embedding_scale: NDArray[np.float32]
    head: NDArray[np.int8]  # (R / 16, D / 4, 16, 4)
    head_scale: NDArray[np.float32]  # (R,)
    drafted: NDArray[np.int32]  # (rows that are drafted,): their rows in the vocabulary, ascending


class Turns(NamedTuple):
    """What a module's layer needs besides its weights: rotary tables, its window, and no taps."""

    cosines: NDArray[np.float32]  # (1, positions, W / 2)
    sines: NDArray[np.float32]
    table: NDArray[np.int32]  # (1,)
    window: NDArray[np.int32]  # (1,)
    taps: Taps


class Room(NamedTuple):
    """Where threads leave results for each other, for up to ``MOST_ROWS`` rows."""

    before: NDArray[np.float32]  # (MOST_ROWS, D): states that a step begins with
    hidden: NDArray[np.float32]  # (MOST_ROWS, D): and those that it gives
    shared: Shared
    sums: NDArray[np.int32]  # (MOST_ROWS, R)
    tops: NDArray[np.float64]  # (P, MOST_ROWS): each thread's largest score, in units of log 2
    totals: NDArray[np.float64]  # (P, MOST_ROWS): sum of 2 to its scores above that
    best: NDArray[np.int64]  # (P, MOST_ROWS, children): its likeliest columns
    values: NDArray[np.float64]  # (P, MOST_ROWS, children): and 2 to their scores


class Growth(NamedTuple):
    """A tree while it grows: every token that was considered, in order of depth; node 0 is the root."""

    tokens: NDArray[np.int32]  # (nodes,)
    parents: NDArray[np.int32]
    chances: NDArray[np.float64]
    place: NDArray[np.int64]  # (nodes,): of an expanded node among those expanded; the root is 0
    states: NDArray[np.float32]  # (expanded, D)
    frontier: NDArray[np.int64]  # (width,): nodes to expand next
    counts: NDArray[np.int64]  # nodes so far, nodes to expand next, nodes expanded, depths expanded
    rows: Rows  # of the nodes to expand next


@compiled
def _round(
    x: NDArray[np.float32], norm: NDArray[np.float32], shape: Shape, row: NDArray[np.float32], out: NDArray[np.int8]
) -> np.float32:
    """Norm (unless that is empty), rotate and round a row; returns its step."""
    if norm.size > 0:
        rms_norm(x, norm, shape.epsilon, row)
    else:
        row[:] = x
    hadamard(row, shape.width_block)
    return quantise(row, out)


@compiled
def _add_product(
    left: NDArray[np.int8],
    steps: NDArray[np.float32],
    packed: NDArray[np.int8],
    scales: NDArray[np.float32],
    blocks: tuple[int, int],
    out: NDArray[np.float32],
) -> None:
    """Add the products of all rows (M, D) with a range of the blocks of a matrix to their columns of ``out`` (M, D)."""
    count, inputs = left.shape
    first, columns = blocks[0] * BLOCK, (blocks[1] - blocks[0]) * BLOCK
    sums = np.empty((count, columns), np.int32)
    product_at(
        left.ctypes.data, inputs, packed.ctypes.data + first * inputs, inputs * BLOCK, inputs, blocks[1] - blocks[0],
        sums.ctypes.data, columns, count,
    )  # fmt: skip
    for r in range(count):
        for n in range(columns):
            out[r, first + n] += (np.float32(sums[r, n]) * steps[r]) * scales[first + n]


@compiled
def _first_states(
    network: Network, shape: Shape, features: NDArray[np.float32], out: NDArray[np.float32], blocks: tuple[int, int]
) -> None:
    """A range of the columns of the first states (M, D), from what the target's layers give, (T, M, D)."""
    taps, count, width = features.shape
    row, columns = np.empty(width, np.float32), slice(blocks[0] * BLOCK, blocks[1] * BLOCK)
    if network.first.shape[0] == 0:
        for r in range(count):
            rms_norm(features[0, r], network.tap_norm, shape.epsilon, row)
            out[r, columns] = row[columns]
        return
    left, steps = np.empty((count, width), np.int8), np.empty(count, np.float32)
    for r in range(count):
        out[r, columns] = network.first_bias[columns]
    for tap in range(taps):
        for r in range(count):
            steps[r] = _round(features[tap, r], network.tap_norm, shape, row, left[r])
        _add_product(left, steps, network.first[tap], network.first_scale[tap], blocks, out)


@compiled
def _fuse(
    network: Network,
    module: int,
    shape: Shape,
    tokens: NDArray[np.int32],
    before: NDArray[np.float32],
    out: NDArray[np.float32],
    blocks: tuple[int, int],
) -> None:
    """A range of the columns of what a module's layer reads: tokens and states (M, D) in one."""
    count, width = before.shape
    row, columns = np.empty(width, np.float32), slice(blocks[0] * BLOCK, blocks[1] * BLOCK)
    left, steps = np.empty((count, width), np.int8), np.empty(count, np.float32)
    embedded, no_norm = np.empty(width, np.float32), np.empty(0, np.float32)
    for r in range(count):
        out[r, columns] = network.fuse_bias[module, columns]
    for half in range(2):
        for r in range(count):
            if half == 0:
                scale = network.embedding_scale[tokens[r]]
                for i in range(width):
                    embedded[i] = np.float32(network.embedding[tokens[r], i]) * scale
                steps[r] = _round(embedded, no_norm, shape, row, left[r])
            else:
                steps[r] = _round(before[r], no_norm, shape, row, left[r])
        _add_product(left, steps, network.fuse[module, half], network.fuse_scale[module, half], blocks, out)


@compiled
def _module(weights: Weights, m: int) -> Weights:
    """One of several layers, as a stack of one."""
    return Weights(
        weights.attention_norm[m : m + 1], weights.qkv[m : m + 1], weights.qkv_scale[m : m + 1],
        weights.query_norm[m : m + 1], weights.key_norm[m : m + 1], weights.output[m : m + 1],
        weights.output_scale[m : m + 1], weights.attention_post[m : m + 1], weights.feed_norm[m : m + 1],
        weights.gate_up[m : m + 1], weights.gate_up_scale[m : m + 1], weights.down[m : m + 1],
        weights.down_rest[:0], weights.down_scale[m : m + 1], weights.feed_post[m : m + 1],
    )  # fmt: skip


@compiled
def _shared_rows(shared: Shared, count: int) -> Shared:
    """Room for ``count`` rows, contiguous."""
    widest = shared.sums.shape[2]
    return Shared(
        shared.queries[:count], shared.query_scales[:count],
        shared.sums.reshape(-1)[: 3 * count * widest].reshape(3, count, widest),
        shared.mixed[:count], shared.gated[:count],
    )  # fmt: skip


@compiled
def take_step(
    network: Network,
    weights: Weights,
    shape: Shape,
    turns: Turns,
    step: int,
    tokens: NDArray[np.int32],
    rows: Rows,
    cache: Cache,
    room: Room,
    part: int,
    parts: int,
    counter: NDArray[np.int64],
) -> None:
    """Part ``part`` of a draft step: tokens (M,) in states ``room.before`` give states ``room.hidden``.

    All threads see them when it returns; the step's keys and values are in the cache.
    """
    count, width = tokens.size, room.before.shape[1]
    module = network.module_of[min(step, network.module_of.size - 1)]
    hidden = room.hidden[:count]
    _fuse(network, module, shape, tokens, room.before[:count], hidden, share(width // BLOCK, part, parts, 1))
    meet(counter, parts)
    run_few(
        _module(weights, module), shape, turns.window, turns.table, turns.cosines, turns.sines, rows, hidden, cache,
        _shared_rows(room.shared, count), turns.taps, part, parts, counter,
    )  # fmt: skip
    meet(counter, parts)


@compiled
def read_places(
    network: Network,
    weights: Weights,
    shape: Shape,
    turns: Turns,
    tokens: NDArray[np.int32],
    features: NDArray[np.float32],
    rows: Rows,
    cache: Cache,
    room: Room,
    state: NDArray[np.float32],
    part: int,
    parts: int,
    counter: NDArray[np.int64],
) -> None:
    """Part ``part`` of step 0 at new places, from the target's features (T, M, D); ``state`` becomes the last's."""
    count, width = tokens.size, state.size
    _first_states(network, shape, features, room.before[:count], share(width // BLOCK, part, parts, 1))
    meet(counter, parts)
    take_step(network, weights, shape, turns, 0, tokens, rows, cache, room, part, parts, counter)
    if part == 0:
        state[:] = room.hidden[count - 1]


@compiled
def score_rows(network: Network, shape: Shape, states: NDArray[np.float32], room: Room, part: int, parts: int) -> None:
    """Scores of a thread's share of the drafted tokens after each state (M, D); its best go to ``room``."""
    count, width = states.shape
    left, row, no_norm = np.empty((count, width), np.int8), np.empty(width, np.float32), np.empty(0, np.float32)
    blocks = share(network.head.shape[0], part, parts, 1)
    first, last = blocks[0] * BLOCK, min(blocks[1] * BLOCK, network.drafted.size)
    no_tokens = np.empty(0, np.int32)
    powers = np.empty(max(0, last - first), np.int32)
    steps = np.empty(count, np.float32)
    for r in range(count):
        steps[r] = _round(states[r], no_norm, shape, row, left[r])
    project_part(left, network.head, room.sums[:count], blocks)
    for r in range(count):
        best, values = room.best[part, r], room.values[part, r]
        best[:] = -1
        values[:] = 0.0
        room.totals[part, r] = 0.0
        room.tops[part, r] = -np.inf
        if last <= first:
            continue
        sums, scales = room.sums[r, first:last], network.head_scale[first:last]
        top = largest(sums, scales, steps[r] * LOG2_E, powers.size)
        frequencies_below(top, sums, steps[r], scales, no_tokens, powers)
        room.tops[part, r] = top
        total, least, final = np.int64(0), np.int32(0), best.size - 1
        for n in range(powers.size):
            total += powers[n]
        for n in range(powers.size):
            if powers[n] > least:
                place = final
                while place > 0 and values[place - 1] < powers[n]:
                    values[place], best[place] = values[place - 1], best[place - 1]
                    place -= 1
                values[place], best[place] = powers[n], first + n
                least = np.int32(values[final])
        room.totals[part, r] = total


@compiled
def add_children(network: Network, room: Room, growth: Growth, node: int, r: int, children: int, parts: int) -> None:
    """Add the likeliest tokens of row r over all threads' shares as children of a node."""
    top, total = room.tops[:parts, r].max(), 0.0
    factors, next_of = np.empty(parts), np.zeros(parts, np.int64)
    for p in range(parts):
        factors[p] = 2.0 ** (room.tops[p, r] - top)
        total += room.totals[p, r] * factors[p]
    for _ in range(min(children, network.drafted.size)):
        chosen, value = 0, -1.0
        for p in range(parts):
            if next_of[p] < room.values.shape[2] and room.best[p, r, next_of[p]] >= 0:
                own = room.values[p, r, next_of[p]] * factors[p]
                if own > value:
                    chosen, value = p, own
        index = growth.counts[0]
        growth.tokens[index] = network.drafted[room.best[chosen, r, next_of[chosen]]]
        growth.parents[index] = node
        growth.chances[index] = growth.chances[node] * (value / total)
        growth.counts[0] += 1
        next_of[chosen] += 1


@compiled
def choose_frontier(growth: Growth, first: int, width: int, least: float, used: int, depth: int) -> None:
    """Of the nodes from ``first`` on, the ``width`` likeliest with at least the chance ``least`` come next."""
    found, expanded = 0, growth.counts[2]
    chosen = np.zeros(growth.counts[0] - first, np.bool_)
    while found < width:
        best = -1
        for node in range(first, growth.counts[0]):
            likelier = best < 0 or growth.chances[node] > growth.chances[best]
            if not chosen[node - first] and growth.chances[node] >= least and likelier:
                best = node
        if best < 0:
            break
        chosen[best - first] = True
        growth.frontier[found] = best
        growth.place[best] = expanded + found
        found += 1
    growth.counts[1] = found
    rows = growth.rows
    for r in range(found):
        node = growth.frontier[r]
        rows.slot[r], rows.position[r] = used + expanded - 1 + r, used + depth
        rows.visible[r] = False
        while node > 0:
            rows.visible[r, growth.place[node] - 1] = True
            node = growth.parents[node]


@compiled
def _rows_of(rows: Rows, count: int) -> Rows:
    return Rows(rows.stream[:count], rows.slot[:count], rows.position[:count], rows.base[:count], rows.visible[:count])


@compiled
def grow_tree(
    network: Network,
    weights: Weights,
    shape: Shape,
    turns: Turns,
    cache: Cache,
    room: Room,
    growth: Growth,
    used: int,
    limits: tuple[int, int, float],
    part: int,
    parts: int,
    counter: NDArray[np.int64],
) -> None:
    """Part ``part`` of growing a tree below its root, whose state is ``growth.states[0]``.

    Parameters
    ----------
    used : int
        Places that were read; branches get the slots after them.
    limits : (depth, width, least)
        At most ``width`` nodes of a depth are expanded, none with a chance below ``least``.
    """
    depth_limit, width, least = limits
    tokens = np.empty(width, np.int32)
    for depth in range(depth_limit):
        count = growth.counts[1]
        frontier = growth.frontier[:count]
        if depth > 0:
            for r in range(count):
                tokens[r] = growth.tokens[frontier[r]]
            if part == 0:
                for r in range(count):
                    room.before[r] = growth.states[growth.place[growth.parents[frontier[r]]]]
            meet(counter, parts)
            rows = _rows_of(growth.rows, count)
            take_step(network, weights, shape, turns, depth, tokens[:count], rows, cache, room, part, parts, counter)
            states = room.hidden[:count]
        else:
            states = growth.states[:1]
        score_rows(network, shape, states, room, part, parts)
        meet(counter, parts)
        if part == 0:
            first = growth.counts[0]
            for r in range(count):
                if depth > 0:
                    growth.states[growth.counts[2] + r] = states[r]
                add_children(network, room, growth, frontier[r], r, width, parts)
            growth.counts[2] += count
            growth.counts[3] += 1
            choose_frontier(growth, first, width, least, used, depth)
        meet(counter, parts)
        if growth.counts[1] == 0:
            break


@compiled
def draft_round(
    network: Network,
    weights: Weights,
    shape: Shape,
    turns: Turns,
    tokens: NDArray[np.int32],
    features: NDArray[np.float32],
    rows: Rows,
    cache: Cache,
    room: Room,
    growth: Growth,
    used: int,
    limits: tuple[int, int, float],
    part: int,
    parts: int,
    counter: NDArray[np.int64],
) -> None:
    """Part ``part`` of a round: :func:`read_places`, unless there is nothing new, then :func:`grow_tree`."""
    if tokens.size > 0:
        state = growth.states[0]
        read_places(network, weights, shape, turns, tokens, features, rows, cache, room, state, part, parts, counter)
        meet(counter, parts)
    grow_tree(network, weights, shape, turns, cache, room, growth, used, limits, part, parts, counter)


LONGEST_READ = MOST_ROWS
"""Places that are read together."""
