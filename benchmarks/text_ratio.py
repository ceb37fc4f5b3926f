"""Sizes of whole archives of the development texts, against general-purpose compressors in the same run.

    python benchmarks/text_ratio.py [--model NAME] [--level N] [--codec octets] [--keep FOLDER] [--first BYTES]
                                    [--again] [--summary] [FILE ...]

Reads $FORETELL_DATA/text/dev (default ../shared/data) and writes benchmarks/results/text_ratio-MODEL.json.
Rows of the same model and level that are there are not measured again but with ``--again``. ``--keep`` stores
what the language model said of each section (it does not depend on anything that comes after it), so that a
run can be continued or repeated after a change of the mixing. ``lm_bits_per_byte`` is the ideal code length of
the exact model alone, in the same lanes. ``--first`` takes the beginning of each file only.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import hashlib
import json
import lzma
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from file_intervals import describe_ratios

import foretell
from foretell.codecs import text
from foretell.codecs.detect import looks_like_text
from foretell.codecs.lanes import sections_of, shape_of
from foretell.models import registry

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("FORETELL_DATA", ROOT.parent / "shared" / "data"))
ENGLISH = (
    "prose_blog_2025.md",
    "prose_govuk_2025.txt",
    "tech_peps_2025.rst",
    "tech_eips_2025.md",
    "law_us_dc_2025.txt",
    "med_craft_pmc.txt",
)
PROGRAMS = {
    "zpaq -m5": ["zpaq", "add", "{out}.zpaq", "{file}", "-m5"],
    "7z PPMd": ["7z", "a", "-m0=PPMd:o=32:mem=256m", "-bd", "{out}.7z", "{file}"],
    "bzip3": ["bzip3", "-e", "-k", "-b", "16", "{file}", "{out}.bz3"],
}


def rivals(data: bytes) -> dict[str, int]:
    """Bytes that each compressor at hand needs."""
    sizes = {
        "gzip -9": len(gzip.compress(data, 9, mtime=0)),
        "bzip2 -9": len(bz2.compress(data, 9)),
        "xz -9e": len(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)),
    }
    optional: dict[str, Callable[[], int]] = {}
    try:
        import brotli

        optional["brotli -q11"] = lambda: len(brotli.compress(data, quality=11, lgwin=24))
    except ImportError:
        pass
    try:
        import zstandard

        optional["zstd -22"] = lambda: len(zstandard.ZstdCompressor(level=22).compress(data))
    except ImportError:
        pass
    try:
        import kanzi

        optional["kanzi L9"] = lambda: len(kanzi.compress(data, 9))
    except ImportError:
        pass
    sizes |= {name: measure() for name, measure in optional.items()}
    for name, command in PROGRAMS.items():
        if shutil.which(command[0]):
            sizes[name] = _program_size(command, data)
    return sizes


def _program_size(command: list[str], data: bytes) -> int:
    with tempfile.TemporaryDirectory() as folder:
        file, out = Path(folder) / "data", Path(folder) / "out"
        file.write_bytes(data)
        done = [part.format(file=file, out=out) for part in command]
        subprocess.run(done, check=True, capture_output=True, cwd=folder)
        return next(p for p in Path(folder).iterdir() if p.name.startswith("out")).stat().st_size


def remember_sections(folder: Path) -> None:
    """Keep the logistic values of every section in ``folder`` and take them from there."""
    compute = text.TextCodec._stretches

    def kept(self: text.TextCodec, tokens, section, prefix, *rest):  # type: ignore[no-untyped-def]
        first, last = section[0][0], section[-1][1]
        key = hashlib.sha256(self.model.digest + repr((section, prefix)).encode())
        key.update(tokens[max(0, first - prefix) : last].tobytes())
        path = folder / f"{key.hexdigest()[:32]}.npz"
        if path.exists():
            with np.load(path) as stored:
                return stored["stretches"].astype(np.int32), stored["starts"]
        stretches, starts = compute(self, tokens, section, prefix, *rest)
        np.savez_compressed(path, stretches=stretches.astype(np.int16), starts=starts)
        return stretches, starts

    text.TextCodec._stretches = kept  # type: ignore[method-assign]


def ideal_bits(codec: text.TextCodec, data: bytes) -> float:
    """Code length of the data by the language model alone, in the lanes of the codec, frame by frame."""
    total = 0.0
    tree = codec.tree.arrays
    for start in range(0, len(data), codec.frame_bytes):
        tokens = codec.model.vocabulary.encode(data[start : start + codec.frame_bytes])
        shape = shape_of(tokens.size, codec.plan)
        for section in sections_of(tokens.size, shape):
            stretches, _starts = codec._stretches(tokens, section, shape.prefix, text.Meter(None, 1, 1))
            ones = np.concatenate([_path_bits(tree, int(t)) for t in tokens[section[0][0] : section[-1][1]]])
            total += float(np.logaddexp(0, -stretches / 256 * np.where(ones, 1, -1)).sum() / np.log(2))
    return total


_paths: dict[int, np.ndarray] = {}


def _path_bits(tree: object, leaf: int) -> np.ndarray:
    if leaf not in _paths:
        node, bits = 0, []
        while node >= 0:
            bits.append(leaf >= tree.mid[node])  # type: ignore[attr-defined]
            node = int(tree.right[node] if bits[-1] else tree.left[node])  # type: ignore[attr-defined]
        _paths[leaf] = np.array(bits)
    return _paths[leaf]


def summary(rows: list[dict[str, object]]) -> str:
    """Totals over the six English files, and how often the archive is the smallest."""
    english = [row for row in rows if row["file"] in ENGLISH]
    lines = []
    if len(english) == len(ENGLISH):
        total = sum(row["archive_bytes"] for row in english)  # type: ignore[misc]
        lines.append(f"six English files: {total} bytes")
        for name in ("zpaq -m5", "bzip2 -9", "xz -9e"):
            other = sum(row["rivals"].get(name, 0) for row in english)  # type: ignore[attr-defined]
            if other:
                lines.append(f"  {name}: {other} bytes; archive / {name} = {total / other:.4f}")
    best = sum(row["archive_bytes"] < min(row["rivals"].values()) for row in rows)  # type: ignore[attr-defined]
    above = [row["file"] for row in rows if row["archive_bytes"] > row["rivals"]["xz -9e"]]  # type: ignore[index]
    lines.append(f"smaller than every rival on {best} of {len(rows)} files; larger than xz on: {above or 'none'}")
    lines += gains(rows)
    families = {str(row["file"]): str(row["file"]).split("_")[0] for row in rows}
    for name in sorted({name for row in rows for name in row["rivals"]}):  # type: ignore[attr-defined]
        ratios = {str(row["file"]): row["archive_bytes"] / row["rivals"][name] for row in rows if name in row["rivals"]}  # type: ignore[index,operator]
        lines.append(f"  against {name}: {describe_ratios(ratios, families)}")
    return "\n".join(lines)


def against_default(rows: list[dict[str, object]], default: Path) -> str:
    """Sizes relative to those of the default model, where both have packed the same bytes."""
    known = {row["file"]: row for row in json.loads(default.read_text())} if default.exists() else {}
    pairs = [(row, known[row["file"]]) for row in rows if row["file"] in known]
    ratios = {str(row["file"]): row["archive_bytes"] / other["archive_bytes"] for row, other in pairs}  # type: ignore[operator]
    if not ratios:
        return ""
    each = ", ".join(f"{name} {ratio:.4f}" for name, ratio in ratios.items())
    return f"to the default model: {describe_ratios(ratios, {name: name for name in ratios})}\n  {each}"


def gains(rows: list[dict[str, object]]) -> list[str]:
    """What mixing saves over the language model alone, by class of data."""
    classes: dict[str, list[tuple[float, float]]] = {}
    for row in rows:
        if "lm_bits_per_byte" in row:
            pair = float(row["bits_per_byte"]), float(row["lm_bits_per_byte"])  # type: ignore[arg-type]
            classes.setdefault(str(row["file"]).split("_")[0], []).append(pair)
    return [
        f"  {name}: {len(pairs)} files, saved over the model alone: "
        + ", ".join(f"{1 - ours / alone:.1%}" for ours, alone in sorted(pairs))
        for name, pairs in classes.items()
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*")
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--level", type=int, default=6)
    parser.add_argument("--codec", choices=("auto", "octets"), default="auto", help="octets: an upper bound, fast")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--first", type=int, metavar="BYTES", help="the beginning of each file only")
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--summary", action="store_true", help="print what is there")
    args = parser.parse_args()
    folder = DATA / "text" / "dev"
    if not folder.is_dir():
        print(f"text_ratio: no data in {folder}; set FORETELL_DATA to a folder with text/dev")
        return 1
    if args.keep:
        args.keep.mkdir(parents=True, exist_ok=True)
        remember_sections(args.keep)
    part = f"-{args.first}" if args.first else ""
    name = f"text_ratio-{args.model if args.codec == 'auto' else args.codec}{part}.json"
    result = ROOT / "benchmarks" / "results" / name
    rows = {row["file"]: row for row in json.loads(result.read_text())} if result.exists() else {}
    default = result.with_name(f"text_ratio-smollm2-135m{part}.json")
    if args.summary:
        print(summary(list(rows.values())))
        if result != default:
            print(against_default(list(rows.values()), default))
        return 0
    names = args.files or sorted((p.name for p in folder.iterdir()), key=lambda name: (name not in ENGLISH, name))
    model = None if args.codec == "octets" else registry.load(args.model)
    codec = text.TextCodec(model, args.level) if args.keep and model else None
    digest = model.digest.hex()[:16] if model else "octets"
    for name in names:
        known = rows.get(name, {})
        if not args.again and (known.get("model"), known.get("level")) == (digest, args.level):
            continue
        data = (folder / name).read_bytes()[: args.first]
        begin = time.perf_counter()
        archive = foretell.compress(data, level=args.level, model=args.model, codec=args.codec)
        seconds = time.perf_counter() - begin
        row = {"file": name, "bytes": len(data), "archive_bytes": len(archive), "level": args.level, "model": digest}
        row["bits_per_byte"] = round(8 * len(archive) / len(data), 4)
        if codec and looks_like_text(data):
            row["lm_bits_per_byte"] = round(ideal_bits(codec, data) / len(data), 4)
        row["rivals"] = rivals(data)
        rows[name] = row
        best = min(row["rivals"], key=row["rivals"].get)  # type: ignore[attr-defined]
        print(
            f"{name:32} {len(archive):7} {row['bits_per_byte']:.4f} bpb  lm {row.get('lm_bits_per_byte')}"
            f"  {best} {8 * row['rivals'][best] / len(data):.4f}  {seconds:.0f} s",  # type: ignore[index]
            flush=True,
        )
        result.write_text(json.dumps(list(rows.values()), indent=1) + "\n")
    print(summary(list(rows.values())))
    if result != default:
        print(against_default(list(rows.values()), default))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
