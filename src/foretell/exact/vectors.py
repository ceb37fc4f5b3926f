"""The longest loops of attention, gates and frequencies over a row, sixteen at a time.

Each step is one IEEE-754 operation on every lane, as in :mod:`foretell.exact.arithmetic`; LLVM splits the vectors where
the processor's are shorter, but does not find them in plain loops, whose widths it chooses with caution.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from foretell.exact.arithmetic import EXP2_BITS, EXP2_COEFFICIENTS, GELU_CUBE, GELU_SCALE, LOG2_E, ROUND
from foretell.exact.emit import I8, I32, I64, call, load, repeat, splat, store, vector

LANES = 16
EXP_SHIFT = 12
"""Powers of two are kept to 28 - 12 bits, so that a sum of them fits 32 bits."""
_F32 = ir.FloatType()
_FLOATS, _INTEGERS, _BYTES = vector(_F32, LANES), vector(I32, LANES), vector(I8, LANES)


def _floats(value: float) -> Any:
    return ir.Constant(_FLOATS, [float(value)] * LANES)


def _integers(value: int) -> Any:
    return ir.Constant(_INTEGERS, [value] * LANES)


def _at(builder: Any, address: Any, index: Any, size: int) -> Any:
    return builder.add(address, builder.mul(index, I64(LANES * size)))


def _maximum(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


def _round(builder: Any, x: Any) -> Any:
    """Nearest integers, halves to even."""
    return builder.fsub(builder.fadd(x, _floats(ROUND)), _floats(ROUND))


def _halved(builder: Any, values: Any, combine: Any) -> Any:
    """Combine all lanes into one value."""
    lanes = LANES
    while lanes > 1:
        lanes //= 2
        kind, undefined = vector(I32, lanes), ir.Constant(values.type, ir.Undefined)
        low = builder.shuffle_vector(values, undefined, ir.Constant(kind, list(range(lanes))))
        high = builder.shuffle_vector(values, undefined, ir.Constant(kind, list(range(lanes, 2 * lanes))))
        values = combine(low, high)
    return builder.extract_element(values, I32(0))


def _exp2_negative(builder: Any, t: Any) -> Any:
    """2**-t for t >= 0 in units of 2**-28; :func:`foretell.exact.arithmetic.exp2_negative` on vectors."""
    largest = _floats(31.0)
    t = builder.select(builder.fcmp_ordered("<", t, largest), t, largest)
    whole = builder.fptosi(t, _INTEGERS)
    fraction = builder.fsub(t, builder.sitofp(whole, _FLOATS))
    power = _floats(EXP2_COEFFICIENTS[-1])
    for coefficient in (*reversed(EXP2_COEFFICIENTS[:-1]), 1.0):
        power = builder.fadd(builder.fmul(power, fraction), _floats(coefficient))
    scaled = builder.fptosi(builder.fmul(power, _floats(1 << EXP2_BITS)), _INTEGERS)
    return builder.ashr(scaled, whole)


@intrinsic
def scores(_context, sums, key_scales, scale, out, count):  # type: ignore[no-untyped-def]
    """Write ``(float(sums) * key_scales) * scale`` for ``count`` x 16 slots (at least one); return the largest."""

    def generate(_context, builder, _signature, args):  # type: ignore[no-untyped-def]
        sums, key_scales, scale, out, count = args
        factor = splat(builder, scale, LANES)

        def step(index: Any, largest: list[Any]) -> list[Any]:
            integers = load(builder, _at(builder, sums, index, 4), _INTEGERS)
            scales = load(builder, _at(builder, key_scales, index, 4), _FLOATS)
            score = builder.fmul(builder.fmul(builder.sitofp(integers, _FLOATS), scales), factor)
            store(builder, score, _at(builder, out, index, 4))
            return [_maximum(builder, score, largest[0])]

        (largest,) = repeat(builder, count, [_floats(-3e38)], step)
        return _halved(builder, largest, lambda a, b: _maximum(builder, a, b))

    return types.float32(sums, key_scales, types.float32, out, types.intp), generate


@intrinsic
def powers(_context, values, value_scales, top, count):  # type: ignore[no-untyped-def]
    """Replace scores by ``(exp2n(top - score) >> 12) * value_scales``; return the sum of the powers and the largest."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        values, value_scales, top, count = args
        highest = splat(builder, top, LANES)

        def step(index: Any, state: list[Any]) -> list[Any]:
            place = _at(builder, values, index, 4)
            distance = builder.fsub(highest, load(builder, place, _FLOATS))
            power = builder.ashr(_exp2_negative(builder, distance), _integers(EXP_SHIFT))
            scales = load(builder, _at(builder, value_scales, index, 4), _FLOATS)
            weight = builder.fmul(builder.sitofp(power, _FLOATS), scales)
            store(builder, weight, place)
            return [builder.add(state[0], power), _maximum(builder, weight, state[1])]

        totals, largest = repeat(builder, count, [_integers(0), _floats(0.0)], step)
        total = _halved(builder, totals, builder.add)
        most = _halved(builder, largest, lambda a, b: _maximum(builder, a, b))
        return context.make_tuple(builder, signature.return_type, [total, most])

    result: Any = types.Tuple((types.int32, types.float32))  # type: ignore[no-untyped-call]
    return result(values, value_scales, types.float32, types.intp), generate


