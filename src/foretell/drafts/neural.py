"""Drafting with a trained network."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from foretell.drafts.base import TreeSize
from foretell.drafts.grow import Growing, branch_mask, grow
from foretell.drafts.networks.base import Attend, DraftNetwork
from foretell.drafts.tree import Tree


class _Stream:
    """What a network remembers of one stream: keys and values of what the target has read, and its last state."""

    def __init__(self, network: DraftNetwork, slots: int) -> None:
        config = network.config
        shape = (network.depth, 1, config.kv_heads, slots, config.head_width)
        weight = next(network.parameters())
        self.keys = weight.new_empty(shape)
        self.values = weight.new_empty(shape)
        self.used = 0
        self.state = weight.new_empty((1, 1, config.width))


class NeuralDrafter:
    """Grows trees with a draft network, as EAGLE-2 does; what the target has read is read with its true features.

    Parameters
    ----------
    network : DraftNetwork
        Trained for the target.
    """

    def __init__(self, network: DraftNetwork) -> None:
        self.network = network.eval()
        self.name = network.config.architecture
        self.taps = network.config.taps
        self._streams: list[_Stream] = []

    def begin(self, streams: int, slots: int) -> None:
        """Forget everything."""
        self._streams = [_Stream(self.network, slots) for _ in range(streams)]

    def start(self, stream: int, token: int) -> None:
        """Nothing to do: features come with the tokens after the first."""

    @torch.inference_mode()
    def extend(self, stream: int, tokens: NDArray[np.int32], features: NDArray[np.float32]) -> None:
        """Step 0 at every new place, from the target's features."""
        if not tokens.size:
            return
        own, weight = self._streams[stream], next(self.network.parameters())
        places = torch.arange(own.used, own.used + tokens.size, device=weight.device)
        tapped = torch.from_numpy(np.ascontiguousarray(features.transpose(1, 0, 2))[None]).to(weight)
        read = torch.from_numpy(tokens.astype(np.int64)[None]).to(weight.device)
        attend = _append(own, self.network.config.window)
        states = self.network.step(0, self.network.embed(read), self.network.begin(tapped), places, attend)
        own.used += tokens.size
        own.state = states[:, -1:]

    def propose(self, streams: Sequence[int], roots: Sequence[int], size: TreeSize) -> list[Tree]:
        """A tree for each stream."""
        return [self._grow(self._streams[stream], root, size) for stream, root in zip(streams, roots, strict=True)]

    @torch.inference_mode()
    def _grow(self, own: _Stream, root: int, size: TreeSize) -> Tree:
        growing, branch = Growing(root), _Branch(own)

        def expand(depth: int, nodes: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
            state = own.state
            if depth:
                state = self._advance(depth, nodes, growing, branch)
            branch.states.update(zip(nodes.tolist(), state[0], strict=True))
            rates = torch.softmax(self.network.scores(depth, state)[0].float(), -1)
            best = rates.topk(min(size.width, rates.shape[-1]))
            rows = self.network.drafted[best.indices]
            return rows.to(torch.int32).cpu().numpy(), best.values.double().cpu().numpy()

        return grow(growing, size, expand)

    def _advance(self, depth: int, nodes: NDArray[np.int32], growing: Growing, branch: _Branch) -> Tensor:
        """States (1, F, D) after the step that reads these nodes."""
        device = next(self.network.parameters()).device
        tokens = torch.tensor([[growing.tokens[node] for node in nodes]], device=device)
        parents = torch.stack([branch.states[growing.parents[node]] for node in nodes])[None]
        position = torch.tensor([branch.own.used - 1 + depth], device=device)
        window = self.network.config.window
        attend = branch.attend(nodes, growing, max(0, int(position) - window + 1) if window else 0)
        return self.network.step(depth, self.network.embed(tokens), parents, position, attend)


class _Branch:
    """Keys, values and states of the nodes that a tree has expanded so far."""

    def __init__(self, own: _Stream) -> None:
        self.own = own
        self.states: dict[int, Tensor] = {}
        self._nodes: list[int] = []
        self._keys: list[list[Tensor]] = [[] for _ in own.keys]
        self._values: list[list[Tensor]] = [[] for _ in own.keys]

    def attend(self, nodes: NDArray[np.int32], growing: Growing, first: int) -> Attend:
        """Attention of new nodes to what was read from place ``first`` on, to their ancestors and to themselves."""
        self._nodes += nodes.tolist()
        seen = torch.from_numpy(branch_mask(nodes, self._nodes, growing))

        def attend(layer: int, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
            self._keys[layer].append(keys)
            self._values[layer].append(values)
            used = self.own.used
            all_keys = torch.cat([self.own.keys[layer, :, :, first:used], *self._keys[layer]], 2)
            all_values = torch.cat([self.own.values[layer, :, :, first:used], *self._values[layer]], 2)
            visible = torch.cat([torch.ones(len(nodes), used - first, dtype=torch.bool), seen], 1).to(queries.device)
            return _masked(queries, all_keys, all_values, visible)

        return attend


def _append(own: _Stream, window: int) -> Attend:
    """Causal attention of new places to themselves and all before, which are then remembered."""

    def attend(layer: int, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        first, last = own.used, own.used + keys.shape[2]
        own.keys[layer, :, :, first:last], own.values[layer, :, :, first:last] = keys, values
        visible = torch.ones(last - first, last, dtype=torch.bool, device=keys.device).tril(first)
        if window:
            visible = visible.triu(first - window + 1)
        return _masked(queries, own.keys[layer, :, :, :last], own.values[layer, :, :, :last], visible)

    return attend


def _masked(queries: Tensor, keys: Tensor, values: Tensor, visible: Tensor) -> Tensor:
    groups = queries.shape[1] // keys.shape[1]
    keys, values = keys.repeat_interleave(groups, 1), values.repeat_interleave(groups, 1)
    logits = (queries @ keys.transpose(-1, -2)).masked_fill(~visible, float("-inf"))
    weights = torch.softmax(logits.float() / math.sqrt(queries.shape[-1]), -1).to(queries.dtype)
    return weights @ values
