"""FLAC files turned into WAV files of the same samples and tags, for those who keep samples rather than files."""

from __future__ import annotations

import hashlib
import io
import struct
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.audio.pcm import MOST_CHANNELS
from foretell.errors import ForetellError

SIGNATURE: Final = b"fLaC"
_STREAMINFO, _PADDING, _SEEKTABLE, _COMMENT = 0, 1, 3, 4
_MOST_BYTES: Final = (1 << 32) - (1 << 26)
"""Most bytes of samples that a WAV file with tags holds here."""
_INFO = {
    "TITLE": b"INAM",
    "ARTIST": b"IART",
    "ALBUM": b"IPRD",
    "DATE": b"ICRD",
    "GENRE": b"IGNR",
    "TRACKNUMBER": b"ITRK",
    "COPYRIGHT": b"ICOP",
    "COMMENT": b"ICMT",
    "DESCRIPTION": b"ICMT",
}
"""Names of Vorbis comments, and the chunks that say the same in WAV files."""


@dataclass(frozen=True)
class FlacInfo:
    """What a FLAC file says of its samples, and its metadata blocks (kind, content)."""

    rate: int
    channels: int
    bits: int
    samples: int
    digest: bytes
    blocks: tuple[tuple[int, bytes], ...]


def to_wav(data: bytes) -> bytes:
    """WAV file with the samples and the metadata of a FLAC file.

    Known tags become an ``INFO`` list; all metadata blocks but padding and seek points, which are of no use without the
    FLAC stream, follow verbatim in a chunk ``flac``. The samples are decoded by libsndfile (``pip install
    'foretell[audio]'``) and checked against the MD5 digest that the file holds.

    Raises
    ------
    ForetellError
        If the data is no FLAC file, is damaged, or has more samples than a WAV file holds.
    """
    info = parse_flac(data)
    width = (info.bits + 7) // 8
    if not info.samples or info.samples * info.channels * width > _MOST_BYTES:
        raise _refusal("has no length, or is too long for a WAV file")
    values = _decode(data, info)
    digest = hashlib.md5(_bytes(values, width, signed=True), usedforsecurity=False).digest()
    if any(info.digest) and digest != info.digest:
        raise _refusal("its samples differ from the digest that it holds")
    samples = _bytes(values << (8 * width - info.bits), width, signed=width > 1)
    chunks = _chunk(b"fmt ", _format(info, width)) + _chunk(b"data", samples)
    chunks += _tags(info) + _chunk(b"flac", SIGNATURE + _kept(info))
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def parse_flac(data: bytes) -> FlacInfo:
    """Metadata of a FLAC file.

    Raises
    ------
    ForetellError
        If it is none or is cut off.
    """
    if not data.startswith(SIGNATURE):
        raise _refusal("is no FLAC file")
    blocks: list[tuple[int, bytes]] = []
    at, last = 4, False
    while not last:
        if at + 4 > len(data):
            raise _refusal("is cut off")
        last, kind = bool(data[at] & 128), data[at] & 127
        size = int.from_bytes(data[at + 1 : at + 4], "big")
        if at + 4 + size > len(data):
            raise _refusal("is cut off")
        blocks.append((kind, data[at + 4 : at + 4 + size]))
        at += 4 + size
    kind, first = blocks[0]
    if kind != _STREAMINFO or len(first) != 34:
        raise _refusal("does not begin with what it holds")
    packed = int.from_bytes(first[10:18], "big")
    rate, channels, bits = packed >> 44, (packed >> 41 & 7) + 1, (packed >> 36 & 31) + 1
    if rate == 0 or channels > MOST_CHANNELS or bits < 4:
        raise _refusal("says impossible things of its samples")
    return FlacInfo(rate, channels, bits, packed & (1 << 36) - 1, first[18:34], tuple(blocks))


def _refusal(what: str) -> ForetellError:
    return ForetellError(what, "pack it without --samples")


def _decode(data: bytes, info: FlacInfo) -> NDArray[np.int32]:
    """Samples, shape (time, channels)."""
    try:
        import soundfile
    except ImportError as error:
        raise ForetellError("FLAC files need soundfile", "pip install 'foretell[audio]'") from error
    try:
        values: NDArray[Any]
        values, _ = soundfile.read(io.BytesIO(data), frames=info.samples, dtype="int32", always_2d=True)
    except (RuntimeError, OSError) as error:
        raise _refusal("is damaged") from error
    if values.shape != (info.samples, info.channels):
        raise _refusal("holds fewer samples than it says")
    return np.asarray(values >> (32 - info.bits), np.int32)


def _bytes(values: NDArray[np.int32], width: int, *, signed: bool) -> bytes:
    raised = values if signed else values + (1 << (8 * width - 1))
    octets = np.ascontiguousarray(raised, "<i4").view(np.uint8).reshape(-1, 4)
    return octets[:, :width].tobytes()


def _format(info: FlacInfo, width: int) -> bytes:
    """Content of ``fmt``: the extensible one where a sample has fewer bits than its bytes, or channels want names."""
    block = info.channels * width
    plain = info.bits == 8 * width and info.channels <= 2
    usual = struct.pack(
        "<HHIIHH", 1 if plain else 0xFFFE, info.channels, info.rate, info.rate * block & 0xFFFFFFFF, block, 8 * width
    )
    if plain:
        return usual
    return usual + struct.pack("<HHIH", 22, info.bits, 0, 1) + bytes.fromhex("000000001000800000aa00389b71")


def _chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) & 1)


def _kept(info: FlacInfo) -> bytes:
    """Metadata blocks as in a FLAC file."""
    kept = [block for block in info.blocks if block[0] not in (_PADDING, _SEEKTABLE)]
    heads = [kind | 128 * (number == len(kept) - 1) for number, (kind, _) in enumerate(kept)]
    return b"".join(
        bytes([head]) + len(content).to_bytes(3, "big") + content
        for head, (_, content) in zip(heads, kept, strict=True)
    )


def _tags(info: FlacInfo) -> bytes:
    """The ``INFO`` list of known comments; nothing if there are none."""
    entries = b""
    for kind, content in info.blocks:
        for name, value in _comments(content) if kind == _COMMENT else ():
            if name in _INFO:
                entries += _chunk(_INFO[name], value + b"\0")
    return _chunk(b"LIST", b"INFO" + entries) if entries else b""


def _comments(block: bytes) -> list[tuple[str, bytes]]:
    """Names (upper case) and values (UTF-8) of a block of Vorbis comments; what is damaged is left out."""
    found: list[tuple[str, bytes]] = []
    try:
        (size,) = struct.unpack_from("<I", block, 0)
        (count,) = struct.unpack_from("<I", block, 4 + size)
        at = 8 + size
        for _ in range(min(count, len(block) // 4)):
            (size,) = struct.unpack_from("<I", block, at)
            name, _, value = block[at + 4 : at + 4 + size].partition(b"=")
            found.append((name.decode("ascii", "replace").upper(), value))
            at += 4 + size
    except struct.error:
        pass
    return found
