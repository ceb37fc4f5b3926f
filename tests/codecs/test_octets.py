"""The byte codec: round trips, a pinned format, damaged payloads."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from foretell.codecs.octets import MAX_LEVEL, OctetsCodec, looks_binary

CODEC = OctetsCodec()


def text_sample(size: int) -> bytes:
    """Log lines from a linear congruential generator: the same bytes everywhere."""
    seed, lines = 12345, []
    names = ["alpha", "beta", "gamma", "delta"]
    while sum(map(len, lines)) < size:
        seed = (seed * 1103515245 + 12345) % (1 << 31)
        lines.append(f"2024-01-{seed % 28 + 1:02d} {names[seed >> 8 & 3]}: took {seed >> 12 & 511} ms (ok)\n")
    return "".join(lines).encode()[:size]


def binary_sample(size: int) -> bytes:
    """Records of 12 bytes with a counter, a small number and noise."""
    seed, out = 99, bytearray()
    for number in range(size // 12 + 1):
        seed = (seed * 1103515245 + 12345) % (1 << 31)
        out += number.to_bytes(4, "little") + (seed >> 20 & 15).to_bytes(4, "little") + bytes(3) + bytes([seed & 255])
    return bytes(out[:size])


SAMPLES = {
    "empty": b"",
    "one": b"\xff",
    "zeros": bytes(5000),
    "text": text_sample(6000),
    "binary": binary_sample(3000),
    "lines": b"\n" * 700,
    "brackets": b"((([[[{{{<<<" * 30 + b">>>}}}]]])))" * 30,
    "indented": b"".join(b" " * (i % 90) + b"key: value\n" for i in range(200)),
    "utf8": "слово, 言葉, λόγος; ".encode() * 40,
    "noise": np.random.default_rng(7).integers(0, 256, 3000, np.uint8).tobytes(),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_come_back(name: str) -> None:
    data = SAMPLES[name]
    payload = CODEC.encode(data)
    assert CODEC.decode(payload, len(data)) == data
    assert len(payload) <= len(data) * 103 // 100 + 16


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_come_back(data: bytes) -> None:
    assert CODEC.decode(CODEC.encode(data), len(data)) == data


@settings(max_examples=15, deadline=None)
@given(st.text(alphabet="ab \n\t{}:,1é", max_size=300), st.integers(1, MAX_LEVEL))
def test_any_text_comes_back_at_any_level(text: str, level: int) -> None:
    data = text.encode()
    assert CODEC.decode(OctetsCodec(level).encode(data), len(data)) == data


def test_text_and_records_shrink() -> None:
    assert len(CODEC.encode(SAMPLES["text"])) < 6000 * 0.17
    assert len(CODEC.encode(SAMPLES["binary"])) < 3000 * 0.2
    assert len(CODEC.encode(SAMPLES["zeros"])) < 40


def test_profiles_are_told_apart() -> None:
    assert looks_binary(np.frombuffer(SAMPLES["binary"], np.uint8))
    assert not looks_binary(np.frombuffer(SAMPLES["text"], np.uint8))
    assert CODEC.encode(SAMPLES["binary"])[0] == 0x16
    assert CODEC.encode(SAMPLES["text"])[0] == 0x06


@pytest.mark.parametrize(
    ("name", "digest"),
    [
        ("text", "594bf82800a5b384afb763dd8492146683fb8398a3b3315803b391bf5ef51b44"),
        ("binary", "20cafa96c388889266c9064fa5e6aac4c83d888ef6b733479a5e18fc391b1d0e"),
    ],
)
def test_the_format_is_pinned(name: str, digest: str) -> None:
    assert hashlib.sha256(CODEC.encode(SAMPLES[name])).hexdigest() == digest


def test_other_levels_need_no_hint() -> None:
    data = SAMPLES["text"]
    for level in (1, 9):
        assert CODEC.decode(OctetsCodec(level).encode(data), len(data)) == data


def test_damaged_payloads_decode_to_something() -> None:
    data = text_sample(120)
    payload = CODEC.encode(data)
    for position in range(len(payload)):
        damaged = bytearray(payload)
        damaged[position] ^= 0x41
        decode_or_value_error(bytes(damaged), len(data))
        decode_or_value_error(payload[:position], len(data))
    decode_or_value_error(payload + b"more", len(data))
    decode_or_value_error(payload, 3 * len(data))


def decode_or_value_error(payload: bytes, size: int) -> None:
    try:
        assert len(CODEC.decode(payload, size)) == size
    except ValueError:
        assert not payload or payload[0] != 0x06


@pytest.mark.parametrize(("payload", "size"), [(b"", 0), (b"\x00", 1), (b"\x09", 1), (b"\x26", 1), (b"\x06", -1)])
def test_wrong_headers_are_refused(payload: bytes, size: int) -> None:
    with pytest.raises(ValueError, match="octets payload"):
        CODEC.decode(payload, size)


@settings(max_examples=20, deadline=None)
@given(st.binary(max_size=60), st.booleans())
def test_noise_decodes_without_a_crash(noise: bytes, binary: bool) -> None:
    assert len(CODEC.decode(bytes([0x16 if binary else 0x06]) + noise, 400)) == 400


@pytest.mark.parametrize("level", [0, 10, -1])
def test_levels_outside_the_range_are_refused(level: int) -> None:
    with pytest.raises(ValueError, match="level"):
        OctetsCodec(level)
