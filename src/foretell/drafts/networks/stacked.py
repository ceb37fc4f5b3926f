"""What PRISM's modules are compared with: one module of two layers, as many weights, all of them used at every step."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from foretell.drafts.config import DraftConfig
from foretell.drafts.networks.base import Attend, Block, TargetTables, rms_norm
from foretell.drafts.networks.stepwise import StepwiseNetwork
from foretell.errors import ModelError


class StackedNetwork(StepwiseNetwork):
    """A fusion layer and two decoder layers, the second with an input norm."""

    depth = 2

    def __init__(self, config: DraftConfig, tables: TargetTables) -> None:
        super().__init__(config, tables)
        self.upper_norm = nn.Parameter(torch.ones(config.width))
        self.upper = Block(config, config.width, layer=1)

    def step(self, step: int, embedded: Tensor, state: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        """Fuse token and state, then one layer after the other."""
        lower = super().step(step, embedded, state, positions, attend)
        out: Tensor = self.upper(rms_norm(lower, self.upper_norm, self.config.epsilon), lower, positions, attend)
        return out

    def project(self, step: int, embedded: Tensor, state: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Not to be had without attention.

        Raises
        ------
        ModelError
            Always.
        """
        raise ModelError("what the second layer remembers depends on what the first one sees")
