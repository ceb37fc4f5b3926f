"""The loop over files that pack and unpack share."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from foretell.cli.files import STANDARD, check_target, open_input, open_output
from foretell.cli.options import limit_threads
from foretell.cli.report import Progress, complain, print_json, summary_line, summary_values
from foretell.errors import ForetellError

if TYPE_CHECKING:
    from foretell.archive.pack import Summary

Work = Callable[[BinaryIO, BinaryIO, str, int | None, Callable[[int], None]], "Summary"]
"""Does a file: input, output, name of the input, its size where known, progress; gives a summary."""


def run_files(args: argparse.Namespace, work: Work, target_of: Callable[[str], str], *, packing: bool) -> int:
    """Work on all files of a command line, going on after errors; return the exit status."""
    files = args.files or [STANDARD]
    _check_usage(args, files)
    limit_threads(args.threads)
    status = 0
    for source in files:
        try:
            _run_file(args, work, source, _target(args, source, target_of), packing)
        except ForetellError as error:
            complain(str(error.at(_shown(source))))
            status = 1
        except BrokenPipeError:
            raise
        except OSError as error:
            complain(f"{error.filename or source}: {error.strerror or error}")
            status = 1
    return status


def _check_usage(args: argparse.Namespace, files: list[str]) -> None:
    if args.output and len(files) > 1:
        args.usage_error("-o takes one file; use -c to join several")
    to_standard = args.stdout or args.output == STANDARD or (STANDARD in files and not args.output)
    if args.json and to_standard:
        args.usage_error("--json and the data would both go to standard output; use -o")


def _target(args: argparse.Namespace, source: str, target_of: Callable[[str], str]) -> str:
    if args.stdout:
        return STANDARD
    if args.output:
        return str(args.output)
    return STANDARD if source == STANDARD else target_of(source)


def _run_file(args: argparse.Namespace, work: Work, source: str, target: str, packing: bool) -> None:
    begin = time.monotonic()
    if target != STANDARD and os.path.isfile(target) and not os.path.isdir(source):
        _refuse_itself(source, target)
        check_target(target, force=args.force)
    like = source if source != STANDARD else None
    with open_input(source) as (fin, size):
        name = os.path.basename(source) if source != STANDARD else ""
        total = size if packing else _original_size(fin, size)
        with (
            open_output(target, force=args.force, binary=packing, like=like) as fout,
            Progress(name or "standard input", total, shown=not args.quiet) as progress,
        ):
            summary = work(fin, fout, name, size, progress)
    if args.rm and source != STANDARD and target != STANDARD:
        os.unlink(source)
    _tell(args, summary_values(source, target, summary, packing=packing, seconds=time.monotonic() - begin))


def _original_size(fin: BinaryIO, size: int | None) -> int | None:
    """Size of what an archive holds, where its index can be read; it is for the progress bar only."""
    if size is None or not sys.stderr.isatty():
        return None
    from foretell.archive.index import read_index

    try:
        return read_index(fin).raw_size
    except ForetellError:
        return None
    finally:
        fin.seek(0)


def _refuse_itself(source: str, target: str) -> None:
    if os.path.exists(source) and os.path.samefile(source, target):
        raise ForetellError("is both input and output", "choose another name with -o", path=source)


def _tell(args: argparse.Namespace, values: dict[str, object]) -> None:
    if args.json:
        print_json(values)
    elif args.verbose or (sys.stderr.isatty() and not args.quiet):
        print(summary_line(values), file=sys.stderr)


def _shown(source: str) -> str:
    return "standard input" if source == STANDARD else source
