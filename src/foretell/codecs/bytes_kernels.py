"""The loop of the codec for bytes with a model: a byte of every lane."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled
from foretell.entropy.context_table import hash_pair
from foretell.entropy.symbol_mixing import SYMBOL_BYTES, SymbolMixer, add_up, decode_symbol, encode_symbol

CONTEXTS: Final = 10
STEP_BYTES: Final = SYMBOL_BYTES
"""Most bytes that one lane's byte can write."""


@compiled
def _fill_contexts(lane: NDArray[np.int32], step: int, contexts: NDArray[np.int64]) -> None:
    """Bytes before, their neighbours of the same weight in words of 16 bits, and straight lines through them."""
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
    contexts[8] = min(max(2 * c[0] - c[1], -64), 320)
    contexts[9] = min(max(3 * c[0] - 3 * c[1] + c[2], -64), 320) >> 1


@compiled
def code_step(
    decoding: bool,
    mixer: SymbolMixer,
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
    sums = np.empty((1, 257), np.int64)
    for index in range(active.size):
        lane = active[index]
        add_up(frequencies[lane], sums[0])
        _fill_contexts(block[lane], step, contexts)
        if decoding:
            block[lane, step] = decode_symbol(mixer, sums, contexts, 0, 255, coder, data)
        else:
            encode_symbol(mixer, sums, contexts, block[lane, step], 0, 255, coder, data)
