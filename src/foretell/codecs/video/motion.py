"""Where blocks of a frame were in another one: a search by the encoder, and the moved frame for both sides.

Everything works on the sixteen *phases* of a plane: the plane moved by each fraction of quarters of samples, with a
margin, as H.264 interpolates brightness. A moved block is then a copy.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.image.planes import ABOVE, SIDE, inside, new_plane
from foretell.compilation import compiled

BLOCK: Final = 8
"""Rows and columns of a block of the first plane; blocks of planes half as wide are half as wide."""
MOST_QUARTERS: Final = 127
"""Farthest move in each direction, in quarters of samples."""
MARGIN: Final = MOST_QUARTERS // 4 + 2
REACH: Final = 15
"""Samples that the search goes in each direction from where it begins."""
_PRICE: Final = 12
"""Sum of differences that a move unlike its left neighbour has to save in the search."""

Phases = NDArray[np.uint16]


def phases(plane: NDArray[np.int32], largest: int) -> Phases:
    """Plane moved by quarters of samples, phase 4 dy + dx for (dy, dx) quarters.

    Shape (16, height + 2 MARGIN, width + 2 MARGIN). Samples outside the plane are the nearest inside; values are at
    most ``largest`` (H.264, 8.4.2.2.1).
    """
    wide = np.pad(plane, MARGIN + 3, mode="edge").astype(np.int32)
    across, down = _six(wide, 1), _six(wide, 0)
    middle = np.clip((_six(across, 0) + 512) >> 10, 0, largest)
    half = [wide, np.clip((across + 16) >> 5, 0, largest), np.clip((down + 16) >> 5, 0, largest), middle]
    out = np.empty((16, plane.shape[0] + 2 * MARGIN, plane.shape[1] + 2 * MARGIN), np.uint16)
    for phase in range(16):
        first, second = _ENDS[phase]
        out[phase] = (_at(half, *first) + _at(half, *second) + 1) >> 1
    return out


def _six(a: NDArray[np.int32], axis: int) -> NDArray[np.int32]:
    """Six-tap filter between each sample and the next."""
    before, after = np.roll(a, 1, axis), np.roll(a, -1, axis)
    return 20 * (a + after) - 5 * (before + np.roll(a, -2, axis)) + (np.roll(a, 2, axis) + np.roll(a, -3, axis))


def _at(half: list[NDArray[np.int32]], down: int, right: int) -> NDArray[np.int32]:
    """Samples moved by halves of samples, without the outer margin."""
    y, x = 3 + (down >> 1), 3 + (right >> 1)
    plane = half[2 * (down & 1) + (right & 1)]
    return plane[y : y + plane.shape[0] - 6, x : x + plane.shape[1] - 6]


def _ends(phase: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The two places, in halves, whose mean is a phase; the same place twice where it is a half itself."""
    dy, dx = phase >> 2, phase & 3
    if dy & 1 and dx & 1:
        return (2 if dy == 3 else 0, 1), (1, 2 if dx == 3 else 0)
    return (dy >> 1, dx >> 1), ((dy + 1) >> 1, (dx + 1) >> 1)


_ENDS: Final = tuple(_ends(phase) for phase in range(16))


@compiled
def difference(now: NDArray[np.int32], moved: Phases, y: int, x: int, dy: int, dx: int, limit: int) -> int:
    """Sum of absolute differences of a block from one moved by quarters; more than ``limit`` if it passes that."""
    height, width = now.shape
    source = moved[(dy & 3) * 4 + (dx & 3)]
    top, left = MARGIN + (dy >> 2), MARGIN + (dx >> 2)
    total = 0
    whole = x + BLOCK <= width
    for row in range(y, min(y + BLOCK, height)):
        if whole:
            line, other = now[row, x : x + BLOCK], source[top + row, left + x : left + x + BLOCK]
            part = np.int32(0)
            for i in range(BLOCK):
                part += np.int32(abs(np.int32(line[i] - np.int32(other[i]))))
            total += part
        else:
            for column in range(x, width):
                total += abs(np.int64(now[row, column]) - np.int64(source[top + row, left + column]))
        if total > limit:
            return total
    return total


@compiled
def search(now: NDArray[np.int32], moved: Phases, vectors: NDArray[np.int8]) -> None:
    """Fill ``vectors`` (block rows, block columns, 2), vertical move first, by the sums of differences they leave.

    Whole samples around the best of what the neighbours take, then halves, then quarters.
    """
    for i in range(vectors.shape[0]):
        for j in range(vectors.shape[1]):
            y, x = i * BLOCK, j * BLOCK
            gy = np.int64(vectors[i, j - 1, 0]) if j > 0 else 0
            gx = np.int64(vectors[i, j - 1, 1]) if j > 0 else 0
            best = difference(now, moved, y, x, gy, gx, 1 << 40)
            by, bx = gy, gx
            for k in range(3):
                ty, tx = 0, 0
                if k > 0 and i > 0:
                    ty = np.int64(vectors[i - 1, min(j + k - 1, vectors.shape[1] - 1), 0])
                    tx = np.int64(vectors[i - 1, min(j + k - 1, vectors.shape[1] - 1), 1])
                cost = difference(now, moved, y, x, ty, tx, best) + _PRICE
                if cost < best:
                    best, by, bx = cost, ty, tx
            if best > BLOCK * BLOCK // 2:
                cy, cx = by & -4, bx & -4
                for dy in range(-REACH, REACH + 1):
                    for dx in range(-REACH, REACH + 1):
                        ty, tx = cy + 4 * dy, cx + 4 * dx
                        if max(abs(ty), abs(tx)) <= MOST_QUARTERS:
                            cost = difference(now, moved, y, x, ty, tx, best) + _PRICE
                            if cost < best:
                                best, by, bx = cost, ty, tx
            step = 2
            while step > 0 and best > _PRICE:
                my, mx = by, bx
                for dy in range(-1, 2):
                    for dx in range(-1, 2):
                        ty, tx = my + step * dy, mx + step * dx
                        if (dy != 0 or dx != 0) and max(abs(ty), abs(tx)) <= MOST_QUARTERS:
                            cost = difference(now, moved, y, x, ty, tx, best) + _PRICE
                            if cost < best:
                                best, by, bx = cost, ty, tx
                step -= 1
            vectors[i, j, 0], vectors[i, j, 1] = by, bx


