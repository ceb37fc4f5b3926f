"""Draft networks in their authors' published layouts: PRISM's artefact, EAGLE and EAGLE-2, EAGLE-3.

| here | PRISM | EAGLE-2 (and HASS) | EAGLE-3 |
|---|---|---|---|
| ``fuse.M`` | ``stepFCs.M`` | ``fc`` | |
| ``layers.M`` or ``midlayer`` | ``stepModels.M.0`` | ``layers.0`` | ``midlayer`` |
| ``fc`` | ``fusion_layer`` | | ``fc`` |
| ``drafted`` | all tokens | all tokens | ``d2t`` (what is added to a draft's row to get the token's id) |

Matrices lie in ``self_attn`` and ``mlp`` of a layer there. Tables that the target owns are not read.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from foretell.drafts.checkpoint import save_draft
from foretell.drafts.config import DraftConfig
from foretell.drafts.networks import new_network
from foretell.drafts.networks.base import target_tables
from foretell.drafts.stored import read_arrays
from foretell.errors import ModelError
from foretell.models.decoder import Decoder

_OWNED = ("embed_tokens.", "t2d", "d2t", "lm_head.")
_RENAMED = {
    "prism": (
        (r"^stepFCs\.(\d+)\.", r"fuse.\1."), (r"^stepModels\.(\d+)\.0\.", r"layers.\1."), (r"^fusion_layer\.", "fc."),
    ),
    "eagle2": ((r"^fc\.", "fuse.0."),),
    "eagle3": ((r"^midlayer\.(input_layernorm|hidden_norm)\.weight$", r"\1"), (r"^norm\.weight$", "norm")),
}  # fmt: skip
_RENAMED["hass"] = _RENAMED["eagle2"]


def convert_published(source: Path, architecture: str, target: Decoder, folder: Path) -> None:
    """Write a published draft (``config.json`` and ``model.safetensors``) in this project's layout.

    Parameters
    ----------
    architecture : str
        ``"prism"``, ``"eagle2"``, ``"hass"`` or ``"eagle3"``.
    target : Decoder
        The model that the draft was trained for.

    Raises
    ------
    ModelError
        If a file is damaged, the draft is for another target, or the layout is not that of the architecture.
    """
    if architecture not in _RENAMED:
        raise ModelError(f"no published layout of {architecture} is known", f"there are {', '.join(_RENAMED)}")
    arrays = read_arrays(source)
    config = _config(source, architecture, target, arrays)
    config.check_target(target)
    state = {
        _renamed(name, architecture): torch.from_numpy(value.astype(np.float32))
        for name, value in arrays.items()
        if not name.startswith(_OWNED)
    }
    state["drafted"] = torch.arange(config.rows)
    if architecture == "eagle3":
        state["lm_head.weight"] = torch.from_numpy(arrays["lm_head.weight"])
        ids = np.arange(config.draft_rows) + arrays.get("d2t", np.zeros(config.draft_rows, np.int64))
        known = target.vocabulary.row_of_id
        if any(id_ not in known for id_ in ids.tolist()):
            raise ModelError(f"{source}: drafts tokens that {target.name} does not have")
        state["drafted"] = torch.tensor([known[id_] for id_ in ids.tolist()])
    network = new_network(config, target_tables(target))
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise ModelError(f"{source}: not the published layout of {architecture} ({reason})") from error
    save_draft(network, folder)


def _renamed(name: str, architecture: str) -> str:
    for pattern, own in _RENAMED[architecture]:
        name = re.sub(pattern, own, name)
    name = name.replace(".self_attn.", ".").replace(".mlp.", ".")
    return name.replace(".post_attention_layernorm.weight", ".post_attention_layernorm")


def _inside(layers: int, *wanted: int) -> tuple[int, ...]:
    return tuple(sorted({min(max(0, layer), layers - 1) for layer in wanted}))


def _config(source: Path, architecture: str, target: Decoder, arrays: dict[str, NDArray[Any]]) -> DraftConfig:
    layers, rows = target.config.layers, int(target.vocabulary.ids.size)
    modules = len({name.split(".")[1] for name in arrays if name.startswith("stepFCs.")}) or 1
    # PRISM counts layers from the embedding; EAGLE-3 reads what goes into the layers 2, L/2 and L - 3.
    taps: tuple[int, ...] = (layers - 1,)
    if architecture == "prism" and "fusion_layer.weight" in arrays:
        taps = _inside(layers, 2, layers // 2, layers - 3)
    if architecture == "eagle3":
        taps = _inside(layers, 1, layers // 2 - 1, layers - 4)
    try:
        values = json.loads((source / "config.json").read_text())
        heads, width = int(values["num_attention_heads"]), int(values["hidden_size"])
        draft_rows = len(arrays["lm_head.weight"]) if architecture == "eagle3" else rows
        return DraftConfig(
            architecture=architecture,
            target=target.digest.hex(),
            width=width,
            heads=heads,
            kv_heads=int(values.get("num_key_value_heads", heads)),
            head_width=int(values.get("head_dim", width // heads)),
            feed_forward=int(values["intermediate_size"]),
            rope_base=float(values.get("rope_theta", 10000.0)),
            epsilon=float(values["rms_norm_eps"]),
            taps=taps,
            normed_taps=False,
            modules=modules,
            step_map=tuple(range(modules)),
            rows=rows,
            draft_rows=draft_rows,
            window=0,
            context=target.config.context,
        )
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError) as error:
        raise ModelError(f"{source}: no draft, or a damaged config.json ({error})") from error
