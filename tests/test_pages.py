"""Arrays on large pages are zeros that begin with a cache line, whatever their size."""

from __future__ import annotations

import numpy as np
import pytest

from foretell.pages import LINE, aligned_zeros


@pytest.mark.parametrize("shape", [(0, 3), (1,), (5, 7), (3, 1 << 19), (2, 1 << 20)])
def test_arrays_are_aligned_zeros(shape: tuple[int, ...]) -> None:
    array = aligned_zeros(shape, np.int32)
    assert array.shape == shape
    assert array.dtype == np.int32
    assert not array.any()
    assert array.size == 0 or array.ctypes.data % LINE == 0
    array[...] = 1
    assert array.sum() == array.size


def test_without_large_pages_memory_is_ordinary(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foretell.pages._on_large_pages", lambda size: np.zeros(0, np.uint8))
    array = aligned_zeros((1 << 20, 2), np.int8)
    assert array.ctypes.data % LINE == 0
    assert not array.any()
