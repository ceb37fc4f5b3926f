"""Fields of moves: how they are predicted from each other, and the encoder's choice among what a search found.

A field's move is predicted by the median of the moves of three neighbours. Where a frame has two references, what is
predicted for the second is the first move stretched to its distance, plus the median of what it differed from that in
the neighbours. A block that does not use a reference then takes its predicted move, which costs next to nothing.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.video.motion import BLOCK, MARGIN, MOST_QUARTERS, Phases, difference
from foretell.compilation import compiled

FIRST, SECOND, MEAN = range(3)
"""What a block is expected to be: one of two moved blocks, or their mean."""
PRICE: Final = 2
"""Twice the sum of differences that a bit of motion has to save."""
_ROUNDS: Final = 8
"""Most steps in which a move is refined."""

Field = NDArray[np.int8]
"""Moves (block rows, block columns, 2) in quarters of samples, vertical first."""


@compiled
def _median(a: int, b: int, c: int) -> int:
    return max(min(a, b), min(max(a, b), c))


@compiled
def _expected(field: Field, i: int, j: int, axis: int) -> int:
    """Median of the left, the upper and the upper right (else upper left) neighbour; the left one in the first row."""
    left = np.int64(field[i, j - 1, axis]) if j > 0 else 0
    if i == 0:
        return left
    beside = j + 1 if j + 1 < field.shape[1] else max(j - 1, 0)
    return _median(left, np.int64(field[i - 1, j, axis]), np.int64(field[i - 1, beside, axis]))


@compiled
def _stretched(move: int, times: int, by: int) -> int:
    """Move over a distance of ``times``, given that over a distance of ``by``; within the range of moves."""
    away = (2 * abs(move * times) + abs(by)) // (2 * abs(by))
    away = -away if (move < 0) != ((times < 0) != (by < 0)) else away
    return min(max(away, -MOST_QUARTERS), MOST_QUARTERS)


@compiled
def _second_expected(first: int, extra: int, distances: NDArray[np.int64]) -> int:
    return min(max(_stretched(first, distances[1], distances[0]) + extra, -MOST_QUARTERS), MOST_QUARTERS)


@compiled
def _extra(first: int, second: int, distances: NDArray[np.int64]) -> int:
    """What a second move differs by from the stretched first one, modulo 256."""
    return np.int8(second - _stretched(first, distances[1], distances[0]))


@compiled
def code_fields(fields: Field, distances: NDArray[np.int64], steps: Field) -> None:
    """Fill ``steps`` with what the moves of one or two fields differ from the predicted ones, modulo 256.

    ``fields`` and ``steps`` have shape (references, block rows, block columns, 2); ``distances`` (references,) say how
    many frames the references lie before the frame, less than 0 for those after it.
    """
    extras = np.zeros(fields.shape[1:], np.int8)
    for i in range(fields.shape[1]):
        for j in range(fields.shape[2]):
            for axis in range(2):
                move = np.int64(fields[0, i, j, axis])
                steps[0, i, j, axis] = np.int8(move - _expected(fields[0], i, j, axis))
                if fields.shape[0] == 2:
                    other = np.int64(fields[1, i, j, axis])
                    guess = _second_expected(move, _expected(extras, i, j, axis), distances)
                    steps[1, i, j, axis] = np.int8(other - guess)
                    extras[i, j, axis] = _extra(move, other, distances)


@compiled
def restore_fields(steps: Field, distances: NDArray[np.int64], fields: Field) -> None:
    """Fill ``fields`` from their steps, as `code_fields` made them."""
    extras = np.zeros(fields.shape[1:], np.int8)
    for i in range(fields.shape[1]):
        for j in range(fields.shape[2]):
            for axis in range(2):
                move = np.int64(np.int8(_expected(fields[0], i, j, axis) + steps[0, i, j, axis]))
                fields[0, i, j, axis] = move
                if fields.shape[0] == 2:
                    guess = _second_expected(move, _expected(extras, i, j, axis), distances)
                    other = np.int64(np.int8(guess + steps[1, i, j, axis]))
                    fields[1, i, j, axis] = other
                    extras[i, j, axis] = _extra(move, other, distances)


@compiled
def _bits(step: int) -> int:
    """About twice the bits of a step of one axis."""
    size, bits = abs(step), 1
    while size:
        bits += 4
        size >>= 1
    return bits


@compiled
def _rate(dy: int, dx: int) -> int:
    """Price of a step, in sums of differences."""
    return (PRICE * (_bits(dy) + _bits(dx))) >> 2


@compiled
def _mean_difference(
    now: NDArray[np.int32], first: Phases, second: Phases, y: int, x: int, moves: NDArray[np.int64], limit: int
) -> int:
    """Sum of absolute differences of a block from the mean of two moved ones (dy, dx, dy, dx)."""
    height, width = now.shape
    one, two = first[(moves[0] & 3) * 4 + (moves[1] & 3)], second[(moves[2] & 3) * 4 + (moves[3] & 3)]
    y1, x1 = MARGIN + (moves[0] >> 2), MARGIN + (moves[1] >> 2)
    y2, x2 = MARGIN + (moves[2] >> 2), MARGIN + (moves[3] >> 2)
    total = 0
    for row in range(y, min(y + BLOCK, height)):
        for column in range(x, min(x + BLOCK, width)):
            mean = (np.int64(one[y1 + row, x1 + column]) + np.int64(two[y2 + row, x2 + column]) + 1) >> 1
            total += abs(np.int64(now[row, column]) - mean)
        if total > limit:
            return total
    return total


@compiled
def _spent(mode: int, moves: NDArray[np.int64], expected: NDArray[np.int64], distances: NDArray[np.int64]) -> int:
    """Price of the moves of a block."""
    rate = _rate(moves[0] - expected[0], moves[1] - expected[1])
    if mode != FIRST:
        rate += _rate(
            moves[2] - _second_expected(moves[0], expected[2], distances),
            moves[3] - _second_expected(moves[1], expected[3], distances),
        )
    return rate


@compiled
def _cost(
    now: NDArray[np.int32],
    first: Phases,
    second: Phases,
    y: int,
    x: int,
    mode: int,
    moves: NDArray[np.int64],
    expected: NDArray[np.int64],
    distances: NDArray[np.int64],
    limit: int,
) -> int:
    """Sum of differences of a block in a mode, and the price of its moves (dy, dx, dy, dx).

    ``expected`` holds the predicted first move and what is added to the second. In FIRST, the second move becomes the
    predicted one; in SECOND, the first does.
    """
    for axis in range(2):
        if mode == SECOND:
            moves[axis] = expected[axis]
        if mode == FIRST:
            moves[2 + axis] = _second_expected(moves[axis], expected[2 + axis], distances)
    if max(max(abs(moves[0]), abs(moves[1])), max(abs(moves[2]), abs(moves[3]))) > MOST_QUARTERS:
        return 1 << 40
    rate = _spent(mode, moves, expected, distances)
    if rate > limit:
        return rate
    if mode == FIRST:
        return rate + difference(now, first, y, x, moves[0], moves[1], limit - rate)
    if mode == SECOND:
        return rate + difference(now, second, y, x, moves[2], moves[3], limit - rate)
    return rate + _mean_difference(now, first, second, y, x, moves, limit - rate)


@compiled
def settle(
    now: NDArray[np.int32],
    first: Phases,
    second: Phases,
    distances: NDArray[np.int64],
    fields: Field,
    modes: NDArray[np.uint8],
) -> None:
    """Choose the mode and the moves of every block by what they cost.

    ``fields`` (references, block rows, block columns, 2) holds what the searches found, and then what is chosen. With
    one reference, ``second`` is not looked at.
    """
    extras = np.zeros(fields.shape[1:], np.int8)
    expected, trial, best_moves = np.zeros(4, np.int64), np.zeros(4, np.int64), np.zeros(4, np.int64)
    two = fields.shape[0] == 2
    for i in range(modes.shape[0]):
        for j in range(modes.shape[1]):
            y, x = i * BLOCK, j * BLOCK
            for axis in range(2):
                expected[axis] = _expected(fields[0], i, j, axis)
                expected[2 + axis] = _expected(extras, i, j, axis)
            before = np.int64(modes[i, j - 1]) if j > 0 else FIRST
            best, best_mode = 1 << 40, FIRST
            best_moves[:] = 0
            for mode in range(3 if two else 1):
                price = 0 if mode == before else PRICE
                for candidate in range(2 if mode == FIRST else 4):  # the first mode has no second move to try
                    for k in range(4):
                        found = (k < 2 and candidate & 1) or (k >= 2 and candidate & 2)
                        guess = expected[k] if k < 2 else _second_expected(trial[k - 2], expected[k], distances)
                        trial[k] = np.int64(fields[k >> 1, i, j, k & 1]) if found and (two or k < 2) else guess
                    cost = price + _cost(now, first, second, y, x, mode, trial, expected, distances, best)
                    if cost < best:
                        best, best_mode = cost, mode
                        best_moves[:] = trial
            _refine(
                now,
                first,
                second,
                y,
                x,
                best_mode,
                best_moves,
                expected,
                distances,
                best,
                PRICE * (best_mode != before),
            )
            modes[i, j] = best_mode
            for axis in range(2):
                fields[0, i, j, axis] = best_moves[axis]
                if two:
                    fields[1, i, j, axis] = best_moves[2 + axis]
                    extras[i, j, axis] = _extra(best_moves[axis], best_moves[2 + axis], distances)


@compiled
def _refine(
    now: NDArray[np.int32],
    first: Phases,
    second: Phases,
    y: int,
    x: int,
    mode: int,
    moves: NDArray[np.int64],
    expected: NDArray[np.int64],
    distances: NDArray[np.int64],
    best: int,
    price: int,
) -> None:
    """Change the moves of a block by quarters while that makes it cheaper."""
    trial = np.zeros(4, np.int64)
    for _ in range(_ROUNDS):
        before = best
        for k in range(4):
            if (k < 2 and mode == SECOND) or (k >= 2 and mode == FIRST):
                continue
            for step in (-1, 1):
                trial[:] = moves
                trial[k] += step
                cost = price + _cost(now, first, second, y, x, mode, trial, expected, distances, best)
                if cost < best:
                    best = cost
                    moves[:] = trial
        if best == before:
            break
