"""Pictures and video in archives: rows and frames cut out of them, and where their bits went."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from foretell.archive.batch import check_memory
from foretell.archive.index import Entry, read_frame
from foretell.archive.seek import ArchiveFile
from foretell.codecs.base import IMAGE, PIXELS, VIDEO
from foretell.codecs.image.arrays import to_anymap
from foretell.codecs.image.codec import is_png, take_layout
from foretell.codecs.image.describe import PEEK
from foretell.codecs.image.raster import Layout, pixels_of
from foretell.codecs.pixels.codec import raster_of
from foretell.codecs.toolbox import new_image_codec, new_video_codec
from foretell.codecs.video.codec import take_layout as take_video_layout
from foretell.errors import ForetellError


def _payload_start(archive: ArchiveFile, entry: Entry) -> bytes:
    archive.file.seek(entry.offset + entry.head.head_size)
    return archive.file.read(min(entry.head.coded, PEEK))


def cut_rows(archive: ArchiveFile, start: int, end: int | None) -> Iterator[bytes]:
    """PAM file, in pieces, of the rows from ``start`` to before ``end`` (None: to the last) of a picture.

    Rows are counted as the file has them; BMP files begin with the lowest.

    Raises
    ------
    ForetellError
        If the archive holds no picture whose rows can be cut, or not these rows.
    """
    bands: list[tuple[Entry, Layout]] = []
    for entry in archive.index.entries:
        if entry.head.kind == PIXELS:
            bands.append((entry, raster_of(_payload_start(archive, entry))))
        if entry.head.kind == IMAGE:
            payload = _payload_start(archive, entry)
            if is_png(payload):
                raise ForetellError("is a PNG file, which decodes only as a whole", "unpack it and cut the picture")
            bands.append((entry, take_layout(payload, 1)[0]))
    if not bands:
        raise ForetellError("has no picture that can be cut by rows", "give a range in bytes")
    form, first = bands[0][1], bands[0][0].start
    rows = sum(layout.rows for _, layout in bands)
    stop = rows if end is None else min(end, rows)
    if start >= stop:
        raise ForetellError(f"has {rows} rows, none of them in the range")
    wanted = archive.read_range(first + start * form.row_bytes, first + stop * form.row_bytes)
    pixels = pixels_of(b"".join(wanted), form, stop - start)
    yield to_anymap(pixels)


def cut_frames(archive: ArchiveFile, start: int, end: int | None) -> Iterator[bytes]:
    """YUV4MPEG2 file, in pieces, of the frames from ``start`` to before ``end`` (None: to the last) of a video.

    Raises
    ------
    ForetellError
        If the archive holds no video, or not these frames.
    """
    entries = [entry for entry in archive.index.entries if entry.head.kind == VIDEO]
    if not entries:
        raise ForetellError("has no video that can be cut by frames", "give a range in bytes")
    size = take_video_layout(_payload_start(archive, entries[0]))[0].frame_bytes
    first = entries[0].start
    frames = (entries[-1].end - first) // size
    stop = frames if end is None else min(end, frames)
    if start >= stop:
        raise ForetellError(f"has {frames} frames, none of them in the range")
    yield from archive.read_range(0, first)
    yield from archive.read_range(first + start * size, first + stop * size)


def bits_map(archive: ArchiveFile, memory_limit: int) -> NDArray[np.float32]:
    """Bits that every pixel of a picture took, (rows, width), or of a video, mean of all frames; decodes all of it.

    Raises
    ------
    ForetellError
        If the archive holds neither.
    """
    kinds = {entry.head.kind for entry in archive.index.entries} & {IMAGE, VIDEO}
    if len(kinds) != 1:
        raise ForetellError("has no picture or video whose bits could be drawn")
    found: list[NDArray[np.float32]] = []
    codec = new_video_codec() if VIDEO in kinds else new_image_codec()
    codec.watch = found.append
    for entry in archive.index.entries:
        if entry.head.kind in kinds:
            check_memory(entry.head.size, entry.head.coded, memory_limit, entry.number)
            codec.decode_frames([(read_frame(archive.file, entry).payload, entry.head.size)])
    if len({bits.shape[1:] if IMAGE in kinds else bits.shape for bits in found}) != 1:
        raise ForetellError("has several pictures", "pack them one by one")
    joined: NDArray[np.float32] = np.vstack(found) if IMAGE in kinds else np.mean(found, axis=0)
    return joined
