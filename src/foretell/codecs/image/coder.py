"""The coder of a plane: every sample as a few binary decisions, each mixed from all that is known.

The first decision is whether the sample reaches the rounded centre of the prediction, the next ones ask on that side
for ever farther thresholds, spaced by the scale of recent errors, and when a sample is known to lie between two
of them the rest is halved. So a sample takes about as many decisions as it has bits of
surprise. The decoder runs the same function as the encoder and differs only in where the bit comes from.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.image.contexts import (
    agreement,
    aim_lines,
    count_histories,
    count_seen,
    expect_lines,
    fill_contexts,
    find_histories,
    find_lines,
    learn_value,
    quantised,
    seen_key,
    texture_of,
    updated,
)
from foretell.codecs.image.hints import prefetch
from foretell.codecs.image.least_squares import BLOCK, accumulate, close_block, solve_block
from foretell.codecs.image.model import (
    CONTEXTS,
    FINALS,
    FIRST_COUNT,
    HISTORIES,
    INPUTS,
    LANES,
    LARGEST,
    NETWORK,
    NODE_CLASSES,
    NODES,
    OWN_COUNT,
    PREDICTORS,
    REFERENCES,
    REFINE_STARTS,
    SECOND_COUNT,
    SET_STARTS,
    SETS,
    SINGLE,
    SMOOTH,
    WIDTH,
    PlaneModel,
)
from foretell.codecs.image.network import fill_network, run_network
from foretell.codecs.image.planes import ABOVE, SIDE, Picture
from foretell.codecs.image.predict import (
    CENTRE,
    FAST,
    FIRST_SIMPLE,
    SLOW,
    gather,
    learn_sample,
    measure,
    predict,
    scale_class,
    sharpen,
)
from foretell.codecs.image.rows import make_mix, make_train
from foretell.codecs.image.tables import CLASSES, OFFSETS, REACH, STEPS, SURVIVAL, UNARY
from foretell.codecs.image.weights import COMPONENTS
from foretell.entropy.binary import HIGH, LOW, POSITION, decode_bit, encode_bit
from foretell.entropy.counters import map_update
from foretell.entropy.logistic import SQUASH, STRETCH, STRETCH_LIMIT
from foretell.entropy.mixer import REFINE_STEPS, refine, refine_update
from foretell.uncounted import compiled, inlined_late

_F = np.float32
_ZERO, _HALF, _ONE = _F(0), _F(0.5), _F(1)
_EDGE = _F(REACH * STEPS)
_LEAST_P, _MOST_P = 24, 65512
_AT_HISTORIES: Final = SMOOTH + CONTEXTS
_AT_SEEN: Final = _AT_HISTORIES + HISTORIES
_AT_ONE: Final = _AT_SEEN + 1
_AT_PRIOR: Final = _AT_ONE + 1
_REFINE_SHIFT: Final = 6
_FINAL_RATE: Final = 6
_MAP_LIMIT: Final = 255
_CONTEXT_LIMIT: Final = 127
CONFIDENCE = np.array([0] + [512 * n // (2 * n + 3) for n in range(1, 1024)], np.int16)
"""Weight, of 256, of what a context has seen n times."""
COARSE_STRETCH = STRETCH[8::16].copy()
"""STRETCH for 12 bits, small enough to stay in the first cache."""

_TAIL = 2048
_OUTER = 65536 - _TAIL - 4096 - _TAIL
TAIL_STRETCH = np.concatenate([STRETCH[:_TAIL], COARSE_STRETCH, STRETCH[-_TAIL:]])
"""STRETCH for all of the smallest and largest probabilities, and every sixteenth of the others between them."""

PROBABILITIES = SQUASH.astype(np.uint16)
"""SQUASH in half the room."""
_mix_inputs, _train_inputs = make_mix(INPUTS), make_train(INPUTS)
_mix_finals, _train_finals = make_mix(FINALS), make_train(FINALS)

SAMPLE_BYTES: Final = 96
"""Most bytes that coding one sample can write."""


@inlined_late
def open_lanes(model: PlaneModel) -> None:
    """Begin a sample: all of every distribution lies before the first threshold's far side."""
    for k in range(LANES):
        model.near[k] = _ONE
        model.far[k] = _ZERO


