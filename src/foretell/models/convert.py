"""Convert a float model to the ``exact-1`` form, with single IEEE operations only.

Every product's weights are rotated in blocks of up to 64 inputs and rounded to [-63, 63] per row (where it matters
most, what is left is rounded once more); the
outputs of the value projection are rotated per head, so that attention needs no rotation of its own.
The same source gives the same bits on every machine; their digest identifies the model.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from foretell.errors import ModelError
from foretell.exact import CONTRACT
from foretell.exact.product import BLOCK, pack
from foretell.exact.transform import block_size, quantise_weights, quantise_weights_twice, rotate_weights
from foretell.models.layers import Weights
from foretell.models.source import ModelSource

EMBEDDING_LIMIT = 32767
Arrays = dict[str, NDArray[Any]]


def convert(source: ModelSource, progress: Callable[[float], None] | None = None) -> Arrays:
    """All arrays of the exact model: stacked layer weights, embedding, head, norms and vocabulary."""
    config, rows = source.config, source.vocabulary.ids
    layers = []
    for layer in range(config.layers):
        layers.append(_layer(source, layer))
        if progress:
            progress((layer + 1) / (config.layers + 1))
    arrays: Arrays = {name: np.stack([e[name] for e in layers if name in e]) for name in Weights._fields}
    table = _require(source, "embedding")
    head = source.tensor("head")
    known = np.where(rows < 0, config.start, rows)
    arrays["embedding"], arrays["embedding_scale"] = embedding_rows(table[known], config.embedding_scale)
    output = (table if head is None else head)[known]
    output[rows < 0] = 0
    whole = rotate_weights(output, block_size(config.width))
    arrays["head"], arrays["head_rest"], arrays["head_scale"] = quantise_weights_twice(whole)
    arrays["final_norm"] = _require(source, "final_norm")
    arrays.update(source.vocabulary.to_arrays())
    if progress:
        progress(1.0)
    return arrays


class Described(Protocol):
    """Sizes of a model of any kind."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        ...


def digest(config: Described, arrays: Arrays) -> bytes:
    """SHA-256 of what decoding depends on: contract, sizes, weights and what each row spells."""
    total = hashlib.sha256(json.dumps([CONTRACT, config.as_dict()], sort_keys=True).encode())
    for name in sorted(set(arrays) - {"tokenizer"}):
        array = np.ascontiguousarray(arrays[name])
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        total.update(json.dumps([name, array.dtype.str[1:], list(array.shape)]).encode())
        total.update(little.data)
    return total.digest()


def _require(source: ModelSource, name: str) -> NDArray[np.float32]:
    values = source.tensor(name)
    if values is None:
        raise ModelError(f"the model file lacks the tensor {name!r}")
    return values


def rounded(matrix: NDArray[np.float32], block: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Rotated and rounded matrix, and the scale of each row."""
    return quantise_weights(rotate_weights(matrix, block))


def packed_matrix(matrix: NDArray[np.float32], block: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Rotated, rounded and packed matrix, and the scale of each row (padded rows: 0)."""
    integers, scales = rounded(matrix, block)
    return pack(integers), np.pad(scales, (0, -len(scales) % BLOCK))


def rotated_values(value: NDArray[np.float32], block: int) -> NDArray[np.float32]:
    """Rows of a value projection (N, D) so that each head's outputs come rotated in blocks."""
    # rotate_weights acts on columns, and divides by the block.
    by_head = value.reshape(-1, block, value.shape[1]).transpose(0, 2, 1).reshape(-1, block)
    rotated = (rotate_weights(by_head, block) * block).astype(np.float32)
    return np.ascontiguousarray(rotated.reshape(-1, value.shape[1], block).transpose(0, 2, 1).reshape(value.shape))


def embedding_rows(table: NDArray[np.float32], factor: float) -> tuple[NDArray[np.int16], NDArray[np.float32]]:
    """Rows of an embedding, times a factor, as integers of 16 bits and the scale of each row."""
    scaled = table * np.float32(factor)
    scales = (np.abs(scaled).max(axis=1) / np.float32(EMBEDDING_LIMIT)).astype(np.float32)
    safe = np.where(scales > 0, scales, np.float32(1))
    integers = np.clip(np.rint(scaled / safe[:, None]), -EMBEDDING_LIMIT, EMBEDDING_LIMIT)
    return integers.astype(np.int16), scales


def _layer(source: ModelSource, layer: int) -> Arrays:
    config = source.config

    def get(name: str) -> NDArray[np.float32]:
        return _require(source, f"{layer}.{name}")

    def norm(name: str, present: bool) -> NDArray[np.float32]:
        return get(name) if present else np.empty(0, np.float32)

    width_block, head_block = block_size(config.width), block_size(config.head_width)
    value = rotated_values(get("value"), head_block)
    arrays: Arrays = {}
    # Values are what rounding hurts most: their rows come twice, the second time for the rounding error.
    exact_value = rotate_weights(value, width_block)
    integers, scales = quantise_weights(exact_value)
    rest = exact_value - integers * scales[:, None].astype(np.float64)
    exact_input = rotate_weights(np.concatenate([get("query"), get("key")]), width_block)
    arrays["qkv"], arrays["qkv_scale"] = quantise_weights(np.concatenate([exact_input, exact_value, rest]))
    arrays["output"], arrays["output_scale"] = rounded(get("output"), head_block)
    arrays["gate_up"], arrays["gate_up_scale"] = rounded(np.concatenate([get("gate"), get("up")]), width_block)
    down = rotate_weights(get("down"), block_size(config.feed_forward))
    if layer < config.fine_layers:
        arrays["down"], arrays["down_rest"], arrays["down_scale"] = quantise_weights_twice(down)
    else:
        arrays["down"], arrays["down_scale"] = quantise_weights(down)
    arrays["attention_norm"], arrays["feed_norm"] = get("attention_norm"), get("feed_norm")
    arrays["query_norm"] = norm("query_norm", config.head_norms)
    arrays["key_norm"] = norm("key_norm", config.head_norms)
    arrays["attention_post"] = norm("attention_post", config.post_norms)
    arrays["feed_post"] = norm("feed_post", config.post_norms)
    return arrays
