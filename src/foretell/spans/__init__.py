"""Spans read from text by what their labels mean: flat and nested entities, event triggers.

The model is LEAR (Yang et al., EMNLP 2021, arXiv 2111.00884): text and label descriptions are encoded apart and
fused by attention, so that a description costs its encoding once and not once per sentence.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from foretell.errors import ModelError

if TYPE_CHECKING:
    from foretell.spans.document import Document, DocumentError, LostSpan, Span
    from foretell.spans.evaluation import SpanReport, evaluate_spans
    from foretell.spans.extractor import SpanExtractor
    from foretell.spans.readers import read_documents
    from foretell.spans.settings import Settings

_HOMES = {
    "Document": "document",
    "DocumentError": "document",
    "LostSpan": "document",
    "Settings": "settings",
    "Span": "document",
    "SpanExtractor": "extractor",
    "SpanReport": "evaluation",
    "evaluate_spans": "evaluation",
    "read_documents": "readers",
}
__all__ = [
    "Document",
    "DocumentError",
    "LostSpan",
    "Settings",
    "Span",
    "SpanExtractor",
    "SpanReport",
    "evaluate_spans",
    "read_documents",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for only then: data formats and scores do not need torch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ModelError("spans need torch and transformers", "pip install 'foretell[spans]'") from error
