"""Threads that compute one result together and wait for each other on the way.

A single token goes through a model in some 200 steps, each too short to be handed to a pool of threads. So
all threads run the same compiled function, each does its part of every step, and they meet in between.
"""

from __future__ import annotations

import os
import threading
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
_MOST_OFFERS = 500
_CALLS_ALONE = 200
"""After a call in which threads had to offer their processors that often, so many calls use one thread each."""


class _Team:
    """The threads that help the caller's."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.pool: ThreadPoolExecutor | None = None
        self.size = 0
        self.calls_alone = 0

    def helpers(self, count: int) -> ThreadPoolExecutor:
        """A pool of at least ``count`` threads."""
        if self.pool is None or self.size < count:
            self.pool, self.size = ThreadPoolExecutor(count, "foretell-team"), count
        return self.pool


_team = _Team()


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

    ``counter`` is two int64, 0 at first, that all of them share: arrivals, and offers of a processor.
    """
    if parts == 1:
        return
    address = counter.ctypes.data
    goal = (_arrive(address) // parts + 1) * parts  # type: ignore[call-arg, unused-ignore]
    looks = 0
    while _look(address) < goal:  # type: ignore[call-arg, unused-ignore]
        looks += 1
        if looks > _PATIENCE:
            _arrive(address + 8)  # type: ignore[call-arg, unused-ignore]
            _offer_processor()  # type: ignore[call-arg, unused-ignore]


@compiled
def share(total: int, part: int, parts: int, multiple: int) -> tuple[int, int]:
    """Range of ``total`` units that is ``part``'s, in whole multiples (``total`` is one)."""
    units = total // multiple
    return units * part // parts * multiple, units * (part + 1) // parts * multiple


def run_together(function: Callable[..., Any], *arguments: Any) -> None:
    """Call ``function(*arguments, part, parts, counter)`` in as many threads as may be used, at the same time.

    ``function`` is compiled, releases the interpreter lock and calls :func:`meet` equally often in each
    part. One thread does it all while another call is under way, and for a while after a call whose
    threads had to wait for processors that other programs use.
    """
    counter = np.zeros(2, np.int64)
    parts = min(thread_count(), os.cpu_count() or 1)
    if parts == 1 or not _team.lock.acquire(blocking=False):
        function(*arguments, 0, 1, counter)
        return
    try:
        if _team.calls_alone:
            _team.calls_alone -= 1
            function(*arguments, 0, 1, counter)
            return
        pool = _team.helpers(parts - 1)
        waiting = [pool.submit(function, *arguments, part, parts, counter) for part in range(1, parts)]
        function(*arguments, 0, parts, counter)
        for future in waiting:
            future.result()
        if counter[1] > _MOST_OFFERS:
            _team.calls_alone = _CALLS_ALONE
    finally:
        _team.lock.release()
