"""Sound on the command line: pack, info, cat by time."""

import io
import json
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

from foretell.archive import pack

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
    assert sum(frame["seconds"] for frame in frames) == pytest.approx(4, abs=0.01)  # segments cut some blocks
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


def test_raw_samples(run, tmp_path):
    path = tmp_path / "a.raw"
    path.write_bytes(SOUND.astype("<i2").tobytes())
    assert run("pack", "-1", "--format", "s16le,2,8000", path).status == 0
    assert "0:00.50, s16le" in run("info", tmp_path / "a.raw.fore").out
    assert run("unpack", tmp_path / "a.raw.fore", "-o", tmp_path / "b.raw").status == 0
    assert (tmp_path / "b.raw").read_bytes() == path.read_bytes()
    assert run("pack", "--format", "s16le,40", path).status == 2
