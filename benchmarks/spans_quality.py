"""Scores of LEAR, BERT-MRC and a tagger on one encoder, in one training loop: micro F1 on each corpus's test part.

    python benchmarks/spans_quality.py --data crossner-ai wnut17 --models lear tagger --seeds 0 1 2 --device cuda

One row per (corpus, model, seed, encoder, epochs, batch size, sentences) goes to
``benchmarks/results/spans_quality.json``; a cell whose row is there is not run again, so the table can be made in
pieces (``--minutes`` ends one). ``--table`` prints what there is. All models of a group of rows have the same number of
steps, batches, training sentences (the first of the corpus, in a random order of fixed seed, where they are limited)
and hyper-parameters, and are scored once, after the last epoch; the threshold is chosen on the development part. Where
gold never overlaps (WNUT17, CrossNER), all are decoded flat. Rows ``-pretrained`` begin from an extractor that has
learnt to read descriptions on other corpora, see ``spans_pretraining.py``, and train with dropout inside the encoder:
LEAR takes over its encoder and its heads, the tagger its encoder, which is all that a model without descriptions can;
``lear-untrained`` is that extractor as it is, with no training sentence of the corpus. The row ``lear-from-shipped``
goes on from the extractor that ships with foretell, which has seen GUM.
"""

from __future__ import annotations

import argparse
import functools
import json
import platform
import random
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import spans_data
import torch
from spans_pretraining import pretrained

from foretell.spans import Document, Settings, SpanExtractor
from foretell.spans.extractor import Epoch
from foretell.spans.fitting import best_threshold, shift_heads
from foretell.spans.shipped import find_extractor
from foretell.spans.training import Training

RESULTS = Path(__file__).parent / "results" / "spans_quality.json"
PRETRAINED = Path(__file__).parents[1] / "scratch" / "pretrained-extractors"
MODELS = {
    "lear": Settings(),
    "bert-mrc": Settings(model="bert-mrc"),
    "tagger": Settings(model="tagger"),
    "lear-pretrained": Settings(),
    "tagger-pretrained": Settings(model="tagger"),
    "lear-untrained": Settings(),
    "lear-from-shipped": Settings(),
    "lear-label-gradient": Settings(),
    "lear-paper": Settings(heads="per-label"),
    "lear-shared": Settings(heads="shared"),
    "lear-average": Settings(label_embedding="average"),
    "lear-sentence": Settings(label_embedding="sentence"),
    "lear-static": Settings(label_embedding="static"),
    "lear-random": Settings(label_embedding="random"),
}
FEW = Training(batch_size=8, learning_rate=3e-4, dev_every=1_000)
MANY = Training(epochs=3, batch_size=16, learning_rate=3e-4, head_factor=5.0, dev_every=1_000)


corpus_of = functools.lru_cache(maxsize=1)(spans_data.load)


