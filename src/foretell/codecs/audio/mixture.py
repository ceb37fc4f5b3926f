"""Where the next sample may lie: a mixture of logistic distributions around every centre, at several scales.

Component (m, k) has centre m, and its scale is a running mean, at rate k, of how far that centre was from the
truth. Weights follow Bayes' rule with a fixed share: after each sample every weight is multiplied by the likelihood
that its component gave to it, and a small share of all weight is spread evenly, so that no component is ever lost
(Herbster and Warmuth, Tracking the Best Expert, 1998).
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.audio.prediction import STACKS
from foretell.codecs.audio.presets import Plan
from foretell.compilation import compiled, inlined

STEPS = 64
"""Steps of the table for each unit."""
END = 20
"""Largest argument of the table."""
FLOOR = 1e-9
"""Added to the mass of every interval."""
SHARE = 1 / 160
"""Weight that is spread evenly after each sample."""
SCALE = 0.72
"""Scale of a logistic distribution for each unit of its mean deviation: 1 / (2 ln 2)."""
LEAST_SCALE = 0.03


@cache
def _tail_table() -> NDArray[np.float64]:
    """1 / (1 + exp(z)) for z = 0, 1/64, 2/64 ... 20, computed in decimals, the same on every machine."""
    with localcontext() as context:
        context.prec = 24
        one = Decimal(1)
        return np.array([float(one / (one + (Decimal(i) / STEPS).exp())) for i in range(END * STEPS + 1)])


TAIL = _tail_table()


class Mixture(NamedTuple):
    """Scales and weights of all channels, and of one sample: centres, inverse scales and masses below both ends."""

    deviation: NDArray[np.float64]
    weight: NDArray[np.float64]
    inverse: NDArray[np.float64]
    centre: NDArray[np.float64]
    below_low: NDArray[np.float64]
    below_high: NDArray[np.float64]
    below_middle: NDArray[np.float64]


def new_mixture(plan: Plan, channels: int, spread: int) -> Mixture:
    """Mixture that has seen nothing of samples that lie in a range of ``spread`` values."""
    centres, scales = plan.own.size + plan.taps.size + STACKS, plan.scale_rates.size
    count = centres * scales
    return Mixture(
        np.full((channels, count), spread / 64.0),
        np.full((channels, count), 1.0 / count),
        np.zeros(count),
        np.zeros(count),
        np.zeros(count),
        np.zeros(count),
        np.zeros(count),
    )


@inlined
def logistic(z: float) -> float:
    """Logistic distribution function, from a table of its tail."""
    a = abs(z) * STEPS
    if a >= END * STEPS:
        tail = 0.0
    else:
        i = np.int64(a)
        tail = TAIL[i] + (TAIL[i + 1] - TAIL[i]) * (a - np.float64(i))
    return tail if z < 0.0 else 1.0 - tail


@compiled
def begin(mixture: Mixture, channel: int, centres: NDArray[np.float64], scales: int) -> None:
    """Prepare the components for a sample."""
    deviation = mixture.deviation[channel]
    for m in range(centres.size):
        for k in range(scales):
            c = m * scales + k
            mixture.centre[c] = centres[m]
            mixture.inverse[c] = 1.0 / (SCALE * deviation[c] + LEAST_SCALE)
            mixture.below_low[c] = 0.0
            mixture.below_high[c] = 1.0


@compiled
def cut(mixture: Mixture, boundary: float) -> None:
    """Masses below a boundary."""
    for c in range(mixture.centre.size):
        mixture.below_middle[c] = logistic((boundary - mixture.centre[c]) * mixture.inverse[c])


@compiled
def keep(mixture: Mixture, upper: int) -> None:
    """Go on in the upper or the lower part of a cut."""
    target = mixture.below_low if upper else mixture.below_high
    for c in range(target.size):
        target[c] = mixture.below_middle[c]


@compiled
def learn_mixture(mixture: Mixture, plan: Plan, channel: int, t: int, sample: float) -> None:
    """Reweight the components by the mass of the last interval, and move their scales."""
    weight, deviation = mixture.weight[channel], mixture.deviation[channel]
    total = 0.0
    count = weight.size
    for c in range(count):
        w = weight[c] * ((mixture.below_high[c] - mixture.below_low[c]) + FLOOR)
        weight[c] = w
        total = total + w
    factor = (1.0 - SHARE) / total
    share = SHARE / count
    scales = plan.scale_rates.size
    early = 1.0 / (t + 2.0)
    for m in range(count // scales):
        error = abs(sample - mixture.centre[m * scales])
        for k in range(scales):
            c = m * scales + k
            weight[c] = weight[c] * factor + share
            rate = max(plan.scale_rates[k], early)
            deviation[c] = deviation[c] + (error - deviation[c]) * rate
