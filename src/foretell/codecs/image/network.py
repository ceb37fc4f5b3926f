"""What the trained network says of a sample: a mixture of distributions, from all that is known around it.

Inputs are the features of the least squares, the predictors and the errors near by, all in units of the scale of
recent errors, and those scales themselves; so the network knows of no absolute values.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.image.layers import make_product
from foretell.codecs.image.model import FIRST_COUNT, OWN_COUNT, REFERENCES, SECOND_COUNT, SINGLE, PlaneModel
from foretell.codecs.image.planes import Picture
from foretell.codecs.image.predict import BLENDED, CENTRE
from foretell.codecs.image.triangles import FEATURES
from foretell.codecs.image.weights import (
    CEILING,
    COMPONENTS,
    HIDDEN,
    INPUT_BITS,
    INPUTS,
    MOST_INPUT,
    OUTPUT_BITS,
    SHAPES,
    powers,
)
from foretell.uncounted import inlined_late

ERROR_COLUMN = np.array([-1, 0, -1, 1, -2, 0, 2, 1], np.int64)
ERROR_ROW = np.array([0, -1, -1, -1, 0, -2, -1, -2], np.int64)
"""Own errors that the network sees."""
KNOWN_ERROR_COLUMN = np.array([0, -1, 0, 1, 0, 1, -1, 1], np.int64)
KNOWN_ERROR_ROW = np.array([0, 0, -1, 0, 1, 1, 1, -1], np.int64)
"""Errors in a reference that it sees: all in the first, the first five in the second."""
_SECOND_ERRORS: Final = 5

_SCALE_AT: Final = FEATURES - 1
_CENTRES_AT: Final = FEATURES
_BIAS_AT: Final = _CENTRES_AT + BLENDED
_OWN_AT: Final = _BIAS_AT + 1
_FIRST_AT: Final = _OWN_AT + ERROR_COLUMN.size
_SECOND_AT: Final = _FIRST_AT + KNOWN_ERROR_COLUMN.size
_RATIOS_AT: Final = _SECOND_AT + _SECOND_ERRORS

_F = np.float32
_INPUT_UNIT = _F(1 << INPUT_BITS)
_OUTPUT_UNIT = _F(1 << OUTPUT_BITS)
_MOST = _F(MOST_INPUT)
_TO_ROUND = _F(MOST_INPUT + 1.5)
_RATIO_UNIT = _F(4)
_LOG_UNIT = _F(1.0 / (1 << 23))
POWERS = powers()
_first_product, _second_product, _third_product = (make_product(*shape) for shape in SHAPES)


@inlined_late
def _logarithm(bits: int) -> np.float32:
    """Logarithm to base 2 of a positive float32 from its bits, straight between powers of two."""
    return _F(bits - (127 << 23)) * _LOG_UNIT


@inlined_late
def fill_network(model: PlaneModel, picture: Picture, base: np.float32, bias: np.float32, y: int, x: int) -> None:
    """Fill the inputs of the network for a sample."""
    fixed, features, centres, spreads = model.fixed, model.features, model.centres, model.spreads
    raw, inputs = model.network.raw, model.network.inputs
    own = fixed[OWN_COUNT]
    n = own + fixed[FIRST_COUNT] + fixed[SECOND_COUNT]
    centre = centres[CENTRE]
    unit = _F(1) / spreads[CENTRE]
    shift = base - centre
    for i in range(own):
        raw[i] = (features[i] + shift) * unit
    for i in range(own, n):
        raw[i] = features[i] * unit
    for k in range(BLENDED):
        raw[_CENTRES_AT + k] = (centres[k] - centre) * unit
    raw[_BIAS_AT] = bias * unit
    error = picture.own_error
    for i in range(ERROR_COLUMN.size):
        raw[_OWN_AT + i] = _F(error[y + ERROR_ROW[i], x + ERROR_COLUMN[i]]) * unit
    if fixed[REFERENCES] > 0:
        error = picture.first_error
        for i in range(KNOWN_ERROR_COLUMN.size):
            raw[_FIRST_AT + i] = _F(error[y + KNOWN_ERROR_ROW[i], x + KNOWN_ERROR_COLUMN[i]]) * unit
    if fixed[REFERENCES] > 1:
        error = picture.second_error
        for i in range(_SECOND_ERRORS):
            raw[_SECOND_AT + i] = _F(error[y + KNOWN_ERROR_ROW[i], x + KNOWN_ERROR_COLUMN[i]]) * unit
    bits = spreads.view(np.int32)
    scale = _logarithm(np.int64(bits[CENTRE]))
    raw[_SCALE_AT] = scale
    for k in range(BLENDED):
        raw[_RATIOS_AT + k] = (_logarithm(np.int64(bits[k])) - scale) * _RATIO_UNIT
    for i in range(INPUTS):
        inputs[i] = np.int16(np.int32(min(max(raw[i] * _INPUT_UNIT, -_MOST), _MOST) + _TO_ROUND) - np.int32(128))


@inlined_late
def _activate(sums: NDArray[np.int32], bias: NDArray[np.int32], shift: int, hidden: NDArray[np.int16]) -> None:
    """Hidden values of the sums of a layer."""
    shift = np.int32(shift)
    for i in range(HIDDEN):
        value = np.int32(sums[i] + bias[i]) >> shift
        hidden[i] = np.int16(min(max(value, np.int32(0)), np.int32(CEILING)))


@inlined_late
def run_network(model: PlaneModel) -> None:
    """Fill the lanes of the components: weights, places and rates."""
    net = model.network
    _first_product(net.inputs, net.first, net.sums)
    _activate(net.sums, net.first_bias, net.shifts[0], net.hidden)
    _second_product(net.hidden, net.second, net.sums)
    _activate(net.sums, net.second_bias, net.shifts[1], net.hidden)
    _third_product(net.hidden, net.third, net.outputs)
    spread, centre = model.spreads[CENTRE], model.centres[CENTRE]
    rate = model.rates[SINGLE - 1]
    for k in range(COMPONENTS):
        weight = _output(net.outputs, net.third_bias, net.shifts[2], k)
        place = _output(net.outputs, net.third_bias, net.shifts[2], COMPONENTS + k)
        width = _output(net.outputs, net.third_bias, net.shifts[2], 2 * COMPONENTS + k)
        model.shares[k] = POWERS[_power(weight)]
        model.places[SINGLE + k] = centre + _F(0.5) + _F(place) / _OUTPUT_UNIT * spread
        model.rates[SINGLE + k] = rate * POWERS[_power(-width)]


@inlined_late
def _output(sums: NDArray[np.int32], bias: NDArray[np.int32], shift: int, index: int) -> int:
    return (np.int64(sums[index]) + np.int64(bias[index])) >> shift


@inlined_late
def _power(output: int) -> int:
    """Place in POWERS of an output, which is a logarithm to base 2."""
    return min(max((output + 8) >> 4, -128), 127) + 128


assert _RATIOS_AT + BLENDED == INPUTS
