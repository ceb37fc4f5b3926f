"""The loops of the codec for pictures with a model: a pixel, or a sample, of every patch of a group.

Samples are (rows, width, channels), -1 where nothing is known yet. What has been coded is written into them by packing
and unpacking alike.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.pixels.colours import UNIT, blue_range
from foretell.compilation import compiled
from foretell.entropy.context_table import hash_pair
from foretell.entropy.symbol_mixing import SYMBOL_BYTES, SymbolMixer, add_up, decode_symbol, encode_symbol, fill_around

COLOUR_CONTEXTS: Final = 6
VALUE_CONTEXTS: Final = 8
PIXEL_BYTES: Final = 4 * SYMBOL_BYTES
"""Most bytes that one pixel can write."""


@compiled
def _at(samples: NDArray[np.int32], y: int, x: int, c: int) -> int:
    """Sample at a place; -1 outside the picture and where nothing is known."""
    value: int = np.int64(-1)
    if y >= 0 and 0 <= x < samples.shape[1]:
        value = np.int64(samples[y, x, c])
    return value


@compiled
def _expected(samples: NDArray[np.int32], y: int, x: int, c: int, otherwise: int) -> tuple[int, int]:
    """Expectation of a sample from its neighbours (median edge detection), and how much they differ."""
    west, north, corner = _at(samples, y, x - 1, c), _at(samples, y - 1, x, c), _at(samples, y - 1, x - 1, c)
    if west < 0 and north < 0:
        return otherwise, np.int64(48)
    if west < 0 or north < 0:
        return max(west, north), np.int64(24)
    if corner < 0:
        return (west + north) >> 1, abs(west - north) + 8
    low, high = min(west, north), max(west, north)
    middle = low if corner >= high else high if corner <= low else west + north - corner
    return middle, abs(west - corner) + abs(north - corner)


@compiled
def _value_contexts(
    samples: NDArray[np.int32],
    y: int,
    x: int,
    c: int,
    expected: int,
    spread: int,
    own: int,
    contexts: NDArray[np.int64],
) -> None:
    """Contexts of a sample; ``own`` stands for what else is known of the pixel."""
    west, north = _at(samples, y, x - 1, c) + 1, _at(samples, y - 1, x, c) + 1
    east, far = _at(samples, y - 1, x + 1, c) + 1, _at(samples, y, x - 2, c) + 1
    known = np.int64(samples[y, x, c - 1]) + 1 if c > 0 else np.int64(0)
    first = np.int64(samples[y, x, c - 2]) + 1 if c > 1 else np.int64(0)
    activity = np.int64(0)
    while spread >> activity:
        activity += 1
    contexts[0] = own
    contexts[1] = hash_pair(own, known | first << 9)
    contexts[2] = west | north << 9
    contexts[3] = (expected & 511) | activity << 9
    contexts[4] = hash_pair(west | far << 9, known)
    contexts[5] = hash_pair(north | east << 9, known)
    contexts[6] = known | first << 9
    contexts[7] = hash_pair(expected & 511, known | first << 9)
    for k in range(VALUE_CONTEXTS):
        contexts[k] = hash_pair(contexts[k] & 0xFFFFFFFF, c)


@compiled
def _expect(samples: NDArray[np.int32], y: int, x: int, c: int, otherwise: int) -> tuple[int, int]:
    """Expectation of a sample, corrected by what the one of the channel before missed, and the spread."""
    expected, spread = _expected(samples, y, x, c, otherwise)
    if c > 0:
        before, other = _expected(samples, y, x, c - 1, np.int64(samples[y, x, c - 1]))
        expected = min(max(expected + np.int64(samples[y, x, c - 1]) - before, 0), 255)
        spread = min(spread, other + 4)
    return expected, spread


@compiled
def code_pixel(
    decoding: bool,
    colour_mixer: SymbolMixer,
    value_mixer: SymbolMixer,
    samples: NDArray[np.int32],
    source: NDArray[np.int32],
    colour_map: NDArray[np.int32],
    origins: NDArray[np.int64],
    width: int,
    step: int,
    frequencies: NDArray[np.int32],
    colours: NDArray[np.int32],
    slopes: NDArray[np.float32],
    symbols: NDArray[np.int32],
    coder: NDArray[np.uint64],
    data: NDArray[np.uint8],
) -> None:
    """Code pixel ``step`` of every patch (K) of a width: its colour by the model, then its samples given the colour.

    ``source`` has all samples when packing. ``colour_map`` is (rows, width, 1), as ``samples`` -1 where nothing is
    known. ``symbols`` (K,) are the colours when packing, and receive them when unpacking.
    """
    sums = np.empty((1, (1 << colour_mixer.sizes[2]) + 1), np.int64)
    tables = np.empty((2, 257), np.int64)
    contexts, own = np.empty(COLOUR_CONTEXTS, np.int64), np.empty(VALUE_CONTEXTS, np.int64)
    for k in range(origins.shape[0]):
        y, x = origins[k, 0] + step // width, origins[k, 1] + step % width
        west, north = _at(colour_map, y, x - 1, 0) + 1, _at(colour_map, y - 1, x, 0) + 1
        contexts[0] = west
        contexts[1] = north
        contexts[2] = west | north << 13
        contexts[3] = hash_pair(west | north << 13, _at(colour_map, y - 1, x + 1, 0) + 1)
        contexts[4] = hash_pair(west, _at(colour_map, y, x - 2, 0) + 1)
        contexts[5] = hash_pair(north, _at(colour_map, y - 2, x, 0) + 1)
        add_up(frequencies[k], sums[0])
        last = frequencies.shape[1] - 1
        if decoding:
            symbols[k] = decode_symbol(colour_mixer, sums, contexts, 0, last, coder, data)
        else:
            encode_symbol(colour_mixer, sums, contexts, symbols[k], 0, last, coder, data)
        colour = np.int64(symbols[k])
        colour_map[y, x, 0] = colour
        for c in range(3):
            centre = np.int64(colours[colour, c])
            expected, spread = _expect(samples, y, x, c, centre // UNIT)
            fill_around(centre, slopes[colour], tables[0])
            fill_around(UNIT * expected, np.float32(3.0) / np.float32(spread + 3), tables[1])
            _value_contexts(samples, y, x, c, expected, spread, colour + 1, own)
            least, most = np.int64(0), np.int64(255)
            if c == 2:
                least, most = blue_range(colours, colour, samples[y, x, 0], samples[y, x, 1])
            if decoding:
                samples[y, x, c] = decode_symbol(value_mixer, tables, own, least, most, coder, data)
            else:
                encode_symbol(value_mixer, tables, own, source[y, x, c], least, most, coder, data)
                samples[y, x, c] = source[y, x, c]


@compiled
def code_sample(
    decoding: bool,
    mixer: SymbolMixer,
    samples: NDArray[np.int32],
    source: NDArray[np.int32],
    origins: NDArray[np.int64],
    width: int,
    step: int,
    frequencies: NDArray[np.int32],
    symbols: NDArray[np.int32],
    coder: NDArray[np.uint64],
    data: NDArray[np.uint8],
) -> None:
    """Code sample ``step`` of every patch (K) of a width, whose samples are interleaved.

    ``symbols`` (K,) receive the samples.
    """
    channels = samples.shape[2]
    tables, contexts = np.empty((2, 257), np.int64), np.empty(VALUE_CONTEXTS, np.int64)
    for k in range(origins.shape[0]):
        pixel, c = step // channels, step % channels
        y, x = origins[k, 0] + pixel // width, origins[k, 1] + pixel % width
        expected, spread = _expect(samples, y, x, c, 128)
        add_up(frequencies[k], tables[0])
        fill_around(UNIT * expected, np.float32(3.0) / np.float32(spread + 3), tables[1])
        _value_contexts(samples, y, x, c, expected, spread, np.int64(0), contexts)
        if decoding:
            samples[y, x, c] = decode_symbol(mixer, tables, contexts, 0, 255, coder, data)
        else:
            encode_symbol(mixer, tables, contexts, source[y, x, c], 0, 255, coder, data)
            samples[y, x, c] = source[y, x, c]
        symbols[k] = samples[y, x, c]
