"""Options that several commands share."""

from __future__ import annotations

import argparse
import os
import re

from foretell.codecs.base import CODEC_CHOICES, DEFAULT_LEVEL, DEFAULT_MODEL

_SIZE = re.compile(r"(\d+)([KMGTP]?)(?:i?B)?", re.IGNORECASE)
_DEFAULT_MEMORY = "1G"


def parse_size(text: str) -> int:
    """Bytes of a size such as ``64M`` (powers of 1024).

    >>> parse_size("64M")
    67108864
    """
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 512M or 2G")
    return int(match[1]) << 10 * " KMGTP".index(match[2].upper() or " ")


def add_files(parser: argparse.ArgumentParser, what: str) -> None:
    """Files to work on."""
    parser.add_argument("files", nargs="*", metavar="FILE", help=f"{what}; - or none for standard input")


def add_output(parser: argparse.ArgumentParser, default: str) -> None:
    """Where to write, and whether to overwrite or keep."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("-o", "--output", metavar="FILE", help=f"write to FILE (default: {default})")
    group.add_argument("-c", "--stdout", action="store_true", help="write to standard output")
    parser.add_argument("-f", "--force", action="store_true", help="overwrite; write binary to a terminal")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("-k", "--keep", action="store_true", help="keep the input (this is the default)")
    group.add_argument("--rm", action="store_true", help="remove the input after success")


def add_talk(parser: argparse.ArgumentParser) -> None:
    """How much to say."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("-q", "--quiet", action="store_true", help="no progress, only errors")
    group.add_argument("-v", "--verbose", action="store_true", help="say more")
    parser.add_argument("--json", action="store_true", help="one JSON object per file on standard output")


def add_threads(parser: argparse.ArgumentParser) -> None:
    """How many cores to use."""
    parser.add_argument("-T", "--threads", type=_threads, default=0, metavar="N", help="threads; 0: one per core")


def _threads(text: str) -> int:
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of threads")
    return int(text)


def add_memory(parser: argparse.ArgumentParser) -> None:
    """How much memory an archive may ask for."""
    parser.add_argument(
        "--memory",
        type=parse_size,
        default=parse_size(_DEFAULT_MEMORY),
        metavar="SIZE",
        help=f"most memory that frames may take (default: {_DEFAULT_MEMORY})",
    )


def add_packing(parser: argparse.ArgumentParser) -> None:
    """Level, codec and model."""
    for level in range(1, 10):
        texts = {1: "fast, without a language model", DEFAULT_LEVEL: "the default", 9: "smallest"}
        parser.add_argument(
            f"-{level}",
            dest="level",
            action="store_const",
            const=level,
            default=DEFAULT_LEVEL,
            help=texts.get(level, argparse.SUPPRESS),
        )
    parser.add_argument("--codec", choices=CODEC_CHOICES, default="auto", help="codec (default: auto)")
    parser.add_argument(
        "--format",
        dest="samples",
        type=_samples,
        default=None,
        metavar="KIND,CHANNELS,RATE",
        help="take the input for samples of sound without a header, such as s16le,2,44100",
    )
    parser.add_argument(
        "--shape",
        type=_shape,
        default=None,
        metavar="WIDTHxHEIGHT[xCHANNELS][:KIND]",
        help="take the input for a picture without a header, such as 640x480x3 or 512x512:u16le",
    )
    parser.add_argument(
        "--model", metavar="NAME", default=None, help=f"model, by name or path (default: {DEFAULT_MODEL}, for text)"
    )


def _shape(text: str) -> str:
    from foretell.codecs.image.shapes import parse_shape

    try:
        parse_shape(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _samples(text: str) -> str:
    from foretell.codecs.audio.pcm import parse_format

    try:
        parse_format(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text


def limit_threads(threads: int) -> None:
    """Tell numerical libraries, before they are imported, how many threads to use."""
    if threads > 0:
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
            os.environ[name] = str(threads)
