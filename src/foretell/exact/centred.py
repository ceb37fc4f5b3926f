"""What the GPT-2 family needs besides the rest: a norm that takes the mean away, and the quick GELU.

Both are of the contract ``exact-1``: sums are sums of integers, every other step is one IEEE-754 operation.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled, inlined
from foretell.exact.arithmetic import largest_magnitude, round_even, sigmoid

QUICK_GELU_SCALE = np.float32(1.702)
_STEPS = np.float32(32768.0)
_UNIT = 2.0**-15


@inlined
def quick_gelu(x: np.float32) -> np.float32:
    """``x * sigmoid(1.702 x)``, the GELU of image-GPT."""
    return x * sigmoid(QUICK_GELU_SCALE * x)


@compiled
def layer_norm(
    x: NDArray[np.float32],
    weight: NDArray[np.float32],
    bias: NDArray[np.float32],
    epsilon: float,
    out: NDArray[np.float32],
) -> None:
    """``(x - mean) / sqrt(variance + epsilon) * weight + bias``.

    Mean and variance come from integer sums S of ``x / max|x|`` in steps of 2**-15 and T of their squares: with n
    elements (at most 4096) the variance is (n T - S S) / n**2, computed without rounding before the division.
    """
    largest = largest_magnitude(x)
    total, squares = np.int64(0), np.int64(0)
    if largest > np.float32(0.0):
        inverse = _STEPS / largest
        for i in range(x.size):
            step = np.int64(round_even(x[i] * inverse))
            total += step
            squares += step * step
    count = np.int64(x.size)
    unit = np.float64(largest) * _UNIT
    mean = np.float32((np.float64(total) / np.float64(count)) * unit)
    spread = np.float64(count * squares - total * total) / np.float64(count * count)
    scale = np.float32(1.0 / np.sqrt(spread * (unit * unit) + epsilon))
    for i in range(x.size):
        out[i] = ((x[i] - mean) * scale) * weight[i] + bias[i]
