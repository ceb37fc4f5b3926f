"""Training of draft networks: seeded, resumable, with a log that any spreadsheet reads."""

from __future__ import annotations

import csv
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from foretell.drafts.checkpoint import save_draft
from foretell.drafts.features import Features
from foretell.drafts.networks import DraftNetwork
from foretell.drafts.recipes import Recipe, draft_loss
from foretell.errors import ModelError, UsageError


@dataclass(frozen=True)
class Schedule:
    """How long and how training goes.

    Attributes
    ----------
    steps : int
        Updates of the weights.
    batch : int
        Texts in an update.
    seed : int
        Of the order of texts (and, by the caller, of the first weights).
    save_every : int
        Updates between checkpoints.
    warm_up : float
        Part of the steps in which the learning rate rises.
    clip : float
        Largest norm of a gradient.
    """

    steps: int
    batch: int = 8
    seed: int = 0
    save_every: int = 200
    warm_up: float = 0.02
    clip: float = 1.0

    def rate(self, step: int) -> float:
        """Part of the full learning rate at a step: a rise, then a fall in a straight line."""
        rise = max(1, int(self.warm_up * self.steps))
        if step < rise:
            return (step + 1) / rise
        return max(0.0, (self.steps - step) / max(1, self.steps - rise))

    def texts(self, step: int, count: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Which of ``count`` texts an update uses: every pass over them has an order of its own."""
        wanted = np.arange(step * self.batch, (step + 1) * self.batch)
        orders = {int(p): np.random.default_rng((self.seed, int(p))).permutation(count) for p in set(wanted // count)}
        return np.array([orders[int(place // count)][place % count] for place in wanted])


def train(
    network: DraftNetwork,
    recipe: Recipe,
    features: Features,
    schedule: Schedule,
    folder: Path,
    device: str = "cpu",
    progress: Callable[[int, int, float], None] | None = None,
) -> DraftNetwork:
    """Train a network into a folder; if training was stopped there, go on from its last checkpoint.

    ``log.csv`` there gets a row for every update: step, loss, learning rate, seconds since this call.

    Parameters
    ----------
    progress : callable, optional
        Called with the updates done, all updates, and the loss.

    Raises
    ------
    ModelError
        If the features are of another target or lack layers.
    UsageError
        If the folder holds a training of other settings.
    """
    config = network.config
    if features.target != config.target:
        raise ModelError("the features are of another model than the draft's target", "compute them for this one")
    taps, last = features.places_of(config.taps), len(features.layers) - 1
    network = network.to(device).train()
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(parameters, recipe.rate, betas=(0.9, 0.95), weight_decay=0.01)
    first = _resume(network, optimiser, recipe, schedule, folder)
    begin = time.monotonic()
    with (folder / "log.csv").open("a", newline="") as log:
        rows = csv.writer(log)
        for step in range(first, schedule.steps):
            for group in optimiser.param_groups:
                group["lr"] = recipe.rate * schedule.rate(step)
            chosen = schedule.texts(step, len(features.tokens))
            tokens = torch.from_numpy(features.tokens[chosen].astype(np.int64)).to(device)
            outputs = torch.from_numpy(features.outputs[chosen].astype(np.float32)).to(device)
            with torch.autocast(device, torch.bfloat16, enabled=device != "cpu"):
                loss = draft_loss(network, recipe, tokens, outputs[:, :, taps], outputs[:, :, last])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(parameters, schedule.clip)
            optimiser.step()
            rows.writerow([step, f"{loss.item():.5f}", f"{optimiser.param_groups[0]['lr']:.3e}",
                           f"{time.monotonic() - begin:.1f}"])  # fmt: skip
            if progress:
                progress(step + 1, schedule.steps, loss.item())
            if (step + 1) % schedule.save_every == 0 or step + 1 == schedule.steps:
                log.flush()
                _save(network, optimiser, recipe, schedule, folder, step + 1)
    return network.eval()


def _settings(recipe: Recipe, schedule: Schedule) -> dict[str, object]:
    return {"recipe": vars(recipe), "schedule": vars(schedule)}


def _moments(network: DraftNetwork, optimiser: torch.optim.AdamW) -> dict[str, Tensor]:
    """The optimiser's state by the names of the weights."""
    found = {}
    for name, parameter in network.named_parameters():
        for key, value in optimiser.state.get(parameter, {}).items():
            found[f"{name}/{key}"] = value
    return found


def _save(
    network: DraftNetwork, optimiser: torch.optim.AdamW, recipe: Recipe, schedule: Schedule, folder: Path, step: int
) -> None:
    save_draft(network, folder)
    state = {name: value.detach().cpu().contiguous() for name, value in network.named_parameters()}
    scratch = folder / f".training.{os.getpid()}"
    values = json.dumps({"step": step, **_settings(recipe, schedule)})
    save_file({**state, **_moments(network, optimiser)}, scratch, metadata={"training": values})
    os.replace(scratch, folder / "training.safetensors")


def _resume(
    network: DraftNetwork, optimiser: torch.optim.AdamW, recipe: Recipe, schedule: Schedule, folder: Path
) -> int:
    """Take up weights and moments of a checkpoint, if there is one; returns the next step."""
    from safetensors import safe_open

    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "training.safetensors"
    if not file.exists():
        return 0
    with safe_open(file, "pt") as stored:
        values = json.loads(stored.metadata()["training"])
    step = int(values.pop("step"))
    if values != json.loads(json.dumps(_settings(recipe, schedule))):
        raise UsageError(f"{folder} holds a training with other settings", "name another folder, or remove it")
    tensors = load_file(file)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(tensors[name])
            moments = {
                key: tensors[f"{name}/{key}"] for key in ("step", "exp_avg", "exp_avg_sq") if f"{name}/{key}" in tensors
            }
            if moments:
                device = parameter.device
                optimiser.state[parameter] = {
                    key: value if key == "step" else value.to(device) for key, value in moments.items()
                }
    _cut_log(folder / "log.csv", step)
    return step


def _cut_log(file: Path, step: int) -> None:
    """Forget rows of updates after the checkpoint."""
    if file.exists():
        lines = file.read_text().splitlines(keepends=True)
        file.write_text("".join(line for line in lines if int(line.split(",")[0]) < step))
