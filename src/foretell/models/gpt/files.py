"""Read GPT-2, image-GPT and bGPT from folders that hold config.json and safetensors files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.errors import ModelError
from foretell.models.gpt.config import GptConfig
from foretell.models.gpt.model import GptSource
from foretell.models.gpt.patches import PatchesConfig, PatchesSource
from foretell.models.hub_files import FolderTensors, read_json, read_vocabulary

CLUSTER_STEPS = 16
"""Parts of a step from one value of a sample to the next in which clusters are kept."""
_PARTS = {
    "attention_norm": "ln_1", "qkv": "attn.c_attn", "output": "attn.c_proj", "feed_norm": "ln_2",
    "inner": "mlp.c_fc", "down": "mlp.c_proj",
}  # fmt: skip
_ACTIVATIONS = {
    "gelu_new": "gelu", "gelu_pytorch_tanh": "gelu", "gelu_fast": "gelu", "quick_gelu": "quick_gelu",
}  # fmt: skip
_MOST_CLUSTERS = 1 << 12


def read_gpt(folder: Path, settings: dict[str, Any]) -> GptSource | PatchesSource:
    """Open a folder whose config.json, already read, names one of ``hub_files.MODEL_TYPES``.

    A folder of GPT-2 with a tokenizer.json is a model of text; one without is a model of bytes, whose tokens 0 to 255
    are the bytes. image-GPT has its colours in preprocessor_config.json, or as ``clusters.npy`` in [-1, 1].

    Raises
    ------
    ModelError
        If a file is missing, or the architecture is not supported.
    """
    if settings["model_type"] == "bgpt":
        return _read_patches(folder, settings)
    config = _config(folder, settings, centred=settings["model_type"] == "gpt2")
    tensors = FolderTensors(folder)
    prefix = "transformer." if "transformer.wte.weight" in tensors else ""
    tied = bool(settings.get("tie_word_embeddings", config.centred))

    def tensor(name: str) -> NDArray[np.float32] | None:
        if name == "head":
            return None if tied else tensors.get("lm_head.weight")
        return tensors.get(prefix + _stored(name))

    if not config.centred:
        return GptSource(config, tensor, clusters=_clusters(folder))
    written = folder / "tokenizer.json"
    vocabulary = read_vocabulary(read_json(written), folder) if written.exists() else None
    return GptSource(config, tensor, vocabulary)


def _stored(name: str) -> str:
    """Name in the files of a tensor of :func:`foretell.models.gpt.convert.convert_layers`."""
    top = {"embedding": "wte.weight", "positions": "wpe.weight"}
    if name in top:
        return top[name]
    layer, _, rest = name.partition(".")
    if layer == "final_norm":
        return f"ln_f.{rest}"
    part, _, kind = rest.partition(".")
    return f"h.{layer}.{_PARTS[part]}.{kind}"


def _config(folder: Path, settings: dict[str, Any], *, centred: bool) -> GptConfig:
    """Sizes from the settings, under GPT-2's own names or those of newer files."""

    def value(name: str, other: str) -> int:
        found = settings.get(name, settings.get(other))
        if not isinstance(found, int):
            raise ModelError(f"{folder}: config.json lacks {name}")
        return found

    for name in ("scale_attn_by_inverse_layer_idx", "add_cross_attention"):
        if settings.get(name):
            raise ModelError(f"{folder}: {name} is not supported")
    activation = str(settings.get("activation_function", "gelu_new"))
    if activation not in _ACTIVATIONS or not settings.get("scale_attn_weights", True):
        raise ModelError(f"{folder}: activation {activation!r}, or attention without scale, is not supported")
    width, tokens = value("n_embd", "hidden_size"), value("vocab_size", "vocab_size")
    start: Any = settings.get("bos_token_id")
    given = isinstance(start, int) and 0 <= start < tokens
    try:
        return GptConfig(
            layers=value("n_layer", "num_hidden_layers"),
            width=width,
            heads=value("n_head", "num_attention_heads"),
            feed_forward=int(settings.get("n_inner") or 4 * width),
            context=value("n_positions", "max_position_embeddings"),
            epsilon=float(np.float32(settings.get("layer_norm_epsilon", 1e-5))),
            activation=_ACTIVATIONS[activation],
            centred=centred,
            start=tokens - 1 if not centred else int(start) if given else 0,
        )
    except ValueError as error:
        raise ModelError(f"{folder}: {error}") from error


