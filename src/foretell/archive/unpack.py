"""Unpacking: archives in, the bytes of the original out, every one of them checked."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator

from foretell.archive.batch import DEFAULT_MEMORY, belongs, check_memory, decode_batch
from foretell.archive.layout import corrupt
from foretell.archive.pack import Progress, Summary, use_threads
from foretell.archive.records import End, Frame, Header, ModelReference, Origin, Record, read_records
from foretell.archive.source import Readable, Source, Writable
from foretell.codecs.base import CODEC_NAMES
from foretell.codecs.toolbox import Toolbox
from foretell.errors import CorruptArchiveError, MemoryLimitError


def decompress(blob: bytes | bytearray | memoryview, *, memory_limit: int = DEFAULT_MEMORY) -> bytes:
    """Unpack an archive, or several that were joined.

    Parameters
    ----------
    blob : bytes-like
        The archive.
    memory_limit : int
        Most bytes that the result may have.

    Returns
    -------
    bytes
        The original.

    Raises
    ------
    CorruptArchiveError
        If a single bit of the archive is wrong.
    UnsupportedVersionError
        If a newer foretell made it.
    MemoryLimitError
        If the original is larger than the limit.
    MissingModelError
        If the language model that it needs is not on this machine.
    """
    decoder = StreamDecoder(io.BytesIO(blob), memory_limit, output_limit=memory_limit)
    return b"".join(decoder.pieces())


def unpack_stream(
    fin: Readable,
    fout: Writable,
    *,
    memory_limit: int = DEFAULT_MEMORY,
    threads: int = 0,
    progress: Progress | None = None,
) -> Summary:
    """Unpack a stream of one or more archives; neither stream needs to seek.

    Bytes are written as soon as their frame is checked, so on an error the output holds the sound frames
    before the damaged one.

    Parameters
    ----------
    fin, fout : binary streams
        Where to read and write.
    memory_limit : int
        Most bytes that frames may take in memory at one time; the codecs' own needs are not counted.
    threads : int
        Threads of this process from now on; 0 leaves the number as it is, at first one per core.
    progress : callable, optional
        Called with the number of bytes unpacked so far.

    Returns
    -------
    Summary
        Sizes, codecs and model; level and model are those of the last archive.
    """
    use_threads(threads)
    decoder = StreamDecoder(fin, memory_limit, progress=progress)
    for piece in decoder.pieces():
        fout.write(piece)
    return decoder.summary


class StreamDecoder:
    """Decodes the records of a stream, neighbouring frames of one codec together.

    Parameters
    ----------
    fin : binary stream
        One or more archives.
    memory_limit : int
        Most bytes that frames may take in memory at one time.
    output_limit : int, optional
        Most bytes that all frames may have together.
    keep_going : bool
        Collect damaged frames in ``damage`` and go on, rather than raise the first.
    progress : callable, optional
        Called with the number of bytes decoded so far.
    """

    def __init__(
        self,
        fin: Readable,
        memory_limit: int = DEFAULT_MEMORY,
        *,
        output_limit: int | None = None,
        keep_going: bool = False,
        progress: Progress | None = None,
    ) -> None:
        self._source = Source(fin)
        self._memory_limit = memory_limit
        self._output_limit = output_limit
        self._keep_going = keep_going
        self._progress = progress
        self._reached = 0
        self._batch: list[Frame] = []
        self._declared: int | None = None
        self._accepted = 0
        self.summary = Summary()
        self.damage: list[CorruptArchiveError] = []

    def pieces(self) -> Iterator[bytes]:
        """Raw bytes of the frames, in order."""
        for record in read_records(self._source):
            joins = isinstance(record, Frame) and self._joins(record)
            if self._batch and not joins:
                yield from self._flush()
            self._take(record)
            self.summary.archive_bytes = self._source.offset

    def _joins(self, frame: Frame) -> bool:
        return bool(self._batch) and belongs(self._batch, frame, self._tools, self._memory_limit)

    def _take(self, record: Record) -> None:
        match record:
            case Frame():
                self._accept(record.head.size, record.number)
                check_memory(record.head.size, record.head.coded, self._memory_limit, record.number)
                self._batch.append(record)
            case Header():
                self._start(record.level)
            case Origin():
                self._declared = record.size
                self._check_output(self._accepted + record.size)
            case ModelReference():
                self._tools = Toolbox(self.summary.level, record.digest)
            case End():
                self._finish(record.digest)

    def _start(self, level: int) -> None:
        self._tools = Toolbox(level)
        self._digest = hashlib.sha256()
        self._raw_size = 0
        self._declared = None
        self._sound = True
        self.summary.level = level

    def _accept(self, size: int, frame: int) -> None:
        self._accepted += size
        self._check_output(self._accepted, frame)

    def _check_output(self, size: int, frame: int | None = None) -> None:
        if self._output_limit is not None and size > self._output_limit:
            raise MemoryLimitError(
                f"unpacks to {size} bytes or more, the limit is {self._output_limit}",
                "raise memory_limit or unpack to a file",
                frame=frame,
            )

    def _flush(self) -> Iterator[bytes]:
        """Decode the batch; raises at the first damaged frame, after those before it."""
        batch, self._batch = self._batch, []
        for frame, raw in zip(batch, decode_batch(batch, self._tools, self._advance), strict=True):
            if isinstance(raw, CorruptArchiveError):
                if not self._keep_going:
                    raise raw
                self.damage.append(raw)
                self._sound = False
                continue
            self._digest.update(raw)
            self._raw_size += len(raw)
            self.summary.raw_bytes += len(raw)
            self.summary.codecs[CODEC_NAMES[frame.head.kind]] += len(raw)
            yield raw
        self._advance(self.summary.raw_bytes - self._reached)
        if self._tools.model:
            self.summary.model = self._tools.model.name

    def _advance(self, size: int) -> None:
        self._reached += size
        if self._progress:
            self._progress(self._reached)

    def _finish(self, expected: bytes) -> None:
        """Compare the whole with what the footer and the origin record say of it."""
        if not self._sound:
            return
        if self._digest.digest() != expected:
            raise corrupt("the unpacked bytes are not those that were packed")
        if self._declared not in (None, self._raw_size):
            raise corrupt(f"unpacks to {self._raw_size} bytes, {self._declared} were announced")
