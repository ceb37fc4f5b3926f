"""Files of sound: where their samples lie, and that whole files come back whatever their headers say."""

from __future__ import annotations

import io
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import foretell
from foretell.archive import pack
from foretell.archive.index import read_index
from foretell.codecs.audio.containers import ENDLESS, find_sound
from foretell.codecs.audio.pcm import PcmFormat, bytes_of
from foretell.codecs.base import CODEC_NAMES

sys.path.insert(0, str(Path(__file__).parent))
import sounds

SOUND = sounds.tones(700, 2)
LITTLE, BIG = PcmFormat(2, 2, 44100), PcmFormat(2, 2, 44100, big_endian=True)
DEEP = PcmFormat(2, 3, 96000)
FLOAT = PcmFormat(2, 4, 48000, floating=True)
FILES = {
    "wav": (sounds.wav(bytes_of(SOUND, LITTLE), 2, 44100, 2), LITTLE),
    "wav 24": (sounds.wav(bytes_of(SOUND, DEEP), 2, 96000, 3), DEEP),
    "wav 8": (sounds.wav(bytes_of(SOUND >> 8, PcmFormat(2, 1, 8000, False)), 2, 8000, 1), PcmFormat(2, 1, 8000, False)),
    "wav float": (sounds.wav((SOUND / 32768).astype("<f4").tobytes(), 2, 48000, 4, tag=3), FLOAT),
    "wav chunks": (
        sounds.wav(bytes_of(SOUND, LITTLE), 2, 44100, 2, extra=b"JUNK\x04\0\0\0abcd", tail=b"LIST\x0a\0\0\0INFOISFTxy"),
        LITTLE,
    ),
    "rf64": (sounds.rf64(bytes_of(SOUND, LITTLE), 2, 44100, 2), LITTLE),
    "aiff": (sounds.aiff(bytes_of(SOUND, BIG), 2, 44100, 2), BIG),
    "aifc sowt": (sounds.aiff(bytes_of(SOUND, LITTLE), 2, 44100, 2, b"sowt"), LITTLE),
    "au": (sounds.au(bytes_of(SOUND, BIG), 2, 44100, 3), BIG),
    "caf": (sounds.caf(bytes_of(SOUND, BIG), 2, 44100, 2), BIG),
    "caf little": (sounds.caf(bytes_of(SOUND, LITTLE), 2, 44100, 2, flags=2), LITTLE),
}


def codecs_of(archive: bytes) -> list[str]:
    return [CODEC_NAMES[entry.head.kind] for entry in read_index(io.BytesIO(archive)).entries]


@pytest.mark.parametrize("name", FILES)
def test_files_of_every_kind_come_back(name: str) -> None:
    data, form = FILES[name]
    sound = find_sound(data)
    assert sound is not None
    assert sound.form == form
    archive = foretell.compress(data, level=1, verify=True)
    assert foretell.decompress(archive) == data
    assert "audio" in codecs_of(archive)


@pytest.mark.parametrize("name", FILES)
def test_cut_files_come_back(name: str) -> None:
    data, _ = FILES[name]
    for size in (0, 3, 11, 40, 47, 63, 90, 1001):
        assert foretell.decompress(foretell.compress(data[:size], level=1)) == data[:size]


def test_odd_bytes_at_the_end_come_back() -> None:
    for tail in (b"x", b"xyz", bytes(200), b"tail " * 60):
        data = FILES["wav"][0] + tail
        assert foretell.decompress(foretell.compress(data, level=1)) == data


@pytest.mark.parametrize("size", [0, 1, 2, 4000, 0x7FFFFFFF, 0xFFFFFFFF])
def test_lying_sizes_come_back(size: int) -> None:
    data = bytearray(FILES["wav"][0])
    data[40:44] = size.to_bytes(4, "little")
    assert foretell.decompress(foretell.compress(bytes(data), level=1)) == bytes(data)


def test_a_size_of_nought_means_to_the_end() -> None:
    data = bytearray(FILES["wav"][0])
    data[40:44] = bytes(4)
    sound = find_sound(bytes(data))
    assert sound is not None
    assert sound.end == ENDLESS


def test_strange_headers_are_no_sound() -> None:
    wav = FILES["wav"][0]
    assert find_sound(wav[:20] + b"\x55\0" + wav[22:]) is None  # MP3 in a WAV file
    assert find_sound(wav[:22] + b"\0\0" + wav[24:]) is None  # no channels
    assert find_sound(wav[:22] + b"\xff\xff" + wav[24:]) is None  # too many
    assert find_sound(FILES["aiff"][0].replace(b"COMM", b"XXXX")) is None
    assert find_sound(sounds.aiff(b"1234", 1, 8000, 2, b"ulaw")) is None
    assert find_sound(sounds.au(b"1234", 1, 8000, 1)) is None
    assert find_sound(b"RIFF") is None


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.integers(0, 80), st.binary(min_size=1, max_size=6))
def test_headers_with_damage_are_read_without_harm(name: str, at: int, patch: bytes) -> None:
    data = bytearray(FILES[name][0][:400])
    data[at : at + len(patch)] = patch
    sound = find_sound(bytes(data))
    assert sound is None or (sound.form.supported and sound.start < sound.end)


def test_long_files_are_cut_into_frames_that_can_be_read_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pack, "SEGMENT_BYTES", 999)
    data = FILES["wav 24"][0] + b"odd"
    archive = foretell.compress(data, level=1, verify=True)
    assert codecs_of(archive).count("audio") > 3
    assert foretell.decompress(archive) == data
    with foretell.open(io.BytesIO(archive)) as file:
        file.seek(2000)
        assert file.read(700) == data[2000:2700]


def test_raw_samples_need_a_description() -> None:
    data = bytes_of(SOUND, LITTLE)
    archive = foretell.compress(data, level=1, samples="s16le,2,44100")
    assert foretell.decompress(archive) == data
    assert codecs_of(archive) == ["audio"]
    assert "audio" not in codecs_of(foretell.compress(data, level=1))


def test_repeated_sound_is_left_to_what_does_better() -> None:
    data = sounds.wav(bytes_of(sounds.noise(2000, 1, 16).reshape(-1, 1), PcmFormat(1, 2, 8000)) * 12, 1, 8000, 2)
    archive = foretell.compress(data, level=1)
    assert foretell.decompress(archive) == data
    assert len(archive) < len(data) / 5


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.int32, np.float32])
def test_arrays_come_back(kind: type) -> None:
    array = (SOUND >> 8).astype(kind) if kind != np.float32 else (SOUND / 32768).astype(kind)
    again, rate = foretell.decompress_audio(foretell.compress_audio(array, 22050, level=1))
    assert again.dtype == array.dtype
    assert np.array_equal(again, array)
    assert rate == 22050
    one, _ = foretell.decompress_audio(foretell.compress_audio(array[:, 0], 22050, level=1))
    assert np.array_equal(one[:, 0], array[:, 0])


def test_what_is_packed_from_an_array_is_a_wav_file() -> None:
    data = foretell.decompress(foretell.compress_audio(SOUND.astype(np.int16), 48000, level=1))
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getframerate(), file.getnframes()) == (2, 48000, 700)


def test_arrays_of_other_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match="float64"):
        foretell.compress_audio(np.zeros(5), 8000)
    with pytest.raises(ValueError, match="33 channels"):
        foretell.compress_audio(np.zeros((5, 33), np.int16), 8000)
    with pytest.raises(ValueError, match="no sound"):
        foretell.decompress_audio(foretell.compress(b"text", level=1))
