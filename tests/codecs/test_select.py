import random

import pytest

from foretell.codecs.base import OCTETS, REPEAT, STORED, TEXT, Settings
from foretell.codecs.parallel import ParallelCodec
from foretell.codecs.repeat import SHORTEST_RUN, split_runs
from foretell.codecs.select import encode_segment
from foretell.codecs.toolbox import Toolbox

PROSE = b"The price of herring was the first thing that anybody asked about. " * 2000
NOISE = random.Random(2).randbytes(150_000)


def kinds(data, **options):
    settings = Settings(**options)
    frames = encode_segment(data, settings, Toolbox(settings.level, settings.model))
    assert sum(frame.raw_size for frame in frames) == len(data)
    return [frame.codec_id for frame in frames]


def test_noise_is_stored():
    assert kinds(NOISE, level=1) == [STORED]


def test_neighbouring_stored_frames_are_one(fake_text):
    assert kinds(NOISE, codec="text") == [STORED]


def test_prose_at_level_1_is_octets():
    assert kinds(PROSE[:5000], level=1) == [OCTETS]


@pytest.fixture
def clumsy_octets(monkeypatch):
    """An octets codec that saves a tenth, so that text wins wherever it is tried."""

    class Clumsy:
        def encode(self, data):
            return data[: len(data) * 9 // 10]

    monkeypatch.setattr("foretell.codecs.toolbox._new_octets", lambda level: ParallelCodec("octets", OCTETS, Clumsy()))


def test_prose_and_noise_in_one_segment(fake_text, clumsy_octets):
    found = kinds(PROSE + NOISE + PROSE)
    assert found[0] == found[-1] == TEXT
    assert OCTETS in found


def test_text_is_not_tried_on_short_or_binary_data(fake_text, clumsy_octets, monkeypatch):
    monkeypatch.setattr("foretell.codecs.toolbox.load_model", lambda name: pytest.fail("model loaded"))
    assert kinds(b"short") == [OCTETS]
    assert kinds(NOISE) == [OCTETS]
    assert kinds(PROSE, level=1) == [OCTETS]
    assert kinds(PROSE, codec="octets") == [OCTETS]
    assert kinds(PROSE, codec="stored") == [STORED]


def test_runs_are_found():
    run = bytes(SHORTEST_RUN)
    assert kinds(run + b"end", level=1) == [REPEAT, STORED]
    assert kinds(run, codec="stored") == [STORED]


@pytest.mark.parametrize("before", [0, 1, 77_777])
@pytest.mark.parametrize("length", [SHORTEST_RUN - 1, SHORTEST_RUN, SHORTEST_RUN + 1, 3 * SHORTEST_RUN])
def test_runs_of_any_place_and_length(before, length):
    data = NOISE[:before] + b"\1" * length + b"\2" + NOISE[:500]
    pieces = list(split_runs(data))
    assert [piece[0] for piece in pieces[1:]] == [piece[1] for piece in pieces[:-1]]
    assert (pieces[0][0], pieces[-1][1]) == (0, len(data))
    long = [(start, end) for start, end, is_run in pieces if is_run]
    assert long == ([(before, before + length)] if length >= SHORTEST_RUN else [])


def test_no_run_in_nothing():
    assert list(split_runs(b"")) == []
