"""Extractors that have learnt to read descriptions: what rows ``-pretrained`` of the quality table begin from.

    python benchmarks/spans_pretraining.py FOLDER arts sciences

One learns from the training and development sentences of CrossNER's literature, music and politics (1,721), the other
from those of its AI and science (1,100), each collection being scored by its own labels only. A corpus begins from the
one that has not seen it; no test part is read.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import spans_data
import torch

from foretell.spans import Settings, SpanExtractor
from foretell.spans.precision import Precision
from foretell.spans.training import Training

TRAINING = Training(epochs=2, batch_size=8, learning_rate=3e-4, label_steps=3, label_gradient=True)
SOURCES = {
    "arts": ("crossner-literature", "crossner-music", "crossner-politics"),
    "sciences": ("crossner-ai", "crossner-science"),
}
_FROM_SCIENCES = {*SOURCES["arts"], "genia", "cg-events", "genia-events"}


def start_of(corpus: str) -> str:
    """Name of the extractor that a corpus begins from."""
    return "sciences" if corpus in _FROM_SCIENCES else "arts"


def pretrained(name: str, folder: Path, encoder: str, precision: Precision = "auto") -> Path:
    """Folder of an extractor; trained if it is not there."""
    target = folder / name
    if not (target / "model.safetensors").exists():
        corpora = [spans_data.load(source) for source in SOURCES[name]]
        extractor = SpanExtractor(encoder, settings=Settings(), training=TRAINING, precision=precision)
        extractor.fit_collections(
            [(corpus.train + corpus.dev, corpus.labels) for corpus in corpora],
            on_epoch=lambda epoch: print(f"  {name}: {epoch}", flush=True),
        )
        extractor.save_pretrained(target)
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", choices=list(SOURCES), default=list(SOURCES))
    parser.add_argument("--encoder", default="minilm-l6")
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    for name in args.names:
        print(pretrained(name, args.folder, args.encoder))


if __name__ == "__main__":
    main()
