"""``foretell spans``: train, predict, eval, labels."""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foretell.cli import options
from foretell.cli.files import STANDARD, check_target, open_output
from foretell.cli.report import Progress, complain, print_json
from foretell.errors import ForetellError

if TYPE_CHECKING:
    from foretell.spans import Document, Span, SpanExtractor
    from foretell.spans.extractor import EncodedLabels

_FORMATS = ("conll", "brat", "jsonl", "spacy")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_train(actions.add_parser("train", help="learn to extract from documents with gold spans"))
    _add_predict(actions.add_parser("predict", help="find the spans of texts"))
    _add_eval(actions.add_parser("eval", help="compare predictions with gold spans"))
    labels = actions.add_parser("labels", help="show the labels of an extractor, or count those of documents")
    labels.add_argument("source", metavar="DIR|NAME|FILE", nargs="?", help="extractor or gold documents")
    labels.add_argument("--format", choices=_FORMATS, help="of documents; default: by the suffix")
    labels.add_argument("--encoding", default="utf-8", help="of documents (default: utf-8)")
    labels.add_argument("--json", action="store_true", help="one JSON object of descriptions, as --labels reads it")


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=_FORMATS, help="of DATA; default: by the suffix")
    parser.add_argument("--encoding", default="utf-8", help="of text files (default: utf-8)")
    _add_running(parser)


