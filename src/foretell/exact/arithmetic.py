"""Elementwise functions of the contract, as Numba code: rounding, powers of two, gates.

Each step is one IEEE-754 binary32 operation, so that NumPy, torch and Numba agree on every bit. The
functions are inlined into loops that LLVM vectorises; ``fastmath`` must stay off, since it would
remove the rounding trick and contract products with sums.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from foretell.compilation import inlined

ROUND = np.float32(12582912.0)
"""1.5 * 2**23: adding and subtracting it rounds a float32 below 2**22 to the nearest even integer."""

EXP2_COEFFICIENTS = tuple(
    np.float32(c)
    for c in (
        -0.6931437253952026,
        0.2401801347732544,
        -0.05529734864830971,
        0.009205788373947144,
        -0.0009448998607695103,
    )
)
"""2**-f = 1 + c0 f + ... + c4 f**5 on [0, 1), relative error below 2.3e-7."""

EXP2_BITS = 28
"""Fraction bits of :func:`exp2_negative`."""

LOG2_E = np.float32(1.4426950408889634)
GELU_SCALE = np.float32(1.5957691216057308)
"""2 * sqrt(2 / pi)."""
GELU_CUBE = np.float32(0.044715)
ACTIVATION_LIMIT = 127
WEIGHT_LIMIT = 63

_C0, _C1, _C2, _C3, _C4 = EXP2_COEFFICIENTS
_ONE = np.float32(1.0)
_EXP2_ONE = np.float32(1 << EXP2_BITS)
_EXP2_UNIT = np.float32(2.0**-EXP2_BITS)
_LARGEST_SHIFT = np.float32(31.0)


def _emit(result: Any, emit: Any) -> Any:
    """Numba function that emits its own LLVM code, since Numba widens int32 arithmetic to 64 bits."""

    @intrinsic
    def function(_context, value):  # type: ignore[no-untyped-def]
        def generate(_target, builder, _signature, args):  # type: ignore[no-untyped-def]
            return emit(builder, args[0])

        return result(value), generate

    return function


_I32, _F32 = ir.IntType(32), ir.FloatType()


def _flip(builder: Any, bits: Any) -> Any:
    """Turn the bits of a float into an int32 of the same order, and back: negative values are inverted."""
    return builder.xor(bits, builder.and_(builder.ashr(bits, _I32(31)), _I32(0x7FFFFFFF)))


order_key = _emit(types.int32, lambda builder, x: _flip(builder, builder.bitcast(x, _I32)))
"""``order_key(x)``: an int32 that orders as the float32 x does; LLVM vectorises its maximum, not a float's."""
from_order_key = _emit(types.float32, lambda builder, key: builder.bitcast(_flip(builder, key), _F32))
"""Inverse of :func:`order_key`."""
_magnitude_bits = _emit(types.int32, lambda builder, x: builder.and_(builder.bitcast(x, _I32), _I32(0x7FFFFFFF)))


@intrinsic
def shift_right(_context, value, places):  # type: ignore[no-untyped-def]
    """``value >> places`` in 32 bits, places in 0 ... 31."""

    def generate(_target, builder, _signature, args):  # type: ignore[no-untyped-def]
        return builder.ashr(args[0], args[1])

    return types.int32(types.int32, types.int32), generate


@inlined
def largest_magnitude(x: NDArray[np.float32]) -> np.float32:
    """Max |x|, 0 for an empty row."""
    key = np.int32(0)
    for i in range(x.size):
        key = max(key, _magnitude_bits(x[i]))
    return from_order_key(key)


@inlined
def round_even(x: np.float32) -> np.float32:
    """Nearest integer of ``x``, |x| < 2**22, halves to even, as a float32."""
    return (x + ROUND) - ROUND


@inlined
def exp2_negative(t: np.float32) -> np.int32:
    """2**-t for t >= 0 as an integer in units of 2**-28."""
    t = t if t < _LARGEST_SHIFT else _LARGEST_SHIFT
    whole = np.int32(t)
    f = t - np.float32(whole)
    p = _C4 * f + _C3
    p = p * f + _C2
    p = p * f + _C1
    p = p * f + _C0
    p = p * f + _ONE
    return shift_right(np.int32(p * _EXP2_ONE), whole)  # type: ignore[call-arg]


@inlined
def sigmoid(z: np.float32) -> np.float32:
    """1 / (1 + exp(-z))."""
    e = np.float32(exp2_negative(abs(z) * LOG2_E)) * _EXP2_UNIT
    return (_ONE if z >= np.float32(0.0) else e) / (_ONE + e)


@inlined
def silu(x: np.float32) -> np.float32:
    """X * sigmoid(x)."""
    return x * sigmoid(x)


@inlined
def gelu(x: np.float32) -> np.float32:
    """The tanh form of GELU: x * sigmoid(2 sqrt(2/pi) (x + 0.044715 x**3))."""
    cube = (x * x) * x
    return x * sigmoid(GELU_SCALE * (x + GELU_CUBE * cube))
