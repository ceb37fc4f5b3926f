"""JSON lines, one document per line.

foretell's own format counts characters, the end not included; ``text`` in a span is checked if it is there::

    {"id": "a", "text": "Ada wrote.", "spans": [{"start": 0, "end": 3, "label": "person", "text": "Ada"}]}

GLiNER's format counts tokens, the end included; the text is the tokens joined by spaces::

    {"tokenized_text": ["Ada", "wrote", "."], "ner": [[0, 0, "person"]]}
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from foretell.spans.document import Document, DocumentError, LostSpan, Span, check_document


def parse(lines: Iterable[str]) -> Iterator[Document]:
    """Documents of JSON lines; a file that is one JSON array of objects is read too.

    Raises
    ------
    DocumentError
        Names the line and the field.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            if number == 1 and line.lstrip().startswith("["):
                yield from _parse_array(line, lines)
                return
            raise DocumentError(f"line {number}: is not JSON ({error})", "put one JSON object on each line") from None
        except RecursionError:
            raise DocumentError(f"line {number}: nests too deeply", "put one flat JSON object on each line") from None
        if number == 1 and isinstance(record, list):
            yield from (document_of(item, f"item {index}") for index, item in enumerate(record))
            return
        yield document_of(record, f"line {number}")


def _parse_array(first: str, rest: Iterable[str]) -> Iterator[Document]:
    try:
        records = json.loads(first + "".join(rest))
    except ValueError as error:
        raise DocumentError(f"is not JSON ({error})", "put one JSON object on each line") from None
    for index, record in enumerate(records):
        yield document_of(record, f"item {index}")


def document_of(record: Any, where: str) -> Document:
    """Read the document of a JSON object in either format."""
    if not isinstance(record, dict):
        raise DocumentError(f"{where}: is {type(record).__name__}, not an object", "see the guide for the formats")
    if "tokenized_text" in record:
        document = _from_tokens(record, where)
    elif isinstance(record.get("text"), str):
        spans = tuple(_span(item, f"{where}: spans[{i}]") for i, item in enumerate(_list(record, "spans", where)))
        lost = tuple(_lost(item, f"{where}: lost[{i}]") for i, item in enumerate(_list(record, "lost", where)))
        document = Document(record["text"], spans, str(record.get("id", where)), lost)
    else:
        raise DocumentError(f"{where}: has neither text nor tokenized_text", "see the guide for the formats")
    try:
        check_document(document)
    except DocumentError as error:
        raise DocumentError(f"{where}: {error.what}", error.remedy) from None
    return document


def _list(record: dict[str, Any], key: str, where: str) -> list[Any]:
    value = record.get(key) or []
    if not isinstance(value, list):
        raise DocumentError(f"{where}: {key} is {type(value).__name__}, not a list", "see the guide for the formats")
    return value


def _span(item: Any, where: str) -> Span:
    if isinstance(item, list | tuple) and len(item) == 3:
        item = dict(zip(("start", "end", "label"), item, strict=True))
    if not isinstance(item, dict):
        raise DocumentError(f"{where}: is not an object", "spans have start, end and label")
    for key, kind in (("start", int), ("end", int), ("label", str)):
        if not isinstance(item.get(key), kind) or isinstance(item.get(key), bool):
            raise DocumentError(f"{where}: {key} is {item.get(key)!r}", f"give {key} as {kind.__name__}")
    text = item.get("text", "")
    score = item.get("score", 1.0)
    if not isinstance(score, int | float):
        raise DocumentError(f"{where}: score is {score!r}", "give a number")
    return Span(item["start"], item["end"], item["label"], float(score), text if isinstance(text, str) else "")


def _lost(item: Any, where: str) -> LostSpan:
    if not isinstance(item, dict) or not isinstance(item.get("label"), str):
        raise DocumentError(f"{where}: has no label", "lost spans have label and reason")
    return LostSpan(item["label"], str(item.get("reason", "")))


def _from_tokens(record: dict[str, Any], where: str) -> Document:
    tokens = record["tokenized_text"]
    if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
        raise DocumentError(f"{where}: tokenized_text is not a list of strings", "see the guide for the formats")
    starts, ends, position = [], [], 0
    for token in tokens:
        starts.append(position)
        ends.append(position + len(token))
        position += len(token) + 1
    spans = []
    for index, item in enumerate(_list(record, "ner", where)):
        span = _span(item, f"{where}: ner[{index}]")
        if not 0 <= span.start <= span.end < len(tokens):
            raise DocumentError(
                f"{where}: ner[{index}]: tokens {span.start} to {span.end} are not among {len(tokens)}",
                "GLiNER's offsets count tokens from 0, the end included",
            )
        spans.append(Span(starts[span.start], ends[span.end], span.label))
    return Document(" ".join(tokens), tuple(spans), str(record.get("id", where)))


def to_record(document: Document, spans: Iterable[Span], *, with_text: bool = True) -> dict[str, Any]:
    """Return the JSON object of a document with predicted spans, in foretell's own format."""
    record: dict[str, Any] = {"id": document.id}
    if with_text:
        record["text"] = document.text
    record["spans"] = [span.as_dict() for span in spans]
    return record
