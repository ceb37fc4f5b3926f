"""In which order the frames of a group are coded, and from which others each is predicted.

Some frames are jumped over and coded after the next one, so that they are predicted from both sides. The encoder
weighs what that saves in them against what it costs in the frame that is farther from its reference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.video.fields import FIRST, MEAN, settle
from foretell.codecs.video.motion import BLOCK, Phases, move_brightness, phases, search

MOST_JUMPED: Final = 3
"""Most frames between two that are coded in order."""
_KEPT_PHASES: Final = MOST_JUMPED + 3

Plane = NDArray[np.int32]


@dataclass(frozen=True)
class Motion:
    """Where the blocks of a frame come from.

    Parameters
    ----------
    vectors : array of int8, shape (references, block rows, block columns, 2)
        Moves in quarters of samples of the first plane, vertical first.
    modes : array of uint8, shape (block rows, block columns)
        FIRST, SECOND or MEAN.
    """

    vectors: NDArray[np.int8]
    modes: NDArray[np.uint8]


def no_motion(shape: tuple[int, int]) -> Motion:
    """Motion of a frame that is predicted from no other, of so many block rows and columns."""
    return Motion(np.zeros((0, *shape, 2), np.int8), np.full(shape, FIRST, np.uint8))


def coding_order(jumps: Sequence[int]) -> list[int]:
    """Numbers of frames in coding order; each jump is how many frames are left out before the next one in order.

    >>> coding_order([0, 1, 3])
    [0, 2, 1, 6, 4, 3, 5]
    """
    order: list[int] = []
    for jump in jumps:
        start = len(order)
        order += [start + jump, *_between(start, start + jump)]
    return order


def _between(start: int, end: int) -> list[int]:
    """Frames from ``start`` to before ``end``, the middle one first."""
    if start >= end:
        return []
    middle = (start + end) // 2
    return [middle, *_between(start, middle), *_between(middle + 1, end)]


def references(order: Sequence[int]) -> list[tuple[int, ...]]:
    """Frames from which each frame, in coding order, is predicted: the nearest before, and after or before that.

    >>> references([0, 2, 1, 3])
    [(), (0,), (0, 2), (2, 1)]
    """
    known: list[int] = []
    found = []
    for number in order:
        before = sorted((other for other in known if other < number), reverse=True)
        after = sorted(other for other in known if other > number)
        found.append((*before[:1], *after[:1]) if after else tuple(before[:2]))
        known.append(number)
    return found


def distances(number: int, others: Sequence[int]) -> NDArray[np.int64]:
    """How many frames each reference lies before a frame; for one reference, a second at the same place."""
    return np.array([number - others[0], number - others[-1]], np.int64)


def block_shape(height: int, width: int) -> tuple[int, int]:
    """Block rows and columns of a plane."""
    return -(-height // BLOCK), -(-width // BLOCK)


class Planner:
    """The encoder's search for moves and for the order of frames, by the first planes of all frames."""

    def __init__(self, planes: Sequence[Plane], largest: int) -> None:
        self._planes = planes
        self._largest = largest
        self._phases: Callable[[int], Phases] = lru_cache(maxsize=_KEPT_PHASES)(self._make_phases)
        self._found: Callable[[int, int], NDArray[np.int8]] = lru_cache(maxsize=64)(self._search)

    def _make_phases(self, number: int) -> Phases:
        return phases(self._planes[number], self._largest)

    def _search(self, number: int, other: int) -> NDArray[np.int8]:
        vectors = np.zeros((*block_shape(*self._planes[number].shape), 2), np.int8)
        search(self._planes[number], self._phases(other), vectors)
        return vectors

    def motion(self, number: int, others: tuple[int, ...]) -> Motion:
        """Where the blocks of a frame come from in one or two others."""
        modes = no_motion(block_shape(*self._planes[number].shape)).modes
        vectors = np.stack([self._found(number, other) for other in others])
        sources = [self._phases(other) for other in others]
        settle(self._planes[number], sources[0], sources[-1], distances(number, others), vectors, modes)
        return Motion(vectors, modes)

    def _cost(self, number: int, others: tuple[int, ...]) -> float:
        """About how many bits a frame takes, by what its blocks of 4 x 4 differ from the expected."""
        if not others:
            return 0.0
        motion = self.motion(number, others)
        moved = [
            move_brightness(self._phases(other), vectors) for other, vectors in zip(others, motion.vectors, strict=True)
        ]
        differences = np.abs(self._planes[number] - expected(moved, motion.modes, BLOCK, BLOCK)[0])
        height, width = differences.shape[0] & -4, differences.shape[1] & -4
        blocks = differences[:height, :width].reshape(height // 4, 4, width // 4, 4).sum((1, 3))
        return float(np.log2(1 + 0.11 * blocks).sum())

    def jumps(self) -> list[int]:
        """How many frames to jump over before each that is coded in order."""
        jumps = [0]
        at = 1
        while at < len(self._planes):
            best, jump = self._cost(at, (at - 1,)), 0
            for trial in range(1, min(MOST_JUMPED, len(self._planes) - 1 - at) + 1):
                mean = self._jump_cost(at, trial)
                if mean >= best:
                    break
                best, jump = mean, trial
            jumps.append(jump)
            at += jump + 1
        return jumps

    def _jump_cost(self, at: int, jump: int) -> float:
        """Mean cost of the frames from ``at`` to the one after those jumped over."""
        total = self._cost(at + jump, (at - 1,))
        known = [at - 1, at + jump]
        for number in _between(at, at + jump):
            before = max(other for other in known if other < number)
            total += self._cost(number, (before, min(other for other in known if other > number)))
            known.append(number)
        return total / (jump + 1)


def expected(moved: Sequence[Plane], modes: NDArray[np.uint8], rows: int, columns: int) -> tuple[Plane, Plane]:
    """What is expected of a plane, given its moved references and the size of its blocks, and the reference not used.

    Where the mean of both is expected, the other is the first of them; so both can be told from what is given.
    """
    if len(moved) == 1:
        return moved[0], np.zeros_like(moved[0])
    first, second = moved
    height, width = first.shape
    mode = np.repeat(np.repeat(modes, rows, 0)[:height], columns, 1)[:, :width]
    other = np.where(mode == FIRST, second, first)
    return np.where(mode == MEAN, (first + second + 1) >> 1, first + second - other), other
