"""Reading documents from files: the format by name or by looking, errors with file, document and field."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal, get_args

from foretell.errors import ForetellError
from foretell.spans import brat, conll, jsonl
from foretell.spans.document import Document, DocumentError, LostSpan, Span

Format = Literal["conll", "brat", "jsonl", "spacy"]
_SUFFIXES: dict[str, Format] = {
    ".conll": "conll",
    ".bio": "conll",
    ".iob": "conll",
    ".iob2": "conll",
    ".tsv": "conll",
    ".ann": "brat",
    ".jsonl": "jsonl",
    ".jsonlines": "jsonl",
    ".json": "jsonl",
    ".spacy": "spacy",
}


def read_documents(path: str | Path, format: Format | None = None, *, encoding: str = "utf-8") -> list[Document]:
    """Read documents with their gold spans.

    Parameters
    ----------
    path : path
        A CoNLL file (one token per line, BIO columns last), a JSON lines file (GLiNER's or foretell's), a spaCy
        DocBin, a brat ``.ann`` file beside its ``.txt``, or a folder of brat documents or of files of one of these.
    format : {"conll", "brat", "jsonl", "spacy"}, optional
        Default: by the suffix; a ``.txt`` file is CoNLL if no ``.ann`` lies beside it.
    encoding : str
        Of text files.

    Returns
    -------
    list of Document

    Raises
    ------
    DocumentError
        Names file, document and field.
    """
    source = Path(path)
    if source.is_dir():
        return _read_folder(source, format, encoding)
    kind = format or guess_format(source)
    if kind not in get_args(Format):
        raise DocumentError(f"format {kind!r} is unknown", f"choose one of {', '.join(get_args(Format))}")
    try:
        if kind == "spacy":
            from foretell.spans.spacy_files import read_docbin

            return read_docbin(source)
        if kind == "brat":
            return [brat.read_pair(source.with_suffix(".txt"), encoding)]
        reader: Callable[[Iterable[str]], Iterator[Document]] = conll.parse if kind == "conll" else jsonl.parse
        with open_text(source, encoding) as lines:
            return list(reader(lines))
    except ForetellError as error:
        raise error.at(str(source)) from None


def guess_format(path: Path) -> Format:
    """Format of a file by its suffix.

    Raises
    ------
    DocumentError
        If the suffix tells nothing.
    """
    if path.suffix == ".txt":
        return "brat" if path.with_suffix(".ann").exists() or path.with_suffix(".a1").exists() else "conll"
    kind = _SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise DocumentError(
            f"its suffix {path.suffix!r} does not tell its format",
            f"name it: {', '.join(get_args(Format))}",
            path=str(path),
        )
    return kind


def _read_folder(folder: Path, format: Format | None, encoding: str) -> list[Document]:
    if format in (None, "brat"):
        texts = [path for path in sorted(folder.glob("*.txt")) if brat.annotations_of(path)]
        if texts or format == "brat":
            return [brat.read_pair(path, encoding) for path in texts]
    kinds = [format] if format else list(get_args(Format))
    documents: list[Document] = []
    for path in sorted(folder.iterdir()):
        if path.is_file() and _SUFFIXES.get(path.suffix.lower()) in kinds:
            documents += read_documents(path, format, encoding=encoding)
    if not documents:
        raise DocumentError("holds no documents", "name a file, or a folder of brat, CoNLL or JSON lines files").at(
            str(folder)
        )
    return documents


class open_text:  # noqa: N801 (used as a function)
    """Lines of a text file; a wrong encoding is an error that says where."""

    def __init__(self, path: str | Path, encoding: str = "utf-8") -> None:
        self._path, self._encoding = str(path), encoding

    def __enter__(self) -> Iterator[str]:
        self._file = open(self._path, "rb")
        return self._lines()

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _lines(self) -> Iterator[str]:
        wide = self._encoding.lower().replace("-", "").startswith(("utf16", "utf32"))
        if wide:
            yield from decode_text(self._file.read(), self._path, self._encoding).splitlines(keepends=True)
            return
        for number, line in enumerate(self._file, 1):
            if number == 1 and self._encoding.lower() in ("utf-8", "utf8"):
                line = line.removeprefix(b"\xef\xbb\xbf")
            yield decode_text(line, self._path, self._encoding, number)


def decode_text(raw: bytes, path: str, encoding: str = "utf-8", line: int = 0) -> str:
    """Decode bytes, or say which of them is wrong."""
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as error:
        where = f"line {line}: " if line else ""
        raise DocumentError(
            f"{where}is not {encoding} (byte {error.start} is 0x{raw[error.start]:02x})",
            "name its encoding, such as encoding='latin-1' (--encoding latin-1)",
            path=path,
        ) from None
    except LookupError:
        raise DocumentError(
            f"encoding {encoding!r} is unknown", "choose one that Python knows, such as utf-8"
        ) from None


def keep_outermost(document: Document) -> Document:
    """Make gold fit for a model without match head: of overlapping spans of one label the longest stays.

    The others become lost, so that they still count as missed.
    """
    kept: list[Span] = []
    lost = list(document.lost)
    for span in sorted(document.spans, key=lambda span: (span.start - span.end, span.start)):
        if any(span.label == other.label and span.overlaps(other) for other in kept):
            lost.append(LostSpan(span.label, f"overlaps: {span.start}-{span.end}"))
        else:
            kept.append(span)
    return Document(document.text, tuple(sorted(kept)), document.id, tuple(lost))
