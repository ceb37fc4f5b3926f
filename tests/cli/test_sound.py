"""Sound on the command line: pack, info, cat by time."""

import contextlib
import io
import json
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.archive import pack
from foretell.archive.seek import ArchiveFile
from foretell.archive.sounds import bits_by_time
from foretell.codecs.audio.containers import find_sound
from foretell.codecs.audio.convert import FlacInfo, _format, parse_flac, to_wav
from foretell.codecs.audio.pcm import integers_of
from foretell.codecs.audio.plot import draw_bits, thinned
from foretell.errors import ForetellError

sys.path.insert(0, str(Path(__file__).parents[1] / "codecs"))
import sounds

SOUND = sounds.tones(4000, 2)


@pytest.fixture
def packed(tmp_path, run, monkeypatch):
    monkeypatch.setattr(pack, "SEGMENT_BYTES", 5000)
    path = tmp_path / "a.aiff"
    path.write_bytes(sounds.aiff(SOUND.astype(">i2").tobytes(), 2, 1000, 2))
    assert run("pack", "-1", path).status == 0
    return tmp_path / "a.aiff.fore"


def test_info_tells_the_length(run, packed):
    out = run("info", packed).out
    assert "sound    0:04.00, s16be, 2 channels, 1000 Hz, " in out
    assert "by time" in out
    (line,) = run("info", "--json", packed).out.splitlines()
    frames = json.loads(line)["archives"][0]["sound"]
    assert sum(frame["seconds"] for frame in frames) == pytest.approx(4)  # though segments cut some samples
    assert json.loads(line)["archives"][0]["sound_seconds"] == 4
    assert all(0 < frame["bits_per_sample"] < 16 for frame in frames)


@pytest.mark.parametrize(
    ("wanted", "start", "end"), [("1s:2.5s", 1000, 2500), (":0.25s", 0, 250), ("3.9s:", 3900, 4000)]
)
def test_cat_by_time_gives_a_wav_file(run, packed, wanted, start, end):
    data = run("cat", "--range", wanted, packed).out.encode("latin-1")
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 1000)
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)
    assert np.array_equal(samples, SOUND[start:end])


def test_times_outside_and_archives_without_sound_are_refused(run, packed, archive_file):
    assert "4.00 seconds" in run("cat", "--range", "5s:6s", packed).err
    assert "no sound" in run("cat", "--range", "1s:2s", archive_file).err
    assert run("cat", "--range", "1s:2", packed).status == 2


def test_silence_counts_to_the_length(run, tmp_path, monkeypatch):
    monkeypatch.setattr(pack, "SEGMENT_BYTES", 5000)
    path = tmp_path / "a.wav"
    quiet = np.concatenate([SOUND, np.zeros((9000, 2), int)]).astype("<i2").tobytes()
    path.write_bytes(sounds.wav(quiet, 2, 1000, 2))
    assert run("pack", "-1", path).status == 0
    assert "sound    0:13.00, " in run("info", tmp_path / "a.wav.fore").out


def test_the_bits_over_time_are_those_of_the_frames(packed):
    with packed.open("rb") as file:
        archive = ArchiveFile(file)
        times, bits = bits_by_time(archive, 1 << 30)
        coded = sum(entry.head.coded for entry in archive.index.entries)
    assert times[-1] == pytest.approx(4, abs=0.002)
    assert (np.diff(times) > 0).all()
    total = float((bits * np.diff(times, prepend=0)).sum()) * 1000 * 2 / 8
    assert total == pytest.approx(coded, rel=0.02)


def test_plots_are_pictures():
    pytest.importorskip("matplotlib")
    picture = draw_bits(np.linspace(0.05, 200, 4000), np.sin(np.arange(4000) / 300) + 6)
    assert picture.startswith(b"\x89PNG\r\n")


def test_info_draws_the_bits_over_time(run, packed, tmp_path):
    pytest.importorskip("matplotlib")
    result = run("info", "--map", tmp_path / "bits.png", packed)
    assert result.status == 0
    assert "bits per sample, at most" in result.out
    assert (tmp_path / "bits.png").read_bytes().startswith(b"\x89PNG")


