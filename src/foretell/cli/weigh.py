"""``foretell weigh``."""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from foretell.cli.files import check_target, open_output
from foretell.cli.report import print_json
from foretell.errors import ForetellError

if TYPE_CHECKING:
    from foretell.networked.graph import PairGraph
    from foretell.networked.weights import Weighting

_METHODS = ("equal", "maxdeg", "matching", "fractional", "bound", "blue")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("file", metavar="FILE", help="table of pairs: .csv, .tsv (also .gz) or .parquet")
    parser.add_argument("--left", required=True, metavar="COLUMN", help="ids of the first object of each pair")
    parser.add_argument("--right", required=True, metavar="COLUMN", help="ids of the second object")
    parser.add_argument(
        "--also", action="append", default=[], metavar="COLUMN", help="ids of a further object (hyperedges)"
    )
    parser.add_argument(
        "--bipartite", action="store_true", help="columns hold objects of different kinds: equal ids are not one object"
    )
    parser.add_argument("--method", choices=_METHODS, default="maxdeg", help="how to weigh (default: maxdeg)")
    _add_bound(parser)
    parser.add_argument("--correlation", type=float, metavar="C", help="blue: correlation of pairs sharing an object")
    parser.add_argument("-o", "--output", metavar="FILE", help="write the table with a column of weights")
    parser.add_argument("--column", default="weight", metavar="NAME", help="name of that column (default: weight)")
    parser.add_argument("--plot", metavar="FILE", help="draw weight against degree: .png, .svg or .pdf")
    parser.add_argument("-f", "--force", action="store_true", help="overwrite")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress, only errors")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")


def _add_bound(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "bound", "minimise k0 A(w)^(1/(1+beta)) + k1 |w|_2 + k2 |w|_max + k3 |w|_inf, to a certified factor"
    )
    group.add_argument("--epsilon", type=float, default=0.05, metavar="E", help="factor 1 + E (default: 0.05)")
    group.add_argument("--beta", type=float, default=0.0, metavar="B", help="entropy exponent, 0 to 1 (default: 0)")
    group.add_argument(
        "--delta", type=float, default=0.05, metavar="D", help="failure probability that sets k0 to k3 (default: 0.05)"
    )
    for name in ("k0", "k1", "k2", "k3"):
        group.add_argument(f"--{name}", type=float, metavar="K", help="constant, instead of the one that --delta sets")
    group.add_argument("--search", choices=("adaptive", "grid"), default="adaptive", help="for beta > 0")
    group.add_argument("--solver", choices=("auto", "dual", "pdhg"), default="auto", help="of the convex problems")


def run(args: argparse.Namespace) -> int:
    """Weigh the pairs of a table, say what came out, write what was asked for."""
    from foretell.networked import PairGraph, fractional_matching_number, weigh
    from foretell.networked.tables import read_table

    for target in (args.output, args.plot):
        if target:
            check_target(target, force=args.force)
    columns = [args.left, args.right, *args.also]
    if len(set(columns)) < len(columns):
        args.usage_error("the id columns must differ")
    frame = read_table(args.file, columns)
    if args.output and args.column in frame.columns:
        raise ForetellError(f"there is a column {args.column!r} already", "name another with --column", path=args.file)
    begin = time.monotonic()
    try:
        pairs = PairGraph.from_frame(frame, columns, bipartite=args.bipartite)
        with _Status(shown=not args.quiet) as status:
            weighting = weigh(pairs, args.method, **_options(args), progress=status)
    except ForetellError as error:
        raise error.at(args.file) from None
    seconds = time.monotonic() - begin
    number = fractional_matching_number(pairs) if pairs.arity == 2 else None
    values = _values(args, pairs, weighting, number, seconds)
    if args.json:
        print_json(values)
    elif not args.quiet:
        print("\n".join(_lines(values)))
    _write(args, frame, weighting)
    return 0


def _options(args: argparse.Namespace) -> dict[str, Any]:
    from foretell.networked.program import Program

    options: dict[str, Any] = {"epsilon": args.epsilon, "search": args.search, "solver": args.solver}
    if args.correlation is not None:
        options["correlation"] = args.correlation
    if args.method == "bound":
        base = Program.at_confidence(args.delta, beta=args.beta)
        given = {name: getattr(args, name) for name in ("k0", "k1", "k2", "k3")}
        options["program"] = replace(base, **{name: value for name, value in given.items() if value is not None})
    return options


