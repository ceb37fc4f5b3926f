"""Read Llama-family and Gemma 3 models from GGUF files, through the ``gguf`` package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.errors import ModelError
from foretell.models.config import DecoderConfig
from foretell.models.source import ModelSource, split_rotary
from foretell.models.vocabulary import (
    Vocabulary,
    byte_level_alphabet,
    byte_level_tokenizer,
    sentencepiece_tokenizer,
)

_NAMES = {
    "attention_norm": "attn_norm", "query": "attn_q", "key": "attn_k", "value": "attn_v", "output": "attn_output",
    "query_norm": "attn_q_norm", "key_norm": "attn_k_norm", "attention_post": "post_attention_norm",
    "feed_norm": "ffn_norm", "gate": "ffn_gate", "up": "ffn_up", "down": "ffn_down", "feed_post": "post_ffw_norm",
}  # fmt: skip
_TOP = {"embedding": "token_embd", "head": "output", "final_norm": "output_norm"}
_ORDINARY, _USER_DEFINED, _BYTE = 1, 4, 6
GEMMA_LOCAL_ROPE_BASE = 10000.0
GEMMA_LAYERS_PER_GLOBAL = 6


def read_gguf(path: Path) -> ModelSource:
    """Open a GGUF file.

    Raises
    ------
    ModelError
        If the file is not GGUF, or holds an architecture or tokenizer that is not supported.
    """
    import gguf

    try:
        reader = gguf.GGUFReader(str(path))
    except (ValueError, OSError, IndexError) as error:
        raise ModelError(f"{path}: not a readable GGUF file ({error})") from error
    fields: dict[str, Any] = {name: field.contents() for name, field in reader.fields.items()}
    architecture = str(fields.get("general.architecture"))
    if architecture not in ("llama", "gemma3"):
        raise ModelError(f"{path}: architecture {architecture!r} is not supported (llama and gemma3 are)")
    config = _config(fields, architecture)
    tensors = {tensor.name: tensor for tensor in reader.tensors}

    def tensor(name: str) -> NDArray[np.float32] | None:
        layer, _, part = name.rpartition(".")
        stored = f"blk.{layer}.{_NAMES[part]}.weight" if layer else f"{_TOP[name]}.weight"
        if stored not in tensors:
            return None
        entry = tensors[stored]
        values = np.array(gguf.dequantize(entry.data, entry.tensor_type), np.float32)
        if architecture == "llama" and part in ("query", "key"):
            values = split_rotary(values, config.heads if part == "query" else config.kv_heads)
        return values

    return ModelSource(config, tensor, _vocabulary(fields, path))


def _config(fields: dict[str, Any], architecture: str) -> DecoderConfig:
    def value(name: str, default: Any = None) -> Any:
        return fields.get(f"{architecture}.{name}", default)

    layers, heads, width = (
        int(value("block_count")),
        int(value("attention.head_count")),
        int(value("embedding_length")),
    )
    base = float(value("rope.freq_base", 10000.0))
    common: dict[str, Any] = {
        "layers": layers,
        "width": width,
        "heads": heads,
        "kv_heads": int(value("attention.head_count_kv", heads)),
        "head_width": int(value("attention.key_length", width // heads)),
        "feed_forward": int(value("feed_forward_length")),
        "context": min(int(value("context_length")), 8192),
        "epsilon": float(np.float32(value("attention.layer_norm_rms_epsilon"))),
    }
    if architecture == "llama":
        return DecoderConfig(**common, rope_bases=(base,) * layers, windows=(0,) * layers, start=0)
    everywhere = [(i + 1) % GEMMA_LAYERS_PER_GLOBAL == 0 for i in range(layers)]
    window = int(value("attention.sliding_window", 512))
    return DecoderConfig(
        **common,
        rope_bases=tuple(base if full else GEMMA_LOCAL_ROPE_BASE for full in everywhere),
        windows=tuple(0 if full else window for full in everywhere),
        activation="gelu",
        head_norms=True,
        post_norms=True,
        embedding_scale=float(np.sqrt(np.float32(width))),
        start=int(fields.get("tokenizer.ggml.bos_token_id", 2)),
    )


def _vocabulary(fields: dict[str, Any], path: Path) -> Vocabulary:
    tokens, types = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.token_type"]
    kind = fields.get("tokenizer.ggml.model")
    if kind == "gpt2":
        alphabet = byte_level_alphabet()
        spelled = {i: bytes(alphabet[c] for c in token) for i, token in enumerate(tokens) if types[i] == _ORDINARY}
        split_digits = fields.get("tokenizer.ggml.pre") in ("smollm", "default-digits")
        tokenizer = byte_level_tokenizer(tokens, fields["tokenizer.ggml.merges"], split_digits)
    elif kind == "llama":
        ordinary = (_ORDINARY, _USER_DEFINED)
        spelled = {i: t.replace("\u2581", " ").encode() for i, t in enumerate(tokens) if types[i] in ordinary}
        present = set(spelled.values())
        for i, token in enumerate(tokens):
            if types[i] == _BYTE and bytes([int(token[3:5], 16)]) not in present:
                spelled[i] = bytes([int(token[3:5], 16)])
        tokenizer = sentencepiece_tokenizer(tokens, fields["tokenizer.ggml.scores"], types)
    else:
        raise ModelError(f"{path}: tokenizer {kind!r} is not supported (gpt2 and llama are)")
    specials = [i for i in range(len(tokens)) if i not in spelled and types[i] not in (_BYTE,)]
    return Vocabulary.build(spelled, specials, tokenizer)
