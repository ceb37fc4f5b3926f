"""What audio frames say of themselves without being decoded."""

from __future__ import annotations

from typing import Final

from foretell.codecs.audio.head import Layout, Reader, parse_layout
from foretell.errors import CorruptArchiveError

PEEK: Final = 1 << 14
"""First bytes of a payload that hold all that is described."""


def layout_of(payload: bytes) -> Layout | None:
    """Layout of a payload of which the first ``PEEK`` bytes are given; None if it is damaged."""
    try:
        return parse_layout(Reader(payload))
    except (ValueError, CorruptArchiveError):
        return None


def clock(seconds: float) -> str:
    """Hours, minutes and seconds.

    >>> clock(3723.5)
    '1:02:03.50'
    """
    minutes, rest = divmod(round(seconds, 2), 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02}:{rest:05.2f}" if hours else f"{minutes}:{rest:05.2f}"
