"""Draft networks on disk: ``config.json`` and ``model.safetensors``.

The layout follows the conventions of vllm-project/speculators: a ``speculators_model_type``, the sizes of the
processing module as a Llama configuration, and a ``speculators_config`` with the algorithm and its verifier. What
the target owns (embedding, head, final norm) is not saved.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from foretell.drafts.networks import DraftNetwork, new_network
from foretell.drafts.networks.base import target_tables
from foretell.drafts.stored import read_arrays, read_config
from foretell.errors import ModelError
from foretell.models.decoder import Decoder


def save_draft(network: DraftNetwork, folder: Path, half: bool = False) -> None:
    """Write a network; files appear whole or not at all.

    Parameters
    ----------
    half : bool
        As float16, half as large, for drafts that ship.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kind = torch.float16 if half else torch.float32
    tensors = {
        name: (value.to(kind) if value.is_floating_point() else value).contiguous().cpu()
        for name, value in network.state_dict().items()
    }
    scratch = folder / f".model.{os.getpid()}"
    save_file(tensors, scratch)
    os.replace(scratch, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(_as_speculator(network), indent=2) + "\n")


def load_draft(folder: Path, target: Decoder) -> DraftNetwork:
    """Read a network and check that it serves the target.

    Raises
    ------
    ModelError
        If a file is missing or damaged, or the draft is for another target.
    """
    config = read_config(folder, target)
    state = {name: torch.from_numpy(value) for name, value in read_arrays(folder).items()}
    network = new_network(config, target_tables(target))
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise ModelError(
            f"{folder}: does not fit its config.json ({reason})", "fetch or train the draft anew"
        ) from error
    drafted = network.drafted
    if int(drafted.min()) < 0 or int(drafted.max()) >= config.rows:
        raise ModelError(f"{folder}: drafts tokens that {target.name} does not have", "fetch or train the draft anew")
    return network


def _as_speculator(network: DraftNetwork) -> dict[str, Any]:
    config = network.config
    layer = {
        "model_type": "llama",
        "hidden_size": config.width,
        "intermediate_size": config.feed_forward,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_width,
        "num_hidden_layers": network.depth,
        "rope_theta": config.rope_base,
        "rms_norm_eps": config.epsilon,
        "max_position_embeddings": config.context,
        "vocab_size": config.rows,
    }
    proposal = {"proposal_type": "greedy", "speculative_tokens": 7, "verifier_accept_k": 1, "accept_tolerance": 0.0}
    return {
        "speculators_model_type": config.architecture,
        "architectures": [f"{config.architecture.capitalize()}Speculator"],
        "transformer_layer_config": layer,
        "draft_vocab_size": config.draft_rows,
        "eagle_aux_hidden_state_layer_ids": list(config.taps),
        "speculators_config": {
            "algorithm": config.architecture,
            "proposal_methods": [proposal],
            "default_proposal_method": "greedy",
            "verifier": {"name_or_path": config.target, "architectures": ["LlamaForCausalLM"]},
        },
        "foretell": config.as_dict(),
    }
