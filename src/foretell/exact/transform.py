"""Norms, Walsh-Hadamard rotation and quantisation of activations, as fused Numba code.

A quantised row is 8-bit integers and one float32 scale. Before quantisation the row is rotated in
blocks of 64 by the unnormalised Walsh-Hadamard transform, which spreads outliers; the weights were
rotated by its inverse once, offline (:func:`rotate_weights`), so products are unchanged.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from foretell.compilation import compiled
from foretell.exact.arithmetic import ACTIVATION_LIMIT, WEIGHT_LIMIT, largest_magnitude, round_even

HADAMARD = 64
"""Largest size of a rotated block; a smaller power of two serves widths that 64 does not divide."""

_LIMIT = np.float32(ACTIVATION_LIMIT)
_ZERO = np.float32(0.0)
_NORM_STEPS = np.float32(32768.0)
_NORM_UNIT = 2.0**-30


def block_size(width: int) -> int:
    """Size of the rotated blocks of rows of ``width``: the largest power of two up to 64 that divides it."""
    return int(np.gcd(width, HADAMARD))


def _butterflies(builder: Any, rows: list[Any]) -> list[Any]:
    """Walsh-Hadamard transform of 64 values in eight vectors of eight: strides 1, 2, 4 inside, 8, 16, 32 across."""
    vector, index = rows[0].type, ir.VectorType(ir.IntType(32), 8)
    undefined = ir.Constant(vector, ir.Undefined)
    for half in (1, 2, 4):
        partners = ir.Constant(index, [lane ^ half for lane in range(8)])
        signs = ir.Constant(vector, [-1.0 if lane & half else 1.0 for lane in range(8)])
        swapped = [builder.shuffle_vector(row, undefined, partners) for row in rows]
        rows = [builder.fadd(other, builder.fmul(row, signs)) for row, other in zip(rows, swapped, strict=True)]
    for half in (1, 2, 4):
        sums = [
            builder.fsub(rows[i ^ half], row) if i & half else builder.fadd(row, rows[i ^ half])
            for i, row in enumerate(rows)
        ]
        rows = sums
    return rows


@intrinsic
def _hadamard_64(_context, address):  # type: ignore[no-untyped-def]
    """Transform 64 float32 at ``address`` in place; the same sums as the loops of :func:`hadamard`."""

    def generate(context, builder, _signature, args):  # type: ignore[no-untyped-def]
        vector = ir.VectorType(ir.FloatType(), 8)
        base = builder.inttoptr(args[0], vector.as_pointer())
        pointers = [builder.gep(base, [ir.IntType(64)(i)]) for i in range(8)]
        rows = [builder.load(pointer, align=4) for pointer in pointers]
        for row, pointer in zip(_butterflies(builder, rows), pointers, strict=True):
            builder.store(row, pointer, align=4)
        return context.get_dummy_value()

    return types.void(address), generate


@compiled
def hadamard(x: NDArray[np.float32], block: int) -> None:
    """Unnormalised Walsh-Hadamard transform of each block of a contiguous row, in place.

    The order of the butterflies is part of the contract: strides 1, 2, 4, ... inside each block.
    """
    if block == HADAMARD:
        for start in range(0, x.size, HADAMARD):
            _hadamard_64(x.ctypes.data + start * 4)  # type: ignore[call-arg]
        return
    for start in range(0, x.size, block):
        half = 1
        while half < block:
            for group in range(start, start + block, 2 * half):
                for i in range(group, group + half):
                    a, b = x[i], x[i + half]
                    x[i] = a + b
                    x[i + half] = a - b
            half *= 2


@compiled
def quantise(x: NDArray[np.float32], out: NDArray[np.int8]) -> np.float32:
    """Round a row to [-127, 127] by its largest absolute value; return the scale of one step (0 for zeros)."""
    largest = largest_magnitude(x)
    if largest == _ZERO:
        for i in range(x.size):
            out[i] = 0
        return _ZERO
    inverse = _LIMIT / largest
    for i in range(x.size):
        out[i] = np.int8(round_even(x[i] * inverse))
    return largest / _LIMIT


@compiled
def rms_norm(x: NDArray[np.float32], weight: NDArray[np.float32], epsilon: float, out: NDArray[np.float32]) -> None:
    """``x / sqrt(mean(x**2) + epsilon) * weight``; the squares are summed as integers of x / max|x| in 2**-15."""
    largest = largest_magnitude(x)
    total = np.int64(0)
    if largest > _ZERO:
        inverse = _NORM_STEPS / largest
        for i in range(x.size):
            step = np.int32(round_even(x[i] * inverse))
            total += np.int64(step * step)
    peak = np.float64(largest)
    mean = np.float64(total) * _NORM_UNIT * (peak * peak) / np.float64(x.size)
    scale = np.float32(1.0 / np.sqrt(mean + epsilon))
    for i in range(x.size):
        out[i] = (x[i] * scale) * weight[i]


def rotate_weights(weights: NDArray[np.float32], block: int) -> NDArray[np.float64]:
    """Rotate the inputs of a (N, K) matrix so that it can be applied to rows rotated by :func:`hadamard`.

    Both rotate in blocks of ``block``; the result includes the factor 1 / block that makes the two cancel.
    """
    outputs, inputs = weights.shape
    x = weights.astype(np.float64).reshape(outputs, inputs // block, block)
    half = 1
    while half < block:
        pairs = x.reshape(outputs, inputs // block, block // (2 * half), 2, half)
        x = np.stack((pairs[..., 0, :] + pairs[..., 1, :], pairs[..., 0, :] - pairs[..., 1, :]), axis=-2)
        half *= 2
    return x.reshape(outputs, inputs) / block


REST_STEPS = 16
"""Where weights are rounded twice, the second time is to this part of a step."""
REST_LIMIT = 8


def quantise_weights_twice(
    weights: NDArray[np.float64],
) -> tuple[NDArray[np.int8], NDArray[np.int8], NDArray[np.float32]]:
    """Round each row to [-63, 63], and what is left of it to 16ths of these steps; return both and the 16ths' scale."""
    integers, steps = quantise_weights(weights)
    scales = steps / np.float32(REST_STEPS)
    safe = np.where(scales > 0, scales, 1).astype(np.float64)[:, None]
    rest = np.rint(weights / safe - REST_STEPS * integers.astype(np.float64))
    return integers, np.clip(rest, -REST_LIMIT, REST_LIMIT).astype(np.int8), scales


def quantise_weights(weights: NDArray[np.float64]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Round each row of a matrix to [-63, 63]; return the integers and the float32 scale of each row."""
    largest = np.abs(weights).max(axis=1)
    scales = (largest / WEIGHT_LIMIT).astype(np.float32)
    safe = np.where(scales > 0, scales, 1).astype(np.float64)
    integers = np.clip(np.rint(weights / safe[:, None]), -WEIGHT_LIMIT, WEIGHT_LIMIT)
    return integers.astype(np.int8), scales
