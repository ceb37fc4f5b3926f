"""``foretell bench``."""

from __future__ import annotations

import argparse
import dataclasses
import os

from foretell.cli import options
from foretell.cli.files import open_input
from foretell.cli.report import complain, human_size, print_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="files to compress in memory")
    options.add_packing(parser)
    options.add_threads(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object per row on standard output")


def run(args: argparse.Namespace) -> int:
    """Print a table for each file; 1 if any file does not come back."""
    options.limit_threads(args.threads)
    from foretell.report.compare import compare

    status = 0
    for source in args.files:
        with open_input(source) as (file, _):
            data = file.read()
        if not args.json:
            print(f"{os.path.basename(source)}, {human_size(len(data))}")
            print(f"  {'':22} {'bytes':>10} {'ratio':>7} {'bits/byte':>9} {'pack KB/s':>10} {'unpack KB/s':>11}")
        for row in compare(data, level=args.level, model=args.model, codec=args.codec):
            if args.json:
                print_json({"input": source, **dataclasses.asdict(row)})
            else:
                print(
                    f"  {row.name:22} {row.bytes:10} {row.ratio:7.3f} {row.bits_per_byte:9.3f} "
                    f"{row.pack_kbps:10.1f} {row.unpack_kbps:11.1f}",
                    flush=True,
                )
            if not row.restored:
                complain(f"{source}: {row.name} does not restore it")
                status = 1
    return status
