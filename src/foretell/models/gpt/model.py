"""A causal model of the GPT-2 family over tokens: embeddings, layers, head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.errors import ModelError
from foretell.exact.head import frequency_rows, head_sums
from foretell.exact.product import BLOCK, QUAD
from foretell.exact.threads import cut, run_all, thread_count
from foretell.exact.transform import block_size
from foretell.models.convert import embedding_rows, packed_matrix
from foretell.models.decoder import States
from foretell.models.gpt.config import GptConfig
from foretell.models.gpt.convert import Arrays, convert_layers
from foretell.models.gpt.network import Network, check_arrays
from foretell.models.layers import Cache
from foretell.models.vocabulary import Vocabulary

HEAD_ROWS = 24
_NO_TOKENS = np.empty(0, np.int32)


@dataclass(frozen=True)
class GptSource:
    """A model of the GPT-2 family as its files hold it.

    Attributes
    ----------
    tensor : callable
        Gives the tensors of :func:`foretell.models.gpt.convert.convert_layers`, and ``embedding``, ``positions`` and
        ``head`` (absent where the embedding serves).
    vocabulary : Vocabulary or None
        Of models of text.
    clusters : ndarray of int32, shape (K, 3), or None
        Of models of pictures: the colours that tokens stand for, in sixteenths of a step from 0 to 255.
    """

    config: GptConfig
    tensor: Callable[[str], NDArray[np.float32] | None]
    vocabulary: Vocabulary | None = None
    clusters: NDArray[np.int32] | None = None

    def require(self, name: str) -> NDArray[np.float32]:
        """Tensor that must be there."""
        values = self.tensor(name)
        if values is None:
            raise ModelError(f"the model file lacks the tensor {name!r}")
        return values

    def convert(self, progress: Callable[[float], None] | None = None) -> Arrays:
        """All arrays of the exact model."""
        config, table = self.config, self.require("embedding")
        arrays = convert_layers(config, self.require, progress)
        given = self.tensor("head")
        head = table if given is None else given
        if self.vocabulary is not None:
            rows = self.vocabulary.ids
            known = np.where(rows < 0, config.start, rows)
            table, head = table[known], head[known]
            head[rows < 0] = 0
            arrays |= self.vocabulary.to_arrays()
        if self.clusters is not None:
            arrays["clusters"] = self.clusters
        arrays["embedding"], arrays["embedding_scale"] = embedding_rows(table, 1.0)
        arrays["positions"] = self.require("positions")
        arrays["head"], arrays["head_scale"] = packed_matrix(np.ascontiguousarray(head), block_size(config.width))
        return arrays


class Gpt:
    """A causal model of the GPT-2 family whose every number is exact.

    Tokens are rows of the vocabulary for models of text, and the model's own numbers otherwise. A token's state
    depends on what its stream holds before it and on nothing else.

    Attributes
    ----------
    purpose : {"text", "pixels", "bytes"}
        What its tokens stand for: byte strings, colours, or bytes by their value.
    tokens : int
        Tokens that have a frequency.
    clusters : ndarray of int32, shape (K, 3), or None
        See :class:`GptSource`.
    """

    def __init__(self, name: str, config: GptConfig, arrays: dict[str, NDArray[Any]], digest: bytes) -> None:
        self.name, self.config, self.digest = name, config, digest
        self.network = Network(config, arrays)
        self.vocabulary = Vocabulary.from_arrays(arrays) if "leaf_lengths" in arrays else None
        self.clusters = arrays.get("clusters")
        self.purpose = "text" if self.vocabulary else "bytes" if self.clusters is None else "pixels"
        rows = _check_shapes(config, arrays, self.vocabulary)
        self.embedding, self.embedding_scale = arrays["embedding"], arrays["embedding_scale"]
        self.positions = arrays["positions"]
        self.head, self.head_scale = arrays["head"], arrays["head_scale"]
        self.head_rest = np.empty((0, config.width), np.int8)
        if self.vocabulary:
            self.start, self.tokens = self.vocabulary.row_of_id[config.start], len(self.vocabulary.leaves)
        else:
            self.start = config.start
            self.tokens = 256 if self.clusters is None else len(self.clusters)
        if not 0 <= self.start < rows:
            raise ModelError("the model's start token is not in its vocabulary")
        self.new_cache, self.cache_bytes = self.network.new_cache, self.network.cache_bytes

    def forward(
        self,
        tokens: NDArray[np.int32],
        streams: NDArray[np.int32],
        slots: NDArray[np.int32],
        cache: Cache,
        positions: NDArray[np.int32] | None = None,
    ) -> States:
        """Feed tokens to their streams and return their final states; see :meth:`Network.run`.

        ``positions`` are learned positions where they differ from the slots.
        """
        scales = self.embedding_scale[tokens][:, None]
        places = self.positions[slots if positions is None else positions]
        hidden = self.embedding[tokens].astype(np.float32) * scales + places
        return self.network.states(self.network.run(hidden, streams, slots, cache))

    @property
    def unspelled(self) -> NDArray[np.int32]:
        """Tokens that get the smallest frequency."""
        return self.vocabulary.unspelled if self.vocabulary else _NO_TOKENS

    def frequencies(self, states: States) -> NDArray[np.int32]:
        """Integer frequencies of every token after each state, shape (M, tokens); each at least 1."""
        out = np.empty((states.scales.size, self.tokens), np.int32)

        def some(a: int, b: int) -> None:
            sums = np.empty((b - a, self.head_scale.size), np.int32)
            head_sums(states.integers[a:b], self.head, sums, b - a)
            frequency_rows(sums, states.scales[a:b], self.head_scale, self.unspelled, out[a:b])

        run_all(some, cut(states.scales.size, thread_count(), HEAD_ROWS))
        return out


def _check_shapes(config: GptConfig, arrays: dict[str, NDArray[Any]], vocabulary: Vocabulary | None) -> int:
    """Refuse arrays that do not fit the sizes; return the number of rows of the embedding."""
    rows = arrays["embedding"].shape[0] if "embedding" in arrays else 0
    clusters = arrays.get("clusters")
    least = vocabulary.ids.size if vocabulary else 256 if clusters is None else len(clusters)
    outputs = arrays["head_scale"].shape[0] if "head_scale" in arrays else 0
    wanted: dict[str, tuple[tuple[int, ...], type]] = {
        "embedding": ((rows, config.width), np.int16),
        "embedding_scale": ((rows,), np.float32),
        "positions": ((config.context, config.width), np.float32),
        "head": ((outputs // BLOCK, config.width // QUAD, BLOCK, QUAD), np.int8),
        "head_scale": ((outputs,), np.float32),
    }
    if clusters is not None:
        wanted["clusters"] = ((least, 3), np.int32)
    check_arrays(wanted, arrays)
    if rows < least or outputs < least or outputs % BLOCK:
        raise ModelError(f"a model of {least} tokens has an embedding of {rows} and a head of {outputs}")
    return rows
