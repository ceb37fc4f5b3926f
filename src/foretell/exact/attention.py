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
from foretell.exact.product import product_at
from foretell.exact.vectors import LANES, powers, scores, steps, weights

WEIGHT_TOTAL = np.float32(32512.0)
"""127 * 256, so that the upper byte of a weight is at most 127."""
SLOTS = 64
"""The cache has room for a multiple of so many slots, and attention reads it in such multiples."""
_GRID = np.float32(65536.0)
_GRID_UNIT = np.float32(2.0**-16)
_HIDDEN = np.float32(-1e30)


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
def _scores_seen(
    sums: NDArray[np.int32],
    query_scale: np.float32,
    key_scales: NDArray[np.float32],
    begin: int,
    end: int,
    visible: NDArray[np.bool_],
    out: NDArray[np.float32],
) -> np.float32:
    """Scores of the slots, the hidden ones far below all others; return the largest."""
    first = min(end, (begin + LANES - 1) // LANES * LANES)
    last = max(first, (end - visible.size) // LANES * LANES)
    top = _HIDDEN
    if last > first:
        offset = 4 * first
        top = scores(  # type: ignore[call-arg, unused-ignore]
            sums.ctypes.data + offset, key_scales.ctypes.data + offset, query_scale, out.ctypes.data + offset,
            (last - first) // LANES,
        )  # fmt: skip
    for stretch in ((0, first), (last, sums.size)):
        for j in range(stretch[0], stretch[1]):
            out[j] = _HIDDEN
            if begin <= j < end and (j < end - visible.size or visible[j - end + visible.size]):
                out[j] = (np.float32(sums[j]) * key_scales[j]) * query_scale
                top = max(top, out[j])
    return top


@compiled
def attention_weights(
    sums: NDArray[np.int32],
    query_scale: np.float32,
    key_scales: NDArray[np.float32],
    value_scales: NDArray[np.float32],
    begin: int,
    end: int,
    visible: NDArray[np.bool_],
    scratch: NDArray[np.float32],
    upper: NDArray[np.int8],
    lower: NDArray[np.int8],
) -> np.float32:
    """Softmax of one row of integer scores as weights ``256 upper + lower``; return the scale of the weighted sum.

    All arrays but ``visible`` have as many slots, a multiple of 16, of which those from ``begin`` to ``end`` - 1 are
    seen; ``visible`` is empty, or says for the last ``visible.size`` of these whether they may be. The scale of each
    value is folded into its weight.
    """
    top = _scores_seen(sums, query_scale, key_scales, begin, end, visible, scratch)
    count, place = sums.size // LANES, scratch.ctypes.data
    found: tuple[np.int32, np.float32] = powers(  # type: ignore[call-arg, unused-ignore]
        place, value_scales.ctypes.data, top, count
    )
    total, largest = found
    if largest <= np.float32(0.0):
        upper[: sums.size] = 0
        lower[: sums.size] = 0
        return np.float32(0.0)
    weighted_total = steps(place, _GRID / largest, count)  # type: ignore[call-arg, unused-ignore]
    ratio = WEIGHT_TOTAL / np.float32(weighted_total)
    weights(place, ratio, upper.ctypes.data, lower.ctypes.data, count)  # type: ignore[call-arg, unused-ignore]
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
    parts: NDArray[np.int8],
    scratch: NDArray[np.float32],
    out: NDArray[np.float32],
) -> None:
    """Attention of rows of one stream and key head; rows ``r * groups + g`` share slot ``slots[r]``.

    Row r sees the slots from ``first[r]`` to ``slots[r]``; with a tree mask (``visible`` not empty) those
    from ``base`` on only where ``visible[r, slot - base]``. ``out`` is (rows * groups, width); ``sums`` and ``parts``
    (two rows for one) are room.
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
            query_scales[row] = attention_weights(
                sums[row, :padded],
                query_scales[row],
                key_scales[start : start + padded],
                value_scales[start : start + padded],
                begin,
                end,
                mask,
                scratch,
                parts[row],
                parts[count + row],
            )
    mixed = np.empty((2 * count, width), np.int32)
    product_at(
        parts.ctypes.data, parts.shape[1], values.ctypes.data + start * 16, values.shape[1] * 64, padded,
        width // 16, mixed.ctypes.data, width, 2 * count,
    )  # fmt: skip
    for row in range(count):
        for i in range(width):
            total = np.int32(np.int32(mixed[row, i] * np.int32(256)) + mixed[count + row, i])
            out[row, i] = np.float32(total) * query_scales[row]
