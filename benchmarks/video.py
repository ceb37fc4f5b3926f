"""Sizes of video against x264 (-qp 0), x265, VP9 and AV1 without loss and FFV1 level 3, clip by clip.

Reads $FORETELL_DATA/video/*.y4m (default ../shared/data/video). Needs ffmpeg in the path. Rows are written to
benchmarks/results/video.json as they come; what is there is not measured again unless ``--again`` is given.
``--rivals NAME,NAME`` picks rivals, ``--only NAME`` clips.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import foretell

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("FORETELL_DATA", ROOT.parent / "shared" / "data")) / "video"
RESULT = ROOT / "benchmarks" / "results" / "video.json"
RIVALS = {
    "x264": ("-c:v", "libx264", "-qp", "0", "-preset", "placebo"),
    "x265": ("-c:v", "libx265", "-preset", "veryslow", "-x265-params", "lossless=1:log-level=none"),
    "ffv1": ("-c:v", "ffv1", "-level", "3", "-context", "1", "-g", "60"),
    "vp9": ("-c:v", "libvpx-vp9", "-lossless", "1", "-cpu-used", "0", "-deadline", "best"),
    "av1": ("-c:v", "libaom-av1", "-crf", "0", "-aom-params", "lossless=1", "-cpu-used", "4"),
}


def rival(name: str, path: Path, folder: Path) -> int | None:
    """Bytes of a rival's stream of a clip, without container."""
    target = folder / f"{name}.nut"
    command = ["ffmpeg", "-v", "error", "-y", "-i", str(path), *RIVALS[name], str(target)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        return None
    probe = ["ffprobe", "-v", "error", "-show_entries", "packet=size", "-of", "csv=p=0", str(target)]
    sizes = subprocess.run(probe, capture_output=True, text=True, check=True).stdout.replace(",", " ").split()
    return sum(map(int, sizes))


def measure(path: Path) -> dict[str, object]:
    """Row of one clip; times are those of a run on whatever else the machine was doing."""
    data = path.read_bytes()
    start = time.perf_counter()
    archive = foretell.compress(data, codec="video")
    packed = time.perf_counter()
    if foretell.decompress(archive) != data:
        raise SystemExit(f"video: {path.name} does not come back")
    return {
        "bytes": len(data),
        "foretell_bytes": len(archive),
        "pack_seconds": round(packed - start, 1),
        "unpack_seconds": round(time.perf_counter() - packed, 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="")
    parser.add_argument("--rivals", default=",".join(RIVALS))
    parser.add_argument("--again", action="store_true")
    args = parser.parse_args()
    if not DATA.is_dir():
        print(f"video: no data in {DATA}; set FORETELL_DATA to a folder with video/*.y4m")
        return 1
    rows = {row["clip"]: row for row in json.loads(RESULT.read_text())} if RESULT.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted(path for path in DATA.glob("*.y4m") if args.only in path.name):
            row = rows.setdefault(path.name, {"clip": path.name})
            if args.again or "foretell_bytes" not in row:
                row |= measure(path)
            for name in filter(None, args.rivals.split(",")):
                if args.again or f"{name}_bytes" not in row:
                    row[f"{name}_bytes"] = rival(name, path, Path(folder))
            best = min(
                (row[key], key) for key in row if key.endswith("_bytes") and key != "foretell_bytes" and row[key]
            )
            row["to_best"] = f"{row['foretell_bytes'] / best[0]:.4f} of {best[1][:-6]}"
            RESULT.write_text(json.dumps(list(rows.values()), indent=1) + "\n")
            print(json.dumps(row), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
