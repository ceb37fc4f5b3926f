"""A decoder written from docs/format.md alone, for stored and repeat frames."""

import hashlib
import io
import re
import struct
import zlib
from binascii import crc_hqx
from pathlib import Path

import pytest
import xxhash

import foretell

FORMAT = Path(__file__).parents[2] / "docs" / "format.md"


def varint(data, at):
    value, shift = 0, 0
    while True:
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return value, at


def varint_bytes(value):
    out = []
    while value > 127:
        out.append(value % 128 + 128)
        value //= 128
    return bytes([*out, value])


def checked(data, start, end):
    assert struct.unpack("<H", data[end : end + 2])[0] == crc_hqx(data[start:end], 0)
    return end + 2


def decode(data):
    at, out = 0, b""
    while at < len(data):
        at, raw = decode_archive(data, at)
        out += raw
    return out


def decode_archive(data, at):
    assert data[at : at + 5] == bytes.fromhex("f546540001")
    at = checked(data, at, at + 6)
    raw, index = b"", b""
    while data[at] != 15:
        start = at
        head, at = varint(data, at)
        kind, size = head & 15, head >> 4
        index += data[start:at]
        if kind in (13, 14):
            at = checked(data, start, at + size)
            continue
        checksum = struct.unpack("<Q", data[at : at + 8])[0]
        at = checked(data, start, at + 8)
        payload = data[at : at + {0: size, 1: 1}[kind]]
        at += len(payload)
        piece = payload if kind == 0 else payload * size
        assert checksum == xxhash.xxh3_64_intdigest(piece, xxhash.xxh3_64_intdigest(payload))
        raw += piece
    end = at + 1 + len(index) + 32
    assert data[at + 1 : end] == index + hashlib.sha256(raw).digest()
    assert struct.unpack("<I", data[end : end + 4])[0] == zlib.crc32(data[at:end])
    length = len(varint_bytes(len(index)))
    assert data[end + 4 : end + 4 + length] == varint_bytes(len(index))[::-1]
    at = end + 4 + length + 3
    assert data[at - 3 : at] == bytes.fromhex("5446f5")
    return at, raw


def test_the_example_in_the_document():
    block = re.search(r"```text\n(f5.*?)```", FORMAT.read_text(), re.DOTALL)
    assert block
    hexadecimal = "".join(line[:48] for line in block[1].splitlines())
    blob = bytes.fromhex(hexadecimal)
    assert decode(blob) == b"abcdeabcdeabcde!"
    assert foretell.decompress(blob) == b"abcdeabcdeabcde!"
    assert foretell.compress(b"abcdeabcdeabcde!", codec="stored") == blob


@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 300])
def test_archives_of_ours(data):
    archive = foretell.compress(data, codec="stored")
    assert decode(archive + archive) == data + data


def test_repeat_frames_and_notes():
    data = bytes(300_000) + b"end"
    out = io.BytesIO()
    foretell.pack_stream(io.BytesIO(data), out, level=1, name="zeros", size=len(data))
    assert b"zeros" in out.getvalue()
    assert decode(out.getvalue()) == data
