"""Tokens a second of generation and of unpacking one small file, plain and with drafts, in one run.

    python benchmarks/drafts_speed.py [--gguf FILE] [--drafts none lookup FOLDER ...] [--prompts N] [--tokens N]

Answers the first N prompts of each file in $FORETELL_DATA/prompts (default ../shared/data; evaluation only)
greedily, one at a time, and unpacks the first 20 KB of text/dev/prose_blog_2025.md. With ``--gguf``, the model
file of the default model, transformers' greedy ``generate`` in fp32 answers some of the same prompts (package
``accelerate``). Writes benchmarks/results/drafts_speed.json. What passes cost decides the size of trees; it is
measured and printed first.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np

from foretell.cli.draft import read_prompts
from foretell.codecs.text import TextCodec
from foretell.drafts.chat import prompt_rows
from foretell.drafts.drafters import new_drafter
from foretell.drafts.evaluation import evaluate
from foretell.drafts.pace import LARGEST_TREE, measured_costs
from foretell.models import registry
from foretell.models.decoder import Decoder

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("FORETELL_DATA", ROOT.parent / "shared" / "data"))
RESULT = ROOT / "benchmarks" / "results" / "drafts_speed.json"
UNPACKED = 20_000


def transformers_rate(file: Path, target: Decoder, rows: list[np.ndarray], most: int) -> float:
    """Tokens per second of greedy generation, reading of prompts included (a small part)."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(os.cpu_count() or 1)
    model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    tokens, seconds = 0, 0.0
    for row in rows:
        ids = torch.from_numpy(target.vocabulary.ids[row].astype(np.int64))[None]
        mask = torch.ones_like(ids)
        begin = time.perf_counter()
        out = model.generate(ids, attention_mask=mask, do_sample=False, max_new_tokens=most, pad_token_id=0)
        seconds += time.perf_counter() - begin
        tokens += out.shape[1] - ids.shape[1]
    return tokens / seconds


def unpack_rate(target: Decoder, draft: str, data: bytes) -> tuple[float, int]:
    """Tokens per second of unpacking one file that is a single lane, and its size packed."""
    codec = TextCodec(target, draft=draft)
    payload = codec.encode_frames([data])[0]
    begin = time.perf_counter()
    if codec.decode_frames([(payload, len(data))])[0] != data:
        raise SystemExit("drafts_speed: the text does not come back")
    return target.vocabulary.encode(data).size / (time.perf_counter() - begin), len(payload)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gguf", type=Path)
    parser.add_argument("--drafts", nargs="+", default=["none", "lookup", "auto"])
    parser.add_argument("--prompts", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=96)
    args = parser.parse_args()
    folder, sample = DATA / "prompts", DATA / "text" / "dev" / "prose_blog_2025.md"
    if not folder.is_dir() or not sample.is_file():
        print(f"drafts_speed: no data in {DATA}; set FORETELL_DATA")
        return 1
    target = registry.load("smollm2-135m")
    costs = np.array(measured_costs(target))
    print(
        "milliseconds of a pass of 1, 2, 4, 8, 16, 32 tokens:", (1000 * costs[[0, 1, 3, 7, 15, 31]]).round(1).tolist()
    )
    rows: list[dict[str, object]] = [{"pass_ms": (1000 * costs).round(2).tolist()}]
    spoken: list[np.ndarray] = []
    for file in sorted(folder.glob("*.jsonl")):
        prompts = [prompt_rows(target, prompt, chat=True) for prompt in read_prompts(str(file))[: args.prompts]]
        spoken += prompts[:1]
        for name in args.drafts:
            own = None if name == "none" else costs
            found = evaluate(target, new_drafter(name, target), prompts, most=args.tokens, size=LARGEST_TREE, costs=own)
            rows.append({"prompts_of": file.stem, **found.as_dict(), "draft": name})
            length = found.acceptance_length.value
            print(f"{file.stem:12} {name:10} {found.tokens_per_second:6.1f} tokens/s, {length:.2f} a pass", flush=True)
    data = sample.read_bytes()[:UNPACKED]
    for name in args.drafts:
        rate, size = unpack_rate(target, name, data)
        rows.append(
            {"unpacked_bytes": len(data), "packed_bytes": size, "draft": name, "tokens_per_second": round(rate, 1)}
        )
        print(f"unpacking {len(data)} bytes, {name}: {rate:.1f} tokens/s", flush=True)
    if args.gguf:
        rate = transformers_rate(args.gguf, target, spoken, args.tokens)
        rows.append({"transformers_fp32_greedy": round(rate, 2)})
        print(f"transformers, fp32, greedy: {rate:.1f} tokens/s")
    RESULT.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
