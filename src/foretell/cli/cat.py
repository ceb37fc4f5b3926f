"""``foretell cat``."""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass

from foretell.cli import options
from foretell.cli.files import STANDARD, open_output, open_seekable
from foretell.errors import ForetellError

_RANGE = re.compile(r"(-?\d*):(-?\d*)")
_UNITS = re.compile(r"(?:(\d{1,12})([rf]))?:(?:(\d{1,12})((?(2)\2|[rf])))?")
_TIMES = re.compile(r"(?:(\d+(?:\.\d+)?)s)?:(?:(\d+(?:\.\d+)?)s)?")


@dataclass(frozen=True)
class Times:
    """Stretch of time, in seconds."""

    start: float
    end: float | None


@dataclass(frozen=True)
class Units:
    """Range of rows of a picture or frames of a video; ``unit`` is ``r`` or ``f``."""

    unit: str
    start: int
    end: int | None


def parse_wanted(text: str) -> slice | Times | Units:
    """Range of bytes, or of seconds, rows or frames where numbers end in ``s``, ``r`` or ``f``.

    >>> parse_wanted("100r:200r")
    Units(unit='r', start=100, end=200)

    >>> parse_wanted("1.5s:20s")
    Times(start=1.5, end=20.0)
    """
    counted = _UNITS.fullmatch(text)
    if counted and (counted[2] or counted[4]):
        unit = counted[2] or counted[4]
        return Units(unit, int(counted[1] or 0), int(counted[3]) if counted[3] else None)
    match = _TIMES.fullmatch(text)
    if not match or text == ":":
        return parse_range(text)
    start, end = (float(part) if part else None for part in match.groups())
    return Times(start or 0.0, end)


def parse_range(text: str) -> slice:
    """Slice of START:END in bytes, either of which may be left out or negative, as in Python.

    >>> parse_range("10:")
    slice(10, None, None)
    """
    match = _RANGE.fullmatch(text)
    if not match or "-" in match.groups():
        raise argparse.ArgumentTypeError(
            f"{text!r} is not START:END in bytes, such as 1000:2000, or in seconds, such as 1.5s:20s, "
            "rows (10r:20r) or frames (10f:20f)"
        )
    start, end = (int(part) if part else None for part in match.groups())
    return slice(start, end)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    options.add_files(parser, "archives to read")
    parser.add_argument(
        "--range",
        type=parse_wanted,
        default=slice(None),
        metavar="START:END",
        help="bytes of the original, from 0; --range=-100: gives the last 100; 10s:20s gives that time of a sound, "
        "as a WAV file; 10r:20r rows of a picture, as a PAM file; 10f:20f frames of a video (default: all)",
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


def _write_range(source: str, wanted: slice | Times | Units, memory_limit: int) -> None:
    from foretell.archive.seek import ArchiveFile
    from foretell.archive.sounds import cut_time

    with open_seekable(source) as file, open_output(STANDARD, force=False, binary=False) as out:
        archive = ArchiveFile(file, memory_limit=memory_limit)
        if isinstance(wanted, Times):
            pieces = cut_time(archive, wanted.start, wanted.end)
        elif isinstance(wanted, Units):
            from foretell.archive.pictures import cut_frames, cut_rows

            pieces = (cut_rows if wanted.unit == "r" else cut_frames)(archive, wanted.start, wanted.end)
        else:
            start, end, _ = wanted.indices(archive.index.raw_size)
            pieces = archive.read_range(start, end)
        for piece in pieces:
            out.write(piece)
    sys.stdout.flush()
