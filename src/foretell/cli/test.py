"""``foretell test``."""

from __future__ import annotations

import argparse
import os
import sys
import time

from foretell.cli import options
from foretell.cli.files import STANDARD, open_input
from foretell.cli.report import Progress, complain, human_size, print_json
from foretell.errors import ForetellError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    options.add_files(parser, "archives to check")
    options.add_memory(parser)
    options.add_threads(parser)
    options.add_talk(parser)


def run(args: argparse.Namespace) -> int:
    """Check the archives; 1 if any is damaged."""
    options.limit_threads(args.threads)
    status = 0
    for source in args.files or [STANDARD]:
        try:
            sound = _check(args, source)
        except ForetellError as error:
            complain(str(error.at(source)))
            sound = False
        except OSError as error:
            complain(f"{error.filename or source}: {error.strerror or error}")
            sound = False
        status = status if sound else 1
    return status


def _check(args: argparse.Namespace, source: str) -> bool:
    from foretell.archive.check import check_archive

    begin = time.monotonic()
    with (
        open_input(source) as (file, _),
        Progress(os.path.basename(source), None, shown=not args.quiet) as progress,
    ):
        summary, damage = check_archive(file, memory_limit=args.memory, progress=progress)
    for error in damage:
        complain(str(error.at(source)))
    if args.json:
        print_json(
            {
                "input": source,
                "sound": not damage,
                "damage": [{"frame": error.frame, "what": error.what} for error in damage],
                "input_bytes": summary.archive_bytes,
                "sound_bytes": summary.raw_bytes,
                "seconds": round(time.monotonic() - begin, 6),
            }
        )
    elif not damage and (args.verbose or (sys.stderr.isatty() and not args.quiet)):
        print(f"{source}: sound, {human_size(summary.raw_bytes)}", file=sys.stderr)
    return not damage
