"""Predicted values of the next sample: least squares, what stages of filters add, and all of them stacked.

Each prediction is a *centre*. Centres 0 to A - 1 come from the least-squares filters, the next S from stages, each of
which adds to an earlier centre what it foretells of that one's error; the last centres are least-squares
combinations of all the others.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.audio.dot import dot64
from foretell.codecs.audio.least_squares import accumulate, accumulate_four, mean_diagonal, solve
from foretell.codecs.audio.presets import Plan
from foretell.codecs.audio.stages import Stages, learn_stages, new_stages, predict_stages
from foretell.compilation import inlined
from foretell.uncounted import compiled

SPAN = 4096
"""Samples after which a history is moved back to the start of its buffer."""
LONGEST = 128
"""Most taps of one channel in a least-squares filter."""
FARTHEST = 2.0**34
"""Centres farther from zero, and those that are no numbers, become zero."""
RIDGE = 0.001
"""Added to the diagonal, times the sum of weights of all samples."""
RELATIVE_RIDGE = 2.0**-30
"""Added to the diagonal too, times the mean of the diagonal."""
PATIENCE = 2
"""Samples for each tap before a filter is solved for the first time."""
STACKS = 3
STACK_FORGET = (0.9995, 0.99, 0.998)
"""How fast each stack forgets; the last stack is the reference for coding."""
STACK_EVERY = 8
STACK_RIDGE = 0.003
DEVIATION_RATE = 0.1


class Predictors(NamedTuple):
    """State of all predictors of all channels; of inputs, targets and trusts the last four are kept."""

    history: NDArray[np.float64]
    inputs: NDArray[np.float64]
    targets: NDArray[np.float64]
    trusts: NDArray[np.float64]
    matrix: NDArray[np.float64]
    vector: NDArray[np.float64]
    weights: NDArray[np.float64]
    work: NDArray[np.float64]
    centres: NDArray[np.float64]
    deviation: NDArray[np.float64]
    stages: Stages
    stack_matrix: NDArray[np.float64]
    stack_vector: NDArray[np.float64]
    stack_weights: NDArray[np.float64]
    stack_inputs: NDArray[np.float64]
    stack_targets: NDArray[np.float64]
    stack_error: NDArray[np.float64]
    ones: NDArray[np.float64]


def new_predictors(plan: Plan, channels: int) -> Predictors:
    """Predictors that have seen nothing."""
    filters, stages = plan.own.size, plan.taps.size
    widest = int((plan.own + plan.partner).max())
    others = filters + stages - 1
    padded = -(-others // 8) * 8
    return Predictors(
        history=np.zeros((channels, SPAN + LONGEST)),
        inputs=np.zeros((channels, filters, 4, widest)),
        targets=np.zeros((channels, 4)),
        trusts=np.zeros((channels, filters, 4)),
        matrix=np.zeros((channels, filters, widest, widest)),
        vector=np.zeros((channels, filters, widest)),
        weights=np.zeros((channels, filters, widest)),
        work=np.zeros((max(widest, padded) + 1, max(widest, padded))),
        centres=np.zeros((channels, filters + stages + STACKS)),
        deviation=np.zeros((channels, filters)),
        stages=new_stages(plan, channels),
        stack_matrix=np.zeros((channels, STACKS, padded, padded)),
        stack_vector=np.zeros((channels, STACKS, padded)),
        stack_weights=np.zeros((channels, STACKS, padded)),
        stack_inputs=np.zeros((channels, 4, padded)),
        stack_targets=np.zeros((channels, 4)),
        stack_error=np.zeros((channels, STACKS)),
        ones=np.ones(4),
    )


@inlined
def bounded(value: float) -> float:
    """The value, or 0 for what is no number or too far from zero."""
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
        v = state.inputs[channel, f, t & 3]
        n = plan.own[f]
        more = plan.partner[f]
        for i in range(n):
            v[i] = own[at + i]
        for i in range(more):
            v[n + i] = other[beside + i]
        centres[f] = bounded(dot64(v, state.weights[channel, f], n + more))
    predict_stages(state.stages, plan, t, channel, centres)
    last = filters + stages - 1
    inputs = state.stack_inputs[channel, t & 3]
    for i in range(last):
        inputs[i] = centres[i] - centres[last]
    for k in range(STACKS):
        added = dot64(state.stack_weights[channel, k], inputs, inputs.size)
        centres[last + 1 + k] = bounded(centres[last] + added)


@compiled
def learn(state: Predictors, plan: Plan, t: int, channel: int, sample: float) -> None:
    """Take in the sample that ``predict`` foretold."""
    state.targets[channel, t & 3] = sample
    _learn_filters(state, plan, t, channel, sample)
    learn_stages(state.stages, plan, t, channel, state.centres[channel], sample, state.work)
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
        matrix, vector = state.matrix[channel, f], state.vector[channel, f]
        forget, every = plan.forget[f], plan.every[f]
        error = abs(sample - centres[f])
        deviation = state.deviation[channel, f]
        deviation = deviation + (error - deviation) * max(DEVIATION_RATE, 1.0 / (t + 1.0))
        state.deviation[channel, f] = deviation
        trust = 1.0 / (deviation + 1.0)
        if plan.root[f]:
            trust = trust * math.sqrt(trust)
        state.trusts[channel, f, t & 3] = trust
        if every < 4:
            accumulate(matrix, vector, state.inputs[channel, f, t & 3], n, sample, forget, trust)
        elif t & 3 == 3:
            accumulate_four(
                matrix, vector, state.inputs[channel, f], n, state.targets[channel], forget, state.trusts[channel, f]
            )
        if t % every == every - 1 and t >= PATIENCE * n:
            ridge = RIDGE * trust / (1.0 - forget) + RELATIVE_RIDGE * mean_diagonal(matrix, n)
            solve(matrix, vector, n, ridge, state.work, state.weights[channel, f])


@compiled
def _learn_stacks(state: Predictors, t: int, channel: int, last: int, sample: float) -> None:
    """Stacks learn what the other centres know of the last stage's error."""
    error = sample - state.centres[channel, last]
    targets, inputs = state.stack_targets[channel], state.stack_inputs[channel]
    targets[t & 3] = error
    for k in range(STACKS):
        matrix, vector = state.stack_matrix[channel, k], state.stack_vector[channel, k]
        if t & 3 == 3:
            accumulate_four(matrix, vector, inputs, last, targets, STACK_FORGET[k], state.ones)
        state.stack_error[channel, k] = STACK_FORGET[k] * state.stack_error[channel, k] + error * error
        if t % STACK_EVERY == STACK_EVERY - 1 and t > 48:
            ridge = STACK_RIDGE * state.stack_error[channel, k] + 1e-4
            solve(matrix, vector, last, ridge, state.work, state.stack_weights[channel, k])
