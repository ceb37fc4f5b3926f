"""Extractors that have learnt to read descriptions: what rows ``-pretrained`` of the quality table begin from.

    python benchmarks/spans_pretraining.py FOLDER crossner-ai wnut17 reader

``general`` learns from sentences of GUM, LitBank and WNUT17. From there, the one for a domain of CrossNER goes on with
the training and development sentences of the other four domains, and ``reader``, which ships in 8 bits
(``spans_reader.py``), with those of all five. The one for WNUT17 learns from GUM, LitBank and the five domains. Each
collection is scored by its own labels only. A quarter of its sentences see descriptions without examples, and a quarter
only what a label is called, so that all manners of saying what is looked for are known. No test part is read, and a
sentence that the corpus in question tests with is left out, as is GUM's genre interview.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
from pathlib import Path

import spans_data
import torch

from foretell.spans import Document, Settings, SpanExtractor
from foretell.spans.precision import Precision
from foretell.spans.readers import keep_outermost
from foretell.spans.training import Training

TRAINING = Training(epochs=3, batch_size=8, learning_rate=3e-4, label_steps=1, label_gradient=True, encoder_dropout=0.1)
MOST = 2_000
"""Sentences of one collection, at random."""
DOMAINS = tuple(name for name in spans_data.NAMES if name.startswith("crossner-"))
_EXAMPLES = re.compile(r",? such as ")
_CALLED = re.compile(r"^(?:An?|The) (.{1,40}?) (?:is|are) .*$", re.DOTALL)
_GENERAL = ("gum", "litbank", "wnut17")
NAMES = (*DOMAINS, "wnut17", "reader")


def pretrained(corpus: str, folder: Path, encoder: str, precision: Precision = "auto") -> Path:
    """Folder of the extractor that training on a corpus begins from; trained if it is not there."""
    if corpus in ("gum", "litbank"):
        sys.exit(f"{corpus}: all extractors to begin from have learnt from it")
    if corpus == "wnut17":
        return _trained(corpus, folder, (*DOMAINS, "gum", "litbank"), encoder, precision)
    general = _trained("general", folder, _GENERAL, encoder, precision)
    name = corpus if corpus in DOMAINS else "reader"
    return _trained(name, folder, tuple(other for other in DOMAINS if other != corpus), str(general), precision)


def _trained(name: str, folder: Path, sources: tuple[str, ...], start: str, precision: Precision) -> Path:
    target = folder / name
    if not (target / "model.safetensors").exists():
        test = spans_data.load(name).test if name in spans_data.NAMES else []
        tested = {spans_data.squeeze(document.text) for document in test}
        extractor = SpanExtractor(start, settings=Settings(), training=TRAINING, precision=precision)
        collections = [
            (_sentences(corpus, tested)[i::4], labels)
            for corpus in map(spans_data.load, sources)
            for i, labels in enumerate(_wordings(corpus.labels))
        ]
        extractor.fit_collections(
            collections,
            on_epoch=lambda epoch: print(f"  {name}: {epoch}", flush=True),
        )
        extractor.save_pretrained(target)
    return target


def _sentences(corpus: spans_data.Corpus, tested: set[str]) -> list[Document]:
    """Training sentences, and of the small CrossNER the development sentences, outermost spans only."""
    documents = corpus.train + (corpus.dev if corpus.name in DOMAINS else [])
    documents = [document for document in documents if not (document.id or "").startswith("GUM_interview")]
    chosen = random.Random(0).sample(documents, min(MOST, len(documents)))
    return [keep_outermost(document) for document in chosen if spans_data.squeeze(document.text) not in tested]


def _wordings(labels: dict[str, str]) -> list[dict[str, str]]:
    """Descriptions as they are, twice; without their examples; and shortened to what is described."""
    plain = {name: _EXAMPLES.split(text)[0].rstrip(".") + "." for name, text in labels.items()}
    called = {name: _CALLED.sub(r"\1", text) for name, text in labels.items()}
    return [labels, labels, plain, called]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; default: all")
    parser.add_argument("--encoder", default="minilm-l6")
    parser.add_argument("--precision", default="auto", choices=["auto", "float32", "bfloat16"])
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    for name in args.names or NAMES:
        if name not in NAMES:
            parser.error(f"no {name!r}; there are {', '.join(NAMES)}")
        print(pretrained(name, args.folder, args.encoder, args.precision))


if __name__ == "__main__":
    main()
