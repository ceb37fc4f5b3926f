"""Threads that compute one result together and wait for each other on the way.

A single token goes through a model in some 200 steps, each too short to be handed to a pool of threads. So
all threads run the same compiled function, each does its part of every step, and they meet in between.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from foretell.compilation import compiled
from foretell.exact.threads import thread_count

_YIELD = "SwitchToThread" if os.name == "nt" else "sched_yield"
_PATIENCE = 2000
"""Looks at the counter before a waiting thread offers its processor to others."""
_CALLS_JUDGED = 8
_MOST_LOST = 0.25
"""Share of the threads' time without a processor, over the calls judged, from which on it pays to do without help."""
_CALLS_ALONE, _MOST_CALLS_ALONE = 16, 256
"""So many calls use one thread each before help is tried again; twice as many each time that it did not pay again."""


class _Team:
    """The threads that help the caller's, and how much of their time other programs have taken of late."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.pool: ThreadPoolExecutor | None = None
        self.size = 0
        self.calls_alone = 0
        self.next_alone = _CALLS_ALONE
        self.times: list[tuple[float, float]] = []

    def helpers(self, count: int) -> ThreadPoolExecutor:
        """A pool of at least ``count`` threads."""
        if self.pool is None or self.size < count:
            self.pool, self.size = ThreadPoolExecutor(count, "foretell-team"), count
        return self.pool

    def judge(self, passed: float, computed: float) -> None:
        """Note how long the threads of a call took together, and for how long they had a processor.

        A thread that waits for another keeps looking, which counts as computing, so what is missing was
        taken by other programs.
        """
        self.times.append((passed, computed))
        if len(self.times) < _CALLS_JUDGED:
            return
        whole, had = (sum(column) for column in zip(*self.times, strict=True))
        self.times = []
        if had < (1 - _MOST_LOST) * whole:
            self.calls_alone, self.next_alone = self.next_alone, min(2 * self.next_alone, _MOST_CALLS_ALONE)
        else:
            self.next_alone = _CALLS_ALONE


_team = _Team()


def _timed(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[float, float]:
    """Call a function; return the seconds that passed and those for which this thread had a processor."""
    began, had = time.perf_counter(), time.thread_time()
    function(*arguments)
    return time.perf_counter() - began, time.thread_time() - had


@intrinsic
def _arrive(_context, address):  # type: ignore[no-untyped-def]
    """Add one to the counter at ``address``; return what it was."""

    def generate(_context, builder, _signature, args):  # type: ignore[no-untyped-def]
        pointer = builder.inttoptr(args[0], ir.IntType(64).as_pointer())
        return builder.atomic_rmw("add", pointer, ir.IntType(64)(1), "acq_rel")

    return types.int64(address), generate


@intrinsic
def _look(_context, address):  # type: ignore[no-untyped-def]
    """Read the counter at ``address``, and with it all that was written before it was changed."""

    def generate(_context, builder, _signature, args):  # type: ignore[no-untyped-def]
        pointer = builder.inttoptr(args[0], ir.IntType(64).as_pointer())
        return builder.load_atomic(pointer, "acquire", 8)

    return types.int64(address), generate


@intrinsic
def _offer_processor(_context):  # type: ignore[no-untyped-def]
    """Let another thread run, as the operating system sees fit."""

    def generate(context, builder, _signature, _args):  # type: ignore[no-untyped-def]
        kind = ir.FunctionType(ir.IntType(32), [])
        function = builder.module.globals.get(_YIELD) or ir.Function(builder.module, kind, _YIELD)
        builder.call(function, [])
        return context.get_dummy_value()

    return types.void(), generate


@compiled
def meet(counter: NDArray[np.int64], parts: int) -> None:
    """Wait until all ``parts`` threads have come here; what they wrote before is seen after.

    ``counter`` is one int64, 0 at first, that all of them share: arrivals.
    """
    if parts == 1:
        return
    address = counter.ctypes.data
    goal = (_arrive(address) // parts + 1) * parts  # type: ignore[call-arg, unused-ignore]
    looks = 0
    while _look(address) < goal:  # type: ignore[call-arg, unused-ignore]
        looks += 1
        if looks > _PATIENCE:
            _offer_processor()  # type: ignore[call-arg, unused-ignore]


@compiled
def share(total: int, part: int, parts: int, multiple: int) -> tuple[int, int]:
    """Range of ``total`` units that is ``part``'s, in whole multiples (``total`` is one)."""
    units = total // multiple
    return units * part // parts * multiple, units * (part + 1) // parts * multiple


def run_together(function: Callable[..., Any], *arguments: Any, judged: bool = True) -> None:
    """Call ``function(*arguments, part, parts, counter)`` in as many threads as may be used, at the same time.

    ``function`` is compiled, releases the interpreter lock and calls :func:`meet` equally often in each
    part. One thread does it all while another call is under way, and, if ``judged``, for a while after calls in which
    other programs had the processors; calls that meet rarely need no such caution.
    """
    counter = np.zeros(1, np.int64)
    parts = min(thread_count(), os.cpu_count() or 1)
    if parts == 1 or not _team.lock.acquire(blocking=False):
        function(*arguments, 0, 1, counter)
        return
    try:
        if judged and _team.calls_alone:
            _team.calls_alone -= 1
            function(*arguments, 0, 1, counter)
            return
        pool = _team.helpers(parts - 1)
        calls = [(*arguments, part, parts, counter) for part in range(parts)]
        waiting = [pool.submit(_timed, function, call) for call in calls[1:]]
        times = [_timed(function, calls[0]), *(future.result() for future in waiting)]
        if judged:
            _team.judge(*(sum(column) for column in zip(*times, strict=True)))
    finally:
        _team.lock.release()
