"""What text costs against the float model's own cross-entropy, on the same tokens at the same context.

    python benchmarks/text_float.py GGUF [--model NAME] [--tokens N] [FILE ...]

The first N tokens of each file of $FORETELL_DATA/text/dev (default 2,048: one lane of the default level, one context)
are coded as a frame of their own, and go through transformers in fp32 in one piece. Sizes are those of payloads: the
headers of an archive, some 100 bytes, would count as much as the difference. Binary files are left out.
Writes benchmarks/results/text_float-MODEL.json; what is there for the same model is not measured again.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import numpy as np
from file_intervals import describe_ratios

from foretell.codecs.detect import looks_like_text
from foretell.codecs.text import TextCodec
from foretell.models import registry

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("FORETELL_DATA", ROOT.parent / "shared" / "data"))


def float_bits(model: object, ids: np.ndarray) -> float:
    """Bits of all tokens but the first."""
    import torch

    rows = torch.from_numpy(ids.astype(np.int64))[None]
    with torch.inference_mode():
        logits = model(rows[:, :-1]).logits[0]  # type: ignore[operator]
        total = 0.0
        for part, targets in zip(logits.split(256), rows[0, 1:].split(256), strict=True):
            logs = torch.log_softmax(part.double(), -1)
            total -= float(logs[torch.arange(targets.numel()), targets].sum())
    return total / np.log(2)


def summary(rows: dict[str, dict[str, float]]) -> str:
    ratios = {name: 8 * row["payload_bytes"] / row["fp32_bits"] for name, row in rows.items()}
    families = {name: name.split("_")[0] for name in ratios}
    above = [f"{name} ({ratio:.4f})" for name, ratio in ratios.items() if ratio > 1]
    return f"payloads to fp32 cross-entropy: {describe_ratios(ratios, families)}\nlarger: {', '.join(above) or 'none'}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gguf", type=Path)
    parser.add_argument("files", nargs="*")
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--tokens", type=int, default=2048)
    args = parser.parse_args()
    folder = DATA / "text" / "dev"
    if not folder.is_dir():
        print(f"text_float: no data in {folder}; set FORETELL_DATA to a folder with text/dev")
        return 1
    import torch
    from transformers import AutoModelForCausalLM

    float_model = AutoModelForCausalLM.from_pretrained(args.gguf.parent, gguf_file=args.gguf.name, dtype=torch.float32)
    model = registry.load(args.model)
    codec = TextCodec(model)
    digest = model.digest.hex()[:16]
    result = ROOT / "benchmarks" / "results" / f"text_float-{args.model}.json"
    rows = json.loads(result.read_text()) if result.exists() else {}
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        known = rows.get(path.name, {})
        if (args.files and path.name not in args.files) or not looks_like_text(data):
            continue
        if known.get("asked") != args.tokens:
            known = {}
        if known.get("model") == digest:
            continue
        tokens = model.vocabulary.encode(data)[: args.tokens]
        ids = model.vocabulary.ids[np.r_[model.start, tokens]]
        if (ids < 0).any():
            print(f"{path.name}: bytes that the tokenizer does not know; left out")
            continue
        start = model.vocabulary.spell(tokens)
        row = {"asked": args.tokens, "tokens": int(tokens.size), "bytes": len(start)}
        row["fp32_bits"] = known.get("fp32_bits") or round(float_bits(float_model, ids), 1)
        row |= {"model": digest, "payload_bytes": len(codec.encode_frames([start])[0])}
        rows[path.name] = row
        result.write_text(json.dumps(rows, indent=1) + "\n")
        print(f"{path.name:32} {8 * row['payload_bytes'] / row['bytes']:.4f} bpb, "
              f"fp32 {row['fp32_bits'] / row['bytes']:.4f}", flush=True)  # fmt: skip
    print(summary(rows))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
