"""One layer of the GPT-2 family on the numeric contract, as two fused Numba functions over a block of rows.

Rows are inputs of any streams; a row's result depends on its own stream's cache alone. Shapes: M rows, D width, H heads
of W = D / H elements, F feed-forward width, L layers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled
from foretell.exact.arithmetic import gelu
from foretell.exact.attention import store_key, store_value
from foretell.exact.centred import layer_norm, quick_gelu
from foretell.exact.softmax import new_room
from foretell.exact.transform import hadamard, quantise, rms_norm
from foretell.models.layers import ROWS, Cache, Rows, Shape, attend_rows, project


class GptWeights(NamedTuple):
    """Stacked exact weights of all layers; packed int8 matrices, their float32 row scales, float32 biases."""

    attention_norm: NDArray[np.float32]  # (L, D)
    attention_shift: NDArray[np.float32]  # (L, D), or (L, 0) where norms are not centred
    qkv: NDArray[np.int8]  # (L, 4 D / 16, D / 4, 16, 4): queries, keys, values, values' rest
    qkv_scale: NDArray[np.float32]  # (L, 4 D)
    qkv_bias: NDArray[np.float32]  # (L, 3 D)
    output: NDArray[np.int8]  # (L, D / 16, D / 4, 16, 4)
    output_scale: NDArray[np.float32]  # (L, D)
    output_bias: NDArray[np.float32]  # (L, D)
    feed_norm: NDArray[np.float32]  # (L, D)
    feed_shift: NDArray[np.float32]  # (L, D) or (L, 0)
    inner: NDArray[np.int8]  # (L, F / 16, D / 4, 16, 4)
    inner_scale: NDArray[np.float32]  # (L, F)
    inner_bias: NDArray[np.float32]  # (L, F)
    down: NDArray[np.int8]  # (L, D / 16, F / 4, 16, 4)
    down_scale: NDArray[np.float32]  # (L, D)
    down_bias: NDArray[np.float32]  # (L, D)


@compiled
def norm_row(
    x: NDArray[np.float32],
    weight: NDArray[np.float32],
    shift: NDArray[np.float32],
    epsilon: float,
    out: NDArray[np.float32],
) -> None:
    """Norm a row; an empty ``shift`` stands for the norm that is not centred."""
    if shift.size > 0:
        layer_norm(x, weight, shift, epsilon, out)
    else:
        rms_norm(x, weight, epsilon, out)


@compiled
def _scaled(
    sums: NDArray[np.int32],
    scale: np.float32,
    scales: NDArray[np.float32],
    bias: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    for i in range(out.size):
        out[i] = (np.float32(sums[i]) * scale) * scales[i] + bias[i]


@compiled
def _place_heads(
    layer: int,
    weights: GptWeights,
    shape: Shape,
    rows: Rows,
    m: int,
    sums: NDArray[np.int32],
    scale: np.float32,
    cache: Cache,
    queries: NDArray[np.int8],
    query_scales: NDArray[np.float32],
) -> None:
    """From row m's integer sums to its queries and cache entries."""
    wide = shape.head_width
    x, whole = np.empty(wide, np.float32), np.empty(wide, np.int8)
    scales, bias = weights.qkv_scale[layer], weights.qkv_bias[layer]
    stream, slot = rows.stream[m], rows.slot[m]
    for h in range(3 * shape.heads):
        first, head = h * wide, h % shape.heads
        if h < 2 * shape.heads:
            columns = slice(first, first + wide)
            _scaled(sums[columns], scale, scales[columns], bias[columns], x)
            hadamard(x, shape.head_block)
            if h < shape.heads:
                query_scales[m, head, 0] = quantise(x, queries[m, head, 0]) * shape.score_scale
            else:
                cache.key_scales[layer, stream, head, slot] = quantise(x, whole)
                store_key(cache.keys[layer, stream, head], slot, whole)
            continue
        rest = first + shape.heads * wide
        for i in range(wide):
            value = (np.float32(sums[first + i]) * scale) * scales[first + i]
            beyond = (np.float32(sums[rest + i]) * scale) * scales[rest + i]
            x[i] = (value + beyond) + bias[first + i]
        cache.value_scales[layer, stream, head, slot] = quantise(x, whole)
        store_value(cache.values[layer, stream, head], slot, whole)


