"""Products on x86 processors with VNNI: one instruction multiplies four bytes by four and adds the products.

``vpdpbusd`` takes unsigned bytes on the left, so rows are shifted by 128 and the sums start at -128 times the sum of
the weights. Its 32-bit sums do not saturate.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from foretell.compilation import compiled
from foretell.exact.emit import I8, I32, I64, call, load, repeat, splat, store, vector
from foretell.processor import cpu_features

_LANES = 16 if "avx512vnni" in cpu_features() else 8
_PARTS = 16 // _LANES
_SUMS = vector(I32, _LANES)


def _dot(builder: Any, sums: Any, left: Any, right: Any) -> Any:
    return call(builder, f"llvm.x86.avx512.vpdpbusd.{32 * _LANES}", _SUMS, [sums, left, right])


def _emit(builder: Any, args: Any, rows: int) -> None:
    """Keep rows x 16 outputs in registers, and go through the inputs four at a time."""
    left, packed, start, out, quads, left_stride, out_stride = args
    sources = [builder.add(left, builder.mul(left_stride, I64(row))) for row in range(rows)]
    starts = [load(builder, builder.add(start, I64(4 * _LANES * part)), _SUMS) for part in range(_PARTS)]

    def step(quad: Any, sums: list[Any]) -> list[Any]:
        at = builder.add(packed, builder.mul(quad, I64(64)))
        weights = [load(builder, builder.add(at, I64(4 * _LANES * part)), _SUMS) for part in range(_PARTS)]
        totals = []
        for row, source in enumerate(sources):
            four = load(builder, builder.add(source, builder.mul(quad, I64(4))), I32)
            activations = splat(builder, four, _LANES)
            for part, weight in enumerate(weights):
                totals.append(_dot(builder, sums[_PARTS * row + part], activations, weight))
        return totals

    sums = repeat(builder, quads, starts * rows, step)
    for row in range(rows):
        target = builder.add(out, builder.mul(out_stride, I64(4 * row)))
        for part in range(_PARTS):
            store(builder, sums[_PARTS * row + part], builder.add(target, I64(4 * _LANES * part)))


def _make(rows: int) -> Any:
    """Build the micro-kernel for ``rows`` x 16 outputs; ``start`` is the address of what the 16 sums begin with."""

    @intrinsic
    def tile(_context, left, packed, start, out, quads, left_stride, out_stride):  # type: ignore[no-untyped-def]
        def generate(context, builder, _signature, args):  # type: ignore[no-untyped-def]
            _emit(builder, args, rows)
            return context.get_dummy_value()

        return types.void(left, packed, start, out, types.intp, types.intp, types.intp), generate

    return tile


_tile6, _tile3, _tile1 = _make(6), _make(3), _make(1)


@intrinsic
def _shift(_context, source, target, count):  # type: ignore[no-untyped-def]
    """Copy ``count`` int8 as unsigned bytes, 128 larger, 16 at a time."""

    def generate(context, builder, _signature, args):  # type: ignore[no-untyped-def]
        source, target, count = args
        sign = ir.Constant(vector(I8, 16), [-128] * 16)

        def step(index: Any, _values: list[Any]) -> list[Any]:
            at = builder.mul(index, I64(16))
            value = load(builder, builder.add(source, at), vector(I8, 16))
            store(builder, builder.xor(value, sign), builder.add(target, at))
            return []

        repeat(builder, builder.sdiv(count, I64(16)), [], step)
        return context.get_dummy_value()

    return types.void(source, target, types.intp), generate


@compiled
def dot_product_at(
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
    """Multiply int8 rows by packed blocks; see :func:`foretell.exact.pairs.pair_product_at`."""
    quads = inputs // 4
    moved, ones = np.empty(rows * inputs, np.uint8), np.ones(inputs, np.uint8)
    for row in range(rows):
        _shift(left + row * left_stride, moved.ctypes.data + row * inputs, inputs)  # type: ignore[call-arg, unused-ignore]
    start = np.empty(16, np.int32)
    for block in range(blocks):
        weights, target = packed + block * block_bytes, out + block * 64
        start[:] = 0
        _tile1(ones.ctypes.data, weights, start.ctypes.data, start.ctypes.data, quads, 0, 0)
        for i in range(16):
            start[i] = np.int32(start[i] * np.int32(-128))
        row = 0
        while row < rows:
            source, sink = moved.ctypes.data + row * inputs, target + row * out_stride * 4
            if rows - row >= 6:
                _tile6(source, weights, start.ctypes.data, sink, quads, inputs, out_stride)
                row += 6
            elif rows - row >= 3:
                _tile3(source, weights, start.ctypes.data, sink, quads, inputs, out_stride)
                row += 3
            else:
                _tile1(source, weights, start.ctypes.data, sink, quads, inputs, out_stride)
                row += 1
