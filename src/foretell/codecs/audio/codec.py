"""Codec for sound: frames of samples in any PCM layout. ``docs/audio-format.md`` has all the details.

A payload is a head (preset, layout, the bytes around the samples, the values in use) and the arithmetic code.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.audio.coding import Coder, new_coder
from foretell.codecs.audio.containers import find_sound
from foretell.codecs.audio.kernel import ROOM, run
from foretell.codecs.audio.mixture import Mixture, new_mixture
from foretell.codecs.audio.pcm import (
    MOST_CHANNELS,
    PcmFormat,
    bytes_of,
    float_bits,
    floats_of,
    integers_of,
    integers_of_floats,
)
from foretell.codecs.audio.prediction import Predictors, new_predictors
from foretell.codecs.audio.presets import PRESETS, Plan, plan_of, preset_of_level
from foretell.codecs.audio.values import MOST_SPAN, MOST_VALUES, Values, find_values, pack_set, unpack_set
from foretell.compilation import announce
from foretell.entropy.binary import POSITION, finish, new_decoder, new_encoder
from foretell.varint import decode_varint, encode_varint

MOST_AROUND: Final = 1 << 12
"""Most bytes before and after the samples that a frame takes along."""
CHUNK: Final = 1 << 15
"""Samples of all channels between two reports of progress."""
_WAV_HEAD: Final = 44
_CANONICAL, _TABLE, _FLOAT = 16, 32, 64
Progress = Callable[[int], None]


def wav_head(form: PcmFormat, size: int) -> bytes:
    """The usual 44 bytes before ``size`` bytes of samples."""
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        (size + 36) & 0xFFFFFFFF,
        b"WAVE",
        b"fmt ",
        16,
        3 if form.floating else 1,
        form.channels,
        form.rate,
        (form.rate * form.block) & 0xFFFFFFFF,
        form.block & 0xFFFF,
        8 * form.width,
        b"data",
        size & 0xFFFFFFFF,
    )


@dataclass(frozen=True)
class FrameHead:
    """What a payload says before its code."""

    preset: int
    form: PcmFormat
    before: bytes
    after: bytes
    float_bits: int
    values: Values
    size: int


class AudioCodec:
    """Lossless codec for samples of sound.

    Parameters
    ----------
    level : int
        1 to 9; presets are those of :func:`~foretell.codecs.audio.presets.preset_of_level`.
    progress : callable, optional
        Called with numbers of bytes that have just been done.
    """

    name = "audio"

    def __init__(self, level: int = 6, progress: Progress | None = None) -> None:
        self.preset = preset_of_level(level)
        self.progress = progress

    def encode(self, data: bytes, form: PcmFormat, start: int = 0, end: int | None = None) -> bytes | None:
        """Payload of bytes whose samples lie from ``start`` to ``end``; None if they are no numbers it can code.

        Parameters
        ----------
        data : bytes
            A frame; up to ``MOST_AROUND`` bytes before and after the samples.
        form : PcmFormat
            Layout of the samples.
        start, end : int
            First byte of a whole block, and end of the samples; what is left of the last block counts as after.
        """
        end = len(data) if end is None else end
        end -= (end - start) % form.block
        if end <= start or start > MOST_AROUND or len(data) - end > MOST_AROUND:
            return None
        samples = integers_of(data[start:end], form)
        bits = 0
        if form.floating:
            found = float_bits(samples)
            if found is None:
                return None
            bits, samples = found, integers_of_floats(samples, found)
        values = find_values(samples)
        head = FrameHead(self.preset, form, data[:start], data[end:], bits, values, 0)
        return pack_head(head) + self._encode_samples(values.reduced(samples), head)

    def _encode_samples(self, samples: NDArray[np.int32], head: FrameHead) -> bytes:
        announce(run, "the coding of sound")
        room = samples.size * head.form.width + (1 << 14)
        code = np.zeros(room, np.uint8)
        model = _new_model(head)
        state = new_encoder()
        done = 0
        for end in _ends(samples):
            while (reached := run(False, samples, code, state, done, end, *model)) < end:
                code = np.concatenate([code, np.zeros(code.size + ROOM * samples.shape[1], np.uint8)])
                done = reached
            done = end
            self._tell(end, samples, head)
        if code.size < int(state[POSITION]) + 16:
            code = np.concatenate([code, np.zeros(16, np.uint8)])
        return code[: finish(state, code)].tobytes()

    def _tell(self, end: int, samples: NDArray[np.int32], head: FrameHead) -> None:
        if self.progress:
            step = CHUNK // samples.shape[1]
            self.progress((end - (end - 1) // step * step) * head.form.block)

    def decode(self, payload: bytes, size: int) -> bytes:
        """Bytes of a payload; wrong bytes, or ValueError, if it is corrupt."""
        announce(run, "the coding of sound")
        head, position = parse_head(payload)
        inside = size - len(head.before) - len(head.after)
        if inside <= 0 or inside % head.form.block:
            raise ValueError("an audio payload does not fit the size of its frame")
        samples = np.zeros((inside // head.form.block, head.form.channels), np.int32)
        code = np.frombuffer(bytearray(payload[position:]), np.uint8)
        model = _new_model(head)
        state = new_decoder(code)
        done = 0
        for end in _ends(samples):
            run(True, samples, code, state, done, end, *model)
            done = end
            self._tell(end, samples, head)
        samples = head.values.restored(samples)
        if head.form.floating:
            samples = floats_of(samples, head.float_bits)
        return head.before + bytes_of(samples, head.form) + head.after

    def memory(self, payload: bytes, size: int) -> int:
        """Bytes of memory, about, that :meth:`decode` takes."""
        channels = payload[1] % 32 + 1 if len(payload) > 1 else 1
        return 8 * size + channels * (12 << 20)


def _ends(samples: NDArray[np.int32]) -> list[int]:
    step = CHUNK // samples.shape[1]
    return [*range(step, samples.shape[0], step), samples.shape[0]]


Model = tuple[NDArray[np.int32], int, int, Plan, Predictors, Mixture, Coder]


def _new_model(head: FrameHead) -> Model:
    values, channels = head.values, head.form.channels
    plan = plan_of(PRESETS[head.preset], channels)
    spread = values.high - values.low + 1
    low, high = (0, values.table.size - 1) if values.table.size else (values.low, values.high)
    return (
        values.table,
        low,
        high,
        plan,
        new_predictors(plan, channels),
        new_mixture(plan, channels, spread),
        new_coder(plan, channels),
    )


def _zigzag(value: int) -> int:
    return 2 * value if value >= 0 else -2 * value - 1


def pack_head(head: FrameHead) -> bytes:
    """Bytes of a head."""
    form, values = head.form, head.values
    found = find_sound(head.before) if len(head.before) == _WAV_HEAD else None
    size = found.end - found.start if found else 0
    canonical = found is not None and found.form == form and head.before == wav_head(form, size)
    table = pack_set(np.isin(np.arange(values.low, values.high + 1), values.table)) if values.table.size else b""
    flags = head.preset | canonical * _CANONICAL | bool(table) * _TABLE | form.floating * _FLOAT
    kind = form.channels - 1 | (form.width - 1) << 5 | (not form.signed) << 7
    out = bytes([flags, kind, form.big_endian | head.float_bits << 1])
    out += encode_varint(form.rate)
    out += encode_varint(size) if canonical else encode_varint(len(head.before)) + head.before
    out += encode_varint(len(head.after)) + head.after
    out += encode_varint(values.step) + encode_varint(values.offset)
    out += encode_varint(_zigzag(values.low)) + encode_varint(values.high - values.low)
    return out + (encode_varint(len(table)) + table if table else b"")


class _Reader:
    """Reads a head, refusing what lies beyond its end."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        if size > len(self.data) - self.at:
            raise ValueError("an audio payload is cut off")
        self.at += size
        return self.data[self.at - size : self.at]

    def varint(self, most: int) -> int:
        value, self.at = decode_varint(self.data, self.at)
        if value > most:
            raise ValueError(f"an audio payload says {value} where {most} is the most")
        return value


