"""``foretell pack``."""

from __future__ import annotations

import argparse
import io
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from foretell.cli import options
from foretell.cli.files import SUFFIX
from foretell.cli.transfer import run_files
from foretell.errors import ForetellError

if TYPE_CHECKING:
    from foretell.archive.pack import Summary

_VIDEO_ENDINGS: Final = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ogv", ".flv", ".mpg", ".mpeg"})


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
        help="keep the samples of a picture, video or FLAC file rather than the file; what unpacks is PNG, Y4M or WAV",
    )
    options.add_threads(parser)
    options.add_talk(parser)


def _samples_name(name: str) -> str:
    """Name of the file of samples that a file is turned into."""
    stem, ending = os.path.splitext(name)
    ending = ending.lower()
    return stem + (".y4m" if ending in _VIDEO_ENDINGS else ".wav" if ending == ".flac" else ".png") if name else name


def _samples_of(fin: BinaryIO) -> tuple[BinaryIO, int | None]:
    """Samples of a picture, video or FLAC file as a file that can be read, and its size where known."""
    from foretell.codecs.audio import convert
    from foretell.codecs.image.convert import to_png
    from foretell.codecs.video.convert import Stream, is_video, to_y4m

    if not fin.seekable():
        fin = io.BytesIO(fin.read())
    head = fin.read(16)
    fin.seek(0)
    if is_video(head):
        return cast(BinaryIO, Stream(to_y4m(fin))), None
    data = fin.read()
    samples = convert.to_wav(data) if head.startswith(convert.SIGNATURE) else to_png(data)
    return io.BytesIO(samples), len(samples)


def run(args: argparse.Namespace) -> int:
    """Pack the files."""

    def work(fin: BinaryIO, fout: BinaryIO, name: str, size: int | None, progress: Callable[[int], None]) -> Summary:
        from foretell.archive.pack import pack_stream

        if args.pixels:
            fin, size = _samples_of(fin)
            name = _samples_name(name)
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
        return (_samples_name(source) if args.pixels else source) + SUFFIX

    return run_files(args, work, target, packing=True)
