"""Products of small-integer matrices: packing, the Numba micro-kernel, and interchangeable kernels.

Activations are in [-127, 127] (attention weights: up to 32767 with a bounded sum), weights in
[-63, 63]; every sum is exact in int32, so that any kernel gives the same result. The micro-kernel
multiplies pairs of int16 and adds them into int32 lanes: LLVM turns it into ``vpmaddwd`` on x86
(``vpdpwssd`` with VNNI) and into widening multiply-adds elsewhere.

Packed layout of a (N, K) matrix: ``[N / 16, K / 2, 16, 2]``, that is, blocks of 16 outputs in which
each pair of consecutive inputs is adjacent.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from foretell.compilation import compiled

LANES = 8
BLOCK = 16
"""Outputs in a packed block."""

_I8, _I16, _I32 = ir.IntType(8), ir.IntType(16), ir.IntType(32)
_VECTOR_I8 = ir.VectorType(_I8, 2 * LANES)
_VECTOR_I16 = ir.VectorType(_I16, 2 * LANES)
_VECTOR_I32 = ir.VectorType(_I32, LANES)
_WIDE_I32 = ir.VectorType(_I32, 2 * LANES)


def pack(matrix: NDArray[np.int8]) -> NDArray[np.int8]:
    """Pack a (N, K) int8 matrix, K even, for the kernels; N is padded with zero rows to a multiple of 16."""
    outputs, inputs = matrix.shape
    padded = np.zeros((-outputs % BLOCK + outputs, inputs), np.int8)
    padded[:outputs] = matrix
    return np.ascontiguousarray(padded.reshape(-1, BLOCK, inputs // 2, 2).transpose(0, 2, 1, 3))


def unpack(packed: NDArray[np.int8], outputs: int) -> NDArray[np.int8]:
    """Inverse of :func:`pack`: the (outputs, K) matrix."""
    blocks, pairs = packed.shape[:2]
    return np.ascontiguousarray(packed.transpose(0, 2, 1, 3).reshape(blocks * BLOCK, 2 * pairs)[:outputs])


def _multiply_pairs(builder: Any, left: Any, right: Any) -> Any:
    """Sums of the products of adjacent int16 pairs, in a form that LLVM matches to one instruction."""
    products = builder.mul(builder.sext(left, _WIDE_I32), builder.sext(right, _WIDE_I32))
    undefined = ir.Constant(_WIDE_I32, ir.Undefined)
    index = ir.VectorType(_I32, LANES)
    even = builder.shuffle_vector(products, undefined, ir.Constant(index, list(range(0, 2 * LANES, 2))))
    odd = builder.shuffle_vector(products, undefined, ir.Constant(index, list(range(1, 2 * LANES, 2))))
    return builder.add(even, odd)


def _broadcast_pair(builder: Any, pointer: Any) -> Any:
    """One pair of int16 activations in every lane."""
    pair = builder.load(pointer)
    pair.align = 2
    undefined = ir.Constant(_VECTOR_I32, ir.Undefined)
    vector = builder.insert_element(undefined, pair, _I32(0))
    zeros = ir.Constant(_VECTOR_I32, [0] * LANES)
    return builder.bitcast(builder.shuffle_vector(vector, undefined, zeros), _VECTOR_I16)


def _load_block(builder: Any, packed: Any, pair: Any, size: Any) -> list[Any]:
    """The 16 outputs' weights for one input pair, widened to int16, as two vectors."""
    vectors = []
    for part in range(BLOCK // LANES):
        offset = builder.add(builder.mul(pair, size(2 * BLOCK)), size(2 * LANES * part))
        load = builder.load(builder.bitcast(builder.gep(packed, [offset]), _VECTOR_I8.as_pointer()))
        load.align = 1
        vectors.append(builder.sext(load, _VECTOR_I16))
    return vectors


def _emit_tile(builder: Any, args: Any, rows: int) -> None:
    """Emit the loop over input pairs that keeps a rows x 16 tile of sums in registers."""
    left, packed, out, pairs, left_stride, out_stride = args
    size = pairs.type
    left = builder.inttoptr(left, _I32.as_pointer())
    packed = builder.inttoptr(packed, _I8.as_pointer())
    out = builder.inttoptr(out, _I32.as_pointer())
    entry, loop, done = builder.block, builder.append_basic_block(), builder.append_basic_block()
    step = builder.ashr(left_stride, size(1))
    row_pointers = [builder.gep(left, [builder.mul(step, size(row))]) for row in range(rows)]
    builder.branch(loop)
    builder.position_at_end(loop)
    pair = builder.phi(size)
    pair.add_incoming(size(0), entry)
    sums = [[builder.phi(_VECTOR_I32) for _ in range(BLOCK // LANES)] for _ in range(rows)]
    weights = _load_block(builder, packed, pair, size)
    totals = []
    for row in range(rows):
        activations = _broadcast_pair(builder, builder.gep(row_pointers[row], [pair]))
        terms = [_multiply_pairs(builder, activations, weight) for weight in weights]
        totals.append([builder.add(old, term) for old, term in zip(sums[row], terms, strict=True)])
    for old_row, new_row in zip(sums, totals, strict=True):
        for old, new in zip(old_row, new_row, strict=True):
            old.add_incoming(ir.Constant(_VECTOR_I32, None), entry)
            old.add_incoming(new, loop)
    following = builder.add(pair, size(1))
    pair.add_incoming(following, loop)
    builder.cbranch(builder.icmp_signed("<", following, pairs), loop, done)
    builder.position_at_end(done)
    for row in range(rows):
        for part, total in enumerate(totals[row]):
            offset = builder.add(builder.mul(out_stride, size(row)), size(LANES * part))
            pointer = builder.bitcast(builder.gep(out, [offset]), _VECTOR_I32.as_pointer())
            builder.store(total, pointer).align = 4


def _make_tile(rows: int) -> Any:
    """Build the micro-kernel for ``rows`` x 16 outputs.

    Its arguments are the addresses of the int16 activations, the packed block and the int32 output,
    then the number of input pairs (at least 1), and the strides of activations and output in elements.
    """

    @intrinsic
    def tile(_context, left, packed, out, pairs, left_stride, out_stride):  # type: ignore[no-untyped-def]
        signature = types.void(left, packed, out, types.intp, types.intp, types.intp)

        def generate(context, builder, _signature, args):  # type: ignore[no-untyped-def]
            _emit_tile(builder, args, rows)
            return context.get_dummy_value()

        return signature, generate

    return tile


_tile6, _tile5, _tile3, _tile1 = _make_tile(6), _make_tile(5), _make_tile(3), _make_tile(1)


@compiled
def product_at(
    left: int, left_stride: int, packed: int, inputs: int, blocks: int, out: int, out_stride: int, rows: int
) -> None:
    """Multiply int16 rows by packed blocks, all given by address; strides are in elements.

    ``out[r, n] = sum_k left[r, k] * weights[n, k]`` for ``rows`` rows and ``blocks`` x 16 outputs.
    """
    pairs = inputs // 2
    for block in range(blocks):
        weights = packed + block * inputs * BLOCK
        target = out + block * BLOCK * 4
        row = 0
        while row < rows:
            source, sink = left + row * left_stride * 2, target + row * out_stride * 4
            rest = rows - row
            if rest >= 6:
                _tile6(source, weights, sink, pairs, left_stride, out_stride)
                row += 6
            elif rest == 5:
                _tile5(source, weights, sink, pairs, left_stride, out_stride)
                row += 5
            elif rest >= 3:
                _tile3(source, weights, sink, pairs, left_stride, out_stride)
                row += 3
            else:
                _tile1(source, weights, sink, pairs, left_stride, out_stride)
                row += 1


@compiled
def product(left: NDArray[np.int16], packed: NDArray[np.int8], out: NDArray[np.int32]) -> None:
    """``out[r, n] = sum_k left[r, k] * weights[n, k]`` for contiguous (R, K) and packed (N / 16, K / 2, 16, 2).

    ``out`` is contiguous, (R, N), N a multiple of 16.
    """
    rows, inputs = left.shape
    product_at(
        left.ctypes.data,
        inputs,
        packed.ctypes.data,
        inputs,
        packed.shape[0],
        out.ctypes.data,
        out.shape[1],
        rows,
    )
