"""Folders of small random models of the GPT-2 family, as published ones look: GPT-2, image-GPT, bGPT."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from models.model_files import Tensors, write_safetensors
from numpy.typing import NDArray

from foretell.exact import samples
from foretell.models.vocabulary import byte_level_tokenizer

WIDTH, HEADS, LAYERS = 32, 2, 2


def layer_tensors(prefix: str, layers: int, seed: int, centred: bool, positions: int, tokens: int) -> Tensors:
    """Seeded weights under the names of GPT-2's files."""
    shapes: dict[str, tuple[int, ...]] = {"wte.weight": (tokens, WIDTH), "wpe.weight": (positions, WIDTH)}
    norms = ("weight", "bias") if centred else ("weight",)
    for i in range(layers):
        for part, inputs, outputs in (
            ("attn.c_attn", WIDTH, 3 * WIDTH), ("attn.c_proj", WIDTH, WIDTH), ("mlp.c_fc", WIDTH, 4 * WIDTH),
            ("mlp.c_proj", 4 * WIDTH, WIDTH),
        ):  # fmt: skip
            shapes[f"h.{i}.{part}.weight"] = (inputs, outputs)
            shapes[f"h.{i}.{part}.bias"] = (outputs,)
        shapes |= {f"h.{i}.{norm}.{kind}": (WIDTH,) for norm in ("ln_1", "ln_2") for kind in norms}
    shapes |= {f"ln_f.{kind}": (WIDTH,) for kind in norms}
    values = {}
    for index, (name, shape) in enumerate(shapes.items()):
        drawn = samples.floats(seed * 1000 + index, shape, 2 if len(shape) > 1 else 0) * np.float32(0.5)
        values[prefix + name] = drawn + np.float32(1) if ".ln_" in f".{name}" and name.endswith("weight") else drawn
    return values


def _write(folder: Path, settings: dict[str, Any], tensors: Tensors) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(settings))
    write_safetensors(folder / "model.safetensors", tensors, "F32")
    return folder


def sizes(kind: str, positions: int, tokens: int) -> dict[str, Any]:
    """The settings that all have."""
    return {
        "model_type": kind, "n_layer": LAYERS, "n_embd": WIDTH, "n_head": HEADS, "n_positions": positions,
        "vocab_size": tokens, "layer_norm_epsilon": 1e-5,
    }  # fmt: skip


def write_bytes_model(folder: Path, tokens: int = 257, positions: int = 96, seed: int = 1) -> Path:
    """GPT-2 over bytes, with a start token where there are more than 256."""
    settings = sizes("gpt2", positions, tokens) | {"activation_function": "gelu_new", "tie_word_embeddings": True}
    settings |= {"bos_token_id": 256} if tokens > 256 else {}
    return _write(folder, settings, layer_tensors("", LAYERS, seed, True, positions, tokens))


def write_text_model(folder: Path, seed: int = 2, words: tuple[str, ...] = ()) -> Path:
    """GPT-2 with a tokenizer; ``words`` are further tokens."""
    tokens, merges = samples.tokens_and_merges()
    known = set(tokens)
    for word in words:
        for size in range(2, len(word) + 1):
            if word[:size] not in known:
                known.add(word[:size])
                tokens.append(word[:size])
                merges.append(f"{word[: size - 1]} {word[size - 1]}")
    settings = sizes("gpt2", 1024, len(tokens)) | {"activation_function": "gelu_new", "bos_token_id": 0}
    tensors = layer_tensors("transformer.", LAYERS, seed, True, 1024, len(tokens))
    tensors["lm_head.weight"] = samples.floats(77, (len(tokens), WIDTH), 2)
    _write(folder, settings | {"tie_word_embeddings": False}, tensors)
    tokenizer = json.loads(byte_level_tokenizer(tokens, merges, split_digits=not words))
    tokenizer["added_tokens"] = [{"id": 0, "content": "<|endoftext|>", "special": True}]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    return folder


def clusters(count: int) -> NDArray[np.float64]:
    """Seeded colours in [-1, 1]."""
    return samples.integers(5, 0, 255, (count, 3)) / 127.5 - 1.0


def write_image_model(folder: Path, colours: int = 16, side: int = 8, seed: int = 3) -> Path:
    """image-GPT over so many colours, for square patches of a side."""
    settings = sizes("imagegpt", side * side, colours + 1) | {
        "activation_function": "quick_gelu", "tie_word_embeddings": False,
    }  # fmt: skip
    tensors = layer_tensors("transformer.", LAYERS, seed, False, side * side, colours + 1)
    tensors["lm_head.weight"] = samples.floats(78, (colours, WIDTH), 2)
    _write(folder, settings, tensors)
    (folder / "preprocessor_config.json").write_text(json.dumps({"clusters": clusters(colours).tolist()}))
    return folder


def patch_tensors(patch_length: int = 8, size: int = 4, seed: int = 4) -> Tensors:
    """bGPT's state dict."""
    base = layer_tensors("patch_level_decoder.base.", LAYERS, seed, True, patch_length, 1)
    inner = layer_tensors("byte_level_decoder.base.transformer.", 1, seed + 1, True, size + 1, 257)
    inner["byte_level_decoder.base.lm_head.weight"] = inner["byte_level_decoder.base.transformer.wte.weight"]
    projection = samples.floats(seed + 50, (WIDTH, size * 257), 2) * np.float32(0.3)
    base["patch_level_decoder.patch_embedding.weight"] = projection
    base["patch_level_decoder.patch_embedding.bias"] = samples.floats(seed + 51, (WIDTH,)) * np.float32(0.1)
    return base | inner


def write_patches_model(folder: Path, patch_length: int = 8, size: int = 4) -> Path:
    """bGPT with patches of a size."""
    settings = {
        "model_type": "bgpt", "n_embd": WIDTH, "n_head": HEADS, "patch_size": size, "patch_length": patch_length,
        "byte_length": size + 1, "patch_layers": LAYERS, "byte_layers": 1,
    }  # fmt: skip
    return _write(folder, settings, patch_tensors(patch_length, size))
