"""Dot products of floats in an order that is part of the format.

The products are summed in lanes: lane k adds up elements k, k + lanes, k + 2 lanes and so on; then the upper half of
the lanes is added to the lower, again and again. Lanes are independent of each other, so that the processor can work
on many of them at once without changing a bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled

Floats = NDArray[np.floating[Any]]
"""All of one precision, in which sums are made."""


@compiled
def dot(a: Floats, b: Floats, n: int, lanes: int, sums: Floats) -> Any:
    """Sum of ``a[i] * b[i]`` for i below n; n is a multiple of ``lanes``, a power of two; ``sums`` is scratch."""
    for k in range(lanes):
        sums[k] = a[k] * b[k]
    for i in range(lanes, n, lanes):
        for k in range(lanes):
            sums[k] = sums[k] + a[np.uintp(i + k)] * b[np.uintp(i + k)]
    half = lanes
    while half > 1:
        half >>= 1
        for k in range(half):
            sums[k] = sums[k] + sums[k + half]
    return sums[0]
