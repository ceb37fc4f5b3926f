"""Compilation without reference counts.

Numba counts references whenever an array is taken out of a tuple, by atomic operations that took half to two thirds of
the time of the codecs of sounds and pictures. Functions that allocate nothing, and whose arrays outlive the call, need
no counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from foretell.compilation import _compile

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """As :func:`foretell.compilation.compiled`, for functions that allocate nothing."""
    return _compile(function, _nrt=False)


def inlined_late(function: Function) -> Function:
    """The same, pasted into the calling functions by LLVM."""
    return _compile(function, _nrt=False, forceinline=True)
