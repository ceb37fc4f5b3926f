"""The bytes of a ``.fore`` archive: header, records, footer. See docs/format.md.

Everything here maps between values and bytes and knows neither files nor codecs.
"""

from __future__ import annotations

import binascii
import struct
import zlib
from dataclasses import dataclass
from typing import Final

from foretell.codecs.base import CODEC_NAMES, REPEAT, STORED
from foretell.errors import CorruptArchiveError, UnsupportedVersionError
from foretell.exact import CONTRACT_ID
from foretell.varint import MAX_VARINT, decode_varint, encode_varint

MAGIC: Final = b"\xf5FT\0"
FOOTER_MAGIC: Final = b"TF\xf5"
VERSION: Final = 1
HEADER_SIZE: Final = 8
CHECK_SIZE: Final = 2
HASH_SIZE: Final = 8
DIGEST_SIZE: Final = 32

ORIGIN: Final = 13
MODEL: Final = 14
FOOTER: Final = 15

MAX_FRAME: Final = 1 << 26
"""Most raw bytes of one frame."""
MAX_NOTE: Final = 1024
"""Most bytes in an origin or model record."""

_KIND_BITS: Final = 4
_MAKE_A_NEW_COPY: Final = "the file is damaged, fetch or make it anew"
_UPGRADE: Final = "upgrade foretell"


def corrupt(what: str, frame: int | None = None) -> CorruptArchiveError:
    """Error for damaged bytes."""
    return CorruptArchiveError(what, _MAKE_A_NEW_COPY, frame=frame)


def too_new(what: str, frame: int | None = None) -> UnsupportedVersionError:
    """Error for bytes that are intact but unknown to this version."""
    return UnsupportedVersionError(what, _UPGRADE, frame=frame)


# Variable-length integers


# Header


def check_16(data: bytes) -> bytes:
    """CRC-16/XMODEM, little-endian: finds every error within 16 neighbouring bits."""
    return struct.pack("<H", binascii.crc_hqx(data, 0))


def pack_header(level: int) -> bytes:
    """Header of an archive made at a level (1 to 9)."""
    fixed = MAGIC + bytes([VERSION, level])
    return fixed + check_16(fixed)


def parse_header(header: bytes) -> int:
    """Level of an archive, from its first eight bytes."""
    if header[: len(MAGIC)] != MAGIC:
        raise CorruptArchiveError("not a foretell archive", "give a file made by foretell pack")
    if len(header) < HEADER_SIZE:
        raise corrupt("the header is cut off")
    if check_16(header[:-CHECK_SIZE]) != header[-CHECK_SIZE:]:
        raise corrupt("the header is damaged")
    version, flags = header[len(MAGIC)], header[len(MAGIC) + 1]
    if version != VERSION:
        raise too_new(f"format version {version} is unknown, this foretell reads version {VERSION}")
    if not 1 <= flags <= 9:
        raise too_new(f"header flags {flags:#04x} are unknown")
    return flags


# Records


@dataclass(frozen=True)
class RecordHead:
    """What the index and a record's first bytes say: kind, size in bytes, coded size in bytes.

    ``size`` counts the raw bytes of a frame, or the bytes of a note (origin or model).
    """

    kind: int
    size: int
    coded: int

    @property
    def is_frame(self) -> bool:
        """Whether the record stands for bytes of the stream."""
        return self.kind < ORIGIN

    @property
    def head_size(self) -> int:
        """Bytes before the payload (of a frame) or in the whole record (of a note)."""
        size = len(pack_head(self))
        return size + (HASH_SIZE + CHECK_SIZE if self.is_frame else self.size + CHECK_SIZE)

    @property
    def record_size(self) -> int:
        """Bytes of the whole record in the archive."""
        return self.head_size + (self.coded if self.is_frame else 0)


def frame_head(codec_id: int, raw_size: int, coded_size: int) -> RecordHead:
    """Head of a frame."""
    return RecordHead(codec_id, raw_size, coded_size)


def note_head(kind: int, size: int) -> RecordHead:
    """Head of an origin or model record."""
    return RecordHead(kind, size, 0)


def pack_head(head: RecordHead) -> bytes:
    """Varint of size and kind, and for most frames a varint of the coded size."""
    first = encode_varint(head.size << _KIND_BITS | head.kind)
    implied = head.kind == STORED or head.kind == REPEAT or not head.is_frame
    return first if implied else first + encode_varint(head.coded)


