"""A target in floating point, for accelerators: features and answers for training, never for archives.

The weights are those of the exact form, read back as floats, so that it says nearly what the exact target says.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from foretell.drafts.networks.base import hadamard_matrix, rms_norm
from foretell.exact.product import unpack
from foretell.exact.transform import block_size
from foretell.models.decoder import Decoder


class Memory:
    """Keys and values of texts that stand at the same position.

    Parameters
    ----------
    shape : tuple of int
        Layers, texts, heads of keys, places, width of a head.
    kind, device
        As in the target's weights.
    """

    def __init__(self, shape: tuple[int, int, int, int, int], kind: torch.dtype, device: torch.device) -> None:
        self.keys = torch.zeros(shape, dtype=kind, device=device)
        self.values = torch.zeros(shape, dtype=kind, device=device)
        self.used = 0

    def keep(self, texts: Tensor) -> None:
        """Forget all but these texts."""
        self.keys, self.values = self.keys[:, texts], self.values[:, texts]


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
        self.start, self.leaves = target.start, target.tokens
        table = target.embedding.astype(np.float32) * target.embedding_scale[:, None]
        self.register_buffer("embedding", torch.from_numpy(table))
        self.register_buffer("head", _unrotated(target.rotated_head(), block_size(self.config.width)))
        self.register_buffer("final_norm", torch.from_numpy(target.final_norm.copy()))
        self.register_buffer("cosines", torch.from_numpy(target.cosines[target.tables]))
        self.register_buffer("sines", torch.from_numpy(target.sines[target.tables]))
        for name, tensor in _layer_weights(target).items():
            self.register_buffer(name, tensor)

    embedding: Tensor
    head: Tensor
    final_norm: Tensor
    cosines: Tensor
    sines: Tensor

    def new_memory(self, texts: int, places: int) -> Memory:
        """Room for so many texts of so many tokens."""
        config = self.config
        shape = (config.layers, texts, config.kv_heads, places, config.head_width)
        return Memory(shape, self.head.dtype, self.head.device)

    @torch.inference_mode()
    def forward(self, tokens: Tensor, memory: Memory | None = None) -> Tensor:
        """Outputs (L, B, T, D) of all layers, in float32, for rows (B, T) that follow what the memory holds.

        Products run in the type of the weights.
        """
        memory = self.new_memory(*tokens.shape) if memory is None else memory
        x, outputs = self.embedding[tokens].float(), []
        for layer in range(self.config.layers):
            x = self._layer(layer, x, memory)
            outputs.append(x)
        memory.used += tokens.shape[1]
        return torch.stack(outputs)

    def _layer(self, layer: int, x: Tensor, memory: Memory) -> Tensor:
        config, kind = self.config, self.head.dtype
        weight = {name: getattr(self, name)[layer] for name in _NAMES}
        h = rms_norm(x, weight["attention_norm"].float(), config.epsilon).to(kind)
        split = (*x.shape[:2], -1, config.head_width)
        q, k, v = (functional.linear(h, weight[n]).view(split).transpose(1, 2) for n in ("query", "key", "value"))
        if config.head_norms:
            q, k = (rms_norm(y, weight[f"{n}_norm"], config.epsilon) for y, n in ((q, "query"), (k, "key")))
        places = slice(memory.used, memory.used + x.shape[1])
        turns = self.cosines[layer, places].to(kind), self.sines[layer, places].to(kind)
        memory.keys[layer, :, :, places], memory.values[layer, :, :, places] = _turn(k, *turns), v
        keys, values = memory.keys[layer, :, :, : places.stop], memory.values[layer, :, :, : places.stop]
        seen = _attend(_turn(q, *turns), keys, values, config.windows[layer])
        added = functional.linear(seen.transpose(1, 2).flatten(2), weight["output"]).float()
        x = x + (rms_norm(added, weight["attention_post"].float(), config.epsilon) if config.post_norms else added)
        h = rms_norm(x, weight["feed_norm"].float(), config.epsilon).to(kind)
        gate = functional.linear(h, weight["gate"])
        gate = functional.gelu(gate, approximate="tanh") if config.activation == "gelu" else functional.silu(gate)
        added = functional.linear(gate * functional.linear(h, weight["up"]), weight["down"]).float()
        return x + (rms_norm(added, weight["feed_post"].float(), config.epsilon) if config.post_norms else added)

    def logits(self, outputs: Tensor) -> Tensor:
        """Logits (..., rows) from the last layer's output."""
        normed = rms_norm(outputs, self.final_norm.float(), self.config.epsilon)
        return functional.linear(normed.to(self.head.dtype), self.head)

    def answers(
        self, prompts: Sequence[NDArray[np.int32]], most: int, temperature: float = 0.0, seed: int = 0
    ) -> list[NDArray[np.int32]]:
        """Prompts of equal length with their continuations, side by side, each up to its first special token."""
        device = self.embedding.device
        generator = torch.Generator(device).manual_seed(seed)
        fed = torch.from_numpy(np.stack(prompts).astype(np.int64)).to(device)
        most = min(most, self.config.context - fed.shape[1])
        memory = self.new_memory(fed.shape[0], fed.shape[1] + most)
        found, open_ = [row.tolist() for row in prompts], torch.arange(len(prompts), device=device)
        for _ in range(most):
            logits = self.logits(self.forward(fed, memory)[-1][:, -1]).float()
            if temperature:
                fed = torch.multinomial(torch.softmax(logits / temperature, -1), 1, generator=generator)
            else:
                fed = logits.argmax(-1, keepdim=True)
            for text, token in zip(open_.tolist(), fed[:, 0].tolist(), strict=True):
                found[text].append(token)
            going = torch.nonzero(fed[:, 0] < self.leaves)[:, 0]
            if going.numel() < fed.shape[0]:
                memory.keep(going)
                fed, open_ = fed[going], open_[going]
            if not going.numel():
                break
        return [np.array(text, np.int32) for text in found]


_NAMES = (
    "attention_norm", "query", "key", "value", "query_norm", "key_norm", "output", "attention_post", "feed_norm",
    "gate", "up", "down", "feed_post",
)  # fmt: skip


def _turn(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    a, b = x.chunk(2, -1)
    return torch.cat([a * cosine - b * sine, a * sine + b * cosine], -1)


def _attend(queries: Tensor, keys: Tensor, values: Tensor, window: int) -> Tensor:
    """What the last places see of all up to themselves, in a window if there is one: (B, H, T, W)."""
    new, all_ = queries.shape[2], keys.shape[2]
    if new == 1:
        # Queries that share keys go side by side as places; all see everything.
        first = max(0, all_ - window) if window else 0
        grouped = queries.view(queries.shape[0], keys.shape[1], -1, queries.shape[3])
        seen = functional.scaled_dot_product_attention(grouped, keys[:, :, first:], values[:, :, first:])
        return seen.reshape(queries.shape)
    ages = torch.arange(all_ - new, all_, device=keys.device)[:, None] - torch.arange(all_, device=keys.device)
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
