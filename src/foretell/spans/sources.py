"""What ``predict`` reads: texts, JSON lines, folders of them, and archives, one document after the other."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Literal

from foretell.errors import ForetellError
from foretell.spans import jsonl
from foretell.spans.document import Document, DocumentError
from foretell.spans.readers import decode_text

By = Literal["file", "line"]
LARGEST_TEXT = 1 << 26
"""Most bytes of a text that is one document; larger ones can be read by line."""
_READ = (".txt", ".md", ".text", ".jsonl", ".jsonlines", ".fore")


def documents_in(path: str, *, by: By = "file", encoding: str = "utf-8") -> Iterator[Document]:
    """Documents of a file, a folder (with all below it) or standard input (``-``).

    Parameters
    ----------
    path : str
        JSON lines give a document per line; a ``.fore`` archive is read as what its name without ``.fore`` says;
        anything else is text.
    by : {"file", "line"}
        Whether a text is one document, or each of its lines that is not empty; offsets count from its beginning.
    encoding : str
        Of texts.

    Raises
    ------
    DocumentError
        If a text is too large, has another encoding, or a line is no document.
    """
    if path == "-":
        yield from _from_stream(sys.stdin.buffer, "standard input", by, encoding)
        return
    source = Path(path)
    if source.is_dir():
        files = [file for file in sorted(source.rglob("*")) if file.is_file() and file.suffix.lower() in _READ]
        if not files:
            raise DocumentError("holds no texts, JSON lines or archives", f"known are {', '.join(_READ)}", path=path)
        for file in files:
            yield from documents_in(str(file), by=by, encoding=encoding)
        return
    if source.suffix == ".fore":
        from foretell.archive.seek import open_archive

        with open_archive(source) as archive:
            yield from _named(archive, path, path.removesuffix(".fore"), by, encoding)
        return
    with source.open("rb") as file_:
        yield from _named(file_, path, path, by, encoding)


def _named(file: BinaryIO | io.BufferedReader, path: str, name: str, by: By, encoding: str) -> Iterator[Document]:
    if not name.lower().endswith((".jsonl", ".jsonlines")):
        yield from _from_stream(file, path, by, encoding)
        return
    lines = (decode_text(line, path, encoding, number) for number, line in enumerate(file, 1))
    try:
        yield from jsonl.parse(lines)
    except ForetellError as error:
        raise error.at(path) from None


def _from_stream(file: BinaryIO | io.BufferedReader, path: str, by: By, encoding: str) -> Iterator[Document]:
    if by == "line":
        for number, line in enumerate(file, 1):
            text = decode_text(line, path, encoding, number).rstrip("\r\n")
            if text.strip():
                yield Document(text, id=f"{path}:{number}")
        return
    raw = file.read(LARGEST_TEXT + 1)
    if len(raw) > LARGEST_TEXT:
        raise DocumentError(
            f"is larger than {LARGEST_TEXT >> 20} MiB", "read it by line (--by line), or cut it", path=path
        )
    yield Document(decode_text(raw, path, encoding), id=path)
