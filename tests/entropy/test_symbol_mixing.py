"""Symbols mixed from tables and contexts: what goes in comes out, at about the cost that the tables say."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from foretell.entropy.binary import finish, new_decoder, new_encoder
from foretell.entropy.symbol_mixing import add_up, decode_symbol, encode_symbol, new_symbol_mixer


def roundtrip(
    bits: int, tables: int, contexts: int, symbols: list[int], seed: int, ranges: bool = False
) -> tuple[list[int], int]:
    """Decoded symbols and the size of the code."""
    drawn = np.random.default_rng(seed)
    size = 1 << bits
    frequencies = (drawn.dirichlet(np.full(size, 0.3), (len(symbols), tables)) * 2**28).astype(np.int32) + 1
    keys = drawn.integers(0, 5, (len(symbols), contexts)).astype(np.int64)
    limits = [(drawn.integers(0, s + 1), drawn.integers(s, size)) if ranges else (0, size - 1) for s in symbols]
    out, encoder = np.zeros(64 * len(symbols) + 64, np.uint8), new_encoder()

    def sums_of(index: int):  # type: ignore[no-untyped-def]
        sums = np.zeros((tables, size + 1), np.int64)
        for t in range(tables):
            add_up(frequencies[index, t], sums[t])
        return sums

    mixer = new_symbol_mixer(tables, contexts, bits, len(symbols))
    for index, symbol in enumerate(symbols):
        encode_symbol(mixer, sums_of(index), keys[index], symbol, *limits[index], encoder, out)
    code = out[: finish(encoder, out)]
    mixer, decoder = new_symbol_mixer(tables, contexts, bits, len(symbols)), new_decoder(code)
    found = [
        decode_symbol(mixer, sums_of(index), keys[index], *limits[index], decoder, code)
        for index in range(len(symbols))
    ]
    return found, code.size


@given(
    st.integers(1, 9).flatmap(
        lambda bits: st.tuples(st.just(bits), st.lists(st.integers(0, (1 << bits) - 1), min_size=1, max_size=40))
    ),
    st.integers(1, 2),
    st.integers(1, 3),
    st.integers(0, 9),
    st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_what_goes_in_comes_out(
    case: tuple[int, list[int]], tables: int, contexts: int, seed: int, ranges: bool
) -> None:
    bits, symbols = case
    assert roundtrip(bits, tables, contexts, symbols, seed, ranges)[0] == symbols


def test_a_range_of_one_costs_nothing() -> None:
    mixer, out, encoder = new_symbol_mixer(1, 1, 8, 9), np.zeros(99, np.uint8), new_encoder()
    sums = np.arange(257, dtype=np.int64)[None]
    for _ in range(9):
        encode_symbol(mixer, sums, np.zeros(1, np.int64), 77, 77, 77, encoder, out)
    assert finish(encoder, out) == 0


def test_symbols_drawn_from_the_table_cost_their_entropy() -> None:
    drawn = np.random.default_rng(3)
    count, total, spent = 2000, 0.0, np.zeros(20000, np.uint8)
    mixer, encoder = new_symbol_mixer(1, 2, 8, count), new_encoder()
    for _ in range(count):
        shares = drawn.dirichlet(np.full(256, 0.1))
        frequencies = (shares * 2**28).astype(np.int32) + 1
        sums = np.zeros((1, 257), np.int64)
        add_up(frequencies, sums[0])
        p = frequencies / frequencies.sum()
        symbol = int(drawn.choice(256, p=p))
        total -= np.log2(p[symbol])
        encode_symbol(mixer, sums, drawn.integers(0, 99, 2), symbol, 0, 255, encoder, spent)
    assert finish(encoder, spent) * 8 < 1.05 * total + 200


def test_contexts_learn_what_the_table_does_not_know() -> None:
    flat = np.arange(257, dtype=np.int64)[None]
    out, mixer, encoder = np.zeros(9999, np.uint8), new_symbol_mixer(1, 1, 8, 2000), new_encoder()
    for index in range(2000):
        key = np.array([index % 7], np.int64)
        encode_symbol(mixer, flat, key, (index % 7) * 31, 0, 255, encoder, out)
    assert finish(encoder, out) < 320