@inlined_late
def smooth_inputs(model: PlaneModel, threshold: int, up: bool) -> int:
    """Logistic values of reaching the threshold under each distribution; returns the prior.

    Distributions are looked at from the side of the first threshold on which the sample lies (``up``: above it), so
    that probabilities in the tails keep their relative precision.
    """
    near, far, inner, at = model.near, model.far, model.inner, model.at
    sign = _ONE if up else -_ONE
    for k in range(LANES):
        z = (_F(threshold) - model.places[k]) * (model.rates[k] * sign)
        at[k] = np.int32(min(max(z, -_EDGE), _EDGE) + _EDGE)
    for k in range(LANES):
        inner[k] = SURVIVAL[np.uintp(at[k])]
    beyond, total = model.beyond, model.total
    for k in range(LANES):
        beyond[k] = inner[k] - far[k]
        total[k] = near[k] - far[k]
    beyond_all, total_all = _ZERO, _ZERO
    for k in range(COMPONENTS):
        beyond_all = beyond_all + model.shares[k] * beyond[SINGLE + k]
        total_all = total_all + model.shares[k] * total[SINGLE + k]
    beyond[SINGLE], total[SINGLE] = beyond_all, total_all
    for k in range(LANES):
        p = beyond[k] / total[k] if total[k] > _ZERO else _HALF
        p = p if up else _ONE - p
        place = min(max(np.int32(p * _F(65536)), np.int32(_LEAST_P)), np.int32(_MOST_P))
        inside = (place >> 4) + _TAIL
        outside = place if place < _TAIL else place - _OUTER
        at[k] = inside if _TAIL <= place < 65536 - _TAIL else outside
    for k in range(SMOOTH):
        model.inputs[k] = TAIL_STRETCH[np.uintp(at[k])]
    prior: int = (np.int64(model.inputs[SINGLE]) * 2 + model.inputs[SINGLE - 1] + model.inputs[1]) >> 2
    return prior


@inlined_late
def narrow_lanes(model: PlaneModel, phase: int, side: int, bit: int) -> None:
    """Keep of every distribution what a decision leaves."""
    near, far, inner = model.near, model.far, model.inner
    if phase == 0:
        for k in range(LANES):
            near[k] = inner[k] if bit else _ONE - inner[k]
    elif bit == side:
        for k in range(LANES):
            near[k] = inner[k]
    else:
        for k in range(LANES):
            far[k] = inner[k]


@inlined_late
def context_inputs(model: PlaneModel, entry: int, prior: int) -> None:
    """How far each context's experience departs from the prior; nothing where it has none."""
    first = np.uint32(np.int64(PROBABILITIES[np.uintp(prior + STRETCH_LIMIT)]) << 16)
    for k in range(CONTEXTS):
        place = np.uintp(model.slots[k] + entry)
        cell = model.lines[place]
        count = np.int64(cell & 1023)
        cell = first if count == 0 else cell
        model.lines[place] = cell
        departure = np.int64(COARSE_STRETCH[np.uintp(cell >> 20)]) - prior
        model.inputs[SMOOTH + k] = (departure * np.int64(CONFIDENCE[np.uintp(count)])) >> 8
    for k in range(HISTORIES + 1):
        cell_number = model.history_cells[k]
        known = (cell_number >> 3) % 81
        value = np.int64(COARSE_STRETCH[np.uintp(np.int64(model.history_maps[np.uintp(cell_number)]) >> 20)])
        model.inputs[_AT_HISTORIES + k] = value if known > 0 else 0
    model.inputs[_AT_ONE] = 256
    model.inputs[_AT_PRIOR] = prior


@inlined_late
def mixed(model: PlaneModel, kind: int) -> int:
    """Logistic value of all inputs, mixed by every set and then together."""
    for k in range(SETS):
        x = _limited(_mix_inputs(model.weights, model.rows[k] * INPUTS, model.inputs))
        model.finals[k] = x
        model.set_p[k] = PROBABILITIES[np.uintp(x + STRETCH_LIMIT)]
    model.finals[SETS] = 256
    return _limited(_mix_finals(model.final_weights, kind * FINALS, model.finals))


@inlined_late
def _limited(total: int) -> int:
    """Logistic value of a sum of inputs with weights."""
    return min(max((np.int64(total) + 128) >> 8, -STRETCH_LIMIT), STRETCH_LIMIT)


@inlined_late
def _step(error: int, rate: int) -> int:
    return np.int32((error * rate) >> 8)


@inlined_late
def _expect_rows(model: PlaneModel, by_node: int, by_error: int) -> None:
    """Begin to load what the mixers and refiners of a decision know."""
    for k in (0, 1, 4, 5):
        prefetch(model.weights, model.rows[k] * INPUTS)
        prefetch(model.weights, model.rows[k] * INPUTS + INPUTS - 1)
    for i in range(0, REFINE_STEPS, 16):
        prefetch(model.refiner, by_node * REFINE_STEPS + i)
        prefetch(model.refiner, by_error * REFINE_STEPS + i)


