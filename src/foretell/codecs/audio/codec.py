"""Codec for sound: frames of samples in any PCM layout. ``docs/audio-format.md`` has all the details.

A payload is a head (preset, layout, the bytes around the samples, the values in use) and the arithmetic code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.audio.coding import Coder, new_coder
from foretell.codecs.audio.head import MOST_AROUND, MOST_NUMBER, Layout, Reader, pack_layout, parse_layout
from foretell.codecs.audio.kernel import ROOM, run
from foretell.codecs.audio.mixture import Mixture, new_mixture
from foretell.codecs.audio.network import FEATURES, Memory, Network, load_network, new_memory, no_network
from foretell.codecs.audio.pcm import (
    PcmFormat,
    bytes_of,
    float_bits,
    floats_of,
    integers_of,
    integers_of_floats,
)
from foretell.codecs.audio.prediction import Predictors, new_predictors
from foretell.codecs.audio.presets import Plan, plan_of, preset_of, preset_of_level
from foretell.codecs.audio.values import MOST_SPAN, MOST_VALUES, Values, find_values, pack_set, unpack_set
from foretell.compilation import announce
from foretell.entropy.binary import HIGH, LOW, POSITION, finish, new_decoder, new_encoder
from foretell.varint import encode_varint

CHUNK: Final = 1 << 15
"""Samples of all channels between two reports of progress."""
Progress = Callable[[int], None]
_BYTES: Final = PcmFormat(1, 1, 1, signed=False)


class AudioCodec:
    """Lossless codec for samples of sound.

    Parameters
    ----------
    level : int
        1 to 9; presets are those of :func:`~foretell.codecs.audio.presets.preset_of_level`.
    progress : callable, optional
        Called with numbers of bytes that have just been done.

    Attributes
    ----------
    watch : callable or None
        Called while decoding, for every twentieth of a second, with its samples (of each channel) and bits of code.
    """

    name = "audio"

    def __init__(self, level: int = 6, progress: Progress | None = None) -> None:
        self.preset = preset_of_level(level)
        self.progress = progress
        self.watch: Callable[[int, int], None] | None = None

    def encode(self, data: bytes) -> bytes:
        """Payload of bytes of which nothing is known: samples of one byte."""
        payload = self.encode_samples(data, _BYTES)
        if payload is None:
            raise ValueError("audio frames are not empty")
        return payload

    def encode_samples(self, data: bytes, form: PcmFormat, start: int = 0, end: int | None = None) -> bytes | None:
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
        layout = Layout(self.preset, form, bits, data[:start], data[end:], values.table.size > 0)
        return pack_head(layout, values) + self._code(values.reduced(samples), layout, values)

    def _code(self, samples: NDArray[np.int32], layout: Layout, values: Values) -> bytes:
        announce(run, "the coding of sound")
        room = samples.size * layout.form.width + (1 << 14)
        code = np.zeros(room, np.uint8)
        model = _new_model(layout, values)
        state = new_encoder()
        done = 0
        for end in _ends(samples):
            while (reached := run(False, samples, code, state, done, end, *model)) < end:
                code = np.concatenate([code, np.zeros(code.size + ROOM * samples.shape[1], np.uint8)])
                done = reached
            done = end
            self._tell(end, samples, layout)
        if code.size < int(state[POSITION]) + 16:
            code = np.concatenate([code, np.zeros(16, np.uint8)])
        return code[: finish(state, code)].tobytes()

    def _tell(self, end: int, samples: NDArray[np.int32], layout: Layout) -> None:
        if self.progress:
            step = CHUNK // samples.shape[1]
            self.progress((end - (end - 1) // step * step) * layout.form.block)

    def decode(self, payload: bytes, size: int) -> bytes:
        """Bytes of a payload; wrong bytes, or ValueError, if it is corrupt."""
        announce(run, "the coding of sound")
        layout, values, position = parse_head(payload)
        samples = np.zeros((layout.samples(size), layout.form.channels), np.int32)
        code = np.frombuffer(bytearray(payload[position:]), np.uint8)
        model = _new_model(layout, values)
        state = new_decoder(code)
        done = bits = 0
        for end in _ends(samples, max(layout.form.rate // 20, 1) if self.watch else 0):
            run(True, samples, code, state, done, end, *model)
            if self.watch:
                read = _bits_read(state)
                self.watch(end - done, read - bits)
                bits = read
            done = end
            self._tell(end, samples, layout)
        samples = values.restored(samples)
        if layout.form.floating:
            samples = floats_of(samples, layout.float_bits)
        return layout.before + bytes_of(samples, layout.form) + layout.after

    def memory(self, payload: bytes, size: int) -> int:
        """Bytes of memory, about, that :meth:`decode` takes."""
        channels = payload[1] % 32 + 1 if len(payload) > 1 else 1
        return 8 * size + channels * (12 << 20)


def _ends(samples: NDArray[np.int32], step: int = 0) -> list[int]:
    step = step or CHUNK // samples.shape[1]
    return [*range(step, samples.shape[0], step), samples.shape[0]]


def _bits_read(state: NDArray[np.uint64]) -> int:
    """Bits of code that a decoder's interval has taken in, rounded."""
    width = int(state[HIGH]) - int(state[LOW]) + 1
    return 8 * int(state[POSITION]) - width.bit_length()


