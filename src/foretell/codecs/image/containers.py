"""Picture files by their first bytes: where in a file which raster lies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from foretell.codecs.image import bmp, pnm, tiff
from foretell.codecs.image.png import SIGNATURE, WholeFile
from foretell.codecs.image.raster import Layout
from foretell.codecs.video import y4m
from foretell.codecs.video.y4m import VideoLayout

BAND_BYTES: Final = 12 << 20
"""Most bytes of a raster that are one frame."""
MOST_GROUP_BYTES: Final = 24 << 20
MOST_GROUP_FRAMES: Final = 64
"""Most frames of video that are one frame of an archive, the unit of seeking."""
WHOLE_BYTES: Final = 1 << 28
"""Most bytes of files that are read whole because what describes them may lie at their end."""
LEAST_BYTES: Final = 256
"""Rasters smaller than this are left to other codecs."""


PartLayout = Layout | WholeFile | VideoLayout


@dataclass(frozen=True)
class Part:
    """Next bytes of a stream, and how they make up a picture; ``layout`` is None for other bytes.

    A ``size`` of 0 means all that is left. With ``unit``, parts of the same kind follow to the end of the stream, and
    the last may be smaller by whole units.
    """

    size: int
    layout: PartLayout | None = None
    unit: int = 0


Finder = Callable[[bytes], tuple[int, Layout] | None]
FINDERS: tuple[tuple[bytes, Finder], ...] = (
    (b"P", pnm.find),
    (b"BM", bmp.find),
    *((magic, tiff.find) for magic in tiff.MAGICS),
)
"""First bytes of a kind of file, and what finds the offset and layout of its raster."""


def wants(head: bytes) -> int:
    """Bytes of a stream that it takes to know what picture it is, beyond those given."""
    return WHOLE_BYTES - len(head) if head.startswith(tiff.MAGICS) else 0


def parts_of(head: bytes) -> list[Part]:
    """Parts of a stream that begins with ``head``; none if it is no picture file that is known here."""
    if head.startswith(SIGNATURE):
        return [Part(0, WholeFile())]
    if head.startswith(y4m.MAGIC) and (video := y4m.find(head)):
        return _groups(*video)
    for magic, find in FINDERS:
        if head.startswith(magic) and (found := find(head)):
            offset, layout = found
            if layout.valid() and layout.size >= LEAST_BYTES and offset < len(head):
                return [Part(offset)] * (offset > 0) + bands(layout)
    return []


def _groups(offset: int, layout: VideoLayout) -> list[Part]:
    """Line of a video file and its groups of frames; none if a frame is too large."""
    if layout.frame_bytes > MOST_GROUP_BYTES:
        return []
    frames = min(MOST_GROUP_FRAMES, MOST_GROUP_BYTES // layout.frame_bytes)
    return [Part(offset), Part(frames * layout.frame_bytes, layout, layout.frame_bytes)]


def bands(layout: Layout) -> list[Part]:
    """Cut a raster into bands of whole rows that are nearly alike.

    >>> [part.layout.rows for part in bands(Layout(1 << 20, 30, 1))]
    [10, 10, 10]
    """
    most = max(1, BAND_BYTES // layout.row_bytes)
    count = -(-layout.rows // most)
    edges = [layout.rows * index // count for index in range(count + 1)]
    return [Part((end - start) * layout.row_bytes, replace(layout, rows=end - start)) for start, end in pairwise(edges)]
