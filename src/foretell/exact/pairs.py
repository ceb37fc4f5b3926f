"""Products on any processor: pairs of 16-bit integers are multiplied and added into 32-bit lanes.

LLVM turns the pattern into ``vpmaddwd`` on x86 and into widening multiply-adds elsewhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from foretell.compilation import compiled
from foretell.exact.emit import I8, I16, I32, I64, load, repeat, splat, store, vector

LANES = 8
_PAIRS, _WIDE = vector(I16, 2 * LANES), vector(I32, 2 * LANES)


def multiply_pairs(builder: Any, left: Any, right: Any) -> Any:
    """Sums of the products of adjacent int16 pairs, in a form that LLVM matches to one instruction."""
    products = builder.mul(builder.sext(left, _WIDE), builder.sext(right, _WIDE))
    return _add_neighbours(builder, products)


def _add_neighbours(builder: Any, values: Any) -> Any:
    undefined, index = ir.Constant(values.type, ir.Undefined), vector(I32, LANES)
    even = builder.shuffle_vector(values, undefined, ir.Constant(index, list(range(0, 2 * LANES, 2))))
    odd = builder.shuffle_vector(values, undefined, ir.Constant(index, list(range(1, 2 * LANES, 2))))
    return builder.add(even, odd)


def _emit(builder: Any, args: Any, rows: int) -> None:
    """Keep rows x 8 outputs in registers, each as two sums, and go through the inputs four at a time."""
    left, packed, out, quads, left_stride, out_stride = args
    sources = [builder.add(left, builder.mul(left_stride, I64(2 * row))) for row in range(rows)]

    def step(quad: Any, sums: list[Any]) -> list[Any]:
        at = builder.add(packed, builder.mul(quad, I64(64)))
        weights = [
            builder.sext(load(builder, builder.add(at, I64(16 * half)), vector(I8, 16)), _PAIRS) for half in (0, 1)
        ]
        totals = []
        for row, source in enumerate(sources):
            four = load(builder, builder.add(source, builder.mul(quad, I64(8))), I64)
            activations = builder.bitcast(splat(builder, four, 4), _PAIRS)
            for half, weight in enumerate(weights):
                totals.append(builder.add(sums[2 * row + half], multiply_pairs(builder, activations, weight)))
        return totals

    zero = ir.Constant(vector(I32, LANES), None)
    sums = repeat(builder, quads, [zero] * (2 * rows), step)
    both = ir.Constant(vector(I32, 2 * LANES), list(range(2 * LANES)))
    for row in range(rows):
        joined = builder.shuffle_vector(sums[2 * row], sums[2 * row + 1], both)
        target = builder.add(out, builder.mul(out_stride, I64(4 * row)))
        store(builder, _add_neighbours(builder, joined), target)


def _make(rows: int) -> Any:
    """Build the micro-kernel for ``rows`` x 8 outputs; strides are in elements."""

    @intrinsic
    def tile(_context, left, packed, out, quads, left_stride, out_stride):  # type: ignore[no-untyped-def]
        def generate(context, builder, _signature, args):  # type: ignore[no-untyped-def]
            _emit(builder, args, rows)
            return context.get_dummy_value()

        return types.void(left, packed, out, types.intp, types.intp, types.intp), generate

    return tile


_tile6, _tile5, _tile3, _tile1 = _make(6), _make(5), _make(3), _make(1)


@intrinsic
def _widen(_context, source, target, count):  # type: ignore[no-untyped-def]
    """Copy ``count`` int8 to int16, 16 at a time."""

    def generate(context, builder, _signature, args):  # type: ignore[no-untyped-def]
        source, target, count = args

        def step(index: Any, _values: list[Any]) -> list[Any]:
            bytes_ = load(builder, builder.add(source, builder.mul(index, I64(16))), vector(I8, 16))
            store(builder, builder.sext(bytes_, _PAIRS), builder.add(target, builder.mul(index, I64(32))))
            return []

        repeat(builder, builder.sdiv(count, I64(16)), [], step)
        return context.get_dummy_value()

    return types.void(source, target, types.intp), generate


@compiled
def wide_product_at(
    wide: int, packed: int, block_bytes: int, inputs: int, blocks: int, out: int, out_stride: int, rows: int
) -> None:
    """As :func:`pair_product_at`, for contiguous rows of int16; sums have to fit in int32, K is a multiple of 4."""
    quads = inputs // 4
    for part in range(2 * blocks):
        weights, target = packed + (part // 2) * block_bytes + (part % 2) * 32, out + part * 32
        row = 0
        while row < rows:
            source, sink = wide + row * inputs * 2, target + row * out_stride * 4
            rest = rows - row
            if rest >= 6:
                _tile6(source, weights, sink, quads, inputs, out_stride)
                row += 6
            elif rest == 5:
                _tile5(source, weights, sink, quads, inputs, out_stride)
                row += 5
            elif rest >= 3:
                _tile3(source, weights, sink, quads, inputs, out_stride)
                row += 3
            else:
                _tile1(source, weights, sink, quads, inputs, out_stride)
                row += 1


@compiled
def pair_product_at(
    left: int,
    left_stride: int,
    packed: int,
    block_bytes: int,
    inputs: int,
    blocks: int,
    out: int,
    out_stride: int,
    rows: int,
) -> None:
    """Multiply int8 rows by packed blocks: ``out[r, n] = sum_k left[r, k] * weights[n, k]``.

    Parameters
    ----------
    left, packed, out : int
        Addresses: of int8 rows, of a packed matrix (see :mod:`foretell.exact.product`), of int32 rows.
    left_stride, out_stride : int
        From row to row, in elements.
    block_bytes : int
        From one packed block of 16 outputs to the next.
    inputs : int
        A multiple of 16.
    blocks, rows : int
        How many there are.
    """
    wide = np.empty(rows * inputs, np.int16)
    for row in range(rows):
        _widen(left + row * left_stride, wide.ctypes.data + 2 * row * inputs, inputs)  # type: ignore[call-arg, unused-ignore]
    wide_product_at(wide.ctypes.data, packed, block_bytes, inputs, blocks, out, out_stride, rows)