def _values(
    args: argparse.Namespace, pairs: PairGraph, weighting: Weighting, number: float | None, seconds: float
) -> dict[str, Any]:
    """Everything worth saying, as JSON."""
    from foretell.networked import weigh

    equal = weigh(pairs, "equal")
    values: dict[str, Any] = {
        "input": args.file,
        "pairs": pairs.n_pairs,
        "objects": pairs.n_objects,
        "bipartite": pairs.sides is not None,
        "largest_degree": pairs.maximum_degree,
        "method": weighting.method,
        "effective_sample_size": weighting.effective_sample_size,
        "effective_sample_size_equal": equal.effective_sample_size,
        "effective_sample_size_most": number,
        "noise_sample_size": weighting.noise_sample_size,
        "least_weight": float(weighting.weights.min()),
        "largest_weight": float(weighting.weights.max()),
        "seconds": round(seconds, 6),
        "output": args.output,
        "plot": args.plot,
    }
    if weighting.program and weighting.certificate:
        program, certificate = weighting.program, weighting.certificate
        values["program"] = {name: getattr(program, name) for name in ("k0", "k1", "k2", "k3", "beta")}
        values["certificate"] = {
            "objective": certificate.objective,
            "lower_bound": certificate.lower_bound,
            "gap": certificate.gap,
            "epsilon": certificate.epsilon,
            "holds": certificate.holds,
            "solves": certificate.solves,
            "iterations": certificate.iterations,
        }
    return values


def _lines(values: dict[str, Any]) -> list[str]:
    """The same for people."""
    kind = "bipartite, " if values["bipartite"] else ""
    most = values["effective_sample_size_most"]
    limit = f", at most {most:,.1f}" if most is not None else ""
    lines = [
        f"{os.path.basename(values['input'])}: {values['pairs']:,} pairs of {values['objects']:,} objects, {kind}"
        f"up to {values['largest_degree']:,} pairs of one object",
        f"  method {values['method']}, {values['seconds']:.2f} s",
        f"  effective sample size {values['effective_sample_size']:,.1f} "
        f"(equal weights: {values['effective_sample_size_equal']:,.1f}{limit})",
        f"  weights {values['least_weight']:.4g} to {values['largest_weight']:.4g}, mean 1; "
        f"for noise of single pairs they count as {values['noise_sample_size']:,.1f} pairs",
    ]
    if "certificate" in values:
        found = values["certificate"]
        word = "certified" if found["holds"] else "NOT reached"
        lines.append(
            f"  objective {found['objective']:.6g}, the least is {found['lower_bound']:.6g} or more: within "
            f"{found['gap']:.3%} of it (asked for {found['epsilon']:.3%}: {word}; {found['solves']} problems, "
            f"{found['iterations']} iterations)"
        )
    lines += [f"  {what}: {values[what]}" for what in ("output", "plot") if values[what]]
    return lines


def _write(args: argparse.Namespace, frame: Any, weighting: Weighting) -> None:
    if args.output:
        from foretell.networked.tables import write_table

        with open_output(args.output, force=args.force, binary=True) as file:
            write_table(frame, weighting.weights, args.column, args.output, file)
    if args.plot:
        from foretell.networked.plot import plot_weights

        suffix = os.path.splitext(args.plot)[1].lower().removeprefix(".")
        if suffix not in ("png", "svg", "pdf"):
            raise ForetellError("is no name for a picture", "end it in .png, .svg or .pdf", path=args.plot)
        with open_output(args.plot, force=args.force, binary=True) as file:
            plot_weights(weighting, file, format=suffix)


class _Status:
    """One line on standard error, on a terminal, with the gap that is still open."""

    def __init__(self, *, shown: bool) -> None:
        self._shown = shown and sys.stderr.isatty()
        self._last = 0.0

    def __enter__(self) -> _Status:
        return self

    def __exit__(self, *error: object) -> None:
        if self._last:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def __call__(self, gap: float) -> None:
        """Show a gap."""
        now = time.monotonic()
        if self._shown and now - self._last > 0.1:
            self._last = now
            sys.stderr.write(f"\r\x1b[Kweighing: gap {gap:.3%}")
            sys.stderr.flush()
