"""Sizes, seconds and memory of inputs at the edge, through the command line: nothing, one byte, random bytes, zeros.

    python benchmarks/edge_sizes.py [--zeros BYTES] [--prose BYTES]

Every archive is unpacked again and compared by its SHA-256. The language model is the default one, which none of these
inputs needs. ``--prose`` measures the beginning of $FORETELL_DATA/text/dev/prose_blog_2025.md (default ../shared/data)
instead, which does. Replaces rows of the same inputs in benchmarks/results/edge_sizes.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULT = ROOT / "benchmarks" / "results" / "edge_sizes.json"
DATA = Path(os.environ.get("FORETELL_DATA", ROOT.parent / "shared" / "data"))
PROSE = DATA / "text" / "dev" / "prose_blog_2025.md"
BLOCK = 1 << 20
RANDOM_SIZES = (1, 100, 65_536, 1 << 20)


def random_bytes(size: int) -> Iterator[bytes]:
    generator = random.Random(size)
    for start in range(0, size, BLOCK):
        yield generator.randbytes(min(BLOCK, size - start))


def zeros(size: int) -> Iterator[bytes]:
    for start in range(0, size, BLOCK):
        yield bytes(min(BLOCK, size - start))


def run(command: str, source: Path, target: Path) -> dict[str, float]:
    """Seconds and peak memory of one command of foretell, and all of its output in a file."""
    begin = time.perf_counter()
    with source.open("rb") as given, target.open("wb") as made:
        child = subprocess.Popen([sys.executable, "-m", "foretell", command], stdin=given, stdout=made)
        _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"edge_sizes: foretell {command} ended with {child.returncode}")
    return {"seconds": round(time.perf_counter() - begin, 2), "peak_mb": round(usage.ru_maxrss / 1000, 1)}


def digest(path: Path) -> str:
    total = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            total.update(block)
    return total.hexdigest()


def measure(name: str, size: int, blocks: Iterator[bytes], folder: Path) -> dict[str, object]:
    source, archive, restored = (folder / part for part in ("source", "archive", "restored"))
    with source.open("wb") as file:
        for block in blocks:
            file.write(block)
    packed = run("pack", source, archive)
    unpacked = run("unpack", archive, restored)
    if digest(source) != digest(restored):
        raise SystemExit(f"edge_sizes: {name} does not come back")
    made = archive.stat().st_size
    return {
        "input": name, "bytes": size, "archive_bytes": made, "within_bound": made < 1.001 * size + 64,
        "pack": packed, "unpack": unpacked,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--zeros", type=int, default=1 << 30, help="bytes of zeros (default: 1 GiB)")
    parser.add_argument("--prose", type=int, metavar="BYTES", help="measure so much prose instead")
    args = parser.parse_args()
    if args.prose:
        inputs = [("prose", args.prose, iter([PROSE.read_bytes()[: args.prose]]))]
    else:
        inputs = [("nothing", 0, zeros(0)), ("zeros", args.zeros, zeros(args.zeros))]
        inputs[1:1] = [("random", size, random_bytes(size)) for size in RANDOM_SIZES]
    rows = json.loads(RESULT.read_text()) if RESULT.exists() else []
    with tempfile.TemporaryDirectory() as folder:
        for name, size, blocks in inputs:
            rows = [row for row in rows if (row["input"], row["bytes"]) != (name, size)]
            rows.append(measure(name, size, blocks, Path(folder)))
            print(json.dumps(rows[-1]), flush=True)
    RESULT.write_text(json.dumps(rows, indent=1) + "\n")
    return 0 if all(row["within_bound"] for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
