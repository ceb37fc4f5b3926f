"""A target in floating point, for accelerators: features for training, never for archives.

The weights are those of the exact form, read back as floats, so that it says nearly what the exact target says.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from foretell.drafts.networks.base import hadamard_matrix, rms_norm
from foretell.exact.product import unpack
from foretell.exact.transform import block_size
from foretell.models.decoder import Decoder


class FloatTarget(nn.Module):
    """Decoder-only transformer with float weights.

    Parameters
    ----------
    target : Decoder
        Whose weights are read back.
    """

    def __init__(self, target: Decoder) -> None:
        super().__init__()
        self.config = target.config
        table = target.embedding.astype(np.float32) * target.embedding_scale[:, None]
        self.register_buffer("embedding", torch.from_numpy(table))
        self.register_buffer("cosines", torch.from_numpy(target.cosines[target.tables]))
        self.register_buffer("sines", torch.from_numpy(target.sines[target.tables]))
        for name, tensor in _layer_weights(target).items():
            self.register_buffer(name, tensor)

    embedding: Tensor
    cosines: Tensor
    sines: Tensor

    @torch.inference_mode()
    def forward(self, tokens: Tensor) -> Tensor:
        """Outputs (L, B, T, D) of all layers, in float32, for rows (B, T); products run in the type of the weights."""
        x, outputs = self.embedding[tokens].float(), []
        for layer in range(self.config.layers):
            x = self._layer(layer, x)
            outputs.append(x)
        return torch.stack(outputs)

    def _layer(self, layer: int, x: Tensor) -> Tensor:
        config, kind = self.config, self.embedding.dtype
        weight = {name: getattr(self, name)[layer] for name in _NAMES}
        h = rms_norm(x, weight["attention_norm"].float(), config.epsilon).to(kind)
        split = (*x.shape[:2], -1, config.head_width)
        q, k, v = (functional.linear(h, weight[n]).view(split).transpose(1, 2) for n in ("query", "key", "value"))
        if config.head_norms:
            q, k = (rms_norm(y, weight[f"{n}_norm"], config.epsilon) for y, n in ((q, "query"), (k, "key")))
        turns = self.cosines[layer, : x.shape[1]].to(kind), self.sines[layer, : x.shape[1]].to(kind)
        seen = _attend(_turn(q, *turns), _turn(k, *turns), v, config.windows[layer])
        added = functional.linear(seen.transpose(1, 2).flatten(2), weight["output"]).float()
        x = x + (rms_norm(added, weight["attention_post"].float(), config.epsilon) if config.post_norms else added)
        h = rms_norm(x, weight["feed_norm"].float(), config.epsilon).to(kind)
        gate = functional.linear(h, weight["gate"])
        gate = functional.gelu(gate, approximate="tanh") if config.activation == "gelu" else functional.silu(gate)
        added = functional.linear(gate * functional.linear(h, weight["up"]), weight["down"]).float()
        return x + (rms_norm(added, weight["feed_post"].float(), config.epsilon) if config.post_norms else added)


_NAMES = (
    "attention_norm", "query", "key", "value", "query_norm", "key_norm", "output", "attention_post", "feed_norm",
    "gate", "up", "down", "feed_post",
)  # fmt: skip


def _turn(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    a, b = x.chunk(2, -1)
    return torch.cat([a * cosine - b * sine, a * sine + b * cosine], -1)


def _attend(queries: Tensor, keys: Tensor, values: Tensor, window: int) -> Tensor:
    """What places see of all up to themselves, in a window if there is one: (B, H, T, W)."""
    places = torch.arange(keys.shape[2], device=keys.device)
    ages = places[:, None] - places
    visible = (ages >= 0) & (ages < window) if window else ages >= 0
    return functional.scaled_dot_product_attention(queries, keys, values, visible, enable_gqa=True)


def _plain(packed: NDArray[np.int8], scales: NDArray[np.float32], outputs: int, block: int) -> Tensor:
    """A packed matrix as floats, its rotation undone (``block`` 1 leaves it)."""
    return _unrotated(unpack(packed, outputs).astype(np.float32) * scales[:outputs, None], block)


def _unrotated(matrix: NDArray[np.float32], block: int) -> Tensor:
    rotated = torch.from_numpy(matrix).reshape(len(matrix), -1, block)
    return (rotated @ hadamard_matrix(block)).reshape(len(matrix), -1).contiguous()


def _layer_weights(target: Decoder) -> dict[str, Tensor]:
    config, weights = target.config, target.weights
    width_block, feed_block = block_size(config.width), block_size(config.feed_forward)
    query, shared, feed = config.heads * config.head_width, config.kv_heads * config.head_width, config.feed_forward
    found: dict[str, list[Tensor]] = {name: [] for name in _NAMES}
    for layer in range(config.layers):
        qkv = _plain(weights.qkv[layer], weights.qkv_scale[layer], query + 3 * shared, width_block)
        q, k, v, rest = torch.split(qkv, [query, shared, shared, shared])
        gate_up = _plain(weights.gate_up[layer], weights.gate_up_scale[layer], 2 * feed, width_block)
        # Values stay rotated, and the output projection takes them so.
        output = _plain(weights.output[layer], weights.output_scale[layer], config.width, 1)
        down = _unrotated(target.rotated_down(layer), feed_block)
        norms = {name: torch.from_numpy(getattr(weights, name)[layer].copy()) for name in _NAMES if "_norm" in name}
        posts = {
            name: torch.from_numpy(getattr(weights, name)[layer].copy()) for name in ("attention_post", "feed_post")
        }
        one = {"query": q, "key": k, "value": v + rest, "output": output, "gate": gate_up[:feed], "up": gate_up[feed:]}
        for name, tensor in {**one, "down": down, **norms, **posts}.items():
            found[name].append(tensor)
    return {name: torch.stack(tensors) for name, tensors in found.items()}
