"""Where blocks of a frame were in an earlier one: a search by the encoder, and the moved frame for both sides."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.image.planes import ABOVE, SIDE, inside, new_plane
from foretell.compilation import compiled

BLOCK: Final = 8
"""Rows and columns of a block of the first plane; blocks of planes half as wide are half as wide."""
REACH: Final = 15
"""Farthest move in each direction, in samples; vectors are in quarters of samples."""
MOST_QUARTERS: Final = 4 * REACH + 3
_PRICE: Final = 12
"""Sum of differences that a vector unlike its left neighbour has to save."""


@compiled
def _at(plane: NDArray[np.int32], y: int, x: int) -> int:
    """Sample nearest to a place."""
    return np.int64(plane[min(max(y, 0), plane.shape[0] - 1), min(max(x, 0), plane.shape[1] - 1)])


@compiled
def _six(a: int, b: int, c: int, d: int, e: int, f: int) -> int:
    return a - 5 * b + 20 * c + 20 * d - 5 * e + f


@compiled
def _across(plane: NDArray[np.int32], y: int, x: int) -> int:
    """Half a sample to the right, times 32."""
    return _six(
        _at(plane, y, x - 2),
        _at(plane, y, x - 1),
        _at(plane, y, x),
        _at(plane, y, x + 1),
        _at(plane, y, x + 2),
        _at(plane, y, x + 3),
    )


@compiled
def _half(plane: NDArray[np.int32], y: int, x: int, down: int, right: int, largest: int) -> int:
    """Sample, or half a sample down or to the right of it or both, by the six-tap filter of H.264."""
    if down == 0 and right == 0:
        return _at(plane, y, x)
    if down == 0:
        value = (_across(plane, y, x) + 16) >> 5
    elif right == 0:
        value = _six(
            _at(plane, y - 2, x),
            _at(plane, y - 1, x),
            _at(plane, y, x),
            _at(plane, y + 1, x),
            _at(plane, y + 2, x),
            _at(plane, y + 3, x),
        )
        value = (value + 16) >> 5
    else:
        value = _six(
            _across(plane, y - 2, x),
            _across(plane, y - 1, x),
            _across(plane, y, x),
            _across(plane, y + 1, x),
            _across(plane, y + 2, x),
            _across(plane, y + 3, x),
        )
        value = (value + 512) >> 10
    return min(max(value, 0), largest)


@compiled
def quarter(plane: NDArray[np.int32], y: int, x: int, dy: int, dx: int, largest: int) -> int:
    """Value of a plane at a place moved by quarters of samples, as H.264 interpolates brightness."""
    y, x, fy, fx = y + (dy >> 2), x + (dx >> 2), dy & 3, dx & 3
    if fy & 1 == 0 and fx & 1 == 0:
        return _half(plane, y, x, fy >> 1, fx >> 1, largest)
    if fy & 1 == 0:
        first = _half(plane, y, x, fy >> 1, 0 if fx == 1 else 1, largest)
        second = _half(plane, y, x, fy >> 1, 1, largest) if fx == 1 else _half(plane, y, x + 1, fy >> 1, 0, largest)
    elif fx & 1 == 0:
        first = _half(plane, y, x, 0 if fy == 1 else 1, fx >> 1, largest)
        second = _half(plane, y, x, 1, fx >> 1, largest) if fy == 1 else _half(plane, y + 1, x, 0, fx >> 1, largest)
    else:
        first = _half(plane, y + (1 if fy == 3 else 0), x, 0, 1, largest)
        second = _half(plane, y, x + (1 if fx == 3 else 0), 1, 0, largest)
    return (first + second + 1) >> 1


@compiled
def eighth(plane: NDArray[np.int32], y: int, x: int, dy: int, dx: int) -> int:
    """Value of a plane at a place moved by eighths of samples, as H.264 interpolates colour."""
    y, x, fy, fx = y + (dy >> 3), x + (dx >> 3), dy & 7, dx & 7
    upper = (8 - fx) * _at(plane, y, x) + fx * _at(plane, y, x + 1)
    lower = (8 - fx) * _at(plane, y + 1, x) + fx * _at(plane, y + 1, x + 1)
    return ((8 - fy) * upper + fy * lower + 32) >> 6


@compiled
def _difference(
    now: NDArray[np.int32], before: NDArray[np.int32], y: int, x: int, dy: int, dx: int, largest: int, limit: int
) -> int:
    """Sum of absolute differences of a block, or more than ``limit``."""
    height, width = now.shape
    total = 0
    for row in range(y, min(y + BLOCK, height)):
        for column in range(x, min(x + BLOCK, width)):
            total += abs(np.int64(now[row, column]) - quarter(before, row, column, dy, dx, largest))
        if total > limit:
            return total
    return total


@compiled
def search(now: NDArray[np.int32], before: NDArray[np.int32], largest: int, vectors: NDArray[np.int8]) -> None:
    """Fill ``vectors`` (block rows, block columns, 2), vertical move first: whole samples, halves, quarters."""
    for i in range(vectors.shape[0]):
        for j in range(vectors.shape[1]):
            y, x = i * BLOCK, j * BLOCK
            gy = np.int64(vectors[i, j - 1, 0]) if j > 0 else 0
            gx = np.int64(vectors[i, j - 1, 1]) if j > 0 else 0
            best = _difference(now, before, y, x, gy, gx, largest, 1 << 40)
            by, bx = gy, gx
            if gy != 0 or gx != 0:
                still = _difference(now, before, y, x, 0, 0, largest, best) + _PRICE
                if still < best:
                    best, by, bx = still, 0, 0
            if best > BLOCK * BLOCK // 2:
                for dy in range(-REACH, REACH + 1):
                    for dx in range(-REACH, REACH + 1):
                        cost = _difference(now, before, y, x, 4 * dy, 4 * dx, largest, best) + _PRICE
                        if cost < best:
                            best, by, bx = cost, 4 * dy, 4 * dx
            step = 2
            while step > 0 and best > _PRICE:
                my, mx = by, bx
                for dy in range(-1, 2):
                    for dx in range(-1, 2):
                        ty, tx = my + step * dy, mx + step * dx
                        if (dy != 0 or dx != 0) and max(abs(ty), abs(tx)) <= MOST_QUARTERS:
                            price = 0 if ty == gy and tx == gx else _PRICE
                            cost = _difference(now, before, y, x, ty, tx, largest, best) + price
                            if cost < best:
                                best, by, bx = cost, ty, tx
                step -= 1
            vectors[i, j, 0], vectors[i, j, 1] = by, bx


@compiled
def _move(
    before: NDArray[np.int32],
    vectors: NDArray[np.int8],
    down: int,
    right: int,
    largest: int,
    kind: int,
    moved: NDArray[np.int32],
) -> None:
    height, width = before.shape
    block_rows, block_columns = BLOCK >> down, BLOCK >> right
    for row in range(height):
        for column in range(width):
            i, j = row // block_rows, column // block_columns
            dy, dx = np.int64(vectors[i, j, 0]), np.int64(vectors[i, j, 1])
            if kind == 0:
                moved[row, column] = quarter(before, row, column, dy, dx, largest)
            elif kind == 1:
                moved[row, column] = eighth(before, row, column, dy << (1 - down), dx << (1 - right))
            else:
                moved[row, column] = _at(before, row + ((dy + 2) >> (2 + down)), column + ((dx + 2) >> (2 + right)))


BRIGHTNESS, COLOUR, ERRORS = range(3)
"""Kinds of planes, each interpolated in its own way; errors are not interpolated."""


def compensate(
    plane: NDArray[np.int32], vectors: NDArray[np.int8], kind: int, largest: int, down: int = 0, right: int = 0
) -> NDArray[np.int32]:
    """Padded plane whose blocks come from where the vectors point in a padded plane.

    Parameters
    ----------
    plane : array of int32
        Padded plane of an earlier frame.
    vectors : array of int8, shape (block rows, block columns, 2)
        Moves in quarters of samples of the first plane.
    kind : {BRIGHTNESS, COLOUR, ERRORS}
        How to interpolate.
    largest : int
        Largest value of the result, for BRIGHTNESS.
    down, right : int
        Halvings of the plane's height and width against the first plane.
    """
    height, width = inside(plane).shape
    moved = new_plane(height, width)
    _move(inside(plane), vectors, down, right, largest, kind, inside(moved))
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
