"""From queries and keys to attention weights: a softmax in integers.

A row of attention weights becomes integers that sum to about 127 * 2**8, so that the weighted sum of values stays
below 2**24. For the kernels of 8-bit products they are written as 256 times an upper and a lower byte. Scores are in
units of log 2, and are searched span by span while they are in the processor's first cache.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled, inlined_late
from foretell.exact.memory import aligned_float32, aligned_int8, aligned_int32
from foretell.exact.near import LOWEST, highest, near_powers, near_steps, near_weights, scan_all, scan_visible
from foretell.exact.product import product_at
from foretell.exact.vectors import LANES
from foretell.pages import LINE

WEIGHT_TOTAL = np.float32(32512.0)
"""127 * 256, so that the upper byte of a weight is at most 127."""
ATTENTION_ROWS = 16
"""Rows of one stream that attend together."""
SPAN_SCORES = 6144
"""Scores that are computed and then searched together: so many fit the processor's first cache."""
_GRID = np.float32(65536.0)
_GRID_UNIT = np.float32(2.0**-16)
_MARGIN = np.float32(17.0)
"""Slots so far below the largest score have a power of zero, with one to spare for rounding."""
_SLACK = np.float32(2.0**-20)
_SPANS_TRUSTED = 8
"""Spans that are searched before the largest score so far is looked at again."""
_ZERO = np.float32(0.0)


class Room(NamedTuple):
    """Where rows attend: R rows, counted for each of a key head's queries, and C slots and a few more."""

    sums: NDArray[np.int32]  # rows of ( slots of a span and 16 more), laid out anew for each call
    weights: NDArray[np.int8]  # (2 R, C): for N rows, N of upper bytes and then N of lower bytes
    scores: NDArray[np.float32]  # (R, C): of vectors of slots that are kept
    places: NDArray[np.int32]  # (R, C / 16): which vectors these are
    counts: NDArray[np.int64]  # (R,): how many these are
    tops: NDArray[np.float32]  # (R, 16): the largest scores
    least: NDArray[np.float32]  # (R,): what a score has to reach


