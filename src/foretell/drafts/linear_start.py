"""First weights by least squares: what a linear map of token and features can say of the target's next state.

Attention and feed-forward begin as zero and learn the rest. For small targets and short training this is worth
many updates; every architecture begins this way.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from foretell.drafts.features import Features
from foretell.drafts.networks import DraftNetwork, Eagle3Network, StackedNetwork, StepwiseNetwork
from foretell.drafts.networks.base import Block

_MOST_TEXTS = 256
_RIDGE = 1e-3
"""Part of the mean square of the inputs that is added to each of their squares."""


@torch.no_grad()
def linear_start(network: DraftNetwork, features: Features) -> None:
    """Set a network's linear parts to the best linear prediction of the target's next state, the others to zero.

    Medusa's heads begin as zero already. The work is done where the network is.
    """
    device = network.embedding.device
    tokens = torch.from_numpy(features.tokens[:_MOST_TEXTS].astype(np.int64)).to(device)
    outputs = torch.from_numpy(features.outputs[:_MOST_TEXTS].astype(np.float32)).to(device)
    tapped, last = outputs[:, :, features.places_of(network.config.taps)], outputs[:, :, -1]
    if isinstance(network, Eagle3Network):
        _silence(network.midlayer)
        joined = network.join(tapped[:, :-1]).flatten(0, 1)
        wished = functional.rms_norm(last, (last.shape[-1],), None, network.config.epsilon)[:, 1:].flatten(0, 1)
        network.fc.weight.copy_(_solve(joined, wished)[0])
    elif isinstance(network, StepwiseNetwork):
        _start_modules(network, tokens, tapped, network.normed(last))
    if isinstance(network, StackedNetwork):
        _silence(network.upper)


def _start_modules(network: StepwiseNetwork, tokens: Tensor, tapped: Tensor, wished: Tensor) -> None:
    """Each module's fusion predicts the wished states (B, T, D), given what the modules before it predict."""
    width, length = network.config.width, tokens.shape[1]
    state = None if network.fc is not None else network.begin(tapped)[:, :-1]
    steps = [network.config.step_map.index(module) for module in set(network.config.step_map)]
    for step in range(max(steps) + 1):
        (fuse, layer), places = network.module(network.config.module_of(step)), length - 1 - step
        embedded = network.embed(tokens[:, 1 + step :])
        before = network.join(tapped[:, :-1]) if state is None else state[:, :places]
        inputs = torch.cat([embedded, before], -1)
        if step in steps:
            weight, bias = _solve(inputs.flatten(0, 1), wished[:, 1 + step :].flatten(0, 1))
            if state is None and network.fc is not None:
                # All that features say goes through their projection; the fusion lets it pass.
                network.fc.weight.copy_(weight[:, width:])
                network.fc.bias.zero_()
                weight = torch.cat([weight[:, :width], torch.eye(width, device=weight.device)], 1)
                inputs = torch.cat([embedded, network.fc(before)], -1)
            fuse.weight.copy_(weight)
            fuse.bias.copy_(bias)
            _silence(layer)
        state = fuse(inputs)


def _solve(inputs: Tensor, wished: Tensor) -> tuple[Tensor, Tensor]:
    """Weight (D, K) and bias (D,) of the linear map from inputs (N, K) to (N, D) with the least squares."""
    ones = torch.cat([inputs, inputs.new_ones(inputs.shape[0], 1)], -1)
    products = (ones.T @ ones).double()
    products.diagonal()[:-1] += _RIDGE * products.diagonal()[:-1].mean()
    found = torch.linalg.solve(products, (ones.T @ wished).double()).float().T
    return found[:, :-1].contiguous(), found[:, -1].contiguous()


def _silence(block: Block) -> None:
    """Let a block add nothing at first."""
    block.o_proj.weight.zero_()
    block.down_proj.weight.zero_()
