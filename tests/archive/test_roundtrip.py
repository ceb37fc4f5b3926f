import io
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import foretell
from foretell.codecs import select
from foretell.codecs.repeat import SHORTEST_RUN
from foretell.errors import VerificationError

TEXT = b"It was a bright cold day, and the clocks were going on as clocks do. " * 200
RANDOM = random.Random(1).randbytes(5000)


class Trickle:
    """A stream that gives what it likes, as pipes do."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self._data = io.BytesIO(data)
        self._sizes = sizes
        self._calls = 0

    def read(self, size: int, /) -> bytes:
        self._calls += 1
        return self._data.read(min(size, self._sizes[self._calls % len(self._sizes)]))


@given(st.binary(max_size=3000), st.sampled_from(["auto", "octets", "stored"]))
@settings(max_examples=100, deadline=None)
def test_any_bytes_come_back(data, codec):
    archive = foretell.compress(data, level=1, codec=codec)
    assert foretell.decompress(archive) == data
    assert len(archive) < len(data) * 1.001 + 64


@given(st.binary(max_size=2000), st.lists(st.integers(1, 500), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_any_chunks_of_the_streams_give_the_same(data, sizes):
    out = io.BytesIO()
    foretell.pack_stream(Trickle(data, sizes), out, level=1)
    assert out.getvalue() == foretell.compress(data, level=1)
    back = io.BytesIO()
    foretell.unpack_stream(Trickle(out.getvalue(), sizes), back)
    assert back.getvalue() == data


@given(data=st.lists(st.binary(max_size=300), max_size=4))
@settings(max_examples=30, deadline=None)
def test_joined_archives_unpack_to_joined_data(data):
    joined = b"".join(foretell.compress(piece, level=1) for piece in data)
    if data:
        assert foretell.decompress(joined) == b"".join(data)


@pytest.mark.parametrize("size", [0, 1, 2, 100, 1000, 1023, 1024, 2047, 2048, 4095, 4096, 100_000])
def test_random_bytes_hardly_grow(size):
    data = random.Random(size).randbytes(size)
    out = io.BytesIO()
    name = "a-file-with-quite-a-long-name.bin"
    foretell.pack_stream(io.BytesIO(data), out, level=1, name=name, size=size)
    assert len(out.getvalue()) < size * 1.001 + 64
    assert foretell.decompress(out.getvalue()) == data


@pytest.mark.parametrize("codec", ["auto", "text"])
@pytest.mark.parametrize("data", [b"", b"a", TEXT, RANDOM, TEXT + RANDOM * 30 + bytes(200_000) + TEXT])
def test_text_codec_is_used_and_restores(fake_text, codec, data):
    archive = foretell.compress(data, codec=codec, verify=True)
    assert foretell.decompress(archive) == data
    assert len(archive) < len(data) * 1.001 + 64


def test_the_smaller_codec_wins(fake_text, monkeypatch):
    summary = foretell.pack_stream(io.BytesIO(TEXT), io.BytesIO())
    assert summary.codec in ("text", "octets")
    monkeypatch.setattr(fake_text, "name", "better")
    forced = foretell.pack_stream(io.BytesIO(TEXT), io.BytesIO(), codec="text")
    assert forced.codec == "text"
    assert forced.model == "better"
    assert summary.archive_bytes <= forced.archive_bytes


def test_level_1_never_loads_a_model():
    assert foretell.decompress(foretell.compress(TEXT, level=1)) == TEXT


def test_zeros_take_the_fast_path():
    data = bytes(1 << 26)
    out = io.BytesIO()
    summary = foretell.pack_stream(io.BytesIO(data), out)
    assert summary.codec == "repeat"
    assert summary.archive_bytes < 500
    assert foretell.decompress(out.getvalue()) == data


def test_runs_inside_other_bytes(fake_text):
    data = RANDOM + b"x" * SHORTEST_RUN + RANDOM + b"y" * (SHORTEST_RUN - 1)
    summary = foretell.pack_stream(io.BytesIO(data), io.BytesIO(), level=1)
    assert summary.codecs["repeat"] == SHORTEST_RUN
    assert foretell.decompress(foretell.compress(data, level=1)) == data


def test_many_segments_and_threads(monkeypatch, fake_text):
    monkeypatch.setattr("foretell.archive.pack.SEGMENT_BYTES", 10_000)
    data = TEXT * 4 + RANDOM + bytes(70_000) + TEXT
    for level in (1, 6):
        assert foretell.decompress(foretell.compress(data, level=level)) == data


def test_verify_notices_a_codec_that_fails(monkeypatch, fake_text):
    def encode(self, frames):
        return [b"wrong" for _ in frames]

    def decode(self, payloads):
        return [bytes(size) for _, size in payloads]

    tool = __import__("foretell.codecs.toolbox", fromlist=["new_text_codec"]).new_text_codec
    monkeypatch.setattr(tool, "encode_frames", encode)
    monkeypatch.setattr(tool, "decode_frames", decode)
    with pytest.raises(VerificationError, match="text does not restore"):
        foretell.compress(TEXT, codec="text", verify=True)


def test_progress_reaches_the_end(fake_text):
    seen = []
    foretell.pack_stream(io.BytesIO(TEXT), io.BytesIO(), codec="text", progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == len(TEXT)
    assert len(seen) > 1


def test_segments_fit_the_format():
    assert select.SEGMENT_BYTES <= 1 << 26


@pytest.mark.parametrize("wrong", [{"level": 0}, {"level": 10}, {"codec": "zip"}])
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValueError, match="must be"):
        foretell.compress(b"", **wrong)


@pytest.mark.slow
def test_a_gigabyte_of_zeros(tmp_path):
    source, packed, back = (tmp_path / name for name in ("zeros", "zeros.fore", "back"))
    with source.open("wb") as file:
        file.truncate(1 << 30)
    with source.open("rb") as fin, packed.open("wb") as fout:
        foretell.pack_stream(fin, fout)
    assert packed.stat().st_size < 10_000
    with packed.open("rb") as fin, back.open("wb") as fout:
        assert foretell.unpack_stream(fin, fout).raw_bytes == 1 << 30
    with back.open("rb") as file:
        assert not any(file.read(1 << 20).strip(b"\0") for _ in range(1 << 10))
