"""Bits per byte and speed of the byte codec, file by file, against the best general-purpose compressor.

Reads $FORETELL_DATA/text/dev and $FORETELL_DATA/baselines.md (default ../shared/data) and writes
benchmarks/results/octets.json. Speeds are of one thread after compilation.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from foretell.codecs.octets import OctetsCodec

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("FORETELL_DATA", ROOT.parent / "shared" / "data"))
RESULT = ROOT / "benchmarks" / "results" / "octets.json"


def read_baselines(page: str) -> dict[str, dict[str, float]]:
    """Bits per byte of every compressor for every file, from the first table of the page."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in page.splitlines() if line.startswith("|")]
    names = rows[0][2:]
    table: dict[str, dict[str, float]] = {}
    for row in rows[2:]:
        if len(row) != len(rows[0]) or row[0].startswith("**"):
            break
        table[row[0]] = dict(zip(names, map(float, row[2:]), strict=True))
    return table


def measure(codec: OctetsCodec, path: Path, baselines: dict[str, float]) -> dict[str, object]:
    data = path.read_bytes()
    start = time.perf_counter()
    payload = codec.encode(data)
    encoded = time.perf_counter()
    if codec.decode(payload, len(data)) != data:
        raise SystemExit(f"octets: {path.name} does not come back")
    decoded = time.perf_counter()
    best = min(baselines, key=baselines.__getitem__)
    return {
        "file": path.name,
        "bytes": len(data),
        "bits_per_byte": round(8 * len(payload) / len(data), 4),
        "best_baseline": f"{best} {baselines[best]:.3f}",
        "xz_bits_per_byte": baselines["xz -9e"],
        "encode_kb_s": round(len(data) / (encoded - start) / 1000, 1),
        "decode_kb_s": round(len(data) / (decoded - encoded) / 1000, 1),
    }


def main() -> int:
    folder, page = DATA / "text" / "dev", DATA / "baselines.md"
    if not folder.is_dir() or not page.is_file():
        print(f"octets: no data in {DATA}; set FORETELL_DATA to a folder with text/dev and baselines.md")
        return 1
    baselines = read_baselines(page.read_text())
    codec = OctetsCodec()
    codec.decode(codec.encode(b"warm up"), 7)
    rows = []
    for path in sorted(folder.iterdir()):
        if path.name in baselines:
            rows.append(measure(codec, path, baselines[path.name]))
            print(
                "{file:32} {bits_per_byte:7.4f}  {best_baseline:20} xz {xz_bits_per_byte:.3f}"
                "  {encode_kb_s:6.1f} {decode_kb_s:6.1f} KB/s".format(**rows[-1]),
                flush=True,
            )
    RESULT.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
