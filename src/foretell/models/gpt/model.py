"""A causal model of the GPT-2 family over tokens: embeddings, layers, head."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.errors import ModelError
from foretell.exact.transform import block_size, rotate_weights
from foretell.models.convert import embedding_rows
from foretell.models.decoder import States
from foretell.models.gpt.config import GptConfig
from foretell.models.gpt.convert import Arrays, convert_layers
from foretell.models.gpt.head import NO_TOKENS, Head, head_arrays
from foretell.models.gpt.network import Network, check_arrays
from foretell.models.layers import Cache
from foretell.models.vocabulary import Vocabulary


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
        return arrays | head_arrays("head", rotate_weights(head, block_size(config.width)))


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
    frequencies : callable
        From states to the integer frequencies of every token after each, shape (M, tokens); each at least 1.
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
        if self.vocabulary:
            self.start, self.tokens = self.vocabulary.row_of_id[config.start], len(self.vocabulary.leaves)
        else:
            self.start = config.start
            self.tokens = 256 if self.clusters is None else len(self.clusters)
        if not 0 <= self.start < rows:
            raise ModelError("the model's start token is not in its vocabulary")
        unspelled = self.vocabulary.unspelled if self.vocabulary else NO_TOKENS
        whole = Head(arrays["head"], arrays["head_rest"], arrays["head_scale"], self.tokens, unspelled)
        self.head, self.head_scale, self.head_rest = whole.packed, whole.scale, whole.rest
        self.unspelled, self.frequencies = unspelled, whole.frequencies
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
        "head": ((outputs, config.width), np.int8),
        "head_rest": ((outputs, config.width), np.int8),
        "head_scale": ((outputs,), np.float32),
    }
    if clusters is not None:
        wanted["clusters"] = ((least, 3), np.int32)
    check_arrays(wanted, arrays)
    if rows < least or outputs < least:
        raise ModelError(f"a model of {least} tokens has an embedding of {rows} and a head of {outputs}")
    return rows
