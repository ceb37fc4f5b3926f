"""The one way in which foretell's Numba functions are compiled.

Numba keeps machine code on disk for as long as the file of a function is unchanged, and does not notice
when something that the function calls has changed in another file. Mixed code would write archives that
nobody can read, so the cache lies in a folder named after a hash of all of foretell's sources.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from numba import config, njit
from platformdirs import user_cache_path

log = logging.getLogger(__name__)
Function = TypeVar("Function", bound=Callable[..., Any])
settings: Any = config  # its attributes are made at run time


@cache
def cache_folder() -> Path | None:
    """Folder of the machine code of these very sources, in NUMBA_CACHE_DIR or the user's cache; None if read-only."""
    total = hashlib.sha256()
    root = Path(__file__).parent
    for part in ("compilation.py", "exact", "entropy", "models", "codecs"):
        for file in sorted((root / part).glob("*.py")) if (root / part).is_dir() else [root / part]:
            total.update(file.name.encode() + b"\0" + file.read_bytes())
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    base = Path(chosen) if chosen else user_cache_path("foretell") / "kernels"
    folder = base / total.hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


@cache
def announce(function: Callable[..., Any], what: str) -> None:
    """Log that ``what`` is about to be compiled, if this machine has no machine code of the function yet."""
    folder = cache_folder()
    name = f"{function.__module__.rsplit('.', 1)[-1]}.{function.__name__}"
    if folder is None or not any(folder.rglob(f"{name}-*.nbi")):
        log.debug("compiling %s for this processor, which takes a minute or two and happens once ...", what)


def compiled(function: Function) -> Function:
    """Compile on first use; release the interpreter lock, divide as IEEE says, never relax arithmetic."""
    return _compile(function)


def inlined(function: Function) -> Function:
    """Paste the function into the compiled functions that call it."""
    return _compile(function, inline="always")


def inlined_late(function: Function) -> Function:
    """The same, but left to LLVM, which compiles large callers faster."""
    return _compile(function, forceinline=True)


def _compile(function: Function, **options: Any) -> Function:
    folder = cache_folder()
    before = settings.CACHE_DIR
    settings.CACHE_DIR = str(folder or before)
    try:
        result: Function = njit(
            nogil=True,
            cache=folder is not None,
            error_model="numpy",
            fastmath=False,
            boundscheck=False,
            **options,
        )(function)
    finally:
        settings.CACHE_DIR = before
    return result
