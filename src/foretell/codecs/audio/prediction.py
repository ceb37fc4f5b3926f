"""Predicted values of the next sample: least squares, what cascades of LMS filters add, and all of them stacked.

Each prediction is a *centre*. Centres 0 to A - 1 come from the least-squares filters, the next S from the stages of
cascades, each of which adds to an earlier centre what it foretells of that one's error; the last centre is a
least-squares combination of all the others.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.audio.dot import dot
from foretell.codecs.audio.least_squares import RELATIVE_RIDGE, RIDGE, accumulate, solve
from foretell.codecs.audio.presets import Plan
from foretell.compilation import compiled, inlined

SPAN = 4096
"""Samples after which a history is moved back to the start of its buffer."""
LONGEST = 64
"""Most taps of one channel in a least-squares filter."""
FARTHEST = 2.0**34
"""Centres farther from zero, and those that are no numbers, become zero."""
STACKS = 3
STACK_FORGET = (0.9995, 0.99, 0.998)
"""How fast each stack forgets; the last stack is the reference for coding."""
STACK_EVERY = 8
STACK_RIDGE = 0.003
DEVIATION_RATE = 0.1
LANES = 64


class Predictors(NamedTuple):
    """State of all predictors of all channels."""

    history: NDArray[np.float64]
    inputs: NDArray[np.float64]
    matrix: NDArray[np.float64]
    vector: NDArray[np.float64]
    weights: NDArray[np.float64]
    work: NDArray[np.float64]
    buffer: NDArray[np.float32]
    starts: NDArray[np.int64]
    taps_weights: NDArray[np.float32]
    taps_starts: NDArray[np.int64]
    power: NDArray[np.float64]
    added: NDArray[np.float64]
    centres: NDArray[np.float64]
    deviation: NDArray[np.float64]
    stack_matrix: NDArray[np.float64]
    stack_vector: NDArray[np.float64]
    stack_weights: NDArray[np.float64]
    stack_inputs: NDArray[np.float64]
    stack_error: NDArray[np.float64]
    sums: NDArray[np.float32]
    long_sums: NDArray[np.float64]


def new_predictors(plan: Plan, channels: int) -> Predictors:
    """Predictors that have seen nothing."""
    filters, stages = plan.own.size, plan.taps.size
    widest = int((plan.own + plan.partner).max())
    starts = np.concatenate([[0], np.cumsum(plan.taps + SPAN)]).astype(np.int64)
    taps_starts = np.concatenate([[0], np.cumsum(plan.taps)]).astype(np.int64)
    others = filters + stages - 1
    return Predictors(
        history=np.zeros((channels, SPAN + LONGEST)),
        inputs=np.zeros((channels, filters, widest)),
        matrix=np.zeros((channels, filters, widest, widest)),
        vector=np.zeros((channels, filters, widest)),
        weights=np.zeros((channels, filters, widest)),
        work=np.zeros((max(widest, others) + 1, max(widest, others))),
        buffer=np.zeros((channels, int(starts[-1])), np.float32),
        starts=starts,
        taps_weights=np.zeros((channels, int(taps_starts[-1])), np.float32),
        taps_starts=taps_starts,
        power=np.zeros((channels, stages)),
        added=np.zeros((channels, stages)),
        centres=np.zeros((channels, filters + stages + STACKS)),
        deviation=np.zeros((channels, filters)),
        stack_matrix=np.zeros((channels, STACKS, others, others)),
        stack_vector=np.zeros((channels, STACKS, others)),
        stack_weights=np.zeros((channels, STACKS, others)),
        stack_inputs=np.zeros((channels, others)),
        stack_error=np.zeros((channels, STACKS)),
        sums=np.zeros(LANES, np.float32),
        long_sums=np.zeros(16),
    )


@inlined
def _bounded(value: float) -> float:
    return value if abs(value) <= FARTHEST else 0.0


@compiled
def predict(state: Predictors, plan: Plan, t: int, channel: int, partner: int, partner_ahead: int) -> None:
    """Fill the channel's centres for sample t; ``partner_ahead`` is 1 if the partner's sample t is known."""
    filters, stages = plan.own.size, plan.taps.size
    centres = state.centres[channel]
    own = state.history[channel]
    other = state.history[partner]
    at = SPAN - t % SPAN
    beside = SPAN - (t + partner_ahead) % SPAN
    for f in range(filters):
        v = state.inputs[channel, f]
        n = plan.own[f]
        for i in range(n):
            v[i] = own[at + i]
        for i in range(plan.partner[f]):
            v[n + i] = other[beside + i]
        n += plan.partner[f]
        centres[f] = _bounded(dot(v, state.weights[channel, f], n, 8, state.long_sums))
    _predict_stages(state, plan, t, channel)
    last = filters + stages - 1
    inputs = state.stack_inputs[channel]
    for i in range(last):
        inputs[i] = centres[i] - centres[last]
    for k in range(STACKS):
        value = centres[last]
        weights = state.stack_weights[channel, k]
        for i in range(last):
            value = value + weights[i] * inputs[i]
        centres[last + 1 + k] = _bounded(value)


@compiled
def _predict_stages(state: Predictors, plan: Plan, t: int, channel: int) -> None:
    """What the stages of cascades add to earlier centres."""
    filters = plan.own.size
    centres = state.centres[channel]
    position = t % SPAN
    for s in range(plan.taps.size):
        start = state.starts[s] + position
        n = plan.taps[s]
        first = state.taps_starts[s]
        q = dot(
            state.buffer[channel, start : start + n],
            state.taps_weights[channel, first : first + n],
            n,
            min(n, LANES),
            state.sums,
        )
        state.added[channel, s] = q
        centres[filters + s] = _bounded(centres[plan.source[s]] + np.float64(q))


@compiled
def learn(state: Predictors, plan: Plan, t: int, channel: int, sample: float) -> None:
    """Take in the sample that ``predict`` foretold."""
    _learn_filters(state, plan, t, channel, sample)
    _learn_stages(state, plan, t, channel, sample)
    _learn_stacks(state, t, channel, plan.own.size + plan.taps.size - 1, sample)
    history = state.history[channel]
    at = SPAN - t % SPAN
    history[at - 1] = sample
    if at == 1:
        for i in range(LONGEST):
            history[SPAN + i] = history[i]


@compiled
def _learn_filters(state: Predictors, plan: Plan, t: int, channel: int, sample: float) -> None:
    """Each sample counts the less, the farther off predictions have been of late."""
    centres = state.centres[channel]
    for f in range(plan.own.size):
        n = plan.own[f] + plan.partner[f]
        matrix = state.matrix[channel, f]
        forget = plan.forget[f]
        error = abs(sample - centres[f])
        deviation = state.deviation[channel, f]
        deviation = deviation + (error - deviation) * max(DEVIATION_RATE, 1.0 / (t + 1.0))
        state.deviation[channel, f] = deviation
        trust = 1.0 / (deviation + 1.0)
        if plan.root[f]:
            trust = trust * math.sqrt(trust)
        accumulate(matrix, state.vector[channel, f], state.inputs[channel, f], n, sample, forget, trust)
        if t % plan.every[f] == 0:
            trace = 0.0
            for i in range(n):
                trace = trace + matrix[i, i]
            ridge = RIDGE * trust / (1.0 - forget) + RELATIVE_RIDGE * trace / n
            solve(matrix, state.vector[channel, f], n, ridge, state.work, state.weights[channel, f])


@compiled
def _learn_stages(state: Predictors, plan: Plan, t: int, channel: int, sample: float) -> None:
    centres = state.centres[channel]
    position = t % SPAN
    for s in range(plan.taps.size):
        n = plan.taps[s]
        start = state.starts[s] + position
        past = state.buffer[channel, start : start + n + 1]
        first = state.taps_starts[s]
        weights = state.taps_weights[channel, first : first + n]
        before = np.float32(sample - centres[plan.source[s]])
        error = np.float64(before) - state.added[channel, s]
        power = state.power[channel, s]
        step = np.float32(plan.rate[s] * error / (power + n + 1.0))
        for i in range(n):
            weights[i] = weights[i] + step * past[i]
        oldest = np.float64(past[0])
        newest = np.float64(before)
        past[n] = before
        state.power[channel, s] = max(power + (newest * newest - oldest * oldest), 0.0)
        if position == SPAN - 1:
            whole = state.buffer[channel, state.starts[s] : state.starts[s] + n + SPAN]
            for i in range(n):
                whole[i] = whole[SPAN + i]


@compiled
def _learn_stacks(state: Predictors, t: int, channel: int, last: int, sample: float) -> None:
    """Stacks learn what the other centres know of the last stage's error."""
    centres = state.centres[channel]
    error = sample - centres[last]
    for k in range(STACKS):
        matrix, vector = state.stack_matrix[channel, k], state.stack_vector[channel, k]
        accumulate(matrix, vector, state.stack_inputs[channel], last, error, STACK_FORGET[k], 1.0)
        state.stack_error[channel, k] = STACK_FORGET[k] * state.stack_error[channel, k] + error * error
        if t % STACK_EVERY == 0 and t > 48:
            ridge = STACK_RIDGE * state.stack_error[channel, k] + 1e-4
            solve(matrix, vector, last, ridge, state.work, state.stack_weights[channel, k])
