"""One decoder layer on the numeric contract, as two fused Numba functions over a block of rows.

:func:`layer_inputs` writes queries, keys and values; :func:`layer_outputs` attends, and updates the
residual stream. Rows are tokens of any streams; a row's result depends on its own stream's cache
alone. Shapes: M rows, D width, H heads, K key heads, W head width, F feed-forward width.
:mod:`foretell.models.few_rows` has the same layer for threads that share the work of a few rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled
from foretell.exact.attention import SLOTS, attend, store_key, store_value
from foretell.exact.meeting import meet
from foretell.exact.memory import aligned_float32, aligned_int8, aligned_int32
from foretell.exact.product import product_at
from foretell.exact.softmax import ATTENTION_ROWS, Room, new_room
from foretell.exact.transform import REST_STEPS, hadamard, quantise, rms_norm
from foretell.exact.vectors import LANES, gelu_gate, silu_gate
from foretell.pages import aligned_zeros

ROWS = 240
"""Rows that go through a layer's products together."""


class Weights(NamedTuple):
    """Stacked exact weights of all layers; packed int8 matrices and their float32 row scales."""

    attention_norm: NDArray[np.float32]  # (L, D), or (L, 0) for layers without
    qkv: NDArray[np.int8]  # (L, (H + 3 K) W / 16, D / 4, 16, 4): queries, keys, values, values' rest
    qkv_scale: NDArray[np.float32]  # (L, (H + 3 K) W)
    query_norm: NDArray[np.float32]  # (L, W) or (L, 0)
    key_norm: NDArray[np.float32]
    output: NDArray[np.int8]  # (L, D / 16, H W / 4, 16, 4)
    output_scale: NDArray[np.float32]  # (L, D)
    attention_post: NDArray[np.float32]  # (L, D) or (L, 0)
    feed_norm: NDArray[np.float32]  # (L, D)
    gate_up: NDArray[np.int8]  # (L, 2 F / 16, D / 4, 16, 4)
    gate_up_scale: NDArray[np.float32]  # (L, 2 F)
    down: NDArray[np.int8]  # (L, D / 16, F / 4, 16, 4)
    down_rest: NDArray[np.int8]  # (first layers, D / 16, F / 4, 16, 4): what rounding left
    down_scale: NDArray[np.float32]  # (L, D): of a step, or where there is a rest, of its steps
    feed_post: NDArray[np.float32]  # (L, D) or (L, 0)


class Shape(NamedTuple):
    """The sizes that the fused functions need."""

    heads: int
    kv_heads: int
    head_width: int
    gelu: int
    width_block: int
    feed_block: int
    head_block: int
    epsilon: float
    score_scale: np.float32


class Cache(NamedTuple):
    """Keys and values of every layer and stream; see :mod:`foretell.exact.attention` for the layout."""

    keys: NDArray[np.int8]  # (L, S, K, slots / 16, W / 4, 16, 4)
    key_scales: NDArray[np.float32]  # (L, S, K, slots)
    values: NDArray[np.int8]  # (L, S, K, W / 16, slots / 4, 16, 4)
    value_scales: NDArray[np.float32]  # (L, S, K, slots)


