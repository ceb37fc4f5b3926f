"""The longest loops of gates and frequencies over a row, and what those of attention are made of, sixteen at a time.

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


def floats(value: float) -> Any:
    """A float in every lane."""
    return ir.Constant(_FLOATS, [float(value)] * LANES)


def integers(value: int) -> Any:
    """An int32 in every lane."""
    return ir.Constant(_INTEGERS, [value] * LANES)


def at(builder: Any, address: Any, index: Any, size: int) -> Any:
    """Address of vector number ``index`` of elements of ``size`` bytes."""
    return builder.add(address, builder.mul(index, I64(LANES * size)))


def maximum(builder: Any, a: Any, b: Any) -> Any:
    """The larger of two floats, lane by lane."""
    return builder.select(builder.fcmp_ordered(">", a, b), a, b)


def rounded(builder: Any, x: Any) -> Any:
    """Nearest integers, halves to even."""
    return builder.fsub(builder.fadd(x, floats(ROUND)), floats(ROUND))


def halved(builder: Any, values: Any, combine: Any) -> Any:
    """Combine all lanes into one value."""
    lanes = LANES
    while lanes > 1:
        lanes //= 2
        kind, undefined = vector(I32, lanes), ir.Constant(values.type, ir.Undefined)
        low = builder.shuffle_vector(values, undefined, ir.Constant(kind, list(range(lanes))))
        high = builder.shuffle_vector(values, undefined, ir.Constant(kind, list(range(lanes, 2 * lanes))))
        values = combine(low, high)
    return builder.extract_element(values, I32(0))


def exp2_vector(builder: Any, t: Any) -> Any:
    """2**-t for t >= 0 in units of 2**-28; :func:`foretell.exact.arithmetic.exp2_negative` on vectors."""
    largest = floats(31.0)
    t = builder.select(builder.fcmp_ordered("<", t, largest), t, largest)
    whole = builder.fptosi(t, _INTEGERS)
    fraction = builder.fsub(t, builder.sitofp(whole, _FLOATS))
    power = floats(EXP2_COEFFICIENTS[-1])
    for coefficient in (*reversed(EXP2_COEFFICIENTS[:-1]), 1.0):
        power = builder.fadd(builder.fmul(power, fraction), floats(coefficient))
    scaled = builder.fptosi(builder.fmul(power, floats(1 << EXP2_BITS)), _INTEGERS)
    return builder.ashr(scaled, whole)


def _logit(builder: Any, sums: Any, scales: Any, index: Any, unit: Any) -> Any:
    integers = load(builder, at(builder, sums, index, 4), _INTEGERS)
    factors = load(builder, at(builder, scales, index, 4), _FLOATS)
    return builder.fmul(builder.fmul(builder.sitofp(integers, _FLOATS), factors), unit)


@intrinsic
def largest_logit(_context, sums, scales, unit, count):  # type: ignore[no-untyped-def]
    """Largest of ``(float(sums) * scales) * unit`` over ``count`` x 16 tokens (at least one)."""

    def generate(_context, builder, _signature, args):  # type: ignore[no-untyped-def]
        sums, scales, unit, count = args
        factor = splat(builder, unit, LANES)

        def step(index: Any, largest: list[Any]) -> list[Any]:
            return [maximum(builder, _logit(builder, sums, scales, index, factor), largest[0])]

        (largest,) = repeat(builder, count, [floats(-3e38)], step)
        return halved(builder, largest, lambda a, b: maximum(builder, a, b))

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

        (found,) = repeat(builder, count, [integers(0)], step)
        return halved(builder, found, builder.add)

    return types.int32(sums, scales, types.float32, types.float32, types.intp), generate


@intrinsic
def frequencies(_context, sums, scales, unit, top, out, count):  # type: ignore[no-untyped-def]
    """Write ``exp2n(top - logit) + 1`` for ``count`` x 16 tokens."""

    def generate(context, builder, _signature, args):  # type: ignore[no-untyped-def]
        sums, scales, unit, top, out, count = args
        factor, highest = splat(builder, unit, LANES), splat(builder, top, LANES)

        def step(index: Any, _state: list[Any]) -> list[Any]:
            distance = builder.fsub(highest, _logit(builder, sums, scales, index, factor))
            power = builder.add(exp2_vector(builder, distance), integers(1))
            store(builder, power, at(builder, out, index, 4))
            return []

        repeat(builder, count, [], step)
        return context.get_dummy_value()

    return types.void(sums, scales, types.float32, types.float32, out, types.intp), generate


def _sigmoid(builder: Any, z: Any) -> Any:
    """1 / (1 + exp(-z)); :func:`foretell.exact.arithmetic.sigmoid` on vectors."""
    size = call(builder, "llvm.fabs.v16f32", _FLOATS, [z])
    power = exp2_vector(builder, builder.fmul(size, floats(LOG2_E)))
    e = builder.fmul(builder.sitofp(power, _FLOATS), floats(2.0**-EXP2_BITS))
    above = builder.select(builder.fcmp_ordered(">=", z, floats(0.0)), floats(1.0), e)
    return builder.fdiv(above, builder.fadd(e, floats(1.0)))


def _gelu(builder: Any, x: Any) -> Any:
    cube = builder.fmul(builder.fmul(x, x), x)
    inner = builder.fadd(x, builder.fmul(floats(GELU_CUBE), cube))
    return builder.fmul(x, _sigmoid(builder, builder.fmul(floats(GELU_SCALE), inner)))


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
                integers = load(builder, at(builder, sums, index, 4), _INTEGERS)
                columns = load(builder, at(builder, scales, index, 4), _FLOATS)
                return builder.fmul(builder.fmul(builder.sitofp(integers, _FLOATS), factor), columns)

            def step(index: Any, _state: list[Any]) -> list[Any]:
                opened = activation(builder, value(gates, gate_scales, index))
                product = builder.fmul(opened, value(ups, up_scales, index))
                store(builder, product, at(builder, out, index, 4))
                return []

            repeat(builder, count, [], step)
            return context.get_dummy_value()

        return types.void(gates, ups, types.float32, gate_scales, up_scales, out, types.intp), generate

    return gate


silu_gate, gelu_gate = _make_gate(_silu), _make_gate(_gelu)
