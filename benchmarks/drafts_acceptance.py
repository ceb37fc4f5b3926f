"""Acceptance of draft architectures trained alike, and what PRISM's choices are worth: tree 60/5/10, greedy.

    python benchmarks/drafts_acceptance.py FOLDER [NAME ...] [--updates N] [--prompts N] [--tokens N]
        [--device NAME] [--rows FILE] [--shipped]

FOLDER holds ``texts.npy`` from drafts_data.py. Every variant is trained on the same texts by the same number of
updates, from the same least-squares start, then followed along the target's own greedy answers to the first N
prompts of each file in $FORETELL_DATA/prompts (default ../shared/data; evaluation only). Drafts change nothing, so
that a round's outcome follows from the answer. Stopped at any time, the same call goes on where it was; rows are in
benchmarks/results/drafts_acceptance.json, or in FILE, so that several calls can share the work. Features and training
are on the device; drafts are followed on the processor, since one tree at a time is little work. The intervals hold
for new prompts (``foretell.dependence``); differences against ``prism`` of as many updates are paired by prompt.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from foretell.cli.draft import read_prompts
from foretell.drafts.base import Drafter, NoDrafter, TreeSize
from foretell.drafts.chat import prompt_rows
from foretell.drafts.checkpoint import load_draft
from foretell.drafts.config import config_for
from foretell.drafts.drafters import SHIPPED, new_drafter
from foretell.drafts.evaluation import Known, mean_length, replay, step_acceptance
from foretell.drafts.features import Features, compute_features
from foretell.drafts.generate import generate_rows
from foretell.drafts.linear_start import linear_start
from foretell.drafts.networks import DraftNetwork, Eagle3Network, StepwiseNetwork, new_network
from foretell.drafts.networks.base import target_tables
from foretell.drafts.neural import NeuralDrafter
from foretell.drafts.recipes import PUBLISHED_PRISM, RECIPES, Recipe
from foretell.drafts.sampling import Sampling
from foretell.drafts.speculation import Speculation
from foretell.drafts.training import Schedule, train, warm_start
from foretell.models import registry
from foretell.models.decoder import Decoder
from foretell.shipped import find_weights

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("FORETELL_DATA", ROOT.parent / "shared" / "data"))
RESULT = ROOT / "benchmarks" / "results" / "drafts_acceptance.json"
TREE = TreeSize(60, 5, 10)
ROWS = 8192
LENGTH = 256
BATCH, PLACES = 8, 64
TAPS = (2, 15, 27)
Rows = dict[tuple[str, int], dict[str, object]]
"""By variant and updates (0 where nothing was trained)."""


@dataclass(frozen=True)
class Variant:
    """A draft to train: its architecture, its sizes, how, and (warm start) from which other variant."""

    architecture: str
    recipe: Recipe
    taps: tuple[int, ...] | None = None
    modules: int | None = None
    seed: int = 0
    begin_from: str | None = None
    share: float = 1.0
    """Part of the updates, where the others were spent on what it begins from."""


def unrolled(steps: int = 7, again: bool = False) -> Recipe:
    recipe = RECIPES["prism"]
    return replace(recipe, unrolling=replace(recipe.unrolling, steps=steps, project_again=again))


VARIANTS = {
    "prism": Variant("prism", RECIPES["prism"]),
    "eagle3": Variant("eagle3", RECIPES["eagle3"]),
    "hass, three layers": Variant("hass", RECIPES["hass"], taps=TAPS),
    "hass": Variant("hass", RECIPES["hass"]),
    "eagle2": Variant("eagle2", RECIPES["eagle2"]),
    "medusa": Variant("medusa", RECIPES["medusa"]),
    "prism, M=1": Variant("prism", RECIPES["prism"], modules=1),
    "prism, J=3": Variant("prism", unrolled(3)),
    "prism, projected again": Variant("prism", unrolled(again=True)),
    "prism, J=5": Variant("prism", unrolled(5)),
    "prism, M=3": Variant("prism", RECIPES["prism"], modules=3),
    "two layers": Variant("stacked", RECIPES["stacked"]),
    "hass, three layers, half": Variant("hass", RECIPES["hass"], taps=TAPS, share=0.5),
    "prism, warm start": Variant("prism", RECIPES["prism"], begin_from="hass, three layers, half", share=0.5),
    "prism, as published": Variant("prism", PUBLISHED_PRISM, begin_from="hass, three layers, half", share=0.5),
    **{f"prism, seed {seed}": Variant("prism", RECIPES["prism"], seed=seed) for seed in (1, 2)},
    "two layers, seed 1": Variant("stacked", RECIPES["stacked"], seed=1),
    **{f"eagle3, seed {seed}": Variant("eagle3", RECIPES["eagle3"], seed=seed) for seed in (1, 2)},
    **{f"hass, three layers, seed {seed}": Variant("hass", RECIPES["hass"], taps=TAPS, seed=seed) for seed in (1, 2)},
}


def known_answers(target: Decoder, folder: Path, prompts: int, tokens: int) -> list[Known]:
    """The target's greedy answers with its features, kept in a file; layers ``TAPS`` and the last one."""
    layers = (*TAPS, target.config.layers - 1)
    file = folder / f"known-{prompts}-{tokens}.npz"
    if not file.exists():
        kept: dict[str, np.ndarray] = {}
        for source in sorted((DATA / "prompts").glob("*.jsonl")):
            for number, prompt in enumerate(read_prompts(str(source))[:prompts]):
                rows = prompt_rows(target, prompt, chat=True)
                speculation = Speculation(target, NoDrafter(), 1, rows.size + tokens)
                speculation.read(0, rows)
                text = np.array([*rows, *(t for _, own in generate_rows(speculation, Sampling(), tokens) for t in own)])
                cache, taps = target.new_cache(1, text.size), target.new_taps(layers, text.size)
                slots = np.arange(text.size, dtype=np.int32)
                target.forward(text.astype(np.int32), np.zeros_like(slots), slots, cache, taps=taps)
                name = f"{source.stem}-{number:03}"
                kept |= {f"{name}.text": text.astype(np.int32), f"{name}.prompt": np.array(rows.size)}
                kept[f"{name}.features"] = taps.values.astype(np.float32)
        np.savez(file, **kept)
    with np.load(file) as found:
        names = sorted({name.split(".")[0] for name in found})
        return [Known(found[f"{n}.text"], int(found[f"{n}.prompt"]), found[f"{n}.features"]) for n in names]


