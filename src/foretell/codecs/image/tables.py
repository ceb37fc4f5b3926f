"""Fixed tables of the plane coder, computed with :mod:`decimal` so that they are the same on every machine."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, localcontext

import numpy as np
from numpy.typing import NDArray

STEPS = 128
"""Entries of SURVIVAL per unit of scale."""
REACH = 20
"""SURVIVAL covers -REACH to REACH units of scale."""

CLASSES = 40
"""Scale classes, three to an octave; class 0 is everything below the second boundary."""
UNARY = 14
"""Most thresholds on one side of the centre before the rest of the range is halved."""
NEIGHBOURS = 32


def _survival() -> NDArray[np.float32]:
    """P(X >= z) of 0.85 logistic(1) + 0.15 logistic(2.5), at steps of 1/STEPS from -REACH."""
    with localcontext() as context:
        context.prec = 20
        one, light, heavy = Decimal(1), Decimal("0.85"), Decimal("0.15")
        upper = []
        for step in range(REACH * STEPS + 2):
            z = Decimal(step) / STEPS
            upper.append(light / (one + z.exp()) + heavy / (one + (z / Decimal("2.5")).exp()))
        values = [one - p for p in reversed(upper[1:-1])] + upper
    return np.array([float(p) for p in values], dtype=np.float32)


def _scales() -> list[Decimal]:
    return [Decimal(2) ** (Decimal(s) / 3 - 3) for s in range(CLASSES)]


def _offsets() -> NDArray[np.int64]:
    """Distance of each unary threshold from the centre, for every scale class."""
    steps = [Decimal("0.9") * j for j in range(1, 8)]
    steps += [steps[-1] * Decimal("1.5") ** j for j in range(1, UNARY - 6)]
    table = np.zeros((CLASSES, UNARY), np.int64)
    for s, scale in enumerate(_scales()):
        last = 0
        for j in range(UNARY):
            last = max(last + 1, int((steps[j] * scale).to_integral_value(ROUND_HALF_EVEN)))
            table[s, j] = last
    return table


with localcontext() as _context:
    _context.prec = 20
    SURVIVAL = _survival()
    CLASS_BOUNDS = np.array([float(scale) for scale in _scales()], dtype=np.float32)
    """Least scale of every class."""
    OFFSETS = _offsets()
