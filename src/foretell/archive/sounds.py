"""Sound in archives: what its frames say, and stretches of time cut out of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from foretell.archive.batch import check_memory
from foretell.archive.index import Entry, read_frame
from foretell.archive.seek import ArchiveFile
from foretell.codecs.audio.containers import find_sound
from foretell.codecs.audio.describe import PEEK, layout_of
from foretell.codecs.audio.head import Layout, wav_head
from foretell.codecs.audio.pcm import PcmFormat
from foretell.codecs.base import AUDIO
from foretell.codecs.toolbox import new_audio_codec
from foretell.errors import ForetellError


@dataclass(frozen=True)
class SoundFrame:
    """An audio frame: its entry, what its payload says, and samples of each channel in it.

    A sample that the boundary of two frames cuts counts to the second.
    """

    entry: Entry
    layout: Layout
    samples: int

    @property
    def start(self) -> int:
        """First raw byte of its samples."""
        return self.entry.start + len(self.layout.before)


def sound_frames(file: BinaryIO, entries: list[Entry]) -> list[SoundFrame]:
    """Audio frames among entries, none of them decoded; damaged ones are left out."""
    found: list[SoundFrame] = []
    for entry in entries:
        if entry.head.kind != AUDIO:
            continue
        file.seek(entry.offset + entry.head.head_size)
        layout = layout_of(file.read(min(entry.head.coded, PEEK)))
        if layout is not None:
            inside = entry.head.size - len(layout.before) - len(layout.after)
            goes_on = bool(found) and found[-1].entry.end == entry.start and found[-1].layout.form == layout.form
            shared = 1 if goes_on and 0 < len(layout.before) < layout.form.block and found[-1].layout.after else 0
            found.append(SoundFrame(entry, layout, max(inside, 0) // layout.form.block + shared))
    return found


def sound_seconds(frames: list[SoundFrame], start: int, size: int) -> float:
    """Length of the sound of one file, whose ``size`` bytes begin at ``start``, frames of mere silence included.

    The header tells where samples begin and end, as long as it is in the first frame; otherwise frames add up.
    """
    if not frames:
        return 0.0
    first = frames[0]
    sound = find_sound(first.layout.before) if first.entry.start == start else None
    if sound is None or sound.form != first.layout.form:
        return sum(frame.samples / frame.layout.form.rate for frame in frames)
    return max(min(sound.end, size) - sound.start, 0) // sound.form.block / sound.form.rate


def bits_by_time(archive: ArchiveFile, memory_limit: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ends of steps of about a twentieth of a second, in seconds, and bits for each sample of any channel in them.

    Raises
    ------
    ForetellError
        If the archive holds no sound.
    """
    frames = sound_frames(archive.file, archive.index.entries)
    if not frames:
        raise ForetellError("has no sound whose bits could be drawn")
    times: list[float] = []
    bits: list[float] = []
    for frame in frames:
        form, codec = frame.layout.form, new_audio_codec(archive.index.members[frame.entry.member].level)
        start = (frame.entry.start - frames[0].start) / form.block

        def watch(samples: int, taken: int, form: PcmFormat = form, start: float = start) -> None:
            before = times[-1] if times else start / form.rate
            times.append(max(before, start / form.rate) + samples / form.rate)
            bits.append(taken / (samples * form.channels))

        codec.watch = watch
        check_memory(frame.entry.head.size, frame.entry.head.coded, memory_limit, frame.entry.number)
        codec.decode(read_frame(archive.file, frame.entry).payload, frame.entry.head.size)
    return np.array(times), np.array(bits)


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
