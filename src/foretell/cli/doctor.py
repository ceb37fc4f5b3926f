"""``foretell doctor``."""

from __future__ import annotations

import argparse

from foretell.cli import options
from foretell.cli.report import print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    options.add_threads(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")


def run(args: argparse.Namespace) -> int:
    """Run the checks; 1 if any fails."""
    options.limit_threads(args.threads)
    from foretell.exact import doctor

    report = doctor.run()
    if args.json:
        print_json(report.as_dict())
    else:
        print("\n".join(report.lines()))
    return 0 if report.ok else 1
