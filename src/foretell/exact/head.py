"""From the last hidden state to integer frequencies of every token.

Token n gets the frequency ``2**28 * 2**-(top - z_n) + 1`` of its logit z_n in units of log 2: integers
between 1 and 2**28 + 1, whatever the logits are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled
from foretell.exact.arithmetic import LOG2_E, exp2_negative, from_order_key, order_key
from foretell.exact.product import product_at

HEAD_ROWS = 24
"""Rows that go through the head together."""
_LOWEST = np.int32(-(2**31) + 1)


@compiled
def frequencies_of(
    sums: NDArray[np.int32],
    scale: np.float32,
    scales: NDArray[np.float32],
    unspelled: NDArray[np.int32],
    out: NDArray[np.int32],
) -> None:
    """Frequencies of the first ``out.size`` tokens from the head's integer sums of one row."""
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
def head_sums(left: NDArray[np.int16], head: NDArray[np.int8], sums: NDArray[np.int32], rows: int) -> None:
    """Integer sums of the first ``rows`` rows for every token."""
    width = left.shape[1]
    product_at(left.ctypes.data, width, head.ctypes.data, width, head.shape[0], sums.ctypes.data, sums.shape[1], rows)


@compiled
def frequency_rows(
    sums: NDArray[np.int32],
    row_scales: NDArray[np.float32],
    scales: NDArray[np.float32],
    unspelled: NDArray[np.int32],
    out: NDArray[np.int32],
) -> None:
    """Frequencies of tokens from the head's integer sums of some rows; ``out`` is (rows, tokens)."""
    for r in range(row_scales.size):
        frequencies_of(sums[r], row_scales[r], scales, unspelled, out[r])