@compiled
def _copy_brightness(moved: Phases, vectors: NDArray[np.int8], out: NDArray[np.int32]) -> None:
    height, width = out.shape
    for i in range(vectors.shape[0]):
        for j in range(vectors.shape[1]):
            dy, dx = np.int64(vectors[i, j, 0]), np.int64(vectors[i, j, 1])
            source = moved[(dy & 3) * 4 + (dx & 3)]
            top, left = MARGIN + (dy >> 2), MARGIN + (dx >> 2)
            for row in range(i * BLOCK, min((i + 1) * BLOCK, height)):
                for column in range(j * BLOCK, min((j + 1) * BLOCK, width)):
                    out[row, column] = source[top + row, left + column]


@compiled
def _nearest(plane: NDArray[np.int32], y: int, x: int) -> int:
    """Sample nearest to a place."""
    return np.int64(plane[min(max(y, 0), plane.shape[0] - 1), min(max(x, 0), plane.shape[1] - 1)])


@compiled
def _eighth(plane: NDArray[np.int32], y: int, x: int, dy: int, dx: int) -> int:
    """Value of a plane at a place moved by eighths of samples, as H.264 interpolates colour (8.4.2.2.2)."""
    y, x, fy, fx = y + (dy >> 3), x + (dx >> 3), dy & 7, dx & 7
    upper = (8 - fx) * _nearest(plane, y, x) + fx * _nearest(plane, y, x + 1)
    lower = (8 - fx) * _nearest(plane, y + 1, x) + fx * _nearest(plane, y + 1, x + 1)
    return ((8 - fy) * upper + fy * lower + 32) >> 6


@compiled
def _copy_others(
    plane: NDArray[np.int32], vectors: NDArray[np.int8], down: int, right: int, errors: bool, out: NDArray[np.int32]
) -> None:
    height, width = plane.shape
    block_rows, block_columns = BLOCK >> down, BLOCK >> right
    for row in range(height):
        for column in range(width):
            i, j = row // block_rows, column // block_columns
            dy, dx = np.int64(vectors[i, j, 0]), np.int64(vectors[i, j, 1])
            if errors:
                out[row, column] = _nearest(
                    plane, row + ((dy + (2 << down)) >> (2 + down)), column + ((dx + (2 << right)) >> (2 + right))
                )
            else:
                out[row, column] = _eighth(plane, row, column, dy << (1 - down), dx << (1 - right))


def move_brightness(moved: Phases, vectors: NDArray[np.int8]) -> NDArray[np.int32]:
    """Plane whose blocks come from where the vectors point."""
    out = np.empty((moved.shape[1] - 2 * MARGIN, moved.shape[2] - 2 * MARGIN), np.int32)
    _copy_brightness(moved, vectors, out)
    return out


def move_colour(plane: NDArray[np.int32], vectors: NDArray[np.int8], down: int, right: int) -> NDArray[np.int32]:
    """The same for a plane of colour, whose height and width may be halved."""
    out = np.empty_like(plane)
    _copy_others(plane, vectors, down, right, False, out)
    return out


def move_errors(plane: NDArray[np.int32], vectors: NDArray[np.int8], down: int, right: int) -> NDArray[np.int32]:
    """The same for errors, which are not interpolated."""
    out = np.empty_like(plane)
    _copy_others(plane, vectors, down, right, True, out)
    return out


def shrink(plane: NDArray[np.int32], height: int, width: int, down: int, right: int) -> NDArray[np.int32]:
    """Padded plane of a size with the mean of the samples that each place covers in a larger padded plane."""
    small = new_plane(height, width)
    total = np.zeros((height, width), np.int32)
    for dy in range(1 << down):
        for dx in range(1 << right):
            total += plane[ABOVE + dy :, SIDE + dx :][: height << down : 1 << down, : width << right : 1 << right]
    inside(small)[:] = (total + ((1 << down + right) >> 1)) >> (down + right)
    return padded(inside(small))


def padded(plane: NDArray[np.int32]) -> NDArray[np.int32]:
    """Plane with its padding, filled with the nearest samples."""
    whole = new_plane(*plane.shape)
    bottom, right = whole.shape[0] - plane.shape[0] - ABOVE, whole.shape[1] - plane.shape[1] - SIDE
    whole[:] = np.pad(plane, ((ABOVE, bottom), (SIDE, right)), mode="edge")
    return whole
