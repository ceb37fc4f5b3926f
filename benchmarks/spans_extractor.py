"""Train the extractor that ships under ``weights/``: nested entities of ten types, from GUM.

    python benchmarks/spans_extractor.py /tmp/extractor [--epochs 8] [--device cuda]
    python benchmarks/spans_extractor.py weights/spans-entities --measure

Learns from the official training documents of four genres (academic, bio, news, voyage); chooses the epoch on their
development documents; measures on their test documents and on the fifth genre (interview), of which it has seen
nothing; the second call measures what ships. Writes the scores to ``benchmarks/results/spans_extractor.json``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import spans_data
import torch
from spans_labels import LABELS

from foretell.spans import Document, Settings, SpanExtractor
from foretell.spans.fitting import shift_heads
from foretell.spans.training import Training

RESULTS = Path(__file__).parent / "results" / "spans_extractor.json"
SEEN = ("academic", "bio", "news", "voyage")
UNSEEN = ("interview",)


def part(name: str, genres: tuple[str, ...]) -> list[Document]:
    """Sentences of one part of some genres; ``all`` for every part."""
    split = spans_data.gum_split()
    documents = spans_data.gum_documents(genres)
    return [item for key, items in documents.items() if name in ("all", split[key]) for item in items]


def favour_recall(extractor: SpanExtractor, dev: list[Document]) -> float:
    """Take the lowest threshold whose F1 on the development documents is within half a point of that of 0.5.

    Probabilities fall on texts unlike those of training, recall first.
    """
    best = extractor.evaluate(dev).micro.f1
    for threshold in (0.3, 0.35, 0.4, 0.45):
        if extractor.evaluate(dev, threshold=threshold).micro.f1 >= best - 0.005:
            shift_heads(extractor._module, threshold)
            return threshold
    return 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where to write the model (int8)")
    parser.add_argument("--measure", action="store_true", help="train nothing, measure the model of the folder")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--learning-rate", type=float, default=3e-4)
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
    parts = {"dev": dev, "test": test, "unseen genre: interview": unseen}
    rows: dict[str, dict[str, Any]] = {}
    if not args.measure:
        training = Training(
            epochs=args.epochs,
            batch_size=16,
            learning_rate=args.learning_rate,
            head_factor=5.0,
            label_gradient=True,
            dev_every=4,
        )
        extractor = SpanExtractor(settings=Settings(nested=True), training=training, device=args.device)
        extractor.fit(train, labels, dev=dev, on_epoch=lambda epoch: print(epoch, flush=True))
        favour_recall(extractor, dev)
        extractor.save_pretrained(args.folder, dtype="int8")
        rows["dev, float32"] = extractor.evaluate(dev).as_dict()
    shipped = SpanExtractor.from_pretrained(args.folder, device=args.device)
    for name, documents in parts.items():
        rows[name] = shipped.evaluate(documents).as_dict() | {"sentences": len(documents)}
    old = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps(old | rows, indent=1) + "\n")
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