def trained(
    target: Decoder, name: str, variant: Variant, features: Features, folder: Path, updates: int, device: str
) -> DraftNetwork:
    """The network of a variant, trained into a folder of its own."""
    config = config_for(
        target, variant.architecture, taps=variant.taps, modules=variant.modules, draft_rows=ROWS, window=LENGTH
    )
    torch.manual_seed(variant.seed)
    network = new_network(config, target_tables(target)).to(device)
    counts = np.bincount(features.tokens.ravel(), minlength=config.rows)
    network.draft(torch.from_numpy(np.sort(np.argsort(-counts, kind="stable")[:ROWS])))
    if isinstance(network, Eagle3Network):
        network.use_target_head()
    if variant.begin_from is None:
        linear_start(network, features)
    else:
        begun = load_draft(run_folder(folder, variant.begin_from, updates), target).to(device)
        assert isinstance(network, StepwiseNetwork)
        assert isinstance(begun, StepwiseNetwork)
        warm_start(network, begun)
    often = 20 if device == "cpu" else 500
    schedule = Schedule(int(variant.share * updates), BATCH, variant.seed, save_every=often, places=PLACES)
    return train(network, variant.recipe, features, schedule, run_folder(folder, name, updates), device).cpu()


def run_folder(folder: Path, name: str, updates: int) -> Path:
    return folder / "runs" / f"{name.replace(', ', '-').replace(' ', '-')}-{updates}"


def shipped(target: Decoder) -> dict[str, Drafter]:
    """The draft that ships, in floats, in 8 bits and with look-up; and look-up alone."""
    folder = find_weights(SHIPPED[target.name])
    if folder is None:
        return {}
    return {
        "shipped": NeuralDrafter(load_draft(folder, target)),
        "shipped, 8 bits": new_drafter(str(folder), target),
        "shipped, 8 bits, with look-up": new_drafter("auto", target),
        "look-up": new_drafter("lookup", target),
    }


