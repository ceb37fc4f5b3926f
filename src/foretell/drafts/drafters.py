"""Drafters by name, and the making of new ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from foretell.drafts.base import Drafter, NoDrafter
from foretell.drafts.config import ARCHITECTURES, config_for
from foretell.drafts.joint import JointDrafter
from foretell.drafts.lookup import LookupDrafter
from foretell.errors import ModelError, UsageError
from foretell.models.decoder import Decoder
from foretell.shipped import find_weights

CHOICES = ("auto", "none", "lookup")
SHIPPED = {"smollm2-135m": "smollm2-135m-prism"}
"""Weights that come with the package, by the name of the model that they draft for."""


def new_drafter(name: str, target: Decoder) -> Drafter:
    """Drafter of a name, of a folder with a trained draft, or a smaller model that the registry knows, for a target.

    Raises
    ------
    UsageError
        If there is none of that name.
    ModelError
        If the folder's draft is damaged or serves another target.
    """
    if name == "none":
        return NoDrafter()
    if name == "lookup":
        return LookupDrafter()
    if name == "auto":
        return _default(target)
    from foretell.models import registry

    path = Path(name)
    known = [model.name for model in registry.list_models()]
    if name in known or name.startswith("hf:") or path.is_file() or _is_language_model(path):
        from foretell.drafts.standalone import StandaloneDrafter

        return StandaloneDrafter(registry.load(name), target)
    if path.is_dir():
        return _trained(path, target)
    places = f"{', '.join((*CHOICES, *known))}, files of models, and folders with trained drafts"
    raise UsageError(f"no draft is called {name!r}; there are {places}")


def _default(target: Decoder) -> Drafter:
    """The draft that ships for a target together with look-up, or look-up alone."""
    folder = find_weights(SHIPPED[target.name]) if target.name in SHIPPED else None
    return LookupDrafter() if folder is None else JointDrafter(_trained(folder, target), LookupDrafter())


def _is_language_model(folder: Path) -> bool:
    """Whether a folder holds a whole language model (its configuration has a ``model_type`` of its own)."""
    try:
        return "model_type" in json.loads((folder / "config.json").read_text())
    except (OSError, ValueError, TypeError):
        return False


def _trained(folder: Path, target: Decoder) -> Drafter:
    from foretell.drafts.stored import read_arrays, read_config

    config = read_config(folder, target)
    if config.architecture in ("prism", "hass", "eagle2"):
        from foretell.drafts.quantised import QuantisedDrafter

        return QuantisedDrafter(config, read_arrays(folder), target)
    need_torch()
    from foretell.drafts.checkpoint import load_draft
    from foretell.drafts.neural import NeuralDrafter

    return NeuralDrafter(load_draft(folder, target))


def need_torch() -> None:
    """Say so if PyTorch, which trained drafts may need, is not there.

    Raises
    ------
    ModelError
        If it is not installed.
    """
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise ModelError("trained drafts need PyTorch", "pip install 'foretell[torch]'") from error


def train_drafter(
    target: Decoder,
    documents: Sequence[bytes],
    folder: Path,
    *,
    architecture: str = "prism",
    steps: int = 2000,
    batch: int = 8,
    length: int = 256,
    seed: int = 0,
    draft_rows: int | None = None,
    modules: int | None = None,
    device: str = "cpu",
    computing: Callable[[int, int], None] | None = None,
    training: Callable[[int, int, float], None] | None = None,
) -> None:
    """Compute a target's features of some documents, train a draft on them and keep both in a folder.

    Stopped at any time, the same call goes on where it was.

    Parameters
    ----------
    documents : sequence of bytes
        Texts like those that will be drafted: the target's own answers, or what archives hold.
    folder : Path
        Gets the draft, ``log.csv`` and a folder ``features``, which may be removed afterwards.
    draft_rows : int, optional
        Draft only the most frequent tokens of the documents.
    computing, training : callable, optional
        Called with what is done and what is to do, while features are computed and while the draft is trained.

    Raises
    ------
    UsageError
        If the architecture is unknown, no document is long enough, or the folder holds something else.
    """
    if architecture not in ARCHITECTURES:
        raise UsageError(f"no architecture is called {architecture!r}; there are {', '.join(ARCHITECTURES)}")
    need_torch()
    import torch

    from foretell.drafts.features import compute_features, cut_texts
    from foretell.drafts.linear_start import linear_start
    from foretell.drafts.networks import Eagle3Network, new_network
    from foretell.drafts.networks.base import target_tables
    from foretell.drafts.recipes import RECIPES
    from foretell.drafts.training import Schedule, train

    texts = list(cut_texts(target, documents, length))
    config = config_for(target, architecture, draft_rows=draft_rows, modules=modules, window=length)
    features = compute_features(target, texts, config.taps, folder / "features", computing, device)
    torch.manual_seed(seed)
    network = new_network(config, target_tables(target))
    counts = np.bincount(features.tokens.ravel(), minlength=config.rows)
    frequent = np.sort(np.argsort(-counts, kind="stable")[: config.draft_rows])
    network.draft(torch.from_numpy(frequent))
    if isinstance(network, Eagle3Network):
        network.use_target_head()
    linear_start(network, features)
    schedule = Schedule(steps, batch, seed, places=length // 3)
    train(network, RECIPES[architecture], features, schedule, folder, device, training)
