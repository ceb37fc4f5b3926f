"""Logistic tables against floating point, and their inverses."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest

from foretell.entropy.logistic import (
    SQUASH,
    STRETCH,
    STRETCH_LIMIT,
    log_fixed,
    squash,
    stretch,
    stretch_ratio,
)


def test_squash_is_the_logistic_function() -> None:
    x = np.arange(-STRETCH_LIMIT, STRETCH_LIMIT + 1)
    exact = 65536 / (1 + np.exp(-x / 256))
    assert np.abs(SQUASH - np.clip(exact, 1, 65535)).max() <= 0.5 + 1e-6
    assert (np.diff(SQUASH) >= 0).all()


def test_stretch_inverts_squash() -> None:
    assert (np.diff(STRETCH) >= 0).all()
    p = np.arange(1000, 64536)
    assert np.abs(SQUASH[STRETCH[p].astype(int) + STRETCH_LIMIT] - p).max() <= 33
    assert stretch.py_func(32768) == 0
    assert squash.py_func(10**6) == 65535
    assert squash.py_func(-(10**6)) == 1


@pytest.mark.parametrize("mass", [1, 2, 3, 255, 4097, 123456789, (1 << 62) - 1])
def test_log_fixed(mass: int) -> None:
    assert abs(log_fixed(mass) / 2**24 - math.log(mass)) < 2**-12


def test_ratios_are_antisymmetric_and_clipped() -> None:
    assert stretch_ratio(5, 5) == 0
    assert stretch_ratio(3, 1) == -stretch_ratio(1, 3) == round(256 * math.log(3))
    assert stretch_ratio(1 << 60, 1) == STRETCH_LIMIT


def test_tables_are_pinned() -> None:
    tables = SQUASH.astype("<i4").tobytes() + STRETCH.astype("<i2").tobytes()
    assert hashlib.sha256(tables).hexdigest() == ("9cccf7690b168ba5e23fa1dbf9213198a9de065595bcceb9d1acd5084d3f43d8")
