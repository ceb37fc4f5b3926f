import io
import tracemalloc

import pytest

import foretell
from foretell.archive import layout
from foretell.archive.records import RecordWriter
from foretell.codecs.base import OCTETS, REPEAT, EncodedFrame
from foretell.errors import CorruptArchiveError, MemoryLimitError
from foretell.varint import encode_varint

PETABYTE = 10**15


def _refused_cheaply(blob, error, match):
    tracemalloc.start()
    try:
        with pytest.raises(error, match=match):
            foretell.decompress(blob)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", [0, 1, 2, 3])
def test_a_frame_that_claims_a_petabyte_is_refused(kind):
    head = encode_varint(PETABYTE << 4 | kind) + encode_varint(PETABYTE - 1)
    _refused_cheaply(layout.pack_header(6) + head + bytes(100), CorruptArchiveError, f"claims {PETABYTE} bytes")


def test_an_origin_of_a_petabyte_is_refused_in_memory():
    origin = layout.pack_note(layout.ORIGIN, layout.pack_origin(PETABYTE, ""))
    _refused_cheaply(layout.pack_header(6) + origin, MemoryLimitError, f"unpacks to {PETABYTE} bytes")


def test_a_payload_that_is_not_there_takes_no_memory():
    head = layout.frame_head(OCTETS, layout.MAX_FRAME, layout.MAX_FRAME - 1)
    blob = layout.pack_header(6) + layout.pack_frame_header(head, 0) + b"short"
    _refused_cheaply(blob, CorruptArchiveError, "frame 0: ends in a payload")


def test_a_note_of_a_petabyte_is_refused():
    head = encode_varint(PETABYTE << 4 | layout.MODEL)
    _refused_cheaply(layout.pack_header(6) + head, CorruptArchiveError, "a note claims")


def test_an_index_of_a_petabyte_is_refused():
    footer = bytes(40) + encode_varint(PETABYTE)[::-1] + layout.FOOTER_MAGIC
    with pytest.raises(CorruptArchiveError):
        foretell.open(io.BytesIO(layout.pack_header(6) + footer))


def test_a_bomb_stops_at_the_limit():
    out = io.BytesIO()
    writer = RecordWriter(out, 1)
    run = bytes(layout.MAX_FRAME)
    for _ in range(3):
        writer.frame(EncodedFrame(layout.MAX_FRAME, REPEAT, b"\0"), run)
    writer.finish()
    with pytest.raises(MemoryLimitError, match="frame 1"):
        foretell.decompress(out.getvalue(), memory_limit=100 << 20)
    with pytest.raises(MemoryLimitError, match="--memory 65M"):
        foretell.unpack_stream(io.BytesIO(out.getvalue()), io.BytesIO(), memory_limit=1 << 20)
    with pytest.raises(MemoryLimitError, match="--memory 65M"):
        foretell.open(io.BytesIO(out.getvalue()), memory_limit=1 << 20).read(1)


def test_a_wrong_origin_size_is_noticed():
    out = io.BytesIO()
    writer = RecordWriter(out, 1)
    writer.origin(3, "")
    writer.frame(EncodedFrame(2, 0, b"ab"), b"ab")
    writer.finish()
    with pytest.raises(CorruptArchiveError, match="unpacks to 2 bytes, 3 were announced"):
        foretell.decompress(out.getvalue())


def test_notes_must_be_in_their_place():
    out = io.BytesIO()
    writer = RecordWriter(out, 1)
    writer.frame(EncodedFrame(2, 0, b"ab"), b"ab")
    writer.origin(2, "")
    writer.finish()
    with pytest.raises(CorruptArchiveError, match="twice or too late"):
        foretell.decompress(out.getvalue())


def test_a_text_frame_without_a_model_is_refused():
    out = io.BytesIO()
    writer = RecordWriter(out, 1)
    writer.frame(EncodedFrame(9, 3, b"ab"), b"ab" * 4 + b"a")
    writer.finish()
    with pytest.raises(CorruptArchiveError):
        foretell.decompress(out.getvalue())
