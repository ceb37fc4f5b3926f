"""Training as inference: all positions of a text take the draft's steps at once, with the memory they would have.

At step j index t sees the keys of step 0 up to t, as when drafting from there, and its own keys of steps 1
to j. Keys and values are those that the module of their step wrote (the published code projects the prefix again with
the module of the current step, which is not what runs).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from foretell.drafts.networks.base import Attend, DraftNetwork


def unroll(network: DraftNetwork, tokens: Tensor, tapped: Tensor, steps: int, detach: bool = False) -> Iterator[Tensor]:
    """States (B, T - 1, D) after each draft step, for texts of T tokens.

    Parameters
    ----------
    tokens : Tensor of int64, shape (B, T)
        Texts; index t of a state has read the token at t + 1 + j. What lies beyond the end is the last token again, and
        callers leave out of their losses what depends on it.
    tapped : Tensor, shape (B, T, taps, D)
        The target's features.
    steps : int
        Draft steps J.
    detach : bool
        Whether a state is fed back as a constant (EAGLE-2 and HASS).
    """
    state = network.begin(tapped[:, :-1])
    places = torch.arange(state.shape[1], device=tokens.device)
    memory: list[tuple[Tensor, Tensor]] = []
    for step in range(steps):
        following = tokens[:, (places + 1 + step).clamp(max=tokens.shape[1] - 1)]
        state = network.step(step, network.embed(following), state, places + step, _attention(memory))
        yield state
        if detach:
            state = state.detach()


def _attention(memory: list[tuple[Tensor, Tensor]]) -> Attend:
    """Attention of the next step; adds its keys and values to the memory."""

    def attend(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        memory.append((keys, values))
        groups, scale = queries.shape[1] // keys.shape[1], 1 / math.sqrt(queries.shape[-1])
        spread = [(k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)) for k, v in memory]
        length = queries.shape[2]
        future = torch.ones(length, length, dtype=torch.bool, device=queries.device).triu(1)
        first = (queries @ spread[0][0].transpose(-1, -2)).masked_fill(future, float("-inf"))
        own = [(queries * k).sum(-1, keepdim=True) for k, _ in spread[1:]]
        weights = torch.softmax(torch.cat([first, *own], -1).float() * scale, -1).to(queries.dtype)
        seen = weights[..., :length] @ spread[0][1]
        for index, (_, v) in enumerate(spread[1:]):
            seen = seen + weights[..., length + index, None] * v
        return seen

    return attend
