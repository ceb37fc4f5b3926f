"""Training as inference: places of a text take the draft's steps at once, with the memory they would have.

At step j index t sees the keys of step 0 up to t, as when drafting from there, and its own keys of steps 1
to j. Keys and values are those that the module of their step wrote. The published code projects everything anew with
the module of the current step, which is not what runs; :class:`Unrolling` can do that too, to compare.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from foretell.drafts.networks.base import DraftNetwork


@dataclass(frozen=True)
class Unrolling:
    """How training takes the steps of drafting.

    Attributes
    ----------
    steps : int
        Draft steps J.
    detach : bool
        Whether a state is fed back as a constant (EAGLE-2 and HASS).
    project_again : bool
        Whether the memory is written anew by each step's module, as in PRISM's published code.
    """

    steps: int
    detach: bool = False
    project_again: bool = False


class _Memory:
    """Keys and values of each layer that places see: of step 0 at all places, and of later steps at their own."""

    def __init__(self, places: Tensor, layers: int) -> None:
        self.places = places
        self.written: list[list[tuple[Tensor, Tensor]]] = [[] for _ in range(layers)]

    def first(self, layer: int, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Attention of step 0, whose keys at the chosen places are among those of all places."""
        return self._attend(layer, queries, self.places)

    def everywhere(self, layer: int, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Attention of step 0 at all places."""
        self.written[layer].append((keys, values))
        return self._attend(layer, queries, torch.arange(keys.shape[2], device=keys.device).expand(len(keys), -1))

    def later(self, layer: int, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Attention of the next step, at the chosen places."""
        self.written[layer].append((keys, values))
        return self._attend(layer, queries, self.places)

    def _attend(self, layer: int, queries: Tensor, places: Tensor) -> Tensor:
        (all_keys, all_values), *own = self.written[layer]
        texts, heads, count, width = queries.shape
        # Queries that share keys are one more dimension.
        grouped = queries.view(texts, all_keys.shape[1], -1, count, width)
        future = torch.arange(all_keys.shape[2], device=queries.device) > places[:, None, None, :, None]
        logits = (grouped @ all_keys[:, :, None].transpose(-1, -2)).float().masked_fill(future, float("-inf"))
        alone = [(grouped * k[:, :, None]).sum(-1, keepdim=True).float() for k, _ in own]
        weights = torch.softmax(torch.cat([logits, *alone], -1) / math.sqrt(width), -1).to(queries.dtype)
        seen = weights[..., : all_keys.shape[2]] @ all_values[:, :, None]
        for index, (_, v) in enumerate(own, all_keys.shape[2]):
            seen = seen + weights[..., index, None] * v[:, :, None]
        return seen.reshape(texts, heads, count, width)


def unroll(
    network: DraftNetwork, tokens: Tensor, tapped: Tensor, how: Unrolling, places: Tensor | None = None
) -> Iterator[Tensor]:
    """States (B, P, D) after each draft step, for texts of T tokens.

    Parameters
    ----------
    tokens : Tensor of int64, shape (B, T)
        Texts; index t of a state has read the token at t + 1 + j. What lies beyond the end is the last token again, and
        callers leave out of their losses what depends on it.
    tapped : Tensor, shape (B, T, taps, D)
        The target's features.
    places : Tensor of int64, shape (B, P), optional
        Indices t, below T - 1, at which drafts begin; all by default. Elsewhere only the keys and values of step 0 are
        computed, which all that begin later see; with several layers, which need more for that, all of step 0.
    """
    texts, length = tokens.shape[0], tokens.shape[1] - 1
    everywhere = torch.arange(length, device=tokens.device).expand(texts, -1)
    places = everywhere if places is None else places
    memory = _Memory(places, network.depth)
    whole = network.begin(tapped[:, :-1])
    inputs = [(network.embed(tokens[:, 1:]), whole, everywhere)]
    stacked = network.depth > 1
    if stacked:
        whole = network.step(0, *inputs[0], memory.everywhere)
    state = whole.gather(1, places[..., None].expand(-1, -1, whole.shape[-1]))
    if stacked:
        yield state
    for step in range(int(stacked), how.steps):
        if not step or how.project_again:
            memory.written = [[network.project(step, *before) for before in inputs]]
        embedded = network.embed(tokens.gather(1, (places + 1 + step).clamp(max=length)))
        if step:
            inputs.append((embedded, state, places + step))
        state = network.step(step, embedded, state, places + step, memory.later if step else memory.first)
        yield state
        if how.detach:
            state = state.detach()
