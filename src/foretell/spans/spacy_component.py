"""A spaCy component: ``nlp.add_pipe("foretell_spans", config={"model": "DIR"})``.

Spans go to ``doc.spans[spans_key]``, with their scores in ``.attrs["scores"]``, as spaCy's own SpanCategorizer does it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from foretell.spans.document import Document, Span
from foretell.spans.extractor import SpanExtractor
from foretell.spans.shipped import find_extractor
from foretell.spans.spacy_files import require_spacy

require_spacy()
from spacy.language import Language  # noqa: E402 (after the check)


@Language.factory(
    "foretell_spans",
    default_config={
        "model": None,
        "labels": None,
        "spans_key": "sc",
        "threshold": 0.5,
        "flat": False,
        "set_ents": False,
    },
    assigns=["doc.spans"],
)
class SpansComponent:
    """Adds spans to docs.

    Parameters
    ----------
    nlp : Language
    name : str
        Of the component.
    model : str, optional
        Folder of an extractor, or the name of one that ships with foretell (``entities``, ``reader``); default: the
        second where ``labels`` are descriptions.
    labels : dict or list of str, optional
        See :meth:`foretell.spans.SpanExtractor.encode_labels`.
    spans_key : str
        Group of spans to fill.
    threshold, flat
        See :meth:`foretell.spans.SpanExtractor.predict`.
    set_ents : bool
        Whether to set ``doc.ents`` as well, with the best spans that do not overlap.
    """

    def __init__(
        self,
        nlp: Any,
        name: str,
        model: str | None,
        labels: dict[str, str] | list[str] | None,
        spans_key: str,
        threshold: float,
        flat: bool,
        set_ents: bool,
    ) -> None:
        self.name = name
        self.spans_key = spans_key
        self.set_ents = set_ents
        self._extractor = SpanExtractor.from_pretrained(find_extractor(model, labels))
        self._labels = self._extractor.encode_labels(labels)
        self._options: dict[str, Any] = {"threshold": threshold, "flat": flat}

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels that are looked for."""
        return self._labels.names

    def __call__(self, doc: Any) -> Any:
        """Add spans to one doc."""
        return next(self.pipe([doc]))

    def pipe(self, stream: Iterable[Any], *, batch_size: int = 64) -> Iterator[Any]:
        """Add spans to docs as they come."""
        docs = iter(stream)
        while group := list(islice(docs, batch_size)):
            found = self._extractor.predict([Document(doc.text) for doc in group], self._labels, **self._options)
            for doc, spans in zip(group, found, strict=True):
                self._annotate(doc, spans)
                yield doc

    def _annotate(self, doc: Any, spans: list[Span]) -> None:
        """Spans that do not fall on spaCy's tokens grow to them."""
        from spacy.tokens import SpanGroup
        from spacy.util import filter_spans

        placed = [
            (doc.char_span(span.start, span.end, label=span.label, alignment_mode="expand"), span.score)
            for span in spans
        ]
        group = SpanGroup(doc, name=self.spans_key, spans=[span for span, _ in placed])
        group.attrs["scores"] = [score for _, score in placed]
        doc.spans[self.spans_key] = group
        if self.set_ents:
            best = sorted(placed, key=lambda item: -item[1])
            doc.ents = filter_spans([span for span, _ in best])
