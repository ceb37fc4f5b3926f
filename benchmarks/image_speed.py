"""Speeds of photographs, packing and unpacking, of this version and of another beside it; memory of a large picture.

Reads $FORETELL_DATA/image/photo (default ../shared/data/image/photo). ``--beside FOLDER`` names the ``src`` folder of
another version of foretell, which packs and unpacks the same pictures in turns with this one; every measurement is
taken in a process of its own, on all cores, after its code was compiled. ``--large`` packs and unpacks one picture of
6000 x 4000 pixels, a mosaic of the photographs, and tells the peak of memory, no speeds (it may run on a busy machine).
Writes benchmarks/results/image_speed.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("FORETELL_DATA", ROOT.parent / "shared" / "data")) / "image" / "photo"
RESULT = ROOT / "benchmarks" / "results" / "image_speed.json"
PICTURES = ("kde_FallenLeaf", "mate_Garden", "sk_astronaut")
LARGE = (4000, 6000)
CHILD = """
import json, resource, sys, time
import numpy as np
import foretell
from foretell.cli import main
foretell.decompress(foretell.compress_image(np.zeros((9, 9, 3), np.uint8)))  # compiles
foretell.decompress(foretell.compress(bytes(range(250)), codec="octets"))
raw, packed, back = sys.argv[1:]
seconds, processor, peaks = [], [], []
for command in (["pack", "-q", "-f", raw, "-o", packed], ["unpack", "-q", "-f", packed, "-o", back]):
    start, used = time.perf_counter(), time.process_time()
    if main(command):
        raise SystemExit("failed")
    seconds.append(time.perf_counter() - start)
    processor.append(time.process_time() - used)
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
same = open(raw, "rb").read() == open(back, "rb").read()
print(json.dumps([seconds, processor, same, peaks]))
"""


def write_anymap(pixels: np.ndarray, path: Path) -> None:
    """Write a PPM file."""
    path.write_bytes(b"P6\n%d %d\n255\n" % (pixels.shape[1], pixels.shape[0]) + pixels.tobytes())


def mosaic() -> np.ndarray:
    """One large picture of all photographs, side by side in rows, again and again."""
    rows, columns = LARGE
    out = np.zeros((rows, columns, 3), np.uint8)
    paths = sorted(DATA.glob("*.png"))
    y = place = 0
    while y < rows:
        x, height = 0, rows - y
        while x < columns:
            pixels = np.asarray(Image.open(paths[place % len(paths)]).convert("RGB"))
            place += 1
            part = pixels[:400, : columns - x][: rows - y]
            out[y : y + part.shape[0], x : x + part.shape[1]] = part
            x += part.shape[1]
            height = min(height, part.shape[0])
        y += height
    return out


def measure(source: Path, raw: Path, folder: Path, megapixels: float) -> dict[str, object]:
    """Pack and unpack a file with one version; speeds in megapixels a second, memory in MB."""
    packed, back = folder / "packed.fore", folder / "back.ppm"
    command = [sys.executable, "-c", CHILD, str(raw), str(packed), str(back)]
    done = subprocess.run(
        command, env=os.environ | {"PYTHONPATH": str(source)}, capture_output=True, text=True, check=True
    )
    (pack, unpack), (pack_used, unpack_used), same, peaks = json.loads(done.stdout)
    if not same:
        raise SystemExit(f"image_speed: {raw.name} does not come back")
    return {
        "bytes": packed.stat().st_size,
        "pack_megapixels_s": round(megapixels / pack, 3),
        "unpack_megapixels_s": round(megapixels / unpack, 3),
        "pack_processor_seconds": round(pack_used, 2),
        "unpack_processor_seconds": round(unpack_used, 2),
        "pack_peak_megabytes": round(peaks[0] / 1000),
        "peak_megabytes": round(peaks[1] / 1000),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--beside", type=Path)
    parser.add_argument("--large", action="store_true")
    args = parser.parse_args()
    if not DATA.is_dir():
        print(f"image_speed: no data in {DATA}; set FORETELL_DATA to a folder with image/photo")
        return 1
    rows = json.loads(RESULT.read_text()) if RESULT.exists() else []
    versions = {"this": ROOT / "src"} | ({"another": args.beside} if args.beside else {})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for picture in ("mosaic",) if args.large else PICTURES:
            pixels = mosaic() if args.large else np.asarray(Image.open(DATA / f"{picture}.png"))
            raw = folder / f"{picture}.ppm"
            write_anymap(pixels, raw)
            for version, source in versions.items():
                size = pixels.shape[0] * pixels.shape[1] / 1e6
                row = {"picture": picture, "version": version, "megapixels": size, "cores": os.cpu_count()}
                row |= measure(source, raw, folder, size) | {"machine": platform.machine()}
                if args.large:
                    row = {key: value for key, value in row.items() if not key.endswith(("_s", "_seconds"))}
                rows = [old for old in rows if (old["picture"], old["version"]) != (picture, version)] + [row]
                RESULT.write_text(json.dumps(rows, indent=1) + "\n")
                print(json.dumps(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