@inlined_late
def learn_decision(model: PlaneModel, entry: int, kind: int, p_mixed: int, bit: int, rate: int) -> None:
    """Everything that took part in a decision learns its outcome."""
    for k in range(CONTEXTS):
        place = np.uintp(model.slots[k] + entry)
        model.lines[place] = updated(np.int64(model.lines[place]), bit, _CONTEXT_LIMIT)
    for k in range(HISTORIES + 1):
        cell = np.uintp(model.history_cells[k])
        model.history_maps[cell] = map_update(np.int64(model.history_maps[cell]), bit, _MAP_LIMIT)
    for k in range(SETS):
        step = _step((bit << 16) - model.set_p[k], rate)
        _train_inputs(model.weights, model.rows[k] * INPUTS, model.inputs, step)
    step = _step((bit << 16) - p_mixed, _FINAL_RATE)
    _train_finals(model.final_weights, kind * FINALS, model.finals, step)
    for k in range(2):
        refine_update(model.refiner, model.refined[k], bit, _REFINE_SHIFT)


@inlined_late
def code_sample(
    decoding: bool,
    model: PlaneModel,
    picture: Picture,
    coder: NDArray[np.uint64],
    code: NDArray[np.uint8],
    y: int,
    x: int,
    value: int,
    scale: int,
    middle: int,
) -> int:
    """Code one sample, whose contexts are ready, or decode it; return its value."""
    largest = model.fixed[LARGEST]
    c_first, c_second = picture.first[y, x], picture.second[y, x]
    error = picture.own_error
    q_first = quantised(picture.first_error[y, x])
    q_west = quantised(error[y, x - 1])
    q_both = quantised(error[y, x - 1] + error[y - 1, x])
    centres = model.centres
    q_slow = quantised(np.int64((centres[SLOW] - centres[FAST]) * _F(2)))
    q_simple = quantised(np.int64(centres[FAST] - centres[FIRST_SIMPLE]))
    key = seen_key(model, c_first, c_second)
    alike = agreement(model, picture, y, x) * 4 + min(
        abs((c_first if model.fixed[REFERENCES] > 0 else np.int64(picture.own[y, x - 1])) - middle), 3
    )
    # Mixers that begin trained have less to learn in a hurry.
    rate = 60 + ((1 << 21) if model.fixed[NETWORK] else (1 << 22)) // (model.seen_samples[0] + (1 << 14))
    low, high = 0, largest
    side, steps, phase, path = 0, 0, 0, 1
    first = min(max(middle, 1), largest)
    threshold, entry, salt, known_salt = first, 1, 0, -1
    open_lanes(model)
    while low < high:
        if phase == 1:
            threshold = first + OFFSETS[scale, steps] if side == 1 else first - OFFSETS[scale, steps]
            if not low < threshold <= high:
                phase = 2
            elif steps < 7:
                entry = 2 + side * 7 + steps
            else:
                entry, salt = steps - 6, 1 + side
        if phase == 2:
            threshold = (low + high + 1) >> 1
            entry, salt = path, 4 + side * 16 + steps
        if salt != known_salt:
            if known_salt >= 0:
                aim_lines(model, salt)
            find_lines(model)
            known_salt = salt
        node = (
            min(side * 16 + steps + 1, 33) if phase == 1 else 0 if phase == 0 else 64 + (side * 15 + steps) * 16 + entry
        )
        kind = 0 if phase == 0 else 1 + side * 14 + steps if phase == 1 else 29 + side * 8 + min(steps, 7)
        wide = 0
        while wide < 7 and (high - low) >> wide:
            wide += 1
        rows, cells = model.rows, model.history_cells
        rows[0] = SET_STARTS[0] + kind * CLASSES + scale
        rows[1] = SET_STARTS[1] + kind * 64 + abs(q_first - 8) * 8 + abs(q_both - 8)
        rows[4] = SET_STARTS[4] + kind * 8 + max(abs(q_slow - 8), abs(q_simple - 8))
        rows[5] = SET_STARTS[5] + kind * 64 + alike
        by_node = REFINE_STARTS[0] + node * CLASSES + scale
        by_error = REFINE_STARTS[1] + kind * 256 + q_west * 16 + q_first
        _expect_rows(model, by_node, by_error)
        if phase == 1 and (threshold - low > 1 if side == 1 else high > threshold):
            expect_lines(model, 4 + side * 16 + steps)
        prior = smooth_inputs(model, threshold, phase == 0 or side == 1)
        count_histories(model, low, threshold, high, wide)
        seen = count_seen(model, key, low, threshold, high, wide)
        context_inputs(model, entry, prior)
        rows[2] = SET_STARTS[2] + (seen * 9 + (cells[0] >> 3) % 9) * 16 + wide * 2 + (1 if phase == 0 else 0)
        rows[3] = SET_STARTS[3] + (cells[2] >> 3) % 81 * 16 + wide * 2 + (1 if phase == 0 else 0)
        x_mixed = mixed(model, kind)
        p_mixed = np.int64(PROBABILITIES[np.uintp(x_mixed + STRETCH_LIMIT)])
        p = 2 * p_mixed + 2
        p += refine(model.refiner, by_node, x_mixed, model.refined, 0)
        p += refine(model.refiner, by_error, x_mixed, model.refined, 1)
        p = min(max(p >> 2, 1), 65535)
        if decoding:
            bit = decode_bit(coder, code, p)
        else:
            bit = 1 if value >= threshold else 0
            encode_bit(coder, code, bit, p)
        learn_decision(model, entry, kind, p_mixed, bit, rate)
        narrow_lanes(model, phase, side, bit)
        if bit:
            low = threshold
        else:
            high = threshold - 1
        if phase == 0:
            phase, side = 1, bit
        elif phase == 1:
            if bit == side:
                steps += 1
                if steps == UNARY:
                    steps, phase = UNARY - 1, 2
            else:
                phase = 2
        else:
            path = 2 * path + bit
            if path > 15:
                path = 1
    learn_value(model, key, low)
    return low


