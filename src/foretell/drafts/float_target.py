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

Memory = list[tuple[Tensor, Tensor]]
"""Keys and values of each layer, (B, K, T, W)."""


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

    @torch.inference_mode()
    def forward(self, tokens: Tensor, memory: Memory | None = None) -> tuple[Tensor, Memory]:
        """Outputs (L, B, T, D) of all layers for rows (B, T) that follow what the memory holds, and the memory after.

        Every text of a batch is at the same position.
        """
        x = self.embedding[tokens]
        outputs, after = [], []
        for layer in range(self.config.layers):
            x, kept = self._layer(layer, x, None if memory is None else memory[layer])
            outputs.append(x)
            after.append(kept)
        return torch.stack(outputs), after

    def _layer(self, layer: int, x: Tensor, kept: tuple[Tensor, Tensor] | None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        config = self.config
        weight = {name: getattr(self, name)[layer] for name in _NAMES}
        h = rms_norm(x, weight["attention_norm"], config.epsilon)
        split = (*x.shape[:2], -1, config.head_width)
        q, k, v = (functional.linear(h, weight[n]).view(split).transpose(1, 2) for n in ("query", "key", "value"))
        if config.head_norms:
            q, k = (rms_norm(y, weight[f"{n}_norm"], config.epsilon) for y, n in ((q, "query"), (k, "key")))
        first = 0 if kept is None else kept[0].shape[2]
        places = slice(first, first + x.shape[1])
        turns = self.cosines[layer, places].to(x.dtype), self.sines[layer, places].to(x.dtype)
        q, k = _turn(q, *turns), _turn(k, *turns)
        if kept is not None:
            k, v = torch.cat([kept[0], k], 2), torch.cat([kept[1], v], 2)
        mask = _visible(x.shape[1], k.shape[2], config.windows[layer], x.device)
        seen = functional.scaled_dot_product_attention(q, k, v, mask, enable_gqa=True)
        added = functional.linear(seen.transpose(1, 2).flatten(2), weight["output"])
        x = x + (rms_norm(added, weight["attention_post"], config.epsilon) if config.post_norms else added)
        h = rms_norm(x, weight["feed_norm"], config.epsilon)
        gate = functional.linear(h, weight["gate"])
        gate = functional.gelu(gate, approximate="tanh") if config.activation == "gelu" else functional.silu(gate)
        added = functional.linear(gate * functional.linear(h, weight["up"]), weight["down"])
        return x + (rms_norm(added, weight["feed_post"], config.epsilon) if config.post_norms else added), (k, v)

    def logits(self, outputs: Tensor) -> Tensor:
        """Logits (..., rows) from the last layer's output."""
        return functional.linear(rms_norm(outputs, self.final_norm, self.config.epsilon), self.head)

    def answers(
        self, prompts: Sequence[NDArray[np.int32]], most: int, temperature: float = 0.0, seed: int = 0
    ) -> list[NDArray[np.int32]]:
        """Prompts of equal length with their continuations, side by side, each up to its first special token."""
        device = self.embedding.device
        generator = torch.Generator(device).manual_seed(seed)
        fed = torch.from_numpy(np.stack(prompts).astype(np.int64)).to(device)
        told, memory = [fed], None
        open_ = torch.ones(len(prompts), dtype=torch.bool, device=device)
        for _ in range(min(most, self.config.context - fed.shape[1])):
            outputs, memory = self.forward(fed, memory)
            logits = self.logits(outputs[-1][:, -1]).float()
            if temperature:
                fed = torch.multinomial(torch.softmax(logits / temperature, -1), 1, generator=generator)
            else:
                fed = logits.argmax(-1, keepdim=True)
            told.append(fed)
            open_ &= fed[:, 0] < self.leaves
            if not open_.any():
                break
        return [_ended(row, prompts[0].size, self.leaves) for row in torch.cat(told, 1).cpu().numpy().astype(np.int32)]


_NAMES = (
    "attention_norm", "query", "key", "value", "query_norm", "key_norm", "output", "attention_post", "feed_norm",
    "gate", "up", "down", "feed_post",
)  # fmt: skip


def _ended(row: NDArray[np.int32], prompt: int, leaves: int) -> NDArray[np.int32]:
    special = np.flatnonzero(row[prompt:] >= leaves)
    return row[: prompt + special[0] + 1] if special.size else row


def _turn(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    a, b = x.chunk(2, -1)
    return torch.cat([a * cosine - b * sine, a * sine + b * cosine], -1)


def _visible(new: int, all_: int, window: int, device: torch.device) -> Tensor:
    """Which of all places each new one sees: those up to itself, in a window if there is one."""
    ages = torch.arange(all_ - new, all_, device=device)[:, None] - torch.arange(all_, device=device)
    return (ages >= 0) & (ages < window) if window else ages >= 0


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
