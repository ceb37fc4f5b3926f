"""The five filters that PNG applies to the bytes of a row (PNG specification, section 9)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled

FILTERS = 5


@compiled
def _paeth(left: int, above: int, corner: int) -> int:
    guess = left + above - corner
    to_left, to_above, to_corner = abs(guess - left), abs(guess - above), abs(guess - corner)
    if to_left <= to_above and to_left <= to_corner:
        return left
    return above if to_above <= to_corner else corner


@compiled
def _guess(rows: NDArray[np.uint8], y: int, x: int, step: int, kind: int) -> int:
    left = np.int64(rows[y, x - step]) if x >= step else 0
    above = np.int64(rows[y - 1, x]) if y > 0 else 0
    if kind == 1:
        return left
    if kind == 2:
        return above
    if kind == 3:
        return (left + above) >> 1
    if kind == 4:
        return _paeth(left, above, np.int64(rows[y - 1, x - step]) if y > 0 and x >= step else 0)
    return 0


@compiled
def unfilter(lines: NDArray[np.uint8], step: int, rows: NDArray[np.uint8]) -> bool:
    """Bytes of rows from filtered lines, whose first byte is the kind of filter; False if a kind does not exist."""
    for y in range(rows.shape[0]):
        kind = np.int64(lines[y, 0])
        if kind >= FILTERS:
            return False
        for x in range(rows.shape[1]):
            rows[y, x] = np.int64(lines[y, x + 1]) + _guess(rows, y, x, step, kind)
    return True


@compiled
def refilter(rows: NDArray[np.uint8], kinds: NDArray[np.uint8], step: int, lines: NDArray[np.uint8]) -> None:
    """Filtered lines from the bytes of rows and the kind of filter of each."""
    for y in range(rows.shape[0]):
        kind = np.int64(kinds[y])
        lines[y, 0] = kind
        for x in range(rows.shape[1]):
            lines[y, x + 1] = np.int64(rows[y, x]) - _guess(rows, y, x, step, kind)
