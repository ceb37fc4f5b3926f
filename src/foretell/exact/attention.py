"""Attention over an 8-bit key and value cache, in integers from scores to values.

Queries, keys and values are quantised per token and head. A row of attention weights becomes
integers that sum to about 127 * 2**8, so that the weighted sum of values stays below 2**24. For the kernels of
8-bit products they are written as 256 times an upper and a lower byte. Scores are in units of log 2.

Cache layout, one layer: keys ``[stream, head, slot / 16, width / 4, 16, 4]`` and values
``[stream, head, width / 16, slot / 4, 16, 4]``, both packed as in :mod:`foretell.exact.product`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled
from foretell.exact.arithmetic import exp2_negative, from_order_key, order_key, round_even, shift_right
from foretell.exact.product import product_at

WEIGHT_TOTAL = np.float32(32512.0)
"""127 * 256, so that the upper byte of a weight is at most 127."""
SLOTS = 64
"""The cache has room for a multiple of so many slots, and attention reads it in such multiples."""
_GRID = np.float32(65536.0)
_GRID_UNIT = np.float32(2.0**-16)
_EXP_SHIFT = np.int32(12)
_HIDDEN = np.float32(-1e30)
_LOWEST = np.int32(-(2**31) + 1)


@compiled
def store_key(cache: NDArray[np.int8], slot: int, key: NDArray[np.int8]) -> None:
    """Write one quantised key into the packed cache ``[slot / 16, width / 4, 16, 4]`` of its head."""
    block, column = slot // 16, slot % 16
    for quad in range(key.size // 4):
        for i in range(4):
            cache[block, quad, column, i] = key[4 * quad + i]


@compiled
def store_value(cache: NDArray[np.int8], slot: int, value: NDArray[np.int8]) -> None:
    """Write one quantised value into the packed cache ``[width / 16, slot / 4, 16, 4]`` of its head."""
    quad, part = slot // 4, slot % 4
    for i in range(value.size):
        cache[i // 16, quad, i % 16, part] = value[i]


@compiled
def attention_weights(
    sums: NDArray[np.int32],
    query_scale: np.float32,
    key_scales: NDArray[np.float32],
    value_scales: NDArray[np.float32],
    visible: NDArray[np.bool_],
    scratch: NDArray[np.float32],
    upper: NDArray[np.int8],
    lower: NDArray[np.int8],
) -> np.float32:
    """Softmax of one row of integer scores as weights ``256 upper + lower``; return the scale of the weighted sum.

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
        upper[:] = 0
        lower[:] = 0
        return np.float32(0.0)
    inverse = _GRID / largest
    weighted_total = np.int32(0)
    for j in range(slots):
        step = round_even(scratch[j] * inverse)
        scratch[j] = step
        weighted_total = np.int32(weighted_total + np.int32(step))
    ratio = WEIGHT_TOTAL / np.float32(weighted_total)
    for j in range(slots):
        whole = np.int32(round_even(scratch[j] * ratio))
        carried: np.int32 = shift_right(np.int32(whole + np.int32(128)), np.int32(8))  # type: ignore[call-arg]
        upper[j] = np.int8(carried)
        lower[j] = np.int8(whole)
    return ((largest * _GRID_UNIT) * (np.float32(weighted_total) / WEIGHT_TOTAL)) / np.float32(total)


@compiled
def attend(
    queries: NDArray[np.int8],
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
    weights: NDArray[np.int8],
    scratch: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Attention of rows of one stream and key head; rows ``r * groups + g`` share slot ``slots[r]``.

    Row r sees the slots from ``first[r]`` to ``slots[r]``; with a tree mask (``visible`` not empty) those
    from ``base`` on only where ``visible[r, slot - base]``. ``out`` is (rows * groups, width).
    """
    count, width = queries.shape
    rows = slots.size
    groups = count // rows
    start = first[0]
    last = 0
    for r in range(rows):
        start = min(start, first[r])
        last = max(last, slots[r])
    start = start // SLOTS * SLOTS
    padded = ((last - start) // SLOTS + 1) * SLOTS
    product_at(
        queries.ctypes.data, width, keys.ctypes.data + start * width, width * 16, width, padded // 16,
        sums.ctypes.data, sums.shape[1], count,
    )  # fmt: skip
    no_mask = visible[0, :0] if visible.shape[0] > 0 else np.empty(0, np.bool_)
    for r in range(rows):
        begin, end = first[r] - start, slots[r] - start + 1
        mask = visible[r, : slots[r] - base + 1] if visible.shape[0] > 0 else no_mask
        for row in range(r * groups, (r + 1) * groups):
            upper, lower = weights[row, :padded], weights[count + row, :padded]
            for part in (upper, lower):
                part[:begin] = 0
                part[end:] = 0
            query_scales[row] = attention_weights(
                sums[row, begin:end],
                query_scales[row],
                key_scales[first[r] : slots[r] + 1],
                value_scales[first[r] : slots[r] + 1],
                mask,
                scratch,
                upper[begin:end],
                lower[begin:end],
            )
    mixed = np.empty((2 * count, width), np.int32)
    product_at(
        weights.ctypes.data, weights.shape[1], values.ctypes.data + start * 16, values.shape[1] * 64, padded,
        width // 16, mixed.ctypes.data, width, 2 * count,
    )  # fmt: skip
    for row in range(count):
        for i in range(width):
            total = np.int32(np.int32(mixed[row, i] * np.int32(256)) + mixed[count + row, i])
            out[row, i] = np.float32(total) * query_scales[row]