def _clusters(folder: Path) -> NDArray[np.int32]:
    """Colours in sixteenths of a step, from values in [-1, 1]."""
    written, saved = folder / "preprocessor_config.json", folder / "clusters.npy"
    try:
        if saved.exists():
            values = np.load(saved, allow_pickle=False)
        else:
            values = np.array(read_json(written).get("clusters"), np.float64)
        scaled = np.rint((values.astype(np.float64) + 1.0) * 127.5 * CLUSTER_STEPS).astype(np.int32)
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(f"{folder}: cannot read the colours of the model ({error})") from error
    if scaled.ndim != 2 or scaled.shape[1] != 3 or not 2 <= len(scaled) <= _MOST_CLUSTERS:
        raise ModelError(f"{folder}: has no colours", "give preprocessor_config.json with clusters, or clusters.npy")
    return np.ascontiguousarray(np.clip(scaled, 0, 255 * CLUSTER_STEPS))


def _read_patches(folder: Path, settings: dict[str, Any]) -> PatchesSource:
    """bGPT: names are those of the published state dict."""
    tensors = FolderTensors(folder)
    names = {"patch": "patch_level_decoder.base.", "byte": "byte_level_decoder.base.transformer."}
    extra = {
        "patch.projection.weight": "patch_level_decoder.patch_embedding.weight",
        "patch.projection.bias": "patch_level_decoder.patch_embedding.bias",
        "byte.head": "byte_level_decoder.base.lm_head.weight",
    }

    def tensor(name: str) -> NDArray[np.float32] | None:
        level, _, rest = name.partition(".")
        return tensors.get(extra[name] if name in extra else names[level] + _stored(rest))

    size = int(settings.get("patch_size", 16))
    parts = []
    for level, context in (
        ("patch", settings.get("patch_length", 512)),
        ("byte", settings.get("byte_length", size + 1)),
    ):
        sizes = {**settings, "n_layer": settings.get(f"{level}_layers"), "n_positions": context, "bos_token_id": None}
        parts.append(_config(folder, {"vocab_size": 257, **sizes}, centred=True))
    try:
        return PatchesSource(PatchesConfig(parts[0], parts[1], size), tensor)
    except ValueError as error:
        raise ModelError(f"{folder}: {error}") from error


def config_of_state(shapes: dict[str, tuple[int, ...]], heads: int = 0) -> dict[str, Any]:
    """config.json of bGPT from the shapes of its published state dict.

    Parameters
    ----------
    shapes : dict
        Shape of every tensor.
    heads : int
        Heads of both decoders; 0 for one in every 64 elements of the width, as published.

    Raises
    ------
    ModelError
        If they are not those of bGPT.
    """
    try:
        width, inputs = shapes["patch_level_decoder.patch_embedding.weight"]
        patch_length = shapes["patch_level_decoder.base.wpe.weight"][0]
        byte_length = shapes["byte_level_decoder.base.transformer.wpe.weight"][0]
    except KeyError as error:
        raise ModelError(f"these are not the weights of bGPT: {error.args[0]} is missing") from error
    layers = {
        level: len({name[len(prefix) :].split(".")[0] for name in shapes if name.startswith(prefix)})
        for level, prefix in (
            ("patch", "patch_level_decoder.base.h."), ("byte", "byte_level_decoder.base.transformer.h."),
        )
    }  # fmt: skip
    return {
        "model_type": "bgpt", "n_embd": width, "n_head": heads or max(1, width // 64), "patch_size": inputs // 257,
        "patch_length": patch_length, "byte_length": byte_length, "patch_layers": layers["patch"],
        "byte_layers": layers["byte"],
    }  # fmt: skip


def write_config(folder: Path, settings: dict[str, Any]) -> None:
    """Write config.json."""
    (folder / "config.json").write_text(json.dumps(settings, indent=1) + "\n", encoding="utf-8")
