"""The arithmetic coder: mirrors, size, damaged input."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from foretell.entropy.binary import decode_bit, encode_bit, finish, new_decoder, new_encoder

DECISIONS = st.lists(st.tuples(st.integers(0, 1), st.sampled_from([1, 2, 300, 32768, 60000, 65535])), max_size=200)


def code(decisions: list[tuple[int, int]]) -> np.ndarray:
    out, encoder = np.zeros(16 * len(decisions) + 32, np.uint8), new_encoder()
    for bit, p in decisions:
        encode_bit(encoder, out, bit, p)
    return out[: finish(encoder, out)]


@settings(max_examples=60, deadline=None)
@given(DECISIONS)
def test_bits_come_back(decisions: list[tuple[int, int]]) -> None:
    data = code(decisions)
    decoder = new_decoder(data)
    assert [decode_bit(decoder, data, p) for _, p in decisions] == [bit for bit, _ in decisions]


@settings(max_examples=60, deadline=None)
@given(DECISIONS)
def test_size_is_the_ideal_length_and_at_most_nine_bytes(decisions: list[tuple[int, int]]) -> None:
    ideal = sum(-math.log2((p if bit else 65536 - p) / 65536) for bit, p in decisions)
    assert 8 * code(decisions).size <= ideal * 1.001 + 72


def test_nothing_takes_no_bytes() -> None:
    assert code([]).size == 0


def test_noise_decodes_to_bits() -> None:
    noise = np.random.default_rng(1).integers(0, 256, 20, np.uint8)
    decoder = new_decoder(noise)
    assert {decode_bit(decoder, noise, 20000) for _ in range(1000)} == {0, 1}
