"""Draft networks in PyTorch: one interface for all architectures."""

from __future__ import annotations

from foretell.drafts.config import DraftConfig
from foretell.drafts.networks.base import DraftNetwork, TargetTables
from foretell.drafts.networks.eagle3 import Eagle3Network
from foretell.drafts.networks.medusa import MedusaNetwork
from foretell.drafts.networks.stacked import StackedNetwork
from foretell.drafts.networks.stepwise import StepwiseNetwork

__all__ = ["DraftNetwork", "Eagle3Network", "StackedNetwork", "StepwiseNetwork", "TargetTables", "new_network"]


def new_network(config: DraftConfig, tables: TargetTables) -> DraftNetwork:
    """Network of a configuration, with random weights from torch's generator.

    EAGLE-2 and HASS have the same network and differ in how it is trained; PRISM has several of their modules.
    """
    if config.architecture == "eagle3":
        return Eagle3Network(config, tables)
    if config.architecture == "medusa":
        return MedusaNetwork(config, tables)
    if config.architecture == "stacked":
        return StackedNetwork(config, tables)
    return StepwiseNetwork(config, tables)
