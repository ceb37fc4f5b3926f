"""The command line: one file per command, imported only when it is called."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from types import FrameType
from typing import NoReturn

import foretell
from foretell.cli.report import complain, show_notices
from foretell.errors import ForetellError

COMMANDS = {
    "pack": "compress files",
    "unpack": "restore files",
    "test": "check archives without writing anything",
    "info": "show what is in archives",
    "cat": "write a range of the original to standard output",
    "bound": "give a metric of dependent items its interval",
    "weigh": "weigh pairs that share objects",
    "draft": "train drafts for a language model, and measure them",
    "generate": "answer a prompt with a language model",
    "spans": "extract entities and triggers by what their labels mean",
    "models": "list, fetch and describe language models",
    "doctor": "check that this machine computes exactly, and how fast",
    "bench": "compare with other compressors on your files",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return 0 if all went well, 1 after an error, 2 after wrong usage."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = _parser(arguments)
    try:
        args = parser.parse_args(arguments)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    if args.command is None:
        parser.print_help(sys.stderr)
        return 2
    return _run(args)


def _parser(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Parser that knows all commands by name, but loads only those that are mentioned."""
    parser = argparse.ArgumentParser(
        prog="foretell",
        description="Lossless compression with neural predictors: every byte restored, on any machine.",
        epilog="foretell COMMAND --help describes a command.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"foretell {foretell.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary.capitalize() + ".", allow_abbrev=False)
        if name in arguments:
            module = import_module(f"foretell.cli.{name}")
            module.add_arguments(command)
            command.set_defaults(run=module.run, usage_error=command.error)
    return parser


def _run(args: argparse.Namespace) -> int:
    previous = _handle_termination()
    show_notices(quiet=getattr(args, "quiet", False), verbose=getattr(args, "verbose", False))
    try:
        return int(args.run(args))
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    except KeyboardInterrupt:
        complain("interrupted")
        return 130
    except BrokenPipeError:
        # Whoever read the output has had enough; there is nothing to tell and nobody to tell it to.
        sys.stderr.close()
        return 1
    except ForetellError as error:
        complain(str(error))
        return 1
    except MemoryError:
        complain("out of memory; use a lower level or a smaller model")
        return 1
    except OSError as error:
        complain(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        return 1
    finally:
        if previous is not None:
            signal.signal(signal.SIGTERM, previous)


def _handle_termination() -> signal._HANDLER:
    """Make SIGTERM unwind the stack like an error, so that temporary files are removed."""

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + number)

    try:
        return signal.signal(signal.SIGTERM, stop)
    except ValueError:
        # Only the main thread may set handlers; elsewhere the caller's stay.
        return None
