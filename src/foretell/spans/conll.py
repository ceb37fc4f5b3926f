"""CoNLL files: a token and its tags per line, an empty line between sentences.

Tags are BIO (IOB2), IOB1 or BIOES, in the last column, or in several columns for nested spans (each column one
layer). Columns are parted by tabs, or by spaces where a line has no tab. The text of a sentence is its tokens
joined by single spaces.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from foretell.spans.document import Document, DocumentError, Span

_TAG = re.compile(r"([BIOESLUM])(?:[-_](.+))?")


def parse(lines: Iterable[str]) -> Iterator[Document]:
    r"""Sentences of a CoNLL file.

    Raises
    ------
    DocumentError
        Names the line that has no tag or no known tag.

    Examples
    --------
    >>> [sentence] = parse(["Ada\tB-PER\n", "Lovelace\tI-PER\n", "wrote\tO\n"])
    >>> sentence.text, [(span.start, span.end, span.label) for span in sentence.spans]
    ('Ada Lovelace wrote', [(0, 12, 'PER')])
    """
    rows: list[tuple[str, list[str]]] = []
    number = 0
    for line_number, line in enumerate(lines, 1):
        fields = _fields(line)
        if fields and fields[0] == "-DOCSTART-":
            continue
        if fields:
            rows.append(_row(fields, line_number))
        elif rows:
            yield _sentence(rows, number)
            rows, number = [], number + 1
    if rows:
        yield _sentence(rows, number)


def _fields(line: str) -> list[str]:
    line = line.rstrip("\r\n")
    if not line.strip():
        return []
    fields = line.split("\t") if "\t" in line else line.split()
    while fields and not fields[-1].strip():
        fields.pop()
    return [field.strip() for field in fields]


def _row(fields: list[str], number: int) -> tuple[str, list[str]]:
    """A token and its tags: the last columns that all look like tags."""
    tags: list[str] = []
    for field in reversed(fields[1:]):
        if not _TAG.fullmatch(field):
            break
        tags.insert(0, field)
    if not tags:
        what = f"has no tag after {fields[0][:40]!r}" if len(fields) < 2 else f"{fields[-1][:40]!r} is no BIO tag"
        raise DocumentError(f"line {number}: {what}", "tags are O, B-LABEL or I-LABEL, in the last column")
    return fields[0], tags


def _sentence(rows: list[tuple[str, list[str]]], number: int) -> Document:
    starts, ends, position = [], [], 0
    for token, _ in rows:
        starts.append(position)
        ends.append(position + len(token))
        position += len(token) + 1
    layers = min(len(tags) for _, tags in rows)
    text = " ".join(token for token, _ in rows)
    found = {
        (starts[first], ends[last], label)
        for layer in range(layers)
        for first, last, label in chunks([tags[len(tags) - layers + layer] for _, tags in rows])
    }
    spans = tuple(Span(start, end, label, text=text[start:end]) for start, end, label in sorted(found))
    return Document(text, spans, f"sentence {number}")


def chunks(tags: list[str]) -> list[tuple[int, int, str]]:
    """First token, last token and label of each chunk of one layer of tags.

    An I that follows no chunk of its label begins one, as in IOB1 and as conlleval counts.

    Examples
    --------
    >>> chunks(["B-PER", "I-PER", "O", "I-LOC", "B-LOC", "S-PER"])
    [(0, 1, 'PER'), (3, 3, 'LOC'), (4, 4, 'LOC'), (5, 5, 'PER')]
    """
    found: list[tuple[int, int, str]] = []
    open_label, first = "", 0
    for index, tag in enumerate([*tags, "O"]):
        match = _TAG.fullmatch(tag)
        kind, label = (match[1], match[2] or "") if match else ("O", "")
        goes_on = kind in "IEM" and label == open_label and open_label != ""
        if open_label and not goes_on:
            found.append((first, index - 1, open_label))
            open_label = ""
        if kind != "O" and not goes_on and label:
            open_label, first = label, index
        if open_label and kind in "ESLU":
            found.append((first, index, open_label))
            open_label = ""
    return found
