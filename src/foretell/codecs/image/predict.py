"""Where a sample is expected, and how far off: predictors, their recent errors, and the centre of them all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.image.model import (
    FIRST_COUNT,
    LARGEST,
    NETWORK,
    OWN_COUNT,
    PREDICTORS,
    REFERENCES,
    SECOND_COUNT,
    SINGLE,
    PlaneModel,
)
from foretell.codecs.image.planes import Picture
from foretell.codecs.image.tables import CLASS_BOUNDS, STEPS
from foretell.codecs.image.triangles import FEATURES
from foretell.codecs.image.weights import COMPONENTS
from foretell.uncounted import inlined_late

OWN_COLUMN = np.array([-1, 0, -1, 1, -2, 0, 2, -2, 1, -1, -3, 2, -2, 0, 3, -3, 1, -1, -4, 3], np.int64)
OWN_ROW = np.array([0, -1, -1, -1, 0, -2, -1, -1, -2, -2, 0, -2, -2, -3, -1, -1, -3, -3, 0, -2], np.int64)
"""Neighbours in the plane itself, nearest first."""
KNOWN_COLUMN = np.array([0, -1, 0, 1, 0, -1, 1, -1, 1, 2, 0, -2, 0], np.int64)
KNOWN_ROW = np.array([0, 0, -1, 0, 1, -1, -1, 1, 1, 0, 2, 0, -2], np.int64)
"""Neighbours in a reference plane, which is known all around."""

FAST, SLOW, FIRST_SIMPLE, SECOND_SIMPLE, THIRD_SIMPLE, CORRECTED, CENTRE, _ = range(PREDICTORS)
BLENDED = CORRECTED
"""Predictors below this number make up the centre."""
SINGLES = np.array([FAST, SLOW, FIRST_SIMPLE, CORRECTED, CENTRE], np.int64)
"""Predictors that have a distribution of their own, the centre last."""

_F = np.float32
_ZERO = _F(0)
_HALF = _F(0.5)
_ONE = _F(1)
_SCALE_UNIT = _F(STEPS)
BIAS_BITS = 8


@inlined_late
def gather(model: PlaneModel, picture: Picture, y: int, x: int) -> np.float32:
    """Fill the features of a sample, as differences from the mean of two neighbours; return the plane's own mean."""
    features = model.features
    own = picture.own
    base = _F(own[y, x - 1] + own[y - 1, x]) * _HALF
    n = model.fixed[OWN_COUNT]
    for i in range(n):
        features[i] = _F(own[y + OWN_ROW[i], x + OWN_COLUMN[i]]) - base
    _gather_known(features, picture.first, n, model.fixed[FIRST_COUNT], y, x)
    n += model.fixed[FIRST_COUNT]
    _gather_known(features, picture.second, n, model.fixed[SECOND_COUNT], y, x)
    return base


@inlined_late
def _gather_known(
    features: NDArray[np.float32], plane: NDArray[np.int32], start: int, count: int, y: int, x: int
) -> None:
    base = _F(plane[y, x - 1] + plane[y - 1, x]) * _HALF
    for i in range(count):
        features[start + i] = _F(plane[y + KNOWN_ROW[i], x + KNOWN_COLUMN[i]]) - base


@inlined_late
def _median(a: int, b: int, c: int) -> int:
    """Median edge detector: a + b - c, kept between a and b."""
    return min(max(a + b - c, min(a, b)), max(a, b))


@inlined_late
def _through(own: NDArray[np.int32], known: NDArray[np.int32], y: int, x: int) -> int:
    """The same on the difference from a reference plane."""
    west, north = own[y, x - 1] - known[y, x - 1], own[y - 1, x] - known[y - 1, x]
    return _median(west, north, own[y - 1, x - 1] - known[y - 1, x - 1]) + known[y, x]


@inlined_late
def predict(model: PlaneModel, picture: Picture, base: np.float32, y: int, x: int) -> None:
    """Fill ``centres`` with all predictors below CORRECTED."""
    centres, features, fit, own = model.centres, model.features, model.fit, picture.own
    fixed = model.fixed
    n = fixed[OWN_COUNT] + fixed[FIRST_COUNT] + fixed[SECOND_COUNT]
    fast, slow = _ZERO, _ZERO
    for i in range(n):
        fast = fast + fit[i, 0] * features[i]
        slow = slow + fit[i, 1] * features[i]
    centres[FAST], centres[SLOW] = base + fast, base + slow
    west, north = own[y, x - 1], own[y - 1, x]
    median = _median(west, north, own[y - 1, x - 1])
    if fixed[REFERENCES] == 0:
        centres[FIRST_SIMPLE] = _F(median)
        centres[SECOND_SIMPLE] = _F(west + own[y - 1, x + 1] - north)
        centres[THIRD_SIMPLE] = _F(2 * north - own[y - 2, x])
    else:
        centres[FIRST_SIMPLE] = _F(_through(own, picture.first, y, x))
        centres[SECOND_SIMPLE] = _F(median)
        if fixed[REFERENCES] == 2:
            centres[THIRD_SIMPLE] = _F(_through(own, picture.second, y, x))
        else:
            centres[THIRD_SIMPLE] = _F(west + picture.first[y, x] - picture.first[y, x - 1])
    largest = _F(fixed[LARGEST])
    for k in range(BLENDED):
        centres[k] = min(max(centres[k], _ZERO), largest)


