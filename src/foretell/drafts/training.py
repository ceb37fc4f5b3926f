"""Training of draft networks: seeded, resumable, with a log that any spreadsheet reads."""

from __future__ import annotations

import copy
import csv
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from foretell.drafts.checkpoint import save_draft
from foretell.drafts.features import Features, halves_pay
from foretell.drafts.networks import DraftNetwork, StepwiseNetwork
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
    places : int
        Places of a text at which drafts begin in an update, drawn anew each time; 0 for all. Step 0 is computed
        everywhere, later steps at these alone, so that an update sees more text for the same work.
    """

    steps: int
    batch: int = 8
    seed: int = 0
    save_every: int = 200
    warm_up: float = 0.02
    clip: float = 1.0
    places: int = 0

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

    def starts(self, step: int, length: int) -> Tensor | None:
        """Where drafts begin in the texts of an update, (batch, places), or None for everywhere."""
        if not 0 < self.places < length - 1:
            return None
        rng = np.random.default_rng((self.seed, step, length))
        return torch.from_numpy(rng.permuted(np.tile(np.arange(length - 1), (self.batch, 1)), axis=1)[:, : self.places])


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
    worker = copy.deepcopy(network).to(torch.bfloat16) if halves_pay(device) else network
    optimiser = torch.optim.AdamW(network.parameters(), recipe.rate, betas=(0.9, 0.95), weight_decay=0.01, fused=True)
    first = _resume(network, optimiser, recipe, schedule, folder)
    begin = time.monotonic()
    with (folder / "log.csv").open("a", newline="") as log:
        rows = csv.writer(log)
        for step in range(first, schedule.steps):
            _hand_weights(network, worker)
            for group in optimiser.param_groups:
                group["lr"] = recipe.rate * schedule.rate(step)
            chosen, starts = schedule.texts(step, len(features.tokens)), schedule.starts(step, features.tokens.shape[1])
            tokens = torch.from_numpy(features.tokens[chosen].astype(np.int64)).to(device)
            outputs = torch.from_numpy(features.outputs[chosen]).to(device, worker.embedding.dtype)
            places = None if starts is None else starts.to(device)
            loss = draft_loss(worker, recipe, tokens, outputs[:, :, taps], outputs[:, :, last], places)
            worker.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            _hand_gradients(worker, network)
            torch.nn.utils.clip_grad_norm_(network.parameters(), schedule.clip)
            optimiser.step()
            rows.writerow([step, f"{loss.item():.5f}", f"{optimiser.param_groups[0]['lr']:.3e}",
                           f"{time.monotonic() - begin:.1f}"])  # fmt: skip
            if progress:
                progress(step + 1, schedule.steps, loss.item())
            if (step + 1) % schedule.save_every == 0 or step + 1 == schedule.steps:
                log.flush()
                _save(network, optimiser, recipe, schedule, folder, step + 1)
    return network.eval()


@torch.no_grad()
def _hand_weights(network: DraftNetwork, worker: DraftNetwork) -> None:
    """Give the worker, whose products run in bfloat16, the weights that the optimiser keeps in float32."""
    if worker is not network:
        for own, kept in zip(worker.parameters(), network.parameters(), strict=True):
            own.copy_(kept)


def _hand_gradients(worker: DraftNetwork, network: DraftNetwork) -> None:
    if worker is not network:
        for own, kept in zip(worker.parameters(), network.parameters(), strict=True):
            kept.grad = None if own.grad is None else own.grad.float()


def warm_start(network: StepwiseNetwork, trained: StepwiseNetwork) -> None:
    """Let every module begin as the one of a trained draft that reads the same layers (PRISM's published recipe).

    Raises
    ------
    ModelError
        If the trained draft has another shape.
    """
    own, other = network.config, trained.config
    alike = [replace(config, architecture="prism", modules=1, step_map=(0,)) for config in (own, other)]
    if alike[0] != alike[1] or network.depth > 1:
        raise ModelError("the draft to begin from has another shape", "train one that reads the same layers")
    with torch.no_grad():
        network.draft(trained.drafted)
        if network.fc is not None and trained.fc is not None:
            network.fc.load_state_dict(trained.fc.state_dict())
        for module in range(own.modules):
            network.fuse[module].load_state_dict(trained.fuse[0].state_dict())
            network.layers[module].load_state_dict(trained.layers[0].state_dict())


def _settings(recipe: Recipe, schedule: Schedule) -> dict[str, object]:
    return {"recipe": asdict(recipe), "schedule": asdict(schedule)}


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
                optimiser.state[parameter] = {key: value.to(device) for key, value in moments.items()}
    _cut_log(folder / "log.csv", step)
    return step


def _cut_log(file: Path, step: int) -> None:
    """Forget rows of updates after the checkpoint."""
    if file.exists():
        lines = file.read_text().splitlines(keepends=True)
        file.write_text("".join(line for line in lines if int(line.split(",")[0]) < step))
