"""spaCy's DocBin files: entities and span groups by character offsets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from foretell.errors import ModelError
from foretell.spans.document import Document, DocumentError, Span


def require_spacy() -> Any:
    """Import spaCy, or say how to get it."""
    try:
        import spacy
        import spacy.tokens
    except ImportError as error:
        raise ModelError("this needs spaCy", "pip install 'foretell[spacy]'") from error
    return spacy


def read_docbin(path: Path, key: str = "sc") -> list[Document]:
    """Read a ``.spacy`` file; entities, and the spans of the group ``key``.

    Raises
    ------
    DocumentError
        If the file is no DocBin.
    """
    spacy = require_spacy()
    try:
        box = spacy.tokens.DocBin(store_user_data=False).from_bytes(path.read_bytes())
        docs = list(box.get_docs(spacy.blank("xx").vocab))
    except OSError:
        raise
    except Exception as error:  # msgpack, zlib and spaCy each raise their own
        raise DocumentError(f"is no DocBin ({type(error).__name__})", "write it with spacy.tokens.DocBin") from None
    return [document_from_doc(doc, f"document {number}", key) for number, doc in enumerate(docs)]


def document_from_doc(doc: Any, name: str, key: str = "sc") -> Document:
    """Document of a spaCy Doc."""
    found = {(span.start_char, span.end_char, span.label_) for span in doc.ents}
    if key in doc.spans:
        found |= {(span.start_char, span.end_char, span.label_) for span in doc.spans[key]}
    return Document(doc.text, tuple(Span(*item) for item in sorted(found) if item[1] > item[0]), name)