@inlined_late
def measure(model: PlaneModel, now: int, x: int) -> None:
    """Fill ``scales`` with each predictor's mean error near a sample and blend the centre from the best."""
    missed, scales, centres = model.missed, model.scales, model.centres
    row, above = missed[now], missed[1 - now]
    for k in range(PREDICTORS):
        near = (row[x - 1, k] + above[x, k]) * _F(3)
        near = near + (above[x - 1, k] + row[x - 2, k])
        scales[k] = (near + above[x + 1, k] * _F(2)) * _F(0.1)
    total, blend = _ZERO, _ZERO
    for k in range(BLENDED):
        trust = _ONE / (scales[k] * scales[k] + _F(0.05))
        trust = trust * trust
        total = total + trust
        blend = blend + trust * centres[k]
    centres[CENTRE] = blend / total


@inlined_late
def sharpen(model: PlaneModel, picture: Picture, texture: int, y: int, x: int) -> np.float32:
    """Fill the distributions of the single predictors, and that which takes the network's place; return the bias."""
    centres, scales, spreads, fixed = model.centres, model.scales, model.spreads, model.fixed
    centre = centres[CENTRE]
    bias = _F(model.bias[texture, 0]) / _F(1 << BIAS_BITS)
    centres[CORRECTED] = min(max(centre + bias, _ZERO), _F(fixed[LARGEST]))
    for k in range(PREDICTORS):
        spreads[k] = scales[k] * _F(0.72) + _F(0.12)
    for lane in range(SINGLE):
        k = SINGLES[lane]
        model.places[lane] = centres[k] + _HALF
        model.rates[lane] = _SCALE_UNIT / spreads[k]
    if not fixed[NETWORK]:
        informed = (scales[FAST] + scales[SLOW]) * _HALF
        if fixed[REFERENCES] > 0:
            error = picture.first_error
            around = abs(error[y, x]) * 2 + abs(error[y, x + 1]) + abs(error[y + 1, x])
            informed = (scales[CENTRE] + _F(around) * _F(0.25)) * _HALF
        rate = _SCALE_UNIT / (informed * _F(0.72) + _F(0.12))
        for k in range(COMPONENTS):
            model.places[SINGLE + k] = centre + _HALF
            model.rates[SINGLE + k] = rate
            model.shares[k] = _ONE if k == 0 else _ZERO
    return bias


@inlined_late
def scale_class(scale: np.float32) -> int:
    """Number of the class of a mean error."""
    value = scale * _F(0.8) + _F(0.1)
    low, high = 0, CLASS_BOUNDS.size
    while high - low > 1:
        middle = (low + high) >> 1
        if value >= CLASS_BOUNDS[middle]:
            low = middle
        else:
            high = middle
    return low


@inlined_late
def learn_sample(
    model: PlaneModel, picture: Picture, value: int, base: np.float32, texture: int, y: int, now: int, x: int
) -> np.float32:
    """Note what each predictor missed; return the sample's weight in the least squares."""
    model.seen_samples[0] += 1
    sample = _F(value)
    for k in range(PREDICTORS):
        model.missed[now, x, k] = abs(sample - model.centres[k])
    bias = model.bias
    error = np.int64((sample - model.centres[CENTRE]) * _F(1 << BIAS_BITS))
    count = min(bias[texture, 1] + 1, 255)
    bias[texture, 0] += (error - bias[texture, 0]) // (count + 1)
    bias[texture, 1] = count
    fixed = model.fixed
    model.features[fixed[OWN_COUNT] + fixed[FIRST_COUNT] + fixed[SECOND_COUNT]] = sample - base
    scale = model.scales[FAST]
    return _ONE / (scale * scale + _F(2))


assert max(OWN_COLUMN.size, KNOWN_COLUMN.size) < FEATURES
assert SINGLES.size == SINGLE
assert SINGLES[-1] == CENTRE
