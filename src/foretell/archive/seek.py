"""Archives as seekable files: any range of the original, at the price of the frames that hold it."""

from __future__ import annotations

import builtins
import io
import os
from collections import OrderedDict
from collections.abc import Iterator
from typing import BinaryIO, Literal

from foretell.archive.batch import DEFAULT_MEMORY, belongs, check_memory, decode_batch
from foretell.archive.index import Entry, Index, read_frame, read_index
from foretell.archive.records import Frame
from foretell.codecs.toolbox import Toolbox
from foretell.errors import CorruptArchiveError, ForetellError

_KEEP_BYTES = 1 << 24


def open_archive(
    path: str | os.PathLike[str] | BinaryIO, mode: Literal["rb"] = "rb", *, memory_limit: int = DEFAULT_MEMORY
) -> io.BufferedReader:
    """Open an archive as a read-only, seekable file that decodes only the frames it needs.

    Parameters
    ----------
    path : path or binary file
        The archive, or several that were joined; a file object must be able to seek.
    mode : {"rb"}
        Archives are opened for reading; :func:`foretell.pack_stream` writes them.
    memory_limit : int
        Most bytes that frames may take in memory at one time.

    Returns
    -------
    io.BufferedReader
        The original. Frames that were read last are kept for the next read.

    Raises
    ------
    CorruptArchiveError
        On opening if the index is damaged, on reading if a frame is.

    Examples
    --------
    >>> import foretell, io
    >>> archive = foretell.compress(b"0123456789" * 1000, level=1)
    >>> with foretell.open(io.BytesIO(archive)) as file:
    ...     _ = file.seek(9995)
    ...     file.read(3)
    b'567'
    """
    if mode != "rb":
        raise ValueError(f"mode is {mode!r}; archives are opened with 'rb'")
    return io.BufferedReader(ArchiveFile(path, memory_limit=memory_limit))


class ArchiveFile(io.RawIOBase):
    """Raw file over the original of an archive.

    Parameters
    ----------
    path : path or binary file
        The archive. A file that is passed in stays open when this one is closed.
    memory_limit : int
        Most bytes that frames may take in memory at one time.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | BinaryIO,
        *,
        memory_limit: int = DEFAULT_MEMORY,
    ) -> None:
        super().__init__()
        self._owns = isinstance(path, (str, os.PathLike))
        # The file lives as long as this object, so no with statement can close it.
        self._file: BinaryIO = builtins.open(path, "rb") if isinstance(path, (str, os.PathLike)) else path  # noqa: SIM115
        self.name = os.fspath(path) if isinstance(path, (str, os.PathLike)) else getattr(path, "name", "archive")
        self._memory_limit = memory_limit
        self._position = 0
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._tools: dict[int, Toolbox] = {}
        try:
            self.index: Index = read_index(self._file)
        except ForetellError as error:
            self.close()
            raise error.at(str(self.name)) from error.__cause__

    @property
    def file(self) -> BinaryIO:
        """The archive itself, for those who read records."""
        return self._file

    def close(self) -> None:
        """Close the archive, if it was opened here."""
        if not self.closed and self._owns:
            self._file.close()
        super().close()

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Position in the original."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """Go to a position in the original."""
        bases = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.index.raw_size}
        position = bases[whence] + offset
        if position < 0:
            raise ValueError(f"cannot seek to {position}")
        self._position = position
        return position

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # type: ignore[override]
        """Fill a buffer from the position on; return the number of bytes."""
        view = memoryview(buffer).cast("B")
        filled = 0
        for piece in self.read_range(self._position, self._position + len(view)):
            view[filled : filled + len(piece)] = piece
            filled += len(piece)
        self._position += filled
        return filled

    def readall(self) -> bytes:
        """All bytes from the position on."""
        data = b"".join(self.read_range(self._position, self.index.raw_size))
        self._position += len(data)
        return data

    def read_range(self, start: int, end: int) -> Iterator[bytes]:
        """Pieces that together are the raw bytes from start to end, several frames decoded together."""
        for entry, raw in self._frames(self.index.entries_of(start, end)):
            yield raw[max(start - entry.start, 0) : end - entry.start]

    def _frames(self, entries: list[Entry]) -> Iterator[tuple[Entry, bytes]]:
        """Decode frames in batches, except for those that are still known."""
        waiting: list[tuple[Entry, Frame]] = []
        for entry in entries:
            known = self._kept.get(entry.number)
            frame = None if known is not None else self._read(entry)
            if waiting and (frame is None or not self._joins(waiting, entry, frame)):
                yield from self._decode(waiting)
                waiting = []
            if known is not None:
                self._kept.move_to_end(entry.number)
                yield entry, known
            elif frame is not None:
                waiting.append((entry, frame))
        yield from self._decode(waiting)

    def _read(self, entry: Entry) -> Frame:
        check_memory(entry.head.size, entry.head.coded, self._memory_limit, entry.number)
        try:
            return read_frame(self._file, entry)
        except ForetellError as error:
            raise error.at(str(self.name)) from error.__cause__

    def _joins(self, waiting: list[tuple[Entry, Frame]], entry: Entry, frame: Frame) -> bool:
        if waiting[0][0].member != entry.member:
            return False
        return belongs([other for _, other in waiting], frame, self._tools_of(entry), self._memory_limit)

    def _decode(self, waiting: list[tuple[Entry, Frame]]) -> Iterator[tuple[Entry, bytes]]:
        if not waiting:
            return
        raws = decode_batch([frame for _, frame in waiting], self._tools_of(waiting[0][0]))
        for (entry, _), raw in zip(waiting, raws, strict=True):
            if isinstance(raw, CorruptArchiveError):
                raise raw.at(str(self.name))
            self._keep(entry.number, raw)
            yield entry, raw

    def _tools_of(self, entry: Entry) -> Toolbox:
        if entry.member not in self._tools:
            member = self.index.members[entry.member]
            self._tools[entry.member] = Toolbox(member.level, member.model)
        return self._tools[entry.member]

    def _keep(self, number: int, raw: bytes) -> None:
        """Remember a frame, and forget the oldest ones when they are too many bytes."""
        self._kept[number] = raw
        while len(self._kept) > 2 and sum(map(len, self._kept.values())) > _KEEP_BYTES:
            self._kept.popitem(last=False)
