"""Read Llama-family and Gemma 3 models from folders in the Hugging Face layout (safetensors and JSON)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from foretell.errors import ModelError
from foretell.models.config import DecoderConfig
from foretell.models.source import ModelSource
from foretell.models.vocabulary import Vocabulary, byte_level_alphabet

if TYPE_CHECKING:
    from foretell.models.gpt.model import GptSource
    from foretell.models.gpt.patches import PatchesSource

_LLAMA = {
    "attention_norm": "input_layernorm", "query": "self_attn.q_proj", "key": "self_attn.k_proj",
    "value": "self_attn.v_proj", "output": "self_attn.o_proj", "feed_norm": "post_attention_layernorm",
    "gate": "mlp.gate_proj", "up": "mlp.up_proj", "down": "mlp.down_proj",
}  # fmt: skip
_GEMMA = _LLAMA | {
    "query_norm": "self_attn.q_norm", "key_norm": "self_attn.k_norm", "attention_post": "post_attention_layernorm",
    "feed_norm": "pre_feedforward_layernorm", "feed_post": "post_feedforward_layernorm",
}  # fmt: skip
_TOP = {"embedding": "model.embed_tokens", "head": "lm_head", "final_norm": "model.norm"}
_TYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.uint16}
_LARGEST_HEADER = 1 << 26
MODEL_TYPES = ("gpt2", "imagegpt", "bgpt")
"""Model types that :mod:`foretell.models.gpt` reads."""


def fetch_repository(name: str) -> Path:
    """Download ``OWNER/NAME`` from the hub and return its folder."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise ModelError("the hub needs the package huggingface_hub", "pip install 'foretell[hub]'") from error
    try:
        return Path(snapshot_download(name, allow_patterns=["*.json", "*.safetensors"]))
    except Exception as error:
        reason = str(error).strip().splitlines()
        raise ModelError(
            f"cannot fetch {name} from the hub: {reason[0] if reason else type(error).__name__}"
        ) from error


def read_folder(folder: Path) -> ModelSource | GptSource | PatchesSource:
    """Open a folder that holds config.json, safetensors files and, for models of text, tokenizer.json.

    Raises
    ------
    ModelError
        If a file is missing, or the architecture is not supported.
    """
    settings = read_json(folder / "config.json")
    kind = settings.get("model_type")
    if kind in MODEL_TYPES:
        from foretell.models.gpt.files import read_gpt

        return read_gpt(folder, settings)
    if kind not in ("llama", "gemma3_text"):
        known = ", ".join(("llama", "gemma3_text", *MODEL_TYPES))
        raise ModelError(f"{folder}: model type {kind!r} is not supported; known are {known}")
    config = _config(settings, folder)
    tensors = FolderTensors(folder)
    names = _LLAMA if kind == "llama" else _GEMMA

    def tensor(name: str) -> NDArray[np.float32] | None:
        layer, _, part = name.rpartition(".")
        if name == "head" and settings.get("tie_word_embeddings", kind != "llama"):
            return None
        stored = f"model.layers.{layer}.{names[part]}.weight" if layer else f"{_TOP[name]}.weight"
        values = tensors.get(stored)
        if values is not None and kind != "llama" and part.endswith(("norm", "post")):
            values = values + np.float32(1)
        return values

    return ModelSource(config, tensor, read_vocabulary(read_json(folder / "tokenizer.json"), folder))


