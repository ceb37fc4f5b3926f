"""Dot products of floats in an order that is part of the format.

The products are summed in lanes: lane k adds up elements k, k + lanes, k + 2 lanes and so on; then the upper half of
the lanes is added to the lower, again and again. Lanes are independent of each other, so that the processor can work
on many of them at once without changing a bit. The compiled form is emitted as vectors, since LLVM keeps an array of
sums in memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from foretell.compilation import inlined, settings

LANES = 32
"""Lanes of binary32."""
LONG_LANES = 8
"""Lanes of binary64."""
Floats = NDArray[np.floating[Any]]


def _emit_sum(builder: Any, left: Any, right: Any, count: Any, number: Any, lanes: int) -> Any:
    """Emit the loop that sums products in vectors of lanes, and the halvings of the sum."""
    vector = ir.VectorType(number, lanes)
    size = count.type
    entry, loop, done = builder.block, builder.append_basic_block(), builder.append_basic_block()
    builder.branch(loop)
    builder.position_at_end(loop)
    index, total = builder.phi(size), builder.phi(vector)
    loads = []
    for array in (left, right):
        load = builder.load(builder.bitcast(builder.gep(array, [index]), vector.as_pointer()))
        load.align = 4 if number == ir.FloatType() else 8
        loads.append(load)
    summed = builder.fadd(total, builder.fmul(*loads))
    following = builder.add(index, size(lanes))
    index.add_incoming(size(0), entry)
    index.add_incoming(following, loop)
    total.add_incoming(ir.Constant(vector, [0.0] * lanes), entry)
    total.add_incoming(summed, loop)
    builder.cbranch(builder.icmp_signed("<", following, count), loop, done)
    builder.position_at_end(done)
    while lanes > 1:
        lanes //= 2
        places = ir.VectorType(ir.IntType(32), lanes)
        undefined = ir.Constant(summed.type, ir.Undefined)
        lower, upper = (
            builder.shuffle_vector(summed, undefined, ir.Constant(places, list(range(first, first + lanes))))
            for first in (0, lanes)
        )
        summed = builder.fadd(lower, upper)
    return builder.extract_element(summed, ir.IntType(32)(0))


def _make_dot(result: Any, number: Any, lanes: int) -> Any:
    @intrinsic
    def function(_context: Any, a: Any, b: Any, n: Any) -> Any:
        if not isinstance(a, types.Array) or not isinstance(b, types.Array) or not isinstance(n, types.Integer):
            return None

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            left, right = (
                context.make_array(kind)(context, builder, value).data
                for kind, value in zip(signature.args[:2], arguments[:2], strict=True)
            )
            return _emit_sum(builder, left, right, arguments[2], number, lanes)

        return result(a, b, types.int64), generate

    return function


_short = _make_dot(types.float32, ir.FloatType(), LANES)
_long = _make_dot(types.float64, ir.DoubleType(), LONG_LANES)


def _plain(a: Floats, b: Floats, n: int, lanes: int) -> Any:
    """The same sum, one element at a time."""
    sums = np.zeros(lanes, a.dtype)
    for i in range(0, n, lanes):
        sums += a[i : i + lanes] * b[i : i + lanes]
    while lanes > 1:
        lanes //= 2
        sums = sums[:lanes] + sums[lanes:]
    return sums[0]


if settings.DISABLE_JIT:

    def dot32(a: NDArray[np.float32], b: NDArray[np.float32], n: int) -> Any:
        """Sum of ``a[i] * b[i]`` for i below n, a positive multiple of ``LANES``, in binary32."""
        return _plain(a, b, n, LANES)

    def dot64(a: NDArray[np.float64], b: NDArray[np.float64], n: int) -> Any:
        """The same of binary64, n a positive multiple of ``LONG_LANES``."""
        return _plain(a, b, n, LONG_LANES)

else:

    @inlined
    def dot32(a: NDArray[np.float32], b: NDArray[np.float32], n: int) -> Any:
        """Sum of ``a[i] * b[i]`` for i below n, a positive multiple of ``LANES``, in binary32."""
        return _short(a, b, n)

    @inlined
    def dot64(a: NDArray[np.float64], b: NDArray[np.float64], n: int) -> Any:
        """The same of binary64, n a positive multiple of ``LONG_LANES``."""
        return _long(a, b, n)
