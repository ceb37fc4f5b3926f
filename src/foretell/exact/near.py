"""Softmax over the slots near the largest score, sixteen at a time.

A slot whose score is more than 16 below the largest has a power of zero, and most slots are so. One pass over the
scores finds the largest, and keeps those vectors of sixteen of which a slot is near the largest so far; what is costly
is done for these alone. Each step is one IEEE-754 operation on every lane, as in :mod:`foretell.exact.vectors`, or an
instruction of AVX-512 that does several of them at once with the same result.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from foretell.exact.arithmetic import EXP2_BITS, EXP2_COEFFICIENTS
from foretell.exact.emit import I8, I16, I32, I64, call, load, repeat, splat, store, vector
from foretell.exact.vectors import EXP_SHIFT, LANES, at, exp2_vector, floats, halved, integers, maximum, rounded
from foretell.processor import cpu_features

LOWEST = -3e38
_WIDE = cpu_features() >= {"avx512f", "avx512dq"}
_FLOATS, _INTEGERS, _BYTES = vector(ir.FloatType(), LANES), vector(I32, LANES), vector(I8, LANES)
_BITS = vector(ir.IntType(1), LANES)
_ALL, _DEFAULT_ROUNDING, _FLOOR = I16(-1), I32(4), I32(9)


def _nearest(builder: Any, x: Any) -> Any:
    """Floats as the nearest integers, halves to even."""
    if _WIDE:
        arguments = [x, integers(0), _ALL, _DEFAULT_ROUNDING]
        return call(builder, "llvm.x86.avx512.mask.cvtps2dq.512", _INTEGERS, arguments)
    return builder.fptosi(rounded(builder, x), _INTEGERS)


def _power(builder: Any, t: Any) -> Any:
    """``exp2n(t) >> 12`` for t >= 0; the wide form scales the polynomial by 2**16, which changes no rounding."""
    if not _WIDE:
        return builder.ashr(exp2_vector(builder, t), integers(EXP_SHIFT))
    scale = float(1 << (EXP2_BITS - EXP_SHIFT))
    # Beyond 2**31 the whole part is 2**31, and shifts by 32 and more leave zero.
    whole = call(builder, "llvm.x86.avx512.mask.cvttps2dq.512", _INTEGERS, [t, integers(0), _ALL, _DEFAULT_ROUNDING])
    arguments = [t, _FLOOR, floats(0.0), _ALL, _DEFAULT_ROUNDING]
    fraction = call(builder, "llvm.x86.avx512.mask.reduce.ps.512", _FLOATS, arguments)
    power = floats(float(EXP2_COEFFICIENTS[-1]) * scale)
    for coefficient in (*reversed(EXP2_COEFFICIENTS[:-1]), 1.0):
        power = builder.fadd(builder.fmul(power, fraction), floats(float(coefficient) * scale))
    return call(builder, "llvm.x86.avx512.psrav.d.512", _INTEGERS, [builder.fptosi(power, _INTEGERS), whole])


def _make_scan(masked: bool) -> Any:
    """Build the search of a row; see :data:`scan_all`."""

    @intrinsic
    def scan(_context, sums, key_scales, visible, least, tops, scores, places, first, count):  # type: ignore[no-untyped-def]
        def generate(_context, builder, _signature, args):  # type: ignore[no-untyped-def]
            sums, key_scales, visible, least, tops, scores, places, first, count = args
            bound = splat(builder, least, LANES)

            def step(index: Any, state: list[Any]) -> list[Any]:
                largest, found = state
                factors = load(builder, at(builder, key_scales, index, 4), _FLOATS)
                score = builder.sitofp(load(builder, at(builder, sums, index, 4), _INTEGERS), _FLOATS)
                score = builder.fmul(score, factors)
                if masked:
                    seen = load(builder, builder.add(visible, builder.mul(index, I64(2))), I16)
                    score = builder.select(builder.bitcast(seen, _BITS), score, floats(LOWEST))
                near = builder.bitcast(builder.fcmp_ordered(">=", score, bound), I16)
                store(builder, score, at(builder, scores, found, 4))
                place = builder.trunc(builder.add(first, index), I32)
                store(builder, place, builder.add(places, builder.mul(found, I64(4))))
                kept = builder.zext(builder.icmp_unsigned("!=", near, I16(0)), I64)
                return [maximum(builder, score, largest), builder.add(found, kept)]

            largest, found = repeat(builder, count, [load(builder, tops, _FLOATS), I64(0)], step)
            store(builder, largest, tops)
            return found

        place = types.intp
        return types.int64(place, place, place, types.float32, place, place, place, place, place), generate

    return scan


scan_all, scan_visible = _make_scan(False), _make_scan(True)
"""``scan(sums, key_scales, visible, least, tops, scores, places, first, count)``: keep ``float(sums) * key_scales`` of
those of ``count`` vectors, numbered from ``first``, in which one is at least ``least``, and their numbers; raise the 16
``tops``; return how many were kept. One more may be written. For the second, ``visible`` has a bit for each slot."""


@intrinsic
def highest(_context, tops):  # type: ignore[no-untyped-def]
    """Largest of 16 floats."""

    def generate(_context, builder, _signature, args):  # type: ignore[no-untyped-def]
        return halved(builder, load(builder, args[0], _FLOATS), lambda a, b: maximum(builder, a, b))

    return types.float32(types.intp), generate


def _number(builder: Any, places: Any, index: Any) -> Any:
    """Where the vector ``index`` of those kept comes from."""
    return builder.sext(load(builder, builder.add(places, builder.mul(index, I64(4))), I32), I64)


@intrinsic
def near_powers(_context, scores, places, value_scales, scale, top, count):  # type: ignore[no-untyped-def]
    """Replace scores by ``(exp2n(top - score * scale) >> 12) * value_scales``; return powers' sum and the largest."""

    def generate(context, builder, signature, args):  # type: ignore[no-untyped-def]
        scores, places, value_scales, scale, top, count = args
        factor, most = splat(builder, scale, LANES), splat(builder, top, LANES)

        def step(index: Any, state: list[Any]) -> list[Any]:
            place = at(builder, scores, index, 4)
            distance = builder.fsub(most, builder.fmul(load(builder, place, _FLOATS), factor))
            power = _power(builder, distance)
            values = load(builder, at(builder, value_scales, _number(builder, places, index), 4), _FLOATS)
            weight = builder.fmul(builder.sitofp(power, _FLOATS), values)
            store(builder, weight, place)
            return [builder.add(state[0], power), maximum(builder, weight, state[1])]

        totals, largest = repeat(builder, count, [integers(0), floats(0.0)], step)
        total = halved(builder, totals, builder.add)
        most = halved(builder, largest, lambda a, b: maximum(builder, a, b))
        return context.make_tuple(builder, signature.return_type, [total, most])

    result: Any = types.Tuple((types.int32, types.float32))  # type: ignore[no-untyped-call]
    place = types.intp
    return result(place, place, place, types.float32, types.float32, types.intp), generate


