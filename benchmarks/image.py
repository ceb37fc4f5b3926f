"""Sizes and speeds of pictures against JPEG-XL (effort 9), WebP (lossless, -z 9), FFV1, JPEG-LS, JPEG 2000, QOI and xz.

Reads $FORETELL_DATA/image (default ../shared/data/image): photo, kodak (measured only, nothing is tuned on it), gray
and medical16; screenshots and drawings are made here (``drawn_pictures.py``). The pixels are packed as an anymap;
rivals get the picture itself, and what they cannot keep whole is left out. Needs cjxl, cwebp and ffmpeg in the path and
imagecodecs; without one, its columns are empty. Photographs named in ``image_heldout.py`` were not used in training,
the others were. Rows are written to benchmarks/results/image.json as they come; what is there is not measured again
unless ``--again`` (everything) or ``--speeds`` (packing and unpacking) is given, and speeds that are missing are
measured, but with ``--sizes-only``. ``--plain`` adds sizes at level 3, without what was trained. ``--table`` prints
what is there, ``--only NAME`` measures pictures whose path contains NAME.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from drawn_pictures import write_all
from file_intervals import describe_ratios
from image_heldout import HELD_OUT
from numpy.typing import NDArray
from PIL import Image

import foretell
from foretell.codecs.image.arrays import to_anymap

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("FORETELL_DATA", ROOT.parent / "shared" / "data")) / "image"
RESULT = ROOT / "benchmarks" / "results" / "image.json"
FOLDERS = ("photo", "kodak", "gray", "medical16", "drawn")
RIVALS = {
    "jxl": ("cjxl", "-d", "0", "-e", "9", "{source}", "{target}"),
    "webp": ("cwebp", "-quiet", "-lossless", "-z", "9", "-exact", "{source}", "-o", "{target}"),
    "ffv1": ("ffmpeg", "-y", "-i", "{source}", "-c:v", "ffv1", "-level", "3", "-context", "1", "{target}"),
    "jpegls": (),
    "jp2k": (),
    "qoi": (),
    "xz": (),
}
EIGHT_BITS_ONLY = ("webp", "qoi")


def rival(name: str, source: Path, folder: Path) -> dict[str, float | int | None]:
    """Size and seconds of a rival's file of a picture."""
    pixels = read(source)
    if name in EIGHT_BITS_ONLY and pixels.dtype != np.uint8:
        return {f"{name}_bytes": None, f"{name}_seconds": None}
    start = time.perf_counter()
    size = by_command(name, source, folder) if RIVALS[name] else by_library(name, pixels)
    return {f"{name}_bytes": size, f"{name}_seconds": round(time.perf_counter() - start, 2)}


def by_command(name: str, source: Path, folder: Path) -> int | None:
    """Bytes of a rival's file; of FFV1, without its container."""
    target = folder / f"rival.{'nut' if name == 'ffv1' else name}"
    command = [part.format(source=source, target=target) for part in RIVALS[name]]
    if not shutil.which(command[0]) or subprocess.run(command, capture_output=True, check=False).returncode:
        return None
    if name != "ffv1":
        return target.stat().st_size
    probe = ["ffprobe", "-v", "error", "-show_entries", "packet=size", "-of", "csv=p=0", str(target)]
    return int(subprocess.run(probe, capture_output=True, text=True, check=True).stdout.strip(",\n "))


def by_library(name: str, pixels: NDArray[Any]) -> int | None:
    """Bytes that a rival in a library makes of pixels; None if it is missing or cannot keep them."""
    if name == "xz":
        return len(lzma.compress(to_anymap(pixels), preset=9 | lzma.PRESET_EXTREME))
    try:
        import imagecodecs

        if name == "jpegls":
            coded, decode = imagecodecs.jpegls_encode(pixels, level=0), imagecodecs.jpegls_decode
        elif name == "jp2k":
            coded = imagecodecs.jpeg2k_encode(pixels, level=0, codecformat="j2k", reversible=True)
            decode = imagecodecs.jpeg2k_decode
        else:
            coded, decode = imagecodecs.qoi_encode(pixels), imagecodecs.qoi_decode
        return len(coded) if np.array_equal(decode(coded), pixels) else None
    except (ImportError, ValueError, RuntimeError):
        return None


