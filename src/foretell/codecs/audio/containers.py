"""Where the samples lie in WAV, RF64, AIFF, AU and CAF files.

Only the place and the format of the samples are read; every byte around them is kept as it is. Sizes in headers
are not believed: what follows the last byte of a stream does not exist, and what no header explains is left to
other codecs.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from foretell.codecs.audio.pcm import PcmFormat

ENDLESS = 1 << 62
"""End of samples that go on to the end of the stream."""
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE


@dataclass(frozen=True)
class Sound:
    """Samples in a stream: first byte, end (not included), format."""

    start: int
    end: int
    form: PcmFormat

    def within(self, start: int, end: int) -> tuple[int, int]:
        """Part of the stream's range from ``start`` to ``end`` that is samples, relative to ``start``."""
        first, last = min(max(self.start, start), end), min(max(self.end, start), end)
        return first - start, last - start


def find_sound(head: bytes) -> Sound | None:
    """Samples of a stream that begins with ``head``; None if it is no sound that the codec knows.

    >>> find_sound(b"no sound") is None
    True
    """
    reader = _READERS.get(head[:4])
    if reader is None:
        return None
    try:
        sound = reader(head)
    except struct.error:
        return None
    return sound if sound and sound.form.supported and sound.start < sound.end else None


def _chunks(head: bytes, at: int, layout: str) -> Iterator[tuple[bytes, int, int]]:
    """Name, first byte and claimed size of chunks; odd sizes are padded."""
    size_of = struct.calcsize(layout)
    while at + 4 + size_of <= len(head):
        (size,) = struct.unpack_from(layout, head, at + 4)
        yield head[at : at + 4], at + 4 + size_of, size
        at += 4 + size_of + size + (size & 1)


def _wav(head: bytes) -> Sound | None:
    if head[8:12] != b"WAVE":
        return None
    form: PcmFormat | None = None
    large = -1
    for name, at, size in _chunks(head, 12, "<I"):
        if name == b"ds64":
            (large,) = struct.unpack_from("<Q", head, at + 8)
        elif name == b"fmt ":
            form = _wav_format(head, at, size)
        elif name == b"data":
            if size == 0xFFFFFFFF:
                size = large if large >= 0 else 0
            return Sound(at, at + size if size else ENDLESS, form) if form else None
    return None


def _wav_format(head: bytes, at: int, size: int) -> PcmFormat | None:
    tag, channels, rate, _, block, bits = struct.unpack_from("<HHIIHH", head, at)
    if tag == _EXTENSIBLE and size >= 26:
        (tag,) = struct.unpack_from("<H", head, at + 24)
    if tag not in (_PCM, _FLOAT) or not channels or block % channels:
        return None
    width = block // channels
    if bits > 8 * width:
        return None
    return PcmFormat(channels, width, rate, signed=width > 1, floating=tag == _FLOAT)


def _aiff(head: bytes) -> Sound | None:
    if head[8:12] not in (b"AIFF", b"AIFC"):
        return None
    form: PcmFormat | None = None
    place: tuple[int, int] | None = None
    for name, at, size in _chunks(head, 12, ">I"):
        if name == b"COMM":
            form = _aiff_format(head, at, size)
        elif name == b"SSND":
            (offset,) = struct.unpack_from(">I", head, at)
            place = at + 8 + offset, at + size
        if form and place:
            return Sound(*place, form)
    return None


def _aiff_format(head: bytes, at: int, size: int) -> PcmFormat | None:
    channels, _, bits, exponent, mantissa = struct.unpack_from(">hIhHQ", head, at)
    kind = head[at + 18 : at + 22] if size >= 22 else b"NONE"
    shift = 16383 + 63 - exponent
    rate = mantissa >> shift if 0 <= shift < 64 else 0
    if kind not in (b"NONE", b"twos", b"sowt", b"fl32", b"FL32", b"raw "):
        return None
    return PcmFormat(
        channels,
        (bits + 7) // 8,
        rate,
        signed=kind != b"raw ",
        big_endian=kind != b"sowt",
        floating=kind.lower() == b"fl32",
    )


def _au(head: bytes) -> Sound | None:
    start, size, encoding, rate, channels = struct.unpack_from(">5I", head, 4)
    widths = {2: 1, 3: 2, 4: 3, 5: 4, 6: 4}
    if encoding not in widths or start < 24:
        return None
    end = ENDLESS if size == 0xFFFFFFFF else start + size
    return Sound(start, end, PcmFormat(channels, widths[encoding], rate, big_endian=True, floating=encoding == 6))


def _caf(head: bytes) -> Sound | None:
    form: PcmFormat | None = None
    for name, at, size in _chunks_of_caf(head):
        if name == b"desc":
            form = _caf_format(head, at)
        elif name == b"data":
            return Sound(at + 4, ENDLESS if size < 0 else at + size, form) if form else None
    return None


def _chunks_of_caf(head: bytes) -> Iterator[tuple[bytes, int, int]]:
    at = 8
    while at + 12 <= len(head):
        (size,) = struct.unpack_from(">q", head, at + 4)
        yield head[at : at + 4], at + 12, size
        if size < 0:
            return
        at += 12 + size


def _caf_format(head: bytes, at: int) -> PcmFormat | None:
    rate, kind, flags, packet, frames, channels, bits = struct.unpack_from(">d4sIIIII", head, at)
    if kind != b"lpcm" or frames != 1 or not channels or packet % channels or not 1 <= rate < 2**32:
        return None
    width = packet // channels
    if bits > 8 * width:
        return None
    return PcmFormat(channels, width, int(rate), big_endian=not flags & 2, floating=bool(flags & 1))


_READERS: dict[bytes, Callable[[bytes], Sound | None]] = {
    b"RIFF": _wav,
    b"RF64": _wav,
    b"BW64": _wav,
    b"FORM": _aiff,
    b".snd": _au,
    b"caff": _caf,
}
