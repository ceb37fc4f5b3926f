"""``foretell cat``."""

from __future__ import annotations

import argparse
import re
import sys

from foretell.cli import options
from foretell.cli.files import STANDARD, open_output, open_seekable
from foretell.errors import ForetellError

_RANGE = re.compile(r"(-?\d*):(-?\d*)")


def parse_range(text: str) -> slice:
    """Slice of START:END in bytes, either of which may be left out or negative, as in Python.

    >>> parse_range("10:")
    slice(10, None, None)
    """
    match = _RANGE.fullmatch(text)
    if not match or "-" in match.groups():
        raise argparse.ArgumentTypeError(f"{text!r} is not START:END in bytes, such as 1000:2000")
    start, end = (int(part) if part else None for part in match.groups())
    return slice(start, end)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    options.add_files(parser, "archives to read")
    parser.add_argument(
        "--range",
        type=parse_range,
        default=slice(None),
        metavar="START:END",
        help="bytes of the original, from 0; --range=-100: gives the last 100 (default: all)",
    )
    options.add_memory(parser)
    options.add_threads(parser)


def run(args: argparse.Namespace) -> int:
    """Write the range of every archive to standard output, decoding only the frames that hold it."""
    options.limit_threads(args.threads)
    for source in args.files or [STANDARD]:
        try:
            _write_range(source, args.range, args.memory)
        except ForetellError as error:
            raise error.at(source) from error.__cause__
    return 0


def _write_range(source: str, wanted: slice, memory_limit: int) -> None:
    from foretell.archive.seek import ArchiveFile

    with open_seekable(source) as file, open_output(STANDARD, force=False, binary=False) as out:
        archive = ArchiveFile(file, memory_limit=memory_limit)
        start, end, _ = wanted.indices(archive.index.raw_size)
        for piece in archive.read_range(start, end):
            out.write(piece)
    sys.stdout.flush()
