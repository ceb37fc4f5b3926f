"""A small archive with every kind of record."""

from __future__ import annotations

import io
import random
import zlib

import pytest

from foretell.archive.records import RecordWriter
from foretell.codecs.base import OCTETS, REPEAT, STORED, TEXT, EncodedFrame
from foretell.codecs.octets import OctetsCodec

PIECES = [
    (STORED, random.Random(3).randbytes(20)),
    (REPEAT, b"r" * 30),
    (OCTETS, b"octets, octets, octets"),
    (TEXT, b"text is what text does, text is what it is"),
    (TEXT, b"and more of the same, and more of the same"),
]
ORIGINAL = b"".join(raw for _, raw in PIECES)


def payload(kind: int, raw: bytes) -> bytes:
    if kind == OCTETS:
        return OctetsCodec(1).encode(raw)
    return {STORED: raw, REPEAT: raw[:1], TEXT: zlib.compress(raw)}[kind]


@pytest.fixture
def small_archive(fake_text) -> bytes:
    out = io.BytesIO()
    writer = RecordWriter(out, 1)
    writer.origin(len(ORIGINAL), "small.txt")
    for index, (kind, raw) in enumerate(PIECES):
        if index == 3:
            writer.model(fake_text.digest)
        writer.frame(EncodedFrame(len(raw), kind, payload(kind, raw)), raw)
    writer.finish()
    return out.getvalue()


@pytest.fixture
def original() -> bytes:
    return ORIGINAL
