"""The loop over all samples of a frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.audio.coding import Coder, code_sample
from foretell.codecs.audio.mixture import Mixture, learn_mixture
from foretell.codecs.audio.network import FEATURES, Memory, Network
from foretell.codecs.audio.prediction import Predictors, learn, predict
from foretell.codecs.audio.presets import Plan
from foretell.entropy.binary import POSITION
from foretell.uncounted import compiled

ROOM = 512
"""Bytes that the code of one sample cannot exceed."""


@compiled
def run(
    decoding: bool,
    samples: NDArray[np.int32],
    code: NDArray[np.uint8],
    state: NDArray[np.uint64],
    begin: int,
    end: int,
    table: NDArray[np.int32],
    low: int,
    high: int,
    plan: Plan,
    predictors: Predictors,
    mixture: Mixture,
    coder: Coder,
    network: Network,
    memory: Memory,
    trace: NDArray[np.float32],
) -> int:
    """Code ``samples[begin:end]`` (time, channel) to ``code`` or the other way; return where it ran out of room.

    ``trace``, unless it is empty, receives for each sample what a network is trained on: its features, then residual
    and size of a step in units of the reference scale.
    """
    channels = samples.shape[1]
    for t in range(begin, end):
        if not decoding and np.int64(state[POSITION]) + ROOM * channels > code.size:
            return t
        for c in range(channels):
            partner = c ^ 1 if c ^ 1 < channels else 0
            ahead = 1 if partner < c else 0
            predict(predictors, plan, t, c, partner, ahead)
            centres = predictors.centres[c]
            value = code_sample(
                decoding,
                coder,
                mixture,
                network,
                memory,
                plan,
                c,
                partner,
                ahead,
                centres,
                table,
                low,
                high,
                samples[t, c],
                t,
                state,
                code,
            )
            samples[t, c] = value
            if trace.size:
                row = trace[t, c]
                for i in range(FEATURES):
                    row[i] = memory.features[i]
                row[FEATURES] = np.float32(coder.residual[c, 0])
                row[FEATURES + 1] = np.float32(1.0 / coder.scale[c])
            learn_mixture(mixture, plan, c, t, np.float64(value))
            learn(predictors, plan, t, c, np.float64(value))
    return end
