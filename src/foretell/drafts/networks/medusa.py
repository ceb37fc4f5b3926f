"""Medusa (arXiv 2401.10774): one residual head for each token ahead, all from the target's last state."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from foretell.drafts.config import DraftConfig
from foretell.drafts.networks.base import Attend, DraftNetwork, TargetTables


class MedusaNetwork(DraftNetwork):
    """Head j maps the state h to the target's head of h + SiLU(W_j h); tokens drafted before play no part."""

    def __init__(self, config: DraftConfig, tables: TargetTables) -> None:
        super().__init__(config, tables)
        self.heads = nn.ModuleList(nn.Linear(config.width, config.width) for _ in range(config.modules))
        for layer in self.heads:
            nn.init.zeros_(layer.weight)  # type: ignore[arg-type]
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]

    def begin(self, tapped: Tensor) -> Tensor:
        """The normed output of the last layer."""
        return self.normed(tapped[:, :, -1])

    def step(self, step: int, embedded: Tensor, state: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        """The state stays what the target gave."""
        return state

    def project(self, step: int, embedded: Tensor, state: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Heads attend to nothing."""
        return state[:, None], state[:, None]

    def before_head(self, step: int, state: Tensor) -> Tensor:
        """The state and what the step's head adds."""
        layer = self.heads[self.config.module_of(step)]
        return state + functional.silu(layer(state))