def test_many_steps_are_averaged():
    bits = np.arange(5000.0)
    times, means = thinned(np.arange(1, 5001) / 20, bits)
    assert times[-1] == 250
    assert len(means) <= 1200
    assert np.average(means, weights=np.diff(times, prepend=0)) == pytest.approx(bits.mean())


def flac(samples: np.ndarray, subtype: str) -> bytes:
    soundfile = pytest.importorskip("soundfile")
    out = io.BytesIO()
    with soundfile.SoundFile(out, "w", 48000, samples.shape[1], subtype, format="FLAC") as file:
        file.title, file.artist = "Ein Lied", "N. N."
        file.write(samples)
    return out.getvalue()


@pytest.mark.parametrize(("subtype", "width"), [("PCM_S8", 1), ("PCM_16", 2), ("PCM_24", 3)])
def test_flac_files_are_kept_as_samples_and_tags(run, tmp_path, subtype, width):
    whole = SOUND << 16
    whole = whole >> (32 - 8 * width) << (32 - 8 * width)
    data = flac(whole.astype(np.int32), subtype)
    (tmp_path / "a.flac").write_bytes(data)
    assert run("pack", "-1", "--samples", tmp_path / "a.flac").status == 0
    assert run("unpack", tmp_path / "a.wav.fore").status == 0
    made = (tmp_path / "a.wav").read_bytes()
    sound = find_sound(made)
    assert sound is not None
    assert (sound.form.rate, sound.form.channels, sound.form.width) == (48000, 2, width)
    assert np.array_equal(integers_of(made[sound.start : sound.end], sound.form), whole >> (32 - 8 * width))
    assert b"INAM\x09\0\0\0Ein Lied\0" in made
    kept = parse_flac(made[made.index(b"flac") + 8 :] + bytes(2))
    assert kept.blocks == tuple(block for block in parse_flac(data).blocks if block[0] not in (1, 3))


def test_flac_files_are_kept_as_they_are_without_being_asked(run, tmp_path):
    data = flac((SOUND << 16).astype(np.int32), "PCM_16")
    (tmp_path / "a.flac").write_bytes(data)
    assert run("pack", "-1", tmp_path / "a.flac").status == 0
    assert run("unpack", "-c", tmp_path / "a.flac.fore").out.encode("latin-1") == data


def test_damaged_flac_files_are_refused():
    data = flac((SOUND << 16).astype(np.int32), "PCM_16")
    for size in (3, 7, 30, 60, len(data) // 2):
        with pytest.raises(ForetellError):
            to_wav(data[:size])
    with pytest.raises(ForetellError, match="digest"):
        to_wav(data[:26] + bytes([data[26] ^ 1]) + data[27:])


@given(st.binary(max_size=200))
def test_any_bytes_after_the_signature_do_no_harm(data):
    with contextlib.suppress(ForetellError):
        parse_flac(b"fLaC" + data)


def test_flac_samples_of_odd_sizes_say_how_many_bits_count():
    whole = SOUND << 16 >> 20 << 20
    data = bytearray(flac(whole.astype(np.int32), "PCM_16"))
    info = parse_flac(bytes(data))
    made = FlacInfo(info.rate, 2, 12, info.samples, info.digest, info.blocks)
    form = _format(made, 2)
    assert len(form) == 40
    assert int.from_bytes(form[18:20], "little") == 12


def test_raw_samples(run, tmp_path):
    path = tmp_path / "a.raw"
    path.write_bytes(SOUND.astype("<i2").tobytes())
    assert run("pack", "-1", "--format", "s16le,2,8000", path).status == 0
    assert "0:00.50, s16le" in run("info", tmp_path / "a.raw.fore").out
    assert run("unpack", tmp_path / "a.raw.fore", "-o", tmp_path / "b.raw").status == 0
    assert (tmp_path / "b.raw").read_bytes() == path.read_bytes()
    assert run("pack", "--format", "s16le,40", path).status == 2
