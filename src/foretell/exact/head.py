"""From the last hidden state to integer frequencies of every token.

Token n gets the frequency ``2**28 * 2**-(top - z_n) + 1`` of its logit z_n in units of log 2: integers
between 1 and 2**28 + 1, whatever the logits are.

The head's weights are rounded twice: to 7 bits, whose product with a state every token gets, and the rest in
16ths of a step, whose product only the likeliest tokens get (:func:`refine`). A token's rounding error costs in
proportion to its probability, so nearly all of the gain comes from a few hundred short products.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled
from foretell.exact.arithmetic import LOG2_E, exp2_negative, from_order_key, order_key
from foretell.exact.product import product_at
from foretell.exact.transform import REST_STEPS

HEAD_ROWS = 24
"""Rows that go through the head together."""
REFINED = np.float32(8.0)
"""Tokens whose logits (in units of log 2) are at most this far below the largest are refined."""
_LOWEST = np.int32(-(2**31) + 1)
_SCAN = 64


@compiled
def frequencies_of(
    sums: NDArray[np.int32],
    scale: np.float32,
    scales: NDArray[np.float32],
    unspelled: NDArray[np.int32],
    out: NDArray[np.int32],
) -> None:
    """Frequencies of the first ``out.size`` tokens from the head's refined sums of one row."""
    unit = scale * LOG2_E
    key = _LOWEST
    for n in range(out.size):
        key = max(key, order_key((np.float32(sums[n]) * scales[n]) * unit))
    top = from_order_key(key)
    for n in range(out.size):
        out[n] = exp2_negative(top - (np.float32(sums[n]) * scales[n]) * unit) + 1
    for index in unspelled:
        out[index] = 1


@compiled
def head_sums(left: NDArray[np.int8], head: NDArray[np.int8], sums: NDArray[np.int32], rows: int) -> None:
    """Integer sums of the first ``rows`` rows for every token, not yet refined."""
    width = left.shape[1]
    product_at(
        left.ctypes.data, width, head.ctypes.data, width * 16, width, head.shape[0], sums.ctypes.data, sums.shape[1],
        rows,
    )  # fmt: skip


@compiled
def refine(
    sums: NDArray[np.int32],
    left: NDArray[np.int8],
    scale: np.float32,
    scales: NDArray[np.float32],
    rest: NDArray[np.int8],
) -> None:
    """Turn the head's sums of one row into units of ``scales``, and add the rest's product where it matters.

    Parameters
    ----------
    sums : ndarray of int32, shape (tokens padded to 16,)
        From :func:`head_sums`; changed in place.
    left, scale
        The row's state, shape (D,), and the scale of a step.
    scales : ndarray of float32, shape (tokens padded to 16,)
    rest : ndarray of int8, shape (tokens padded to 16, D)
        What rounding left of the weights, in units of ``scales``.
    """
    unit = scale * LOG2_E
    key = _LOWEST
    for n in range(sums.size):
        sums[n] = np.int32(sums[n] * REST_STEPS)
        key = max(key, order_key((np.float32(sums[n]) * scales[n]) * unit))
    least = from_order_key(key) - REFINED
    for begin in range(0, sums.size, _SCAN):
        end = min(begin + _SCAN, sums.size)
        found = np.int32(0)
        for n in range(begin, end):
            found += np.int32((np.float32(sums[n]) * scales[n]) * unit >= least)
        if not found:
            continue
        for n in range(begin, end):
            if (np.float32(sums[n]) * scales[n]) * unit >= least:
                more = np.int32(0)
                for i in range(left.size):
                    more += np.int32(left[i]) * np.int32(rest[n, i])
                sums[n] += more


@compiled
def refine_rows(
    sums: NDArray[np.int32],
    integers: NDArray[np.int8],
    row_scales: NDArray[np.float32],
    scales: NDArray[np.float32],
    rest: NDArray[np.int8],
) -> None:
    """:func:`refine` some rows; ``sums`` is (rows, tokens padded to 16), ``integers`` (rows, D)."""
    for r in range(row_scales.size):
        refine(sums[r], integers[r], row_scales[r], scales, rest)


@compiled
def frequency_rows(
    sums: NDArray[np.int32],
    row_scales: NDArray[np.float32],
    scales: NDArray[np.float32],
    unspelled: NDArray[np.int32],
    out: NDArray[np.int32],
) -> None:
    """Frequencies of tokens from the head's refined sums of some rows; ``out`` is (rows, tokens)."""
    for r in range(row_scales.size):
        frequencies_of(sums[r], row_scales[r], scales, unspelled, out[r])
