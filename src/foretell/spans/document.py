"""Texts and the spans in them, by character offsets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from foretell.errors import ForetellError


class DocumentError(ForetellError):
    """A document, a label or a file of documents cannot be used; the message names document and field."""


@dataclass(frozen=True, order=True)
class Span:
    """A labelled piece of a text.

    Attributes
    ----------
    start, end : int
        Characters of the text, from 0; ``end`` is not included, so that ``text[start:end]`` is the span.
    label : str
        What it is.
    score : float
        The smallest of the probabilities that it begins, ends and belongs together; 1 in gold data.
    text : str
        The characters themselves; empty in gold data that did not give them.

    Examples
    --------
    >>> Span(0, 3, "person", text="Ada").as_dict()
    {'start': 0, 'end': 3, 'label': 'person', 'score': 1.0, 'text': 'Ada'}
    """

    start: int
    end: int
    label: str
    score: float = 1.0
    text: str = ""

    @property
    def key(self) -> tuple[int, int, str]:
        """What has to agree for two spans to be the same."""
        return self.start, self.end, self.label

    def as_dict(self) -> dict[str, Any]:
        """Return the span as GLiNER's dictionaries have it."""
        return {"start": self.start, "end": self.end, "label": self.label, "score": self.score, "text": self.text}

    def covers(self, other: Span) -> bool:
        """Whether the other lies inside, and is not of the same extent."""
        same = (self.start, self.end) == (other.start, other.end)
        return self.start <= other.start and other.end <= self.end and not same

    def overlaps(self, other: Span) -> bool:
        """Whether they share a character."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True)
class LostSpan:
    """Gold that one run of characters cannot represent; it counts as missed in every score.

    Attributes
    ----------
    label : str
        Its label.
    reason : str
        Why, such as ``discontinuous: 3-8;12-20``.
    """

    label: str
    reason: str


@dataclass(frozen=True)
class Document:
    """A text, its gold or predicted spans, and gold that could not be represented.

    Attributes
    ----------
    text : str
        The characters that offsets count.
    spans : tuple of Span
        May nest and overlap.
    id : str
        Named in errors and outputs.
    lost : tuple of LostSpan
        Gold that is not in ``spans``.
    """

    text: str
    spans: tuple[Span, ...] = ()
    id: str = ""
    lost: tuple[LostSpan, ...] = ()


def check_document(document: Document, number: int = 0) -> None:
    """Refuse spans that are not in the text.

    Raises
    ------
    DocumentError
        Names the document, the span and what is wrong with it.
    """
    name = document.id or f"document {number}"
    if not isinstance(document.text, str):
        raise DocumentError(f"text is {type(document.text).__name__}, not a string", "decode it first", path=name)
    for index, span in enumerate(document.spans):
        where = f"spans[{index}] ({span.label!r})"
        if not isinstance(span.label, str) or not span.label:
            raise DocumentError(f"{where}: label is empty", "give every span a label", path=name)
        if not 0 <= span.start < span.end <= len(document.text):
            raise DocumentError(
                f"{where}: offsets {span.start} to {span.end} are not in the text of {len(document.text)} characters",
                "offsets count characters (not bytes or words) from 0, the end not included",
                path=name,
            )
        if span.text and span.text != document.text[span.start : span.end]:
            found = document.text[span.start : span.end]
            raise DocumentError(
                f"{where}: text is {span.text[:40]!r}, but characters {span.start} to {span.end} are {found[:40]!r}",
                "check that the offsets count characters of this very text",
                path=name,
            )


def as_documents(texts: Iterable[str | Document]) -> list[Document]:
    """Wrap plain strings, check the others.

    Raises
    ------
    DocumentError
        If an item is neither, or a span is not in its text.
    """
    documents = []
    for number, item in enumerate(texts):
        if not isinstance(item, str | Document):
            raise DocumentError(f"is {type(item).__name__}", "give strings or Documents", path=f"texts[{number}]")
        document = Document(item) if isinstance(item, str) else item
        check_document(document, number)
        documents.append(document)
    return documents


def check_labels(labels: dict[str, str] | Sequence[str]) -> dict[str, str]:
    """Labels with their descriptions; plain names describe themselves.

    Raises
    ------
    DocumentError
        If there are none, a name or description is empty, or two labels have one description.

    Examples
    --------
    >>> check_labels(["person"])
    {'person': 'person'}
    """
    if isinstance(labels, str):
        raise DocumentError("labels is a string", "give a dictionary of descriptions or a list of names")
    pairs = list(labels.items()) if isinstance(labels, dict) else [(name, name) for name in labels]
    if not pairs:
        raise DocumentError("labels is empty", "name at least one label")
    seen: dict[str, str] = {}
    for name, description in pairs:
        if not isinstance(name, str) or not name.strip():
            raise DocumentError(f"labels: {name!r} is not a name", "names are strings that are not empty")
        if not isinstance(description, str) or not description.strip():
            raise DocumentError(f"labels[{name!r}]: the description is empty", "say in a sentence what it means")
        twin = seen.setdefault(" ".join(description.split()).casefold(), name)
        if twin != name:
            raise DocumentError(
                f"labels[{name!r}]: has the description of {twin!r}", "say what tells them apart, or keep only one"
            )
    if len({name for name, _ in pairs}) < len(pairs):
        raise DocumentError("labels: a name occurs twice", "keep one of each")
    return dict(pairs)
