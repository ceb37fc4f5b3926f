"""Symbols from a table of frequencies, as binary decisions mixed online with contexts that learn.

A symbol of b bits is coded most significant bit first. For each decision every *table* of frequencies (of a language
model, or of a distribution around an expectation) gives the logistic value of its masses on both sides, which is exact
in integers; each *context* tells how what it has seen departs from the first table; two gated mixers weigh all, and a
refinement table corrects the outcome. Symbols outside a range that both sides know cost nothing.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled
from foretell.entropy.binary import decode_bit, encode_bit
from foretell.entropy.context_table import hash_pair
from foretell.entropy.counters import map_update
from foretell.entropy.logistic import SQUASH, STRETCH, STRETCH_LIMIT, squash, stretch_ratio
from foretell.entropy.mixer import REFINE_STEPS, mix, refine, refine_update, train
from foretell.exact.arithmetic import exp2_negative

MOST_BITS: Final = 12
BUCKETS: Final = 13
"""Steps of the first table's logistic value, by which the first mixer chooses its weights."""
SYMBOL_BYTES: Final = 8 * MOST_BITS
"""Most bytes that coding one symbol can write."""
_FIRST_CONTEXT_WEIGHT = 8000
_FIRST_TABLE_WEIGHTS = (50000, 40000)
_RATE: Final = 20
_EARLY: Final = 1 << 19
_SETTLING: Final = 1 << 11
_LIMIT: Final = 255
_REFINE_SHIFT: Final = 6
CONFIDENCE = np.array([0] + [512 * n // (2 * n + 3) for n in range(1, 1024)], np.int16)
"""Weight, of 256, of what a context has seen n times."""


class SymbolMixer(NamedTuple):
    """Memory of the coder of one kind of symbol."""

    sizes: NDArray[np.int64]  # tables, contexts, bits, symbols coded so far
    cells: NDArray[np.uint32]  # (contexts, 2**k): probability and count, hashed
    first: NDArray[np.int32]  # (bits x BUCKETS, inputs): weights of the first mixer
    second: NDArray[np.int32]  # (2**bits, inputs): weights of the second
    refiner: NDArray[np.int32]  # (2**bits, REFINE_STEPS)
    inputs: NDArray[np.int32]  # (inputs,)
    slots: NDArray[np.int64]  # (contexts,)
    used: NDArray[np.int64]  # (1,)


def new_symbol_mixer(tables: int, contexts: int, bits: int, symbols: int) -> SymbolMixer:
    """Coder of symbols of so many bits; ``symbols`` is how many there will be, about."""
    inputs = -(-(tables + contexts + 1) // 8) * 8
    row = np.zeros(inputs, np.int32)
    row[:tables] = _FIRST_TABLE_WEIGHTS[1]
    row[0] = _FIRST_TABLE_WEIGHTS[0]
    row[tables : tables + contexts] = _FIRST_CONTEXT_WEIGHT
    size = 1 << max(12, min((symbols * bits).bit_length(), 20))
    return SymbolMixer(
        np.array([tables, contexts, bits, 0], np.int64),
        np.zeros((contexts, size), np.uint32),
        np.tile(row, bits * BUCKETS),
        np.tile(row, 1 << bits),
        np.zeros((1 << bits) * REFINE_STEPS, np.int32),
        np.zeros(inputs, np.int32),
        np.zeros(contexts, np.int64),
        np.zeros(1, np.int64),
    )


@compiled
def add_up(frequencies: NDArray[np.int32], sums: NDArray[np.int64]) -> None:
    """``sums[i]``: the sum of the frequencies before symbol i; symbols beyond the table have none."""
    total = np.int64(0)
    for i in range(sums.size):
        sums[i] = total
        if i < frequencies.size:
            total += np.int64(frequencies[i])


@compiled
def fill_around(centre: int, slope: np.float32, sums: NDArray[np.int64]) -> None:
    """Sums of frequencies of 256 symbols that fall by 2**-slope for each step from a centre, in sixteenths."""
    total = np.int64(0)
    for value in range(256):
        sums[value] = total
        away = np.float32(abs(16 * value - centre)) / np.float32(16.0)
        total += np.int64(exp2_negative(away * slope)) + 1
    sums[256] = total


@compiled
def _predict(
    mixer: SymbolMixer, sums: NDArray[np.int64], contexts: NDArray[np.int64], low: int, width: int, node: int
) -> int:
    """Fill the inputs of the decision at a node over the symbols from ``low``; return the first table's value."""
    tables, count = mixer.sizes[0], mixer.sizes[1]
    half = width >> 1
    for t in range(tables):
        zeros = sums[t, low + half] - sums[t, low]
        ones = sums[t, low + width] - sums[t, low + half]
        mixer.inputs[t] = stretch_ratio(max(ones, 1), max(zeros, 1))
    prior = np.int64(mixer.inputs[0])
    fresh = np.uint32(np.int64(SQUASH[prior + STRETCH_LIMIT]) << 16)
    mask = mixer.cells.shape[1] - 1
    for k in range(count):
        slot = hash_pair(contexts[k] & 0xFFFFFFFF, node + (k << 16)) & mask
        cell = mixer.cells[k, slot]
        seen = np.int64(cell & np.uint32(1023))
        if seen == 0:
            mixer.cells[k, slot] = fresh
            cell = fresh
        mixer.slots[k] = slot
        departure = np.int64(STRETCH[np.int64(cell) >> 16]) - prior
        departure = min(max(departure, -STRETCH_LIMIT), STRETCH_LIMIT)
        mixer.inputs[tables + k] = (departure * np.int64(CONFIDENCE[seen])) >> 8
    mixer.inputs[tables + count] = 256
    return prior


@compiled
def _code(
    decoding: bool,
    mixer: SymbolMixer,
    sums: NDArray[np.int64],
    contexts: NDArray[np.int64],
    symbol: int,
    least: int,
    most: int,
    coder: NDArray[np.uint64],
    data: NDArray[np.uint8],
) -> int:
    """Code ``symbol`` or decode one; it is known to lie in least ... most."""
    count, bits = mixer.sizes[1], mixer.sizes[2]
    size = mixer.inputs.size
    rate = _RATE + _EARLY // (mixer.sizes[3] + _SETTLING)
    mixer.sizes[3] += 1
    low, width, node = np.int64(0), np.int64(1) << bits, np.int64(1)
    for depth in range(bits):
        half = width >> 1
        middle = low + half
        if most < middle or least >= middle:
            bit = np.int64(1 if least >= middle else 0)
        else:
            prior = _predict(mixer, sums, contexts, low, width, node)
            bucket = min(max((prior + 3328) >> 9, 0), BUCKETS - 1)
            row = (depth * BUCKETS + bucket) * size
            x_first = mix(mixer.first, row, mixer.inputs)
            x_second = mix(mixer.second, node * size, mixer.inputs)
            x = (np.int64(x_first) + np.int64(x_second)) >> 1
            refined = refine(mixer.refiner, node, x, mixer.used, 0)
            p = min(max((np.int64(squash(x)) * 3 + np.int64(refined) + 2) >> 2, 1), 65535)
            if decoding:
                bit = np.int64(decode_bit(coder, data, p))
            else:
                bit = np.int64(symbol >= middle)
                encode_bit(coder, data, bit, p)
            train(mixer.first, row, mixer.inputs, (bit << 16) - np.int64(squash(x_first)), rate)
            train(mixer.second, node * size, mixer.inputs, (bit << 16) - np.int64(squash(x_second)), rate)
            refine_update(mixer.refiner, mixer.used[0], bit, _REFINE_SHIFT)
            for k in range(count):
                slot = mixer.slots[k]
                mixer.cells[k, slot] = map_update(np.int64(mixer.cells[k, slot]), bit, _LIMIT)
        low += bit * half
        width = half
        node = 2 * node + bit
    return low


@compiled
def encode_symbol(
    mixer: SymbolMixer,
    sums: NDArray[np.int64],
    contexts: NDArray[np.int64],
    symbol: int,
    least: int,
    most: int,
    encoder: NDArray[np.uint64],
    out: NDArray[np.uint8],
) -> None:
    """Code a symbol that is known to lie in least ... most.

    Parameters
    ----------
    sums : int64 (tables, 2**bits + 1)
        From :func:`add_up`.
    contexts : int64 (contexts,)
        Numbers of the contexts; the lower 32 bits count.
    """
    _code(False, mixer, sums, contexts, symbol, least, most, encoder, out)


@compiled
def decode_symbol(
    mixer: SymbolMixer,
    sums: NDArray[np.int64],
    contexts: NDArray[np.int64],
    least: int,
    most: int,
    decoder: NDArray[np.uint64],
    data: NDArray[np.uint8],
) -> int:
    """Decode a symbol; the inverse of :func:`encode_symbol`."""
    symbol: int = _code(True, mixer, sums, contexts, 0, least, most, decoder, data)
    return symbol
