"""What the network is told before each sample."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from foretell.codecs.audio.presets import Plan
from foretell.compilation import inlined, settings
from foretell.uncounted import compiled

LIMIT = 127.0


@intrinsic
def _bits(_context: Any, value: Any) -> Any:
    def generate(_target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.int64(types.float64), generate


if settings.DISABLE_JIT:

    def logarithm(value: float) -> int:
        """Logarithm to base 2 of a positive number, linear between powers of two, in units of 1/128, rounded down."""
        return (int(np.float64(value).view(np.int64)) >> 45) - (1023 << 7)

else:

    @inlined
    def logarithm(value: float) -> int:
        """Logarithm to base 2 of a positive number, linear between powers of two, in units of 1/128, rounded down."""
        return (_bits(np.float64(value)) >> 45) - (1023 << 7)  # type: ignore[call-arg]


@inlined
def _clipped(value: float) -> np.float32:
    """Nearest integer, halves to even, between -127 and 127; 0 for what is no number."""
    return np.float32(np.rint(min(max(value, -LIMIT), LIMIT))) if value == value else np.float32(0.0)


@compiled
def set_features(
    out: NDArray[np.float32],
    plan: Plan,
    centres: NDArray[np.float64],
    deviation: NDArray[np.float64],
    weight: NDArray[np.float64],
    scale: float,
    latest: NDArray[np.float64],
    beside: float,
    ahead: int,
) -> None:
    """Fill the features of a sample.

    Parameters
    ----------
    out : array, shape (FEATURES,)
    centres, deviation, weight : arrays
        Of the channel; the last two are those of the mixture, scales after scales.
    scale : float
        The reference scale.
    latest : array, shape (4,)
        Of the channel: the last sample, the one before, the last reference, the mean size of samples.
    beside : float
        Residual of the partner, if it is ahead.
    """
    count, scales = centres.size, plan.scale_rates.size
    reference = centres[count - 1]
    inverse = 1.0 / scale
    out[0] = _clipped((latest[0] - latest[2]) * inverse * 24.0)
    out[1] = _clipped((latest[0] - latest[2]) * inverse * 6.0)
    for i in range(plan.network.size):
        out[2 + i] = _clipped((centres[plan.network[i]] - reference) * inverse * 24.0)
    at = 2 + plan.network.size
    for k in range(scales):
        total = 0.0
        for m in range(count):
            total = total + weight[k * count + m]
        out[at + k] = _clipped(total * 127.0)
    at += scales
    middle = logarithm(deviation[2 * count + count - 1])
    for k in range(scales):
        if k != 2:
            out[at] = _clipped((logarithm(deviation[k * count + count - 1]) - middle) * 0.5)
            at += 1
    out[at] = _clipped(logarithm(scale) * 0.0625)
    out[at + 1] = _clipped((latest[0] - reference) * inverse * 4.0)
    out[at + 2] = _clipped((latest[0] - latest[1]) * inverse * 4.0)
    out[at + 3] = _clipped((logarithm(latest[3] + 1.0) - logarithm(scale)) * 0.125)
    out[at + 4] = _clipped(beside * 24.0) if ahead else np.float32(0.0)
    out[at + 5] = np.float32(64.0 * ahead)
