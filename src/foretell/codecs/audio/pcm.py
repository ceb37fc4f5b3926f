"""Samples of sound as bytes: the layouts of PCM, and the integers that they stand for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

MOST_CHANNELS: Final = 32
MOST_RATE: Final = (1 << 32) - 1
_NAMED = re.compile(r"([suf])(8|16|24|32)(le|be)?")
DEFAULT_RATE: Final = 44100


@dataclass(frozen=True)
class PcmFormat:
    """How samples lie in bytes, channels interleaved.

    Attributes
    ----------
    channels : int
        1 to 32.
    width : int
        Bytes of a sample, 1 to 4.
    rate : int
        Samples of each channel in a second.
    signed, big_endian, floating : bool
        Kind of number; floating ones have 4 bytes.
    """

    channels: int
    width: int
    rate: int
    signed: bool = True
    big_endian: bool = False
    floating: bool = False

    @property
    def block(self) -> int:
        """Bytes of one sample of all channels."""
        return self.channels * self.width

    @property
    def name(self) -> str:
        """Name such as ``s16le``."""
        kind = "f" if self.floating else "s" if self.signed else "u"
        return f"{kind}{8 * self.width}" + ("" if self.width == 1 else "be" if self.big_endian else "le")

    @property
    def supported(self) -> bool:
        """Whether the codec takes it."""
        sane = 1 <= self.channels <= MOST_CHANNELS and 1 <= self.width <= 4 and 1 <= self.rate <= MOST_RATE
        return sane and (self.width == 4 or not self.floating)


def parse_format(text: str) -> PcmFormat:
    """Format of a description ``KIND,CHANNELS,RATE``; channels and rate may be left out (1 and 44100).

    Raises
    ------
    ValueError
        If it is no such description.

    Examples
    --------
    >>> parse_format("s16le,2,48000")
    PcmFormat(channels=2, width=2, rate=48000, signed=True, big_endian=False, floating=False)
    """
    kind, *rest = text.split(",")
    match = _NAMED.fullmatch(kind)
    if not match or len(rest) > 2 or not all(part.isdigit() for part in rest):
        raise ValueError(f"{text!r} is not KIND,CHANNELS,RATE such as s16le,2,44100")
    numbers = [int(part) for part in rest]
    channels = numbers[0] if numbers else 1
    rate = numbers[1] if len(numbers) > 1 else DEFAULT_RATE
    form = PcmFormat(channels, int(match[2]) // 8, rate, match[1] != "u", match[3] == "be", match[1] == "f")
    if not form.supported:
        raise ValueError(f"{text!r}: 1 to {MOST_CHANNELS} channels, and floats of 32 bits only")
    return form


def integers_of(data: bytes, form: PcmFormat) -> NDArray[np.int32]:
    """Integers of whole blocks, shape (time, channels); those of floats are their 32 bits."""
    order = ">" if form.big_endian else "<"
    if form.width == 3:
        octets = np.frombuffer(data, np.uint8).reshape(-1, 3)
        if form.big_endian:
            octets = octets[:, ::-1]
        wide = np.zeros((octets.shape[0], 4), np.uint8)
        wide[:, 1:] = octets
        raw = wide.view("<i4").ravel() >> 8
        values = raw if form.signed else (raw & 0xFFFFFF) - (1 << 23)
    else:
        kind = "i" if form.signed else "u"
        raw = np.frombuffer(data, f"{order}{kind}{form.width}")
        values = raw.astype(np.int32) if form.signed else (raw.astype(np.int64) - (1 << (8 * form.width - 1)))
    return np.ascontiguousarray(values.astype(np.int32)).reshape(-1, form.channels)


def bytes_of(values: NDArray[np.int32], form: PcmFormat) -> bytes:
    """Bytes of integers, the inverse of :func:`integers_of`."""
    flat = np.ascontiguousarray(values).ravel()
    if not form.signed:
        flat = (flat.astype(np.int64) + (1 << (8 * form.width - 1))).astype(np.uint32).view(np.int32)
    if form.width == 3:
        octets = np.ascontiguousarray(flat, "<i4").view(np.uint8).reshape(-1, 4)[:, :3]
        return (octets[:, ::-1] if form.big_endian else octets).tobytes()
    order = ">" if form.big_endian else "<"
    return flat.astype(f"{order}u{form.width}", casting="unsafe").tobytes()


FRACTION_BITS: Final = (7, 11, 15, 19, 23, 27, 30)
"""Numbers of bits after the point that floats are tried with."""


def float_bits(values: NDArray[np.int32]) -> int | None:
    """Fewest bits after the point with which all floats, given by their bits, are integers; None if there is none."""
    floats = values.view(np.float32)
    if not np.isfinite(floats).all():
        return None
    for bits in FRACTION_BITS:
        scaled = floats.astype(np.float64) * 2.0**bits
        if np.abs(scaled).max(initial=0.0) >= 2.0**31:
            return None
        whole = np.rint(scaled).astype(np.int64).astype(np.int32)
        if np.array_equal(floats_of(whole, bits), values):
            return bits
    return None


def integers_of_floats(values: NDArray[np.int32], bits: int) -> NDArray[np.int32]:
    """Integers of floats with ``bits`` bits after the point."""
    return np.rint(values.view(np.float32).astype(np.float64) * 2.0**bits).astype(np.int32)


def floats_of(values: NDArray[np.int32], bits: int) -> NDArray[np.int32]:
    """Bits of the floats that integers stand for."""
    return (values.astype(np.float64) * 2.0**-bits).astype(np.float32).view(np.int32)
