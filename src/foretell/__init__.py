"""foretell: what a model can foretell need not be stored.

Examples
--------
>>> import foretell
>>> archive = foretell.compress(b"what a model can foretell " * 9, level=1)
>>> foretell.decompress(archive) == b"what a model can foretell " * 9
True
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0.dev0"

if TYPE_CHECKING:
    from foretell.archive.pack import compress, pack_stream
    from foretell.archive.seek import open_archive as open
    from foretell.archive.unpack import decompress, unpack_stream
    from foretell.codecs.audio.arrays import compress_audio, decompress_audio
    from foretell.codecs.image.arrays import compress_image, decompress_image
    from foretell.dependence import DependencyGraph, metric_interval
    from foretell.drafts.generate import generate
    from foretell.errors import (
        ArchiveError,
        CorruptArchiveError,
        ForetellError,
        MemoryLimitError,
        MissingModelError,
        ModelError,
        UnsupportedVersionError,
        VerificationError,
    )
    from foretell.networked import PairGraph, leaderboard, networked_weights, pair_interval
    from foretell.spans.document import Document, Span
    from foretell.spans.extractor import SpanExtractor

__all__ = [
    "ArchiveError",
    "CorruptArchiveError",
    "DependencyGraph",
    "Document",
    "ForetellError",
    "MemoryLimitError",
    "MissingModelError",
    "ModelError",
    "PairGraph",
    "Span",
    "SpanExtractor",
    "UnsupportedVersionError",
    "VerificationError",
    "compress",
    "compress_audio",
    "compress_image",
    "decompress",
    "decompress_audio",
    "decompress_image",
    "generate",
    "leaderboard",
    "metric_interval",
    "networked_weights",
    "open",
    "pack_stream",
    "pair_interval",
    "unpack_stream",
]

_HOMES = {
    "DependencyGraph": ("foretell.dependence", "DependencyGraph"),
    "metric_interval": ("foretell.dependence", "metric_interval"),
    "compress": ("foretell.archive.pack", "compress"),
    "pack_stream": ("foretell.archive.pack", "pack_stream"),
    "decompress": ("foretell.archive.unpack", "decompress"),
    "compress_image": ("foretell.codecs.image.arrays", "compress_image"),
    "decompress_image": ("foretell.codecs.image.arrays", "decompress_image"),
    "unpack_stream": ("foretell.archive.unpack", "unpack_stream"),
    "open": ("foretell.archive.seek", "open_archive"),
    "compress_audio": ("foretell.codecs.audio.arrays", "compress_audio"),
    "decompress_audio": ("foretell.codecs.audio.arrays", "decompress_audio"),
    "Document": ("foretell.spans", "Document"),
    "Span": ("foretell.spans", "Span"),
    "SpanExtractor": ("foretell.spans", "SpanExtractor"),
    "PairGraph": ("foretell.networked", "PairGraph"),
    "leaderboard": ("foretell.networked", "leaderboard"),
    "networked_weights": ("foretell.networked", "networked_weights"),
    "pair_interval": ("foretell.networked", "pair_interval"),
    "generate": ("foretell.drafts.generate", "generate"),
}


def __getattr__(name: str) -> Any:
    """Import what is asked for only then, so that ``import foretell`` stays light."""
    if name not in __all__:
        raise AttributeError(f"module 'foretell' has no attribute {name!r}")
    module, attribute = _HOMES.get(name, ("foretell.errors", name))
    value = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
