"""Sizes and speeds of pictures against JPEG-XL (effort 9) and WebP (lossless, -z 9), picture by picture.

Reads $FORETELL_DATA/image (default ../shared/data/image): photo, kodak (measured only, nothing is tuned on it), gray
and medical16. The pixels are packed as an anymap; rivals get the picture itself. Needs cjxl and cwebp in the path;
without one, its column is empty. Rows are written to benchmarks/results/image.json as they come; what is there is
not measured again unless ``--again`` is given. ``--table`` prints what is there, ``--only NAME`` measures pictures
whose path contains NAME.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from file_intervals import describe_ratios
from PIL import Image

import foretell
from foretell.codecs.image.arrays import to_anymap

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("FORETELL_DATA", ROOT.parent / "shared" / "data")) / "image"
RESULT = ROOT / "benchmarks" / "results" / "image.json"
FOLDERS = ("photo", "kodak", "gray", "medical16")
RIVALS = {
    "jxl": ("cjxl", "-d", "0", "-e", "9", "{source}", "{target}"),
    "webp": ("cwebp", "-quiet", "-lossless", "-z", "9", "-exact", "{source}", "-o", "{target}"),
}


def rival(name: str, source: Path, folder: Path) -> dict[str, float | int | None]:
    """Size and seconds of a rival's file of a picture."""
    target = folder / f"rival.{name}"
    command = [part.format(source=source, target=target) for part in RIVALS[name]]
    if not shutil.which(command[0]):
        return {f"{name}_bytes": None, f"{name}_seconds": None}
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, check=False)
    seconds = time.perf_counter() - start
    size = target.stat().st_size if done.returncode == 0 and target.exists() else None
    return {f"{name}_bytes": size, f"{name}_seconds": round(seconds, 2)}


def measure(path: Path, timed: bool) -> dict[str, object]:
    """Row of one picture."""
    pixels = np.asarray(Image.open(path))
    if pixels.dtype == np.int32:
        pixels = pixels.astype(np.uint16)
    raw = to_anymap(pixels)
    start = time.perf_counter()
    archive = foretell.compress_image(pixels)
    packed = time.perf_counter()
    if foretell.decompress(archive) != raw:
        raise SystemExit(f"image: {path.name} does not come back")
    unpacked = time.perf_counter()
    megapixels = pixels.shape[0] * pixels.shape[1] / 1e6
    row: dict[str, object] = {
        "picture": f"{path.parent.name}/{path.name}",
        "width": pixels.shape[1],
        "height": pixels.shape[0],
        "samples": int(pixels.size),
        "foretell_bytes": len(archive),
        "pack_megapixels_s": round(megapixels / (packed - start), 3) if timed else None,
        "unpack_megapixels_s": round(megapixels / (unpacked - packed), 3) if timed else None,
    }
    return row


def table(rows: list[dict[str, object]]) -> str:
    """Rows by folder, with means of the ratios to JPEG-XL."""
    lines = [f"{'picture':38} {'bits/sample':>11} {'to jxl':>7} {'to webp':>8} {'pack':>7} {'unpack':>7} Mpixel/s"]
    for folder in FOLDERS:
        ratios = []
        for row in (row for row in rows if str(row["picture"]).startswith(folder) and "samples" in row):
            size = float(str(row["foretell_bytes"]))
            ratio = {
                name: size / float(str(row[f"{name}_bytes"])) if row.get(f"{name}_bytes") else 0.0 for name in RIVALS
            }
            ratios.append(ratio["jxl"])
            lines.append(
                f"{row['picture']:38} {8 * size / float(str(row['samples'])):11.3f} {ratio['jxl']:7.3f} "
                f"{ratio['webp']:8.3f} {row['pack_megapixels_s'] or 0:7} {row['unpack_megapixels_s'] or 0:7}"
            )
        if ratios:
            lines.append(
                f"{folder}: {len(ratios)} pictures, mean ratio to jxl {np.mean(ratios):.4f}, worst {max(ratios):.4f}"
            )
    measured = {str(row["picture"]): row for row in rows if "samples" in row and row.get("jxl_bytes")}
    if measured:
        ratios_by_name = {
            name: float(str(row["foretell_bytes"])) / float(str(row["jxl_bytes"])) for name, row in measured.items()
        }
        # Pictures of one collection (letters at the start of their names) are alike.
        families = {name: re.match(r"[A-Za-z]*", Path(name).name)[0] for name in measured}  # type: ignore[index]
        lines.append(f"all against jxl: {describe_ratios(ratios_by_name, families)}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="")
    parser.add_argument("--rivals", default="jxl,webp")
    parser.add_argument("--sizes-only", action="store_true", help="on a busy machine: no speeds")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args()
    rows = json.loads(RESULT.read_text()) if RESULT.exists() else []
    if args.table:
        print(table(rows))
        return 0
    if not DATA.is_dir():
        print(f"image: no data in {DATA}; set FORETELL_DATA to a folder with image/photo and others")
        return 1
    foretell.decompress(foretell.compress_image(np.zeros((9, 9, 3), np.uint8)))  # compiles
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted(path for kind in FOLDERS for path in (DATA / kind).glob("*.png")):
            name = f"{path.parent.name}/{path.name}"
            if args.only not in name:
                continue
            row = {} if args.again else next((row for row in rows if row["picture"] == name), {})
            for other in args.rivals.split(","):
                if f"{other}_bytes" not in row:
                    row |= rival(other, path, Path(folder))
            if "samples" not in row:
                row |= measure(path, not args.sizes_only)
            rows = [old for old in rows if old["picture"] != name] + [row]
            RESULT.write_text(json.dumps(sorted(rows, key=lambda row: row["picture"]), indent=1) + "\n")
            print(json.dumps(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
