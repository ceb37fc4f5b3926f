"""EAGLE-3 (arXiv 2503.01840): features of three layers, a decoder layer on token and state side by side, own head."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from foretell.drafts.config import DraftConfig
from foretell.drafts.networks.base import Attend, Block, DraftNetwork, TargetTables, rms_norm


class Eagle3Network(DraftNetwork):
    """Queries, keys and values see the normed token and the normed state; the state alone is the residual stream."""

    def __init__(self, config: DraftConfig, tables: TargetTables) -> None:
        super().__init__(config, tables)
        width = config.width
        self.fc = nn.Linear(len(config.taps) * width, width, bias=False)
        self.input_layernorm = nn.Parameter(torch.ones(width))
        self.hidden_norm = nn.Parameter(torch.ones(width))
        self.midlayer = Block(config, 2 * width)
        self.norm = nn.Parameter(torch.ones(width))
        self.lm_head = nn.Linear(width, config.draft_rows, bias=False)

    def begin(self, tapped: Tensor) -> Tensor:
        """The projected features of several layers."""
        state: Tensor = self.fc(self.join(tapped))
        return state

    def step(self, step: int, embedded: Tensor, state: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        """One decoder layer; every step uses the same."""
        out: Tensor = self.midlayer(self._both(embedded, state), state, positions, attend)
        return out

    def project(self, step: int, embedded: Tensor, state: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values that the layer writes."""
        return self.midlayer.keys_values(self._both(embedded, state), positions)

    def _both(self, embedded: Tensor, state: Tensor) -> Tensor:
        epsilon = self.config.epsilon
        token = rms_norm(embedded, self.input_layernorm, epsilon)
        return torch.cat([token, rms_norm(state, self.hidden_norm, epsilon)], -1)

    def before_head(self, step: int, state: Tensor) -> Tensor:
        """The state, normed by the draft's own norm."""
        return rms_norm(state, self.norm, self.config.epsilon)

    def head_rows(self) -> Tensor:
        """The draft's own head."""
        return self.lm_head.weight

    def use_target_head(self) -> None:
        """Let the own head begin as the target's."""
        with torch.no_grad():
            self.lm_head.weight.copy_(self.target_head_rows())
            self.norm.copy_(self.final_norm)
