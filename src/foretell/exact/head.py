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
from foretell.exact.arithmetic import LOG2_E, exp2_negative
from foretell.exact.product import product_at
from foretell.exact.transform import REST_STEPS
from foretell.exact.vectors import LANES, frequencies, largest_logit, near_logits

HEAD_ROWS = 48
"""Rows that go through the head together."""
REFINED = np.float32(8.0)
"""Tokens whose logits (in units of log 2) are at most this far below the largest are refined."""
_LOWEST = np.float32(-3e38)
_SCAN = 256


@compiled
def largest(sums: NDArray[np.int32], scales: NDArray[np.float32], unit: np.float32, count: int) -> np.float32:
    """Largest logit of the first ``count`` tokens."""
    whole = count // LANES
    top = _LOWEST
    if whole:
        top = largest_logit(sums.ctypes.data, scales.ctypes.data, unit, whole)  # type: ignore[call-arg, unused-ignore]
    for n in range(whole * LANES, count):
        top = max(top, (np.float32(sums[n]) * scales[n]) * unit)
    return top


@compiled
def frequencies_below(
    top: np.float32,
    sums: NDArray[np.int32],
    scale: np.float32,
    scales: NDArray[np.float32],
    unspelled: NDArray[np.int32],
    out: NDArray[np.int32],
) -> None:
    """:func:`frequencies_of` where the largest logit is known."""
    unit, whole = scale * LOG2_E, out.size // LANES
    if whole:
        frequencies(  # type: ignore[call-arg, unused-ignore]
            sums.ctypes.data, scales.ctypes.data, unit, top, out.ctypes.data, whole
        )
    for n in range(whole * LANES, out.size):
        out[n] = exp2_negative(top - (np.float32(sums[n]) * scales[n]) * unit) + 1
    for index in unspelled:
        out[index] = 1


@compiled
def frequencies_of(
    sums: NDArray[np.int32],
    scale: np.float32,
    scales: NDArray[np.float32],
    unspelled: NDArray[np.int32],
    out: NDArray[np.int32],
) -> None:
    """Frequencies of the first ``out.size`` tokens from the head's refined sums of one row."""
    frequencies_below(largest(sums, scales, scale * LOG2_E, out.size), sums, scale, scales, unspelled, out)


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
    for n in range(sums.size):
        sums[n] = np.int32(sums[n] * REST_STEPS)
    least = largest(sums, scales, unit, sums.size) - REFINED
    for begin in range(0, sums.size, _SCAN):
        end = min(begin + _SCAN, sums.size)
        place, factors = sums.ctypes.data + 4 * begin, scales.ctypes.data + 4 * begin
        count = (end - begin) // LANES
        if count and not near_logits(place, factors, unit, least, count):  # type: ignore[call-arg, unused-ignore]
            begin += count * LANES
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
