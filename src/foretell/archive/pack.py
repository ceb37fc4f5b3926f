"""Packing: a stream of bytes in, an archive out, in memory that does not grow with the stream."""

from __future__ import annotations

import io
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from foretell.archive import layout
from foretell.archive.records import RecordWriter
from foretell.archive.source import Readable, Writable, read_up_to
from foretell.codecs.base import (
    CODEC_NAMES,
    DEFAULT_LEVEL,
    DEFAULT_MODEL,
    MODEL_CODECS,
    CodecChoice,
    EncodedFrame,
    Settings,
)
from foretell.codecs.parallel import MOST_MEMORY
from foretell.codecs.select import (
    SEGMENT_BYTES,
    encode_picture_segment,
    encode_segment,
    encode_sound_segment,
    find_picture_in,
    find_sound_in,
    settle,
    wanted_for_picture,
)
from foretell.codecs.toolbox import Toolbox, octets_memory
from foretell.exact.threads import set_thread_count, thread_count

if TYPE_CHECKING:
    from foretell.codecs.image.containers import Part

Progress = Callable[[int], None]
"""Called with the number of raw bytes done so far."""

_ORIGIN_WORTH = 4096
"""Original bytes that justify one byte in the origin record."""


@dataclass
class Summary:
    """What went through a pack or unpack: sizes, raw bytes by codec, level and model."""

    raw_bytes: int = 0
    archive_bytes: int = 0
    codecs: Counter[str] = field(default_factory=Counter)
    level: int = 0
    model: str | None = None

    @property
    def bits_per_byte(self) -> float:
        """Bits of the archive for each raw byte; 0 for an empty stream."""
        return 8 * self.archive_bytes / self.raw_bytes if self.raw_bytes else 0.0

    @property
    def codec(self) -> str:
        """Names of the codecs used, joined by ``+``, the one with most raw bytes first."""
        return "+".join(name for name, _ in self.codecs.most_common()) or "none"


def compress(
    data: bytes | bytearray | memoryview,
    *,
    level: int = DEFAULT_LEVEL,
    model: str | None = None,
    codec: CodecChoice = "auto",
    verify: bool = False,
    samples: str = "",
    shape: str = "",
    tokens: str = "",
) -> bytes:
    """Pack bytes into an archive.

    Parameters
    ----------
    data : bytes-like
        What to pack.
    level : int
        1 (fast, no language model) to 9 (smallest).
    model : str, optional
        Model: a registry name or a path; by default SmolLM2-135M, for text.
    codec : {"auto", "octets", "text", "image", "video", "audio", "bytes", "pixels", "stored"}
        ``auto`` looks at the data and keeps what is smallest; with a model of bytes or of pictures it means that model.
    verify : bool
        Decode everything before returning.
    samples : str
        Layout of raw samples of sound without a header, such as ``s16le,2,44100``.
    shape : str
        Layout of a raw picture without a header, such as ``640x480x3``.
    tokens : {"", "bytes", "numbers"}
        Which tokens of a model of text stand for values from 0 to 255, with the codecs ``bytes`` and ``pixels``.

    Returns
    -------
    bytes
        An archive; never more than 0.1 % + 64 bytes larger than data.

    Raises
    ------
    MissingModelError
        If the data is text and the model is not on this machine.

    Examples
    --------
    >>> import foretell
    >>> archive = foretell.compress(b"tick tock " * 100, level=1)
    >>> foretell.decompress(archive)[:10]
    b'tick tock '
    """
    out = io.BytesIO()
    pack_stream(
        io.BytesIO(data),
        out,
        level=level,
        model=model,
        codec=codec,
        verify=verify,
        samples=samples,
        shape=shape,
        tokens=tokens,
    )
    return out.getvalue()


def pack_stream(
    fin: Readable,
    fout: Writable,
    *,
    level: int = DEFAULT_LEVEL,
    model: str | None = None,
    codec: CodecChoice = "auto",
    verify: bool = False,
    samples: str = "",
    shape: str = "",
    tokens: str = "",
    threads: int = 0,
    name: str = "",
    size: int | None = None,
    progress: Progress | None = None,
) -> Summary:
    """Pack a stream into an archive; neither stream needs to seek.

    Parameters
    ----------
    fin, fout : binary streams
        Where to read and write.
    level, model, codec, verify, samples, shape, tokens
        As for :func:`compress`.
    threads : int
        Threads of this process from now on; 0 leaves the number as it is, at first one per core.
    name : str
        Name of the original, recorded when the size is known and the file is not tiny.
    size : int, optional
        Size of the original where it is known beforehand.
    progress : callable, optional
        Called with the number of bytes packed so far.

    Returns
    -------
    Summary
        Sizes, codecs and model.
    """
    use_threads(threads)
    settings = settle(Settings(level, codec, model or DEFAULT_MODEL, verify, samples, shape, tokens))
    tools = Toolbox(level, settings.model)
    writer = RecordWriter(fout, level)
    summary = Summary(level=level)
    _write_origin(writer, name, size)
    reached = 0

    def advance(size: int) -> None:
        nonlocal reached
        reached += size
        if progress:
            progress(reached)

    for segment, frames in _encode_all(fin, settings, tools, advance):
        _write_segment(writer, segment, frames, tools, summary)
        advance(max(summary.raw_bytes - reached, 0))
    writer.finish()
    summary.archive_bytes = writer.written
    return summary


