"""``foretell bound``."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from foretell.cli.files import check_target, open_output
from foretell.cli.report import print_json
from foretell.errors import ForetellError

if TYPE_CHECKING:
    from foretell.dependence import Assessment

_METHODS = ("auto", "chernoff", "hoeffding", "empirical-bernstein", "elimination", "forest")
_METRICS = (
    "accuracy", "error", "mean", "absolute_error", "squared_error", "win_rate", "acceptance_length", "bits_per_byte",
    "f1", "auc", "quantile",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("file", metavar="FILE", help="table with one row per item: .csv, .tsv (also .gz) or .parquet")
    parser.add_argument("--metric", choices=_METRICS, default="accuracy", metavar="NAME",
                        help=f"one of {', '.join(_METRICS)} (default: accuracy)")  # fmt: skip
    parser.add_argument("--truth", metavar="COLUMN", help="what is true (default: y_true, where the metric needs it)")
    parser.add_argument("--prediction", default="y_pred", metavar="COLUMN", help="what was predicted, scores or values")
    parser.add_argument("--baseline", metavar="COLUMN", help="a second system's predictions: bound the difference")
    parser.add_argument("--weight", metavar="COLUMN", help="weights of rows, for means")
    parser.add_argument("--range", nargs=2, type=float, metavar=("LOW", "HIGH"), help="possible values of one item")
    parser.add_argument("--quantile", type=float, default=0.5, metavar="Q", help="for --metric quantile (default: 0.5)")
    who = parser.add_argument_group("who depends on whom")
    who.add_argument("--share", action="append", default=[], metavar="COLUMN",
                     help="rows with the same value in this column depend; may be repeated")  # fmt: skip
    who.add_argument("--time", metavar="COLUMN", help="rows at most --horizon apart in this column depend")
    who.add_argument(
        "--horizon", metavar="H", help="in the unit of the time column; for dates a number and s, m, h or D"
    )
    who.add_argument("--within", metavar="COLUMN", help="time only matters between rows with the same value here")
    who.add_argument("--independent", action="store_true", help="rows do not depend on each other")
    who.add_argument("--missing", choices=("error", "own"), default="error",
                     help="own: a missing value in --share is shared with nobody")  # fmt: skip
    who.add_argument("--latent", action="store_true",
                     help="rows are functions of independent objects: tighter for 3 or more columns")  # fmt: skip
    parser.add_argument("--confidence", type=float, default=0.95, metavar="C", help="default: 0.95")
    parser.add_argument("--method", choices=_METHODS, default="auto", help="default: the tightest one for the graph")
    parser.add_argument("--plot", metavar="FILE", help="draw the intervals: .png, .svg or .pdf")
    parser.add_argument("-f", "--force", action="store_true", help="overwrite the plot")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")


def run(args: argparse.Namespace) -> int:
    """Print intervals in use and the valid one."""
    if not (args.share or args.time or args.independent):
        args.usage_error("say who depends on whom: --share, --time with --horizon, or --independent")
    if (args.time is None) != (args.horizon is None):
        args.usage_error("--time and --horizon go together")
    if args.within and not args.time:
        args.usage_error("--within is for --time")
    if args.plot:
        check_target(args.plot, force=args.force)
    try:
        found = _assess(args)
    except ForetellError as error:
        raise error.at(args.file) from None
    if args.plot:
        _draw(found, args.plot, force=args.force)
    if args.json:
        print_json({"input": args.file, "effective_share": _share(found), **found.to_dict()})
    else:
        print(_table(found))
    return 0


def _assess(args: argparse.Namespace) -> Assessment:
    from foretell.dependence import DependencyGraph, assess
    from foretell.networked.tables import read_table

    truth = args.truth or ("y_true" if args.metric in _NEEDS_TRUTH else None)
    named = [truth, args.prediction, args.baseline, args.weight, *args.share, args.time, args.within]
    frame = read_table(args.file, list(dict.fromkeys(name for name in named if name)))
    _check(frame, args)
    numeric = args.metric not in ("accuracy", "error")
    return assess(
        _column(frame, truth, numeric),
        _column(frame, args.prediction, numeric),
        args.metric,
        share={name: frame[name].to_numpy() for name in args.share},
        times=_times(frame, args.time),
        horizon=_horizon(frame, args.time, args.horizon),
        within=frame[args.within].to_numpy() if args.within else None,
        graph=DependencyGraph.independent(len(frame)) if args.independent else None,
        baseline=_column(frame, args.baseline, numeric),
        sample_weight=_column(frame, args.weight, True),
        value_range=tuple(args.range) if args.range else None,
        quantile=args.quantile,
        confidence=args.confidence,
        latent=args.latent,
        method=args.method,
        missing=args.missing,
    )


def _check(frame: Any, args: argparse.Namespace) -> None:
    """Refuse what the library would refuse too, in the words of the command line."""
    if not len(frame):
        raise ForetellError("has no rows", "give a table with one row per item")
    if args.metric in _NEEDS_RANGE and args.range is None:
        raise ForetellError(
            f"the range of {args.metric} is not known", "give --range LOWEST HIGHEST, the possible values of one row"
        )
    for name in args.share if args.missing == "error" else ():
        if frame[name].isna().any():
            row = int(frame[name].isna().to_numpy().argmax())
            raise ForetellError(
                f"column {name!r} is empty in {int(frame[name].isna().sum())} rows, first in row {row}",
                "fill it in, drop those rows, or give --missing own if such rows share this with nobody",
            )


_NEEDS_RANGE = ("mean", "absolute_error", "squared_error", "acceptance_length", "bits_per_byte")
_NEEDS_TRUTH = ("accuracy", "error", "absolute_error", "squared_error", "bits_per_byte", "f1", "auc")


def _column(frame: Any, name: str | None, numeric: bool) -> Any:
    if name is None:
        return None
    import pandas

    column = frame[name]
    if not numeric:
        return column.to_numpy()
    converted = pandas.to_numeric(column, errors="coerce")
    bad = converted.isna()
    if bad.any():
        row = int(bad.to_numpy().argmax())
        raise ForetellError(f"column {name!r}, row {row}: {column.iloc[row]!r} is no number", "repair or drop that row")
    return converted.to_numpy()


def _times(frame: Any, name: str | None) -> Any:
    if name is None:
        return None
    import pandas

    column = frame[name]
    if pandas.api.types.is_datetime64_any_dtype(column):
        return column.to_numpy()
    converted = pandas.to_numeric(column, errors="coerce")
    if not converted.isna().any():
        return converted.to_numpy()
    dates = pandas.to_datetime(column, errors="coerce", format="ISO8601")
    if dates.isna().any():
        row = int(dates.isna().to_numpy().argmax())
        raise ForetellError(
            f"column {name!r}, row {row}: {column.iloc[row]!r} is neither number nor date",
            "write dates like 2026-01-31",
        )
    return dates.to_numpy()


def _horizon(frame: Any, time: str | None, text: str | None) -> Any:
    if time is None or text is None:
        return None
    import pandas

    dates = _times(frame, time).dtype.kind == "M"
    try:
        if dates and text.strip().replace(".", "", 1).isdigit():
            raise ValueError("no unit")
        return pandas.Timedelta(text).to_numpy() if dates else float(text)
    except ValueError:
        example = "such as 5D, 12h or 30s, for dates" if dates else "such as 5, in the unit of the time column"
        raise ForetellError(f"a horizon of {text!r}", f"give one {example}") from None


def _share(found: Assessment) -> float:
    return found.interval.effective_sample_size / found.interval.n_items


def _table(found: Assessment) -> str:
    interval = found.interval
    lines = [
        f"{interval.metric} {interval.estimate:.4f}   {interval.n_items} items, "
        f"worth {interval.effective_sample_size:.1f} independent ones",
        "",
        f"{f'{interval.confidence:.0%} interval':24} {'low':>9} {'high':>9} {'half width':>11}",
    ]
    for row in found.comparisons:
        half = (row.high - row.low) / 2
        lines.append(f"{row.name:24} {row.low:9.4f} {row.high:9.4f} {half:11.4f}   asymptotic; assumes {row.assumes}")
    note = "VACUOUS: says next to nothing" if interval.vacuous else "holds at every sample size"
    ends = f"{interval.low:9.4f} {interval.high:9.4f} {interval.half_width:11.4f}"
    lines.append(f"{f'valid ({interval.method})':24} {ends}   {note}")
    lines += ["", f"The valid interval is for {interval.target} and assumes that"]
    lines += [f"- {assumption}" for assumption in interval.assumptions]
    return "\n".join(lines)


def _draw(found: Assessment, path: str, *, force: bool) -> None:
    suffix = os.path.splitext(path)[1].lower().removeprefix(".")
    if suffix not in ("png", "svg", "pdf"):
        raise ForetellError("is no name for a picture", "end it in .png, .svg or .pdf", path=path)
    axes = found.plot()
    with open_output(path, force=force, binary=True) as file:
        axes.figure.savefig(file, format=suffix)
