"""Coding a sample as a walk of binary decisions from the range of all samples down to one.

The first four decisions halve the mass of a reference distribution (the last centre at a middle scale), further ones
step outward in its tails or halve what is left. For each decision every centre of the mixture gives a
probability, and so do the network and counters under a few contexts; gated mixers weigh them and a refinement corrects
the outcome.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.audio.features import set_features
from foretell.codecs.audio.mixture import FLOOR, LEAST_SCALE, SCALE, Mixture, begin, cut, keep, set_parts, sum_centres
from foretell.codecs.audio.network import PARTS, Memory, Network, evaluate
from foretell.codecs.audio.prediction import STACKS
from foretell.codecs.audio.presets import Plan
from foretell.compilation import inlined
from foretell.entropy.binary import decode_bit, encode_bit
from foretell.entropy.counters import map_update
from foretell.entropy.logistic import STRETCH, squash
from foretell.entropy.mixer import REFINE_STEPS, mix, refine, refine_update, train
from foretell.uncounted import compiled, inlined_late

TREE = 16
"""Leaves of the tree of halvings; its nodes are 1 to 15."""
NODES = 48
"""Numbers of decisions: 1 to 15 in the tree, 16 to 27 and 28 to 39 outward, 40 to 47 halving what is left."""
FIRST_HALVING = 40
COUNTERS = 6
SETS = 3
SCALES = 128
"""Classes of the reference scale."""
_SET_ROWS = (NODES, SCALES * 4, 8 * NODES)
_SET_STARTS = (0, _SET_ROWS[0], _SET_ROWS[0] + _SET_ROWS[1])
_ROWS = sum(_SET_ROWS)
COUNTER_CONTEXTS = 288
COUNTER_LIMIT = 1023
REFERENCE_SCALE = 2
FIRST = 1 << 31 | 3

# ln(p / (1 - p)) at p = i / 16, and on outwards
CUTS = np.array(
    [
        -2.70805020110221,
        -1.9459101490553132,
        -1.4663370687934272,
        -1.0986122886681098,
        -0.7884573603642702,
        -0.5108256237659907,
        -0.25131442828090605,
        0.0,
        0.25131442828090605,
        0.5108256237659907,
        0.7884573603642702,
        1.0986122886681098,
        1.4663370687934272,
        1.9459101490553132,
        2.70805020110221,
    ]
)


class Coder(NamedTuple):
    """Adaptive state of the decisions, and scratch."""

    counters: NDArray[np.uint32]
    contexts: NDArray[np.int64]
    entries: NDArray[np.int64]
    weights: NDArray[np.int32]
    final_weights: NDArray[np.int32]
    refiner: NDArray[np.int32]
    inputs: NDArray[np.int32]
    finals: NDArray[np.int32]
    rows: NDArray[np.int64]
    at: NDArray[np.int64]
    residual: NDArray[np.float64]
    scale: NDArray[np.float64]
    latest: NDArray[np.float64]


def new_coder(plan: Plan, channels: int) -> Coder:
    """Coder that has seen nothing."""
    centres = plan.own.size + plan.taps.size + STACKS
    network = 1 if plan.network.size else 0
    inputs = (2 + centres + COUNTERS + network + 7) // 8 * 8
    weights = np.zeros((channels, _ROWS, inputs), np.int32)
    weights[:, :, 0] = 26000 if network else 52000
    if network:
        weights[:, :, 2 + centres + COUNTERS] = 26000
    finals = np.zeros((channels, NODES, 4), np.int32)
    finals[:, :, :SETS] = 65536 // SETS
    return Coder(
        np.full((channels, COUNTERS, COUNTER_CONTEXTS * NODES), FIRST, np.uint32),
        np.zeros(COUNTERS, np.int64),
        np.zeros(COUNTERS, np.int64),
        weights.reshape(channels, -1),
        finals.reshape(channels, -1),
        np.zeros((channels, NODES * SCALES * REFINE_STEPS), np.int32),
        np.zeros(inputs, np.int32),
        np.zeros(4, np.int32),
        np.zeros(SETS, np.int64),
        np.zeros(4, np.int64),
        np.zeros((channels, 4)),
        np.ones(channels),
        np.zeros((channels, 4)),
    )


@inlined_late
def _level(z: float) -> int:
    """Class of a normalised residual, 0 to 8."""
    a = abs(z)
    if a < 0.35:
        return 4
    step = 1 if a < 1.0 else 2 if a < 2.0 else 3 if a < 4.0 else 4
    return 4 + step if z > 0.0 else 4 - step


@inlined_late
def _octave(scale: float) -> int:
    """Class of a scale, four to an octave."""
    n = np.int64(scale * 64.0)
    bits = 0
    while n >> bits > 7:
        bits += 1
    return min(4 * bits + (n >> bits), SCALES - 1)


@inlined_late
def _set_contexts(
    coder: Coder, mixture: Mixture, channel: int, partner: int, ahead: int, centres: NDArray[np.float64]
) -> None:
    """Contexts of the counters for this sample."""
    last = centres.size - 1
    deviation = mixture.deviation[channel]
    middle = deviation[REFERENCE_SCALE * (last + 1) + last]
    scale = SCALE * middle + LEAST_SCALE
    coder.scale[channel] = scale
    ratio = deviation[last] / (middle + 0.01)
    volatility = 0
    for bound in (0.4, 0.6, 0.8, 1.0, 1.3, 1.7, 2.4):
        volatility += 1 if ratio > bound else 0
    own = coder.residual[channel]
    octave = _octave(scale)
    fraction = np.int64((centres[last] - np.floor(centres[last])) * 8.0)
    beside = _level(coder.residual[partner, 0]) if ahead else 0
    contexts = coder.contexts
    contexts[0] = volatility * 16 + beside
    contexts[1] = octave
    contexts[2] = fraction + 8 * min(octave, 31) if octave < 32 else 256 + fraction
    contexts[3] = _level(own[0]) * 9 + _level(own[1])
    contexts[4] = _level((centres[0] - centres[last]) / scale * 2.0) * 9 + _level(
        (centres[last - 1] - centres[last]) / scale * 2.0
    )
    contexts[5] = _level((centres[1 if last > 1 else 0] - centres[last]) / scale * 2.0) * 16 + beside
    coder.rows[0] = 0
    coder.rows[1] = _SET_STARTS[1] + octave * 4
    coder.rows[2] = _SET_STARTS[2] + volatility * NODES


@inlined
def _stretched(above: float, below: float) -> int:
    """Logistic value of a mass against another."""
    return STRETCH[np.uintp(np.int64(65535.0 * ((above + FLOOR) / ((above + below) + 2.0 * FLOOR))))]


@inlined_late
def _probability(coder: Coder, mixture: Mixture, channel: int, centres: int, scales: int, node: int, depth: int) -> int:
    """Probability, of 65536, that the sample lies above the cut."""
    inputs = coder.inputs
    sum_centres(mixture, channel, scales)
    above = below = 0.0
    for m in range(centres):
        a, b = mixture.above[m], mixture.below[m]
        above = above + a
        below = below + b
        inputs[2 + m] = _stretched(a, b)
    parts = mixture.parts
    if parts.size:
        a = b = 0.0
        for k in range(PARTS):
            c = mixture.centre.size - PARTS + k
            a = a + parts[k] * (mixture.below_high[c] - mixture.below_middle[c])
            b = b + parts[k] * (mixture.below_middle[c] - mixture.below_low[c])
        inputs[2 + centres + COUNTERS] = _stretched(a, b)
    inputs[0] = _stretched(above, below)
    inputs[1] = 256
    for i in range(COUNTERS):
        entry = coder.contexts[i] * NODES + node
        coder.entries[i] = entry
        inputs[2 + centres + i] = STRETCH[np.int64(coder.counters[channel, i, entry]) >> 16]
    weights = coder.weights[channel]
    for k in range(SETS):
        row = coder.rows[k] + (min(depth, 3) if k == 1 else node)
        coder.finals[k] = mix(weights, row * inputs.size, inputs)
    x = mix(coder.final_weights[channel], node * 4, coder.finals)
    p = squash(x)
    coder.at[2] = p
    octave = coder.contexts[1]
    refined = refine(coder.refiner[channel], node * SCALES + octave, x, coder.at, 0)
    coder.at[3] = min(max((p + refined + 1) >> 1, 1), 65535)
    return coder.at[3]


@inlined_late
def _learn_bit(coder: Coder, channel: int, node: int, depth: int, bit: int, rate: int) -> None:
    inputs = coder.inputs
    weights = coder.weights[channel]
    for k in range(SETS):
        row = coder.rows[k] + (min(depth, 3) if k == 1 else node)
        error = (bit << 16) - squash(coder.finals[k])
        train(weights, row * inputs.size, inputs, error, rate)
    train(coder.final_weights[channel], node * 4, coder.finals, (bit << 16) - coder.at[2], 12)
    refine_update(coder.refiner[channel], coder.at[0], bit, 7)
    for i in range(COUNTERS):
        entry = coder.entries[i]
        coder.counters[channel, i, entry] = map_update(np.int64(coder.counters[channel, i, entry]), bit, COUNTER_LIMIT)


@inlined_late
def _place(table: NDArray[np.int32], boundary: float, low: int, high: int) -> int:
    """First value, or number in the table, above a boundary; from ``low`` to ``high + 1``."""
    if table.size == 0:
        return np.int64(np.ceil(min(max(boundary, np.float64(low)), high + 1.0)))
    first, last = low, high + 1
    while first < last:
        middle = (first + last) >> 1
        if table[middle] > boundary:
            last = middle
        else:
            first = middle + 1
    return first


@inlined_late
def _next_cut(
    node: int, depth: int, outward: int, reference: float, scale: float, table: NDArray[np.int32], low: int, high: int
) -> tuple[int, int]:
    """Where the next decision cuts (first value of the upper part), and its number."""
    if node < TREE:
        # Node number i of depth d cuts at the quantile (2 i + 1) / 2 ** (d + 1).
        quantile = (2 * (node - (1 << depth)) + 1) * (TREE // 2 >> depth)
        return _place(table, reference + scale * CUTS[quantile - 1], low, high), node
    if outward != 0:
        reach = CUTS[TREE - 2]
        for _ in range(depth - 3):
            reach = reach * 1.5
        number = TREE + min(depth - 4, 11) + (12 if outward > 0 else 0)
        return _place(table, reference + scale * (reach * outward), low, high), number
    return (low + high + 1) >> 1, FIRST_HALVING + min(depth - 4, 7)


@inlined_late
def _edge(table: NDArray[np.int32], low: int, middle: int, high: int) -> tuple[int, float, int]:
    """Least value of the upper part, the boundary below it, and the distance of the interval's ends."""
    if table.size == 0:
        return middle, np.float64(middle) - 0.5, high - low
    least = np.int64(table[middle])
    edge = 0.5 * (np.float64(table[middle - 1]) + np.float64(least))
    return least, edge, np.int64(table[high]) - np.int64(table[low])


