"""Packing and unpacking speed of text against transformers with the same model, in one process and one run.

    python benchmarks/text_speed.py GGUF [--bytes N] [--prefill N] [--steps N]

GGUF is the model file of the default model.
Packs and unpacks the first N bytes of $FORETELL_DATA/text/dev/prose_blog_2025.md (default ../shared/data),
then measures transformers' fp32 prefill of the same tokens in windows of the same context, and its
token-by-token decoding with a cache. Says what a pass of 1 to 64 tokens costs, and how fast each kernel of the product
is, torch's ``_int_mm`` among them. Writes benchmarks/results/text_speed.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from foretell.codecs.lanes import shape_of
from foretell.codecs.text import TextCodec
from foretell.exact.kernels import measure
from foretell.exact.product import product
from foretell.exact.threads import run_all, thread_count
from foretell.models import registry
from foretell.processor import kernel

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("FORETELL_DATA", ROOT.parent / "shared" / "data"))
SAMPLE = DATA / "text" / "dev" / "prose_blog_2025.md"
RESULT = ROOT / "benchmarks" / "results" / "text_speed.json"


def product_rate(codec: TextCodec) -> float:
    """Operations per second of the integer product at the model's largest shape, all threads."""
    packed = codec.model.weights.gate_up[0]
    left = np.ones((480, packed.shape[1] * 4), np.int8)
    outs = [np.empty((480, packed.shape[0] * 16), np.int32) for _ in range(thread_count())]
    calls = [(left, packed, out) for out in outs]
    run_all(product, calls)
    begin = time.perf_counter()
    for _ in range(50):
        run_all(product, calls)
    seconds = time.perf_counter() - begin
    return 50 * len(calls) * 2.0 * left.size * packed.shape[0] * 16 / seconds


def operations_per_token(codec: TextCodec, context: float) -> float:
    """Multiplications and additions of a token at a mean context; attention weights are multiplied as two bytes."""
    config, weights = codec.model.config, codec.model.weights
    matrices = sum(getattr(weights, name).size for name in ("qkv", "output", "gate_up", "down", "down_rest"))
    attention = config.layers * config.heads * config.head_width * 3 * context
    return 2.0 * (matrices + codec.model.head.size + attention)


def pass_milliseconds(codec: TextCodec, context: int = 1024) -> dict[str, float]:
    """Median milliseconds of a pass, head included, by the number of tokens of one stream that it reads."""
    model, costs = codec.model, {}
    cache, zeros = model.new_cache(1, context + 64), np.zeros(256, np.int32)
    tokens = np.arange(256, dtype=np.int32)
    for begin in range(0, context, 256):
        model.forward(tokens, zeros, np.arange(begin, begin + 256, dtype=np.int32), cache)
    for count in (1, 2, 4, 8, 16, 32, 64):
        slots, times = np.arange(context, context + count, dtype=np.int32), []
        for _ in range(15):
            begin_at = time.perf_counter()
            model.head_sums(model.forward(tokens[:count], zeros[:count], slots, cache))
            times.append(time.perf_counter() - begin_at)
        costs[str(count)] = round(1000 * float(np.median(times)), 2)
    return costs


def measure_transformers(file: Path, ids: np.ndarray, context: int, prefill: int, steps: int) -> dict[str, float]:
    """Tokens per second of prefill, windows of ``context`` tokens, and of decoding one token at a time."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(thread_count())
    model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    tokens = torch.from_numpy(ids.astype(np.int64))[None]
    rates = {}
    with torch.inference_mode():
        model(tokens[:, :64])
        done, begin = 0, time.perf_counter()
        while done < prefill:
            window = tokens[:, done : min(done + context, prefill)]
            torch.log_softmax(model(window).logits[0], -1)
            done += window.shape[1]
        rates["prefill"] = done / (time.perf_counter() - begin)
        past = model(tokens[:, :64], use_cache=True).past_key_values
        begin = time.perf_counter()
        for step in range(steps):
            past = model(tokens[:, 64 + step : 65 + step], past_key_values=past, use_cache=True).past_key_values
        rates["decode"] = steps / (time.perf_counter() - begin)
    return rates


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("gguf", type=Path)
    parser.add_argument("--bytes", type=int, default=200_000)
    parser.add_argument("--prefill", type=int, default=8192)
    parser.add_argument("--steps", type=int, default=128)
    args = parser.parse_args()
    if not SAMPLE.is_file():
        print(f"text_speed: no {SAMPLE}; set FORETELL_DATA")
        return 1
    if find_spec("accelerate") is None:
        print("text_speed: transformers reads GGUF with accelerate; pip install accelerate")
        return 1
    data = SAMPLE.read_bytes()[: args.bytes]
    codec = TextCodec(registry.load("smollm2-135m"))
    codec.decode_frames([(codec.encode_frames([data[:2000]])[0], 2000)])  # compile
    tokens = codec.model.vocabulary.encode(data)
    shape = shape_of(tokens.size, codec.plan)
    begin = time.perf_counter()
    payload = codec.encode_frames([data])[0]
    packed = time.perf_counter()
    if codec.decode_frames([(payload, len(data))])[0] != data:
        raise SystemExit("text_speed: the text does not come back")
    unpacked = time.perf_counter()
    row: dict[str, object] = {
        "bytes": len(data),
        "tokens": int(tokens.size),
        "shape": shape._asdict(),
        "pack_tokens_s": round(tokens.size / (packed - begin), 1),
        "pack_kb_s": round(len(data) / 1000 / (packed - begin), 3),
        "unpack_tokens_s": round(tokens.size / (unpacked - packed), 1),
        "unpack_kb_s": round(len(data) / 1000 / (unpacked - packed), 3),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    context = shape.prefix + shape.length
    rate = product_rate(codec)
    row["kernel"] = kernel()
    row["kernels_gop_s"] = {name: round(speed, 1) for name, speed in measure().items()}
    row["pass_ms_by_tokens"] = pass_milliseconds(codec)
    row["product_gop_s"] = round(rate / 1e9, 1)
    row["floor_tokens_s"] = round(rate / operations_per_token(codec, shape.prefix + shape.length / 2), 1)
    print(json.dumps(row), flush=True)
    ids = codec.model.vocabulary.ids[np.r_[codec.model.start, tokens]]
    theirs = measure_transformers(args.gguf, ids, context, args.prefill, args.steps)
    row["transformers_prefill_tokens_s"] = round(theirs["prefill"], 1)
    row["transformers_decode_tokens_s"] = round(theirs["decode"], 1)
    row["pack_ratio"] = round(row["pack_tokens_s"] / theirs["prefill"], 2)  # type: ignore[operator]
    row["unpack_ratio"] = round(row["unpack_tokens_s"] / theirs["decode"], 2)  # type: ignore[operator]
    RESULT.write_text(json.dumps([row], indent=1) + "\n")
    print(json.dumps(row, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
