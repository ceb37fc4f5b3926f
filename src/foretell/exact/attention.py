"""Attention over an 8-bit key and value cache, in integers from scores to values.

Queries, keys and values are quantised per token and head; :mod:`foretell.exact.softmax` says what weights are.

Cache layout, one layer: keys ``[stream, head, slot / 16, width / 4, 16, 4]`` and values
``[stream, head, width / 16, slot / 4, 16, 4]``, both packed as in :mod:`foretell.exact.product`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled
from foretell.exact.memory import aligned_int32
from foretell.exact.product import product_at
from foretell.exact.softmax import Room, weigh

SLOTS = 64
"""The cache has room for a multiple of so many slots, and attention reads it in such multiples."""


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
    room: Room,
    out: NDArray[np.float32],
) -> None:
    """Attention of rows of one stream and key head; rows ``r * groups + g`` share slot ``slots[r]``.

    Row r sees the slots from ``first[r]`` to ``slots[r]``; with a tree mask (``visible`` not empty) those
    from ``base`` on only where ``visible[r, slot - base]``. ``out`` is (rows * groups, width).
    """
    count, width = queries.shape
    rows = slots.size
    start = np.int64(first.min()) // SLOTS * SLOTS
    padded = ((np.int64(slots.max()) - start) // SLOTS + 1) * SLOTS
    bounds = np.empty((rows, 3), np.int64)
    for r in range(rows):
        bounds[r, 0], bounds[r, 1] = first[r] - start, slots[r] - start + 1
        bounds[r, 2] = slots[r] - base + 1 if visible.shape[0] > 0 else 0
    seen = slice(start, start + padded)
    weigh(
        queries, query_scales[:count], keys[start // 16 :], key_scales[seen], value_scales[seen], bounds, visible, room
    )
    mixed = aligned_int32(2 * count, width)
    product_at(
        room.weights.ctypes.data, room.weights.shape[1], values.ctypes.data + start * 16, values.shape[1] * 64, padded,
        width // 16, mixed.ctypes.data, width, 2 * count,
    )  # fmt: skip
    for row in range(count):
        for i in range(width):
            total = np.int32(np.int32(mixed[row, i] * np.int32(256)) + mixed[count + row, i])
            out[row, i] = np.float32(total) * query_scales[row]
