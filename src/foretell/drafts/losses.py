"""Cross-entropy against a target's distribution, without keeping scores of all rows for the way back."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_CHUNK, _CHUNK_OF_HEAD, _CHUNK_ON_DEVICE = 256, 512, 4096
"""Places whose scores are computed together, so that they stay in caches; more where the head is trained too."""


class _SoftCrossEntropy(torch.autograd.Function):
    """Sum over places of the cross-entropy of one softmax against another; gradients are made on the way."""

    @staticmethod
    def forward(ctx: Any, states: Tensor, head: Tensor, wished: Tensor, wished_head: Tensor, rows: Tensor) -> Tensor:
        """See :func:`soft_cross_entropy`; the gradients are those of the sum."""
        of_states = torch.empty_like(states) if ctx.needs_input_grad[0] else None
        of_head = torch.zeros_like(head, dtype=torch.float32) if ctx.needs_input_grad[1] else None
        total = torch.zeros((), dtype=torch.float32, device=states.device)
        on_processor = _CHUNK if of_head is None else _CHUNK_OF_HEAD
        chunk = on_processor if states.device.type == "cpu" else _CHUNK_ON_DEVICE
        for begin in range(0, states.shape[0], chunk):
            part = slice(begin, begin + chunk)
            aims = torch.softmax((wished[rows[part]] @ wished_head.T).float(), -1)
            scores = (states[part] @ head.T).float()
            total += -(aims * scores).sum() + torch.logsumexp(scores, -1).sum()
            back = (torch.softmax(scores, -1) - aims).to(states.dtype)
            if of_states is not None:
                of_states[part] = back @ head
            if of_head is not None:
                of_head += (back.T @ states[part]).float()
        ctx.save_for_backward(of_states, of_head)
        return total

    @staticmethod
    def backward(ctx: Any, *outside: Any) -> tuple[Tensor | None, Tensor | None, None, None, None]:
        """Scale the gradients that the forward pass made."""
        of_states, of_head = ctx.saved_tensors
        grad = outside[0]
        head = None if of_head is None else of_head * grad
        return None if of_states is None else of_states * grad.to(of_states.dtype), head, None, None, None


def soft_cross_entropy(states: Tensor, head: Tensor, wished: Tensor, wished_head: Tensor, rows: Tensor) -> Tensor:
    """Mean cross-entropy of ``softmax(states @ head.T)`` against the distributions of a target's states.

    The target's distributions are computed where they are needed: kept for whole texts, they would take more time to
    write and read than to make.

    Parameters
    ----------
    states : Tensor, shape (N, D)
        What the head sees; products run in its type.
    head : Tensor, shape (R, D)
        Of the same type.
    wished : Tensor, shape (M, D)
        The target's states, normed.
    wished_head : Tensor, shape (R, D)
        The same rows of the target's head.
    rows : Tensor of int64, shape (N,)
        Which of the target's states stands for each place.
    """
    total: Tensor = _SoftCrossEntropy.apply(states, head, wished, wished_head, rows)  # type: ignore[no-untyped-call]
    return total / max(1, states.shape[0])
