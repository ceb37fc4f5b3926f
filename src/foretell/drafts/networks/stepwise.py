"""EAGLE-2, HASS and PRISM: a fusion of token and feature, one decoder layer, the target's head.

PRISM (arXiv 2602.01762) gives each draft step a module of its own, or shares modules among steps by a map; EAGLE-2
and HASS have one module. All modules write keys and values into one memory, as they do when drafting.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from foretell.drafts.config import DraftConfig
from foretell.drafts.networks.base import Attend, Block, DraftNetwork, TargetTables


class StepwiseNetwork(DraftNetwork):
    """M modules, each a fusion layer (2 D to D, with bias) and a decoder layer without input norm."""

    def __init__(self, config: DraftConfig, tables: TargetTables) -> None:
        super().__init__(config, tables)
        width = config.width
        # PRISM's multi-hidden-state input: one projection for all modules.
        self.fc = nn.Linear(len(config.taps) * width, width) if len(config.taps) > 1 else None
        self.fuse = nn.ModuleList(nn.Linear(2 * width, width) for _ in range(config.modules))
        self.layers = nn.ModuleList(Block(config, width) for _ in range(config.modules))

    def module(self, index: int) -> tuple[nn.Linear, Block]:
        """Fusion and decoder layer of a module."""
        return cast(nn.Linear, self.fuse[index]), cast(Block, self.layers[index])

    def begin(self, tapped: Tensor) -> Tensor:
        """The projected features of several layers, or the normed output of the last."""
        if self.fc is None:
            return self.normed(tapped[:, :, 0])
        state: Tensor = self.fc(self.join(tapped))
        return state

    def step(self, step: int, embedded: Tensor, state: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        """Fuse token and state, attend, feed forward: all by the step's module."""
        fuse, layer = self.module(self.config.module_of(step))
        fused = fuse(torch.cat([embedded, state], -1))
        out: Tensor = layer(fused, fused, positions, attend)
        return out

    def project(self, step: int, embedded: Tensor, state: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values that a step's module writes for these inputs."""
        fuse, layer = self.module(self.config.module_of(step))
        return layer.keys_values(fuse(torch.cat([embedded, state], -1)), positions)

    @property
    def predicts_features(self) -> bool:
        """Only without multi-hidden-state input are states and features of one kind."""
        return self.fc is None
