"""Models as readers of symbols: bytes, samples of pictures or colours, several sequences side by side.

A codec gives symbols 0 to S - 1 and gets, for each, the frequencies of all S before it is known. Below, K lanes are
read side by side, each a sequence of its own; L is their length.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from foretell.models.decoder import Decoder, States
from foretell.models.gpt.head import NO_TOKENS, Head
from foretell.models.gpt.model import Gpt
from foretell.models.gpt.patches import PAD, PatchesModel

CHUNK = 240
"""Symbols of a lane that go through a model together where all are known."""
NUMBERS = 256


class Reading(Protocol):
    """Lanes that are read symbol by symbol."""

    def next(self, symbols: NDArray[np.int32] | None) -> NDArray[np.int32]:
        """Frequencies (K, S) of the symbols after these (K,); None before the first."""
        ...


class SymbolModel(Protocol):
    """A model that foretells symbols.

    Attributes
    ----------
    symbols : int
        How many there are.
    longest : int
        Most symbols in a lane.
    multiple : int
        Lanes that others follow are multiples of this.
    """

    symbols: int
    longest: int
    multiple: int

    def lane_bytes(self, length: int) -> int:
        """Memory that a lane of a length takes while it is read."""
        ...

    def predict(self, lanes: NDArray[np.int32]) -> NDArray[np.int32]:
        """Frequencies (K, L, S) of every symbol of lanes (K, L) before it is known."""
        ...

    def read(self, lanes: int, length: int) -> Reading:
        """Begin to read so many lanes of up to a length."""
        ...


class TokenModel:
    """A causal model whose tokens stand for symbols.

    Parameters
    ----------
    model : Decoder or Gpt
        The model.
    rows : ndarray of int32, shape (S,)
        The token of each symbol. Probabilities are those of these tokens among themselves.
    prompt : ndarray of int32
        Tokens that every lane reads first, after the start token.
    places : ndarray of int32, shape (longest,), optional
        Learned position of each symbol where it is not its number in the lane.
    """

    multiple = 1

    def __init__(
        self,
        model: Decoder | Gpt,
        rows: NDArray[np.int32],
        prompt: NDArray[np.int32] = NO_TOKENS,
        places: NDArray[np.int32] | None = None,
    ) -> None:
        self.model, self.rows, self.symbols = model, rows, rows.size
        self.opening = np.r_[np.int32(model.start), prompt].astype(np.int32)
        self.places = places
        self.longest = model.config.context - prompt.size
        unspelled = NO_TOKENS if model.vocabulary is None else model.vocabulary.unspelled
        head = Head.of_rows(model, rows, np.flatnonzero(np.isin(rows, unspelled)).astype(np.int32))
        self.frequencies = head.frequencies

    def lane_bytes(self, length: int) -> int:
        """Memory that a lane of a length takes while it is read."""
        return self.model.cache_bytes(length + self.opening.size)

    def predict(self, lanes: NDArray[np.int32]) -> NDArray[np.int32]:
        """Frequencies (K, L, S) of every symbol of lanes (K, L) before it is known."""
        count, length = lanes.shape
        out = np.empty((count, length, self.symbols), np.int32)
        reading = _TokenReading(self, count, length)
        out[:, 0] = reading.next(None)
        for begin in range(1, length, CHUNK):
            end = min(begin + CHUNK, length)
            out[:, begin:end] = reading.feed(lanes[:, begin - 1 : end - 1])
        return out

    def read(self, lanes: int, length: int) -> Reading:
        """Begin to read so many lanes of up to a length."""
        return _TokenReading(self, lanes, length)


class _TokenReading:
    """Lanes of a :class:`TokenModel`."""

    def __init__(self, stream: TokenModel, lanes: int, length: int) -> None:
        self._stream, self._lanes, self._done = stream, lanes, 0
        self._cache = stream.model.new_cache(lanes, length + stream.opening.size - 1)

    def next(self, symbols: NDArray[np.int32] | None) -> NDArray[np.int32]:
        """Frequencies (K, S) of the symbols after these (K,); None before the first."""
        if symbols is None:
            opening = self._stream.opening
            states = self._forward(np.tile(opening, (self._lanes, 1)), np.arange(opening.size, dtype=np.int32))
            last = np.arange(1, self._lanes + 1) * opening.size - 1
            return self._stream.frequencies(States(states.integers[last], states.scales[last]))
        return self.feed(symbols[:, None])[:, 0]

    def feed(self, symbols: NDArray[np.int32]) -> NDArray[np.int32]:
        """Frequencies (K, T, S) after each of the next symbols (K, T) of every lane."""
        first, places = self._stream.opening.size, self._stream.places
        begin, end = self._done, self._done + symbols.shape[1]
        if places is None:
            positions = np.arange(begin + first, end + first, dtype=np.int32)
        else:
            positions = places[begin + 1 : end + 1]
        self._done = end
        slots = np.arange(begin + first, end + first, dtype=np.int32)
        states = self._forward(self._stream.rows[symbols], positions, slots)
        return self._stream.frequencies(states).reshape(*symbols.shape, -1)

    def _forward(
        self, tokens: NDArray[np.int32], positions: NDArray[np.int32], slots: NDArray[np.int32] | None = None
    ) -> States:
        """States of tokens (K, T) of the lanes, at positions (T,)."""
        count = tokens.shape[1]
        streams = np.repeat(np.arange(self._lanes, dtype=np.int32), count)
        where = np.tile(positions if slots is None else slots, self._lanes)
        return self._stream.model.forward(
            tokens.ravel().astype(np.int32), streams, where, self._cache, np.tile(positions, self._lanes)
        )


class PatchModel:
    """bGPT as a reader of bytes.

    Parameters
    ----------
    model : PatchesModel
        The model.
    kind : bytes
        Name of the kind of file, such as ``wav``; it makes up the first patch.
    """

    symbols = 256

    def __init__(self, model: PatchesModel, kind: bytes) -> None:
        self.model, self.multiple = model, model.config.patch_size
        self.opening = np.full((1, self.multiple), PAD, np.int32)
        self.opening[0, : len(kind)] = list(kind)
        # In training the last patch of a full unit had nothing after it to be foretold.
        self.longest = (model.config.patch.context - 1) * self.multiple

    def lane_bytes(self, length: int) -> int:
        """Memory that a lane of a length takes while it is read."""
        patches = -(-length // self.multiple) + 1
        return self.model.patch.cache_bytes(patches) + self.model.byte.cache_bytes(self.multiple)

    def predict(self, lanes: NDArray[np.int32]) -> NDArray[np.int32]:
        """Frequencies (K, L, 256) of every byte of lanes (K, L) before it is known."""
        count, length = lanes.shape
        size, patches = self.multiple, -(-length // self.multiple)
        padded = np.full((count, patches * size), PAD, np.int32)
        padded[:, :length] = lanes
        reading = _PatchReading(self, count, patches * size)
        out = np.empty((count, patches * size, self.symbols), np.int32)
        cut_lanes = padded.reshape(count, patches, size)
        step = max(1, CHUNK // size)
        for begin in range(0, patches, step):
            before = cut_lanes[:, begin - 1 : begin + step - 1] if begin else cut_lanes[:, : step - 1]
            if begin == 0:
                before = np.concatenate([np.repeat(self.opening[None], count, 0), before], 1)
            before = before[:, : patches - begin]
            features = reading.patches(before)
            now = cut_lanes[:, begin : begin + before.shape[1]]
            out[:, begin * size : (begin + now.shape[1]) * size] = self._whole(features, now)
        return out[:, :length]

    def _whole(self, features: NDArray[np.float32], patches: NDArray[np.int32]) -> NDArray[np.int32]:
        """Frequencies (K, P size, 256) of the bytes of patches (K, P, size) after what (K, P, width) tells of them."""
        count, size, model = features.shape[0] * features.shape[1], self.multiple, self.model
        inputs = np.empty((count, size, features.shape[2]), np.float32)
        inputs[:, 0] = features.reshape(count, -1) + model.arrays["byte.positions"][0]
        octets = patches.reshape(count, size)[:, : size - 1].ravel()
        places = np.tile(np.arange(1, size, dtype=np.int32), count)
        inputs[:, 1:] = model.byte_inputs(octets, places).reshape(count, size - 1, -1)
        streams = np.repeat(np.arange(count, dtype=np.int32), size)
        slots = np.tile(np.arange(size, dtype=np.int32), count)
        rows = inputs.reshape(count * size, -1)
        normed = model.byte.run(rows, streams, slots, model.byte.new_cache(count, size))
        return model.frequencies(normed).reshape(features.shape[0], -1, self.symbols)

    def read(self, lanes: int, length: int) -> Reading:
        """Begin to read so many lanes of up to a length."""
        return _PatchReading(self, lanes, length)


class _PatchReading:
    """Lanes of a :class:`PatchModel`."""

    def __init__(self, stream: PatchModel, lanes: int, length: int) -> None:
        self._stream, self._lanes, self._done = stream, lanes, 0
        size, model = stream.multiple, stream.model
        self._patches = model.patch.new_cache(lanes, -(-length // size) + 1)
        self._bytes = model.byte.new_cache(lanes, size)
        self._current = np.zeros((lanes, size), np.int32)
        self._streams = np.arange(lanes, dtype=np.int32)
        self._read = 0

    def patches(self, patches: NDArray[np.int32]) -> NDArray[np.float32]:
        """What the patch decoder (K, P, width) tells after each of the next patches (K, P, size)."""
        model, count = self._stream.model, patches.shape[1]
        places = np.tile(np.arange(self._read, self._read + count, dtype=np.int32), self._lanes)
        self._read += count
        inputs = model.patch_inputs(patches.reshape(-1, patches.shape[2]), places)
        streams = np.repeat(self._streams, count)
        return model.patch.run(inputs, streams, places, self._patches).reshape(self._lanes, count, -1)

    def next(self, symbols: NDArray[np.int32] | None) -> NDArray[np.int32]:
        """Frequencies (K, 256) of the bytes after these (K,); None before the first."""
        model, size = self._stream.model, self._stream.multiple
        if symbols is None:
            self._current[:] = self._stream.opening
        else:
            self._current[:, self._done % size] = symbols
            self._done += 1
        place = self._done % size
        if symbols is None or place == 0:
            features = self.patches(self._current[:, None])[:, 0]
            inputs = features + model.arrays["byte.positions"][0]
        else:
            inputs = model.byte_inputs(symbols, np.full(self._lanes, place, np.int32))
        slots = np.full(self._lanes, place, np.int32)
        return model.frequencies(model.byte.run(inputs, self._streams, slots, self._bytes))
