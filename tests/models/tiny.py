"""Small random models, converted as real ones are: Llama-like and Gemma-like."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from foretell.exact import samples
from foretell.models.decoder import Decoder

CONFIGS = {"llama": samples.llama_config, "gemma": samples.gemma_config}


@cache
def tiny(kind: str) -> Decoder:
    """One of the two models; shared, and never written to."""
    return samples.model(CONFIGS[kind](), seed=len(kind))


def some_tokens(model: Decoder, count: int, seed: int = 7) -> NDArray[np.int32]:
    """The start of a document, then random tokens."""
    tokens = samples.integers(seed, 0, model.tokens - 1, (count,)).astype(np.int32)
    tokens[0] = model.start
    return tokens


def feed(model: Decoder, tokens: NDArray[np.int32], chunk: int = 0) -> NDArray[np.int32]:
    """Frequencies after each token of one stream, fed in chunks (0: at once)."""
    cache_, parts = model.new_cache(1, tokens.size), []
    step = chunk or tokens.size
    for begin in range(0, tokens.size, step):
        part = tokens[begin : begin + step]
        slots = np.arange(begin, begin + part.size, dtype=np.int32)
        parts.append(model.frequencies(model.forward(part, np.zeros(part.size, np.int32), slots, cache_)))
    return np.concatenate(parts)
