"""What the coder of a plane remembers: bits seen in contexts, and values seen in contexts.

A *line* of the table holds the decisions of one context: a check and 15 entries of 22 bits of probability and 10 of
count. A *history* holds the last values that followed a context of exact samples; how many of them
lie on either side of a threshold says more than any smooth prediction where only some values ever occur.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.image.hints import prefetch
from foretell.codecs.image.model import (
    CONTEXTS,
    HISTORIES,
    HISTORY_BITS,
    HISTORY_VALUES,
    LARGEST,
    LINE,
    REFERENCES,
    PlaneModel,
)
from foretell.codecs.image.planes import Picture
from foretell.codecs.image.predict import CENTRE, FAST, FIRST_SIMPLE, SLOW
from foretell.codecs.image.rows import count_between, to_front
from foretell.entropy.context_table import hash_pair
from foretell.entropy.counters import DIVISORS
from foretell.uncounted import inlined_late

SEEN_REACH = 16
"""Values on either side of a threshold of which the coder knows whether they ever occurred."""


_QUANTISED_REACH = 64
QUANTISED = np.array([8 + (1 if d > 0 else -1) * abs(d).bit_length() for d in range(-64, 65)], np.int8)
"""Differences from -64 to 64 on a logarithmic scale with their sign, as 1 ... 15."""


@inlined_late
def quantised(d: int) -> int:
    """Difference on a logarithmic scale with its sign, shifted to 1 ... 15."""
    place = min(max(d, -_QUANTISED_REACH), _QUANTISED_REACH) + _QUANTISED_REACH
    return np.int64(QUANTISED[np.uintp(place)])


@inlined_late
def texture_of(own: NDArray[np.int32], middle: int, y: int, x: int) -> int:
    """Which of eight neighbours and extrapolations lie above the centre."""
    west, north = own[y, x - 1], own[y - 1, x]
    t = (1 if west > middle else 0) | (2 if north > middle else 0) | (4 if own[y - 1, x - 1] > middle else 0)
    t |= (8 if own[y - 1, x + 1] > middle else 0) | (16 if own[y, x - 2] > middle else 0)
    t |= (32 if own[y - 2, x] > middle else 0) | (64 if 2 * north - own[y - 2, x] > middle else 0)
    return t | (128 if 2 * west - own[y, x - 2] > middle else 0)


@inlined_late
def agreement(model: PlaneModel, picture: Picture, y: int, x: int) -> int:
    """Which of four neighbours are just what the first reference has there, or without one, equal to a neighbour."""
    own, first = picture.own, picture.first
    west, north, northwest = own[y, x - 1], own[y - 1, x], own[y - 1, x - 1]
    if model.fixed[REFERENCES] > 0:
        flags = (1 if west == first[y, x - 1] else 0) | (2 if north == first[y - 1, x] else 0)
        flags |= (4 if northwest == first[y - 1, x - 1] else 0) | (8 if own[y - 1, x + 1] == first[y - 1, x + 1] else 0)
    else:
        flags = (1 if west == northwest else 0) | (2 if north == northwest else 0)
        flags |= (4 if north == own[y - 1, x + 1] else 0) | (8 if west == own[y, x - 2] else 0)
    return flags


@inlined_late
def fill_contexts(
    model: PlaneModel, picture: Picture, middle: int, part: int, scale: int, texture: int, y: int, x: int
) -> None:
    """Hashes of all contexts of a sample; ``part`` is the eighth of the centre beyond ``middle``."""
    own, first, error, centres = picture.own, picture.first, picture.own_error, model.centres
    west, north, northwest, northeast = own[y, x - 1], own[y - 1, x], own[y - 1, x - 1], own[y - 1, x + 1]
    e_w, e_n = error[y, x - 1], error[y - 1, x]
    e_first, e_second = picture.first_error[y, x], picture.second_error[y, x]
    c_first, c_second = first[y, x], picture.second[y, x]
    coarse = scale >> 1
    centre = centres[CENTRE]
    d_fast = quantised(np.int64((centres[FAST] - centre) * np.float32(2)))
    d_slow = quantised(np.int64((centres[SLOW] - centre) * np.float32(2)))
    d_simple = quantised(np.int64(centres[FIRST_SIMPLE]) - middle)
    q_first, q_second = quantised(e_first), quantised(e_second)
    c = model.contexts
    c[0] = (scale * 8 + part) * 16 + d_simple
    c[1] = (quantised(e_w) | quantised(e_n) << 4) * 40 + coarse
    c[2] = hash_pair(e_first + 70000, e_second + 70000)
    c[3] = (q_first | q_second << 4 | quantised(e_w + e_n) << 8) * 40 + coarse
    c[4] = texture * 40 + coarse
    c[5] = hash_pair(middle, hash_pair(c_first, c_second))
    c[6] = hash_pair(hash_pair(west, north), c_first)
    c[7] = (d_fast | d_slow << 4) * 640 + d_simple * 40 + coarse
    c[8] = (quantised(northeast - north) | quantised(north - northwest) << 4) * 256 + (
        quantised(west - northwest) | quantised(west - own[y, x - 2]) << 4
    )
    if model.fixed[REFERENCES] > 0:
        c[9] = (quantised(first[y, x + 1] - c_first) | quantised(first[y + 1, x] - c_first) << 4) * 256 + (
            quantised(c_first - first[y, x - 1]) | quantised(c_first - first[y - 1, x]) << 4
        )
    else:
        c[9] = hash_pair(west, hash_pair(north, northwest))
    flags = agreement(model, picture, y, x)
    offset = min(max((c_first if model.fixed[REFERENCES] > 0 else west) - middle, -32), 32) + 32
    c[10] = (flags << 7 | offset) * 40 + coarse
    c[11] = flags << 16 | (x & 7) << 12 | (y & 7) << 8 | offset
    for k in range(CONTEXTS):
        c[k] = hash_pair(c[k] & 0xFFFFFFFF, k)


@inlined_late
def find_histories(model: PlaneModel, picture: Picture, y: int, x: int) -> None:
    """Choose the histories of a sample."""
    own = picture.own
    west, north, northwest, northeast = own[y, x - 1], own[y - 1, x], own[y - 1, x - 1], own[y - 1, x + 1]
    c_first, c_second = picture.first[y, x], picture.second[y, x]
    places, bits = model.history_places, model.fixed[HISTORY_BITS]
    near = hash_pair(west, north)
    places[0] = hash_pair(c_first, c_second)
    places[1] = hash_pair(near, c_first)
    places[2] = hash_pair(hash_pair(near, hash_pair(northwest, northeast)), c_first + c_second)
    for k in range(HISTORIES):
        places[k] = ((k << bits) + (places[k] >> (32 - bits))) * HISTORY_VALUES
        prefetch(model.histories, places[k])
    key = seen_key(model, c_first, c_second) * model.seen.shape[1]
    prefetch(model.seen, key)
    prefetch(model.seen, key + model.seen.shape[1] - 1)


@inlined_late
def seen_key(model: PlaneModel, c_first: int, c_second: int) -> int:
    """Row of the table of values seen, from the samples of the references at a place."""
    # A reference may have larger values than the plane itself, for which the table is made.
    key = (c_first & 255) if model.fixed[REFERENCES] > 0 else 0
    return key * 256 + (c_second & 255) if model.fixed[REFERENCES] == 2 else key


@inlined_late
def aim_lines(model: PlaneModel, salt: int) -> None:
    """Begin to load the line of every context for a group of decisions."""
    mask = model.lines.size // LINE - 1
    for k in range(CONTEXTS):
        h = hash_pair(model.contexts[k], salt)
        model.checks[k] = h | 1
        model.slots[k] = _slot(h, mask)
        prefetch(model.lines, model.slots[k])
        prefetch(model.lines, model.slots[k] ^ LINE)


@inlined_late
def expect_lines(model: PlaneModel, salt: int) -> None:
    """Begin to load the lines of a group of decisions that may be next."""
    mask = model.lines.size // LINE - 1
    for k in range(CONTEXTS):
        prefetch(model.lines, _slot(hash_pair(model.contexts[k], salt), mask))


@inlined_late
def _slot(h: int, mask: int) -> int:
    return ((h * 0x9E3779B1 >> 20) & mask) * LINE


@inlined_late
def find_lines(model: PlaneModel) -> None:
    """Find the lines that were aimed at; unknown contexts take the less used of two lines."""
    lines = model.lines
    for k in range(CONTEXTS):
        check, place = np.uint32(model.checks[k]), model.slots[k]
        if lines[np.uintp(place)] != check:
            other = place ^ LINE
            if lines[np.uintp(other)] == check:
                place = other
            else:
                if (lines[np.uintp(other + 1)] & 1023) < (lines[np.uintp(place + 1)] & 1023):
                    place = other
                lines[np.uintp(place)] = check
                for i in range(1, LINE):
                    lines[np.uintp(place + i)] = 0
            model.slots[k] = place


@inlined_late
def count_histories(model: PlaneModel, low: int, threshold: int, high: int, wide: int) -> None:
    """Cell of every history: how many of its values, not below ``low`` nor above ``high``, lie on each side."""
    for k in range(HISTORIES):
        place = model.history_places[k]
        below = count_between(model.histories, place, low + 1, threshold + 1)
        above = count_between(model.histories, place, threshold + 1, high + 2)
        model.history_cells[k] = ((k * 9 + below) * 9 + above) * 8 + wide


@inlined_late
def count_seen(model: PlaneModel, key: int, low: int, threshold: int, high: int, wide: int) -> int:
    """Cell of the values seen; returns how many lie on each side, below 8 each, as one number."""
    below = above = 0
    if model.fixed[LARGEST] < 256:
        first = max(low, threshold - SEEN_REACH)
        last = min(high, threshold + SEEN_REACH - 1)
        below = min(_ones(_window(model.seen, key, first) & ((1 << (threshold - first)) - 1)), 7)
        above = min(_ones(_window(model.seen, key, threshold) & ((1 << (last + 1 - threshold)) - 1)), 7)
    model.history_cells[HISTORIES] = ((HISTORIES * 9 + below) * 9 + above) * 8 + wide
    return below * 8 + above


@inlined_late
def _window(seen: NDArray[np.uint32], key: int, start: int) -> int:
    """32 or more bits of what was seen, from a value on."""
    word = start >> 5
    both = np.int64(seen[np.uintp(key), np.uintp(word)]) | np.int64(seen[np.uintp(key), np.uintp(word + 1)]) << 32
    return (both >> (start & 31)) & 0xFFFFFFFF


@inlined_late
def _ones(bits: int) -> int:
    """Number of ones among 16 bits."""
    bits = bits - ((bits >> 1) & 0x5555)
    bits = (bits & 0x3333) + ((bits >> 2) & 0x3333)
    bits = (bits + (bits >> 4)) & 0x0F0F
    return (bits + (bits >> 8)) & 31


@inlined_late
def learn_value(model: PlaneModel, key: int, value: int) -> None:
    """Put a value at the front of its histories and note that it was seen."""
    for k in range(HISTORIES):
        to_front(model.histories, model.history_places[k], value + 1)
    if model.fixed[LARGEST] < 256:
        model.seen[np.uintp(key), np.uintp(value >> 5)] |= np.uint32(1 << (value & 31))


@inlined_late
def updated(entry: int, bit: int, limit: int) -> int:
    """Entry after a bit, as for the maps of the byte codec but with half the first step."""
    count = entry & 1023
    p = entry >> 10
    p += (((bit << 22) - p) * np.int64(DIVISORS[np.uintp(count + 1)])) >> 16
    return (p << 10) | (count + (1 if count < limit else 0))
