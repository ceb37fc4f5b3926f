"""The loops of the text codec: from states to logistic values, and through the lanes of a section."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled
from foretell.entropy.token_mixing import decode_token, encode_token
from foretell.entropy.token_state import TokenMixer
from foretell.entropy.token_tree import TreeArrays, index_frequencies, path_stretches
from foretell.exact.head import HEAD_ROWS, frequencies_of, head_sums, refine


@compiled
def leaf_depths(left: NDArray[np.int32], right: NDArray[np.int32], leaves: int) -> NDArray[np.int64]:
    """Number of decisions on the path to each leaf."""
    depths = np.zeros(leaves, np.int64)
    at = np.zeros(left.size, np.int64)
    for node in range(left.size):
        for child in (left[node], right[node]):
            if child >= 0:
                at[child] = at[node] + 1
            else:
                depths[~child] = at[node] + 1
    return depths


@compiled
def path_rows(
    integers: NDArray[np.int8],
    scales: NDArray[np.float32],
    head: NDArray[np.int8],
    head_scale: NDArray[np.float32],
    head_rest: NDArray[np.int8],
    unspelled: NDArray[np.int32],
    tree: TreeArrays,
    blocks: int,
    tokens: NDArray[np.int32],
    rows: NDArray[np.int64],
    starts: NDArray[np.int64],
    first: int,
    stretches: NDArray[np.int32],
) -> None:
    """Logistic values on the paths to the tokens that follow each state."""
    leaves = tree.offsets.size - 1
    sums = np.empty((HEAD_ROWS, head_scale.size), np.int32)
    frequencies = np.empty(leaves, np.uint32)
    totals = np.empty(blocks, np.int64)
    for start in range(0, rows.size, HEAD_ROWS):
        count = min(HEAD_ROWS, rows.size - start)
        head_sums(integers[start : start + count], head, sums, count)
        for r in range(count):
            refine(sums[r], integers[start + r], scales[start + r], head_scale, head_rest)
            frequencies_of(sums[r], scales[start + r], head_scale, unspelled, frequencies.view(np.int32))
            index_frequencies(frequencies, totals)
            row = rows[start + r]
            target = stretches[starts[row - first] : starts[row - first + 1]]
            path_stretches(tree, frequencies, totals, tokens[row], target)


@compiled
def index_rows(frequencies: NDArray[np.uint32], totals: NDArray[np.int64]) -> None:
    """Index the frequencies of some rows."""
    for r in range(frequencies.shape[0]):
        index_frequencies(frequencies[r], totals[r])


@compiled
def encode_section(
    mixer: TokenMixer,
    tokens: NDArray[np.int32],
    bounds: NDArray[np.int64],
    stretches: NDArray[np.int32],
    starts: NDArray[np.int64],
    encoder: NDArray[np.uint64],
    out: NDArray[np.uint8],
) -> None:
    """Code a section, step by step through its lanes."""
    first = bounds[0, 0]
    for step in range(bounds[0, 1] - first):
        for lane in range(bounds.shape[0]):
            row = bounds[lane, 0] + step
            if row < bounds[lane, 1]:
                values = stretches[starts[row - first] : starts[row - first + 1]]
                encode_token(mixer, lane, tokens[row], values, encoder, out)


@compiled
def decode_step(
    mixer: TokenMixer,
    active: NDArray[np.int32],
    frequencies: NDArray[np.uint32],
    totals: NDArray[np.int64],
    decoder: NDArray[np.uint64],
    data: NDArray[np.uint8],
    current: NDArray[np.int32],
) -> None:
    """Decode one token of every active lane."""
    for index in range(active.size):
        lane = active[index]
        current[lane] = decode_token(mixer, lane, frequencies[index], totals[index], decoder, data)


@compiled
def decode_from_sums(
    mixer: TokenMixer,
    sums: NDArray[np.int32],
    scale: np.float32,
    scales: NDArray[np.float32],
    unspelled: NDArray[np.int32],
    frequencies: NDArray[np.uint32],
    totals: NDArray[np.int64],
    decoder: NDArray[np.uint64],
    data: NDArray[np.uint8],
) -> int:
    """Decode the next token of lane 0 from the head's refined sums."""
    frequencies_of(sums, scale, scales, unspelled, frequencies.view(np.int32))
    index_frequencies(frequencies, totals)
    return decode_token(mixer, 0, frequencies, totals, decoder, data)
