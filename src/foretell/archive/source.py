"""Reading exact numbers of bytes from anything that has ``read``."""

from __future__ import annotations

from typing import Protocol

from foretell.archive.layout import corrupt

_PIECE = 1 << 20


class Readable(Protocol):
    """A binary stream; ``read`` may return fewer bytes than asked for."""

    def read(self, size: int, /) -> bytes:
        """Return at most size bytes, none at the end."""
        ...


class Writable(Protocol):
    """A binary stream that takes bytes."""

    def write(self, data: bytes, /) -> object:
        """Write all of data."""
        ...


def read_up_to(stream: Readable, size: int) -> bytes:
    """Read size bytes, or all there is when that is less.

    Memory grows with what arrives, not with what is asked for, so that a false size costs nothing.
    """
    first = stream.read(min(size, _PIECE))
    if len(first) == size or not first:
        return first
    pieces, have = [first], len(first)
    while have < size:
        piece = stream.read(min(size - have, _PIECE))
        if not piece:
            break
        pieces.append(piece)
        have += len(piece)
    return b"".join(pieces)


class Source:
    """An archive being read from its start: counts bytes and notices the end."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self.offset = 0

    def read(self, size: int) -> bytes:
        """Read up to size bytes."""
        data = read_up_to(self._stream, size)
        self.offset += len(data)
        return data

    def take(self, size: int, what: str, frame: int | None = None) -> bytes:
        """Read exactly size bytes of what the error message will call ``what``."""
        data = self.read(size)
        if len(data) < size:
            raise corrupt(f"ends in {what}, at byte {self.offset}", frame)
        return data

    def take_varint(self, what: str, frame: int | None = None) -> bytes:
        """Read the bytes of one variable-length integer (its value is judged by the caller)."""
        data = bytearray()
        while True:
            data += self.take(1, what, frame)
            if data[-1] < 0x80:
                return bytes(data)
            if len(data) > 9:
                raise corrupt("a number is longer than ten bytes", frame)
