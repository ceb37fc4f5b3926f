"""All layers for a few rows, by threads that share every product: decoding token by token, and trees.

The layers are those of :mod:`foretell.models.layers`. For few rows reading the weights takes longest, so
each thread reads its own columns of every matrix, and all rows. What is cheap (norms, residual sums) every
thread computes for itself, which saves waiting.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled
from foretell.exact.meeting import meet, share
from foretell.exact.product import BLOCK, product_at
from foretell.exact.softmax import new_room
from foretell.exact.transform import quantise
from foretell.models.layers import (
    Cache,
    Rows,
    Shape,
    Taps,
    Weights,
    add_rest,
    add_scaled,
    attend_rows,
    gate_columns,
    norm_rows,
    place_heads,
)

MOST_ROWS = 32
"""Rows from which on it pays to give each thread its own rows instead."""


class Shared(NamedTuple):
    """Where threads leave results for each other; M rows."""

    queries: NDArray[np.int8]  # (M, K, H / K, W)
    query_scales: NDArray[np.float32]  # (M, K, H / K)
    sums: NDArray[np.int32]  # (3, M, widest product)
    mixed: NDArray[np.float32]  # (M, H W)
    gated: NDArray[np.float32]  # (M, F)


def new_shared(rows: int, weights: Weights, shape: Shape) -> Shared:
    """Room for ``rows`` rows."""
    groups, feed = shape.heads // shape.kv_heads, weights.gate_up_scale.shape[1] // 2
    widest = max(weights.qkv_scale.shape[1], weights.output_scale.shape[1])
    return Shared(
        np.empty((rows, shape.kv_heads, groups, shape.head_width), np.int8),
        np.empty((rows, shape.kv_heads, groups), np.float32),
        np.empty((3, rows, widest), np.int32),
        np.empty((rows, shape.heads * shape.head_width), np.float32),
        np.empty((rows, feed), np.float32),
    )


@compiled
def project_part(
    left: NDArray[np.int8], packed: NDArray[np.int8], sums: NDArray[np.int32], blocks: tuple[int, int]
) -> None:
    """Multiply all rows of ``sums`` by a range of the blocks of a packed matrix, into their own columns."""
    inputs = packed.shape[1] * 4
    product_at(
        left.ctypes.data, left.shape[1], packed.ctypes.data + blocks[0] * inputs * BLOCK, inputs * BLOCK, inputs,
        blocks[1] - blocks[0], sums.ctypes.data + blocks[0] * BLOCK * 4, sums.shape[1], sums.shape[0],
    )  # fmt: skip


@compiled
def project_rows(
    left: NDArray[np.int8],
    packed: NDArray[np.int8],
    sums: NDArray[np.int32],
    part: int,
    parts: int,
    counter: NDArray[np.int64],
) -> None:
    """Part ``part`` of the columns of a product of any number of rows."""
    rows = sums.shape[0]
    for start in range(0, rows, MOST_ROWS):
        end = min(rows, start + MOST_ROWS)
        project_part(left[start:end], packed, sums[start:end], share(packed.shape[0], part, parts, 1))


@compiled
def _gate(
    layer: int,
    weights: Weights,
    shape: Shape,
    left: NDArray[np.int8],
    scales: NDArray[np.float32],
    gated: NDArray[np.float32],
    columns: tuple[int, int],
    gates: NDArray[np.int32],
    ups: NDArray[np.int32],
) -> None:
    """Columns of the feed-forward part's middle, all rows; ``gates`` and ``ups`` are (M, columns)."""
    feed, width, matrix = gated.shape[1], weights.down_scale.shape[1], weights.gate_up[layer]
    first, last = columns
    for target, start in ((gates, first), (ups, feed + first)):
        product_at(
            left.ctypes.data, left.shape[1], matrix.ctypes.data + start * width, width * BLOCK, width,
            (last - first) // BLOCK, target.ctypes.data, target.shape[1], gated.shape[0],
        )  # fmt: skip
    gate_scales = weights.gate_up_scale[layer, first:last]
    up_scales = weights.gate_up_scale[layer, feed + first : feed + last]
    for r in range(gated.shape[0]):
        gate_columns(shape, gates[r], ups[r], scales[r], gate_scales, up_scales, gated[r, first:last])


