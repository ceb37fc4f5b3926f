"""What fitting takes from the data: whether they can be learnt, settings that they bound, the best threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from foretell.spans.document import Document, DocumentError, Span
from foretell.spans.evaluation import evaluate_spans
from foretell.spans.pieces import PieceTokenizer
from foretell.spans.scoring import Decoder, Decoding, Scorer, score_documents
from foretell.spans.settings import Settings

THRESHOLDS = (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6)
"""Tried on development documents."""


def best_threshold(
    dev: Sequence[Document],
    scorer: Scorer,
    tokenizer: PieceTokenizer,
    settings: Settings,
    names: tuple[str, ...],
    flat: bool = False,
) -> tuple[float, float]:
    """Best micro F1 on some documents, and the threshold that gives it; ``flat`` as in decoding."""
    scores = threshold_scores(dev, scorer, tokenizer, settings, names, flat)
    best = max(range(len(scores)), key=lambda i: (scores[i], -abs(THRESHOLDS[i] - 0.5)))
    return scores[best], THRESHOLDS[best]


def threshold_scores(
    dev: Sequence[Document],
    scorer: Scorer,
    tokenizer: PieceTokenizer,
    settings: Settings,
    names: tuple[str, ...],
    flat: bool = False,
) -> list[float]:
    """Micro F1 on some documents at each of ``THRESHOLDS``, from one pass through the model."""
    kind: Decoding = "match" if settings.nested else "in-order"
    decoders = [Decoder(names, kind, threshold, flat, settings.longest) for threshold in THRESHOLDS]
    predicted: list[list[list[Span]]] = [[] for _ in decoders]
    for document, pieces, found in score_documents(
        dev, scorer, tokenizer, settings, threshold=min(THRESHOLDS), batch_size=16
    ):
        for decoder, spans in zip(decoders, predicted, strict=True):
            spans.append(decoder.spans(document.text, pieces, found))
    return [evaluate_spans(dev, spans).micro.f1 for spans in predicted]


def shift_heads(module: Any, threshold: float) -> None:
    """Shift the offsets of all heads so that the probability ``threshold`` becomes 0.5."""
    shift = float(np.log(threshold / (1 - threshold)))
    heads = [module.start_head, module.end_head]
    for head in heads if module.match_head is None else [*heads, module.match_head.head]:
        head.shift(-shift)


def own_tensors(settings: Settings) -> set[str]:
    """Names of the tensors that belong to labels, and not to all of them."""
    if settings.heads == "shared":
        return set()
    heads = ("start_head", "end_head", "match_head.head")
    return {f"{head}.{part}" for head in heads for part in ("weight", "bias")}


def check_training(
    documents: Sequence[Document], labels: dict[str, str], settings: Settings, weights: Sequence[float] | None
) -> Sequence[float] | None:
    """Refuse what cannot be learnt; see :meth:`SpanExtractor.fit`."""
    if not any(document.text.strip() for document in documents):
        raise DocumentError("there are no texts to learn from", "give documents")
    if not any(document.spans for document in documents):
        raise DocumentError("no document has a span", "give gold spans to learn from")
    for number, document in enumerate(documents):
        name = document.id or f"document {number}"
        for index, span in enumerate(document.spans):
            if span.label not in labels:
                raise DocumentError(
                    f"spans[{index}]: label {span.label!r} has no description", "add it to labels", path=name
                )
        if not settings.nested:
            _refuse_overlaps(document, name)
    if weights is None:
        return None
    values = np.asarray(weights, float)
    if values.shape != (len(documents),) or not np.isfinite(values).all() or (values < 0).any():
        raise DocumentError(
            f"sample_weight has shape {values.shape}", f"give {len(documents)} finite numbers that are not negative"
        )
    return list(values)


def _refuse_overlaps(document: Document, name: str) -> None:
    ordered = sorted(enumerate(document.spans), key=lambda item: (item[1].label, item[1].start, -item[1].end))
    for (i, before), (j, after) in pairwise(ordered):
        if before.label == after.label and before.key != after.key and before.overlaps(after):
            raise DocumentError(
                f"spans[{i}] and spans[{j}], both {before.label!r}, overlap",
                "train a nested model (nested=True, --nested), or keep one of them",
                path=name,
            )


def settings_for(documents: Sequence[Document], tokenizer: PieceTokenizer, settings: Settings, body: Any) -> Settings:
    """Fit to the data what only bounds the search: the longest span, and whether spans keep to the edges of words.

    ``longest`` becomes the length of the longest gold span, but no more than it was; ``word_edges`` is given up if
    more than one gold span in 200 begins or ends inside a word.
    """
    limit = int(getattr(body.config, "max_position_embeddings", 512) or 512)
    room = limit - len(tokenizer.prefix) - len(tokenizer.suffix) - 2
    if settings.model == "bert-mrc":
        room -= settings.description + 3
    window = min(settings.window, room)
    longest, inside, total = 1, 0, 0
    for document in documents:
        if not document.spans:
            continue
        pieces = tokenizer.split(document.text)
        begins, ends = pieces.edges(of_words=True)
        for span in document.spans:
            place = pieces.locate(span.start, span.end)
            if place is None:
                continue
            total += 1
            longest = max(longest, place[1] - place[0] + 1)
            inside += not (begins[place[0]] and ends[place[1]])
    return replace(
        settings,
        window=window,
        overlap=min(settings.overlap, window - 1),
        longest=min(settings.longest, longest),
        word_edges=settings.word_edges and inside * 200 <= total,
    )
