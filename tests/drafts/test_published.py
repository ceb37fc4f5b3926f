"""Drafts in their authors' layouts come out as the networks that they were."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from drafts.test_networks import network_of  # noqa: E402
from models.tiny import tiny  # noqa: E402
from safetensors.numpy import save_file  # noqa: E402

from foretell.drafts.checkpoint import load_draft  # noqa: E402
from foretell.drafts.networks.base import DraftNetwork  # noqa: E402
from foretell.drafts.published import convert_published  # noqa: E402
from foretell.errors import ModelError  # noqa: E402


def published(network: DraftNetwork, folder: Path, **changes: object) -> None:
    """Write a network as its authors do, with the names spelt out here."""
    config, arrays = network.config, {}
    for name, value in network.state_dict().items():
        name = re.sub(r"\.([qkvo]_proj)", r".self_attn.\1", name)
        name = re.sub(r"\.((gate|up|down)_proj)", r".mlp.\1", name)
        name = re.sub(r"(layernorm|^hidden_norm|^norm)$", r"\1.weight", name)
        if config.architecture == "prism":
            name = re.sub(r"^layers\.(\d)", r"stepModels.\1.0", re.sub(r"^fc\.", "fusion_layer.", name))
            name = name.replace("fuse.", "stepFCs.")
        elif config.architecture == "eagle3":
            name = re.sub(r"^(input_layernorm|hidden_norm)", r"midlayer.\1", name)
        else:
            name = name.replace("fuse.0.", "fc.")
        arrays[name] = value.numpy()
    rows = arrays.pop("drafted")
    ids = tiny("llama").vocabulary.ids[rows].astype(np.int64)
    if config.architecture == "eagle3":
        arrays["d2t"] = ids - np.arange(ids.size)
    arrays["embed_tokens.weight"] = np.zeros((4, 4), np.float32)
    folder.mkdir(exist_ok=True)
    save_file({name: np.ascontiguousarray(value) for name, value in arrays.items()}, folder / "model.safetensors")
    values = {
        "hidden_size": config.width, "num_attention_heads": config.heads, "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_width, "intermediate_size": config.feed_forward, "rope_theta": config.rope_base,
        "rms_norm_eps": config.epsilon, **changes,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(values))


@pytest.mark.parametrize("architecture", ["prism", "eagle2", "hass", "eagle3"])
def test_what_was_published_comes_back(architecture: str, tmp_path: Path) -> None:
    target = tiny("llama")
    network = network_of(architecture, draft_rows=50 if architecture == "eagle3" else None)
    if architecture == "eagle3":
        network.draft(torch.from_numpy(np.flatnonzero(target.vocabulary.ids >= 0)[3:53]))
    published(network, tmp_path / "theirs")
    convert_published(tmp_path / "theirs", architecture, target, tmp_path / "ours")
    found = load_draft(tmp_path / "ours", target)
    assert found.config == replace(network.config, taps=found.config.taps, normed_taps=False)
    assert len(found.config.taps) == len(network.config.taps)
    expected = network.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in found.state_dict().items())


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    target = tiny("llama")
    published(network_of("prism"), tmp_path / "theirs")
    with pytest.raises(ModelError, match="not the published layout of eagle2"):
        convert_published(tmp_path / "theirs", "eagle2", target, tmp_path / "ours")
    with pytest.raises(ModelError, match="no published layout of medusa"):
        convert_published(tmp_path / "theirs", "medusa", target, tmp_path / "ours")
    published(network_of("prism"), tmp_path / "theirs", hidden_size=128, head_dim=16)
    with pytest.raises(ModelError, match="has width 128"):
        convert_published(tmp_path / "theirs", "prism", target, tmp_path / "ours")
    (tmp_path / "theirs" / "config.json").write_text("{}")
    with pytest.raises(ModelError, match=r"damaged config\.json"):
        convert_published(tmp_path / "theirs", "prism", target, tmp_path / "ours")
