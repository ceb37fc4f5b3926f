"""What exactness costs: bits per token of the exact model against transformers in fp32, on the same tokens.

    python benchmarks/exact_loss.py GGUF [--model NAME] [--tokens N]

Reads the start of three files of $FORETELL_DATA/text/dev and writes benchmarks/results/exact_loss-MODEL.json.
Tokens of one text depend on each other; intervals assume that those more than 64 tokens apart do not. That of the
loss is asymptotic (bits of a token have no bound), that of the share of tokens that cost more holds at any length.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import numpy as np

from foretell.dependence import DependencyGraph, compare_intervals, metric_interval
from foretell.models import registry
from foretell.models.decoder import Decoder

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("FORETELL_DATA", ROOT.parent / "shared" / "data"))
FILES = ("law_us_dc_2025.txt", "prose_blog_2025.md", "code_python_2026.py")
CHUNK = 240
HORIZON = 64


def exact_bits(model: Decoder, rows: np.ndarray) -> np.ndarray:
    """Bits of each token after the first, one context."""
    inputs, targets = rows[:-1].astype(np.int32), rows[1:]
    cache = model.new_cache(1, inputs.size)
    bits = []
    for begin in range(0, inputs.size, CHUNK):
        end = min(begin + CHUNK, inputs.size)
        slots = np.arange(begin, end, dtype=np.int32)
        states = model.forward(inputs[begin:end], np.zeros(end - begin, np.int32), slots, cache)
        frequencies = model.frequencies(states)
        own = frequencies[np.arange(end - begin), targets[begin:end]]
        bits.append(np.log2(frequencies.sum(axis=1, dtype=np.int64)) - np.log2(own))
    return np.concatenate(bits)


def intervals(ours: np.ndarray, theirs: np.ndarray) -> dict[str, list[float]]:
    """95 % intervals of the loss in percent and of the share of tokens that cost more in the exact model."""
    loss = 100 * (ours - theirs) / theirs.mean()
    places = np.arange(loss.size)
    rows = compare_intervals(
        float(loss.mean()), (loss - loss.mean()) / loss.size, times=places, horizon=HORIZON
    )  # fmt: skip
    found = next(row for row in rows if row.name == "Newey-West")
    graph = DependencyGraph.from_m_dependence(loss.size, HORIZON)
    worse = metric_interval(None, (ours > theirs).astype(float), "win_rate", graph=graph)
    return {
        "loss_interval_percent": [round(found.low, 3), round(found.high, 3)],
        "share_of_tokens_worse": [round(worse.low, 3), round(worse.estimate, 3), round(worse.high, 3)],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gguf", type=Path)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--tokens", type=int, default=2048)
    args = parser.parse_args()
    if not (DATA / "text" / "dev").is_dir():
        print(f"exact_loss: no data in {DATA}; set FORETELL_DATA")
        return 1
    import torch
    from transformers import AutoModelForCausalLM

    float_model = AutoModelForCausalLM.from_pretrained(args.gguf.parent, gguf_file=args.gguf.name, dtype=torch.float32)
    model = registry.load(args.model)
    rows = []
    for name in FILES:
        data = (DATA / "text" / "dev" / name).read_bytes()[: 8 * args.tokens]
        tokens = np.r_[model.start, model.vocabulary.encode(data)][: args.tokens + 1]
        ids = torch.from_numpy(model.vocabulary.ids[tokens].astype(np.int64))[None]
        with torch.inference_mode():
            logs = torch.log_softmax(float_model(ids[:, :-1]).logits[0].double(), -1)
        theirs = -logs[torch.arange(args.tokens), ids[0, 1:]].numpy() / np.log(2)
        ours = exact_bits(model, tokens)
        row = {
            "file": name,
            "tokens": args.tokens,
            "fp32_bits_per_token": round(float(theirs.mean()), 5),
            "exact_bits_per_token": round(float(ours.mean()), 5),
            "loss_percent": round(100 * float(ours.mean() / theirs.mean() - 1), 3),
            "loss_standard_error_percent": round(
                100 * float((ours - theirs).std() / np.sqrt(args.tokens) / theirs.mean()), 3
            ),
            **intervals(ours, theirs),
        }
        rows.append(row)
        print(json.dumps(row), flush=True)
    result = ROOT / "benchmarks" / "results" / f"exact_loss-{args.model}.json"
    result.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
