"""How the tokens of a text frame are cut into sections and lanes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

MOST_LANES = 64
MOST_SLOTS = 1 << 16
"""Most tokens that all lanes of a section, each with its prefix, may hold: it bounds the model's cache."""
ABREAST = 8
"""Frames of a single lane that are decoded side by side."""
MOST_FRAME_BYTES = 1 << 22
"""Most raw bytes of a text frame."""


@dataclass(frozen=True)
class Plan:
    """How a level cuts text.

    Attributes
    ----------
    lanes : int
        Most lanes in a section.
    lane_tokens : int
        Most tokens in a lane; with the prefix, the longest context.
    prefix : int
        Tokens of the first section, and those that the lanes of later ones begin with; a multiple of 16.
    frame_bytes : int
        Raw bytes of a frame.
    """

    lanes: int
    lane_tokens: int
    prefix: int
    frame_bytes: int

    def within(self, context: int) -> Plan:
        """The same for a model with a shorter context."""
        prefix = min(self.prefix, context // 64 * 16)
        return Plan(self.lanes, min(self.lane_tokens, context - prefix), prefix, self.frame_bytes)


def plan_for(level: int) -> Plan:
    """Plan of a level, 2 to 9; docs/pack.md has the measurements behind the numbers."""
    if level >= 9:
        return Plan(lanes=6, lane_tokens=7168, prefix=1024, frame_bytes=1 << 22)
    if level >= 4:
        return Plan(lanes=10, lane_tokens=4608, prefix=512, frame_bytes=3 << 17)
    return Plan(lanes=24, lane_tokens=1024, prefix=256, frame_bytes=3 << 17)


class Shape(NamedTuple):
    """How one frame's tokens are cut; written at the head of its payload."""

    prefix: int
    lanes: int
    length: int

    def fits(self, context: int) -> bool:
        """Whether a decoder with this context may believe it."""
        slots = self.prefix + self.length
        in_context = self.length >= 1 and slots <= context and self.lanes * slots <= MOST_SLOTS
        return in_context and self.prefix % 16 == 0 and 1 <= self.lanes <= MOST_LANES


def shape_of(tokens: int, plan: Plan) -> Shape:
    """Few and long lanes, in sections of equal size; a short frame is a single lane."""
    if tokens <= plan.prefix + plan.lane_tokens:
        return Shape(0, 1, max(1, tokens))
    rest = tokens - plan.prefix
    sections = -(-rest // (plan.lanes * plan.lane_tokens))
    share = -(-rest // sections)
    lanes = -(-share // plan.lane_tokens)
    return Shape(plan.prefix, lanes, -(-share // lanes))


def sections_of(tokens: int, shape: Shape) -> Iterator[list[tuple[int, int]]]:
    """The sections of a frame, each as the (begin, end) of its lanes."""
    start = min(shape.prefix, tokens)
    if start:
        yield [(0, start)]
    for first in range(start, tokens, shape.lanes * shape.length):
        last = min(tokens, first + shape.lanes * shape.length)
        yield [(begin, min(begin + shape.length, last)) for begin in range(first, last, shape.length)]