def read(path: Path) -> NDArray[Any]:
    """Pixels of a picture, of 8 or 16 bits."""
    pixels = np.asarray(Image.open(path))
    return pixels.astype(np.uint16) if pixels.dtype == np.int32 else pixels


def measure(path: Path, timed: bool) -> dict[str, object]:
    """Row of one picture."""
    pixels = read(path)
    raw = to_anymap(pixels)
    start = time.perf_counter()
    archive = foretell.compress(raw)
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
    """Rows by folder, photographs held out of training apart, with ratios to JPEG-XL and to the best rival."""
    lines = [f"{'picture':38} {'bits/sample':>11} {'to jxl':>7} {'to best':>8} {'pack':>7} {'unpack':>7} Mpixel/s"]
    groups: dict[str, list[dict[str, object]]] = {}
    for row in rows:
        folder, name = str(row["picture"]).split("/")
        held = folder == "photo" and Path(name).stem in HELD_OUT
        groups.setdefault("photo, held out" if held else folder, []).append(row)
    for group, members in groups.items():
        to_jxl, to_best, bits = [], [], []
        for row in members:
            size = float(str(row["foretell_bytes"]))
            rivals = {name: float(str(row[f"{name}_bytes"])) for name in RIVALS if row.get(f"{name}_bytes")}
            to_jxl.append(size / rivals["jxl"] if "jxl" in rivals else float("nan"))
            to_best.append(size / min(rivals.values()) if rivals else float("nan"))
            bits.append(8 * size / float(str(row["samples"])))
            lines.append(
                f"{row['picture']:38} {bits[-1]:11.3f} {to_jxl[-1]:7.3f} {to_best[-1]:8.3f} "
                f"{row['pack_megapixels_s'] or 0:7} {row['unpack_megapixels_s'] or 0:7}"
            )
        means = f"to jxl: mean {np.mean(to_jxl):.4f}, worst {max(to_jxl):.4f}; to best: mean {np.mean(to_best):.4f}"
        lines.append(
            f"{group}: {len(members)} pictures, {np.mean(bits):.3f} bits per sample, {means}, worst {max(to_best):.4f}"
        )
    plain = [row for row in rows if row.get("plain_bytes")]
    if plain:
        ratio = np.mean([float(str(row["foretell_bytes"])) / float(str(row["plain_bytes"])) for row in plain])
        lines.append(f"to level 3, without what was trained: mean {ratio:.4f} of {len(plain)} pictures")
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
    parser.add_argument("--rivals", default=",".join(RIVALS))
    parser.add_argument("--sizes-only", action="store_true", help="on a busy machine: no speeds")
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--speeds", action="store_true")
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
        write_all(Path(folder) / "drawn")
        sources = [path for kind in FOLDERS[:-1] for path in (DATA / kind).glob("*.png")]
        for path in sorted(sources) + sorted(Path(folder).glob("drawn/*.png")):
            name = f"{path.parent.name}/{path.name}"
            if args.only not in name:
                continue
            row = {} if args.again else next((row for row in rows if row["picture"] == name), {})
            for other in filter(None, args.rivals.split(",")):
                if f"{other}_bytes" not in row:
                    row |= rival(other, path, Path(folder))
            missing = "samples" not in row or (row["pack_megapixels_s"] is None and not args.sizes_only)
            if missing or args.speeds:
                row |= measure(path, not args.sizes_only)
            if args.plain and "plain_bytes" not in row:
                row["plain_bytes"] = len(foretell.compress(to_anymap(read(path)), level=3))
            rows = [old for old in rows if old["picture"] != name] + [row]
            RESULT.write_text(json.dumps(sorted(rows, key=lambda row: row["picture"]), indent=1) + "\n")
            print(json.dumps(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
