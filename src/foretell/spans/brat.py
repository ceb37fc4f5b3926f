"""brat standoff: a ``.txt`` file and an ``.ann`` file (or ``.a1`` and ``.a2``) with text-bound annotations.

Lines ``T1<TAB>Person 0 3<TAB>Ada`` are read; relations, events, attributes and notes are passed over. Discontinuous
annotations, ``T1<TAB>Person 0 3;8 12<TAB>...``, become lost spans, which count as missed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from foretell.spans.document import Document, DocumentError, LostSpan, Span, check_document

_BOUND = re.compile(r"(T\S*)\t(\S+) (\d+ \d+(?:;\d+ \d+)*)(?:\t(.*))?")
_ANNOTATIONS = (".ann", ".a1", ".a2")
_NOT_IN_LABELS = re.compile(r"[^\w-]")


def annotations_of(text: Path) -> list[Path]:
    """Annotation files beside a text."""
    return [path for suffix in _ANNOTATIONS if (path := text.with_suffix(suffix)).exists()]


def read_pair(text: Path, encoding: str = "utf-8") -> Document:
    """Read a text and its annotations.

    Raises
    ------
    DocumentError
        If a file is missing, or an annotation does not fit the text.
    """
    from foretell.spans.readers import decode_text

    files = annotations_of(text)
    if not files or not text.exists():
        raise DocumentError("brat needs a .txt file and an .ann file beside it", "name either", path=str(text))
    content = decode_text(text.read_bytes(), str(text), encoding).replace("\r\n", "\n")
    lines = [line for path in files for line in decode_text(path.read_bytes(), str(path), encoding).split("\n")]
    return parse(content, lines, str(text))


def parse(text: str, lines: Iterable[str], name: str) -> Document:
    r"""Document of a text and the lines of its annotations.

    Examples
    --------
    >>> document = parse("Ada wrote.", ["T1\tPerson 0 3\tAda", "T2\tVerb 4 6;8 9\twr te"], "a.txt")
    >>> len(document.spans), document.lost
    (1, (LostSpan(label='Verb', reason='discontinuous: 4-6;8-9'),))
    """
    spans, lost = [], []
    for number, line in enumerate(lines, 1):
        if not line.startswith("T"):
            continue
        match = _BOUND.fullmatch(line.rstrip("\r\n"))
        if not match:
            raise DocumentError(f"annotation {number}: {line[:60]!r} cannot be read", "see brat's standoff", path=name)
        parts = [tuple(map(int, part.split())) for part in match[3].split(";")]
        if len(parts) > 1 and any(text[a[1] : b[0]].strip(" ") for a, b in pairwise(parts)):
            places = ";".join(f"{start}-{end}" for start, end in parts)
            lost.append(LostSpan(match[2], f"discontinuous: {places}"))
            continue
        start, end = parts[0][0], parts[-1][1]
        given = (match[4] or "") if len(parts) == 1 else ""
        # brat writes line breaks inside an annotation as spaces.
        seen = text[start:end] if given == text[start:end].replace("\n", " ") else given
        spans.append(Span(start, end, match[2], text=seen))
    document = Document(text, tuple(spans), name, tuple(lost))
    check_document(document)
    return document


def annotation_lines(spans: Iterable[Span]) -> list[str]:
    """Lines of an ``.ann`` file; what brat does not allow in labels becomes an underscore."""
    lines = []
    for number, span in enumerate(spans, 1):
        label = _NOT_IN_LABELS.sub("_", span.label)
        text = span.text.replace("\r", " ").replace("\n", " ")
        lines.append(f"T{number}\t{label} {span.start} {span.end}\t{text}\n")
    return lines
