"""Parts that all models share: the encoder with word shapes, heads over labels, candidates, the match head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from foretell.spans.pieces import SHAPES

PRIOR_LOGIT = -4.0
"""Heads begin by finding nothing, which is nearly always right; at 0 every pair of pieces would be a candidate."""


@dataclass
class TextBatch:
    """Framed windows, padded.

    Attributes
    ----------
    ids, shapes : (B, n) int
        Pieces and shapes of their words.
    mask : (B, n) bool
        False where padded.
    may_start, may_end : (B, n) bool
        Where spans may begin and end; False for special tokens.
    """

    ids: Tensor
    shapes: Tensor
    mask: Tensor
    may_start: Tensor
    may_end: Tensor

    def to(self, device: torch.device) -> TextBatch:
        """Return the batch on a device."""
        return TextBatch(*(getattr(self, name).to(device) for name in self.__dataclass_fields__))


@dataclass
class LabelBatch:
    """Framed descriptions of C labels, padded to m pieces.

    Attributes
    ----------
    ids : (C, m) int
    mask : (C, m) bool
    rows : (C,) int
        Which of the per-label weight vectors each label uses.
    """

    ids: Tensor
    mask: Tensor
    rows: Tensor

    def to(self, device: torch.device) -> LabelBatch:
        """Return the batch on a device."""
        return LabelBatch(self.ids.to(device), self.mask.to(device), self.rows.to(device))


@dataclass
class LabelCode:
    """Descriptions, encoded; what inference keeps of them.

    Attributes
    ----------
    keys : (C, m, d)
        y', which pieces of text are compared with.
    values : (C, m, d)
        W_5 y', which they take up.
    mask : (C, m) bool
        False where padded.
    rows : (C,) int
        Per-label weights of each label.
    meaning : (C, d), optional
        Mean of y' over the pieces of each description, from which heads may make weights.
    vectors : (C, m, d), optional
        y, before any projection; what training keeps for its next steps.
    """

    keys: Tensor
    values: Tensor
    mask: Tensor
    rows: Tensor
    meaning: Tensor | None = None
    vectors: Tensor | None = None

    def copy_to(self, device: torch.device) -> LabelCode:
        """Copies of the tensors on a device, which are not those of inference mode."""
        keys, values, mask, rows = (
            tensor.clone().to(device) for tensor in (self.keys, self.values, self.mask, self.rows)
        )
        return LabelCode(keys, values, mask, rows, None if self.meaning is None else self.meaning.clone().to(device))


@dataclass
class Scores:
    """Logits of starts and ends (B, n, C), and the vectors z, (B, n, C, d) or (B, n, 1, d), for the match head."""

    start: Tensor
    end: Tensor
    z: Tensor


class TextEncoder(nn.Module):
    """A BERT-like encoder that may be told the shapes of words.

    The shape vectors are added to the word embeddings and begin as zeros, so that the encoder begins as it was
    trained.

    Parameters
    ----------
    body : transformers.PreTrainedModel
        The encoder.
    word_shapes : bool
        Whether to have shape vectors.
    """

    def __init__(self, body: Any, word_shapes: bool) -> None:
        super().__init__()
        self.body = body
        self.width: int = body.config.hidden_size
        self.shapes = nn.Embedding(len(SHAPES), self.width) if word_shapes else None
        if self.shapes is not None:
            nn.init.zeros_(self.shapes.weight)

    def forward(self, ids: Tensor, mask: Tensor, shapes: Tensor | None = None, types: Tensor | None = None) -> Tensor:
        """Hidden states (B, n, d) of framed pieces (B, n)."""
        inputs: dict[str, Tensor] = {"attention_mask": mask.to(torch.int64)}
        if types is not None and int(getattr(self.body.config, "type_vocab_size", 0) or 0) > 1:
            inputs["token_type_ids"] = types
        if self.shapes is None or shapes is None:
            inputs["input_ids"] = ids
        else:
            inputs["inputs_embeds"] = self.static(ids) + self.shapes(shapes)
        hidden: Tensor = self.body(**inputs).last_hidden_state
        return hidden

    def static(self, ids: Tensor) -> Tensor:
        """Input embeddings (B, n, d), without any context."""
        vectors: Tensor = self.body.get_input_embeddings()(ids)
        return vectors


class LabelHead(nn.Module):
    """Logits of labels.

    Either w^c . z^c + b^c, with weights of each label's own (as published) or the same for all; or, for labels with
    descriptions, (w + G y^c) . z^c + v^c . h + b + b^c. There w is common to all, so that a label with few examples
    gains from the others; G y^c comes from the mean y^c of the description; and the label's own v^c reads the encoder's
    vector h, as a tagger does. A label that is added later has no v^c and b^c.

    Parameters
    ----------
    width : int
        Length of z.
    labels : int
        Number of labels with weights of their own; 1 for weights that all labels share.
    prior : float
        First value of b.
    meaning : int
        Length of y^c; 0 for the first form.
    """

    def __init__(self, width: int, labels: int, prior: float = 0.0, meaning: int = 0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(labels, width))
        self.bias = nn.Parameter(torch.zeros(labels))
        self.common = nn.Linear(width, 1) if meaning else None
        self.meaning = nn.Linear(meaning, width, bias=False) if meaning else None
        if self.common is None or self.meaning is None:
            nn.init.normal_(self.weight, std=width**-0.5)
            nn.init.constant_(self.bias, prior)
        else:
            nn.init.normal_(self.common.weight, std=width**-0.5)
            nn.init.constant_(self.common.bias, prior)
            nn.init.zeros_(self.meaning.weight)

    def forward(self, z: Tensor, labels: LabelCode, plain: Tensor) -> Tensor:
        """Logits (..., C) of z and of the encoder's vectors.

        Parameters
        ----------
        z : Tensor
            (..., C, d), or (..., 1, d) where it is the same for all labels.
        plain : Tensor
            (..., d), read by labels' own weights beside a description.
        """
        weight, own, bias = self._weights(labels)
        read = z[..., 0, :] @ weight.T if z.shape[-2] == 1 else torch.einsum("...cd,cd->...c", z, weight)
        return read + bias if own is None else read + plain @ own.T + bias

    def at(self, z: Tensor, labels: LabelCode, which: Tensor) -> Tensor:
        """Logits (K,) of vectors z (K, d) for one label each; there, own weights read z too."""
        weight, own, bias = self._weights(labels)
        weight = weight if own is None else weight + own
        return (z * weight[which]).sum(-1) + bias[which]

    def shift(self, amount: float) -> None:
        """Add to the logits of all labels, also of those to come."""
        (self.bias if self.common is None else self.common.bias).data += amount

    def _weights(self, labels: LabelCode) -> tuple[Tensor, Tensor | None, Tensor]:
        """Weights (C, d) for z, own weights (C, d) if they stand apart, and offsets (C,)."""
        if self.common is None or self.meaning is None:
            rows = labels.rows.clamp(0, len(self.weight) - 1)
            return self.weight[rows], None, self.bias[rows]
        assert labels.meaning is not None
        known, rows = labels.rows >= 0, labels.rows.clamp(min=0)
        weight = self.common.weight + self.meaning(labels.meaning) * self.meaning.in_features**-0.5
        return weight, self.weight[rows] * known[:, None], self.common.bias + self.bias[rows] * known


@dataclass
class Pairs:
    """Candidates: K pieces where a span may begin, K where it ends, in window ``batch`` for label ``label``."""

    batch: Tensor
    first: Tensor
    last: Tensor
    label: Tensor

    def __len__(self) -> int:
        return len(self.batch)


def candidate_pairs(starts: Tensor, ends: Tensor, longest: int) -> Pairs:
    """All (start, end) of one window and label with end at or after start, at most ``longest`` pieces long.

    Only pairs that exist take memory, unlike a tensor of n x n x C.

    Parameters
    ----------
    starts, ends : (B, n, C) bool
        Where spans may begin and end.
    longest : int
        Most pieces of a span.
    """
    _, pieces, labels = starts.shape
    batch, label, first = starts.transpose(1, 2).nonzero(as_tuple=True)
    rows = batch * labels + label
    end_batch, end_label, last = ends.transpose(1, 2).nonzero(as_tuple=True)
    end_keys = (end_batch * labels + end_label) * pieces + last
    low = torch.searchsorted(end_keys, rows * pieces + first)
    high = torch.searchsorted(end_keys, rows * pieces + (first + longest).clamp(max=pieces))
    counts = high - low
    which = torch.repeat_interleave(torch.arange(len(first), device=first.device), counts)
    offsets = torch.arange(len(which), device=first.device) - (counts.cumsum(0) - counts)[which]
    return Pairs(batch[which], first[which], last[low[which] + offsets], label[which])


class MatchHead(nn.Module):
    """Whether a start and an end belong together: w^c . GELU(W [z_i ; z_j] + b) + b^c.

    W [z_i ; z_j] is computed as W_a z_i + W_b z_j, once for each start and each end that occurs in a pair.
    """

    def __init__(self, width: int, labels: int, dropout: float, meaning: int = 0) -> None:
        super().__init__()
        self.first = nn.Linear(width, 2 * width)
        self.last = nn.Linear(width, 2 * width, bias=False)
        self.drop = nn.Dropout(dropout)
        self.head = LabelHead(2 * width, labels, meaning=meaning)

    def forward(self, z: Tensor, pairs: Pairs, labels: LabelCode) -> Tensor:
        """Logits (K,) of pairs, from z (B, n, C, d) or, where it is the same for all labels, (B, n, 1, d)."""
        column = pairs.label if z.shape[2] > 1 else torch.zeros_like(pairs.label)
        sides = []
        for piece, project in ((pairs.first, self.first), (pairs.last, self.last)):
            places, where = torch.unique(torch.stack((pairs.batch, piece, column)), dim=1, return_inverse=True)
            sides.append(project(z[places[0], places[1], places[2]])[where])
        hidden = self.drop(nn.functional.gelu(sides[0] + sides[1]))
        return self.head.at(hidden, labels, pairs.label)
