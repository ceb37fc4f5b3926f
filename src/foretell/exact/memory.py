"""Scratch arrays of compiled code that begin with a cache line, so that no vector of theirs lies in two."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled
from foretell.pages import LINE


@compiled
def aligned_bytes(size: int) -> NDArray[np.int8]:
    """So many bytes that begin with a cache line, for compiled code to view as it likes."""
    flat = np.empty(size + LINE, np.int8)
    skip = -flat.ctypes.data % LINE
    return flat[skip : skip + size]


@compiled
def aligned_int32(rows: int, columns: int) -> NDArray[np.int32]:
    """Rows that begin with cache lines if ``columns`` is a multiple of 16; not initialised."""
    return aligned_bytes(4 * rows * columns).view(np.int32).reshape(rows, columns)


@compiled
def aligned_float32(rows: int, columns: int) -> NDArray[np.float32]:
    """The same of float32."""
    return aligned_bytes(4 * rows * columns).view(np.float32).reshape(rows, columns)


@compiled
def aligned_int8(rows: int, columns: int) -> NDArray[np.int8]:
    """The same of int8, for multiples of 64."""
    return aligned_bytes(rows * columns).reshape(rows, columns)
