import io
import os
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import foretell
from foretell.archive.seek import ArchiveFile
from foretell.codecs.stored import StoredCodec

DATA = random.Random(5).randbytes(30_000)


@pytest.fixture(scope="module")
def archive():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("foretell.archive.pack.SEGMENT_BYTES", 1000)
        pieces = [DATA[:12_000], DATA[12_000:12_001], b"", DATA[12_001:]]
        return b"".join(foretell.compress(piece, codec="stored") for piece in pieces)


@given(st.integers(0, 31_000), st.integers(0, 31_000))
@settings(deadline=None)
def test_ranges_are_slices(archive, start, end):
    with foretell.open(io.BytesIO(archive)) as file:
        file.seek(start)
        assert file.read(max(end - start, 0)) == DATA[start:end]


@given(st.lists(st.tuples(st.integers(0, 30_500), st.integers(0, 3000)), max_size=8))
@settings(deadline=None)
def test_any_sequence_of_reads_is_right(archive, reads):
    file, plain = foretell.open(io.BytesIO(archive)), io.BytesIO(DATA)
    for position, size in reads:
        assert file.seek(position) == plain.seek(position)
        assert file.read(size) == plain.read(size)
        assert file.tell() == plain.tell()


def test_it_is_a_file(archive, tmp_path):
    path = tmp_path / "a.fore"
    path.write_bytes(archive)
    with foretell.open(path) as file:
        assert file.readable()
        assert file.seekable()
        assert not file.writable()
        assert file.seek(-10, os.SEEK_END) == len(DATA) - 10
        assert file.read() == DATA[-10:]
        assert file.read(1) == b""
        file.seek(5)
        file.seek(5, os.SEEK_CUR)
        assert file.read(3) == DATA[10:13]
        file.seek(0)
        assert file.read() == DATA
    assert file.closed


def test_only_the_frames_needed_are_decoded(archive, monkeypatch):
    decoded = []

    def decode(self, payloads):
        decoded.extend(payloads)
        return [payload for payload, _ in payloads]

    monkeypatch.setattr(StoredCodec, "decode_frames", decode)
    file = ArchiveFile(io.BytesIO(archive))
    assert b"".join(file.read_range(1500, 2500)) == DATA[1500:2500]
    assert len(decoded) == 2
    assert b"".join(file.read_range(1600, 1700)) == DATA[1600:1700]
    assert len(decoded) == 2
    assert b"".join(file.read_range(1900, 3100)) == DATA[1900:3100]
    assert len(decoded) == 3


def test_kept_frames_are_limited(monkeypatch, archive):
    monkeypatch.setattr("foretell.archive.seek._KEEP_BYTES", 3000)
    file = ArchiveFile(io.BytesIO(archive))
    assert file.readall() == DATA
    assert len(file._kept) <= 3


def test_opening_errors_name_the_file(tmp_path):
    path = tmp_path / "no.fore"
    path.write_bytes(b"not an archive at all")
    with pytest.raises(foretell.CorruptArchiveError, match=r"no\.fore: not a foretell archive"):
        foretell.open(path)
    path.write_bytes(b"")
    with pytest.raises(foretell.CorruptArchiveError):
        foretell.open(path)
    with pytest.raises(FileNotFoundError):
        foretell.open(tmp_path / "missing")


def test_only_reading_is_offered(tmp_path):
    with pytest.raises(ValueError, match="'rb'"):
        foretell.open(tmp_path / "x", "wb")


def test_damage_names_file_and_frame(archive, tmp_path):
    path = tmp_path / "bad.fore"
    damaged = bytearray(archive)
    damaged[500] ^= 1
    path.write_bytes(damaged)
    with foretell.open(path) as file:
        file.seek(2000)
        assert file.read(10) == DATA[2000:2010]
        file.seek(0)
        with pytest.raises(foretell.CorruptArchiveError, match=r"bad\.fore: frame 0: "):
            file.read(10)


def test_text_frames_are_found_with_their_model(small_archive, original):
    with foretell.open(io.BytesIO(small_archive * 3)) as file:
        assert file.read() == original * 3
        file.seek(len(original) * 2 - 50)
        assert file.read(100) == (original * 3)[len(original) * 2 - 50 :][:100]
