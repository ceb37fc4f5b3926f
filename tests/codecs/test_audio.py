"""The audio codec: every layout of samples comes back, hostile bytes do no harm, the format is pinned."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretell.codecs.audio.codec import AudioCodec, parse_head
from foretell.codecs.audio.head import wav_head
from foretell.codecs.audio.pcm import PcmFormat, bytes_of, float_bits, integers_of, parse_format
from foretell.codecs.audio.presets import preset_of_level
from foretell.codecs.audio.values import find_values, pack_set, unpack_set

sys.path.insert(0, str(Path(__file__).parent))
from sounds import noise, tones

FAST = AudioCodec(1)
STEREO = PcmFormat(2, 2, 44100)
FORMATS = [
    PcmFormat(channels, width, 8000, signed, big)
    for channels, width in ((1, 1), (2, 2), (3, 3), (2, 4))
    for signed in (True, False)
    for big in (True, False)
]


def comes_back(data: bytes, form: PcmFormat, codec: AudioCodec = FAST) -> int:
    payload = codec.encode_samples(data, form)
    assert payload is not None
    assert codec.decode(payload, len(data)) == data
    return len(payload)


def as_bytes(samples: np.ndarray) -> bytes:
    return samples.astype("<i2").tobytes()


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: f"{form.name}x{form.channels}")
def test_every_layout_comes_back(form: PcmFormat) -> None:
    sound = tones(120, form.channels, bits=8 * form.width)
    data = bytes_of(sound, form)
    assert np.array_equal(integers_of(data, form), sound)
    assert comes_back(data, form) < len(data)
    random = np.random.default_rng(1).integers(0, 256, 30 * form.block, np.uint8).tobytes()
    comes_back(random, form)


@pytest.mark.parametrize("level", [1, 6, 9])
def test_every_preset_shortens_sound(level: int) -> None:
    data = as_bytes(tones(6000, 2))
    size = comes_back(data, STEREO, AudioCodec(level))
    assert size < len(data) * 0.8


def test_levels_have_presets() -> None:
    assert [preset_of_level(level) for level in range(1, 10)] == [1, 1, 1, 2, 2, 2, 2, 3, 3]
    with pytest.raises(ValueError, match="must be 1 to 9"):
        preset_of_level(10)


HARD = {
    "silence": np.zeros((3000, 2), int),
    "offset": np.full((3000, 2), 12345),
    "square": np.where(np.arange(6000).reshape(-1, 2) // 200 % 2, 32767, -32768),
    "clipped": np.clip(tones(3000, 2) * 40, -32768, 32767),
    "clicks": np.where(np.arange(6000).reshape(-1, 2) % 997 == 0, 32767, 0),
    "one sample": np.array([[7, -7]]),
    "extremes": np.array([[-32768, 32767], [32767, -32768]] * 50),
    "equal channels": np.repeat(tones(2000), 2, axis=1),
}


@pytest.mark.parametrize("name", HARD)
@pytest.mark.parametrize("level", [1, 6])
def test_hard_sounds_come_back(name: str, level: int) -> None:
    comes_back(as_bytes(HARD[name]), STEREO, AudioCodec(level))


def test_what_is_simple_costs_little() -> None:
    assert comes_back(as_bytes(HARD["silence"]), STEREO) < 40
    assert comes_back(as_bytes(HARD["offset"]), STEREO) < 40
    assert comes_back(as_bytes(HARD["square"]), STEREO) < 250
    both = comes_back(as_bytes(HARD["equal channels"]), STEREO)
    one = comes_back(as_bytes(tones(2000)), PcmFormat(1, 2, 44100))
    assert both < one + 700  # the second channel costs nothing more once its filters have found the first


def test_white_noise_hardly_grows() -> None:
    import foretell

    data = as_bytes(noise(40000, 5, 16))
    archive = foretell.compress(wav_head(STEREO, len(data)) + data, level=1)
    assert len(archive) <= len(data) * 1.001 + 64 + 44


def test_many_channels() -> None:
    form = PcmFormat(32, 2, 48000)
    comes_back(as_bytes(tones(40, 32)), form)


@settings(max_examples=40, deadline=None)
@given(st.binary(max_size=400), st.integers(1, 5), st.integers(1, 4), st.booleans(), st.booleans())
def test_any_bytes_come_back(data: bytes, channels: int, width: int, signed: bool, big: bool) -> None:
    form = PcmFormat(channels, width, 1, signed, big)
    if len(data) >= form.block:
        comes_back(data, form)
    else:
        assert FAST.encode_samples(data, form) is None


def test_bytes_of_unknown_meaning_are_samples_of_one_byte() -> None:
    assert FAST.decode(FAST.encode(b"abc" * 50), 150) == b"abc" * 50
    with pytest.raises(ValueError, match="not empty"):
        FAST.encode(b"")


def test_bytes_around_the_samples_are_kept() -> None:
    data = b"head" + as_bytes(tones(100, 2)) + b"odd"
    payload = FAST.encode_samples(data, STEREO, 4, len(data))
    assert payload is not None
    assert FAST.decode(payload, len(data)) == data


# floats


def test_floats_that_stand_for_integers_cost_as_much_as_integers() -> None:
    whole = tones(1500, 2)
    floats = (whole / 32768).astype("<f4")
    size = comes_back(floats.tobytes(), PcmFormat(2, 4, 44100, floating=True))
    assert size < comes_back(as_bytes(whole), STEREO) + 8


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.0, 1e30, 1e-40, 0.001])
def test_other_floats_are_left_to_other_codecs(value: float) -> None:
    floats = np.zeros(100, "<f4")
    floats[50] = value
    assert float_bits(floats.view(np.int32)) is None
    assert FAST.encode_samples(floats.tobytes(), PcmFormat(1, 4, 44100, floating=True)) is None


def test_a_nan_payload_comes_back_from_an_archive() -> None:
    from sounds import wav

    import foretell

    bits = np.full(500, 0x7FC12345, "<u4")
    data = wav(bits.tobytes() + b"\1", 1, 44100, 4, tag=3)
    assert foretell.decompress(foretell.compress(data, level=1)) == data


# values in use


def test_unused_bits_cost_nothing() -> None:
    sound = tones(1500)
    full = comes_back(as_bytes(sound), PcmFormat(1, 2, 8000))
    wide = comes_back(bytes_of(sound * 256, PcmFormat(1, 3, 8000)), PcmFormat(1, 3, 8000))
    assert abs(wide - full) <= 4


def test_a_sparse_set_of_values_is_noticed() -> None:
    form = PcmFormat(1, 2, 8000)
    plain = noise(8000, 3, 7) * 3 + 40
    loud = np.round(plain * 1.7).astype(int)
    loud[0] += 1
    values = find_values(loud.astype(np.int32).reshape(-1, 1))
    assert values.table.size
    assert comes_back(as_bytes(loud), form) < comes_back(as_bytes(plain), form) * 1.05


def test_a_full_range_has_no_table() -> None:
    assert find_values(tones(3000)).table.size == 0


@given(st.lists(st.booleans(), min_size=1, max_size=300))
@settings(deadline=None)
def test_sets_come_back(used: list[bool]) -> None:
    array = np.array(used)
    assert np.array_equal(unpack_set(pack_set(array), array.size), array)


# damage


def test_damaged_payloads_do_no_harm() -> None:
    data = as_bytes(tones(100, 2))
    payload = FAST.encode_samples(data, STEREO)
    assert payload is not None
    for at in range(len(payload)):
        broken = bytearray(payload)
        broken[at] ^= 1 + 37 * at % 255
        try:
            assert len(FAST.decode(bytes(broken), len(data))) == len(data)
        except Exception as error:
            assert not isinstance(error, MemoryError)  # noqa: PT017


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60), st.integers(1, 5000))
def test_noise_for_a_payload_does_no_harm(payload: bytes, size: int) -> None:
    try:
        assert len(FAST.decode(payload, size)) == size
    except Exception as error:
        assert not isinstance(error, MemoryError)  # noqa: PT017


def test_a_cut_payload_is_refused_in_its_head() -> None:
    payload = FAST.encode_samples(as_bytes(tones(50)), STEREO)
    assert payload is not None
    _, _, start = parse_head(payload)
    for size in range(start):
        with pytest.raises(Exception, match=r"cut off|says|unknown"):
            parse_head(payload[:size])


# the format

PINNED = {
    (1, 1): "eb65df290986d469e0a3a597d6de55a7",
    (6, 1): "b11f036a9c1c2f0699e25c3a11429c54",
    (9, 1): "14598effd918bdb4182a64d117419184",
    (1, 2): "b3b02db575d361acbf887b296296d1e5",
    (6, 2): "1ce4aa4c406b21fefaa9201b26669d46",
    (9, 2): "8b0684e3c7cd0840cd28e17966005e7f",
}


@pytest.mark.parametrize(("level", "channels"), PINNED)
def test_payloads_are_pinned(level: int, channels: int) -> None:
    payload = AudioCodec(level).encode_samples(as_bytes(tones(900, channels)), PcmFormat(channels, 2, 44100))
    assert payload is not None
    assert hashlib.sha256(payload).hexdigest()[:32] == PINNED[level, channels]


PROGRAM = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
from foretell.codecs.audio.codec import AudioCodec
from foretell.codecs.audio.pcm import PcmFormat
from sounds import tones

data = tones(int(sys.argv[3]), 2).astype("<i2").tobytes()
codec = AudioCodec(int(sys.argv[2]))
payload = codec.encode_samples(data, PcmFormat(2, 2, 44100))
assert codec.decode(payload, len(data)) == data
print(hashlib.sha256(payload).hexdigest())
"""


