"""Archives as sequences of records: written to a stream and read back, without knowledge of any codec."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Generator, Iterator
from dataclasses import dataclass

import xxhash

from foretell.archive import layout
from foretell.archive.layout import RecordHead, corrupt
from foretell.archive.source import Source, Writable
from foretell.codecs.base import REPEAT, STORED, EncodedFrame


def frame_checksum(raw: bytes | memoryview, payload: bytes) -> int:
    """XXH3-64 of the raw bytes, seeded with the XXH3-64 of the payload.

    The seed makes it notice changes of the payload that do not change what it decodes to.
    """
    return xxhash.xxh3_64_intdigest(raw, xxhash.xxh3_64_intdigest(payload))


class RecordWriter:
    """Writes one archive, record by record, without ever seeking."""

    def __init__(self, stream: Writable, level: int) -> None:
        self._stream = stream
        self._index = bytearray()
        self._digest = hashlib.sha256()
        self.written = 0
        self._put(layout.pack_header(level))

    def _put(self, data: bytes) -> None:
        self._stream.write(data)
        self.written += len(data)

    def _note(self, kind: int, content: bytes) -> None:
        self._put(layout.pack_note(kind, content))
        self._index += layout.pack_head(layout.note_head(kind, len(content)))

    def origin(self, size: int, name: str) -> None:
        """Record size and name of the original; at most once, before the first frame."""
        self._note(layout.ORIGIN, layout.pack_origin(size, name))

    def model(self, digest: bytes) -> None:
        """Record the model of the frames to come; at most once."""
        self._note(layout.MODEL, layout.pack_model(digest))

    def frame(self, encoded: EncodedFrame, raw: bytes | memoryview) -> None:
        """Write a frame, given its raw bytes too."""
        head = layout.frame_head(encoded.codec_id, encoded.raw_size, len(encoded.payload))
        self._digest.update(raw)
        self._put(layout.pack_frame_header(head, frame_checksum(raw, encoded.payload)))
        self._put(encoded.payload)
        self._index += layout.pack_head(head)

    def finish(self) -> None:
        """Write the footer."""
        self._put(layout.pack_footer(bytes(self._index), self._digest.digest()))


@dataclass(frozen=True)
class Header:
    """Start of an archive."""

    level: int


@dataclass(frozen=True)
class Origin:
    """Size and name of the original."""

    size: int
    name: str


@dataclass(frozen=True)
class ModelReference:
    """SHA-256 of the model that text frames need."""

    digest: bytes


@dataclass(frozen=True)
class Frame:
    """A frame as read: its number over the whole input, head, checksum, payload."""

    number: int
    head: RecordHead
    checksum: int
    payload: bytes


@dataclass(frozen=True)
class End:
    """Footer of an archive, after all its frames: SHA-256 of the raw bytes."""

    digest: bytes


Record = Header | Origin | ModelReference | Frame | End


def read_records(source: Source) -> Iterator[Record]:
    """Read all archives of a stream, and check all that can be checked without decoding.

    Raises
    ------
    CorruptArchiveError
        At the first record that is damaged or cut off, or if anything but archives is in the stream.
    UnsupportedVersionError
        If an archive was made by a newer foretell.
    """
    frames = 0
    start = source.read(layout.HEADER_SIZE)
    if not start:
        raise corrupt("is empty, which no archive is")
    while start:
        yield Header(layout.parse_header(start))
        frames = yield from _read_body(source, frames)
        start = source.read(layout.HEADER_SIZE)
        if start[: len(layout.MAGIC)] != layout.MAGIC[: len(start)]:
            raise corrupt(f"something that is no archive follows the end at byte {source.offset - len(start)}")


def _read_body(source: Source, frames: int) -> Generator[Record, None, int]:
    """Read one archive after its header; return the number of frames so far."""
    index = bytearray()
    seen: set[int] = set()
    while True:
        first = source.take_varint("a record's first bytes", frames)
        if first == bytes([layout.FOOTER]):
            yield End(_read_footer(source, bytes(index)))
            return frames
        head, raw_head = _read_head(source, first, frames)
        index += raw_head
        if head.is_frame:
            yield _read_frame(source, head, raw_head, frames)
            frames += 1
            seen.add(layout.ORIGIN)
        elif head.kind in seen:
            raise corrupt("a note comes twice or too late", frames)
        else:
            seen.add(head.kind)
            yield _read_note(source, head, raw_head)


def _read_head(source: Source, first: bytes, frame: int) -> tuple[RecordHead, bytes]:
    kind = first[0] & 15
    if kind in (STORED, REPEAT, layout.ORIGIN, layout.MODEL):
        raw = first
    else:
        raw = first + source.take_varint("a frame header", frame)
    head, _ = layout.parse_head(raw, 0, frame)
    return head, raw


def _read_frame(source: Source, head: RecordHead, raw_head: bytes, frame: int) -> Frame:
    rest = source.take(layout.HASH_SIZE + layout.CHECK_SIZE, "a frame header", frame)
    checksum = parse_frame_header(raw_head + rest, frame)
    payload = source.take(head.coded, "a payload", frame)
    return Frame(frame, head, checksum, payload)


def parse_frame_header(header: bytes, frame: int) -> int:
    """Checksum of the frame from its whole header, which is checked."""
    if layout.check_16(header[: -layout.CHECK_SIZE]) != header[-layout.CHECK_SIZE :]:
        raise corrupt("its header is damaged", frame)
    (checksum,) = struct.unpack("<Q", header[-layout.CHECK_SIZE - layout.HASH_SIZE : -layout.CHECK_SIZE])
    return int(checksum)


def _read_note(source: Source, head: RecordHead, raw_head: bytes) -> Origin | ModelReference:
    rest = source.take(head.size + layout.CHECK_SIZE, "a note")
    return parse_note(head, raw_head + rest)


def parse_note(head: RecordHead, record: bytes) -> Origin | ModelReference:
    """Read a whole origin or model record, checked."""
    if layout.check_16(record[: -layout.CHECK_SIZE]) != record[-layout.CHECK_SIZE :]:
        raise corrupt("a note about the origin or the model is damaged")
    content = record[-layout.CHECK_SIZE - head.size : -layout.CHECK_SIZE]
    if head.kind == layout.ORIGIN:
        return Origin(*layout.parse_origin(content))
    return ModelReference(layout.parse_model(content))


def _read_footer(source: Source, index: bytes) -> bytes:
    """SHA-256 of a footer whose first byte has been read; its index must repeat what was read."""
    size = len(layout.pack_footer(index, bytes(layout.DIGEST_SIZE)))
    footer = layout.parse_footer(bytes([layout.FOOTER]) + source.take(size - 1, "the footer"))
    if footer.index != index:
        raise corrupt("the index does not match the frames")
    return footer.digest