def _add_running(parser: argparse.ArgumentParser) -> None:
    options.add_threads(parser)
    parser.add_argument("--device", default="auto", help="cpu, cuda or auto (default: auto)")
    parser.add_argument("--batch-size", type=int, default=16, metavar="N", help="windows at once (default: 16)")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress, only errors")


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", nargs="+", metavar="DATA", help="documents with gold spans")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="where to write the extractor")
    parser.add_argument("--labels", metavar="FILE", help="JSON object of descriptions; default: names say it all")
    parser.add_argument("--dev", nargs="+", default=[], metavar="DATA", help="documents to choose the epoch on")
    parser.add_argument(
        "--encoder",
        default="minilm-l6",
        help="minilm-l6, e5-small, a folder, or an extractor to go on from, such as reader (default: minilm-l6)",
    )
    parser.add_argument("--architecture", choices=("lear", "bert-mrc", "tagger"), default="lear", help="default: lear")
    parser.add_argument(
        "--heads",
        choices=("default", "described", "per-label", "shared"),
        default="default",
        help="per-label: as published, no labels can be added later (default: described for lear)",
    )
    parser.add_argument("--nested", choices=("auto", "yes", "no"), default="auto", help="default: if gold spans nest")
    parser.add_argument("--epochs", type=int, default=10, metavar="N", help="default: 10")
    parser.add_argument("--learning-rate", type=float, default=1e-4, metavar="R", help="of the encoder")
    parser.add_argument(
        "--encoder-dropout",
        type=float,
        default=0.0,
        metavar="P",
        help="while training; 0.2 helps to go on from an extractor with few documents (default: 0)",
    )
    parser.add_argument(
        "--precision",
        choices=("auto", "float32", "bfloat16"),
        default="auto",
        help="of products; auto: bfloat16 where the hardware has it (default)",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--dtype", choices=("float32", "float16", "int8"), default="float32", help="of the files")
    parser.add_argument("-f", "--force", action="store_true", help="overwrite an extractor")
    parser.add_argument("--json", action="store_true", help="one JSON object per epoch on standard output")
    _add_data(parser)


def _add_reading(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        metavar="DIR|NAME",
        help="extractor (default: of those that ship, reader if --labels describes labels, else entities)",
    )
    parser.add_argument("--labels", metavar="FILE", help="JSON object of descriptions, or a list of names to look for")
    parser.add_argument("--threshold", type=float, default=0.5, metavar="P", help="default: 0.5")
    parser.add_argument("--flat", action="store_true", help="of spans that overlap, keep only the best")


def _add_predict(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="*", metavar="FILE", help="texts, JSON lines, folders, .fore; - or none: input")
    _add_reading(parser)
    parser.add_argument("--to", choices=("jsonl", "brat", "html"), default="jsonl", help="output (default: jsonl)")
    parser.add_argument("-o", "--output", metavar="PATH", help="file, or folder for brat (default: standard output)")
    parser.add_argument("-f", "--force", action="store_true", help="overwrite")
    parser.add_argument("--by", choices=("file", "line"), default="file", help="what of a text is one document")
    parser.add_argument("--no-text", action="store_true", help="leave the texts out of JSON lines")
    parser.add_argument("--encoding", default="utf-8", help="of texts (default: utf-8)")
    parser.add_argument("--json", action="store_true", help="JSON lines on standard output, which is the default")
    _add_running(parser)


def _add_eval(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("data", nargs="+", metavar="DATA", help="documents with gold spans")
    _add_reading(parser)
    _add_data(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")


def run(args: argparse.Namespace) -> int:
    """Do what the action says."""
    _check_numbers(args)
    if args.action != "labels":
        options.limit_threads(args.threads)
    actions = {"train": _train, "predict": _predict, "eval": _evaluate, "labels": _labels}
    return actions[args.action](args)


def _check_numbers(args: argparse.Namespace) -> None:
    for name, least in (("epochs", 1), ("batch_size", 1), ("learning_rate", 0)):
        value = getattr(args, name, None)
        if value is not None and value < least:
            args.usage_error(f"--{name.replace('_', '-')} is {value}; choose {least} or more")
    if not 0 <= getattr(args, "encoder_dropout", 0) < 1:
        args.usage_error(f"--encoder-dropout is {args.encoder_dropout}; choose 0 or more, less than 1")


def _train(args: argparse.Namespace) -> int:
    from foretell.spans import Settings, SpanExtractor
    from foretell.spans.training import Progress as Step
    from foretell.spans.training import Training

    if (Path(args.output) / "config.json").exists() and not args.force:
        raise ForetellError("holds a model already", "overwrite it with -f or choose another folder", path=args.output)
    documents = _read(args.data, args)
    dev = _read(args.dev, args)
    labels = _described(args.labels) or sorted({span.label for item in documents for span in item.spans})
    nested = args.nested == "yes" or (args.nested == "auto" and _nests(documents))
    settings = Settings(model=args.architecture, heads=args.heads, nested=nested)
    training = Training(
        epochs=args.epochs,
        batch_size=args.batch_size,
        learning_rate=args.learning_rate,
        encoder_dropout=args.encoder_dropout,
        seed=args.seed,
    )
    extractor = SpanExtractor(
        args.encoder, settings=settings, training=training, device=args.device, precision=args.precision
    )
    if not args.quiet and not args.json:
        kind = "nested" if nested else "flat"
        print(f"{len(documents)} documents, {len(labels)} labels, {kind}, {args.architecture}", flush=True)
    with _Counter("training", "steps", shown=not args.quiet) as bar:

        def step(state: Step) -> None:
            bar.total = state.steps
            bar(state.step)

        extractor.fit(documents, labels, dev=dev, progress=step, on_epoch=lambda epoch: _show_epoch(epoch, args))
    extractor.save_pretrained(args.output, dtype=args.dtype)
    return 0


def _show_epoch(epoch: Any, args: argparse.Namespace) -> None:
    if args.json:
        print_json({"epoch": epoch.epoch, "loss": epoch.loss, "seconds": epoch.seconds, "dev_f1": epoch.f1})
    elif not args.quiet:
        scored = "" if epoch.f1 is None else f", F1 on dev {epoch.f1:.3f}"
        print(f"epoch {epoch.epoch}: loss {epoch.loss:.4f}{scored}, {epoch.seconds:.0f} s", flush=True)


def _nests(documents: list[Document]) -> bool:
    """Whether spans of one label overlap anywhere, which a flat model cannot learn."""
    for document in documents:
        last: dict[str, tuple[int, int]] = {}
        for span in sorted(document.spans):
            before = last.get(span.label)
            if before and span.start < before[1] and before != (span.start, span.end):
                return True
            last[span.label] = (span.start, max(span.end, before[1] if before else 0))
    return False


def _predict(args: argparse.Namespace) -> int:
    from foretell.spans import brat, html, jsonl

    if args.to == "brat" and (not args.output or args.output == STANDARD):
        args.usage_error("brat writes two files per document; name a folder with -o")
    described = _described(args.labels)
    extractor = _load(args, described)
    labels = extractor.encode_labels(described)
    with _Counter("predicting", "pieces of words", shown=not args.quiet) as bar:
        found = _stream(extractor, labels, args, bar)
        if args.to == "brat":
            _write_brat(found, Path(args.output), args.force, brat.annotation_lines)
            return 0
        with open_output(args.output or STANDARD, force=args.force, binary=False) as out:
            if args.to == "html":
                for part in html.page(found, labels.names, ", ".join(args.files) or "standard input"):
                    out.write(part.encode("utf-8", "replace"))
            else:
                for document, spans in found:
                    record = jsonl.to_record(document, spans, with_text=not args.no_text)
                    out.write(json.dumps(record).encode() + b"\n")
                    out.flush()
    return 0


def _stream(
    extractor: SpanExtractor, labels: EncodedLabels, args: argparse.Namespace, bar: _Counter
) -> Iterator[tuple[Document, list[Span]]]:
    from foretell.spans.sources import documents_in

    paths = args.files or [STANDARD]
    documents = (item for path in paths for item in documents_in(path, by=args.by, encoding=args.encoding))
    options = {"threshold": args.threshold, "flat": args.flat, "batch_size": args.batch_size}
    return extractor.stream(documents, labels, progress=bar, **options)


def _write_brat(found: Iterator[tuple[Document, list[Span]]], folder: Path, force: bool, lines: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    taken = Counter[str]()
    for document, spans in found:
        stem = Path(document.id).stem.replace(":", "-") or "document"
        taken[stem] += 1
        name = stem if taken[stem] == 1 else f"{stem}-{taken[stem]}"
        for suffix, text in ((".txt", document.text), (".ann", "".join(lines(spans)))):
            target = str(folder / (name + suffix))
            check_target(target, force=force)
            with open_output(target, force=True, binary=False) as out:
                out.write(text.encode("utf-8", "surrogatepass"))


def _evaluate(args: argparse.Namespace) -> int:
    documents = _read(args.data, args)
    labels = _described(args.labels)
    extractor = _load(args, labels)
    options = {"threshold": args.threshold, "flat": args.flat, "batch_size": args.batch_size}
    with _Counter("predicting", "pieces of words", shown=not args.quiet) as bar:
        report = extractor.evaluate(documents, labels, progress=bar, **options)
    values = report.as_dict()
    if args.json:
        print_json({"model": str(extractor.encoder), **values})
        return 0
    print(f"{'':24} {'precision':>9} {'recall':>7} {'F1':>7} {'gold':>7} {'found':>7}")
    rows = {"micro": values, **values["labels"]}
    rows.update({f"depth {depth}": row for depth, row in values["depths"].items() if len(values["depths"]) > 1})
    for name, row in rows.items():
        scores = f"{row['precision']:9.3f} {row['recall']:7.3f} {row['f1']:7.3f}"
        print(f"{name:24} {scores} {row['gold']:7} {row['predicted']:7}")
    print(f"macro F1 {values['macro']['f1']:.3f}; {values['sentences_per_second']:.1f} sentences per second")
    if report.lost:
        print(f"{report.lost} gold spans cannot be represented and count as missed")
    if report.unknown:
        complain(f"labels unknown to the extractor, whose gold counts as missed: {', '.join(report.unknown)}")
    return 0


def _labels(args: argparse.Namespace) -> int:
    from foretell.spans.shipped import find_extractor, shipped_extractor

    named = args.source is not None and not Path(args.source).exists() and shipped_extractor(args.source)
    if args.source is None or named or (Path(args.source) / "config.json").is_file():
        from foretell.spans.storage import read_config

        descriptions = read_config(find_extractor(args.source))["labels"]
        if args.json:
            print_json(descriptions)
        else:
            for name, description in descriptions.items():
                print(f"{name:24} {description}")
        return 0
    counts = Counter(span.label for document in _read([args.source], args) for span in document.spans)
    if args.json:
        print_json({name: name for name in sorted(counts)})
    else:
        for name, count in counts.most_common():
            print(f"{name:24} {count}")
    return 0


def _load(args: argparse.Namespace, labels: dict[str, str] | list[str] | None) -> SpanExtractor:
    """The extractor that was named, or the one that ships for such labels."""
    from foretell.spans import SpanExtractor
    from foretell.spans.shipped import find_extractor

    return SpanExtractor.from_pretrained(find_extractor(args.model, labels), device=args.device)


def _read(paths: list[str], args: argparse.Namespace) -> list[Document]:
    from foretell.spans import read_documents

    return [item for path in paths for item in read_documents(path, args.format, encoding=args.encoding)]


def _described(path: str | None) -> dict[str, str] | list[str] | None:
    """Descriptions of a JSON file: an object of names and descriptions, or a list of names."""
    from foretell.spans.document import DocumentError, check_labels

    if path is None:
        return None
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
        if not isinstance(values, dict | list):
            raise DocumentError("is neither an object nor a list", 'write {"person": "A person is ..."}')
        check_labels(values)
    except ForetellError as error:
        raise error.at(path) from None
    except ValueError as error:
        raise DocumentError(f"is not JSON ({error})", 'write {"person": "A person is ..."}', path=path) from None
    return values


class _Counter(Progress):
    """A bar that counts things other than bytes."""

    def __init__(self, label: str, what: str, *, shown: bool) -> None:
        super().__init__(label, None, shown=shown)
        self.what = what
        self.total = 0
        self._since = time.monotonic()

    def __enter__(self) -> _Counter:
        return self

    def line(self, done: int, seconds: float) -> str:
        """Return the bar after some seconds."""
        seconds = time.monotonic() - self._since
        rate = done / seconds if seconds > 0 else 0.0
        if not self.total:
            return f"{done} {self.what}, {rate:.1f}/s"
        left = (self.total - done) / rate if rate else 0.0
        return f"{self._label}: {done} of {self.total} {self.what}, {left / 60:.0f} min left"