Model = tuple[NDArray[np.int32], int, int, Plan, Predictors, Mixture, Coder, Network, Memory, NDArray[np.float32]]


def _new_model(layout: Layout, values: Values) -> Model:
    channels = layout.form.channels
    preset = preset_of(layout.preset, channels)
    plan = plan_of(preset)
    network = load_network() if preset.network else no_network()
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
        network,
        new_memory(network, channels),
        np.zeros((0, 0, 0), np.float32),
    )


def trace_samples(samples: NDArray[np.int32], level: int = 6) -> NDArray[np.float32]:
    """What a network for a level is trained on: see :func:`~foretell.codecs.audio.kernel.run`.

    Parameters
    ----------
    samples : array of int32, shape (time, channels)

    Returns
    -------
    array of float32, shape (time, channels, 30)
    """
    values = Values(0, 1, int(samples.min()), int(samples.max()), np.zeros(0, np.int32))
    layout = Layout(preset_of_level(level), PcmFormat(samples.shape[1], 4, 1), 0, b"", b"", has_table=False)
    model = _new_model(layout, values)[:-1]
    trace = np.zeros((*samples.shape, FEATURES + 2), np.float32)
    code = np.zeros(samples.size * 8 + ROOM * samples.shape[1], np.uint8)
    run(False, samples.copy(), code, new_encoder(), 0, samples.shape[0], *model, trace)
    return trace


def pack_head(layout: Layout, values: Values) -> bytes:
    """Bytes of a payload before its code."""
    low = 2 * values.low if values.low >= 0 else -2 * values.low - 1
    out = pack_layout(layout)
    for number in (values.step, values.offset, low, values.high - values.low):
        out += encode_varint(number)
    if layout.has_table:
        table = pack_set(np.isin(np.arange(values.low, values.high + 1), values.table))
        out += encode_varint(len(table)) + table
    return out


def parse_head(payload: bytes) -> tuple[Layout, Values, int]:
    """Layout, values in use, and where the code begins.

    Raises
    ------
    ValueError or CorruptArchiveError
        If the head is damaged.
    """
    reader = Reader(payload)
    layout = parse_layout(reader)
    step, offset, folded = (reader.varint(MOST_NUMBER) for _ in range(3))
    low = folded >> 1 if folded & 1 == 0 else -(folded + 1 >> 1)
    high = low + reader.varint(MOST_NUMBER)
    if step < 1 or offset >= step or high > 0x7FFFFFFF:
        raise ValueError("an audio payload has values out of range")
    table = _parse_table(reader, low, high) if layout.has_table else np.zeros(0, np.int32)
    return layout, Values(offset, step, low, high, table), reader.at


def _parse_table(reader: Reader, low: int, high: int) -> NDArray[np.int32]:
    if high - low >= MOST_SPAN:
        raise ValueError("an audio payload has a set of values that is too wide")
    used = unpack_set(reader.take(reader.varint(2 * MOST_SPAN)), high - low + 1)
    table = (np.flatnonzero(used) + low).astype(np.int32)
    if not 1 <= table.size <= MOST_VALUES:
        raise ValueError("an audio payload has a set of values that is empty or too large")
    return table
