"""Where the next sample may lie: a mixture of logistic distributions around every centre, at several scales.

Component (k, m) has centre m, and its scale is a running mean, at rate k, of how far that centre was from the
truth. Weights follow Bayes' rule with a fixed share: after each sample every weight is multiplied by the likelihood
that its component gave to it, and a small share of all weight is spread evenly, so that no component is ever lost
(Herbster and Warmuth, Tracking the Best Expert, 1998). After these components come those of the network, whose
weights are its own.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.audio.dot import dot64
from foretell.codecs.audio.network import PARTS, exponential
from foretell.codecs.audio.prediction import STACKS
from foretell.codecs.audio.presets import Plan
from foretell.compilation import inlined
from foretell.uncounted import inlined_late

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
    """1 / (1 + exp(z)) for z = 0, 1/64, 2/64 ... 20, computed in decimals, the same on every machine, then zeros."""
    with localcontext() as context:
        context.prec = 24
        one = Decimal(1)
        tail = [float(one / (one + (Decimal(i) / STEPS).exp())) for i in range(END * STEPS)]
        return np.array([*tail, 0.0, 0.0])


TAIL = _tail_table()


class Mixture(NamedTuple):
    """Deviations and weights of all channels, and of one sample: centres, inverse scales and masses below both ends."""

    deviation: NDArray[np.float64]
    weight: NDArray[np.float64]
    parts: NDArray[np.float64]
    inverse: NDArray[np.float64]
    centre: NDArray[np.float64]
    below_low: NDArray[np.float64]
    below_high: NDArray[np.float64]
    below_middle: NDArray[np.float64]
    ones: NDArray[np.float64]
    above: NDArray[np.float64]
    below: NDArray[np.float64]


def new_mixture(plan: Plan, channels: int, spread: int) -> Mixture:
    """Mixture that has seen nothing of samples that lie in a range of ``spread`` values."""
    centres, scales = plan.own.size + plan.taps.size + STACKS, plan.scale_rates.size
    count = centres * scales
    padded = -(-count // 8) * 8
    weight = np.zeros((channels, padded))
    weight[:, :count] = 1.0 / count
    parts = PARTS if plan.network.size else 0
    return Mixture(
        deviation=np.full((channels, count), spread / 64.0),
        weight=weight,
        parts=np.zeros(parts),
        inverse=np.zeros(count + parts),
        centre=np.zeros(count + parts),
        below_low=np.zeros(count + parts),
        below_high=np.zeros(count + parts),
        below_middle=np.zeros(count + parts),
        ones=np.ones(padded),
        above=np.zeros(centres),
        below=np.zeros(centres),
    )


@inlined
def logistic(z: float) -> float:
    """Logistic distribution function, from a table of its tail."""
    a = min(abs(z) * 64.0, 1280.0)
    i = np.int32(a)
    place = np.uintp(np.uint32(i))
    tail = TAIL[place] + (TAIL[place + np.uintp(1)] - TAIL[place]) * (a - np.float64(i))
    return tail if z < 0.0 else 1.0 - tail


@inlined_late
def begin(mixture: Mixture, channel: int, centres: NDArray[np.float64], scales: int) -> None:
    """Prepare the components for a sample."""
    deviation = mixture.deviation[channel]
    count = centres.size
    for k in range(scales):
        for m in range(count):
            c = k * count + m
            mixture.centre[c] = centres[m]
            mixture.inverse[c] = 1.0 / (SCALE * deviation[c] + LEAST_SCALE)
    low, high = mixture.below_low, mixture.below_high
    for c in range(low.size):
        low[c] = 0.0
        high[c] = 1.0


@inlined_late
def set_parts(mixture: Mixture, outputs: NDArray[np.int64], reference: float, scale: float) -> None:
    """The network's components: weights, places and widths, in units of 1/2048, of scales and of their logarithms."""
    first = mixture.centre.size - PARTS
    most = max(outputs[0], max(outputs[1], outputs[2]))
    total = 0.0
    for k in range(PARTS):
        mixture.parts[k] = exponential(outputs[k] - most)
        total = total + mixture.parts[k]
        mixture.centre[first + k] = reference + scale * (outputs[PARTS + k] * (1.0 / 2048.0))
        mixture.inverse[first + k] = exponential(-outputs[2 * PARTS + k]) / scale
    for k in range(PARTS):
        mixture.parts[k] = mixture.parts[k] / total


@inlined_late
def cut(mixture: Mixture, boundary: float) -> None:
    """Masses below a boundary."""
    middle, centre, inverse = mixture.below_middle, mixture.centre, mixture.inverse
    for c in range(centre.size):
        middle[c] = logistic((boundary - centre[c]) * inverse[c])


@inlined_late
def keep(mixture: Mixture, upper: int) -> None:
    """Go on in the upper or the lower part of a cut."""
    target = mixture.below_low if upper else mixture.below_high
    middle = mixture.below_middle
    for c in range(target.size):
        target[c] = middle[c]


@inlined_late
def sum_centres(mixture: Mixture, channel: int, scales: int) -> None:
    """For each centre the mass above the cut and below it, of all its scales."""
    weight = mixture.weight[channel]
    low, middle, high = mixture.below_low, mixture.below_middle, mixture.below_high
    above, below = mixture.above, mixture.below
    count = above.size
    for m in range(count):
        above[m] = weight[m] * (high[m] - middle[m])
        below[m] = weight[m] * (middle[m] - low[m])
    for k in range(1, scales):
        first = k * count
        for m in range(count):
            c = np.uintp(first + m)
            above[m] = above[m] + weight[c] * (high[c] - middle[c])
            below[m] = below[m] + weight[c] * (middle[c] - low[c])


@inlined_late
def learn_mixture(mixture: Mixture, plan: Plan, channel: int, t: int, sample: float) -> None:
    """Reweight the components by the mass of the last interval, and move their scales."""
    weight, deviation = mixture.weight[channel], mixture.deviation[channel]
    low, high, centre = mixture.below_low, mixture.below_high, mixture.centre
    count = deviation.size
    for c in range(count):
        weight[c] = weight[c] * ((high[c] - low[c]) + FLOOR)
    factor = (1.0 - SHARE) / dot64(weight, mixture.ones, weight.size)
    share = SHARE / count
    for c in range(count):
        weight[c] = weight[c] * factor + share
    centres = mixture.above.size
    early = 1.0 / (t + 2.0)
    for k in range(plan.scale_rates.size):
        rate = max(plan.scale_rates[k], early)
        for c in range(k * centres, (k + 1) * centres):
            deviation[c] = deviation[c] + (abs(sample - centre[c]) - deviation[c]) * rate
