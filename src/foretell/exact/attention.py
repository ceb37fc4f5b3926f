"""Attention over an 8-bit key and value cache, in integers from scores to values.

Queries, keys and values are quantised per token and head. A row of attention weights becomes int16
integers that sum to about 2**15, so that the weighted sum of values stays below 2**24 and every
product kernel is exact. Scores are in units of log 2.

Cache layout, one layer: keys ``[stream, head, slot / 16, width / 2, 16, 2]`` and values
``[stream, head, width / 16, slot / 2, 16, 2]``, both packed as in :mod:`foretell.exact.product`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled
from foretell.exact.arithmetic import exp2_negative, from_order_key, order_key, round_even, shift_right
from foretell.exact.product import product_at

WEIGHT_TOTAL = np.float32(32767.0)
_GRID = np.float32(65536.0)
_GRID_UNIT = np.float32(2.0**-16)
_EXP_SHIFT = np.int32(12)
_HIDDEN = np.float32(-1e30)
_LOWEST = np.int32(-(2**31) + 1)


@compiled
def store_key(cache: NDArray[np.int8], slot: int, key: NDArray[np.int16]) -> None:
    """Write one quantised key into the packed cache ``[slot / 16, width / 2, 16, 2]`` of its head."""
    block, column = slot // 16, slot % 16
    for pair in range(key.size // 2):
        cache[block, pair, column, 0] = np.int8(key[2 * pair])
        cache[block, pair, column, 1] = np.int8(key[2 * pair + 1])


@compiled
def store_value(cache: NDArray[np.int8], slot: int, value: NDArray[np.int16]) -> None:
    """Write one quantised value into the packed cache ``[width / 16, slot / 2, 16, 2]`` of its head."""
    pair, half = slot // 2, slot % 2
    for i in range(value.size):
        cache[i // 16, pair, i % 16, half] = np.int8(value[i])


@compiled
def attention_weights(
    sums: NDArray[np.int32],
    query_scale: np.float32,
    key_scales: NDArray[np.float32],
    value_scales: NDArray[np.float32],
    visible: NDArray[np.bool_],
    scratch: NDArray[np.float32],
    out: NDArray[np.int16],
) -> np.float32:
    """Softmax of one row of integer scores as int16 weights; return the scale of the weighted sum.

    The scale of each value is folded into its weight. ``visible`` is empty, or says for the last
    ``visible.size`` slots whether they may be seen.
    """
    slots = sums.size
    key = _LOWEST
    for j in range(slots):
        score = (np.float32(sums[j]) * key_scales[j]) * query_scale
        scratch[j] = score
    for j in range(visible.size):
        if not visible[j]:
            scratch[slots - visible.size + j] = _HIDDEN
    for j in range(slots):
        key = max(key, order_key(scratch[j]))
    top = from_order_key(key)
    total = np.int32(0)
    key = np.int32(0)
    for j in range(slots):
        e: np.int32 = shift_right(exp2_negative(top - scratch[j]), _EXP_SHIFT)  # type: ignore[call-arg]
        total = np.int32(total + e)
        weight = np.float32(e) * value_scales[j]
        scratch[j] = weight
        key = max(key, order_key(weight))
    largest = from_order_key(key)
    if largest <= np.float32(0.0):
        for j in range(slots):
            out[j] = 0
        return np.float32(0.0)
    inverse = _GRID / largest
    weighted_total = np.int32(0)
    for j in range(slots):
        step = round_even(scratch[j] * inverse)
        scratch[j] = step
        weighted_total = np.int32(weighted_total + np.int32(step))
    ratio = WEIGHT_TOTAL / np.float32(weighted_total)
    for j in range(slots):
        out[j] = np.int16(round_even(scratch[j] * ratio))
    return ((largest * _GRID_UNIT) * (np.float32(weighted_total) / WEIGHT_TOTAL)) / np.float32(total)


@compiled
def attend(
    queries: NDArray[np.int16],
    query_scales: NDArray[np.float32],
    keys: NDArray[np.int8],
    key_scales: NDArray[np.float32],
    values: NDArray[np.int8],
    value_scales: NDArray[np.float32],
    first: NDArray[np.int32],
    slots: NDArray[np.int32],
    visible: NDArray[np.bool_],
    base: int,
    sums: NDArray[np.int32],
    weights: NDArray[np.int16],
    scratch: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Attention of rows of one stream and key head; rows ``r * groups + g`` share slot ``slots[r]``.

    Row r sees the slots from ``first[r]`` to ``slots[r]``; with a tree mask (``visible`` not empty) those
    from ``base`` on only where ``visible[r, slot - base]``. ``out`` is (rows * groups, width).
    """
    width = queries.shape[1]
    rows, groups = slots.size, queries.shape[0] // slots.size
    capacity = sums.shape[1]
    start = first[0]
    last = 0
    for r in range(rows):
        start = min(start, first[r])
        last = max(last, slots[r])
    start &= ~15
    blocks = (last - start) // 16 + 1
    product_at(
        queries.ctypes.data, width, keys.ctypes.data + start * width, width, blocks, sums.ctypes.data, capacity,
        queries.shape[0],
    )  # fmt: skip
    padded = blocks * 16
    no_mask = visible[0, :0] if visible.shape[0] > 0 else np.empty(0, np.bool_)
    for r in range(rows):
        begin, end = first[r] - start, slots[r] - start + 1
        mask = visible[r, : slots[r] - base + 1] if visible.shape[0] > 0 else no_mask
        for g in range(groups):
            row = r * groups + g
            for j in range(begin):
                weights[row, j] = 0
            for j in range(end, padded):
                weights[row, j] = 0
            query_scales[row] = attention_weights(
                sums[row, begin:end],
                query_scales[row],
                key_scales[first[r] : slots[r] + 1],
                value_scales[first[r] : slots[r] + 1],
                mask,
                scratch,
                weights[row, begin:end],
            )
    tile = values.shape[1] * 32
    for block in range(width // 16):
        product_at(
            weights.ctypes.data, capacity, values.ctypes.data + block * tile + start * 16, padded, 1,
            sums.ctypes.data + block * 64, capacity, queries.shape[0],
        )  # fmt: skip
    for row in range(queries.shape[0]):
        for i in range(width):
            out[row, i] = np.float32(sums[row, i]) * query_scales[row]
