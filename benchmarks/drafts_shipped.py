"""Train the draft that ships for SmolLM2-135M-Instruct, and put it under weights/.

    python benchmarks/drafts_shipped.py FOLDER [--updates N] [--begin-from DRAFT] [--seconds N]

FOLDER holds ``texts.npy`` from drafts_data.py; features and the training's state are kept there too. Weights begin as
those of DRAFT, a folder, or from least squares. Stopped at any time, the same call goes on where it was.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from foretell.drafts.checkpoint import load_draft, save_draft
from foretell.drafts.config import config_for
from foretell.drafts.features import compute_features
from foretell.drafts.linear_start import linear_start
from foretell.drafts.networks import new_network
from foretell.drafts.networks.base import target_tables
from foretell.drafts.recipes import RECIPES
from foretell.drafts.training import Schedule, train
from foretell.models import registry

ROOT = Path(__file__).resolve().parent.parent
SHIPPED = ROOT / "weights" / "smollm2-135m-prism"
ROWS = 8192
LENGTH = 256
RECIPE = replace(RECIPES["prism"], unrolling=replace(RECIPES["prism"].unrolling, steps=5), temperature=0.6)
"""Answers are greedy by default, and a draft that was taught to be surer has the chances that greedy answers have."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--updates", type=int, default=3000)
    parser.add_argument("--begin-from", type=Path, help="folder of a draft of the same sizes")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after that")
    args = parser.parse_args()
    begin = time.monotonic()
    target = registry.load("smollm2-135m")
    config = config_for(target, "prism", draft_rows=ROWS, window=LENGTH)
    features = compute_features(target, list(np.load(args.folder / "texts.npy")), config.taps, args.folder / "features")
    torch.manual_seed(0)
    network = load_draft(args.begin_from, target) if args.begin_from else new_network(config, target_tables(target))
    counts = np.bincount(features.tokens.ravel(), minlength=config.rows)
    network.draft(torch.from_numpy(np.sort(np.argsort(-counts, kind="stable")[:ROWS])))
    run = args.folder / "shipped"
    if not args.begin_from and not (run / "training.safetensors").exists():
        linear_start(network, features)

    def told(done: int, total: int, loss: float) -> None:
        if done % 10 == 0:
            print(f"{done} of {total}, loss {loss:.3f}, {time.monotonic() - begin:.0f} s", flush=True)
        if done % 100 == 0 and time.monotonic() - begin > args.seconds:
            raise KeyboardInterrupt

    schedule = Schedule(args.updates, batch=8, save_every=100, places=64)
    try:
        train(network, RECIPE, features, schedule, run, progress=told)
    except KeyboardInterrupt:
        return 1
    save_draft(network, SHIPPED, half=True)
    rows = (run / "log.csv").read_text().splitlines(keepends=True)
    (SHIPPED / "training.csv").write_text("".join(rows[::10]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
