"""Sounds made of integers alone, so that they are the same everywhere, and files around them."""

from __future__ import annotations

import struct

import numpy as np


def noise(count: int, seed: int, bits: int) -> np.ndarray:
    """Integers of a linear congruential generator, in [-2**(bits - 1), 2**(bits - 1))."""
    values, state = np.zeros(count, np.int64), seed
    for i in range(count):
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        values[i] = state >> (64 - bits)
    return values - (1 << (bits - 1))


def tones(count: int, channels: int = 1, seed: int = 1, bits: int = 16) -> np.ndarray:
    """Resonators that noise keeps going, alike in all channels; int32 of shape (count, channels)."""
    out = np.zeros((count, channels), np.int64)
    first = noise(count, seed, 12)
    for c in range(channels):
        own = noise(count, seed + c + 1, 8)
        y1 = y2 = 0
        for t in range(count):
            y = (int(first[t]) << 6) + (int(own[t]) << 4) + (y1 * 126000 - y2 * 63000) // 65536
            y1, y2 = y, y1
            out[t, c] = y >> 6
    top = (1 << (bits - 1)) - 1
    return np.clip(out if bits >= 16 else out >> (16 - bits), -top - 1, top).astype(np.int32)


def wav(
    data: bytes, channels: int, rate: int, width: int, tag: int = 1, extra: bytes = b"", tail: bytes = b""
) -> bytes:
    """WAV file with chunks before and after the samples."""
    block = channels * width
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, tag, channels, rate, rate * block, block, 8 * width)
    body = b"WAVE" + form + extra + struct.pack("<4sI", b"data", len(data)) + data + tail
    return b"RIFF" + struct.pack("<I", len(body)) + body


def rf64(data: bytes, channels: int, rate: int, width: int) -> bytes:
    """RF64 file, whose sizes are in a chunk of its own."""
    block = channels * width
    sizes = struct.pack("<4sIQQQI", b"ds64", 28, 0, len(data), 0, 0)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, rate * block, block, 8 * width)
    return b"RF64\xff\xff\xff\xffWAVE" + sizes + form + b"data\xff\xff\xff\xff" + data


def aiff(data: bytes, channels: int, rate: int, width: int, kind: bytes = b"") -> bytes:
    """AIFF file, or AIFC with a compression type."""
    shift = rate.bit_length() - 1
    wide = struct.pack(">HQ", 16383 + shift, rate << (63 - shift))
    common = struct.pack(">hIh", channels, len(data) // (channels * width), 8 * width) + wide
    if kind:
        common += kind + b"\0\0"
    body = b"AIFC" if kind else b"AIFF"
    body += b"COMM" + struct.pack(">I", len(common)) + common
    body += b"SSND" + struct.pack(">III", len(data) + 8, 0, 0) + data
    return b"FORM" + struct.pack(">I", len(body)) + body


def au(data: bytes, channels: int, rate: int, encoding: int) -> bytes:
    """AU file of unknown length, with a comment."""
    return struct.pack(">4s5I", b".snd", 32, 0xFFFFFFFF, encoding, rate, channels) + b"comment\0" + data


def caf(data: bytes, channels: int, rate: int, width: int, flags: int = 0) -> bytes:
    """CAF file whose data chunk goes on to the end."""
    block = channels * width
    form = struct.pack(">4sqd4sIIIII", b"desc", 32, rate, b"lpcm", flags, block, 1, channels, 8 * width)
    return b"caff\0\1\0\0" + form + struct.pack(">4sq", b"data", -1) + bytes(4) + data
