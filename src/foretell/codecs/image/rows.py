"""Rows of integers that a decision reads and changes: weights of mixers and histories of values, a vector at a time.

They compute what :mod:`foretell.entropy.mixer` does, for rows whose length is known when they are compiled.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from foretell.compilation import settings
from foretell.entropy.mixer import WEIGHT_LIMIT
from foretell.exact.emit import I8, I16, I32, I64, call, load, splat, store, vector

EIGHT: Final = 8
_VECTOR = vector(I32, EIGHT)
_VALUES = vector(I16, EIGHT)


def _at(context: Any, builder: Any, kind: Any, array: Any, place: Any, size: int) -> Any:
    """Address of an element."""
    data = builder.ptrtoint(context.make_array(kind)(context, builder, array).data, I64)
    return builder.add(data, builder.mul(place, I64(size)))


def _all(value: int, kind: Any = _VECTOR) -> Any:
    return ir.Constant(kind, [value] * EIGHT)


def _total(builder: Any, values: Any) -> Any:
    """Sum of all lanes."""
    lanes = EIGHT
    while lanes > 1:
        lanes //= 2
        undefined = ir.Constant(values.type, ir.Undefined)
        low, high = (
            builder.shuffle_vector(values, undefined, ir.Constant(vector(I32, lanes), list(range(s, s + lanes))))
            for s in (0, lanes)
        )
        values = builder.add(low, high)
    return builder.extract_element(values, I32(0))


def make_mix(size: int) -> Any:
    """``mix(weights, at, inputs)``: sum of ``weights[at + i] * inputs[i] >> 8`` over ``size``, a multiple of 8."""

    @intrinsic
    def mix(_context: Any, weights: Any, at: Any, inputs: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            row = _at(context, builder, signature.args[0], arguments[0], arguments[1], 4)
            source = _at(context, builder, signature.args[2], arguments[2], I64(0), 4)
            total = _all(0)
            for step in range(0, 4 * size, 4 * EIGHT):
                a, b = (load(builder, builder.add(base, I64(step)), _VECTOR) for base in (row, source))
                total = builder.add(total, builder.ashr(builder.mul(a, b), _all(8)))
            return _total(builder, total)

        return types.int32(weights, types.int64, inputs), generate

    def plain(weights: NDArray[np.int32], at: int, inputs: NDArray[np.int32]) -> int:
        return int(np.sum(weights[at : at + size] * inputs >> 8, dtype=np.int32))

    return plain if settings.DISABLE_JIT else mix


def make_train(size: int) -> Any:
    """``train(weights, at, inputs, step)``: move a row by ``inputs * step / 2**14``, rounded, within its limit."""

    @intrinsic
    def train(_context: Any, weights: Any, at: Any, inputs: Any, step: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            row = _at(context, builder, signature.args[0], arguments[0], arguments[1], 4)
            source = _at(context, builder, signature.args[2], arguments[2], I64(0), 4)
            factor = splat(builder, arguments[3], EIGHT)
            for shift in range(0, 4 * size, 4 * EIGHT):
                place = builder.add(row, I64(shift))
                product = builder.mul(load(builder, builder.add(source, I64(shift)), _VECTOR), factor)
                change = builder.ashr(builder.add(product, _all(1 << 13)), _all(14))
                new = builder.add(load(builder, place, _VECTOR), change)
                for limit, relation in ((_all(-WEIGHT_LIMIT), ">"), (_all(WEIGHT_LIMIT), "<")):
                    new = builder.select(builder.icmp_signed(relation, new, limit), new, limit)
                store(builder, new, place)
            return context.get_dummy_value()

        return types.void(weights, types.int64, inputs, types.int32), generate

    def plain(weights: NDArray[np.int32], at: int, inputs: NDArray[np.int32], step: int) -> None:
        change = (inputs * np.int32(step) + np.int32(1 << 13)) >> 14
        weights[at : at + size] = np.clip(weights[at : at + size] + change, -WEIGHT_LIMIT, WEIGHT_LIMIT)

    return plain if settings.DISABLE_JIT else train


@intrinsic
def _count_between(_context: Any, values: Any, at: Any, low: Any, high: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        row = load(builder, _at(context, builder, signature.args[0], arguments[0], arguments[1], 2), _VALUES)
        wide = builder.zext(row, _VECTOR)
        low, high = (splat(builder, builder.trunc(bound, I32), EIGHT) for bound in arguments[2:])
        inside = builder.and_(builder.icmp_signed(">=", wide, low), builder.icmp_signed("<", wide, high))
        bits = builder.bitcast(inside, I8)
        return builder.zext(call(builder, "llvm.ctpop.i8", I8, [bits]), I64)

    return types.int64(values, types.int64, types.int64, types.int64), generate


@intrinsic
def _to_front(_context: Any, values: Any, at: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _at(context, builder, signature.args[0], arguments[0], arguments[1], 2)
        row = load(builder, place, _VALUES)
        new = splat(builder, builder.trunc(arguments[2], I16), EIGHT)
        found = builder.bitcast(builder.icmp_signed("==", row, new), I8)
        last = call(builder, "llvm.cttz.i8", I8, [builder.or_(found, I8(1 << (EIGHT - 1))), ir.IntType(1)(1)])
        order = ir.Constant(vector(I32, EIGHT), [EIGHT, *range(EIGHT - 1)])
        moved = builder.shuffle_vector(row, new, order)
        lanes = ir.Constant(_VALUES, list(range(EIGHT)))
        until = splat(builder, builder.zext(last, I16), EIGHT)
        store(builder, builder.select(builder.icmp_signed("<=", lanes, until), moved, row), place)
        return context.get_dummy_value()

    return types.void(values, types.int64, types.int64), generate


def _plain_count_between(values: NDArray[np.uint16], at: int, low: int, high: int) -> int:
    row = values[at : at + EIGHT].astype(np.int64)
    return int(np.count_nonzero((row >= low) & (row < high)))


def _plain_to_front(values: NDArray[np.uint16], at: int, value: int) -> None:
    row = values[at : at + EIGHT].tolist()
    value &= 0xFFFF
    row.insert(0, row.pop(row.index(value)) if value in row else value)
    values[at : at + EIGHT] = row[:EIGHT]


count_between: Any = _plain_count_between if settings.DISABLE_JIT else _count_between
"""``(values, at, low, high)``: how many of eight uint16 from a place on are at least ``low`` and below ``high``."""
to_front: Any = _plain_to_front if settings.DISABLE_JIT else _to_front
"""``(values, at, value)``: put a value at the front of eight, in the place of itself or of the last."""
