"""Token mixing: what is coded comes back, in lanes too, and no input can hurt the decoder."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from numpy.typing import NDArray

from foretell.entropy.binary import finish, new_decoder, new_encoder
from foretell.entropy.token_mixing import decode_token, encode_token
from foretell.entropy.token_state import TokenMixer, new_mixer
from foretell.entropy.token_tree import (
    MOST_DECISIONS,
    TokenTree,
    frequency_blocks,
    index_frequencies,
    path_stretches,
)

WORDS = [b"the", b" the", b" cat", b" sat", b" on", b" mat", b".\n", b"level=", b"info ", b"id=", b" code: "]


def vocabulary() -> TokenTree:
    return TokenTree.build(sorted({bytes([value]) for value in range(256)} | set(WORDS)))


def some_text(leaves: int, tokens: int, seed: int) -> NDArray[np.int64]:
    """Tokens that repeat in phrases with a few random ones between."""
    rng = np.random.default_rng(seed)
    phrases = [rng.integers(0, leaves, rng.integers(1, 9)) for _ in range(12)]
    parts: list[NDArray[np.int64]] = []
    while sum(map(len, parts)) < tokens:
        parts.append(phrases[rng.integers(12)])
        parts.append(rng.integers(0, leaves, rng.integers(0, 3)))
    return np.concatenate(parts)[:tokens]


def some_frequencies(leaves: int, guess: int, rng: np.random.Generator) -> NDArray[np.uint32]:
    """Frequencies that favour a guess."""
    frequencies = rng.integers(1, 50, leaves).astype(np.uint32)
    frequencies[guess] += rng.integers(0, 20000)
    return frequencies


def encode(tree: TokenTree, tokens: NDArray[np.int64], lanes: int, seed: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    mixer = new_mixer(tree, -(-len(tokens) // lanes), lanes)
    encoder, out = new_encoder(), np.zeros(len(tokens) * 64 + 64, np.uint8)
    stretches = np.zeros(MOST_DECISIONS, np.int32)
    totals = np.zeros(frequency_blocks(tree.leaves), np.int64)
    for index, leaf in enumerate(tokens.tolist()):
        guess = leaf if rng.random() < 0.5 else int(rng.integers(tree.leaves))
        frequencies = some_frequencies(tree.leaves, guess, rng)
        index_frequencies(frequencies, totals)
        count = path_stretches(tree.arrays, frequencies, totals, leaf, stretches)
        assert encode_token(mixer, index % lanes, leaf, stretches, encoder, out) == count
    return out[: finish(encoder, out)].copy()


def decode(
    tree: TokenTree, data: NDArray[np.uint8], tokens: NDArray[np.int64], lanes: int, seed: int
) -> NDArray[np.int64]:
    """Decode with the frequencies that ``encode`` made for ``tokens``."""
    rng = np.random.default_rng(seed)
    mixer = new_mixer(tree, -(-len(tokens) // lanes), lanes)
    decoder = new_decoder(data)
    totals = np.zeros(frequency_blocks(tree.leaves), np.int64)
    decoded = np.zeros_like(tokens)
    for index, leaf in enumerate(tokens.tolist()):
        guess = leaf if rng.random() < 0.5 else int(rng.integers(tree.leaves))
        frequencies = some_frequencies(tree.leaves, guess, rng)
        index_frequencies(frequencies, totals)
        decoded[index] = decode_token(mixer, index % lanes, frequencies, totals, decoder, data)
    return decoded


@pytest.mark.parametrize("lanes", [1, 4, 24])
def test_tokens_come_back(lanes: int) -> None:
    tree = vocabulary()
    tokens = some_text(tree.leaves, 600, lanes)
    data = encode(tree, tokens, lanes, 7)
    assert np.array_equal(decode(tree, data, tokens, lanes, 7), tokens)


@pytest.mark.parametrize(
    "leaves", [[b"\n"], [b"a", b"ab"], [b"a", b"aa", b"aaa", b"b" * 300], [b"\x00", b"\xff"]], ids=repr
)
def test_small_vocabularies(leaves: list[bytes]) -> None:
    tree = TokenTree.build(leaves)
    tokens = some_text(tree.leaves, 200, 3)
    data = encode(tree, tokens, 2, 11)
    assert np.array_equal(decode(tree, data, tokens, 2, 11), tokens)


def test_repetition_costs_almost_nothing() -> None:
    tree = vocabulary()
    once = some_text(tree.leaves, 300, 1)
    size = len(encode(tree, once, 1, 5))
    assert len(encode(tree, np.concatenate([once] * 3), 1, 5)) < 1.4 * size


def test_more_tokens_than_expected_are_coded_all_the_same() -> None:
    tree = vocabulary()
    tokens = some_text(tree.leaves, 1500, 2)
    results = []
    for _ in range(2):
        mixer = new_mixer(tree, 10, 1)
        encoder, out = new_encoder(), np.zeros(40000, np.uint8)
        for leaf in tokens.tolist():
            encode_token(mixer, 0, leaf, np.zeros(MOST_DECISIONS, np.int32), encoder, out)
        results.append(out[: finish(encoder, out)].tobytes())
    assert results[0] == results[1]


@pytest.mark.parametrize("size", [0, 1, 500])
def test_garbage_decodes_to_some_tokens(size: int) -> None:
    tree = vocabulary()
    data = np.random.default_rng(size).integers(0, 256, size, np.uint8)
    frequencies = np.ones(tree.leaves, np.uint32)
    totals = index_frequencies(frequencies, np.zeros(frequency_blocks(tree.leaves), np.int64))
    mixer: TokenMixer = new_mixer(tree, 400, 3)
    decoder = new_decoder(data)
    for index in range(1200):
        assert 0 <= decode_token(mixer, index % 3, frequencies, totals, decoder, data) < tree.leaves


def test_the_format_has_not_changed() -> None:
    tree = vocabulary()
    mixer = new_mixer(tree, 200, 3)
    encoder, out = new_encoder(), np.zeros(20000, np.uint8)
    stretches = np.zeros(MOST_DECISIONS, np.int32)
    totals = np.zeros(frequency_blocks(tree.leaves), np.int64)
    for index in range(600):
        leaf = (index * index // 7 + index % 5 * 40) % tree.leaves
        frequencies = 1 + (np.arange(tree.leaves) * 2654435761 + index) % 1000
        index_frequencies(frequencies.astype(np.uint32), totals)
        path_stretches(tree.arrays, frequencies.astype(np.uint32), totals, leaf, stretches)
        encode_token(mixer, index % 3, leaf, stretches, encoder, out)
    digest = hashlib.sha256(out[: finish(encoder, out)].tobytes()).hexdigest()
    assert digest[:16] == "1bfc9f199f49b0be"
