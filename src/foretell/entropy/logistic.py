"""Logistic arithmetic in integers: the tables and look-ups that every adaptive predictor shares.

Probabilities are 16-bit integers ``p`` in [1, 65535], meaning p / 65536. In the logistic domain a
probability is ``stretch(p) = ln(p / (1 - p))`` in units of 1/256 nat, limited to +-3071 (12 nats).
The tables are computed with :mod:`decimal`, whose results are fixed by its specification, so that
they are the same on every machine.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from functools import cache

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled, inlined

PROBABILITY_BITS = 16
STRETCH_LIMIT = 3071
"""Largest absolute value in the logistic domain, in 1/256 nat."""

_LOG_BITS = 12
_LN2 = 11629080  # ln(2) * 2**24, rounded


@cache
def _squash_32() -> NDArray[np.int64]:
    """2**32 / (1 + exp(-x / 256)) for x = -3071 ... 3071, rounded."""
    with localcontext() as context:
        context.prec = 24
        one, scale = Decimal(1), Decimal(2) ** 32
        steps = range(-STRETCH_LIMIT, STRETCH_LIMIT + 1)
        values = [int((scale / (one + (Decimal(-x) / 256).exp())).to_integral_value()) for x in steps]
    return np.array(values, dtype=np.int64)


def _squash_table() -> NDArray[np.int32]:
    return np.clip((_squash_32() + (1 << 15)) >> 16, 1, 65535).astype(np.int32)


def _stretch_table() -> NDArray[np.int16]:
    exact = _squash_32()
    middles = (exact[1:] + exact[:-1]) // 2
    indices = np.searchsorted(middles, np.arange(65536, dtype=np.int64) << 16)
    return (indices - STRETCH_LIMIT).astype(np.int16)


def _log_table() -> NDArray[np.int32]:
    """ln(1 + i / 4096) * 2**24 for i = 0 ... 4095, rounded."""
    with localcontext() as context:
        context.prec = 24
        one, scale = Decimal(1), Decimal(2) ** 24
        size = 1 << _LOG_BITS
        values = [int(((one + Decimal(i) / size).ln() * scale).to_integral_value()) for i in range(size)]
    return np.array(values, dtype=np.int32)


SQUASH = _squash_table()
"""``SQUASH[x + STRETCH_LIMIT]`` is the 16-bit probability of logistic value x."""
STRETCH = _stretch_table()
"""``STRETCH[p]`` is the logistic value of the 16-bit probability p."""
_LOG = _log_table()


@inlined
def squash(x: int) -> int:
    """16-bit probability of a logistic value (1/256 nat); values beyond the limits are clipped."""
    if x > STRETCH_LIMIT:
        x = STRETCH_LIMIT
    elif x < -STRETCH_LIMIT:
        x = -STRETCH_LIMIT
    return SQUASH[x + STRETCH_LIMIT]


@inlined
def stretch(p: int) -> int:
    """Logistic value (1/256 nat) of a 16-bit probability."""
    return STRETCH[p]


@compiled
def log_fixed(mass: int) -> int:
    """Natural logarithm of a positive integer below 2**62, in units of 2**-24, error below 2**-12."""
    exponent = 0
    value = mass
    if value >= 1 << 32:
        value >>= 32
        exponent += 32
    if value >= 1 << 16:
        value >>= 16
        exponent += 16
    if value >= 1 << 8:
        value >>= 8
        exponent += 8
    if value >= 1 << 4:
        value >>= 4
        exponent += 4
    if value >= 1 << 2:
        value >>= 2
        exponent += 2
    if value >= 2:
        exponent += 1
    if exponent >= _LOG_BITS:
        fraction = (mass >> (exponent - _LOG_BITS)) - (1 << _LOG_BITS)
    else:
        fraction = (mass << (_LOG_BITS - exponent)) - (1 << _LOG_BITS)
    return exponent * _LN2 + _LOG[fraction]


@compiled
def stretch_ratio(ones: int, zeros: int) -> int:
    """Logistic value (1/256 nat) of ones : zeros, two positive integer masses, clipped to the limit."""
    x = (log_fixed(ones) - log_fixed(zeros) + (1 << 15)) >> 16
    return min(max(x, -STRETCH_LIMIT), STRETCH_LIMIT)
