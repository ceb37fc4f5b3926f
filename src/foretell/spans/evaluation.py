"""Precision, recall and F1 of exact spans: in all, per label, by nesting."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from foretell.spans.document import Document, DocumentError, Span


@dataclass(frozen=True)
class Counts:
    """How many spans were found rightly, predicted, and in the gold.

    Examples
    --------
    >>> counts = Counts(correct=3, predicted=4, gold=6)
    >>> counts.precision, counts.recall, round(counts.f1, 3)
    (0.75, 0.5, 0.6)
    """

    correct: int = 0
    predicted: int = 0
    gold: int = 0

    @property
    def precision(self) -> float:
        """Share of the predicted spans that are right; 0 if there are none."""
        return self.correct / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Share of the gold spans that were found; 0 if there are none."""
        return self.correct / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        both = self.predicted + self.gold
        return 2 * self.correct / both if both else 0.0

    def as_dict(self) -> dict[str, float]:
        """Return scores, then counts."""
        return {
            "precision": self.precision,
            "recall": self.recall,
            "f1": self.f1,
            "correct": self.correct,
            "predicted": self.predicted,
            "gold": self.gold,
        }


@dataclass(frozen=True)
class SpanReport:
    """Scores of predicted spans against gold ones.

    Attributes
    ----------
    micro : Counts
        Over all spans; gold that could not be represented counts as missed.
    labels : dict
        The same for each label that occurs in gold or predictions.
    depths : dict
        By depth: 1 for spans inside no other of their own side, 2 for spans inside one other, and so on. A gold span
        has its depth among gold spans, a predicted one among predicted spans; a span is right at its gold depth.
    documents : int
    lost : int
        Gold that could not be represented.
    seconds : float
        Time that predicting took; 0 if it was not measured.
    """

    micro: Counts
    labels: dict[str, Counts]
    depths: dict[int, Counts]
    documents: int
    lost: int = 0
    seconds: float = 0.0
    unknown: tuple[str, ...] = field(default=())

    @property
    def macro_f1(self) -> float:
        """Mean F1 of the labels that occur in the gold."""
        scores = [counts.f1 for counts in self.labels.values() if counts.gold]
        return sum(scores) / len(scores) if scores else 0.0

    @property
    def macro_precision(self) -> float:
        """Mean precision of the labels that occur in the gold."""
        scores = [counts.precision for counts in self.labels.values() if counts.gold]
        return sum(scores) / len(scores) if scores else 0.0

    @property
    def macro_recall(self) -> float:
        """Mean recall of the labels that occur in the gold."""
        scores = [counts.recall for counts in self.labels.values() if counts.gold]
        return sum(scores) / len(scores) if scores else 0.0

    @property
    def sentences_per_second(self) -> float:
        """Documents (sentences, in sentence-wise data) per second; 0 if time was not measured."""
        return self.documents / self.seconds if self.seconds else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            **self.micro.as_dict(),
            "macro": {"precision": self.macro_precision, "recall": self.macro_recall, "f1": self.macro_f1},
            "labels": {label: counts.as_dict() for label, counts in sorted(self.labels.items())},
            "depths": {str(depth): counts.as_dict() for depth, counts in sorted(self.depths.items())},
            "documents": self.documents,
            "lost_gold": self.lost,
            "unknown_labels": list(self.unknown),
            "seconds": self.seconds,
            "sentences_per_second": self.sentences_per_second,
        }


def depths_of(spans: Sequence[Span]) -> dict[tuple[int, int, str], int]:
    """Depth of each span: 1, and 1 more for every different extent around it.

    Examples
    --------
    >>> sorted(depths_of([Span(0, 9, "a"), Span(2, 5, "b"), Span(2, 3, "a")]).values())
    [1, 2, 3]
    """
    extents = sorted({(span.start, span.end) for span in spans}, key=lambda extent: (extent[0], -extent[1]))
    depth: dict[tuple[int, int], int] = {}
    open_extents: list[tuple[int, int]] = []
    for start, end in extents:
        open_extents = [extent for extent in open_extents if extent[1] > start]
        depth[start, end] = 1 + sum(extent[1] >= end for extent in open_extents)
        open_extents.append((start, end))
    return {span.key: depth[span.start, span.end] for span in spans}


def evaluate_spans(
    gold: Sequence[Document], predicted: Sequence[Sequence[Span]], *, seconds: float = 0.0
) -> SpanReport:
    """Compare spans with gold: a span is right if start, end and label are.

    Parameters
    ----------
    gold : sequence of Document
        What ``lost`` holds counts as missed. A span that is given twice counts once.
    predicted : sequence of sequences of Span
        One for each document.
    seconds : float
        Time that predicting took.

    Returns
    -------
    SpanReport

    Raises
    ------
    DocumentError
        If there are not as many of one as of the other.
    """
    if len(gold) != len(predicted):
        raise DocumentError(f"{len(gold)} gold documents, but predictions for {len(predicted)}", "give one for each")
    correct, found, wanted = Counter[str](), Counter[str](), Counter[str]()
    depth_correct, depth_found, depth_wanted = Counter[int](), Counter[int](), Counter[int]()
    for document, spans in zip(gold, predicted, strict=True):
        truth, guess = depths_of(document.spans), depths_of(spans)
        for keys, labels, depths in ((truth, wanted, depth_wanted), (guess, found, depth_found)):
            labels.update(label for _, _, label in keys)
            depths.update(keys.values())
        both = truth.keys() & guess.keys()
        correct.update(label for _, _, label in both)
        depth_correct.update(truth[key] for key in both)
        wanted.update(lost.label for lost in document.lost)
    return SpanReport(
        Counts(correct.total(), found.total(), wanted.total()),
        {label: Counts(correct[label], found[label], wanted[label]) for label in found | wanted},
        {d: Counts(depth_correct[d], depth_found[d], depth_wanted[d]) for d in sorted(depth_found | depth_wanted)},
        len(gold),
        sum(len(document.lost) for document in gold),
        seconds,
    )
