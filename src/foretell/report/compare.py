"""foretell against other compressors on the same bytes, in memory, each restored and compared."""

from __future__ import annotations

import bz2
import gzip
import importlib
import lzma
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from foretell.archive.pack import compress
from foretell.archive.unpack import decompress
from foretell.codecs.base import DEFAULT_LEVEL, CodecChoice

Pair = tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]


@dataclass(frozen=True)
class Row:
    """Result of one compressor: packed size in bytes, speeds in 1000 bytes of the original a second."""

    name: str
    bytes: int
    ratio: float
    bits_per_byte: float
    pack_kbps: float
    unpack_kbps: float
    restored: bool


def compare(
    data: bytes, *, level: int = DEFAULT_LEVEL, model: str | None = None, codec: CodecChoice = "auto"
) -> Iterator[Row]:
    """Rows of gzip, bzip2, xz, zstd and brotli where installed, and foretell.

    Parameters
    ----------
    data : bytes
        What to compress.
    level, model, codec
        As for :func:`foretell.compress`.
    """
    for name, pair in _others().items():
        yield measure(name, data, pair)

    def pack(raw: bytes) -> bytes:
        return compress(raw, level=level, model=model, codec=codec)

    decompress(pack(data[:4096]))  # loads models and compiles, which is not what is to be timed
    yield measure(f"foretell -{level}", data, (pack, decompress))


def measure(name: str, data: bytes, pair: Pair) -> Row:
    """Pack and unpack once, timed."""
    pack, unpack = pair
    begin = time.perf_counter()
    packed = pack(data)
    middle = time.perf_counter()
    restored = unpack(packed) == data
    end = time.perf_counter()
    size = max(len(data), 1)
    return Row(
        name=name,
        bytes=len(packed),
        ratio=round(len(data) / len(packed), 4),
        bits_per_byte=round(8 * len(packed) / size, 4),
        pack_kbps=round(len(data) / (middle - begin) / 1000, 3),
        unpack_kbps=round(len(data) / (end - middle) / 1000, 3),
        restored=restored,
    )


def _others() -> dict[str, Pair]:
    pairs: dict[str, Pair] = {
        "gzip -9": (lambda raw: gzip.compress(raw, 9), gzip.decompress),
        "bzip2 -9": (lambda raw: bz2.compress(raw, 9), bz2.decompress),
        "xz -9e": (lambda raw: lzma.compress(raw, preset=9 | lzma.PRESET_EXTREME), lzma.decompress),
    }
    zstd = _optional("zstandard")
    if zstd:
        pairs["zstd -19"] = (zstd.ZstdCompressor(level=19).compress, zstd.ZstdDecompressor().decompress)
    brotli = _optional("brotli")
    if brotli:
        pairs["brotli -11 -w24"] = (lambda raw: brotli.compress(raw, quality=11, lgwin=24), brotli.decompress)
    return pairs


def _optional(name: str):  # type: ignore[no-untyped-def]
    """Return a module, or None where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
