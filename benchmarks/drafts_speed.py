"""Tokens a second of generation and of unpacking one small file, plain and with drafts, in one run.

    python benchmarks/drafts_speed.py [PART ...] [--gguf FILE] [--drafts NAME ...] [--prompts N] [--tokens N]

Parts, all by default, each of which replaces its own rows of benchmarks/results/drafts_speed.json:

- ``generation`` answers the first N prompts of each file in $FORETELL_DATA/prompts (default ../shared/data; evaluation
  only) greedily, one at a time; drafts take turns at each prompt, so that what else the machine does meets all of them.
- ``batches`` answers 1 to 32 prompts side by side.
- ``unpacking`` unpacks the first 20 KB of text/dev/prose_blog_2025.md.
- ``transformers``, with ``--gguf`` the model file of the default model: its greedy ``generate`` in fp32 on some of the
  same prompts (package ``accelerate``).

What passes cost decides the size of trees; it is measured and printed first.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from foretell.cli.draft import read_prompts
from foretell.codecs.text import TextCodec
from foretell.drafts.chat import prompt_rows
from foretell.drafts.drafters import new_drafter
from foretell.drafts.evaluation import evaluate
from foretell.drafts.generate import generate_rows
from foretell.drafts.pace import LARGEST_TREE, measured_costs
from foretell.drafts.sampling import Sampling
from foretell.drafts.speculation import Speculation
from foretell.models import registry
from foretell.models.decoder import Decoder

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("FORETELL_DATA", ROOT.parent / "shared" / "data"))
RESULT = ROOT / "benchmarks" / "results" / "drafts_speed.json"
PARTS = ("generation", "batches", "unpacking", "transformers")
UNPACKED = 20_000
BATCHES = (1, 2, 4, 8, 16, 32)
Row = dict[str, object]


def prompts_of(target: Decoder, count: int) -> dict[str, list[np.ndarray]]:
    """The first prompts of each file."""
    files = sorted((DATA / "prompts").glob("*.jsonl"))
    return {f.stem: [prompt_rows(target, prompt, chat=True) for prompt in read_prompts(str(f))[:count]] for f in files}


def generation(target: Decoder, drafts: list[str], prompts: int, tokens: int, costs: np.ndarray) -> Iterator[Row]:
    """Tokens a second and a pass for each file of prompts and each draft."""
    drafters = {name: new_drafter(name, target) for name in drafts}
    for name, drafter in drafters.items():
        if hasattr(drafter, "measure"):
            first, step = drafter.measure()
            yield {"draft": name, "first_ms": round(1000 * first, 2), "step_ms": round(1000 * step, 2)}
    sums = {name: np.zeros(3) for name in drafts}
    for source, asked in prompts_of(target, prompts).items():
        own = {name: np.zeros(3) for name in drafts}
        for prompt in asked:
            for name, drafter in drafters.items():
                paced = None if name == "none" else costs
                found = evaluate(target, drafter, [prompt], most=tokens, size=LARGEST_TREE, costs=paced)
                own[name] += found.tokens, found.rounds, found.tokens / found.tokens_per_second
        for name in drafts:
            sums[name] += own[name]
            yield speed_row(source, name, own[name])
    for name in drafts:
        yield speed_row("all", name, sums[name])


def speed_row(source: str, draft: str, counts: np.ndarray) -> Row:
    tokens, rounds, seconds = counts.tolist()
    return {"prompts_of": source, "draft": draft, "tokens": int(tokens), "tokens_a_pass": round(tokens / rounds, 3),
            "round_ms": round(1000 * seconds / rounds, 2), "tokens_per_second": round(tokens / seconds, 1)}  # fmt: skip


def batches(target: Decoder, drafts: list[str], tokens: int, costs: np.ndarray) -> Iterator[Row]:
    """Tokens a second of many prompts side by side."""
    prompts = [rows for group in prompts_of(target, BATCHES[-1] // 4).values() for rows in group]
    for size in BATCHES:
        for name in drafts:
            chosen = prompts[:: len(prompts) // size][:size]
            slots = max(rows.size for rows in chosen) + tokens
            paced = None if name == "none" else costs
            speculation = Speculation(target, new_drafter(name, target), size, slots, paced)
            for stream, rows in enumerate(chosen):
                speculation.read(stream, rows)
            begin = time.perf_counter()
            made = sum(len(rows) for _, rows in generate_rows(speculation, Sampling(), tokens, LARGEST_TREE))
            seconds = time.perf_counter() - begin
            yield {"side_by_side": size, "draft": name, "tokens": made,
                   "tokens_a_pass": round(speculation.tokens / speculation.rounds, 3),
                   "tokens_per_second": round(made / seconds, 1)}  # fmt: skip


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


def unpacking(target: Decoder, drafts: list[str], data: bytes) -> Iterator[Row]:
    """Tokens per second of unpacking one file that is a single lane."""
    payload, tokens = TextCodec(target).encode_frames([data])[0], target.vocabulary.encode(data).size
    for name in drafts:
        codec = TextCodec(target, draft=name)
        begin = time.perf_counter()
        if codec.decode_frames([(payload, len(data))])[0] != data:
            raise SystemExit("drafts_speed: the text does not come back")
        seconds = time.perf_counter() - begin
        yield {"unpacked_bytes": len(data), "packed_bytes": len(payload), "draft": name, "tokens": tokens,
               "seconds": round(seconds, 2), "tokens_per_second": round(tokens / seconds, 1)}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", choices=[*PARTS, []], default=PARTS)
    parser.add_argument("--gguf", type=Path)
    parser.add_argument("--drafts", nargs="+", default=["none", "lookup", "auto"])
    parser.add_argument("--prompts", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=96)
    parser.add_argument("--bytes", type=int, default=UNPACKED, help="size of the text that is unpacked")
    args = parser.parse_args()
    sample = DATA / "text" / "dev" / "prose_blog_2025.md"
    if not (DATA / "prompts").is_dir() or not sample.is_file():
        print(f"drafts_speed: no data in {DATA}; set FORETELL_DATA")
        return 1
    target = registry.load("smollm2-135m")
    costs = np.array(measured_costs(target))
    print(
        "milliseconds of a pass of 1, 2, 4, 8, 16, 32 tokens:", (1000 * costs[[0, 1, 3, 7, 15, 31]]).round(1).tolist()
    )
    for part in args.parts:
        rows: list[Row] = [{"part": part, "pass_ms": (1000 * costs).round(2).tolist()}]
        if part == "generation":
            found = generation(target, args.drafts, args.prompts, args.tokens, costs)
        elif part == "batches":
            found = batches(target, args.drafts, args.tokens, costs)
        elif part == "unpacking":
            found = unpacking(target, args.drafts, sample.read_bytes()[: args.bytes])
        elif args.gguf:
            asked = [group[0] for group in prompts_of(target, 1).values()]
            rate = transformers_rate(args.gguf, target, asked, args.tokens)
            found = iter([{"transformers_fp32_greedy": round(rate, 2)}])
        else:
            continue
        for row in found:
            print(json.dumps(row), flush=True)
            rows.append({"part": part, **row})
        others = [row for row in json.loads(RESULT.read_text()) if row.get("part") not in (None, part)]
        RESULT.write_text(json.dumps(others + rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
