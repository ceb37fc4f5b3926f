"""Make and measure the extractor that ships under ``weights/spans-reader``: labels from their descriptions alone.

    python benchmarks/spans_reader.py weights/spans-reader --pretrained /tmp/starts [--measure]

It is ``reader`` of ``spans_pretraining.py`` in 8 bits. Its threshold is chosen on its siblings, each of which has
learnt from four domains of CrossNER and not from the fifth: the one that is best on average on the fifths' development
parts. How well it reads labels of a domain that it has not seen is measured on the siblings, on the fifths' test parts;
beside it, what ships, which has seen a few hundred sentences of each domain. GENIA's types are of a kind that none has
seen. Writes the scores to ``benchmarks/results/spans_reader.json``.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

import spans_data
import torch
from spans_pretraining import DOMAINS, pretrained

from foretell.spans import SpanExtractor
from foretell.spans.fitting import THRESHOLDS, shift_heads, threshold_scores
from foretell.spans.readers import keep_outermost

RESULTS = Path(__file__).parent / "results" / "spans_reader.json"
ENCODER = "minilm-l6"


def choose_threshold(folder: Path) -> float:
    """The threshold with the best mean F1 of the siblings on the development parts of what they have not seen."""
    found = []
    for name in DOMAINS:
        corpus = spans_data.load(name)
        sibling = SpanExtractor.from_pretrained(pretrained(name, folder, ENCODER))
        scorer = sibling._scorer(sibling.encode_labels(corpus.labels), "float32")
        names = tuple(corpus.labels)
        found.append(threshold_scores(corpus.dev, scorer, sibling._fitted(), sibling.settings_, names, flat=True))
    means = {threshold: statistics.mean(row[i] for row in found) for i, threshold in enumerate(THRESHOLDS)}
    print("threshold, mean F1 on development parts:", {key: round(value, 3) for key, value in means.items()})
    return max(means, key=lambda threshold: means[threshold])


def measure(shipped: SpanExtractor, folder: Path, threshold: float) -> dict[str, dict[str, float]]:
    """Micro F1 on test parts of siblings that have not seen the domain, and of what ships."""
    rows: dict[str, dict[str, float]] = {}
    for name in (*DOMAINS, "genia"):
        corpus = spans_data.load(name)
        test = [keep_outermost(document) for document in corpus.test]
        rows[name] = {"shipped": shipped.evaluate(test, corpus.labels, flat=True).micro.f1}
        if name in DOMAINS:
            sibling = SpanExtractor.from_pretrained(pretrained(name, folder, ENCODER))
            rows[name]["unseen"] = sibling.evaluate(test, corpus.labels, threshold=threshold, flat=True).micro.f1
        print(f"{name:20} " + "  ".join(f"{key} {100 * value:.1f}" for key, value in rows[name].items()), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where to write the model (int8)")
    parser.add_argument("--pretrained", type=Path, required=True, help="folder of the siblings, made if need be")
    parser.add_argument("--measure", action="store_true", help="make nothing, measure the model of the folder")
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    threshold = choose_threshold(args.pretrained)
    if not args.measure:
        extractor = SpanExtractor.from_pretrained(pretrained("reader", args.pretrained, ENCODER))
        shift_heads(extractor._module, threshold)
        extractor.save_pretrained(args.folder, dtype="int8")
    rows = measure(SpanExtractor.from_pretrained(args.folder), args.pretrained, threshold)
    RESULTS.write_text(json.dumps({"threshold": threshold, "f1": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