def parse_head(data: bytes, position: int = 0, frame: int | None = None) -> tuple[RecordHead, int]:
    """Head at a position and the position after it, checked against the limits of the format."""
    value, position = decode_varint(data, position)
    kind, size = value & ((1 << _KIND_BITS) - 1), value >> _KIND_BITS
    if kind in (ORIGIN, MODEL):
        if not 1 <= size <= MAX_NOTE:
            raise corrupt(f"a note claims {size} bytes")
        return note_head(kind, size), position
    if kind not in CODEC_NAMES:
        raise corrupt(f"record kind {kind} does not exist in format version {VERSION}", frame)
    if not 1 <= size <= MAX_FRAME:
        raise corrupt(f"claims {size} bytes; the format allows 1 to {MAX_FRAME}", frame)
    if kind == STORED:
        return frame_head(kind, size, size), position
    if kind == REPEAT:
        return frame_head(kind, size, 1), position
    coded, position = decode_varint(data, position)
    if coded >= size:
        raise corrupt(f"claims {coded} coded bytes for {size} raw ones", frame)
    return frame_head(kind, size, coded), position


def pack_frame_header(head: RecordHead, checksum: int) -> bytes:
    """Head, checksum of the frame, and a check of both."""
    body = pack_head(head) + struct.pack("<Q", checksum)
    return body + check_16(body)


def pack_note(kind: int, content: bytes) -> bytes:
    """Record that carries information rather than bytes of the stream."""
    body = pack_head(note_head(kind, len(content))) + content
    return body + check_16(body)


def pack_origin(size: int, name: str) -> bytes:
    """Content of an origin record: size of the original in bytes, then its name (may be empty)."""
    return encode_varint(size) + name.encode()


def parse_origin(content: bytes) -> tuple[int, str]:
    """Size and name of the original."""
    size, position = decode_varint(content)
    try:
        return size, content[position:].decode()
    except UnicodeDecodeError:
        raise corrupt("the name of the original is not UTF-8") from None


def pack_model(digest: bytes) -> bytes:
    """Content of a model record: number of the numeric contract, then the model's SHA-256."""
    return bytes([CONTRACT_ID]) + digest


def parse_model(content: bytes) -> bytes:
    """Model digest."""
    if content[0] != CONTRACT_ID:
        raise too_new(f"numeric contract {content[0]} is unknown, this foretell computes contract {CONTRACT_ID}")
    if len(content) != 1 + DIGEST_SIZE:
        raise corrupt("the model record has a wrong size")
    return content[1:]


# Footer


def pack_footer(index: bytes, digest: bytes) -> bytes:
    """Footer: record heads once more, SHA-256 of the stream, CRC-32 of both, size of the index, magic."""
    body = bytes([FOOTER]) + index + digest
    return body + struct.pack("<I", zlib.crc32(body)) + encode_varint(len(index))[::-1] + FOOTER_MAGIC


FOOTER_TAIL: Final = DIGEST_SIZE + 4
"""Bytes between the index and its size."""


@dataclass(frozen=True)
class Footer:
    """What a footer says: the index as bytes, the SHA-256 of the raw bytes, and its own size."""

    index: bytes
    digest: bytes
    size: int


def footer_span(end: bytes) -> tuple[int, int]:
    """Bytes of a footer before the size of the index, and in all, from the last bytes of an archive."""
    if end[-len(FOOTER_MAGIC) :] != FOOTER_MAGIC:
        raise corrupt("the end of the archive is missing")
    index_size, used = decode_varint(end[: -len(FOOTER_MAGIC)][::-1])
    body = 1 + index_size + FOOTER_TAIL
    return body, body + used + len(FOOTER_MAGIC)


def parse_footer(footer: bytes) -> Footer:
    """Read a whole footer, checked."""
    end = footer[-MAX_VARINT - len(FOOTER_MAGIC) :]
    body, size = footer_span(end)
    if size != len(footer) or footer[0] != FOOTER:
        raise corrupt("the footer is damaged")
    check = footer[body - 4 : body]
    if struct.pack("<I", zlib.crc32(footer[: body - 4])) != check:
        raise corrupt("the footer is damaged")
    return Footer(footer[1 : body - FOOTER_TAIL], footer[body - FOOTER_TAIL : body - 4], size)


def parse_index(index: bytes) -> list[RecordHead]:
    """Record heads of an index, in the order of the archive."""
    heads = []
    position = 0
    while position < len(index):
        head, position = parse_head(index, position)
        heads.append(head)
    return heads
