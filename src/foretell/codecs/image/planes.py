"""Padded planes of samples: the neighbourhood of a sample always exists."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SIDE = 4
"""Columns before the first and after the last sample of a row."""
ABOVE = 4
BELOW = 2
LAG = BELOW
"""Rows of a reference plane below the current one that a plane looks at."""


class Picture(NamedTuple):
    """A plane to be coded and up to two planes, known before it, that it is predicted from.

    ``own``, ``first``, ``second`` are padded samples; ``own_error``, ``first_error``, ``second_error`` are what the
    centre of the prediction missed there. All are int32 of one shape. Unused references are planes of zeros.
    """

    own: NDArray[np.int32]
    first: NDArray[np.int32]
    second: NDArray[np.int32]
    own_error: NDArray[np.int32]
    first_error: NDArray[np.int32]
    second_error: NDArray[np.int32]


def new_plane(height: int, width: int) -> NDArray[np.int32]:
    """Padded plane of zeros."""
    return np.zeros((height + ABOVE + BELOW, width + 2 * SIDE), np.int32)


def inside(plane: NDArray[np.int32]) -> NDArray[np.int32]:
    """View of the samples of a padded plane."""
    return plane[ABOVE:-BELOW, SIDE:-SIDE]


def extend(plane: NDArray[np.int32]) -> None:
    """Fill the padding of a whole plane that is known, as the coder does row by row."""
    plane[ABOVE:-BELOW, -SIDE:] = plane[ABOVE:-BELOW, -SIDE - 1 : -SIDE]
    plane[ABOVE + 1 : -BELOW, :SIDE] = plane[ABOVE : -BELOW - 1, SIDE : SIDE + 1]
    plane[ABOVE, :SIDE] = 0
    plane[-BELOW:] = plane[-BELOW - 1]