def read_json(path: Path) -> dict[str, Any]:
    """Object of a JSON file."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read ({error})") from error
    if not isinstance(values, dict):
        raise ModelError(f"{path}: not a JSON object")
    return values


def _config(settings: dict[str, Any], folder: Path) -> DecoderConfig:
    rope = settings.get("rope_parameters") or {}
    if settings.get("rope_scaling") or rope.get("rope_type", "default") != "default":
        raise ModelError(f"{folder}: scaled rotary positions are not supported")
    layers, heads = int(settings["num_hidden_layers"]), int(settings["num_attention_heads"])
    head_width = int(settings.get("head_dim") or settings["hidden_size"] // heads)
    start = settings.get("bos_token_id") or 0
    common: dict[str, Any] = {
        "layers": layers,
        "width": int(settings["hidden_size"]),
        "heads": heads,
        "kv_heads": int(settings.get("num_key_value_heads") or heads),
        "head_width": head_width,
        "feed_forward": int(settings["intermediate_size"]),
        "context": min(int(settings["max_position_embeddings"]), 8192),
        "epsilon": float(np.float32(settings["rms_norm_eps"])),
        "start": int(start[0] if isinstance(start, list) else start),
    }
    if settings["model_type"] == "llama":
        base = float(settings.get("rope_theta") or rope.get("rope_theta", 10000.0))
        return DecoderConfig(**common, rope_bases=(base,) * layers, windows=(0,) * layers)
    if int(settings.get("query_pre_attn_scalar", head_width)) != head_width:
        raise ModelError(f"{folder}: a query scale other than the head width is not supported")
    kinds = settings.get("layer_types") or [
        "full_attention" if (i + 1) % 6 == 0 else "sliding_attention" for i in range(layers)
    ]
    base = float(settings.get("rope_theta") or rope.get("full_attention", {}).get("rope_theta", 1e6))
    local = settings.get("rope_local_base_freq") or rope.get("sliding_attention", {}).get("rope_theta", 1e4)
    window = int(settings.get("sliding_window") or 512)
    return DecoderConfig(
        **common,
        rope_bases=tuple(base if kind == "full_attention" else float(local) for kind in kinds),
        windows=tuple(0 if kind == "full_attention" else window for kind in kinds),
        activation="gelu",
        head_norms=True,
        post_norms=True,
        embedding_scale=float(np.sqrt(np.float32(common["width"]))),
    )


class FolderTensors:
    """Tensors of all safetensors files of a folder, mapped, as float32 (NumPy has no bfloat16 of its own)."""

    def __init__(self, folder: Path) -> None:
        self._places: dict[str, tuple[Path, int, dict[str, Any]]] = {}
        files = sorted(folder.glob("*.safetensors"))
        if not files:
            raise ModelError(f"{folder}: no safetensors files")
        for file in files:
            with file.open("rb") as stream:
                size = int.from_bytes(stream.read(8), "little")
                if size > _LARGEST_HEADER:
                    raise ModelError(f"{file}: not a safetensors file")
                try:
                    header = json.loads(stream.read(size))
                except ValueError as error:
                    raise ModelError(f"{file}: not a safetensors file") from error
            for name, entry in header.items():
                if name != "__metadata__":
                    self._places[name] = (file, 8 + size, entry)

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def get(self, name: str) -> NDArray[np.float32] | None:
        """Tensor of a name, None if there is none."""
        if name not in self._places:
            return None
        file, origin, entry = self._places[name]
        if entry["dtype"] not in _TYPES:
            raise ModelError(f"{file}: tensor {name} has the unsupported type {entry['dtype']}")
        begin, shape = int(entry["data_offsets"][0]), tuple(entry["shape"])
        raw = np.memmap(file, _TYPES[entry["dtype"]], "r", origin + begin, shape)
        if entry["dtype"] == "BF16":
            widened: NDArray[np.uint32] = raw.astype(np.uint32) << np.uint32(16)
            return widened.view(np.float32)
        return np.array(raw, np.float32)


def read_vocabulary(specification: dict[str, Any], folder: Path) -> Vocabulary:
    """Vocabulary of a tokenizer.json; added tokens become specials, so that text that spells one stays text."""
    model = specification["model"]
    if model.get("type") != "BPE":
        raise ModelError(f"{folder}: tokenizer type {model.get('type')!r} is not supported (BPE is)")
    added = {entry["id"]: entry for entry in specification.get("added_tokens") or []}
    special = [index for index, entry in added.items() if entry.get("special")]
    spelled: dict[int, bytes] = {}
    fallback = bool(model.get("byte_fallback"))
    alphabet = byte_level_alphabet()
    late: dict[int, bytes] = {}
    for token, index in model["vocab"].items():
        if index in special:
            continue
        if fallback and len(token) == 6 and token.startswith("<0x"):
            late[index] = bytes([int(token[3:5], 16)])
        elif fallback:
            spelled[index] = token.replace("\u2581", " ").encode()
        elif all(character in alphabet for character in token):
            spelled[index] = bytes(alphabet[character] for character in token)
        else:
            special.append(index)
    present = set(spelled.values())
    spelled.update({index: raw for index, raw in late.items() if raw not in present})
    plain = {**specification, "added_tokens": [], "post_processor": None}
    return Vocabulary.build(spelled, special, json.dumps(plain, ensure_ascii=False))
