"""The loop of the codec for bytes with a model: a byte of every lane."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled
from foretell.entropy.context_table import hash_pair
from foretell.entropy.symbol_mixing import SYMBOL_BYTES, SymbolMixer, add_up, decode_symbol, encode_symbol, fill_around

CONTEXTS: Final = 10
TABLES: Final = 2
STEP_BYTES: Final = SYMBOL_BYTES
"""Most bytes that one lane's byte can write."""
TAPS: Final = 16
_MIDDLE: Final = 128
_UNIT: Final = 16
_STEP: Final = 512
_LEAST_ENERGY: Final = 256
_WEIGHT_LIMIT: Final = 1 << 20


class Waves(NamedTuple):
    """What each lane's bytes lead to expect, taken for samples of sound: a normalised LMS filter in integers."""

    weights: NDArray[np.int64]  # (K, TAPS), in 65,536ths
    missed: NDArray[np.int64]  # (K,): mean of what was missed of late, in 256ths of a step


def new_waves(lanes: int) -> Waves:
    """Filters that have seen nothing: each byte is expected to be like the last."""
    weights = np.zeros((lanes, TAPS), np.int64)
    weights[:, 0] = 1 << 16
    return Waves(weights, np.full(lanes, 12 << 8, np.int64))


@compiled
def _expect(waves: Waves, lane: int, row: NDArray[np.int32], step: int) -> int:
    """The next byte of a lane, in sixteenths."""
    total = np.int64(0)
    for k in range(min(TAPS, step)):
        total += waves.weights[lane, k] * (row[step - 1 - k] - _MIDDLE)
    expected: int = min(max((total >> 12) + _UNIT * _MIDDLE, 0), _UNIT * 255)
    return expected


@compiled
def _learn(waves: Waves, lane: int, row: NDArray[np.int32], step: int, expected: int) -> None:
    missed = _UNIT * np.int64(row[step]) - expected
    energy = np.int64(_LEAST_ENERGY)
    for k in range(min(TAPS, step)):
        energy += np.int64(row[step - 1 - k] - _MIDDLE) * (row[step - 1 - k] - _MIDDLE)
    for k in range(min(TAPS, step)):
        weight = waves.weights[lane, k] + (missed * (row[step - 1 - k] - _MIDDLE) * _STEP) // energy
        waves.weights[lane, k] = min(max(weight, -_WEIGHT_LIMIT), _WEIGHT_LIMIT)
    waves.missed[lane] += ((abs(missed) << 4) - waves.missed[lane]) >> 4


@compiled
def _fill_contexts(lane: NDArray[np.int32], step: int, expected: int, contexts: NDArray[np.int64]) -> None:
    """Bytes before, their neighbours of the same weight in words of 16 bits, and what is expected."""
    c = np.zeros(6, np.int64)
    for back in range(1, 7):
        if step >= back:
            c[back - 1] = lane[step - back]
    contexts[0] = 0
    contexts[1] = c[0]
    contexts[2] = c[0] | c[1] << 8
    contexts[3] = hash_pair(c[0] | c[1] << 8, c[2])
    contexts[4] = hash_pair(c[0] | c[1] << 8, c[2] | c[3] << 8)
    contexts[5] = hash_pair(hash_pair(c[0] | c[1] << 8, c[2] | c[3] << 8), c[4] | c[5] << 8)
    contexts[6] = c[1]
    contexts[7] = c[1] | c[3] << 8 | (step & 1) << 16
    contexts[8] = min(max(2 * c[0] - c[1], -64), 320) & 0xFFFF
    contexts[9] = expected // _UNIT | c[0] >> 4 << 8


@compiled
def code_step(
    decoding: bool,
    mixer: SymbolMixer,
    waves: Waves,
    block: NDArray[np.int32],
    active: NDArray[np.int64],
    step: int,
    frequencies: NDArray[np.int32],
    coder: NDArray[np.uint64],
    data: NDArray[np.uint8],
) -> None:
    """Code byte ``step`` of every active lane of a block (K, L), or decode it into the block.

    ``frequencies`` are the model's, (K, 256).
    """
    contexts = np.empty(CONTEXTS, np.int64)
    sums = np.empty((TABLES, 257), np.int64)
    for index in range(active.size):
        lane = active[index]
        expected = _expect(waves, lane, block[lane], step)
        add_up(frequencies[lane], sums[0])
        fill_around(expected, np.float32(256.0) / np.float32(waves.missed[lane] + 128), sums[1])
        _fill_contexts(block[lane], step, expected, contexts)
        if decoding:
            block[lane, step] = decode_symbol(mixer, sums, contexts, 0, 255, coder, data)
        else:
            encode_symbol(mixer, sums, contexts, block[lane, step], 0, 255, coder, data)
        _learn(waves, lane, block[lane], step, expected)
