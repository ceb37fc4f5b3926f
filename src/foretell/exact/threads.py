"""A small pool for Numba functions that release the interpreter lock."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_pool: ThreadPoolExecutor | None = None
_size = 0


def thread_count() -> int:
    """Threads that :func:`run_all` uses: those set, else one for each core that this process may use."""
    return _size or (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def set_thread_count(threads: int) -> None:
    """Use ``threads`` threads from now on; 0 means one for each core."""
    global _pool, _size
    if _pool is not None:
        _pool.shutdown()
    _pool, _size = None, threads


def run_all(function: Callable[..., Any], calls: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Call ``function`` with each tuple of arguments, in parallel; return the results in order."""
    global _pool
    if len(calls) == 1 or thread_count() == 1:
        return [function(*arguments) for arguments in calls]
    if _pool is None:
        _pool = ThreadPoolExecutor(thread_count())
    return [future.result() for future in [_pool.submit(function, *arguments) for arguments in calls]]


def cut(total: int, parts: int, multiple: int = 1) -> list[tuple[int, int]]:
    """Cut range(total) into at most ``parts`` contiguous ranges of nearly equal size, in whole multiples."""
    units = -(-total // multiple)
    parts = max(1, min(parts, units))
    bounds = [min(total, units * i // parts * multiple) for i in range(parts + 1)]
    return list(itertools.pairwise(bounds))
