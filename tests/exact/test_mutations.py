"""Break a rule of the contract, and the tests notice: each rule is there for a reason."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit
from numpy.typing import NDArray

from foretell.exact import arithmetic, doctor, reference, transform
from foretell.exact.kernels import float_product
from foretell.exact.samples import floats, integers
from foretell.exact.softmax import attention_weights


def saturating_product(left: NDArray[np.int64], matrix: NDArray[np.int64]) -> NDArray[np.int64]:
    """What int8 kernels without VNNI compute: sums of two u8 x s8 products saturate at 16 bits."""
    unsigned = (left + 128)[:, None, :] * matrix[None]
    pairs = np.clip(unsigned[..., 0::2] + unsigned[..., 1::2], -32768, 32767)
    return pairs.sum(axis=2) - 128 * matrix.sum(axis=1)[None]


@pytest.mark.parametrize(("limit", "right"), [(63, True), (64, True), (65, False), (127, False)])
def test_weights_beyond_63_saturate_int8_kernels(limit: int, right: bool) -> None:
    left, matrix = np.full((2, 64), 127), np.full((16, 64), limit)
    left[1], matrix[1::2] = -127, -limit
    equal = np.array_equal(saturating_product(left, matrix), left @ matrix.T)
    assert equal == right
    random = integers(1, -limit, limit, (64, 64))
    if right:
        assert np.array_equal(saturating_product(left, random), left @ random.T)


@pytest.mark.parametrize(("limit", "right"), [(63, True), (127, False)])
def test_weights_beyond_63_exceed_float32_sums(limit: int, right: bool) -> None:
    left, matrix = 127 - integers(1, 0, 2, (4, 2048)), limit - integers(2, 0, 2, (16, 2048))
    assert np.array_equal(float_product(left, matrix), left @ matrix.T) == right


def float_norm(x: NDArray[np.float32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    """A norm whose mean is a running float32 sum."""
    total = np.add.accumulate(x * x, dtype=np.float32)[-1]
    scale = np.float32(1) / np.sqrt(total / np.float32(x.size) + np.float32(1e-5))
    return (x * scale) * weight


def shuffles(width: int) -> list[NDArray[np.int64]]:
    return [np.argsort(integers(seed, 0, 2**40, (width,)), kind="stable") for seed in range(8)]


def test_a_float_sum_in_the_norm_depends_on_its_order() -> None:
    x, weight = floats(1, (576,), 4), np.ones(576, np.float32)
    exact, loose = set(), set()
    for order in shuffles(576):
        out = np.empty_like(x)
        transform.rms_norm(x[order], weight, 1e-5, out)
        exact.add(out[np.argsort(order)].tobytes())
        loose.add(float_norm(x[order], weight)[np.argsort(order)].tobytes())
    assert len(exact) == 1
    assert len(loose) > 1


def float_softmax(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    powers = reference.exp2_negative(scores.max() - scores).astype(np.float32)
    result: NDArray[np.float32] = powers / np.add.accumulate(powers, dtype=np.float32)[-1]
    return result


def test_a_float_sum_in_the_softmax_depends_on_its_order() -> None:
    sums, ones = integers(3, -9000, 9000, (700,)).astype(np.int32), np.ones(700, np.float32)
    exact, loose = set(), set()
    for order in shuffles(700):
        out, seen = np.empty((2, 704), np.int8), np.empty(0, np.bool_)
        row, scales = np.pad(sums[order], (0, 4)), np.pad(ones, (0, 4))
        scale = attention_weights(row, np.float32(1e-3), scales, scales, 0, 700, seen, out[0], out[1])
        exact.add((out[:, np.argsort(order)].tobytes(), float(scale)))
        scores = sums[order].astype(np.float32) * np.float32(1e-3)
        loose.add(float_softmax(scores)[np.argsort(order)].tobytes())
    assert len(exact) == 1
    assert len(loose) > 1


def test_fastmath_removes_the_rounding() -> None:
    relaxed = njit(fastmath=True)(arithmetic.round_even.py_func)
    x = np.float32(2.3)
    assert arithmetic.round_even(x) == 2
    assert relaxed(x) != 2


def test_fastmath_breaks_quantisation_and_the_doctor_notices(monkeypatch: pytest.MonkeyPatch) -> None:
    relaxed = njit(fastmath=True, error_model="numpy")(transform.quantise.py_func)
    x = floats(2, (576,), 4)
    out = np.empty(576, np.int8)
    relaxed(x, out)
    assert not np.array_equal(out, reference.quantise(x)[0])
    monkeypatch.setattr(doctor, "quantise", relaxed)
    monkeypatch.setattr(doctor, "_CHECKS", {name: doctor._CHECKS[name] for name in ("product", "rotation")})
    found = doctor.digests()
    assert found["product"] == doctor.GOLDEN["product"]
    assert found["rotation"] != doctor.GOLDEN["rotation"]


def test_a_fused_multiply_add_changes_bits() -> None:
    x = floats(4, (4096,))
    cosine, sine = floats(5, (2048,)), floats(6, (2048,))
    a, b = x[:2048].astype(np.float64), x[2048:].astype(np.float64)
    # The product of two float32 is exact in binary64, so this is a fused multiply-add but for rare double roundings.
    fused = (a * cosine - (b * sine).astype(np.float32)).astype(np.float32)
    assert (fused != reference.rotate(x, cosine, sine)[:2048]).any()
