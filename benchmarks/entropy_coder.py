"""Speed and overhead of the binary coder against constriction's range coder on the same symbols.

    python benchmarks/entropy_coder.py

A symbol of a 49,156-token vocabulary costs about 16 binary decisions here and one categorical model there.
Writes benchmarks/results/entropy_coder.json.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np

from foretell.compilation import compiled
from foretell.entropy.binary import encode_bit, finish, new_encoder

ROOT = Path(__file__).resolve().parent.parent
VOCABULARY, SYMBOLS = 49156, 2000


@compiled
def code(bits: np.ndarray, probabilities: np.ndarray, out: np.ndarray) -> int:
    """Code bits with the given probabilities of a one."""
    encoder = new_encoder()
    for i in range(bits.size):
        encode_bit(encoder, out, bits[i], probabilities[i])
    return finish(encoder, out)


def main() -> int:
    rng = np.random.default_rng(1)
    masses = rng.gamma(0.05, size=(SYMBOLS, VOCABULARY)) + 1e-9
    masses = (masses / masses.sum(axis=1, keepdims=True) * 2**28).astype(np.int64) + 1
    cumulative = np.concatenate([np.zeros((SYMBOLS, 1), np.int64), masses.cumsum(axis=1)], axis=1)
    draws = (rng.random(SYMBOLS) * cumulative[:, -1]).astype(np.int64)
    symbols = np.array([np.searchsorted(c, d, side="right") - 1 for c, d in zip(cumulative, draws, strict=True)])
    ideal = -np.log2(masses[np.arange(SYMBOLS), symbols] / cumulative[:, -1]).sum() / 8
    bits, probabilities = [], []
    begin = time.perf_counter()
    for row, symbol in zip(cumulative, symbols, strict=True):
        low, high = 0, VOCABULARY
        while high - low > 1:
            middle = (low + high) // 2
            ones = (row[high] - row[middle]) / (row[high] - row[low])
            probabilities.append(min(max(round(ones * 65536), 1), 65535))
            bits.append(int(symbol >= middle))
            low, high = (middle, high) if bits[-1] else (low, middle)
    bit_array, probability_array = np.array(bits, np.uint8), np.array(probabilities, np.int64)
    out = np.empty(2 * len(bits) + 64, np.uint8)
    code(bit_array[:10], probability_array, out)
    begin = time.perf_counter()
    size = code(bit_array, probability_array, out)
    seconds = time.perf_counter() - begin
    rows = [
        {"coder": "foretell binary", "bytes": size, "overhead_percent": round(100 * (size / ideal - 1), 4),
         "us_per_symbol": round(seconds / SYMBOLS * 1e6, 3)}
    ]  # fmt: skip
    try:
        import constriction

        family = constriction.stream.model.Categorical(perfect=False)
        encoder = constriction.stream.queue.RangeEncoder()
        floats = masses.astype(np.float32) / cumulative[:, -1:].astype(np.float32)
        begin = time.perf_counter()
        encoder.encode(symbols.astype(np.int32), family, floats)
        seconds = time.perf_counter() - begin
        size = 4 * len(encoder.get_compressed())
        rows.append({"coder": "constriction Categorical", "bytes": size,
                     "overhead_percent": round(100 * (size / ideal - 1), 4),
                     "us_per_symbol": round(seconds / SYMBOLS * 1e6, 3)})  # fmt: skip
    except ImportError:
        print("entropy_coder: constriction is not installed; install foretell[bench]")
    (ROOT / "benchmarks" / "results" / "entropy_coder.json").write_text(json.dumps(rows, indent=1) + "\n")
    print(json.dumps(rows, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