def elsewhere(environment: dict[str, str], level: int, count: int) -> str:
    """Digest of the payload of a sound, made by a process of its own."""
    command = [sys.executable, "-c", PROGRAM, str(Path(__file__).parent), str(level), str(count)]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]


def here(level: int, count: int) -> str:
    payload = AudioCodec(level).encode_samples(as_bytes(tones(count, 2)), STEREO)
    assert payload is not None
    return hashlib.sha256(payload).hexdigest()


@pytest.mark.parametrize("level", [1, pytest.param(6, marks=pytest.mark.slow), pytest.param(9, marks=pytest.mark.slow)])
def test_uncompiled_code_writes_the_same_bytes(level: int) -> None:
    """Python's own floats and integers, one operation at a time, are the oracle of the compiled loops."""
    assert elsewhere({"NUMBA_DISABLE_JIT": "1"}, level, 60) == here(level, 60)


@pytest.mark.slow
@pytest.mark.parametrize("level", [1, 6, 9])
def test_a_generic_processor_writes_the_same_bytes(level: int) -> None:
    assert elsewhere({"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}, level, 3000) == here(level, 3000)


@pytest.mark.parametrize("text", ["", "s16", "s16le,2,48000", "u8,1", "f32be,32"])
def test_raw_formats(text: str) -> None:
    if text:
        assert parse_format(text).name == text.split(",")[0] + ("le" if text == "s16" else "")
    else:
        for wrong in ("", "s16le,0", "x16", "s16le,2,44100,1", "s16le,two", "f16le"):
            with pytest.raises(ValueError, match=wrong or "KIND"):
                parse_format(wrong)