def use_threads(threads: int) -> None:
    """Use so many threads from now on, unless it is 0."""
    if threads:
        set_thread_count(threads)


def _write_origin(writer: RecordWriter, name: str, size: int | None) -> None:
    """Record name and size where they are cheap against the size of the file."""
    if size is None:
        return
    worth = size // _ORIGIN_WORTH
    if worth >= len(name.encode("utf-8", "surrogateescape")) + 4:
        writer.origin(size, name.encode("utf-8", "replace").decode()[:255])
    elif worth >= 4:
        writer.origin(size, "")


def _encode_all(
    fin: Readable, settings: Settings, tools: Toolbox, progress: Progress
) -> Iterator[tuple[bytes, list[EncodedFrame]]]:
    """Segments of a stream and their frames, in order; several at once where one thread each is used."""
    first = read_up_to(fin, SEGMENT_BYTES)
    segments = chain([first] if first else [], iter(lambda: read_up_to(fin, SEGMENT_BYTES), b""))
    first += read_up_to(fin, wanted_for_picture(first, settings))
    parts = find_picture_in(first, settings)
    if parts or len(first) > SEGMENT_BYTES:
        yield from _encode_parts(fin, first, parts, settings, tools, progress)
        return
    sound = find_sound_in(first, settings)
    threads = thread_count() if sound else _segments_at_once(settings)
    position = 0

    def work(segment: bytes, start: int) -> list[EncodedFrame]:
        if sound:
            return encode_sound_segment(segment, start, sound, settings, tools, progress)
        return encode_segment(segment, settings, tools, progress if threads == 1 else None)

    if threads == 1:
        for segment in segments:
            yield segment, work(segment, position)
            position += len(segment)
        return
    with ThreadPoolExecutor(threads) as pool:
        ahead: deque[tuple[bytes, Future[list[EncodedFrame]]]] = deque()
        for segment in segments:
            ahead.append((segment, pool.submit(work, segment, position)))
            position += len(segment)
            if len(ahead) >= threads:
                done, frames = ahead.popleft()
                yield done, frames.result()
        while ahead:
            done, frames = ahead.popleft()
            yield done, frames.result()


def _encode_parts(
    fin: Readable, first: bytes, parts: Iterable[Part], settings: Settings, tools: Toolbox, progress: Progress
) -> Iterator[tuple[bytes, list[EncodedFrame]]]:
    """Parts of a picture file and their frames, in order, and whatever follows them."""
    waiting = first

    def read(size: int) -> bytes:
        nonlocal waiting
        if size > len(waiting):
            waiting += read_up_to(fin, size - len(waiting))
        data, waiting = waiting[:size], waiting[size:]
        return data

    left = deque(parts)
    while left:
        part = left[0]
        if part.layout is None:
            left.popleft()
            for start in range(0, part.size, SEGMENT_BYTES):
                data = read(min(part.size - start, SEGMENT_BYTES))
                yield data, encode_segment(data, settings, tools, progress)
            continue
        data = read(part.size or layout.MAX_FRAME)
        if part.unit and len(data) < part.size:
            waiting, data = data[len(data) // part.unit * part.unit :], data[: len(data) // part.unit * part.unit]
        elif len(data) != part.size and (part.size or len(data) == layout.MAX_FRAME):
            waiting, data = data + waiting, b""
        if not data:
            break
        if not part.unit:
            left.popleft()
        yield data, encode_picture_segment(data, part.layout, settings, tools, progress)
    for segment in iter(lambda: read(SEGMENT_BYTES), b""):
        yield segment, encode_segment(segment, settings, tools, progress)


def _segments_at_once(settings: Settings) -> int:
    """How many segments to encode together: one with a language model, which uses all cores itself."""
    modelled = settings.level > 1 or settings.codec in ("text", "bytes", "pixels")
    if settings.codec == "stored" or (modelled and settings.codec != "octets"):
        return 1
    return min(thread_count(), max(1, MOST_MEMORY // octets_memory(settings.level, SEGMENT_BYTES)))


def _write_segment(
    writer: RecordWriter, segment: bytes, frames: list[EncodedFrame], tools: Toolbox, summary: Summary
) -> None:
    view = memoryview(segment)
    position = 0
    for frame in frames:
        if frame.codec_id in MODEL_CODECS and summary.model is None:
            assert tools.model is not None
            writer.model(tools.model.digest)
            summary.model = tools.model.name
        writer.frame(frame, view[position : position + frame.raw_size])
        summary.codecs[CODEC_NAMES[frame.codec_id]] += frame.raw_size
        position += frame.raw_size
    summary.raw_bytes += position


assert SEGMENT_BYTES <= layout.MAX_FRAME