@inlined_late
def _code_bit(
    decoding: bool, state: NDArray[np.uint64], code: NDArray[np.uint8], p: int, sample: int, least: int
) -> int:
    if decoding:
        return decode_bit(state, code, p)
    bit = 1 if sample >= least else 0
    encode_bit(state, code, bit, p)
    return bit


@compiled
def code_sample(
    decoding: bool,
    coder: Coder,
    mixture: Mixture,
    network: Network,
    memory: Memory,
    plan: Plan,
    channel: int,
    partner: int,
    ahead: int,
    centres: NDArray[np.float64],
    table: NDArray[np.int32],
    low: int,
    high: int,
    sample: int,
    t: int,
    state: NDArray[np.uint64],
    code: NDArray[np.uint8],
) -> int:
    """Code or decode one sample, a value from ``low`` to ``high`` or, with a table, the value of such a number."""
    scales = plan.scale_rates.size
    begin(mixture, channel, centres, scales)
    _set_contexts(coder, mixture, channel, partner, ahead, centres)
    rate = 30 + 60000 // (t + 256)
    reference, scale = centres[centres.size - 1], coder.scale[channel]
    latest = coder.latest[channel]
    if plan.network.size:
        set_features(
            memory.features,
            plan,
            centres,
            mixture.deviation[channel],
            mixture.weight[channel],
            scale,
            latest,
            coder.residual[partner, 0],
            ahead,
        )
        evaluate(network, memory, t, channel)
        set_parts(mixture, memory.outputs, reference, scale)
    node, depth, outward = 1, 0, 0
    while low < high:
        middle, number = _next_cut(node, depth, outward, reference, scale, table, low, high)
        if middle <= low:
            bit = 1
        elif middle > high:
            bit = 0
        else:
            least, edge, span = _edge(table, low, middle, high)
            if number >= FIRST_HALVING and (span + 1) * 4.0 < scale:
                bit = _code_bit(decoding, state, code, (65536 * (high + 1 - middle)) // (high + 1 - low), sample, least)
            else:
                cut(mixture, edge)
                p = _probability(coder, mixture, channel, centres.size, scales, number, depth)
                bit = _code_bit(decoding, state, code, p, sample, least)
                _learn_bit(coder, channel, number, depth, bit, rate)
                keep(mixture, bit)
            if bit:
                low = middle
            else:
                high = middle - 1
        if node < TREE:
            node = 2 * node + bit
            outward = -1 if node == TREE else 1 if node == 2 * TREE - 1 else 0
        elif (outward > 0) != (bit > 0):
            outward = 0
        depth += 1
    value = np.int64(table[low]) if table.size else low
    residual = coder.residual[channel]
    residual[1] = residual[0]
    residual[0] = (np.float64(value) - reference) / scale
    latest[1], latest[0], latest[2] = latest[0], np.float64(value), reference
    latest[3] = latest[3] + (abs(latest[0]) - latest[3]) * max(0.01, 1.0 / (t + 2.0))
    return value
