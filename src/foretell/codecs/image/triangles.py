"""Symmetric matrices of binary32 numbers, of which each row is kept from the eight that holds the diagonal on.

Every element gets the same single IEEE operations as in a loop over elements, none of them fused; that eight elements
are worked on at a time is for speed alone. Matrices have ``FEATURES`` x ``FEATURES`` places, of which the first
``rows`` rows are used; arrays are contiguous, and places are counted over all their dimensions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from foretell.compilation import settings
from foretell.exact.emit import I64, load, loop, splat, store, vector

EIGHT: Final = 8
FEATURES: Final = 32
SIZE: Final = FEATURES**2
HORIZONS: Final = 2
LEAST_PIVOT: Final = np.float32(1e-3)
Floats = NDArray[np.float32]

_F32 = ir.FloatType()
_VECTOR = vector(_F32, EIGHT)


def _address(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    return builder.ptrtoint(context.make_array(kind)(context, builder, array).data, I64)


def _shift(builder: Any, address: Any, index: Any, size: int) -> Any:
    return builder.add(address, builder.mul(index, I64(size)))


def _each_row(builder: Any, rows: Any, body: Callable[[Any, range], None]) -> None:
    """Emit ``body(row, eights)`` for all rows; ``eights`` are those from the one with the diagonal on."""
    for group in range(FEATURES // EIGHT):
        end = I64((group + 1) * EIGHT)
        last = builder.select(builder.icmp_signed("<", rows, end), rows, end)

        def step(row: Any, _values: list[Any], eights: range = range(group, FEATURES // EIGHT)) -> list[Any]:
            body(row, eights)
            return []

        loop(builder, I64(group * EIGHT), last, [], step)


def _vectors(builder: Any, address: Any, row: Any, eights: range) -> list[Any]:
    """Load a row of a matrix."""
    start = _shift(builder, address, row, 4 * FEATURES)
    return [load(builder, builder.add(start, I64(32 * eight)), _VECTOR) for eight in eights]


def _keep(builder: Any, values: Sequence[Any], address: Any, row: Any, eights: range) -> None:
    """Store a row of a matrix."""
    start = _shift(builder, address, row, 4 * FEATURES)
    for value, eight in zip(values, eights, strict=True):
        store(builder, value, builder.add(start, I64(32 * eight)))


@intrinsic
def _add_products(_context: Any, sums: Any, features: Any, scaled: Any, rows: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        matrix, row_, factors = (
            _address(context, builder, kind, value)
            for kind, value in zip(signature.args[:3], arguments[:3], strict=True)
        )
        known = [load(builder, builder.add(row_, I64(32 * k)), _VECTOR) for k in range(FEATURES // EIGHT)]

        def body(row: Any, eights: range) -> None:
            factor = splat(builder, load(builder, _shift(builder, factors, row, 4), _F32), EIGHT)
            old = _vectors(builder, matrix, row, eights)
            new = [builder.fadd(a, builder.fmul(factor, known[k])) for a, k in zip(old, eights, strict=True)]
            _keep(builder, new, matrix, row, eights)

        _each_row(builder, arguments[3], body)
        return context.get_dummy_value()

    return types.void(sums, features, scaled, types.int64), generate


@intrinsic
def _fade_into(_context: Any, out: Any, at: Any, sums: Any, keep: Any, rows: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target = _shift(builder, _address(context, builder, signature.args[0], arguments[0]), arguments[1], 4)
        source = _address(context, builder, signature.args[2], arguments[2])
        factor = splat(builder, arguments[3], EIGHT)

        def body(row: Any, eights: range) -> None:
            pairs = zip(_vectors(builder, target, row, eights), _vectors(builder, source, row, eights), strict=True)
            new = [builder.fadd(builder.fmul(old, factor), added) for old, added in pairs]
            _keep(builder, new, target, row, eights)

        _each_row(builder, arguments[4], body)
        return context.get_dummy_value()

    return types.void(out, types.int64, sums, types.float32, types.int64), generate


@intrinsic
def _join(_context: Any, out: Any, at: Any, above: Any, first: Any, row: Any, start: Any, rows: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, left, line = (
            _shift(builder, _address(context, builder, signature.args[k], arguments[k]), arguments[k + 1], 4)
            for k in (0, 2, 4)
        )
        sources = [left, builder.add(left, I64(4 * SIZE)), builder.add(left, I64(8 * SIZE)), line]

        def body(row: Any, eights: range) -> None:
            total = _vectors(builder, sources[0], row, eights)
            for source in sources[1:]:
                added = _vectors(builder, source, row, eights)
                total = [builder.fadd(a, b) for a, b in zip(total, added, strict=True)]
            _keep(builder, total, target, row, eights)

        _each_row(builder, arguments[6], body)
        return context.get_dummy_value()

    place = types.int64
    return types.void(out, place, above, place, row, place, place), generate


@intrinsic
def _eliminate(_context: Any, work: Any, scaled: Any, rows: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bases = [_address(context, builder, signature.args[k], arguments[k]) for k in (0, 1)]
        matrices, multiples = ([builder.add(base, I64(4 * SIZE * h)) for h in range(HORIZONS)] for base in bases)
        least, one = ir.Constant(_F32, float(LEAST_PIVOT)), ir.Constant(_F32, 1.0)

        def body(row: Any, eights: range) -> None:
            def step(k: Any, values: list[Any]) -> list[Any]:
                new = []
                for h in range(HORIZONS):
                    place = _shift(builder, _shift(builder, multiples[h], k, 4 * FEATURES), row, 4)
                    factor = splat(builder, load(builder, place, _F32), EIGHT)
                    upper = _vectors(builder, matrices[h], k, eights)
                    mine = values[h * len(eights) : (h + 1) * len(eights)]
                    new += [builder.fsub(a, builder.fmul(factor, b)) for a, b in zip(mine, upper, strict=True)]
                return new

            start = [value for matrix in matrices for value in _vectors(builder, matrix, row, eights)]
            values = loop(builder, I64(0), row, start, step)
            for h in range(HORIZONS):
                mine = values[h * len(eights) : (h + 1) * len(eights)]
                place = _shift(builder, _shift(builder, matrices[h], row, 4 * FEATURES), row, 4)
                _keep(builder, mine, matrices[h], row, eights)
                pivot = load(builder, place, _F32)
                pivot = builder.select(builder.fcmp_ordered(">", pivot, least), pivot, least)
                store(builder, pivot, place)
                inverse = splat(builder, builder.fdiv(one, pivot), EIGHT)
                _keep(builder, [builder.fmul(a, inverse) for a in mine], multiples[h], row, eights)

        _each_row(builder, arguments[2], body)
        return context.get_dummy_value()

    return types.void(work, scaled, types.int64), generate


def _plain_add_products(sums: Floats, features: Floats, scaled: Floats, rows: int) -> None:
    for i in range(rows):
        sums[i] += scaled[i] * features


def _plain_fade_into(out: Floats, at: int, sums: Floats, keep: np.float32, rows: int) -> None:
    target = out.reshape(-1)[at : at + SIZE].reshape(FEATURES, FEATURES)
    target[:rows] = target[:rows] * keep + sums[:rows]


def _plain_join(out: Floats, at: int, above: Floats, first: int, row: Floats, start: int, rows: int) -> None:
    a, b, c = above.reshape(-1)[first : first + 3 * SIZE].reshape(3, FEATURES, FEATURES)
    target = out.reshape(-1)[at : at + SIZE].reshape(FEATURES, FEATURES)
    line = row.reshape(-1)[start : start + SIZE].reshape(FEATURES, FEATURES)
    target[:rows] = (((a + b) + c) + line)[:rows]


def _plain_eliminate(work: Floats, scaled: Floats, rows: int) -> None:
    for a, multiple in zip(work, scaled, strict=True):
        for i in range(rows):
            for k in range(i):
                a[i] = a[i] - multiple[k, i] * a[k]
            if not a[i, i] > LEAST_PIVOT:
                a[i, i] = LEAST_PIVOT
            multiple[i] = a[i] * (np.float32(1) / a[i, i])


_interpreted = bool(settings.DISABLE_JIT)
add_products: Any = _plain_add_products if _interpreted else _add_products
"""``(sums, features, scaled, rows)``: add to each row i of a matrix ``scaled[i] * features``."""
fade_into: Any = _plain_fade_into if _interpreted else _fade_into
"""``(out, at, sums, keep, rows)``: ``out = out * keep + sums`` for the matrix at a place of ``out``."""
join: Any = _plain_join if _interpreted else _join
"""``(out, at, above, first, row, start, rows)``: three matrices from place ``first`` on and one of ``row``, summed."""
eliminate: Any = _plain_eliminate if _interpreted else _eliminate
"""``(work, scaled, rows)``: turn upper triangles (horizons, features, features) into row echelon form.

Row i loses ``scaled[k, i]`` times row k for all k < i in turn; then its pivot is made at least ``LEAST_PIVOT``, and the
row times the inverse of the pivot is kept in ``scaled``.
"""