@intrinsic
def steps(_context, values, inverse, count):  # type: ignore[no-untyped-def]
    """Replace values by ``round(value * inverse)``; return their sum."""

    def generate(_context, builder, _signature, args):  # type: ignore[no-untyped-def]
        values, inverse, count = args
        factor = splat(builder, inverse, LANES)

        def step(index: Any, state: list[Any]) -> list[Any]:
            place = _at(builder, values, index, 4)
            rounded = _round(builder, builder.fmul(load(builder, place, _FLOATS), factor))
            store(builder, rounded, place)
            return [builder.add(state[0], builder.fptosi(rounded, _INTEGERS))]

        (totals,) = repeat(builder, count, [_integers(0)], step)
        return _halved(builder, totals, builder.add)

    return types.int32(values, types.float32, types.intp), generate


@intrinsic
def weights(_context, values, ratio, upper, lower, count):  # type: ignore[no-untyped-def]
    """Write ``round(value * ratio)`` as ``256 upper + lower``, upper rounded to the nearest."""

    def generate(context, builder, _signature, args):  # type: ignore[no-untyped-def]
        values, ratio, upper, lower, count = args
        factor = splat(builder, ratio, LANES)

        def step(index: Any, _state: list[Any]) -> list[Any]:
            value = load(builder, _at(builder, values, index, 4), _FLOATS)
            whole = builder.fptosi(_round(builder, builder.fmul(value, factor)), _INTEGERS)
            high = builder.ashr(builder.add(whole, _integers(128)), _integers(8))
            store(builder, builder.trunc(high, _BYTES), _at(builder, upper, index, 1))
            store(builder, builder.trunc(whole, _BYTES), _at(builder, lower, index, 1))
            return []

        repeat(builder, count, [], step)
        return context.get_dummy_value()

    return types.void(values, types.float32, upper, lower, types.intp), generate


def _logit(builder: Any, sums: Any, scales: Any, index: Any, unit: Any) -> Any:
    integers = load(builder, _at(builder, sums, index, 4), _INTEGERS)
    factors = load(builder, _at(builder, scales, index, 4), _FLOATS)
    return builder.fmul(builder.fmul(builder.sitofp(integers, _FLOATS), factors), unit)


@intrinsic
def largest_logit(_context, sums, scales, unit, count):  # type: ignore[no-untyped-def]
    """Largest of ``(float(sums) * scales) * unit`` over ``count`` x 16 tokens (at least one)."""

    def generate(_context, builder, _signature, args):  # type: ignore[no-untyped-def]
        sums, scales, unit, count = args
        factor = splat(builder, unit, LANES)

        def step(index: Any, largest: list[Any]) -> list[Any]:
            return [_maximum(builder, _logit(builder, sums, scales, index, factor), largest[0])]

        (largest,) = repeat(builder, count, [_floats(-3e38)], step)
        return _halved(builder, largest, lambda a, b: _maximum(builder, a, b))

    return types.float32(sums, scales, types.float32, types.intp), generate