def parse_head(payload: bytes) -> tuple[FrameHead, int]:
    """Head of a payload, and where its code begins."""
    reader = _Reader(payload)
    flags, kind, order = reader.take(3)
    preset = flags & 15
    if preset not in PRESETS or flags & 128:
        raise ValueError(f"an audio payload has the unknown flags {flags:#04x}")
    rate = reader.varint(0xFFFFFFFF)
    form = PcmFormat(
        kind % MOST_CHANNELS + 1, (kind >> 5 & 3) + 1, rate, not kind >> 7, bool(order & 1), bool(flags & _FLOAT)
    )
    if not form.supported or order >> 1 > 30:
        raise ValueError("an audio payload has samples of an unknown kind")
    if flags & _CANONICAL:
        before = wav_head(form, reader.varint(0xFFFFFFFF))
    else:
        before = reader.take(reader.varint(MOST_AROUND))
    after = reader.take(reader.varint(MOST_AROUND))
    step, offset = reader.varint(0xFFFFFFFF), reader.varint(0xFFFFFFFF)
    folded = reader.varint(0xFFFFFFFF)
    low = folded >> 1 if folded & 1 == 0 else -(folded + 1 >> 1)
    high = low + reader.varint(0xFFFFFFFF)
    table = _parse_table(reader, low, high) if flags & _TABLE else np.zeros(0, np.int32)
    if step < 1 or offset >= step or high > 0x7FFFFFFF:
        raise ValueError("an audio payload has values out of range")
    values = Values(offset, step, low, high, table)
    return FrameHead(preset, form, before, after, order >> 1, values, len(payload)), reader.at


def _parse_table(reader: _Reader, low: int, high: int) -> NDArray[np.int32]:
    if high - low >= MOST_SPAN:
        raise ValueError("an audio payload has a set of values that is too wide")
    used = unpack_set(reader.take(reader.varint(2 * MOST_SPAN)), high - low + 1)
    table = (np.flatnonzero(used) + low).astype(np.int32)
    if not 1 <= table.size <= MOST_VALUES:
        raise ValueError("an audio payload has a set of values that is empty or too large")
    return table
