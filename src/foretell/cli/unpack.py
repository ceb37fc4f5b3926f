"""``foretell unpack``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from foretell.cli import options
from foretell.cli.files import SUFFIX
from foretell.cli.transfer import run_files
from foretell.errors import ForetellError

if TYPE_CHECKING:
    from foretell.archive.pack import Summary


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    options.add_files(parser, "archives to restore")
    options.add_output(parser, f"FILE without {SUFFIX}")
    options.add_memory(parser)
    options.add_threads(parser)
    options.add_talk(parser)


def run(args: argparse.Namespace) -> int:
    """Unpack the files."""

    def work(fin: BinaryIO, fout: BinaryIO, name: str, size: int | None, progress: Callable[[int], None]) -> Summary:
        from foretell.archive.unpack import unpack_stream

        return unpack_stream(fin, fout, memory_limit=args.memory, threads=args.threads, progress=progress)

    def target(source: str) -> str:
        if not source.endswith(SUFFIX) or source == SUFFIX:
            raise ForetellError(f"does not end in {SUFFIX}", "name the output with -o", path=source)
        return source[: -len(SUFFIX)]

    return run_files(args, work, target, packing=False)
