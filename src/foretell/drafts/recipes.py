"""How each architecture is trained: what its authors published, where nothing says otherwise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from foretell.drafts.losses import soft_cross_entropy
from foretell.drafts.networks.base import DraftNetwork
from foretell.drafts.unroll import Unrolling, unroll


@dataclass(frozen=True)
class Recipe:
    """Loss of a draft network.

    Attributes
    ----------
    unrolling : Unrolling
        The draft steps that training takes.
    cross_entropy, regression : float
        Weights of the two losses: against the target's distribution, and (smooth L1) against its features.
    decay : float
        Each step counts this much of the one before.
    rate : float
        Learning rate of AdamW.
    temperature : float
        Of the target's distribution; below 1 a draft learns more of what the target says greedily.
    """

    unrolling: Unrolling
    cross_entropy: float
    regression: float
    decay: float
    rate: float
    temperature: float = 1.0


RECIPES = {
    "eagle2": Recipe(Unrolling(1), 0.1, 1.0, 1.0, 1e-3),
    "hass": Recipe(Unrolling(3, detach=True), 0.1, 1.0, 1.0, 1e-3),
    "eagle3": Recipe(Unrolling(7), 1.0, 0.0, 0.8, 1e-3),
    "prism": Recipe(Unrolling(7), 1.0, 0.0, 0.8, 1e-3),
    "medusa": Recipe(Unrolling(5), 1.0, 0.0, 0.8, 1e-3),
    "stacked": Recipe(Unrolling(7), 1.0, 0.0, 0.8, 1e-3),
}
"""By architecture. Learning rates suit networks of a few million parameters; the papers' are for billions."""
PUBLISHED_PRISM = Recipe(Unrolling(3, project_again=True), 0.1, 0.0, 1.0, 3e-4)
"""What PRISM's authors train after a warm start from a HASS draft (:func:`foretell.drafts.training.warm_start`)."""


def draft_loss(
    network: DraftNetwork, recipe: Recipe, tokens: Tensor, tapped: Tensor, last: Tensor, places: Tensor | None = None
) -> Tensor:
    """Loss of a batch of texts: the mean over places of what each step costs, over all steps.

    Parameters
    ----------
    tokens : Tensor of int64, shape (B, T)
        Texts.
    tapped : Tensor, shape (B, T, taps, D)
        The target's features.
    last : Tensor, shape (B, T, D)
        Output of the target's last layer, before its final norm.
    places : Tensor of int64, shape (B, P), optional
        Where drafts begin; everywhere by default.
    """
    texts, length = tokens.shape
    everywhere = torch.arange(length - 1, device=tokens.device).expand(texts, -1)
    starts = everywhere if places is None else places
    features = network.normed(last)
    wished, head = features.flatten(0, 1), network.head_rows()
    wished_head = network.target_head_rows() / recipe.temperature
    total = features.new_zeros((), dtype=torch.float32)
    weight = 1.0
    for step, state in enumerate(unroll(network, tokens, tapped, recipe.unrolling, places)):
        # Index t of the state stands for place t + 1 + step of the target.
        aims = starts + 1 + step
        text, index = torch.nonzero(aims < length, as_tuple=True)
        if not text.numel():
            break
        rows, ahead = text * length + aims[text, index], state[text, index]
        if recipe.cross_entropy:
            seen = network.before_head(step, ahead)
            total = total + weight * recipe.cross_entropy * soft_cross_entropy(seen, head, wished, wished_head, rows)
        if recipe.regression and network.predicts_features:
            distance = functional.smooth_l1_loss(ahead.float(), wished[rows].float())
            total = total + weight * recipe.regression * distance
        weight *= recipe.decay
    return total
