"""Rows of binary32 numbers, eight at a time, for loops that the compiler does not turn into vector code itself.

Every element gets the same single IEEE operations as in a loop over elements, none of them fused. Arrays are
contiguous, places are counted over all their dimensions, and ranges that are written do not overlap others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy import float32
from numpy.typing import NDArray

EIGHT = 8
_VECTOR = ir.VectorType(ir.FloatType(), EIGHT)
Body = Callable[[Any, list[Any]], Any]
Combine = Callable[[Any, Any, Any, Any], Any]
Row = NDArray[float32]
Scaled = Callable[[Row, int, Row, int, float32, int], None]


def _is_row(kind: Any) -> bool:
    return isinstance(kind, types.Array) and kind.dtype == types.float32 and kind.layout == "C"


def _emit(context: Any, builder: Any, signature: Any, arguments: Any, arrays: int, body: Body) -> Any:
    """Loop over eights: load from every array, compute, store to the first.

    Arguments are arrays and places in turn, then scalars, then the number of eights (at least 1).
    """
    size = arguments[1].type
    pointers = []
    for k in range(arrays):
        data = context.make_array(signature.args[2 * k])(context, builder, arguments[2 * k]).data
        pointers.append(builder.gep(data, [arguments[2 * k + 1]]))
    lanes = [ir.Constant(ir.VectorType(ir.IntType(32), EIGHT), [0] * EIGHT)]
    scalars = []
    for value in arguments[2 * arrays : -1]:
        single = builder.insert_element(ir.Constant(_VECTOR, ir.Undefined), value, ir.IntType(32)(0))
        scalars.append(builder.shuffle_vector(single, ir.Constant(_VECTOR, ir.Undefined), *lanes))
    entry, loop, done = builder.block, builder.append_basic_block(), builder.append_basic_block()
    builder.branch(loop)
    builder.position_at_end(loop)
    index = builder.phi(size)
    index.add_incoming(size(0), entry)
    offset = builder.mul(index, size(EIGHT))
    places = [builder.bitcast(builder.gep(pointer, [offset]), _VECTOR.as_pointer()) for pointer in pointers]
    loaded = []
    for place in places:
        load = builder.load(place)
        load.align = 4
        loaded.append(load)
    builder.store(body(builder, loaded + scalars), places[0]).align = 4
    following = builder.add(index, size(1))
    index.add_incoming(following, loop)
    builder.cbranch(builder.icmp_signed("<", following, arguments[-1]), loop, done)
    builder.position_at_end(done)
    return context.get_dummy_value()


def _scaled(combine: Combine) -> Scaled:
    """Loop that puts ``combine(builder, out, row, factor)`` in the place of ``out``."""

    @intrinsic
    def scaled(typingctx: Any, out: Any, at: Any, row: Any, start: Any, factor: Any, eights: Any) -> Any:
        if not (_is_row(out) and _is_row(row)):
            return None
        signature = types.void(out, types.int64, row, types.int64, types.float32, types.int64)

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return _emit(context, builder, signature, arguments, 2, lambda b, v: combine(b, *v))

        return signature, generate

    return cast(Scaled, scaled)


@intrinsic
def _join_four(
    typingctx: Any, out: Any, at: Any, a: Any, a0: Any, b: Any, b0: Any, c: Any, c0: Any, d: Any, d0: Any, eights: Any
) -> Any:
    if not all(map(_is_row, (out, a, b, c, d))):
        return None
    place = types.int64
    signature = types.void(out, place, a, place, b, place, c, place, d, place, place)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def body(b: Any, v: list[Any]) -> Any:
            return b.fadd(b.fadd(b.fadd(v[1], v[2]), v[3]), v[4])

        return _emit(context, builder, signature, arguments, 5, body)

    return signature, generate


add_scaled = _scaled(lambda b, out, row, factor: b.fadd(out, b.fmul(factor, row)))
"""``out[at + j] += factor * row[start + j]`` for so many eights of j."""
subtract_scaled = _scaled(lambda b, out, row, factor: b.fsub(out, b.fmul(factor, row)))
"""``out[at + j] -= factor * row[start + j]``."""
fade = _scaled(lambda b, out, row, keep: b.fadd(b.fmul(out, keep), row))
"""``out[at + j] = out[at + j] * keep + row[start + j]``."""
join_four = cast(Callable[[Row, int, Row, int, Row, int, Row, int, Row, int, int], None], _join_four)
"""``out[at + j] = ((a[a0 + j] + b[b0 + j]) + c[c0 + j]) + d[d0 + j]``."""
