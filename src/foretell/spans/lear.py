"""LEAR: semantics-guided attention from text to label descriptions (Yang et al., EMNLP 2021, arXiv 2111.00884).

Text x of n pieces and C descriptions y^c of m pieces pass through one encoder::

    h_i = BERT(x)_i          h'_i  = W_1 h_i                    both in R^d
    y^c_j = BERT(y^c)_j      y'^c_j = W_2 y^c_j
    a^c_ij = softmax_j(h'_i . y'^c_j)                           how much piece i attends to piece j
    u^c_i  = h'_i + sum_j a^c_ij y'^c_j
    z^c_i  = tanh(W_5 u^c_i + b_5)                              what the heads read
    s^c_i  = w_s^c . z^c_i + b_s^c   e^c_i = w_e^c . z^c_i + b_e^c
    m^c_ij = w_m^c . GELU(W_a z^c_i + W_b z^c_j + b) + b_m^c

W_5 is linear, so W_5 u^c_i = W_5 h'_i + sum_j a^c_ij (W_5 y'^c_j): the first term is computed once per piece instead
of once per piece and label, the second needs W_5 y'^c only once per set of labels. No tensor has both C x m and d,
save those of the labels themselves.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from foretell.spans.layers import (
    PRIOR_LOGIT,
    LabelBatch,
    LabelCode,
    LabelHead,
    MatchHead,
    Pairs,
    Scores,
    TextBatch,
    TextEncoder,
)
from foretell.spans.settings import Settings


class Lear(nn.Module):
    """LEAR over any encoder.

    Parameters
    ----------
    encoder : TextEncoder
        Shared by text and descriptions.
    settings : Settings
        Variant.
    labels : int
        Number of labels with weights of their own; not used with shared heads.
    """

    def __init__(self, encoder: TextEncoder, settings: Settings, labels: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.settings = settings
        width = encoder.width
        count = 1 if settings.heads == "shared" else labels
        meaning = width if settings.heads == "described" else 0
        self.drop = nn.Dropout(settings.dropout)
        self.text_projection = nn.Linear(width, width, bias=False)
        self.label_projection = nn.Linear(width, width, bias=False)
        self.fusion = nn.Linear(width, width)
        for linear in (self.text_projection, self.label_projection, self.fusion):
            nn.init.eye_(linear.weight)
        self.start_head = LabelHead(width, count, PRIOR_LOGIT, meaning)
        self.end_head = LabelHead(width, count, PRIOR_LOGIT, meaning)
        self.match_head = MatchHead(width, count, settings.dropout, meaning) if settings.nested else None
        if settings.label_embedding == "random":
            self.register_buffer("random_labels", torch.randn(max(labels, 1), width))

    def encode_labels(self, labels: LabelBatch, vectors: Tensor | None = None, learns: bool = True) -> LabelCode:
        """Encode descriptions, or take their vectors from an earlier time; the result serves any number of texts.

        The encoder gets no gradients from descriptions unless it ``learns``; what projects their vectors always does.
        """
        if vectors is None:
            with torch.set_grad_enabled(learns and torch.is_grad_enabled()):
                vectors = self._label_vectors(labels)
        mask = labels.mask if vectors.shape[1] > 1 else torch.ones_like(labels.mask[:, :1])
        keys = self.label_projection(vectors)
        meaning = _mean(keys, mask)
        sentence = self.settings.label_embedding == "sentence"
        values = keys if sentence else nn.functional.linear(keys, self.fusion.weight)
        return LabelCode(keys, values, mask, labels.rows, meaning, vectors)

    def _label_vectors(self, labels: LabelBatch) -> Tensor:
        """Vectors (C, m, d) of the descriptions, m being 1 where one vector stands for the whole."""
        kind = self.settings.label_embedding
        if kind == "random":
            vectors: Tensor = self.get_buffer("random_labels")[labels.rows]
            return vectors[:, None]
        if kind == "static":
            return self.encoder.static(labels.ids)
        hidden: Tensor = self.encoder(labels.ids, labels.mask)
        if kind == "token":
            return hidden
        return _mean(hidden, labels.mask)[:, None]

    def forward(self, text: TextBatch, labels: LabelCode) -> Scores:
        """Logits of starts and ends for every piece and label."""
        hidden = self.drop(self.encoder(text.ids, text.mask, text.shapes))
        projected = self.text_projection(hidden)
        if self.settings.label_embedding == "sentence":
            z = self._add_by_cosine(projected, labels.keys[:, 0])
        else:
            context = self._attend(projected, labels)
            z = torch.tanh(self.fusion(projected)[:, :, None] + context)
        return Scores(self.start_head(z, labels, hidden), self.end_head(z, labels, hidden), z)

    def _attend(self, projected: Tensor, labels: LabelCode) -> Tensor:
        """Sum over j of a^c_ij W_5 y'^c_j, (B, n, C, d).

        No gradient passes through the weights a: products of whole vectors make them nearly one-hot, and the gradients
        of that, as large as the vectors and from every label, drown what the encoder learns otherwise.
        """
        if labels.keys.shape[1] == 1:
            return labels.values[None, None, :, 0]
        scores = torch.einsum("bnd,cmd->bncm", projected, labels.keys)
        scores = scores.masked_fill(~labels.mask, torch.finfo(scores.dtype).min)
        return torch.einsum("bncm,cmd->bncd", scores.detach().softmax(-1), labels.values)

    @staticmethod
    def _add_by_cosine(projected: Tensor, labels: Tensor) -> Tensor:
        """Sentence level: h'_i + cos(h'_i, y'^c) y'^c, without W_5."""
        unit = nn.functional.normalize(labels, dim=-1)
        cosine = nn.functional.normalize(projected, dim=-1) @ unit.T
        return projected[:, :, None] + cosine[..., None] * labels

    def match(self, scores: Scores, pairs: Pairs, labels: LabelCode) -> Tensor:
        """Logits (K,) of candidate pairs."""
        assert self.match_head is not None
        logits: Tensor = self.match_head(scores.z, pairs, labels)
        return logits


def _mean(vectors: Tensor, mask: Tensor) -> Tensor:
    """Mean (C, d) of vectors (C, m, d) that are not padding."""
    weights = mask.to(vectors.dtype)
    return (vectors * weights[..., None]).sum(1) / weights.sum(1, keepdim=True)
