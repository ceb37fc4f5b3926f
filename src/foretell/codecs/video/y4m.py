"""YUV4MPEG2: uncompressed video, each frame a line and its planes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

MAGIC: Final = b"YUV4MPEG2 "
FRAME_LINE: Final = b"FRAME\n"
_MOST_SIDE: Final = 1 << 14
_SUBSAMPLED: Final = {b"420": (1, 1), b"422": (0, 1), b"444": (0, 0), b"mono": None}
_COLOUR = re.compile(rb"(420|422|444|mono)(?:jpeg|mpeg2|paldv)?(?:p?(9|10|12|14|16))?")


@dataclass(frozen=True)
class VideoLayout:
    """How bytes make up frames: size, halvings of the height and width of the colour planes (None without), bytes.

    Parameters
    ----------
    width, height : int
        Samples of the first plane.
    chroma : (int, int) or None
        Whether the height and the width of the other two planes are halved; None if there are none.
    sample_bytes : int
        1, or 2 with the low byte first.
    """

    width: int
    height: int
    chroma: tuple[int, int] | None
    sample_bytes: int

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Height and width of every plane."""
        first = [(self.height, self.width)]
        if self.chroma is None:
            return first
        down, right = self.chroma
        return first + [(-(-self.height // (1 << down)), -(-self.width // (1 << right)))] * 2

    @property
    def frame_bytes(self) -> int:
        """Bytes of a frame with its line."""
        return len(FRAME_LINE) + self.sample_bytes * sum(height * width for height, width in self.shapes)

    def valid(self) -> bool:
        """Whether the numbers are within the limits of the format."""
        sizes = 1 <= self.width <= _MOST_SIDE and 1 <= self.height <= _MOST_SIDE
        return sizes and self.sample_bytes in (1, 2) and self.chroma in (None, (0, 0), (0, 1), (1, 1))


def find(head: bytes) -> tuple[int, VideoLayout] | None:
    r"""Offset of the first frame and the layout of a YUV4MPEG2 stream.

    >>> find(b"YUV4MPEG2 W5 H3 F25:1 C420jpeg\nFRAME\n")
    (31, VideoLayout(width=5, height=3, chroma=(1, 1), sample_bytes=1))
    """
    end = head.find(b"\n", 0, 1024)
    if end < 0 or not head.startswith(MAGIC):
        return None
    fields = {field[:1]: field[1:] for field in head[len(MAGIC) : end].split(b" ") if field}
    colour = _COLOUR.fullmatch(fields.get(b"C", b"420"))
    width, height = fields.get(b"W", b""), fields.get(b"H", b"")
    if not (colour and width.isdigit() and height.isdigit() and len(width) < 6 and len(height) < 6):
        return None
    layout = VideoLayout(int(width), int(height), _SUBSAMPLED[colour[1]], 2 if colour[2] else 1)
    return (end + 1, layout) if layout.valid() else None