@compiled
def spent(coder: NDArray[np.uint64]) -> float:
    """Bits that a code has taken so far."""
    return 8.0 * np.float64(coder[POSITION]) + 64.0 - np.log2(np.float64(coder[HIGH] - coder[LOW]) + 1.0)


@compiled
def code_rows(
    decoding: bool,
    model: PlaneModel,
    picture: Picture,
    coder: NDArray[np.uint64],
    code: NDArray[np.uint8],
    start: int,
    end: int,
    costs: NDArray[np.float32],
) -> None:
    """Code or decode the rows from ``start`` to ``end`` of a plane.

    The bits of every sample are added to ``costs`` (rows, width), unless that has no rows.
    """
    own, width, fixed = picture.own, model.fixed[WIDTH], model.fixed
    n = fixed[OWN_COUNT] + fixed[FIRST_COUNT] + fixed[SECOND_COUNT]
    for row in range(start, end):
        y = row + ABOVE
        now = row & 1
        begin_row(model, own, y, now)
        for column in range(width):
            x = column + SIDE
            if column % BLOCK == 0:
                solve_block(model.above, model.row, column // BLOCK, n, model.work, model.scaled, model.fit)
            find_histories(model, picture, y, x)
            base = gather(model, picture, y, x)
            predict(model, picture, base, y, x)
            measure(model, now, x)
            middle = np.int64(model.centres[CENTRE] + _F(0.5))
            part = np.int64((model.centres[CENTRE] - _F(middle) + _F(0.5)) * _F(8)) & 7
            texture = texture_of(own, middle, y, x)
            bias = sharpen(model, picture, texture, y, x)
            scale = scale_class(model.scales[CENTRE])
            fill_contexts(model, picture, middle, part, scale, texture, y, x)
            aim_lines(model, 0)
            if fixed[NETWORK]:
                fill_network(model, picture, base, bias, y, x)
                run_network(model)
            before = spent(coder) if costs.size else 0.0
            value = code_sample(decoding, model, picture, coder, code, y, x, np.int64(own[y, x]), scale, middle)
            if costs.size:
                costs[row, column] += _F(spent(coder) - before)
            own[y, x] = value
            picture.own_error[y, x] = value - middle
            weight = learn_sample(model, picture, value, base, texture, y, now, x)
            accumulate(model.sums, model.features, model.scaled_features, n, weight)
            if column % BLOCK == BLOCK - 1 or column == width - 1:
                close_block(model.above, model.row, model.sums, column // BLOCK, n)
        end_row(model, own, y, now)


@inlined_late
def begin_row(model: PlaneModel, own: NDArray[np.int32], y: int, now: int) -> None:
    """Fill what lies left of a row, and forget the sums of the row above."""
    for i in range(SIDE):
        own[y, i] = own[y - 1, SIDE] if y > ABOVE else 0
        for k in range(PREDICTORS):
            model.missed[now, i, k] = model.missed[1 - now, SIDE, k]
    model.row[:] = _ZERO


@inlined_late
def end_row(model: PlaneModel, own: NDArray[np.int32], y: int, now: int) -> None:
    """Fill what lies right of a row."""
    end = SIDE + model.fixed[WIDTH]
    for i in range(end, end + SIDE):
        own[y, i] = own[y, end - 1]
        for k in range(PREDICTORS):
            model.missed[now, i, k] = model.missed[now, end - 1, k]


assert NODES > 64 + 30 * 16
assert NODE_CLASSES >= 29 + 16