def training_for(name: str, model: str, seed: int, args: argparse.Namespace) -> Training:
    """The same for all models: more, smaller steps where there are only 100 to 200 sentences, 2,000 readings in all."""
    few = name.startswith("crossner-")
    chosen = replace(FEW, epochs=2_000 // len(corpus_of(name).train)) if few else MANY
    return replace(
        chosen,
        seed=seed,
        epochs=0 if model.endswith("-untrained") else args.epochs or chosen.epochs,
        batch_size=args.batch_size or chosen.batch_size,
        learning_rate=args.learning_rate or chosen.learning_rate,
        head_factor=args.head_factor or chosen.head_factor,
        encoder_dropout=0.2 if model.endswith("-pretrained") else 0.0,
        label_gradient=model.endswith("-label-gradient"),
    )


def run_cell(name: str, model: str, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """Train one model on one corpus, choose its threshold on the development part, and score the test part."""
    corpus = corpus_of(name)
    settings = replace(MODELS[model], nested=corpus.nested)
    training = training_for(name, model, seed, args)
    train = chosen_sentences(corpus.train, args.limit) if training.epochs else []
    dev = corpus.dev[: args.dev_limit] if args.dev_limit else corpus.dev
    extractor = SpanExtractor(
        start_for(name, model, args), settings=settings, training=training, device=args.device, precision=args.precision
    )
    begin = time.perf_counter()
    if training.epochs:
        extractor.fit(train, corpus.labels, dev=dev, flat=corpus.flat)
    else:
        as_it_is(extractor, corpus.labels, dev, corpus.flat)
    seconds = time.perf_counter() - begin
    report = extractor.evaluate(corpus.test, corpus.labels, flat=corpus.flat)
    scores = report.as_dict()
    return {
        "data": name,
        "model": model,
        "seed": seed,
        "encoder": args.encoder,
        "epochs": training.epochs,
        "batch_size": training.batch_size,
        "learning_rate": training.learning_rate,
        "head_factor": training.head_factor,
        "encoder_dropout": training.encoder_dropout,
        "train_documents": len(train),
        "dev_documents": len(dev),
        "updates": training.epochs * -(-len(train) // training.batch_size),
        "test": {key: scores[key] for key in ("precision", "recall", "f1", "gold", "predicted", "lost_gold", "depths")},
        "macro_f1": report.macro_f1,
        "dev_f1": extractor.history_[-1].f1,
        "dev_threshold": extractor.history_[-1].threshold,
        "fit_seconds": round(seconds, 1),
        "train_seconds": round(sum(epoch.seconds for epoch in extractor.history_), 1),
        "test_sentences_per_second": round(report.sentences_per_second, 1),
        "threads": torch.get_num_threads(),
        "device": args.device,
        "precision": args.precision,
        "machine": platform.machine(),
        "torch": torch.__version__,
    }


def start_for(name: str, model: str, args: argparse.Namespace) -> str | Path:
    """Encoder, or folder of the extractor, that a model begins from."""
    if model == "lear-from-shipped":
        return find_extractor(None)
    if model.endswith(("-pretrained", "-untrained")):
        return pretrained(name, args.pretrained, args.encoder, args.precision)
    return str(args.encoder)


def as_it_is(extractor: SpanExtractor, labels: dict[str, str], dev: list[Document], flat: bool) -> None:
    """Take the weights of the extractor that one would begin from; only the threshold is chosen."""
    loaded = SpanExtractor.from_pretrained(extractor.encoder, device=extractor.device, precision=extractor.precision)
    vars(extractor).update(vars(loaded))
    scorer = extractor._scorer(extractor.encode_labels(labels), extractor.precision)
    f1, threshold = best_threshold(dev, scorer, extractor._fitted(), extractor.settings_, tuple(labels), flat)
    shift_heads(extractor._module, threshold)
    extractor.history_ = [Epoch(0, 0.0, 0.0, f1, threshold)]


KEYS = (
    "data",
    "model",
    "seed",
    "encoder",
    "epochs",
    "batch_size",
    "learning_rate",
    "head_factor",
    "encoder_dropout",
    "train_documents",
    "dev_documents",
)


def chosen_sentences(documents: list[Document], limit: int) -> list[Document]:
    """All, or so many at random, the same for all models and seeds."""
    if not limit or limit >= len(documents):
        return documents
    return random.Random(0).sample(documents, limit)


def key_of(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[key] for key in KEYS)


def is_done(name: str, model: str, seed: int, args: argparse.Namespace) -> bool:
    """Whether there is a row of this cell, made with these options."""
    training = training_for(name, model, seed, args)
    count = len(chosen_sentences(corpus_of(name).train, args.limit)) if training.epochs else 0
    rates = (training.learning_rate, training.head_factor, training.encoder_dropout)
    wanted = (name, model, seed, args.encoder, training.epochs, training.batch_size, *rates, count)
    return any(key_of(row)[: len(wanted)] == wanted for row in read_rows())


def read_rows() -> list[dict[str, Any]]:
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else []


def print_table(rows: list[dict[str, Any]]) -> None:
    groups: dict[tuple[str, ...], list[float]] = {}
    for row in rows:
        steps = f"{row['epochs']} x {row['batch_size']} x {row['learning_rate']:g}"
        key = (row["data"], row["encoder"], steps, f"{row['train_documents']}", row["model"])
        groups.setdefault(key, []).append(100 * row["test"]["f1"])
    print(f"{'corpus':20} {'encoder':10} {'epochs':>16} {'sentences':>9} {'model':14} {'F1':>6} {'sd':>5} seeds")
    for (data, encoder, epochs, count, model), scores in sorted(groups.items()):
        deviation = f"{statistics.stdev(scores):5.2f}" if len(scores) > 1 else "    -"
        mean = statistics.mean(scores)
        print(f"{data:20} {encoder:10} {epochs:>16} {count:>9} {model:14} {mean:6.2f} {deviation} {len(scores)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", choices=spans_data.NAMES, default=list(spans_data.NAMES))
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=["lear", "bert-mrc", "tagger"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--encoder", default="minilm-l6")
    parser.add_argument("--epochs", type=int, help="instead of each corpus's own number")
    parser.add_argument("--batch-size", type=int, help="instead of each corpus's own")
    parser.add_argument("--learning-rate", type=float, help="instead of each corpus's own")
    parser.add_argument("--head-factor", type=float, help="instead of each corpus's own")
    parser.add_argument("--limit", type=int, help="only the first so many training sentences")
    parser.add_argument("--dev-limit", type=int, help="choose the epoch on only the first so many sentences")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto", help="of products, also while predicting if it is bfloat16")
    parser.add_argument(
        "--pretrained", type=Path, default=PRETRAINED, help="folder of extractors to begin from, made if need be"
    )
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no cell after so many")
    parser.add_argument("--table", action="store_true", help="print what there is, run nothing")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    until = time.monotonic() + 60 * args.minutes
    for name in [] if args.table else args.data:
        for seed in args.seeds:
            for model in args.models:
                if time.monotonic() > until or is_done(name, model, seed, args):
                    continue
                row = run_cell(name, model, seed, args)
                rows = [other for other in read_rows() if key_of(other) != key_of(row)]
                RESULTS.parent.mkdir(exist_ok=True)
                RESULTS.write_text(json.dumps([*rows, row], indent=1) + "\n")
                print(
                    f"  {name} {model} seed {seed}: F1 {100 * row['test']['f1']:.2f}, {row['fit_seconds']} s",
                    flush=True,
                )
    print_table(read_rows())


if __name__ == "__main__":
    main()
