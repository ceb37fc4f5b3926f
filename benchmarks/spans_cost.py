"""Time per sentence of LEAR and of BERT-MRC as the number of labels grows, and LEAR's sentences per second.

    python benchmarks/spans_cost.py --labels 3 7 18 40 [--threads 2]

Both models, on the same encoder, train on the same batches and predict the same sentences of about 25 words, in
turns, in one process; the least of ``--repeats`` times counts. Times are processor time of all threads (on a GPU:
wall time), so that other work on the machine matters less; wall time is in the rows too. Training is forward,
backward and the optimizer's step; LEAR is trained once more without what makes it cheap on a processor: in float32,
with word vectors that learn, dropout inside the encoder and descriptions encoded at every step. Prediction includes
tokenizing, decoding and, once per call, the encoding of the labels. Weights are untrained, which does not change the
time. Rows go to ``benchmarks/results/spans_cost.json``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import spans_data
import torch
from spans_labels import LABELS

from foretell.spans import Document, Settings, Span, SpanExtractor
from foretell.spans.batches import batch_labels, examples_of
from foretell.spans.precision import Precision
from foretell.spans.training import Training, train_epochs

RESULTS = Path(__file__).parent / "results" / "spans_cost.json"
SETTINGS = {"lear": Settings(), "bert-mrc": Settings(model="bert-mrc")}


def sentences(count: int) -> list[str]:
    """Sentences of 23 to 27 words."""
    texts = [document.text for document in spans_data.load("crossner-politics").train]
    texts += [document.text for document in spans_data.load("crossner-science").train]
    chosen = [text for text in texts if 23 <= len(text.split()) <= 27]
    return [chosen[i % len(chosen)] for i in range(count)]


def labels_of(count: int) -> dict[str, str]:
    every = {**LABELS["crossner"], "time": LABELS["gum"]["time"]}
    return dict(list(every.items())[:count])


def gold(texts: list[str], labels: dict[str, str]) -> list[Document]:
    """One span per sentence: what is learnt does not change the time."""
    names = list(labels)
    return [Document(text, (Span(0, len(text.split()[0]), names[i % len(names)]),)) for i, text in enumerate(texts)]


ONE = Training(epochs=1, batch_size=16, learning_rate=0.0)
PLAIN = replace(ONE, label_steps=1, label_gradient=True, word_vectors=True, encoder_dropout=0.1)
"""What makes training cheap on a processor is left out; with products of float32."""


def train(
    extractor: SpanExtractor,
    documents: list[Document],
    labels: dict[str, str],
    training: Training = ONE,
    precision: Precision = "auto",
) -> None:
    """One epoch in batches of 16."""
    tokenizer = extractor._fitted()
    examples = examples_of(documents, list(labels), tokenizer, extractor.settings_)
    batch = batch_labels(labels, range(len(labels)), tokenizer, extractor.settings_)
    device = extractor._device()
    next(
        train_epochs(
            extractor._module, [(examples, batch)], tokenizer, extractor.settings_, training, device, None, precision
        )
    )


def predict(extractor: SpanExtractor, documents: list[Document], labels: dict[str, str]) -> None:
    extractor.predict(documents, labels)


def timed(function: Callable[..., None], *arguments: Any) -> tuple[float, float]:
    """Seconds per document: what is compared, and wall time."""
    gpu = arguments[0]._device().type == "cuda"
    begin, used = time.perf_counter(), time.process_time()
    function(*arguments)
    if gpu:
        torch.cuda.synchronize()
    wall = (time.perf_counter() - begin) / len(arguments[1])
    return wall if gpu else (time.process_time() - used) / len(arguments[1]), wall


def measure(count: int, args: argparse.Namespace) -> dict[str, Any]:
    labels = labels_of(count)
    documents = gold(sentences(args.sentences), labels)
    extractors = {}
    for name, settings in SETTINGS.items():
        extractors[name] = SpanExtractor(args.encoder, settings=settings, device=args.device)
        extractors[name]._prepare(documents, labels)
        extractors[name]._module.to(extractors[name]._device())
        train(extractors[name], documents[:2], labels)
    row: dict[str, Any] = {"labels": count, "sentences": len(documents), "repeats": args.repeats}
    for what, function in (("train", train), ("predict", predict)):
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in extractors}
        for _ in range(args.repeats):
            for name, extractor in extractors.items():
                times[name].append(timed(function, extractor, documents, labels))
        for name, short in (("lear", "lear"), ("bert-mrc", "mrc")):
            row[f"{what}_{short}_ms"], row[f"{what}_{short}_wall_ms"] = (
                1000 * min(pair[i] for pair in times[name]) for i in range(2)
            )
        row[f"{what}_less"] = 1 - row[f"{what}_lear_ms"] / row[f"{what}_mrc_ms"]
    plain = [timed(train, extractors["lear"], documents, labels, PLAIN, "float32") for _ in range(args.repeats)]
    row["train_lear_plain_ms"], row["train_lear_plain_wall_ms"] = (1000 * min(p[i] for p in plain) for i in range(2))
    return row | {"encoder": args.encoder, "threads": torch.get_num_threads(), "device": args.device}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", nargs="+", type=int, default=[3, 7, 18, 40])
    parser.add_argument("--sentences", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--encoder", default="minilm-l6")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    print("milliseconds of processor time per sentence")
    print(f"{'labels':>6} {'train LEAR':>10} {'MRC':>8} {'less':>6} {'predict LEAR':>12} {'MRC':>8} {'less':>6}")
    for count in args.labels:
        row = measure(count, args)
        rows = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
        key = ("labels", "encoder", "threads", "device")
        rows = [other for other in rows if any(other[name] != row[name] for name in key)]
        RESULTS.write_text(json.dumps([*rows, row], indent=1) + "\n")
        print(
            f"{count:6} {row['train_lear_ms']:10.1f} {row['train_mrc_ms']:8.1f} {row['train_less']:6.1%} "
            f"{row['predict_lear_ms']:12.1f} {row['predict_mrc_ms']:8.1f} {row['predict_less']:6.1%}",
            flush=True,
        )


if __name__ == "__main__":
    main()
