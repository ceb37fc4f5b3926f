"""The one way in which foretell's Numba functions are compiled.

Numba keeps machine code on disk for as long as the file of a function is unchanged, and does not notice
when something that the function calls has changed in another file. Mixed code would write archives that
nobody can read, so the machine code of a module lies in a folder named after a hash of the sources of that
module and of every module of foretell that it reaches by imports, and of the product kernel in use (the processor's
name and extensions are part of Numba's own keys).
"""

from __future__ import annotations

import ast
import hashlib
import logging
import os
import shutil
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from numba import config, njit
from platformdirs import user_cache_path

from foretell.processor import kernel

log = logging.getLogger(__name__)
Function = TypeVar("Function", bound=Callable[..., Any])
settings: Any = config  # its attributes are made at run time
ROOT = Path(__file__).parent
UNUSED_SECONDS = 60 * 86400
"""Machine code that nobody asked for in this time is removed when new code is made."""


@cache
def cache_folder(module: str) -> Path | None:
    """Folder of the machine code of a module's very sources, in NUMBA_CACHE_DIR or the user's cache; None if read-only.

    Parameters
    ----------
    module : str
        Full name of a module of foretell; any other name stands for code that is not kept.
    """
    files = _reached(module)
    if not files:
        return None
    total = hashlib.sha256(Path(__file__).read_bytes() + kernel().encode())
    for file in files:
        total.update(file.relative_to(ROOT).as_posix().encode() + b"\0" + file.read_bytes())
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    base = Path(chosen) if chosen else user_cache_path("foretell") / "kernels"
    folder = base / f"{module.removeprefix('foretell.')}-{total.hexdigest()[:16]}"
    try:
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            _remove_unused(base)
        os.utime(folder)
    except OSError:
        return None
    return folder if os.access(folder, os.W_OK) else None


def _reached(module: str) -> list[Path]:
    """Files of a module and of all modules of foretell that it imports, directly or through others, sorted."""
    found: dict[str, Path] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        file = _file(name)
        if file is not None and name not in found:
            found[name] = file
            waiting += _imports(file)
    return sorted(found.values())


def _file(module: str) -> Path | None:
    """Source of a module of foretell; None for names that are no module, and for the package itself, which is lazy."""
    head, *parts = module.split(".")
    if head != "foretell" or not parts:
        return None
    path = ROOT.joinpath(*parts)
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


@cache
def _imports(file: Path) -> tuple[str, ...]:
    """Names in a file's import statements; ``from a import b`` may name the module a.b, so both are listed."""
    names: list[str] = []
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return tuple(name for name in names if name.startswith("foretell."))


def _remove_unused(base: Path) -> None:
    for folder in base.iterdir():
        if folder.is_dir() and time.time() - folder.stat().st_mtime > UNUSED_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


@cache
def announce(function: Callable[..., Any], what: str) -> None:
    """Log that ``what`` is about to be compiled, if this machine has no machine code of the function yet."""
    module = function.__module__
    folder = cache_folder(module)
    name = f"{module.rsplit('.', 1)[-1]}.{function.__name__}"
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
    folder = cache_folder(function.__module__)
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