@compiled
def run_few(
    weights: Weights,
    shape: Shape,
    windows: NDArray[np.int32],
    tables: NDArray[np.int32],
    cosines: NDArray[np.float32],
    sines: NDArray[np.float32],
    rows: Rows,
    hidden: NDArray[np.float32],
    cache: Cache,
    shared: Shared,
    taps: Taps,
    part: int,
    parts: int,
    counter: NDArray[np.int64],
) -> None:
    """Part ``part`` of all layers for all rows; the feed-forward width is a multiple of its rotated block."""
    count, width = hidden.shape
    mixed_width, feed = shared.mixed.shape[1], shared.gated.shape[1]
    groups, head_total = shape.heads // shape.kv_heads, shape.heads + 2 * shape.kv_heads
    own = hidden.copy()
    room = new_room(np.int64(rows.slot.max()), groups)
    scratch = np.empty(2 * width, np.float32)
    left = np.empty((count, max(width, mixed_width)), np.int8)
    wide_left = np.empty((count, feed), np.int8)
    scales, row = np.empty(count, np.float32), np.empty(width, np.float32)
    heads = share(head_total, part, parts, 1)
    qkv_blocks = share(weights.qkv.shape[1], part, parts, 1)
    width_blocks = share(weights.output.shape[1], part, parts, 1)
    columns = share(feed, part, parts, max(shape.feed_block, BLOCK))
    gates = np.empty((count, columns[1] - columns[0]), np.int32)
    ups = np.empty_like(gates)
    for layer in range(windows.size):
        cosine, sine = cosines[tables[layer]], sines[tables[layer]]
        norm_rows(own, weights.attention_norm[layer], shape, left, scales, row)
        project_part(left, weights.qkv[layer], shared.sums[0], qkv_blocks)
        meet(counter, parts)
        for r in range(count):
            place_heads(
                layer, weights, shape, cosine, sine, rows, r, heads, shared.sums[0, r], scales[r], cache,
                shared.queries, shared.query_scales,
            )  # fmt: skip
        meet(counter, parts)
        attend_rows(
            layer, shape, windows[layer], rows, 0, count, cache, shared.queries, shared.query_scales, room,
            shared.mixed, part, parts,
        )  # fmt: skip
        meet(counter, parts)
        for r in range(count):
            scales[r] = quantise(shared.mixed[r], left[r, :mixed_width])
        project_part(left, weights.output[layer], shared.sums[0], width_blocks)
        meet(counter, parts)
        for r in range(count):
            add_scaled(
                shared.sums[0, r], scales[r], weights.output_scale[layer], weights.attention_post[layer],
                shape.epsilon, scratch, own[r],
            )  # fmt: skip
        norm_rows(own, weights.feed_norm[layer], shape, left, scales, row)
        _gate(layer, weights, shape, left, scales, shared.gated, columns, gates, ups)
        meet(counter, parts)
        for r in range(count):
            scales[r] = quantise(shared.gated[r], wide_left[r])
        project_part(wide_left, weights.down[layer], shared.sums[1], width_blocks)
        if layer < weights.down_rest.shape[0]:
            project_part(wide_left, weights.down_rest[layer], shared.sums[2], width_blocks)
            own_columns = slice(width_blocks[0] * BLOCK, width_blocks[1] * BLOCK)
            for r in range(count):
                add_rest(shared.sums[1, r, own_columns], shared.sums[2, r, own_columns])
        meet(counter, parts)
        for r in range(count):
            add_scaled(
                shared.sums[1, r], scales[r], weights.down_scale[layer], weights.feed_post[layer], shape.epsilon,
                scratch, own[r],
            )  # fmt: skip
        if part == 0 and taps.place[layer] >= 0:
            taps.values[taps.place[layer]] = own
    if part == 0:
        hidden[:] = own