@intrinsic
def near_steps(_context, values, inverse, count):  # type: ignore[no-untyped-def]
    """Replace float values by the integers ``round(value * inverse)``; return their sum."""

    def generate(_context, builder, _signature, args):  # type: ignore[no-untyped-def]
        values, inverse, count = args
        factor = splat(builder, inverse, LANES)

        def step(index: Any, state: list[Any]) -> list[Any]:
            place = at(builder, values, index, 4)
            whole = _nearest(builder, builder.fmul(load(builder, place, _FLOATS), factor))
            store(builder, whole, place)
            return [builder.add(state[0], whole)]

        (totals,) = repeat(builder, count, [integers(0)], step)
        return halved(builder, totals, builder.add)

    return types.int32(types.intp, types.float32, types.intp), generate


@intrinsic
def near_weights(_context, steps, places, ratio, upper, lower, count):  # type: ignore[no-untyped-def]
    """Write ``round(step * ratio)`` of integer steps as ``256 upper + lower``, upper rounded to the nearest."""

    def generate(context, builder, _signature, args):  # type: ignore[no-untyped-def]
        steps, places, ratio, upper, lower, count = args
        factor = splat(builder, ratio, LANES)

        def step(index: Any, _state: list[Any]) -> list[Any]:
            value = builder.sitofp(load(builder, at(builder, steps, index, 4), _INTEGERS), _FLOATS)
            whole = _nearest(builder, builder.fmul(value, factor))
            high = builder.ashr(builder.add(whole, integers(128)), integers(8))
            number = _number(builder, places, index)
            store(builder, builder.trunc(high, _BYTES), at(builder, upper, number, 1))
            store(builder, builder.trunc(whole, _BYTES), at(builder, lower, number, 1))
            return []

        repeat(builder, count, [], step)
        return context.get_dummy_value()

    place = types.intp
    return types.void(place, place, types.float32, place, place, place), generate
