"""Write small models as the files that users have: GGUF, and folders of the hub."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from numpy.typing import NDArray

from foretell.exact import samples
from foretell.models.config import DecoderConfig
from foretell.models.vocabulary import byte_level_tokenizer, sentencepiece_tokenizer

F32 = gguf.GGMLQuantizationType.F32
GGUF_NAMES = {
    "attention_norm": "attn_norm", "query": "attn_q", "key": "attn_k", "value": "attn_v", "output": "attn_output",
    "query_norm": "attn_q_norm", "key_norm": "attn_k_norm", "attention_post": "post_attention_norm",
    "feed_norm": "ffn_norm", "gate": "ffn_gate", "up": "ffn_up", "down": "ffn_down", "feed_post": "post_ffw_norm",
    "embedding": "token_embd", "final_norm": "output_norm",
}  # fmt: skip
HUB_NAMES = {
    "attention_norm": "input_layernorm", "query": "self_attn.q_proj", "key": "self_attn.k_proj",
    "value": "self_attn.v_proj", "output": "self_attn.o_proj", "query_norm": "self_attn.q_norm",
    "key_norm": "self_attn.k_norm", "feed_norm": "post_attention_layernorm", "gate": "mlp.gate_proj",
    "up": "mlp.up_proj", "down": "mlp.down_proj",
}  # fmt: skip
GEMMA_HUB_NAMES = HUB_NAMES | {
    "attention_post": "post_attention_layernorm", "feed_norm": "pre_feedforward_layernorm",
    "feed_post": "post_feedforward_layernorm",
}  # fmt: skip
Tensors = dict[str, NDArray[np.float32]]


def config_of(kind: str) -> DecoderConfig:
    """Sizes that both kinds of files can express."""
    single = float(np.float32(1e-6))
    if kind == "llama":
        return dataclasses.replace(samples.llama_config(), epsilon=single)
    config = dataclasses.replace(samples.gemma_config(), epsilon=single, start=2)
    return dataclasses.replace(config, windows=(24,) * 3, rope_bases=(10000.0,) * 3)


def pieces() -> tuple[list[str], list[float], list[int]]:
    """Tokens, scores and types of a small SentencePiece vocabulary with byte fallback."""
    tokens = ["<pad>", "<eos>", "<bos>", "<unk>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    types = [3, 3, 3, 2] + [6] * 256
    spelled = sorted({chr(code) for code in range(33, 127)} | {"\u2581", "\n", "é", "日"})
    for word in samples.WORDS:
        word = word.replace(" ", "\u2581")
        if "\r" not in word:
            spelled += [word[:size] for size in range(2, len(word) + 1)]
    for token in dict.fromkeys(spelled):
        tokens.append(token)
        types.append(1)
    return tokens, [-float(i) for i in range(len(tokens))], types


def token_count(kind: str) -> int:
    """How many ids there are."""
    return len(samples.tokens_and_merges()[0] if kind == "llama" else pieces()[0])


def tensors_of(kind: str) -> Tensors:
    """Seeded weights whose bfloat16 form is exact, as many models have them."""
    values = samples.tensors(config_of(kind), token_count(kind), 5)
    return {name: (value.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32) for name, value in values.items()}


def interleaved(matrix: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Rotary pairs side by side, as GGUF files of Llama models have them."""
    halves = matrix.reshape(heads, 2, -1, matrix.shape[1])
    return np.ascontiguousarray(halves.transpose(0, 2, 1, 3).reshape(matrix.shape))


