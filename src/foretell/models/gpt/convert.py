"""Convert float weights of the GPT-2 family to the ``exact-1`` form, with single IEEE operations only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.exact.transform import block_size, quantise_weights, rotate_weights
from foretell.models.convert import rotated_values, rounded
from foretell.models.gpt.config import GptConfig
from foretell.models.gpt.layers import GptWeights

Tensor = Callable[[str], NDArray[np.float32]]
"""Gives a tensor by name: ``LAYER.PART.weight`` or ``.bias`` with the parts of :func:`convert_layers`."""
Arrays = dict[str, NDArray[Any]]


def convert_layers(config: GptConfig, tensor: Tensor, progress: Callable[[float], None] | None = None) -> Arrays:
    """Stacked arrays of all layers, named as the fields of :class:`GptWeights`, and of the last norm.

    Parameters
    ----------
    config : GptConfig
        Sizes.
    tensor : callable
        Gives ``final_norm`` and, for each layer i, ``i.attention_norm``, ``i.qkv``, ``i.output``, ``i.feed_norm``,
        ``i.inner`` and ``i.down``, each with ``.weight`` (matrices are (inputs, outputs), as in the published files)
        and ``.bias``; norms that are not centred have no bias.
    progress : callable, optional
        Called with the share that is done.
    """
    layers = []
    for layer in range(config.layers):
        layers.append(_layer(config, tensor, layer))
        if progress:
            progress((layer + 1) / config.layers)
    arrays: Arrays = {name: np.stack([entry[name] for entry in layers]) for name in GptWeights._fields}
    arrays["final_norm"] = tensor("final_norm.weight")
    arrays["final_shift"] = _shift(config, tensor, "final_norm")
    return arrays


def _shift(config: GptConfig, tensor: Tensor, norm: str) -> NDArray[np.float32]:
    return tensor(f"{norm}.bias") if config.centred else np.empty(0, np.float32)


def _layer(config: GptConfig, tensor: Tensor, layer: int) -> Arrays:
    def get(name: str) -> NDArray[np.float32]:
        return tensor(f"{layer}.{name}")

    width_block, head_block = block_size(config.width), block_size(config.head_width)
    matrix, bias = np.ascontiguousarray(get("qkv.weight").T), get("qkv.bias")
    front = 2 * config.width
    # Values are what rounding hurts most: their rows come twice, the second time for the rounding error.
    value = rotate_weights(rotated_values(matrix[front:], head_block), width_block)
    integers, scales = quantise_weights(value)
    rest = value - integers * scales[:, None].astype(np.float64)
    exact = np.concatenate([rotate_weights(matrix[:front], width_block), value, rest])
    arrays: Arrays = {}
    arrays["qkv"], arrays["qkv_scale"] = quantise_weights(exact)
    arrays["qkv_bias"] = np.concatenate([bias[:front], rotated_values(bias[front:, None], head_block)[:, 0]])
    for name, block in (("output", head_block), ("inner", width_block), ("down", block_size(config.feed_forward))):
        matrix = np.ascontiguousarray(get(f"{name}.weight").T)
        arrays[name], arrays[f"{name}_scale"] = rounded(matrix, block)
        arrays[f"{name}_bias"] = get(f"{name}.bias")
    for name in ("attention", "feed"):
        arrays[f"{name}_norm"] = get(f"{name}_norm.weight")
        arrays[f"{name}_shift"] = _shift(config, tensor, f"{layer}.{name}_norm")
    return arrays
