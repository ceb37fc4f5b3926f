"""Inputs and outputs of commands: standard streams, temporary names, refusing to do harm."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from typing import BinaryIO

from foretell.errors import ForetellError

SUFFIX = ".fore"
STANDARD = "-"


@contextlib.contextmanager
def open_input(path: str) -> Iterator[tuple[BinaryIO, int | None]]:
    """Open a file, or standard input for ``-``; also gives the size where it is known."""
    if path == STANDARD:
        if sys.stdin.buffer.isatty():
            raise ForetellError("is a terminal", "name a file or use a pipe", path="standard input")
        yield sys.stdin.buffer, None
        return
    if os.path.isdir(path):
        raise ForetellError("is a directory", f"put it into one file first: tar cf - {path} | foretell pack", path=path)
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        yield file, status.st_size if stat.S_ISREG(status.st_mode) else None


@contextlib.contextmanager
def open_seekable(path: str) -> Iterator[BinaryIO]:
    """Open a file that can seek; standard input is copied to a temporary file if it cannot."""
    with open_input(path) as (file, _):
        if file.seekable():
            yield file
            return
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(file, copy)
            yield copy


@contextlib.contextmanager
def open_output(path: str, *, force: bool, binary: bool, like: str | None = None) -> Iterator[BinaryIO]:
    """Open a file to be written, or standard output for ``-``.

    A regular file is written under a temporary name beside the target, and renamed when all went well; on
    any error, the temporary file is removed and the target is as it was.

    Parameters
    ----------
    path : str
        Target, or ``-``.
    force : bool
        Overwrite a file, write binary data to a terminal.
    binary : bool
        Whether the data is no sight for a terminal.
    like : str, optional
        File whose permissions and times the new one takes over.
    """
    if path == STANDARD:
        if binary and sys.stdout.buffer.isatty() and not force:
            raise ForetellError("is a terminal", "write to a file with -o, or force it with -f", path="standard output")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    elif os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        # A device or a named pipe has no use for a temporary name.
        with open(path, "wb") as file:
            yield file
    else:
        check_target(path, force=force)
        with _renamed(os.path.realpath(path), like) as file:
            yield file


def check_target(path: str, *, force: bool) -> None:
    """Refuse a target that would be overwritten or cannot be a file."""
    if os.path.isdir(path):
        raise ForetellError("is a directory", "name a file", path=path)
    if os.path.lexists(path) and not force:
        raise ForetellError("exists already", "overwrite it with -f or choose another name with -o", path=path)


@contextlib.contextmanager
def _renamed(target: str, like: str | None) -> Iterator[BinaryIO]:
    folder, name = os.path.split(target)
    descriptor, temporary = tempfile.mkstemp(prefix=f".{name[:100]}.", suffix=".part", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _take_over(temporary, like)
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _take_over(path: str, like: str | None) -> None:
    """Give a file the permissions and times of another, or those of any new file."""
    if like is not None and os.path.isfile(like):
        with contextlib.suppress(OSError):
            shutil.copystat(like, path)
        return
    mask = os.umask(0)
    os.umask(mask)
    os.chmod(path, 0o666 & ~mask)
