"""``foretell draft``: train drafts for a model, and measure them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from foretell.cli import options
from foretell.cli.report import print_json
from foretell.codecs.base import DEFAULT_MODEL
from foretell.errors import UsageError

if TYPE_CHECKING:
    from foretell.drafts.evaluation import Evaluation


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    commands = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    train = commands.add_parser("train", help="train a draft on your own text", allow_abbrev=False)
    train.add_argument("--target", default=DEFAULT_MODEL, metavar="NAME", help=f"model (default: {DEFAULT_MODEL})")
    train.add_argument("--data", nargs="+", required=True, metavar="FILE", help="texts like those to be drafted")
    train.add_argument("--arch", default="prism", metavar="NAME", help="prism, eagle3, hass, eagle2, medusa or stacked")
    train.add_argument("-o", "--output", required=True, metavar="FOLDER", help="where the draft goes; goes on there")
    train.add_argument("--steps", type=int, default=2000, metavar="N", help="updates (default: 2000)")
    train.add_argument("--batch", type=int, default=8, metavar="N", help="texts in an update (default: 8)")
    train.add_argument("--length", type=int, default=256, metavar="N", help="tokens of a text (default: 256)")
    train.add_argument("--draft-rows", type=int, metavar="N", help="draft only the N most frequent tokens")
    train.add_argument("--modules", type=int, metavar="M", help="processing modules (default: 2 for prism)")
    train.add_argument("--seed", type=int, default=0, metavar="N", help="of weights and order (default: 0)")
    train.add_argument("--device", default="cpu", metavar="NAME", help="cpu or cuda (default: cpu)")
    evaluate = commands.add_parser("eval", help="measure drafts on prompts", allow_abbrev=False)
    evaluate.add_argument("drafts", nargs="+", metavar="DRAFT", help="none, lookup, or a folder with a trained draft")
    evaluate.add_argument("--target", default=DEFAULT_MODEL, metavar="NAME", help=f"model (default: {DEFAULT_MODEL})")
    evaluate.add_argument(
        "--prompts", required=True, metavar="FILE", help="JSON lines (prompt, turns) or lines of text"
    )
    evaluate.add_argument("--count", type=int, metavar="N", help="only the first N prompts")
    evaluate.add_argument("--max-tokens", type=int, default=128, metavar="N", help="most tokens of an answer")
    evaluate.add_argument("--tree", default="60/5/10", metavar="N/D/W", help="nodes, depth, width (default: 60/5/10)")
    evaluate.add_argument("--trim", action="store_true", help="check only as much of the trees as pays")
    evaluate.add_argument("--raw", action="store_true", help="go on with the prompts as they are")
    evaluate.add_argument("--json", action="store_true", help="one JSON object for each draft")
    convert = commands.add_parser("convert", help="take over a draft in its authors' layout", allow_abbrev=False)
    convert.add_argument("source", metavar="FOLDER", help="its config.json and model.safetensors")
    convert.add_argument("--arch", required=True, metavar="NAME", help="prism, eagle3, hass or eagle2")
    convert.add_argument("--target", default=DEFAULT_MODEL, metavar="NAME", help=f"model (default: {DEFAULT_MODEL})")
    convert.add_argument("-o", "--output", required=True, metavar="FOLDER", help="where the draft goes")
    for command in (train, evaluate, convert):
        options.add_threads(command)
        command.add_argument("-q", "--quiet", action="store_true", help="no progress")


def run(args: argparse.Namespace) -> int:
    """Train, measure or convert."""
    options.limit_threads(args.threads)
    from foretell.exact.threads import set_thread_count

    set_thread_count(args.threads)
    return {"train": _train, "eval": _evaluate, "convert": _convert}[args.action](args)


def _progress(quiet: bool, what: str) -> Callable[..., None] | None:
    """Tell on standard error, if it is a terminal, how far something is."""
    if quiet or not sys.stderr.isatty():
        return None

    def tell(done: int, total: int, loss: float | None = None) -> None:
        extra = "" if loss is None else f", loss {loss:.4f}"
        end = "\n" if done == total else ""
        print(f"\r{what} {done} of {total}{extra}   ", end=end, file=sys.stderr, flush=True)

    return tell


def _train(args: argparse.Namespace) -> int:
    from foretell.drafts.drafters import train_drafter
    from foretell.models import registry

    train_drafter(
        registry.load(args.target),
        [Path(name).read_bytes() for name in args.data],
        Path(args.output),
        architecture=args.arch,
        steps=args.steps,
        batch=args.batch,
        length=args.length,
        seed=args.seed,
        draft_rows=args.draft_rows,
        modules=args.modules,
        device=args.device,
        computing=_progress(args.quiet, "features: texts"),
        training=_progress(args.quiet, "training: updates"),
    )
    return 0


def _convert(args: argparse.Namespace) -> int:
    from foretell.drafts.drafters import need_torch
    from foretell.models import registry

    need_torch()
    from foretell.drafts.published import convert_published

    convert_published(Path(args.source), args.arch, registry.load(args.target), Path(args.output))
    return 0


def read_prompts(file: str) -> list[str]:
    """Prompts of a file: the ``prompt``, ``question`` or first of ``turns`` of JSON lines, or plain lines.

    Raises
    ------
    UsageError
        If a line of JSON has none of these, or there is no prompt.
    """
    prompts = []
    for number, line in enumerate(Path(file).read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        if not file.endswith((".jsonl", ".json")):
            prompts.append(line)
            continue
        try:
            values = json.loads(line)
            found = values.get("prompt") or values.get("question") or values["turns"][0]
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise UsageError(f"{file}: line {number} has no prompt, question or turns") from error
        prompts.append(str(found))
    if not prompts:
        raise UsageError(f"{file}: no prompts")
    return prompts


def _tree(text: str) -> tuple[int, int, int]:
    parts = text.split("/")
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        raise UsageError(f"{text!r} is not a tree such as 60/5/10 (nodes, depth, width)")
    nodes, depth, width = map(int, parts)
    return nodes, depth, width


def _evaluate(args: argparse.Namespace) -> int:
    import numpy as np

    from foretell.drafts.base import TreeSize
    from foretell.drafts.chat import prompt_rows
    from foretell.drafts.drafters import new_drafter
    from foretell.drafts.evaluation import evaluate
    from foretell.drafts.pace import measured_costs
    from foretell.models import registry

    size = TreeSize(*_tree(args.tree))
    prompts = read_prompts(args.prompts)[: args.count]
    target = registry.load(args.target)
    rows = [prompt_rows(target, prompt, not args.raw) for prompt in prompts]
    rows = [row for row in rows if row.size < target.config.context]
    costs = np.array(measured_costs(target)) if args.trim else None
    for name in args.drafts:
        drafter = new_drafter(name, target)
        told = _progress(args.quiet, f"{name}: prompts")
        found = evaluate(target, drafter, rows, most=args.max_tokens, size=size, costs=costs, progress=told)
        print_json({"draft": name, **found.as_dict()}) if args.json else print(_line(name, found), flush=True)
    return 0


def _line(name: str, found: Evaluation) -> str:
    length = found.acceptance_length
    steps = " ".join(f"{step:.2f}" for step in found.step_acceptance)
    return (
        f"{name}: {length.value:.3f} tokens a pass [{length.low:.3f}, {length.high:.3f}], steps {steps}, "
        f"{found.round_milliseconds:.1f} ms a round, {found.tokens_per_second:.1f} tokens/s"
    )
