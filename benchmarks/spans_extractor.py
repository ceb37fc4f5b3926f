"""Train the extractor that ships under ``weights/``: nested entities of ten types, from GUM.

    python benchmarks/spans_extractor.py /tmp/extractor [--epochs 6] [--device cuda]

Learns from the official training documents of four genres (academic, bio, news, voyage); chooses the epoch on their
development documents; measures on their test documents and on the fifth genre (interview), of which it has seen
nothing. Writes the scores to ``benchmarks/results/spans_extractor.json``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import spans_data
import torch
from spans_labels import LABELS

from foretell.spans import Document, Settings, SpanExtractor
from foretell.spans.training import Training

RESULTS = Path(__file__).parent / "results" / "spans_extractor.json"
SEEN = ("academic", "bio", "news", "voyage")
UNSEEN = ("interview",)


def part(name: str, genres: tuple[str, ...]) -> list[Document]:
    """Sentences of one part of some genres; ``all`` for every part."""
    split = spans_data.gum_split()
    documents = spans_data.gum_documents(genres)
    return [item for key, items in documents.items() if name in ("all", split[key]) for item in items]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where to write the model (int8)")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--heads", choices=("per-label", "shared"), default="per-label")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    labels = {
        {"organization": "organisation", "place": "location"}.get(name, name): text
        for name, text in LABELS["gum"].items()
    }
    train, dev, test, unseen = (
        [_renamed(item) for item in part(*which)]
        for which in (("train", SEEN), ("dev", SEEN), ("test", SEEN), ("all", UNSEEN))
    )
    training = Training(epochs=args.epochs, batch_size=16, learning_rate=1e-4)
    extractor = SpanExtractor(settings=Settings(nested=True, heads=args.heads), training=training, device=args.device)

    def keep(epoch: object) -> None:
        print(epoch, flush=True)
        extractor.save_pretrained(args.folder / "last", dtype="float16")

    extractor.fit(train, labels, dev=dev, on_epoch=keep)
    extractor.save_pretrained(args.folder / "whole")
    extractor.save_pretrained(args.folder / "int8", dtype="int8")
    shipped = SpanExtractor.from_pretrained(args.folder / "int8", device=args.device)
    rows = {
        name: shipped.evaluate(documents).as_dict()
        for name, documents in (("dev", dev), ("test", test), ("unseen genre: interview", unseen))
    }
    rows["dev, float32"] = extractor.evaluate(dev).as_dict()
    RESULTS.write_text(json.dumps({"training": training.as_dict(), "sentences": len(train), **rows}, indent=1) + "\n")
    for name, row in rows.items():
        print(f"{name:26} precision {row['precision']:.3f} recall {row['recall']:.3f} F1 {row['f1']:.3f}")


def _renamed(document: Document) -> Document:
    """GUM's names of two types, in the words that users of extractors expect."""
    names = {"organization": "organisation", "place": "location"}
    spans = tuple(type(s)(s.start, s.end, names.get(s.label, s.label)) for s in document.spans)
    lost = tuple(type(s)(names.get(s.label, s.label), s.reason) for s in document.lost)
    return Document(document.text, spans, document.id, lost)


if __name__ == "__main__":
    main()
