"""The first part of a payload: which preset, how samples lie in the frame, and the bytes around them."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from foretell.codecs.audio.containers import find_sound
from foretell.codecs.audio.pcm import MOST_CHANNELS, PcmFormat
from foretell.codecs.audio.presets import SINGLE
from foretell.varint import decode_varint, encode_varint

MOST_AROUND: Final = 1 << 12
"""Most bytes before and after the samples that a frame takes along."""
MOST_NUMBER: Final = 0xFFFFFFFF
_WAV_HEAD: Final = 44
_CANONICAL, _TABLE, _FLOAT = 16, 32, 64


@dataclass(frozen=True)
class Layout:
    """What a payload says before it comes to values: see the table in ``docs/audio-format.md``."""

    preset: int
    form: PcmFormat
    float_bits: int
    before: bytes
    after: bytes
    has_table: bool

    def samples(self, size: int) -> int:
        """Samples of each channel in a frame of ``size`` bytes.

        Raises
        ------
        ValueError
            If that is no whole number.
        """
        inside = size - len(self.before) - len(self.after)
        if inside <= 0 or inside % self.form.block:
            raise ValueError("an audio payload does not fit the size of its frame")
        return inside // self.form.block


class Reader:
    """Reads a head, refusing what lies beyond its end."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        """Next bytes."""
        if size > len(self.data) - self.at:
            raise ValueError("an audio payload is cut off")
        self.at += size
        return self.data[self.at - size : self.at]

    def varint(self, most: int) -> int:
        """Next number, of at most ``most``."""
        value, self.at = decode_varint(self.data, self.at)
        if value > most:
            raise ValueError(f"an audio payload says {value} where {most} is the most")
        return value


def wav_head(form: PcmFormat, size: int) -> bytes:
    """The usual 44 bytes before ``size`` bytes of samples."""
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        (size + 36) & MOST_NUMBER,
        b"WAVE",
        b"fmt ",
        16,
        3 if form.floating else 1,
        form.channels,
        form.rate,
        (form.rate * form.block) & MOST_NUMBER,
        form.block,
        8 * form.width,
        b"data",
        size & MOST_NUMBER,
    )


def pack_layout(layout: Layout) -> bytes:
    """Bytes of a layout; a usual WAV header takes only those of its size."""
    form, before = layout.form, layout.before
    found = find_sound(before) if len(before) == _WAV_HEAD else None
    size = found.end - found.start if found else 0
    canonical = found is not None and size <= MOST_NUMBER and before == wav_head(form, size)
    flags = layout.preset | canonical * _CANONICAL | layout.has_table * _TABLE | form.floating * _FLOAT
    kind = form.channels - 1 | (form.width - 1) << 5 | (not form.signed) << 7
    out = bytes([flags, kind, form.big_endian | layout.float_bits << 1]) + encode_varint(form.rate)
    out += encode_varint(size) if canonical else encode_varint(len(before)) + before
    return out + encode_varint(len(layout.after)) + layout.after


def parse_layout(reader: Reader) -> Layout:
    """Layout at the start of a payload.

    Raises
    ------
    ValueError or CorruptArchiveError
        If it is damaged.
    """
    flags, kind, order = reader.take(3)
    preset = flags & 15
    if preset not in SINGLE or flags & 128:
        raise ValueError(f"an audio payload has the unknown flags {flags:#04x}")
    rate = reader.varint(MOST_NUMBER)
    channels, width = kind % MOST_CHANNELS + 1, (kind >> 5 & 3) + 1
    form = PcmFormat(channels, width, rate, not kind >> 7, bool(order & 1), bool(flags & _FLOAT))
    if not form.supported or order >> 1 > 30:
        raise ValueError("an audio payload has samples of an unknown kind")
    if flags & _CANONICAL:
        before = wav_head(form, reader.varint(MOST_NUMBER))
    else:
        before = reader.take(reader.varint(MOST_AROUND))
    after = reader.take(reader.varint(MOST_AROUND))
    return Layout(preset, form, order >> 1, before, after, bool(flags & _TABLE))