@intrinsic
def near_logits(_context, sums, scales, unit, least, count):  # type: ignore[no-untyped-def]
    """How many of ``count`` x 16 tokens have logits of at least ``least``."""

    def generate(_context, builder, _signature, args):  # type: ignore[no-untyped-def]
        sums, scales, unit, least, count = args
        factor, bound = splat(builder, unit, LANES), splat(builder, least, LANES)

        def step(index: Any, state: list[Any]) -> list[Any]:
            near = builder.fcmp_ordered(">=", _logit(builder, sums, scales, index, factor), bound)
            return [builder.sub(state[0], builder.sext(near, _INTEGERS))]

        (found,) = repeat(builder, count, [_integers(0)], step)
        return _halved(builder, found, builder.add)

    return types.int32(sums, scales, types.float32, types.float32, types.intp), generate


@intrinsic
def frequencies(_context, sums, scales, unit, top, out, count):  # type: ignore[no-untyped-def]
    """Write ``exp2n(top - logit) + 1`` for ``count`` x 16 tokens."""

    def generate(context, builder, _signature, args):  # type: ignore[no-untyped-def]
        sums, scales, unit, top, out, count = args
        factor, highest = splat(builder, unit, LANES), splat(builder, top, LANES)

        def step(index: Any, _state: list[Any]) -> list[Any]:
            distance = builder.fsub(highest, _logit(builder, sums, scales, index, factor))
            power = builder.add(_exp2_negative(builder, distance), _integers(1))
            store(builder, power, _at(builder, out, index, 4))
            return []

        repeat(builder, count, [], step)
        return context.get_dummy_value()

    return types.void(sums, scales, types.float32, types.float32, out, types.intp), generate


def _sigmoid(builder: Any, z: Any) -> Any:
    """1 / (1 + exp(-z)); :func:`foretell.exact.arithmetic.sigmoid` on vectors."""
    size = call(builder, "llvm.fabs.v16f32", _FLOATS, [z])
    power = _exp2_negative(builder, builder.fmul(size, _floats(LOG2_E)))
    e = builder.fmul(builder.sitofp(power, _FLOATS), _floats(2.0**-EXP2_BITS))
    above = builder.select(builder.fcmp_ordered(">=", z, _floats(0.0)), _floats(1.0), e)
    return builder.fdiv(above, builder.fadd(e, _floats(1.0)))


def _gelu(builder: Any, x: Any) -> Any:
    cube = builder.fmul(builder.fmul(x, x), x)
    inner = builder.fadd(x, builder.fmul(_floats(GELU_CUBE), cube))
    return builder.fmul(x, _sigmoid(builder, builder.fmul(_floats(GELU_SCALE), inner)))


def _silu(builder: Any, x: Any) -> Any:
    return builder.fmul(x, _sigmoid(builder, x))


def _make_gate(activation: Any) -> Any:
    """Build ``activation(gate) * up`` of ``count`` x 16 columns from integer sums."""

    @intrinsic
    def gate(_context, gates, ups, scale, gate_scales, up_scales, out, count):  # type: ignore[no-untyped-def]
        def generate(context, builder, _signature, args):  # type: ignore[no-untyped-def]
            gates, ups, scale, gate_scales, up_scales, out, count = args
            factor = splat(builder, scale, LANES)

            def value(sums: Any, scales: Any, index: Any) -> Any:
                integers = load(builder, _at(builder, sums, index, 4), _INTEGERS)
                columns = load(builder, _at(builder, scales, index, 4), _FLOATS)
                return builder.fmul(builder.fmul(builder.sitofp(integers, _FLOATS), factor), columns)

            def step(index: Any, _state: list[Any]) -> list[Any]:
                opened = activation(builder, value(gates, gate_scales, index))
                product = builder.fmul(opened, value(ups, up_scales, index))
                store(builder, product, _at(builder, out, index, 4))
                return []

            repeat(builder, count, [], step)
            return context.get_dummy_value()

        return types.void(gates, ups, types.float32, gate_scales, up_scales, out, types.intp), generate

    return gate


silu_gate, gelu_gate = _make_gate(_silu), _make_gate(_gelu)
