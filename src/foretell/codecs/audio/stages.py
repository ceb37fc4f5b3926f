"""Stages: filters of what an earlier centre left over.

Gradient stages are normalised LMS filters of many taps. Least-squares stages follow quick changes. A pitch stage looks
back by one period of a voice: it searches the lag at which recent errors look like the latest ones, and weighs the
errors around that lag by least squares.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.audio.dot import dot32, dot64
from foretell.codecs.audio.least_squares import accumulate_four, mean_diagonal, solve
from foretell.codecs.audio.presets import GRADIENT, LEAST_SQUARES, PITCH, PITCH_TAPS, Plan
from foretell.uncounted import compiled

SPAN = 4096
"""Samples after which a history is moved back to the start of its buffer."""
FARTHEST = 2.0**34
RIDGE = 0.01
"""Added to the diagonal, times its mean."""
EVERY = 4
"""Samples between solutions."""
DEVIATION_RATE = 0.1
PITCH_INPUTS = 8
SHORTEST_LAG = 16
LONGEST_LAG = 320
COMPARED = 256
"""Errors that are compared at each lag."""
SEARCH_EVERY = 128


class Stages(NamedTuple):
    """State of all stages of all channels; of inputs, targets and trusts the last four are kept."""

    buffer: NDArray[np.float32]
    starts: NDArray[np.int64]
    weights: NDArray[np.float32]
    first_weights: NDArray[np.int64]
    power: NDArray[np.float64]
    added: NDArray[np.float64]
    inputs: NDArray[np.float64]
    targets: NDArray[np.float64]
    trusts: NDArray[np.float64]
    matrix: NDArray[np.float64]
    vector: NDArray[np.float64]
    solved: NDArray[np.float64]
    deviation: NDArray[np.float64]
    lag: NDArray[np.int64]


def new_stages(plan: Plan, channels: int) -> Stages:
    """Stages that have seen nothing."""
    stages = plan.taps.size
    sizes = plan.taps[plan.kind == LEAST_SQUARES]
    widest = int(max([PITCH_INPUTS, *sizes]))
    starts = np.concatenate([[0], np.cumsum(plan.taps + SPAN)]).astype(np.int64)
    first_weights = np.concatenate([[0], np.cumsum(plan.taps)]).astype(np.int64)
    return Stages(
        buffer=np.zeros((channels, int(starts[-1])), np.float32),
        starts=starts,
        weights=np.zeros((channels, int(first_weights[-1])), np.float32),
        first_weights=first_weights,
        power=np.zeros((channels, stages)),
        added=np.zeros((channels, stages)),
        inputs=np.zeros((channels, stages, 4, widest)),
        targets=np.zeros((channels, stages, 4)),
        trusts=np.zeros((channels, stages, 4)),
        matrix=np.zeros((channels, stages, widest, widest)),
        vector=np.zeros((channels, stages, widest)),
        solved=np.zeros((channels, stages, widest)),
        deviation=np.zeros((channels, stages)),
        lag=np.zeros((channels, stages), np.int64),
    )


@compiled
def predict_stages(state: Stages, plan: Plan, t: int, channel: int, centres: NDArray[np.float64]) -> None:
    """What the stages add to earlier centres."""
    filters = plan.own.size
    position = t % SPAN
    for s in range(plan.taps.size):
        start = state.starts[s] + position
        n = plan.taps[s]
        past = state.buffer[channel, start : start + n]
        if plan.kind[s] == GRADIENT:
            first = state.first_weights[s]
            added = np.float64(dot32(past, state.weights[channel, first : first + n], n))
        else:
            v = state.inputs[channel, s, t & 3]
            count = _fill(v, past, n, plan.kind[s], state.lag[channel, s])
            added = dot64(v, state.solved[channel, s], count)
        state.added[channel, s] = added
        value = centres[plan.source[s]] + added
        centres[filters + s] = value if abs(value) <= FARTHEST else 0.0


@compiled
def _fill(v: NDArray[np.float64], past: NDArray[np.float32], n: int, kind: int, lag: int) -> int:
    """Inputs of a least-squares stage: the newest errors, or those around the lag; return their number."""
    if kind == LEAST_SQUARES:
        for j in range(n):
            v[j] = past[n - 1 - j]
        return n
    for j in range(PITCH_INPUTS):
        v[j] = past[n - lag + PITCH_INPUTS // 2 - j] if lag else 0.0
    return PITCH_INPUTS


@compiled
def learn_stages(
    state: Stages,
    plan: Plan,
    t: int,
    channel: int,
    centres: NDArray[np.float64],
    sample: float,
    work: NDArray[np.float64],
) -> None:
    """Take in the sample that was foretold."""
    position = t % SPAN
    for s in range(plan.taps.size):
        n = plan.taps[s]
        start = state.starts[s] + position
        past = state.buffer[channel, start : start + n + 1]
        left = np.float32(sample - centres[plan.source[s]])
        error = np.float64(left) - state.added[channel, s]
        if plan.kind[s] == GRADIENT:
            power = state.power[channel, s]
            step = np.float32(plan.rate[s] * error / (power + n + 1.0))
            first = state.first_weights[s]
            weights = state.weights[channel, first : first + n]
            for i in range(n):
                weights[i] = weights[i] + step * past[i]
            oldest, newest = np.float64(past[0]), np.float64(left)
            state.power[channel, s] = max(power + (newest * newest - oldest * oldest), 0.0)
            past[n] = left
        else:
            past[n] = left
            _learn_least_squares(state, plan, t, channel, s, left, error, work)
            if plan.kind[s] == PITCH and t % SEARCH_EVERY == SEARCH_EVERY - 1:
                _search_lag(state, channel, s, past[1:], t)
        if position == SPAN - 1:
            whole = state.buffer[channel, state.starts[s] : state.starts[s] + n + SPAN]
            for i in range(n):
                whole[i] = whole[SPAN + i]


@compiled
def _learn_least_squares(
    state: Stages, plan: Plan, t: int, channel: int, s: int, left: float, error: float, work: NDArray[np.float64]
) -> None:
    """Four samples at a time, each with a trust like that of the filters."""
    deviation = state.deviation[channel, s]
    deviation = deviation + (abs(error) - deviation) * max(DEVIATION_RATE, 1.0 / (t + 1.0))
    state.deviation[channel, s] = deviation
    trust = 1.0 / (deviation + 1.0)
    state.trusts[channel, s, t & 3] = trust * math.sqrt(trust)
    state.targets[channel, s, t & 3] = left
    if t % EVERY != EVERY - 1:
        return
    n = PITCH_INPUTS if plan.kind[s] == PITCH else plan.taps[s]
    matrix, vector = state.matrix[channel, s], state.vector[channel, s]
    accumulate_four(
        matrix, vector, state.inputs[channel, s], n, state.targets[channel, s], plan.rate[s], state.trusts[channel, s]
    )
    if t >= 2 * n:
        solve(matrix, vector, n, RIDGE * mean_diagonal(matrix, n), work, state.solved[channel, s])


@compiled
def _search_lag(state: Stages, channel: int, s: int, past: NDArray[np.float32], t: int) -> None:
    """The lag at which earlier errors look most like the latest; a change halves what was learnt at the one before."""
    newest = past[PITCH_TAPS - COMPARED :]
    best, most = 0, 0.0
    for lag in range(SHORTEST_LAG, min(LONGEST_LAG, t - COMPARED) + 1):
        earlier = past[PITCH_TAPS - COMPARED - lag : PITCH_TAPS - lag]
        product = np.float64(dot32(newest, earlier, COMPARED))
        if product > 0.0:
            score = product * product / (np.float64(dot32(earlier, earlier, COMPARED)) + 1e-9)
            if score > most:
                best, most = lag, score
    if best != 0 and best != state.lag[channel, s]:
        state.lag[channel, s] = best
        matrix, vector = state.matrix[channel, s], state.vector[channel, s]
        for i in range(PITCH_INPUTS):
            for j in range(i, PITCH_INPUTS):
                matrix[i, j] = matrix[i, j] * 0.5
            vector[i] = vector[i] * 0.5