@compiled
def layer_inputs(
    layer: int,
    weights: GptWeights,
    shape: Shape,
    rows: Rows,
    begin: int,
    end: int,
    hidden: NDArray[np.float32],
    cache: Cache,
    queries: NDArray[np.int8],
    query_scales: NDArray[np.float32],
) -> None:
    """Norm, query, key and value projections of rows begin ... end - 1, and their cache entries."""
    width = hidden.shape[1]
    left, scales = np.empty((ROWS, width), np.int8), np.empty(ROWS, np.float32)
    sums = np.empty((ROWS, weights.qkv_scale.shape[1]), np.int32)
    row = np.empty(width, np.float32)
    for start in range(begin, end, ROWS):
        count = min(ROWS, end - start)
        for r in range(count):
            norm = weights.attention_norm[layer]
            norm_row(hidden[start + r], norm, weights.attention_shift[layer], shape.epsilon, row)
            hadamard(row, shape.width_block)
            scales[r] = quantise(row, left[r])
        project(left, weights.qkv[layer], sums, count)
        for r in range(count):
            _place_heads(layer, weights, shape, rows, start + r, sums[r], scales[r], cache, queries, query_scales)


@compiled
def _add(
    sums: NDArray[np.int32],
    scale: np.float32,
    scales: NDArray[np.float32],
    bias: NDArray[np.float32],
    hidden: NDArray[np.float32],
) -> None:
    """Add the output of a product and its bias to the residual stream."""
    for i in range(hidden.size):
        hidden[i] = hidden[i] + ((np.float32(sums[i]) * scale) * scales[i] + bias[i])


@compiled
def layer_outputs(
    layer: int,
    weights: GptWeights,
    shape: Shape,
    rows: Rows,
    begin: int,
    end: int,
    hidden: NDArray[np.float32],
    cache: Cache,
    queries: NDArray[np.int8],
    query_scales: NDArray[np.float32],
) -> None:
    """Attention, its output projection and the feed-forward part of rows begin ... end - 1."""
    width, feed = hidden.shape[1], weights.inner_scale.shape[1]
    highest = 0
    for m in range(begin, end):
        highest = max(highest, rows.slot[m])
    room = new_room(highest, 1)
    mixed, left = np.empty((ROWS, width), np.float32), np.empty((ROWS, width), np.int8)
    wide_left, inner = np.empty((ROWS, feed), np.int8), np.empty(feed, np.float32)
    scales, row = np.empty(ROWS, np.float32), np.empty(width, np.float32)
    sums = np.empty((ROWS, max(width, feed)), np.int32)
    for start in range(begin, end, ROWS):
        count = min(ROWS, end - start)
        attend_rows(layer, shape, 0, rows, start, start + count, cache, queries, query_scales, room, mixed, 0, 1)
        for r in range(count):
            scales[r] = quantise(mixed[r], left[r])
        project(left, weights.output[layer], sums, count)
        for r in range(count):
            _add(sums[r], scales[r], weights.output_scale[layer], weights.output_bias[layer], hidden[start + r])
            norm_row(hidden[start + r], weights.feed_norm[layer], weights.feed_shift[layer], shape.epsilon, row)
            hadamard(row, shape.width_block)
            scales[r] = quantise(row, left[r])
        project(left, weights.inner[layer], sums, count)
        for r in range(count):
            _scaled(sums[r], scales[r], weights.inner_scale[layer], weights.inner_bias[layer], inner)
            for i in range(feed):
                inner[i] = gelu(inner[i]) if shape.gelu else quick_gelu(inner[i])
            hadamard(inner, shape.feed_block)
            scales[r] = quantise(inner, wide_left[r])
        project(wide_left, weights.down[layer], sums, count)
        for r in range(count):
            _add(sums[r], scales[r], weights.down_scale[layer], weights.down_bias[layer], hidden[start + r])


@compiled
def run_layers(
    weights: GptWeights,
    shape: Shape,
    rows: Rows,
    begin: int,
    end: int,
    hidden: NDArray[np.float32],
    cache: Cache,
    queries: NDArray[np.int8],
    query_scales: NDArray[np.float32],
) -> None:
    """All layers for rows begin ... end - 1, whose streams no other call touches at the same time."""
    for layer in range(weights.qkv.shape[0]):
        layer_inputs(layer, weights, shape, rows, begin, end, hidden, cache, queries, query_scales)
        layer_outputs(layer, weights, shape, rows, begin, end, hidden, cache, queries, query_scales)


@compiled
def final_norm(
    hidden: NDArray[np.float32],
    weight: NDArray[np.float32],
    shift: NDArray[np.float32],
    epsilon: float,
    begin: int,
    end: int,
    out: NDArray[np.float32],
) -> None:
    """The norm after the last layer, rows begin ... end - 1."""
    for m in range(begin, end):
        norm_row(hidden[m], weight, shift, epsilon, out[m])


@compiled
def quantise_rows(
    normed: NDArray[np.float32],
    block: int,
    begin: int,
    end: int,
    integers: NDArray[np.int8],
    scales: NDArray[np.float32],
) -> None:
    """Rotate and quantise rows for the head; ``normed`` is overwritten."""
    for m in range(begin, end):
        hadamard(normed[m], block)
        scales[m] = quantise(normed[m], integers[m])
