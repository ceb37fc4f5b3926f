"""Archives found from the end of a file: the footer index, and the way back through joined archives."""

from __future__ import annotations

import os
from bisect import bisect_right
from dataclasses import dataclass
from typing import BinaryIO

from foretell.archive import layout
from foretell.archive.layout import RecordHead, corrupt
from foretell.archive.records import Frame, ModelReference, Origin, parse_frame_header, parse_note
from foretell.varint import MAX_VARINT


@dataclass(frozen=True)
class Entry:
    """A frame in a file: number, head, offset of its record, first raw byte, number of its archive."""

    number: int
    head: RecordHead
    offset: int
    start: int
    member: int

    @property
    def end(self) -> int:
        """First raw byte after the frame."""
        return self.start + self.head.size


@dataclass(frozen=True)
class Member:
    """One archive of a file: where it lies and what its header, notes and footer say."""

    offset: int
    size: int
    raw_size: int
    level: int
    digest: bytes
    origin: Origin | None
    model: bytes | None


@dataclass(frozen=True)
class Index:
    """All archives and frames of a file, in order."""

    members: list[Member]
    entries: list[Entry]

    @property
    def raw_size(self) -> int:
        """Bytes of all originals together."""
        return self.entries[-1].end if self.entries else 0

    def entries_of(self, start: int, end: int) -> list[Entry]:
        """Frames that hold any of the raw bytes from start to end."""
        if start >= end:
            return []
        first = bisect_right(self.entries, start, key=lambda entry: entry.end)
        last = bisect_right(self.entries, end - 1, key=lambda entry: entry.start)
        return self.entries[first:last]


def read_index(file: BinaryIO) -> Index:
    """Read footers backwards until the start of the file.

    Only headers, notes and footers are read and checked, frames are not.

    Raises
    ------
    CorruptArchiveError
        If the file is not made of whole archives.
    UnsupportedVersionError
        If an archive was made by a newer foretell.
    """
    end = file.seek(0, os.SEEK_END)
    layout.parse_header(_read_at(file, 0, min(end, layout.HEADER_SIZE)))
    found: list[tuple[int, int, layout.Footer, list[RecordHead]]] = []
    while end > 0:
        footer = _read_footer(file, end)
        heads = layout.parse_index(footer.index)
        size = layout.HEADER_SIZE + sum(head.record_size for head in heads) + footer.size
        if size > end:
            raise corrupt("the index does not match the file")
        end -= size
        found.append((end, size, footer, heads))
    return _build(file, found[::-1])


def _build(file: BinaryIO, found: list[tuple[int, int, layout.Footer, list[RecordHead]]]) -> Index:
    members: list[Member] = []
    entries: list[Entry] = []
    position = 0
    for number, (start, size, footer, heads) in enumerate(found):
        level = layout.parse_header(_read_at(file, start, layout.HEADER_SIZE))
        offset, first = start + layout.HEADER_SIZE, position
        origin: Origin | None = None
        model: bytes | None = None
        for head in heads:
            if head.is_frame:
                entries.append(Entry(len(entries), head, offset, position, number))
                position += head.size
            else:
                note = parse_note(head, _read_at(file, offset, head.record_size))
                if isinstance(note, Origin):
                    origin = note
                elif isinstance(note, ModelReference):
                    model = note.digest
            offset += head.record_size
        members.append(Member(start, size, position - first, level, footer.digest, origin, model))
    return Index(members, entries)


def _read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    data = file.read(size)
    if len(data) < size:
        raise corrupt(f"ends at byte {offset + len(data)}, sooner than its index says")
    return data


def _read_footer(file: BinaryIO, end: int) -> layout.Footer:
    """Footer of the archive that ends at a position."""
    tail = min(end, MAX_VARINT + len(layout.FOOTER_MAGIC))
    _, size = layout.footer_span(_read_at(file, end - tail, tail))
    if size > end:
        raise corrupt("the footer is damaged")
    return layout.parse_footer(_read_at(file, end - size, size))


def read_frame(file: BinaryIO, entry: Entry) -> Frame:
    """Read the frame of an index entry; its header must say the same as the index."""
    record = _read_at(file, entry.offset, entry.head.record_size)
    header, payload = record[: entry.head.head_size], record[entry.head.head_size :]
    head, _ = layout.parse_head(header, 0, entry.number)
    if head != entry.head:
        raise corrupt("its header differs from the index", entry.number)
    return Frame(entry.number, head, parse_frame_header(header, entry.number), payload)
