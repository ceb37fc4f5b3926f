"""What LEAR is compared with, on the same encoder, heads and loop: BERT-MRC and a tagger."""

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


class Tagger(nn.Module):
    """Starts, ends and matches from the encoder alone: labels are numbers (the paper's internal baseline)."""

    def __init__(self, encoder: TextEncoder, settings: Settings, labels: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.settings = settings
        self.drop = nn.Dropout(settings.dropout)
        self.start_head = LabelHead(encoder.width, labels, PRIOR_LOGIT)
        self.end_head = LabelHead(encoder.width, labels, PRIOR_LOGIT)
        self.match_head = MatchHead(encoder.width, labels, settings.dropout) if settings.nested else None

    def encode_labels(self, labels: LabelBatch, vectors: Tensor | None = None, learns: bool = True) -> LabelCode:
        """Only the labels' numbers count."""
        nothing = self.start_head.weight.new_zeros(len(labels.rows), 0, 0)
        return LabelCode(nothing, nothing, labels.mask, labels.rows)

    def forward(self, text: TextBatch, labels: LabelCode) -> Scores:
        """Logits of starts and ends for every piece and label."""
        z = self.drop(self.encoder(text.ids, text.mask, text.shapes))[:, :, None]
        return Scores(self.start_head(z, labels, z), self.end_head(z, labels, z), z)

    def match(self, scores: Scores, pairs: Pairs, labels: LabelCode) -> Tensor:
        """Logits (K,) of candidate pairs."""
        assert self.match_head is not None
        logits: Tensor = self.match_head(scores.z, pairs, labels)
        return logits


class BertMrc(nn.Module):
    """One question per label and text (Li et al., ACL 2020, arXiv 1910.11476): [CLS] description [SEP] text [SEP].

    Weights are shared by all labels, since the question says which one is meant; a text takes C passes.
    """

    def __init__(self, encoder: TextEncoder, settings: Settings, labels: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.settings = settings
        count = 1 if settings.heads == "shared" else labels
        self.drop = nn.Dropout(settings.dropout)
        self.start_head = LabelHead(encoder.width, count, PRIOR_LOGIT)
        self.end_head = LabelHead(encoder.width, count, PRIOR_LOGIT)
        self.match_head = MatchHead(encoder.width, count, settings.dropout) if settings.nested else None

    def encode_labels(self, labels: LabelBatch, vectors: Tensor | None = None, learns: bool = True) -> LabelCode:
        """Questions are encoded with each text anew; here they only wait for it."""
        return LabelCode(labels.ids, labels.ids, labels.mask, labels.rows)

    def forward(self, text: TextBatch, labels: LabelCode) -> Scores:
        """Logits of starts and ends for every piece and label, from C passes."""
        batch, pieces = text.ids.shape
        questions, asked = labels.keys, labels.mask
        count, length = questions.shape
        rows = (batch, count, pieces - 1)

        def pair(question: Tensor, content: Tensor) -> Tensor:
            """A question, then a text without its first special token, for every text and question."""
            texts = content[:, None, 1:].expand(rows)
            return torch.cat((question.expand(batch, count, length), texts), -1).flatten(0, 1)

        nothing = torch.zeros_like(questions)
        ids, mask = pair(questions, text.ids), pair(asked, text.mask)
        types = pair(nothing, torch.ones_like(text.ids))
        hidden = self._packed(ids, mask, pair(nothing, text.shapes), types)[:, length - 1 :]
        z = self.drop(hidden).unflatten(0, (batch, count)).transpose(1, 2)
        return Scores(self.start_head(z, labels, z), self.end_head(z, labels, z), z)

    def _packed(self, ids: Tensor, mask: Tensor, shapes: Tensor, types: Tensor) -> Tensor:
        """Encode rows whose questions are padded to one length, with positions counted as if they were not.

        Pieces are moved to the left over the padding, so that the encoder sees what it was trained on, and back.
        """
        order = torch.argsort((~mask).to(torch.int8), dim=1, stable=True)
        moved = [values.gather(1, order) for values in (ids, mask, shapes, types)]
        used = int(mask.sum(1).max())
        hidden = self.encoder(*(values[:, :used] for values in moved))
        padded = nn.functional.pad(hidden, (0, 0, 0, ids.shape[1] - used))
        back = torch.argsort(order, dim=1)
        return padded.gather(1, back[..., None].expand_as(padded))

    def match(self, scores: Scores, pairs: Pairs, labels: LabelCode) -> Tensor:
        """Logits (K,) of candidate pairs."""
        assert self.match_head is not None
        logits: Tensor = self.match_head(scores.z, pairs, labels)
        return logits
