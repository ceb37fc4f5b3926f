import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.archive import layout
from foretell.codecs.base import CODEC_NAMES, OCTETS, REPEAT, STORED, TEXT
from foretell.errors import CorruptArchiveError, UnsupportedVersionError
from foretell.varint import decode_varint, encode_varint


@given(st.integers(0, 2**64 - 1))
def test_varints_come_back(value):
    coded = encode_varint(value)
    assert decode_varint(coded) == (value, len(coded))


@pytest.mark.parametrize("data", [b"", b"\x80", b"\x80\x00", b"\xff" * 10, b"\xff" * 11])
def test_bad_varints_are_refused(data):
    with pytest.raises(CorruptArchiveError):
        decode_varint(data)


def test_magic_is_neither_utf8_nor_text():
    with pytest.raises(UnicodeDecodeError):
        layout.MAGIC.decode()
    assert 0 in layout.MAGIC


@pytest.mark.parametrize("level", range(1, 10))
def test_header_keeps_the_level(level):
    assert layout.parse_header(layout.pack_header(level)) == level


def _header(version, flags):
    fixed = layout.MAGIC + bytes([version, flags])
    return fixed + layout.check_16(fixed)


def test_corrupt_and_too_new_headers_are_told_apart():
    with pytest.raises(UnsupportedVersionError, match=r"format version 2 is unknown.*upgrade"):
        layout.parse_header(_header(2, 6))
    with pytest.raises(CorruptArchiveError, match="header is damaged"):
        layout.parse_header(_header(2, 6)[:-1] + b"\0")


@pytest.mark.parametrize("flags", [0, 10, 0x16, 0x26, 0x46, 0x86])
def test_reserved_bits_must_be_zero(flags):
    with pytest.raises(UnsupportedVersionError):
        layout.parse_header(_header(1, flags))


HEADS = [
    layout.frame_head(STORED, 5, 5),
    layout.frame_head(REPEAT, layout.MAX_FRAME, 1),
    layout.frame_head(OCTETS, 1000, 10),
    layout.frame_head(TEXT, 1 << 18, 0),
    layout.note_head(layout.MODEL, 33),
    layout.note_head(layout.ORIGIN, 1),
]


@pytest.mark.parametrize("head", HEADS)
def test_heads_come_back(head):
    packed = layout.pack_head(head)
    assert layout.parse_head(packed) == (head, len(packed))


def test_index_is_the_heads_joined():
    assert layout.parse_index(b"".join(map(layout.pack_head, HEADS))) == HEADS


@pytest.mark.parametrize("size", [0, layout.MAX_FRAME + 1, 10**15])
def test_frame_sizes_are_limited(size):
    with pytest.raises(CorruptArchiveError, match="the format allows"):
        layout.parse_head(encode_varint(size << 4))


def test_coded_size_must_be_smaller_than_raw_size():
    with pytest.raises(CorruptArchiveError, match="claims 10 coded bytes for 10"):
        layout.parse_head(layout.pack_head(layout.frame_head(OCTETS, 10, 10)))


@pytest.mark.parametrize("kind", [kind for kind in range(13) if kind not in CODEC_NAMES])
def test_unknown_kinds_are_refused(kind):
    with pytest.raises(CorruptArchiveError, match=f"record kind {kind}"):
        layout.parse_head(encode_varint(10 << 4 | kind))


@given(st.binary(max_size=300), st.binary(min_size=32, max_size=32))
def test_footers_come_back(index, digest):
    packed = layout.pack_footer(index, digest)
    assert layout.parse_footer(packed) == layout.Footer(index, digest, len(packed))
    assert layout.footer_span(b"before" * 5 + packed)[1] == len(packed)


def test_model_record_names_the_contract():
    digest = bytes(range(32))
    assert layout.parse_model(layout.pack_model(digest)) == digest
    with pytest.raises(UnsupportedVersionError, match="numeric contract 2"):
        layout.parse_model(b"\2" + digest)


def test_origin_comes_back():
    assert layout.parse_origin(layout.pack_origin(10**12, "naïve.txt")) == (10**12, "naïve.txt")


def test_frame_header_layout_is_as_documented():
    header = layout.pack_frame_header(layout.frame_head(OCTETS, 1000, 10), 0x0123456789ABCDEF)
    assert header[:3] == bytes([1000 << 4 & 0x7F | OCTETS | 0x80, 1000 << 4 >> 7, 10])
    assert header[3:11] == struct.pack("<Q", 0x0123456789ABCDEF)
    assert len(header) == 13