def followed(drafter: Drafter, known: list[Known]) -> tuple[dict[str, object], list[float]]:
    """Figures of a draft, and its mean tokens a pass for each prompt."""
    places = [(*TAPS, 29).index(tap) for tap in drafter.taps]
    texts = [text._replace(features=text.features[places]) for text in known]
    counts, groups = replay(drafter, texts, TREE)
    length, steps = mean_length(counts, groups, TREE.depth + 1), step_acceptance(counts - 1, TREE.depth)
    each = [float(counts[groups == index].mean()) for index in range(len(texts))]
    return {"acceptance_length": vars(length), "step_acceptance": [round(s, 4) for s in steps]}, each


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", default=list(VARIANTS))
    parser.add_argument("--updates", type=int, default=100)
    parser.add_argument("--prompts", type=int, default=10)
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--rows", type=Path, default=RESULT, help="where the rows are kept")
    parser.add_argument("--shipped", action="store_true", help="only follow the draft that ships")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no variant after that")
    args = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)))
    target = registry.load("smollm2-135m")
    known = known_answers(target, args.folder, args.prompts, args.tokens)
    found_before = json.loads(args.rows.read_text()) if args.rows.exists() else []
    rows: Rows = {(row["variant"], row.get("updates", 0)): row for row in found_before}
    begin = time.monotonic()
    for name, drafter in shipped(target).items():
        if args.shipped:
            found, each = followed(drafter, known)
            rows[name, 0] = {"variant": name, "prompts": len(known), **found, "by_prompt": [round(v, 4) for v in each]}
            args.rows.write_text(json.dumps(list(rows.values()), indent=1) + "\n")
    if args.shipped:
        return report(rows)
    features = compute_features(target, list(np.load(args.folder / "texts.npy")), TAPS, args.folder / "features",
                                device=args.device)  # fmt: skip
    for name in args.names:
        if (name, args.updates) in rows:
            continue
        if time.monotonic() - begin > args.seconds:
            break
        variant = VARIANTS[name]
        network = trained(target, name, variant, features, args.folder, args.updates, args.device)
        found, each = followed(NeuralDrafter(network), known)
        parameters = sum(p.numel() for p in network.parameters())
        row = {"variant": name, "updates": args.updates, "share": variant.share, "parameters": parameters,
               "prompts": len(known), **found, "by_prompt": [round(v, 4) for v in each]}  # fmt: skip
        rows[name, args.updates] = row
        args.rows.write_text(json.dumps(list(rows.values()), indent=1) + "\n")
        print(line(row), flush=True)
    return report(rows)


def report(rows: Rows) -> int:
    for (_, updates), row in rows.items():
        print(line(row), against(row, rows.get(("prism", updates))))
    for updates in sorted({updates for _, updates in rows if ("prism, seed 1", updates) in rows}):
        base = seeds_together(rows, "prism", updates)
        for name in (name for name, of in rows if of == updates and ", seed" not in name):
            print(f"{name:28} {updates:>5} seeds together:", against(seeds_together(rows, name, updates), base))
    return 0


def seeds_together(rows: Rows, name: str, updates: int) -> dict[str, object]:
    """A row with the geometric means, over the seeds there are, of each prompt's tokens a pass."""
    names = [name, *(f"{name}, seed {seed}" for seed in (1, 2))]
    each = [np.log(rows[n, updates]["by_prompt"]) for n in names if (n, updates) in rows]  # type: ignore[call-overload]
    return {"by_prompt": np.exp(np.mean(each, axis=0)).tolist()}


def line(row: dict[str, object]) -> str:
    length = row["acceptance_length"]
    name = f"{row['variant']:28} {row.get('updates', ''):>5}"
    return (f"{name} {length['value']:.3f} [{length['low']:.3f}, {length['high']:.3f}]  "  # type: ignore[index]
            f"{' '.join(f'{s:.2f}' for s in row['step_acceptance'])}")  # type: ignore[attr-defined]  # fmt: skip


def against(row: dict[str, object], base: dict[str, object] | None) -> str:
    """By how much ``prism`` is above a variant on the same prompts: mean of the ratios' logarithms, +- 2 s.e."""
    if base is None or row is base or len(row["by_prompt"]) != len(base["by_prompt"]):  # type: ignore[arg-type]
        return ""
    logs = np.log(np.array(base["by_prompt"])) - np.log(np.array(row["by_prompt"]))
    return f"prism {100 * np.expm1(logs.mean()):+.1f} % +- {200 * logs.std(ddof=1) / np.sqrt(logs.size):.1f}"


if __name__ == "__main__":
    raise SystemExit(main())
