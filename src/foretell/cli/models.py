"""``foretell models``."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from foretell.cli.report import Progress, human_size, print_json

if TYPE_CHECKING:
    from foretell.models.registry import ModelInfo


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="all known models")
    pull = actions.add_parser("pull", help="fetch a model and prepare it")
    info = actions.add_parser("info", help="describe a model")
    for action in (pull, info):
        action.add_argument("name", metavar="NAME", help="name in the list, hf:OWNER/NAME, a folder or a GGUF file")
    convert = actions.add_parser("convert", help="turn a PyTorch file of weights into a folder that pull takes")
    convert.add_argument("source", metavar="FILE", help="PyTorch state dict, such as bGPT's weights-audio.pth")
    convert.add_argument("folder", metavar="FOLDER", help="where to write; config.json is written for bGPT only")
    convert.add_argument("--heads", type=int, default=0, metavar="N", help="heads of bGPT (default: width / 64)")
    pull.add_argument("-q", "--quiet", action="store_true", help="no progress, only errors")
    for action in (listing, pull, info):
        action.add_argument("--json", action="store_true", help="one JSON object per model on standard output")


def run(args: argparse.Namespace) -> int:
    """List, fetch, describe or convert."""
    from foretell.models import registry

    if args.action == "convert":
        from foretell.models.gpt.state_dicts import convert_state_dict

        convert_state_dict(Path(args.source), Path(args.folder), args.heads)
        return 0
    if args.action == "list":
        for model in registry.list_models():
            _show(model, args.json, short=True)
    elif args.action == "info":
        _show(registry.info(args.name), args.json)
    else:
        known = registry.info(args.name)
        with Progress(known.name, known.size_bytes, shown=not args.quiet) as progress:
            model = registry.pull(args.name, progress=progress)
        _show(model, args.json)
    return 0


def _show(model: ModelInfo, as_json: bool, *, short: bool = False) -> None:
    if as_json:
        print_json(dataclasses.asdict(model))
        return
    state = "installed" if model.installed else "not installed"
    if short:
        size = human_size(model.size_bytes)
        print(f"{model.name:20} {size:>9}  {model.licence:12} {state:14} {model.description}")
        return
    print(model.name)
    rows = {
        "description": model.description,
        "parameters": f"{model.parameters:,}",
        "size": human_size(model.size_bytes),
        "licence": model.licence,
        "source": model.source,
        "state": state,
        "sha-256": model.digest or "known once installed",
    }
    for label, value in rows.items():
        print(f"  {label:12} {value}")
