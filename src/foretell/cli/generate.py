"""``foretell generate``."""

from __future__ import annotations

import argparse
import sys

from foretell.cli import options
from foretell.cli.report import complain, print_json
from foretell.codecs.base import DEFAULT_MODEL


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("prompt", metavar="PROMPT", help="what to answer; - reads it from standard input")
    parser.add_argument("--model", metavar="NAME", default=DEFAULT_MODEL, help=f"model (default: {DEFAULT_MODEL})")
    parser.add_argument(
        "--max-tokens", type=int, default=256, metavar="N", help="most tokens to generate (default: 256)"
    )
    parser.add_argument("--draft", metavar="NAME", default="auto", help="auto, none, or a draft (default: auto)")
    parser.add_argument("--temperature", type=float, default=0.0, metavar="T", help="0 (default): no randomness")
    parser.add_argument("--top-k", type=int, default=0, metavar="K", help="only the K most probable tokens")
    parser.add_argument("--top-p", type=float, default=1.0, metavar="P", help="only tokens that together have P")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the random numbers (default: 0)")
    parser.add_argument("--stop", action="append", default=[], metavar="TEXT", help="end before TEXT; may be repeated")
    parser.add_argument("--raw", action="store_true", help="go on with the prompt as it is, not as an answer to it")
    options.add_threads(parser)
    group = parser.add_mutually_exclusive_group()
    group.add_argument("-q", "--quiet", action="store_true", help="only the text and errors")
    group.add_argument("-v", "--verbose", action="store_true", help="say more, and how fast it was")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output, at the end")


def run(args: argparse.Namespace) -> int:
    """Write the answer as it comes; with ``--json`` write it with its figures at the end."""
    options.limit_threads(args.threads)
    from foretell.drafts.generate import generate
    from foretell.exact.threads import set_thread_count

    set_thread_count(args.threads)
    answer = generate(
        sys.stdin.read() if args.prompt == "-" else args.prompt,
        model=args.model,
        max_tokens=args.max_tokens,
        draft=args.draft,
        temperature=args.temperature,
        top_k=args.top_k,
        top_p=args.top_p,
        seed=args.seed,
        stop=args.stop,
        chat=not args.raw,
    )
    for piece in answer:
        if not args.json:
            print(piece, end="", flush=True)
    figures = {
        "tokens": answer.tokens,
        "seconds": round(answer.seconds, 3),
        "tokens_per_second": round(answer.tokens_per_second, 2),
        "acceptance_length": round(answer.acceptance_length, 3),
    }
    if args.json:
        print_json({"text": answer.text, **figures})
        return 0
    if not answer.text.endswith("\n"):
        print()
    if args.verbose:
        complain(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in figures.items()))
    return 0
