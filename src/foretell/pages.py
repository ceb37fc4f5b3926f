"""Large arrays on large pages of memory.

Arrays that are read from end to end at every step, or at random, cost the processor much time to find where each page
of 4 KB lies: on virtual machines, reading takes twice as long. Linux gives pages of 2 MB to those who ask.
"""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

LINE = 64
"""Bytes of a cache line, with which the arrays begin."""
_LARGE_PAGE = 1 << 21
_LEAST = 1 << 20


def aligned_zeros(shape: tuple[int, ...], kind: type[np.generic]) -> NDArray[Any]:
    """Zeros that begin with a cache line, on large pages if there are many.

    >>> aligned_zeros((2, 3), np.int32).tolist()
    [[0, 0, 0], [0, 0, 0]]
    """
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(kind).itemsize
    flat, multiple = np.zeros(0, np.uint8), LINE
    if size >= _LEAST and hasattr(mmap, "MADV_HUGEPAGE"):
        multiple = _LARGE_PAGE
        flat = _on_large_pages(size + multiple)
    if not flat.size:
        flat = np.zeros(size + multiple, np.uint8)
    skip = -flat.ctypes.data % multiple
    return flat[skip : skip + size].view(kind).reshape(shape)


def _on_large_pages(size: int) -> NDArray[np.uint8]:
    """Zeros, or none where the system refuses."""
    memory = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    try:
        memory.madvise(mmap.MADV_HUGEPAGE)
    except OSError:
        return np.zeros(0, np.uint8)
    return np.frombuffer(memory, np.uint8)
