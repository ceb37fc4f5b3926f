"""What a model file gives: sizes, float tensors by canonical name, and the vocabulary.

Canonical names: ``embedding``, ``head`` (absent when tied), ``final_norm``, and for each layer i
``i.attention_norm``, ``i.query``, ``i.key``, ``i.value``, ``i.output``, ``i.feed_norm``, ``i.gate``,
``i.up``, ``i.down``, and where the architecture has them ``i.query_norm``, ``i.key_norm``,
``i.attention_post``, ``i.feed_post``. Matrices are (outputs, inputs); rotary dimension i turns with
dimension i + width / 2; norm weights are factors (not offsets from one).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foretell.models.config import DecoderConfig
from foretell.models.vocabulary import Vocabulary


@dataclass(frozen=True)
class ModelSource:
    """A model as its file holds it, in floats."""

    config: DecoderConfig
    tensor: Callable[[str], NDArray[np.float32] | None]
    vocabulary: Vocabulary


def split_rotary(matrix: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Reorder the outputs of each head from interleaved rotary pairs to halves."""
    width = matrix.shape[0] // heads
    pairs = matrix.reshape(heads, width // 2, 2, -1)
    return np.ascontiguousarray(pairs.transpose(0, 2, 1, 3).reshape(matrix.shape))
