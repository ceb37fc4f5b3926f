"""``foretell pack``."""

from __future__ import annotations

import argparse
import io
import os
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
    options.add_files(parser, "files to compress")
    options.add_output(parser, f"FILE{SUFFIX}")
    options.add_packing(parser)
    parser.add_argument(
        "--tokens",
        choices=("bytes", "numbers"),
        default=None,
        help="tokens of a model of text that stand for values, with --codec bytes or pixels",
    )
    parser.add_argument("--verify", action="store_true", help="decode every frame before it is written")
    parser.add_argument(
        "--samples",
        dest="pixels",
        action="store_true",
        help="keep a picture's pixels and metadata rather than the file; what unpacks is a PNG file",
    )
    options.add_threads(parser)
    options.add_talk(parser)


def _png_name(name: str) -> str:
    return os.path.splitext(name)[0] + ".png" if name else name


def run(args: argparse.Namespace) -> int:
    """Pack the files."""

    def work(fin: BinaryIO, fout: BinaryIO, name: str, size: int | None, progress: Callable[[int], None]) -> Summary:
        from foretell.archive.pack import pack_stream

        if args.pixels:
            from foretell.codecs.image.convert import to_png

            picture = to_png(fin.read())
            fin, name, size = io.BytesIO(picture), _png_name(name), len(picture)
        return pack_stream(
            fin,
            fout,
            level=args.level,
            model=args.model,
            codec=args.codec,
            verify=args.verify,
            samples=args.samples or "",
            shape=args.shape or "",
            tokens=args.tokens or "",
            threads=args.threads,
            name=name,
            size=size,
            progress=progress,
        )

    def target(source: str) -> str:
        if source.endswith(SUFFIX) and not args.force:
            raise ForetellError(f"ends in {SUFFIX} already", "pack it all the same with -f", path=source)
        return (_png_name(source) if args.pixels else source) + SUFFIX

    return run_files(args, work, target, packing=True)
