"""The compiled functions against the NumPy oracle, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from foretell.compilation import compiled
from foretell.exact import arithmetic, reference
from foretell.exact.head import frequencies_of, refine
from foretell.exact.product import pack, product, unpack
from foretell.exact.rotary import inverse_frequencies, rotary_table
from foretell.exact.samples import floats, integers, splitmix64
from foretell.exact.softmax import attention_weights
from foretell.exact.transform import hadamard, quantise, rms_norm, rotate_weights
from foretell.models.layers import _rotate

few = settings(max_examples=60, deadline=None)
seeds = st.integers(0, 2**32)
numbers = st.floats(-(2.0**100), 2.0**100, width=32)


def same(left: NDArray[np.generic], right: NDArray[np.generic]) -> bool:
    """Equal in type, shape and every bit."""
    return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()


@compiled
def _each(x: NDArray[np.float32], powers: NDArray[np.int32], out: NDArray[np.float32]) -> None:
    for i in range(x.size):
        powers[i] = arithmetic.exp2_negative(abs(x[i]))
        out[0, i] = arithmetic.sigmoid(x[i])
        out[1, i] = arithmetic.silu(x[i])
        out[2, i] = arithmetic.gelu(x[i])


def elementwise(x: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    powers, out = np.empty(x.size, np.int32), np.empty((3, x.size), np.float32)
    _each(x, powers, out)
    return powers, out


def check_elementwise(x: NDArray[np.float32]) -> None:
    powers, out = elementwise(x)
    assert same(powers, reference.exp2_negative(np.abs(x)))
    for row, function in zip(out, (reference.sigmoid, reference.silu, reference.gelu), strict=True):
        assert same(row, function(x))


def test_splitmix64_is_the_published_generator() -> None:
    assert splitmix64(1234567, 3).tolist() == [6457827717110365317, 3203168211198807973, 9817491932198370423]


def test_elementwise_functions_on_many_numbers() -> None:
    check_elementwise(floats(1, (200_000,), 20) * np.float32(64.0))


@few
@given(st.lists(numbers, min_size=1, max_size=40))
def test_elementwise_functions_on_awkward_numbers(values: list[float]) -> None:
    x = np.array(values, np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        check_elementwise(x)


def test_powers_and_gates_are_accurate() -> None:
    t = np.linspace(0, 24, 10_001).astype(np.float32)
    powers, out = elementwise(t)
    assert np.abs(powers / 2.0**28 - np.exp2(-t.astype(np.float64))).max() < 1e-6
    assert np.abs(out[1] - t / (1 + np.exp(-t.astype(np.float64)))).max() < 1e-5


@few
@given(seeds, st.integers(1, 70), st.integers(1, 20), st.integers(1, 14))
def test_products(seed: int, rows: int, blocks: int, parts: int) -> None:
    left = integers(seed, -127, 127, (rows, 16 * parts)).astype(np.int8)
    matrix = integers(seed + 1, -63, 63, (16 * blocks, 16 * parts)).astype(np.int8)
    out = np.empty((rows, 16 * blocks), np.int32)
    product(left, pack(matrix), out)
    assert np.array_equal(out, reference.product(left, matrix))
    assert np.array_equal(unpack(pack(matrix), 16 * blocks - 3), matrix[:-3])


@few
@given(seeds, st.sampled_from([16, 32, 64, 96, 128, 192, 576]), st.integers(0, 60))
def test_rotation_norm_and_rounding(seed: int, width: int, spread: int) -> None:
    block = int(np.gcd(width, 64))
    x, weight = floats(seed, (width,), spread), floats(seed + 1, (width,))
    rotated = x.copy()
    hadamard(rotated, block)
    assert same(rotated, reference.hadamard(x, block))
    normed = np.empty_like(x)
    rms_norm(x, weight, 1e-5, normed)
    assert same(normed, reference.rms_norm(x, weight, 1e-5))
    whole = np.empty(width, np.int8)
    scale = np.float32(quantise(x, whole))
    expected, expected_scale = reference.quantise(x)
    assert np.array_equal(whole, expected)
    assert scale == expected_scale
    assert np.abs(whole).max() == 127


def test_rows_of_zeros() -> None:
    x, out, whole = np.zeros(64, np.float32), np.empty(64, np.float32), np.empty(64, np.int8)
    rms_norm(x, np.ones(64, np.float32), 1e-5, out)
    assert not out.any()
    assert quantise(x, whole) == 0
    assert not whole.any()
    assert reference.quantise(x)[1] == 0


def test_rotation_of_both_sides_cancels() -> None:
    matrix, x = floats(5, (16, 192)), floats(6, (192,))
    turned = reference.hadamard(x, 64).astype(np.float64) @ rotate_weights(matrix, 64).T
    assert np.allclose(turned, x.astype(np.float64) @ matrix.T.astype(np.float64), atol=1e-4)


@few
@given(seeds, st.integers(1, 200), st.integers(0, 70), st.integers(0, 40), st.booleans())
def test_attention_weights(seed: int, slots: int, begin: int, hidden: int, masked: bool) -> None:
    size = -(-(begin + slots) // 64) * 64
    seen = slice(begin, begin + slots)
    sums = integers(seed, -(2**18), 2**18, (size,)).astype(np.int32)
    keys, values = np.abs(floats(seed + 1, (size,), 8)), np.abs(floats(seed + 2, (size,), 8))
    visible = integers(seed + 3, 0, 1, (min(hidden, slots) if masked else 0,)).astype(np.bool_)
    visible[-1:] = True
    scale = np.abs(floats(seed + 4, (1,))[0]) * np.float32(0.01)
    upper, lower = np.empty((2, size), np.int8)
    found = attention_weights(sums, scale, keys, values, begin, seen.stop, visible, upper, lower)
    out = 256 * upper.astype(np.int64) + lower
    expected, expected_scale = reference.attention_weights(sums[seen], scale, keys[seen], values[seen], visible)
    assert np.array_equal(out[seen], expected)
    assert np.float32(found) == expected_scale
    assert not out[seen][slots - visible.size :][~visible].any()
    assert not out[:begin].any()
    assert not out[seen.stop :].any()
    assert int(out.sum()) * 127 < 2**24


def test_attention_weights_of_nothing() -> None:
    nothing, one, sums = np.zeros(16, np.float32), np.ones(16, np.float32), np.zeros(16, np.int32)
    out, all_seen = np.empty((2, 16), np.int8), np.empty(0, np.bool_)
    scale = attention_weights(sums, np.float32(1), one, nothing, 0, 3, all_seen, out[0], out[1])
    assert scale == 0
    assert not out.any()


@few
@given(seeds, st.integers(1, 300))
def test_frequencies(seed: int, tokens: int) -> None:
    sums = integers(seed, -(2**20), 2**20, (tokens,)).astype(np.int32)
    scales = np.abs(floats(seed + 1, (tokens,), 6)) * np.float32(1e-3)
    unspelled = np.arange(0, tokens, 7, dtype=np.int32)
    out = np.empty(tokens, np.int32)
    frequencies_of(sums, np.float32(0.03), scales, unspelled, out)
    assert same(out, reference.frequencies(sums, np.float32(0.03), scales, unspelled))
    assert out.min() >= 1
    assert out.max() <= 2**28 + 1


@few
@given(seeds, st.integers(1, 300))
def test_refined_sums(seed: int, tokens: int) -> None:
    head = integers(seed, -63, 63, (tokens, 32)).astype(np.int8)
    rest = integers(seed + 1, -8, 8, (tokens, 32)).astype(np.int8)
    left = integers(seed + 2, -127, 127, (32,)).astype(np.int8)
    scales = np.abs(floats(seed + 3, (tokens,), 6)) * np.float32(1e-2)
    sums, rest_sums = (reference.product(left[None], matrix)[0] for matrix in (head, rest))
    found = sums.astype(np.int32)
    refine(found, left, np.float32(0.02), scales, rest)
    expected = reference.refined(sums, rest_sums, np.float32(0.02), scales)
    assert np.array_equal(found, expected)
    logits = expected.astype(np.float32) * scales
    assert expected[logits.argmax()] == 16 * sums[logits.argmax()] + rest_sums[logits.argmax()]


@few
@given(seeds, st.sampled_from([8, 16, 32, 128]))
def test_rotary_positions(seed: int, half: int) -> None:
    x, turn = floats(seed, (2 * half,), 4), floats(seed + 1, (2, half))
    turned = x.copy()
    _rotate(turned, turn[0], turn[1])
    assert same(turned, reference.rotate(x, turn[0], turn[1]))


def test_rotary_table_is_sine_and_cosine() -> None:
    frequencies = inverse_frequencies(10000.0, 64)
    cosines, sines = rotary_table(8192, frequencies)
    angles = np.arange(8192)[:, None] * 10000.0 ** (-np.arange(32) / 32)
    assert np.abs(cosines - np.cos(angles)).max() < 1e-6
    assert np.abs(sines - np.sin(angles)).max() < 1e-6


@pytest.mark.parametrize("function", [reference.sigmoid, reference.silu, reference.gelu, reference.hadamard])
def test_the_oracle_stays_in_binary32(function: object) -> None:
    x = floats(1, (64,))
    result = function(x, 64) if function is reference.hadamard else function(x)  # type: ignore[operator]
    assert result.dtype == np.float32
