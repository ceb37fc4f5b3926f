"""Where blocks of a frame were in an earlier one: a search by the encoder, and the moved frame for both sides."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.image.planes import ABOVE, SIDE, inside, new_plane
from foretell.compilation import compiled

BLOCK: Final = 16
"""Rows and columns of a block of the first plane; blocks of planes half as wide are half as wide."""
REACH: Final = 15
"""Farthest move in each direction."""
_PRICE: Final = 24
"""Sum of differences that a vector unlike its left neighbour has to save."""


@compiled
def _difference(now: NDArray[np.int32], before: NDArray[np.int32], y: int, x: int, dy: int, dx: int, limit: int) -> int:
    """Sum of absolute differences of a block, or more than ``limit``."""
    height, width = now.shape
    total = 0
    for row in range(y, min(y + BLOCK, height)):
        source = min(max(row + dy, 0), height - 1)
        for column in range(x, min(x + BLOCK, width)):
            total += abs(now[row, column] - before[source, min(max(column + dx, 0), width - 1)])
        if total > limit:
            return total
    return total


@compiled
def search(now: NDArray[np.int32], before: NDArray[np.int32], vectors: NDArray[np.int8]) -> None:
    """Fill ``vectors`` (block rows, block columns, 2), vertical move first, from full search around two guesses."""
    for i in range(vectors.shape[0]):
        for j in range(vectors.shape[1]):
            y, x = i * BLOCK, j * BLOCK
            gy = np.int64(vectors[i, j - 1, 0]) if j > 0 else 0
            gx = np.int64(vectors[i, j - 1, 1]) if j > 0 else 0
            best = _difference(now, before, y, x, gy, gx, 1 << 40)
            by, bx = gy, gx
            still = _difference(now, before, y, x, 0, 0, best) + _PRICE * (1 if gy != 0 or gx != 0 else 0)
            if still < best:
                best, by, bx = still, 0, 0
            if best > BLOCK * BLOCK // 2:
                for dy in range(-REACH, REACH + 1):
                    for dx in range(-REACH, REACH + 1):
                        cost = _difference(now, before, y, x, dy, dx, best) + _PRICE
                        if cost < best:
                            best, by, bx = cost, dy, dx
            vectors[i, j, 0], vectors[i, j, 1] = by, bx


@compiled
def _move(
    before: NDArray[np.int32],
    vectors: NDArray[np.int8],
    block_rows: int,
    block_columns: int,
    down: int,
    right: int,
    moved: NDArray[np.int32],
) -> None:
    height, width = before.shape
    for row in range(height):
        for column in range(width):
            i, j = row // block_rows, column // block_columns
            source = row + (np.int64(vectors[i, j, 0]) >> down)
            place = column + (np.int64(vectors[i, j, 1]) >> right)
            moved[row, column] = before[min(max(source, 0), height - 1), min(max(place, 0), width - 1)]


def compensate(plane: NDArray[np.int32], vectors: NDArray[np.int8], down: int = 0, right: int = 0) -> NDArray[np.int32]:
    """Padded plane whose blocks come from where the vectors point in a padded plane.

    Parameters
    ----------
    plane : array of int32
        Padded plane of an earlier frame.
    vectors : array of int8, shape (block rows, block columns, 2)
        Moves in samples of the first plane.
    down, right : int
        Halvings of the plane's height and width against the first plane.
    """
    height, width = inside(plane).shape
    moved = new_plane(height, width)
    _move(inside(plane), vectors, BLOCK >> down, BLOCK >> right, down, right, inside(moved))
    _pad(moved)
    return moved


def shrink(plane: NDArray[np.int32], height: int, width: int, down: int, right: int) -> NDArray[np.int32]:
    """Padded plane of a size with the mean of the samples that each place covers in a larger padded plane."""
    small = new_plane(height, width)
    total = np.zeros((height, width), np.int32)
    for dy in range(1 << down):
        for dx in range(1 << right):
            total += plane[ABOVE + dy :, SIDE + dx :][: height << down : 1 << down, : width << right : 1 << right]
    inside(small)[:] = (total + ((1 << down + right) >> 1)) >> (down + right)
    _pad(small)
    return small


def _pad(plane: NDArray[np.int32]) -> None:
    """Fill the padding of a known plane with its nearest samples."""
    height, width = inside(plane).shape
    plane[:] = np.pad(
        inside(plane),
        ((ABOVE, plane.shape[0] - height - ABOVE), (SIDE, plane.shape[1] - width - SIDE)),
        mode="edge",
    )
