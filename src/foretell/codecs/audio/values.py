"""Which values a frame's samples take: all of a range, every few of it, or an arbitrary set.

Sound that was amplified, converted from fewer bits or drawn from a small table leaves most values unused. A sample is
coded by its rank among the values in use, while prediction goes on with the values themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled
from foretell.entropy.binary import decode_bit, encode_bit, finish, new_decoder, new_encoder

MOST_VALUES = 1 << 16
"""Most values of an arbitrary set."""
MOST_SPAN = 1 << 20
"""Largest distance between the first and the last of an arbitrary set."""
_FEW = 0.9
_WINDOW = 65
"""Values around a value that tell how densely they are used."""


@dataclass(frozen=True)
class Values:
    """Values in use: ``step * n + offset`` for n from ``low`` to ``high``, or only for the n in ``table``."""

    offset: int
    step: int
    low: int
    high: int
    table: NDArray[np.int32]

    def reduced(self, samples: NDArray[np.int32]) -> NDArray[np.int32]:
        """The numbers n of samples."""
        if self.step == 1:
            return np.subtract(samples, np.int32(self.offset))
        return ((samples.astype(np.int64) - self.offset) // self.step).astype(np.int32)

    def restored(self, numbers: NDArray[np.int32]) -> NDArray[np.int32]:
        """The samples of numbers n."""
        if self.step == 1:
            return np.add(numbers, np.int32(self.offset))
        return (numbers.astype(np.int64) * self.step + self.offset).astype(np.int32)


_ALL = np.zeros(0, np.int32)


def find_values(samples: NDArray[np.int32]) -> Values:
    """Values of samples, of which there is at least one."""
    low, high = int(samples.min()), int(samples.max())
    step = max(int(np.gcd.reduce(samples.astype(np.int64).ravel() - low)), 1)
    values = Values(low % step, step, low // step, high // step, _ALL)
    count = values.high - values.low + 1
    if not _WINDOW <= count <= MOST_SPAN:
        return values
    bins = np.bincount(values.reduced(samples).ravel().astype(np.int64) - values.low, minlength=count)
    used = bins > 0
    number = int(np.count_nonzero(used))
    if number > min(MOST_VALUES, _FEW * count) or _saved(bins, used) < 8 * len(pack_set(used)) + 256:
        return values
    return Values(values.offset, step, values.low, values.high, (np.flatnonzero(used) + values.low).astype(np.int32))


def _saved(bins: NDArray[np.int64], used: NDArray[np.bool_]) -> float:
    """Bits, about, that a set saves: for each sample, what the share of values in use around it is worth.

    Values that are unused only because samples are few around them tell nothing, so a set is credited with a tenth
    where samples are few.
    """
    window = np.ones(_WINDOW) / _WINDOW
    density = np.convolve(used, window, mode="same")
    crowd = np.convolve(bins, window, mode="same")
    gain = -np.log2(np.maximum(density, 1 / _WINDOW)) * np.where(crowd > 4, 1.0, 0.1)
    return float((bins * gain).sum())


@compiled
def _code_set(decoding: bool, used: NDArray[np.uint8], code: NDArray[np.uint8]) -> int:
    """Code whether each value is used, with the twelve before it as context."""
    state = new_decoder(code) if decoding else new_encoder()
    chances = np.full(4096, 32768, np.int64)
    context = 0
    for i in range(used.size):
        p = chances[context]
        if decoding:
            bit = decode_bit(state, code, p)
            used[i] = bit
        else:
            bit = np.int64(used[i])
            encode_bit(state, code, bit, p)
        chances[context] = min(max(p + (((bit << 16) - p) >> 4), 64), 65472)
        context = (context << 1 | bit) & 4095
    return 0 if decoding else finish(state, code)


def pack_set(used: NDArray[np.bool_]) -> bytes:
    """Bytes that say which values are used."""
    code = np.zeros(2 * used.size + 64, np.uint8)
    size: int = _code_set(False, used.astype(np.uint8), code)
    return code[:size].tobytes()


def unpack_set(data: bytes, count: int) -> NDArray[np.bool_]:
    """Whether each of ``count`` values is used."""
    used = np.zeros(count, np.uint8)
    _code_set(True, used, np.frombuffer(bytearray(data), np.uint8))
    return used.astype(np.bool_)
