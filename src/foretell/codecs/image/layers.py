"""Products of the small layers of the picture network: one vector of int16 with a matrix of int8, sums exact in int32.

Matrices are packed as (inputs / 2, outputs, 2) int16, so that each pair of inputs meets the weights of eight outputs in
one instruction that multiplies 16-bit pairs and adds neighbours.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from foretell.compilation import settings
from foretell.exact.emit import I16, I32, I64, load, repeat, splat, store, vector
from foretell.exact.pairs import multiply_pairs

_EIGHT: Final = 8
_PAIRS = vector(I16, 2 * _EIGHT)
_SUMS = vector(I32, _EIGHT)
_STEP: Final = 2
"""Pairs of inputs in a round of the loop."""


def pack_pairs(matrix: NDArray[np.int8]) -> NDArray[np.int16]:
    """Pack (outputs, inputs) weights, inputs an even number."""
    outputs, inputs = matrix.shape
    pairs = matrix.reshape(outputs, inputs // 2, 2).transpose(1, 0, 2)
    return np.ascontiguousarray(pairs.astype(np.int16))


def unpack_pairs(packed: NDArray[np.int16]) -> NDArray[np.int64]:
    """Inverse of :func:`pack_pairs`."""
    return packed.transpose(1, 0, 2).reshape(packed.shape[1], -1).astype(np.int64)


def make_product(outputs: int, inputs: int) -> Any:
    """``product(row, packed, out)``: ``out[n] = sum_k row[k] * weights[n, k]``.

    The number of outputs is a multiple of 8, that of inputs one of 4.
    """

    @intrinsic
    def product(_context: Any, row: Any, packed: Any, out: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            source, matrix, target = (
                builder.ptrtoint(context.make_array(kind)(context, builder, value).data, I64)
                for kind, value in zip(signature.args, arguments, strict=True)
            )

            def step(index: Any, sums: list[Any]) -> list[Any]:
                for part in range(_STEP):
                    pair = builder.add(builder.mul(index, I64(_STEP)), I64(part))
                    both = load(builder, builder.add(source, builder.mul(pair, I64(4))), I32)
                    row_pairs = builder.bitcast(splat(builder, both, _EIGHT), _PAIRS)
                    at = builder.add(matrix, builder.mul(pair, I64(4 * outputs)))
                    weights = [load(builder, builder.add(at, I64(32 * k)), _PAIRS) for k in range(len(sums))]
                    sums = [
                        builder.add(total, multiply_pairs(builder, row_pairs, weight))
                        for total, weight in zip(sums, weights, strict=True)
                    ]
                return sums

            start = [_SUMS(None)] * (outputs // _EIGHT)
            for k, total in enumerate(repeat(builder, I64(inputs // 2 // _STEP), start, step)):
                store(builder, total, builder.add(target, I64(32 * k)))
            return context.get_dummy_value()

        return types.void(row, packed, out), generate

    def plain(row: NDArray[np.int16], packed: NDArray[np.int16], out: NDArray[np.int32]) -> None:
        out[:] = unpack_pairs(packed) @ row.astype(np.int64)

    return plain if settings.DISABLE_JIT else product