def write_gguf(
    path: Path,
    kind: str,
    tensors: Tensors,
    quantisation: Any = F32,
    quantise: Callable[[NDArray[np.float32], Any], NDArray[Any]] = gguf.quantize,
    config: DecoderConfig | None = None,
) -> None:
    """A GGUF file; norms stay in float32."""
    config = config or config_of(kind)
    writer = gguf.GGUFWriter(str(path), "llama" if kind == "llama" else "gemma3")
    writer.add_block_count(config.layers)
    writer.add_embedding_length(config.width)
    writer.add_feed_forward_length(config.feed_forward)
    writer.add_context_length(config.context)
    writer.add_head_count(config.heads)
    writer.add_head_count_kv(config.kv_heads)
    writer.add_key_length(config.head_width)
    writer.add_layer_norm_rms_eps(config.epsilon)
    writer.add_rope_freq_base(config.rope_bases[0] if kind == "llama" else 1e6)
    if kind == "llama":
        tokens, merges = samples.tokens_and_merges()
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("smollm")
        writer.add_token_list(tokens)
        writer.add_token_types([3] + [1] * (len(tokens) - 1))
        writer.add_token_merges(merges)
    else:
        tokens, scores, types = pieces()
        writer.add_sliding_window(config.windows[0])
        writer.add_tokenizer_model("llama")
        writer.add_token_list(tokens)
        writer.add_token_scores(scores)
        writer.add_token_types(types)
        writer.add_bos_token_id(2)
    for name, value in tensors.items():
        layer, _, part = name.rpartition(".")
        stored = f"blk.{layer}.{GGUF_NAMES[part]}.weight" if layer else f"{GGUF_NAMES[name]}.weight"
        if kind == "llama" and part in ("query", "key"):
            value = interleaved(value, config.heads if part == "query" else config.kv_heads)
        if value.ndim == 1 or quantisation == F32:
            writer.add_tensor(stored, value)
        else:
            writer.add_tensor(stored, quantise(value, quantisation), raw_dtype=quantisation)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_safetensors(path: Path, tensors: Tensors, kind: str) -> None:
    """A safetensors file, by hand since NumPy has no bfloat16."""
    header, blobs, offset = {}, [], 0
    for name, value in tensors.items():
        raw = {
            "F32": lambda v: v.tobytes(),
            "F16": lambda v: v.astype(np.float16).tobytes(),
            "BF16": lambda v: (v.view(np.uint32) >> np.uint32(16)).astype(np.uint16).tobytes(),
        }[kind](np.ascontiguousarray(value))
        header[name] = {"dtype": kind, "shape": list(value.shape), "data_offsets": [offset, offset + len(raw)]}
        blobs.append(raw)
        offset += len(raw)
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(blobs))


def write_folder(folder: Path, kind: str, tensors: Tensors, number: str = "F32", parts: int = 1) -> None:
    """A folder as the hub has it."""
    config, gemma = config_of(kind), kind == "gemma"
    folder.mkdir(parents=True, exist_ok=True)
    settings: dict[str, Any] = {
        "model_type": "gemma3_text" if gemma else "llama", "num_hidden_layers": config.layers,
        "hidden_size": config.width, "num_attention_heads": config.heads, "num_key_value_heads": config.kv_heads,
        "head_dim": config.head_width, "intermediate_size": config.feed_forward, "rms_norm_eps": 1e-6,
        "max_position_embeddings": config.context, "bos_token_id": config.start, "tie_word_embeddings": True,
        "rope_theta": 1e6 if gemma else config.rope_bases[0],
    }  # fmt: skip
    if gemma:
        settings |= {"query_pre_attn_scalar": 64, "sliding_window": 24, "rope_local_base_freq": 10000.0}
        specials = ["<pad>", "<eos>", "<bos>", "<unk>"]
        tokenizer = json.loads(sentencepiece_tokenizer(*pieces()))
    else:
        specials = ["<|endoftext|>"]
        tokenizer = json.loads(byte_level_tokenizer(*samples.tokens_and_merges(), split_digits=True))
    tokenizer["added_tokens"] = [{"id": i, "content": name, "special": True} for i, name in enumerate(specials)]
    (folder / "config.json").write_text(json.dumps(settings))
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    stored, names = {}, GEMMA_HUB_NAMES if gemma else HUB_NAMES
    for name, value in tensors.items():
        layer, _, part = name.rpartition(".")
        if gemma and value.ndim == 1:
            value = value - np.float32(1)
        top = {"embedding": "model.embed_tokens", "final_norm": "model.norm"}
        stored[f"model.layers.{layer}.{names[part]}.weight" if layer else f"{top[name]}.weight"] = value
    keys = list(stored)
    for part_number in range(parts):
        some = {key: stored[key] for key in keys[part_number::parts]}
        write_safetensors(folder / f"model-{part_number}.safetensors", some, number)
