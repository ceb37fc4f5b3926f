"""How much context is worth: bits per token by length of a lane, with and without a shared prefix.

    python benchmarks/context_curve.py [--model NAME] [--plot FILE] [--only-plot]

For two files of $FORETELL_DATA/text/dev: the mean over the first L tokens of several lanes that start afresh,
that start after a prefix taken from the beginning of the document, and the mean of the same tokens when the
model reads on. Writes benchmarks/results/context_curve.json, and draws it with ``--plot`` (``--only-plot``: draws
what is there).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from exact_loss import exact_bits

from foretell.models import registry

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("FORETELL_DATA", ROOT.parent / "shared" / "data"))
FILES = ("prose_govuk_2025.txt", "law_us_dc_2025.txt")
LENGTHS = (256, 512, 1024, 2048, 3072)
PREFIXES = (0, 512, 1024)
STARTS = (8192, 16384)


RESULT = ROOT / "benchmarks" / "results" / "context_curve.json"


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Bits per token over the length of a lane, a panel for each file."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "foretell", "svg.fonttype": "none"})
    from matplotlib import pyplot as plt

    names = list(dict.fromkeys(row["file"] for row in rows))
    figure, panels = plt.subplots(1, len(names), figsize=(4 * len(names), 3), layout="constrained", squeeze=False)
    for name, panel in zip(names, panels[0], strict=True):
        for row in (row for row in rows if row["file"] == name):
            means = row["bits_per_token_by_lane_length"]
            panel.plot([int(n) for n in means], list(means.values()), "o-", label=f"prefix {row['prefix']}")
        panel.set_title(name, fontsize=9)
        panel.set_xlabel("tokens in a lane")
        panel.set_ylabel("bits per token")
        panel.legend(frameon=False, fontsize=8)
    figure.savefig(path, metadata={"Date": None})


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--only-plot", action="store_true")
    args = parser.parse_args()
    if args.only_plot:
        draw(json.loads(RESULT.read_text()), args.plot)
        return 0
    if not (DATA / "text" / "dev").is_dir():
        print(f"context_curve: no data in {DATA}; set FORETELL_DATA")
        return 1
    model = registry.load(args.model)
    rows = []
    for name in FILES:
        tokens = model.vocabulary.encode((DATA / "text" / "dev" / name).read_bytes())
        for prefix in PREFIXES:
            lanes = []
            for start in STARTS:
                lane = tokens[start : start + LENGTHS[-1]]
                bits = exact_bits(model, np.r_[model.start, tokens[:prefix], lane])
                lanes.append(bits[prefix:])
            means = {str(n): round(float(np.mean([lane[:n].mean() for lane in lanes])), 4) for n in LENGTHS}
            row = {"file": name, "prefix": prefix, "bits_per_token_by_lane_length": means}
            rows.append(row)
            print(json.dumps(row), flush=True)
    RESULT.write_text(json.dumps(rows, indent=1) + "\n")
    if args.plot:
        draw(rows, args.plot)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