def new_cache(layers: int, streams: int, kv_heads: int, slots: int, head_width: int) -> Cache:
    """Empty cache for ``streams`` streams of up to ``slots`` tokens each."""
    slots = -(-slots // SLOTS) * SLOTS
    lead = (layers, streams, kv_heads)
    return Cache(
        aligned_zeros((*lead, slots // 16, head_width // 4, 16, 4), np.int8),
        aligned_zeros((*lead, slots), np.float32),
        aligned_zeros((*lead, head_width // 16, slots // 4, 16, 4), np.int8),
        aligned_zeros((*lead, slots), np.float32),
    )


class Rows(NamedTuple):
    """What each row is: its stream, its slot in the cache, its position, and what it sees."""

    stream: NDArray[np.int32]
    slot: NDArray[np.int32]
    position: NDArray[np.int32]
    base: NDArray[np.int32]
    visible: NDArray[np.bool_]  # (M, tree slots) or (0, 0)


@compiled
def project(left: NDArray[np.int8], packed: NDArray[np.int8], sums: NDArray[np.int32], rows: int) -> None:
    """Multiply the first ``rows`` rows by a packed matrix into the first columns of ``sums``."""
    inputs = packed.shape[1] * 4
    product_at(
        left.ctypes.data, left.shape[1], packed.ctypes.data, inputs * 16, inputs, packed.shape[0], sums.ctypes.data,
        sums.shape[1], rows,
    )  # fmt: skip


@compiled
def _rotate(x: NDArray[np.float32], cosine: NDArray[np.float32], sine: NDArray[np.float32]) -> None:
    """Rotary positions of one head in place: dimension i turns with dimension i + W / 2."""
    half = cosine.size
    for i in range(half):
        a, b = x[i], x[i + half]
        x[i] = a * cosine[i] - b * sine[i]
        x[i + half] = a * sine[i] + b * cosine[i]


@compiled
def _head(sums: NDArray[np.int32], scale: np.float32, scales: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    """Integer sums of one head as floats."""
    for i in range(out.size):
        out[i] = (np.float32(sums[i]) * scale) * scales[i]


class Taps(NamedTuple):
    """Which layers' outputs are kept besides the last, for models that read them."""

    place: NDArray[np.int32]  # (L,): where layer l's output goes, or -1
    values: NDArray[np.float32]  # (taps, M, D)


@compiled
def norm_rows(
    hidden: NDArray[np.float32],
    norm: NDArray[np.float32],
    shape: Shape,
    left: NDArray[np.int8],
    scales: NDArray[np.float32],
    row: NDArray[np.float32],
) -> None:
    """Norm, rotate and quantise every row of ``hidden``, for the product that follows; an empty norm is left out."""
    for r in range(hidden.shape[0]):
        if norm.size > 0:
            rms_norm(hidden[r], norm, shape.epsilon, row)
        else:
            row[:] = hidden[r]
        hadamard(row, shape.width_block)
        scales[r] = quantise(row, left[r, : row.size])


@compiled
def place_heads(
    layer: int,
    weights: Weights,
    shape: Shape,
    cosines: NDArray[np.float32],
    sines: NDArray[np.float32],
    rows: Rows,
    m: int,
    heads: tuple[int, int],
    sums: NDArray[np.int32],
    scale: np.float32,
    cache: Cache,
    queries: NDArray[np.int8],
    query_scales: NDArray[np.float32],
) -> None:
    """From row m's integer sums to its queries and cache entries, for a range of heads.

    Heads are counted through queries, keys and values. ``queries`` is (M, K, H / K, W), ``query_scales``
    (M, K, H / K).
    """
    head_width, groups = shape.head_width, shape.heads // shape.kv_heads
    x, normed = np.empty(head_width, np.float32), np.empty(head_width, np.float32)
    whole = np.empty(head_width, np.int8)
    scales = weights.qkv_scale[layer]
    stream, slot, position = rows.stream[m], rows.slot[m], rows.position[m]
    for h in range(heads[0], heads[1]):
        columns = slice(h * head_width, (h + 1) * head_width)
        _head(sums[columns], scale, scales[columns], x)
        value_head = h - shape.heads - shape.kv_heads
        if value_head >= 0:
            rest = slice((h + shape.kv_heads) * head_width, (h + shape.kv_heads + 1) * head_width)
            _head(sums[rest], scale, scales[rest], normed)
            for i in range(head_width):
                x[i] = x[i] + normed[i]
            cache.value_scales[layer, stream, value_head, slot] = quantise(x, whole)
            store_value(cache.values[layer, stream, value_head], slot, whole)
            continue
        if weights.query_norm.shape[1] > 0:
            norm = weights.query_norm[layer] if h < shape.heads else weights.key_norm[layer]
            rms_norm(x, norm, shape.epsilon, normed)
            x[:] = normed
        _rotate(x, cosines[position], sines[position])
        hadamard(x, shape.head_block)
        if h < shape.heads:
            query_scale = quantise(x, queries[m, h // groups, h % groups])
            query_scales[m, h // groups, h % groups] = query_scale * shape.score_scale
        else:
            key_head = h - shape.heads
            cache.key_scales[layer, stream, key_head, slot] = quantise(x, whole)
            store_key(cache.keys[layer, stream, key_head], slot, whole)


@compiled
def layer_inputs(
    layer: int,
    weights: Weights,
    shape: Shape,
    cosines: NDArray[np.float32],
    sines: NDArray[np.float32],
    rows: Rows,
    begin: int,
    end: int,
    hidden: NDArray[np.float32],
    cache: Cache,
    queries: NDArray[np.int8],
    query_scales: NDArray[np.float32],
    work: Work,
) -> None:
    """Norm, query, key and value projections of rows begin ... end - 1, and their cache entries."""
    heads = (0, shape.heads + 2 * shape.kv_heads)
    for start in range(begin, end, ROWS):
        count = min(ROWS, end - start)
        norm = weights.attention_norm[layer]
        norm_rows(hidden[start : start + count], norm, shape, work.left, work.scales, work.row)
        project(work.left, weights.qkv[layer], work.sums, count)
        for r in range(count):
            place_heads(
                layer, weights, shape, cosines, sines, rows, start + r, heads, work.sums[r], work.scales[r], cache,
                queries, query_scales,
            )  # fmt: skip


@compiled
def add_rest(sums: NDArray[np.int32], rest: NDArray[np.int32]) -> None:
    """Turn sums into units of the rest, and add its sums."""
    for i in range(rest.size):
        sums[i] = np.int32(np.int32(sums[i] * np.int32(REST_STEPS)) + rest[i])


@compiled
def add_scaled(
    sums: NDArray[np.int32],
    scale: np.float32,
    scales: NDArray[np.float32],
    post: NDArray[np.float32],
    epsilon: float,
    scratch: NDArray[np.float32],
    hidden: NDArray[np.float32],
) -> None:
    """Add the (normed, where ``post`` is not empty) output of a product to the residual stream."""
    if post.size == 0:
        for i in range(hidden.size):
            hidden[i] = hidden[i] + (np.float32(sums[i]) * scale) * scales[i]
        return
    for i in range(hidden.size):
        scratch[i] = (np.float32(sums[i]) * scale) * scales[i]
    normed = scratch[hidden.size :]
    rms_norm(scratch[: hidden.size], post, epsilon, normed)
    for i in range(hidden.size):
        hidden[i] = hidden[i] + normed[i]


@compiled
def attend_rows(
    layer: int,
    shape: Shape,
    window: int,
    rows: Rows,
    begin: int,
    end: int,
    cache: Cache,
    queries: NDArray[np.int8],
    query_scales: NDArray[np.float32],
    room: Room,
    out: NDArray[np.float32],
    part: int,
    parts: int,
) -> None:
    """Attention of rows begin ... end - 1, grouped by stream; ``out`` is (rows, H W).

    Of all pairs of a group and a key head, every ``parts``-th is done.
    """
    head_width, groups = shape.head_width, shape.heads // shape.kv_heads
    stacked = aligned_int8(ATTENTION_ROWS * groups, head_width)
    stacked_scales = np.empty(ATTENTION_ROWS * groups, np.float32)
    result = np.empty((ATTENTION_ROWS * groups, head_width), np.float32)
    first = np.empty(ATTENTION_ROWS, np.int32)
    start, unit = begin, 0
    while start < end:
        stream = rows.stream[start]
        stop = start + 1
        while stop < end and stop - start < ATTENTION_ROWS and rows.stream[stop] == stream:
            stop += 1
        count = stop - start
        for r in range(count):
            # In a tree the slots run ahead of the positions, and a window counts positions.
            first[r] = max(0, rows.position[start + r] - window + 1) if window else 0
            if rows.visible.shape[0] > 0:
                first[r] = min(first[r], rows.base[start + r])
        visible = rows.visible[start:stop] if rows.visible.shape[0] > 0 else rows.visible
        for k in range(shape.kv_heads):
            unit += 1
            if unit % parts != part:
                continue
            for r in range(count):
                for g in range(groups):
                    stacked[r * groups + g] = queries[start + r, k, g]
                    stacked_scales[r * groups + g] = query_scales[start + r, k, g]
            attend(
                stacked[: count * groups],
                stacked_scales,
                cache.keys[layer, stream, k],
                cache.key_scales[layer, stream, k],
                cache.values[layer, stream, k],
                cache.value_scales[layer, stream, k],
                first[:count],
                rows.slot[start:stop],
                visible,
                rows.base[start],
                room,
                result,
            )
            for r in range(count):
                for g in range(groups):
                    offset = (k * groups + g) * head_width
                    out[start - begin + r, offset : offset + head_width] = result[r * groups + g]
        start = stop


@compiled
def gate_columns(
    shape: Shape,
    gates: NDArray[np.int32],
    ups: NDArray[np.int32],
    scale: np.float32,
    gate_scales: NDArray[np.float32],
    up_scales: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """``activation(gate) * up`` of one row's columns, from integer sums, rotated (``out`` is whole blocks)."""
    columns = (gate_scales.ctypes.data, up_scales.ctypes.data, out.ctypes.data, out.size // LANES)
    if shape.gelu:
        gelu_gate(gates.ctypes.data, ups.ctypes.data, scale, *columns)
    else:
        silu_gate(gates.ctypes.data, ups.ctypes.data, scale, *columns)
    hadamard(out, shape.feed_block)


class Work(NamedTuple):
    """Room for the numbers between the products of up to R rows."""

    left: NDArray[np.int8]  # (R, D)
    wide_left: NDArray[np.int8]  # (R, F)
    scales: NDArray[np.float32]  # (R,)
    sums: NDArray[np.int32]  # (R, widest product)
    rest: NDArray[np.int32]  # (R, D)
    row: NDArray[np.float32]  # (D,)
    gated: NDArray[np.float32]  # (F,)
    mixed: NDArray[np.float32]  # (R, H W)
    scratch: NDArray[np.float32]  # (2 D,)
    room: Room


@compiled
def new_work(rows: int, highest: int, weights: Weights, shape: Shape) -> Work:
    """Room for ``rows`` rows that see slots up to ``highest``."""
    width, feed = weights.output_scale.shape[1], weights.gate_up_scale.shape[1] // 2
    mixed_width = shape.heads * shape.head_width
    return Work(
        aligned_int8(rows, max(width, mixed_width)),
        aligned_int8(rows, feed),
        np.empty(rows, np.float32),
        aligned_int32(rows, max(width, weights.qkv_scale.shape[1], 2 * feed)),
        aligned_int32(rows, width),
        aligned_float32(1, width)[0],
        aligned_float32(1, feed)[0],
        aligned_float32(rows, mixed_width),
        aligned_float32(1, 2 * width)[0],
        new_room(highest, shape.heads // shape.kv_heads),
    )


@compiled
def _feed_forward(layer: int, weights: Weights, shape: Shape, hidden: NDArray[np.float32], work: Work) -> None:
    """Add the feed-forward part of some rows to them."""
    count, feed = hidden.shape[0], work.gated.size
    norm_rows(hidden, weights.feed_norm[layer], shape, work.left, work.scales, work.row)
    project(work.left, weights.gate_up[layer], work.sums, count)
    scales = weights.gate_up_scale[layer]
    for r in range(count):
        gates, ups = work.sums[r, :feed], work.sums[r, feed : 2 * feed]
        gate_columns(shape, gates, ups, work.scales[r], scales[:feed], scales[feed:], work.gated)
        work.scales[r] = quantise(work.gated, work.wide_left[r])
    project(work.wide_left, weights.down[layer], work.sums, count)
    if layer < weights.down_rest.shape[0]:
        project(work.wide_left, weights.down_rest[layer], work.rest, count)
        for r in range(count):
            add_rest(work.sums[r], work.rest[r])
    for r in range(count):
        add_scaled(
            work.sums[r], work.scales[r], weights.down_scale[layer], weights.feed_post[layer], shape.epsilon,
            work.scratch, hidden[r],
        )  # fmt: skip


@compiled
def layer_outputs(
    layer: int,
    weights: Weights,
    shape: Shape,
    window: int,
    rows: Rows,
    begin: int,
    end: int,
    hidden: NDArray[np.float32],
    cache: Cache,
    queries: NDArray[np.int8],
    query_scales: NDArray[np.float32],
    work: Work,
) -> None:
    """Attention, its output projection and the feed-forward part of rows begin ... end - 1."""
    for start in range(begin, end, ROWS):
        count = min(ROWS, end - start)
        attend_rows(
            layer, shape, window, rows, start, start + count, cache, queries, query_scales, work.room, work.mixed, 0, 1
        )
        for r in range(count):
            work.scales[r] = quantise(work.mixed[r], work.left[r, : work.mixed.shape[1]])
        project(work.left, weights.output[layer], work.sums, count)
        for r in range(count):
            add_scaled(
                work.sums[r], work.scales[r], weights.output_scale[layer], weights.attention_post[layer],
                shape.epsilon, work.scratch, hidden[start + r],
            )  # fmt: skip
        _feed_forward(layer, weights, shape, hidden[start : start + count], work)


@compiled
def run_layers(
    weights: Weights,
    shape: Shape,
    windows: NDArray[np.int32],
    tables: NDArray[np.int32],
    cosines: NDArray[np.float32],
    sines: NDArray[np.float32],
    rows: Rows,
    hidden: NDArray[np.float32],
    cache: Cache,
    queries: NDArray[np.int8],
    query_scales: NDArray[np.float32],
    taps: Taps,
    part: int,
    parts: int,
    counter: NDArray[np.int64],
) -> None:
    """All layers for one thread's part of the rows; the others are computed by other threads at the same time."""
    begin, end = hidden.shape[0] * part // parts, hidden.shape[0] * (part + 1) // parts
    work = new_work(min(ROWS, end - begin), np.int64(rows.slot.max()), weights, shape)
    for layer in range(windows.size):
        table = tables[layer]
        layer_inputs(
            layer, weights, shape, cosines[table], sines[table], rows, begin, end, hidden, cache, queries,
            query_scales, work,
        )  # fmt: skip
        meet(counter, parts)
        layer_outputs(
            layer, weights, shape, windows[layer], rows, begin, end, hidden, cache, queries, query_scales, work
        )
        if taps.place[layer] >= 0:
            taps.values[taps.place[layer], begin:end] = hidden[begin:end]