@compiled
def new_room(highest_slot: int, groups: int) -> Room:
    """Room for rows up to a slot, each with ``groups`` queries to a key head."""
    # Rows a power of two apart would fall into the same sets of the processor's cache.
    capacity = (highest_slot // 256 + 1) * 256 + 2 * LANES
    rows = ATTENTION_ROWS * groups
    return Room(
        aligned_int32(1, SPAN_SCORES + rows * (LINE + LANES))[0],
        aligned_int8(2 * rows, capacity + LINE // 2),
        aligned_float32(rows, capacity),
        np.empty((rows, capacity // LANES), np.int32),
        np.empty(rows, np.int64),
        aligned_float32(rows, LANES),
        np.empty(rows, np.float32),
    )


@compiled
def weigh(
    queries: NDArray[np.int8],
    query_scales: NDArray[np.float32],
    keys: NDArray[np.int8],
    key_scales: NDArray[np.float32],
    value_scales: NDArray[np.float32],
    bounds: NDArray[np.int64],
    visible: NDArray[np.bool_],
    room: Room,
) -> None:
    """Weights of rows of one stream and key head.

    Parameters
    ----------
    queries : ndarray of int8, shape (N * G, W)
        G to a row, N rows.
    query_scales : ndarray of float32, shape (N * G,)
        They become the scales of the weighted sums.
    keys, key_scales, value_scales
        Of the slots that may be seen, a multiple of 64; keys are packed, ``[slots / 16, W / 4, 16, 4]``.
    bounds : ndarray of int64, shape (N, 3)
        The slots that a row sees, from begin to end - 1, and for how many of the last ``visible`` speaks.
    visible : ndarray of bool, shape (N, tree size) or (0, 0)
        Which of these it does see.
    room : Room
        ``weights`` take the result.
    """
    count, width = queries.shape
    slots = key_scales.size
    _forget(room, count)
    span_slots = _span_slots(count, slots)
    spans = -(-slots // span_slots)
    for turn in range(spans):
        # The largest scores are those of the first slots and the last, as a rule.
        span = spans - turn if turn else 0
        begin, end = span * span_slots, min((span + 1) * span_slots, slots)
        product_at(
            queries.ctypes.data, width, keys.ctypes.data + begin * width, width * 16, width, (end - begin) // 16,
            room.sums.ctypes.data, span_slots + LANES, count,
        )  # fmt: skip
        _search(begin, end, span_slots + LANES, key_scales, bounds, visible, room, count)
        if turn < 3 or turn % _SPANS_TRUSTED == 0:
            for row in range(count):
                room.least[row] = _least(room.tops.ctypes.data + row * 4 * LANES, query_scales[row])
    _weigh_rows(query_scales, value_scales, room, count, slots)


@compiled
def attention_weights(
    sums: NDArray[np.int32],
    query_scale: np.float32,
    key_scales: NDArray[np.float32],
    value_scales: NDArray[np.float32],
    begin: int,
    end: int,
    visible: NDArray[np.bool_],
    upper: NDArray[np.int8],
    lower: NDArray[np.int8],
) -> np.float32:
    """Softmax of one row of integer scores as weights ``256 upper + lower``; return the scale of the weighted sum.

    All arrays but ``visible`` have as many slots, a multiple of 16, of which those from ``begin`` to ``end`` - 1 are
    seen; ``visible`` is empty, or says for the last ``visible.size`` of these whether they may be. The scale of each
    value is folded into its weight.
    """
    room, scales = new_room(sums.size, 1), np.full(1, query_scale, np.float32)
    bounds = np.array([[begin, end, visible.size]], np.int64)
    _forget(room, 1)
    for first in range(0, sums.size, LINE):
        last = min(first + LINE, sums.size)
        room.sums[: last - first] = sums[first:last]
        _search(first, last, LINE, key_scales, bounds, visible.reshape(1, -1), room, 1)
        room.least[0] = _least(room.tops.ctypes.data, query_scale)
    _weigh_rows(scales, value_scales, room, 1, sums.size)
    upper[: sums.size], lower[: sums.size] = room.weights[0, : sums.size], room.weights[1, : sums.size]
    return scales[0]


@compiled
def _span_slots(count: int, slots: int) -> int:
    """Slots in a span of so many rows: a multiple of 64, and at most all."""
    return min(slots, max(1, SPAN_SCORES // (count * LINE)) * LINE)


@compiled
def _forget(room: Room, count: int) -> None:
    """Nothing has been kept of so many rows."""
    room.tops[:count] = np.float32(LOWEST)
    room.least[:count] = np.float32(-np.inf)
    room.counts[:count] = 0


@compiled
def _search(
    begin: int,
    end: int,
    stride: int,
    key_scales: NDArray[np.float32],
    bounds: NDArray[np.int64],
    visible: NDArray[np.bool_],
    room: Room,
    count: int,
) -> None:
    """Keep of the slots begin ... end - 1, whose sums are in ``room``, what is near each row's largest score."""
    seen = np.empty((end - begin) // LANES, np.uint16)
    # Addresses, since an array that is handed on costs more than what is done with it.
    sums, tops = room.sums.ctypes.data, room.tops.ctypes.data
    scores, places = room.scores.ctypes.data, room.places.ctypes.data
    across, row_bytes, groups = room.places.strides[0], room.scores.strides[0], count // bounds.shape[0]
    vectors, scales, marks = (end - begin) // LANES, key_scales.ctypes.data + 4 * begin, seen.ctypes.data
    for r in range(bounds.shape[0]):
        hidden = bounds[r, 0] > begin or bounds[r, 1] - bounds[r, 2] < end
        if hidden:
            _mark(begin, end, bounds[r], visible[r if visible.shape[0] else 0 : r + 1], seen)
        for row in range(r * groups, (r + 1) * groups):
            found, place = room.counts[row], sums + row * 4 * stride
            kept = (scores + row * row_bytes + 64 * found, places + row * across + 4 * found, begin // LANES, vectors)
            fixed = (room.least[row], tops + row * 4 * LANES)
            if hidden:
                room.counts[row] += scan_visible(place, scales, marks, *fixed, *kept)  # type: ignore[call-arg, unused-ignore]
            else:
                room.counts[row] += scan_all(place, scales, marks, *fixed, *kept)  # type: ignore[call-arg, unused-ignore]


@compiled
def _mark(
    begin: int, end: int, bounds: NDArray[np.int64], visible: NDArray[np.bool_], seen: NDArray[np.uint16]
) -> None:
    """Which of the slots begin ... end - 1 a row sees; ``visible[0]`` speaks of the last within its bounds."""
    first, last, masked = bounds
    seen[:] = 0
    for slot in range(max(first, begin), min(last, end)):
        if slot < last - masked or visible[0, slot - last + masked]:
            seen[(slot - begin) // LANES] |= np.uint16(1 << (slot - begin) % LANES)


@inlined_late
def _least(tops: int, scale: np.float32) -> np.float32:
    """What a slot's score before scaling has to reach, given the largest ones so far."""
    if scale <= _ZERO:
        return np.float32(-np.inf)
    top = highest(tops) * scale  # type: ignore[call-arg, unused-ignore]
    least = (top - _MARGIN) / scale
    return np.float32(least - abs(least) * _SLACK)


@compiled
def _weigh_rows(
    query_scales: NDArray[np.float32], value_scales: NDArray[np.float32], room: Room, count: int, slots: int
) -> None:
    """From what was kept of each row to its weights; ``query_scales`` become the scales of the weighted sums."""
    for row in range(count):
        room.weights[row, :slots] = 0
        room.weights[count + row, :slots] = 0
        query_scales[row] = _weigh_row(
            room.scores.ctypes.data + row * room.scores.strides[0],
            room.places.ctypes.data + row * room.places.strides[0],
            room.counts[row],
            room.tops.ctypes.data + row * room.tops.strides[0],
            query_scales[row],
            value_scales.ctypes.data,
            room.weights.ctypes.data + row * room.weights.strides[0],
            room.weights.ctypes.data + (count + row) * room.weights.strides[0],
        )


@inlined_late
def _weigh_row(
    scores: int, places: int, count: int, tops: int, scale: np.float32, value_scales: int, upper: int, lower: int
) -> np.float32:
    """Weights of a row from ``count`` vectors that were kept; return the scale of the weighted sum."""
    if count == 0:
        return _ZERO
    top = highest(tops) * scale  # type: ignore[call-arg, unused-ignore]
    result: tuple[np.int32, np.float32] = near_powers(  # type: ignore[call-arg, unused-ignore]
        scores, places, value_scales, scale, top, count
    )
    total, largest = result
    if largest <= _ZERO:
        return _ZERO
    weighted_total = np.float32(near_steps(scores, _GRID / largest, count))  # type: ignore[call-arg, unused-ignore]
    ratio = WEIGHT_TOTAL / weighted_total
    near_weights(scores, places, ratio, upper, lower, count)  # type: ignore[call-arg, unused-ignore]
    return ((largest * _GRID_UNIT) * (weighted_total / WEIGHT_TOTAL)) / np.float32(total)
