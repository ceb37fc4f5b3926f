"""What draft networks share: the target's tables, attention with a memory that the caller keeps, feed-forward."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from foretell.drafts.config import DraftConfig
from foretell.exact.transform import block_size
from foretell.models.decoder import Decoder

Attend = Callable[[int, Tensor, Tensor, Tensor], Tensor]
"""From a layer's number, queries (B, H, T, W), keys and values (B, K, T, W) of new places to what they see,
(B, H, T, W)."""


class TargetTables(NamedTuple):
    """What a draft borrows of its target: all float32."""

    embedding: Tensor  # (rows, D)
    head: Tensor  # (rows, D)
    final_norm: Tensor  # (D,)


def target_tables(target: Decoder) -> TargetTables:
    """Embedding, head and final norm of a target, read back from its exact form."""
    rows = target.vocabulary.ids.size
    embedding = target.embedding.astype(np.float32) * target.embedding_scale[:, None]
    block = block_size(target.config.width)
    # The head's inputs are rotated by the Walsh-Hadamard matrix; the same matrix undoes it (the scale is in the head).
    head = torch.from_numpy(target.rotated_head()).reshape(rows, -1, block) @ hadamard_matrix(block)
    return TargetTables(
        torch.from_numpy(embedding), head.reshape(rows, -1).contiguous(), torch.from_numpy(target.final_norm.copy())
    )


def hadamard_matrix(size: int) -> Tensor:
    """Walsh-Hadamard matrix of a power of two."""
    matrix = torch.ones(1, 1)
    while matrix.shape[0] < size:
        matrix = torch.cat([torch.cat([matrix, matrix], 1), torch.cat([matrix, -matrix], 1)])
    return matrix


def rms_norm(x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    """``x / sqrt(mean(x**2) + epsilon) * weight``."""
    return functional.rms_norm(x, (x.shape[-1],), weight, epsilon)


class Block(nn.Module):
    """Attention and SwiGLU feed-forward of one processing module.

    Parameters
    ----------
    config : DraftConfig
        Sizes.
    inputs : int
        Width of what queries, keys and values are made of.
    layer : int
        Which of the layers that a step goes through: each has a memory of its own.
    """

    def __init__(self, config: DraftConfig, inputs: int, layer: int = 0) -> None:
        super().__init__()
        self.config, self.layer = config, layer
        width, mixed, shared = config.width, config.heads * config.head_width, config.kv_heads * config.head_width
        self.q_proj = nn.Linear(inputs, mixed, bias=False)
        self.k_proj = nn.Linear(inputs, shared, bias=False)
        self.v_proj = nn.Linear(inputs, shared, bias=False)
        self.o_proj = nn.Linear(mixed, width, bias=False)
        self.post_attention_layernorm = nn.Parameter(torch.ones(width))
        self.gate_proj = nn.Linear(width, config.feed_forward, bias=False)
        self.up_proj = nn.Linear(width, config.feed_forward, bias=False)
        self.down_proj = nn.Linear(config.feed_forward, width, bias=False)

    def forward(self, x: Tensor, residual: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        """Output (B, T, D) for inputs (B, T, inputs), the residual stream (B, T, D) and positions (T,) or (B, T)."""
        config = self.config
        queries = self.q_proj(x).view(*x.shape[:2], -1, config.head_width).transpose(1, 2)
        seen = attend(self.layer, _turn(queries, *_turns(positions, config)), *self.keys_values(x, positions))
        residual = residual + self.o_proj(seen.transpose(1, 2).flatten(2))
        h = rms_norm(residual, self.post_attention_layernorm, config.epsilon)
        added: Tensor = self.down_proj(functional.silu(self.gate_proj(h)) * self.up_proj(h))
        return residual + added

    def keys_values(self, x: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """What attention remembers of inputs: (B, K, T, W) each."""
        split = (*x.shape[:2], -1, self.config.head_width)
        keys, values = (p(x).view(split).transpose(1, 2) for p in (self.k_proj, self.v_proj))
        return _turn(keys, *_turns(positions, self.config)), values


def _turns(positions: Tensor, config: DraftConfig) -> tuple[Tensor, Tensor]:
    half = config.head_width // 2
    exponents = torch.arange(half, device=positions.device, dtype=torch.float32) / half
    angles = positions[..., None].float() * config.rope_base**-exponents
    if angles.dim() == 3:
        angles = angles[:, None]
    return angles.cos(), angles.sin()


def _turn(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    a, b = x.chunk(2, -1)
    return torch.cat([a * cosine - b * sine, a * sine + b * cosine], -1).to(x.dtype)


class DraftNetwork(nn.Module, ABC):
    """From a target's features and the tokens that followed to scores of the tokens after those.

    At index t the network is given the token x[t + 1] and the features of position t; its step 0 predicts
    x[t + 2], and step j, given the token x[t + 1 + j] and its own state of step j - 1, predicts x[t + 2 + j].

    Attributes
    ----------
    depth : int
        Layers that a step goes through one after the other.
    """

    depth = 1
    embedding: Tensor
    head: Tensor
    final_norm: Tensor
    drafted: Tensor

    def __init__(self, config: DraftConfig, tables: TargetTables) -> None:
        super().__init__()
        self.config = config
        for name, table in zip(TargetTables._fields, tables, strict=True):
            self.register_buffer(name, table, persistent=False)
        # Row of the target's vocabulary of each row that can be drafted.
        self.register_buffer("drafted", torch.arange(config.draft_rows))
        self._drafted_head: Tensor | None = None

    def draft(self, rows: Tensor) -> None:
        """Draft these rows of the target's vocabulary, as many as the configuration says."""
        self.drafted.copy_(rows)
        self._drafted_head = None

    def embed(self, tokens: Tensor) -> Tensor:
        """Embeddings of tokens, in the type of the network's weights."""
        return self.embedding[tokens].to(next(self.parameters()).dtype)

    def normed(self, hidden: Tensor) -> Tensor:
        """The target's final norm."""
        return rms_norm(hidden, self.final_norm.to(hidden.dtype), self.config.epsilon)

    @abstractmethod
    def begin(self, tapped: Tensor) -> Tensor:
        """First states (B, T, D) from the target's features (B, T, taps, D)."""

    @abstractmethod
    def step(self, step: int, embedded: Tensor, state: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        """State after a step: of embeddings and states (B, T, D) at positions (T,) or (B, T)."""

    @abstractmethod
    def project(self, step: int, embedded: Tensor, state: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values that a step's module, of one layer, writes for these inputs, (B, K, T, W) each."""

    def join(self, tapped: Tensor) -> Tensor:
        """Features (B, T, taps, D) of several layers side by side, (B, T, taps * D)."""
        if self.config.normed_taps:
            # On processors the norm is fused for float32 alone.
            normed = functional.rms_norm(tapped.float(), (tapped.shape[-1],), None, self.config.epsilon)
            tapped = normed.to(tapped.dtype)
        return tapped.flatten(2)

    def before_head(self, step: int, state: Tensor) -> Tensor:
        """What the head sees of the state after a step, (B, T, D)."""
        return state

    def head_rows(self) -> Tensor:
        """Rows of the head that can be drafted, (draft_rows, D)."""
        wanted, known = (next(self.parameters()).dtype, self.head.device), self._drafted_head
        if known is None or (known.dtype, known.device) != wanted:
            known = self._drafted_head = self.target_head_rows().to(wanted[0])
        return known

    def target_head_rows(self) -> Tensor:
        """Those of the target's head, (draft_rows, D)."""
        return self.head[self.drafted]

    def scores(self, step: int, state: Tensor) -> Tensor:
        """Logits (B, T, draft_rows) from the state after a step."""
        return self.before_head(step, state) @ self.head_rows().T

    @property
    def predicts_features(self) -> bool:
        """Whether a state stands for the target's next normed hidden state."""
        return False
