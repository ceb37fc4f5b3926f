"""Sound in archives: what its frames say, and stretches of time cut out of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from foretell.archive.index import Entry
from foretell.archive.seek import ArchiveFile
from foretell.codecs.audio.describe import PEEK, layout_of
from foretell.codecs.audio.head import Layout, wav_head
from foretell.codecs.audio.pcm import PcmFormat
from foretell.codecs.base import AUDIO
from foretell.errors import ForetellError


@dataclass(frozen=True)
class SoundFrame:
    """An audio frame: its entry, what its payload says, and samples of each channel in it."""

    entry: Entry
    layout: Layout
    samples: int

    @property
    def start(self) -> int:
        """First raw byte of its samples."""
        return self.entry.start + len(self.layout.before)


def sound_frames(file: BinaryIO, entries: list[Entry]) -> list[SoundFrame]:
    """Audio frames among entries, none of them decoded; damaged ones are left out."""
    found = []
    for entry in entries:
        if entry.head.kind != AUDIO:
            continue
        file.seek(entry.offset + entry.head.head_size)
        layout = layout_of(file.read(min(entry.head.coded, PEEK)))
        if layout is not None:
            inside = entry.head.size - len(layout.before) - len(layout.after)
            found.append(SoundFrame(entry, layout, max(inside, 0) // layout.form.block))
    return found


def cut_time(archive: ArchiveFile, start: float, end: float | None) -> Iterator[bytes]:
    """A WAV file, in pieces, of the time from ``start`` to ``end`` in seconds; decodes only the frames that hold it.

    Parameters
    ----------
    archive : ArchiveFile
        An archive of one file of sound.
    start, end : float
        Seconds; ``end`` is not included, and None stands for the end of the sound.

    Raises
    ------
    ForetellError
        If the archive holds no sound, or the time lies outside of it.
    """
    frames = sound_frames(archive.file, archive.index.entries)
    if not frames:
        raise ForetellError("has no sound that can be cut by time", "give a range in bytes")
    form = frames[0].layout.form
    first = frames[0].start
    blocks = (frames[-1].entry.end - len(frames[-1].layout.after) - first) // form.block
    begin = min(round(start * form.rate), blocks)
    stop = blocks if end is None else min(round(end * form.rate), blocks)
    if begin >= stop:
        raise ForetellError(f"has {blocks / form.rate:.2f} seconds of sound, none of them in the range")
    plain = PcmFormat(form.channels, form.width, form.rate, form.width > 1, False, form.floating)
    yield wav_head(plain, (stop - begin) * form.block)
    yield from _converted(archive.read_range(first + begin * form.block, first + stop * form.block), form, plain)


def _converted(pieces: Iterator[bytes], form: PcmFormat, plain: PcmFormat) -> Iterator[bytes]:
    """The same samples in the layout of WAV files."""
    if form == plain:
        yield from pieces
        return
    from foretell.codecs.audio.pcm import bytes_of, integers_of

    rest = b""
    for piece in pieces:
        data = rest + piece
        whole = len(data) - len(data) % form.block
        rest = data[whole:]
        yield bytes_of(integers_of(data[:whole], form), plain)
