"""How each architecture is trained: what its authors published, where nothing says otherwise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from foretell.drafts.networks.base import DraftNetwork
from foretell.drafts.unroll import unroll


@dataclass(frozen=True)
class Recipe:
    """Loss of a draft network.

    Attributes
    ----------
    steps : int
        Draft steps J that training takes.
    cross_entropy, regression : float
        Weights of the two losses: against the target's distribution, and (smooth L1) against its features.
    decay : float
        Each step counts this much of the one before.
    detach : bool
        Whether states are fed back as constants.
    rate : float
        Learning rate of AdamW.
    """

    steps: int
    cross_entropy: float
    regression: float
    decay: float
    detach: bool
    rate: float


RECIPES = {
    "eagle2": Recipe(1, 0.1, 1.0, 1.0, True, 3e-4),
    "hass": Recipe(3, 0.1, 1.0, 1.0, True, 3e-4),
    "eagle3": Recipe(7, 1.0, 0.0, 0.8, False, 3e-4),
    "prism": Recipe(7, 1.0, 0.0, 0.8, False, 3e-4),
    "medusa": Recipe(5, 1.0, 0.0, 0.8, False, 3e-4),
}
"""By architecture. Learning rates suit networks of a few million parameters; the papers' are for billions."""


def draft_loss(network: DraftNetwork, recipe: Recipe, tokens: Tensor, tapped: Tensor, last: Tensor) -> Tensor:
    """Loss of a batch of texts: the mean over places of what each step costs, over all steps.

    Parameters
    ----------
    tokens : Tensor of int64, shape (B, T)
        Texts.
    tapped : Tensor, shape (B, T, taps, D)
        The target's features.
    last : Tensor, shape (B, T, D)
        Output of the target's last layer, before its final norm.
    """
    features = network.normed(last)
    with torch.no_grad():
        wanted = torch.softmax((features @ network.head[network.drafted].to(features.dtype).T).float(), -1)
    total = features.new_zeros((), dtype=torch.float32)
    weight = 1.0
    for step, state in enumerate(unroll(network, tokens, tapped, recipe.steps, recipe.detach)):
        # Index t of the state stands for place t + 1 + step of the target.
        places = state.shape[1] - step
        if places <= 0:
            break
        ahead, aim = state[:, :places], slice(1 + step, None)
        if recipe.cross_entropy:
            logs = torch.log_softmax(network.scores(step, ahead).float(), -1)
            total = total - weight * recipe.cross_entropy * (wanted[:, aim] * logs).sum(-1).mean()
        if recipe.regression and network.predicts_features:
            total = total + weight * recipe.regression * functional.smooth_l1_loss(ahead, features[:, aim])
        weight *= recipe.decay
    return total
