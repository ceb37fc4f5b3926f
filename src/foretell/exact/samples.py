"""Seeded sample data and a small random model, the same on every machine: for ``foretell doctor`` and the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from foretell.models.config import DecoderConfig
    from foretell.models.decoder import Decoder
    from foretell.models.source import ModelSource
    from foretell.models.vocabulary import Vocabulary

WORDS = (
    " the", " then", " there", " and", " any", " of", " in", " into", " is", " it", " its", " to", " token", " model",
    " number", " exact", " every", " machine", " same", " bits", "ing", "ed", "er", "level", "info", "error", "12",
    "20", "2026", "://", "();", "  ", "    ", "\n\n", "\r\n", "def", "return", "é", "ü", "日本",
)  # fmt: skip
"""What the small vocabulary spells besides single bytes, and every beginning of it."""
UNSPELLED = (0, 1, 2, 0x7F, *range(0xF0, 0x100))
"""Bytes that no token of the small vocabulary spells."""
_STEP = 0x9E3779B97F4A7C15
_MIX_1, _MIX_2 = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB


def splitmix64(seed: int, count: int) -> NDArray[np.uint64]:
    """The first ``count`` numbers of the SplitMix64 generator.

    >>> [hex(number) for number in splitmix64(0, 2)]
    ['0xe220a8397b1dcdaf', '0x6e789e6aa1b965f4']
    """
    x = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(_STEP) + np.uint64(seed)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(_MIX_1)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(_MIX_2)
    return x ^ (x >> np.uint64(31))


def integers(seed: int, low: int, high: int, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Integers from ``low`` to ``high``, both included."""
    numbers = splitmix64(seed, int(np.prod(shape))) >> np.uint64(11)
    return (numbers % np.uint64(high - low + 1)).astype(np.int64).reshape(shape) + low


def floats(seed: int, shape: tuple[int, ...], spread: int = 0) -> NDArray[np.float32]:
    """Float32 values in [-1, 1), multiplied by powers of two from ``2**-spread`` to 1."""
    values = integers(seed, -(2**23), 2**23 - 1, shape).astype(np.float32) * np.float32(2.0**-23)
    if spread:
        exponents = integers(seed ^ 0x5DEECE66D, -spread, 0, shape)
        values = np.ldexp(values, exponents.astype(np.int32)).astype(np.float32)
    return values


def llama_config() -> DecoderConfig:
    """Sizes of the small Llama-like model."""
    from foretell.models.config import DecoderConfig

    return DecoderConfig(
        layers=2, width=64, heads=4, kv_heads=2, head_width=16, feed_forward=96, context=512, epsilon=1e-5,
        rope_bases=(10000.0, 10000.0), windows=(0, 0), start=0,
    )  # fmt: skip


def gemma_config() -> DecoderConfig:
    """Sizes of the small Gemma-like model: norms everywhere, a sliding window, two rotary tables."""
    from foretell.models.config import DecoderConfig

    return DecoderConfig(
        layers=3, width=128, heads=3, kv_heads=1, head_width=64, feed_forward=192, context=512, epsilon=1e-6,
        rope_bases=(10000.0, 1e6, 10000.0), windows=(24, 0, 24), activation="gelu", head_norms=True,
        post_norms=True, embedding_scale=float(np.sqrt(np.float32(128))), start=0,
    )  # fmt: skip


def tokens_and_merges() -> tuple[list[str], list[str]]:
    """Tokens and merges of the small byte-level tokenizer; token 0 is ``<|endoftext|>``."""
    from foretell.models.vocabulary import byte_level_alphabet

    character = {byte: symbol for symbol, byte in byte_level_alphabet().items()}
    tokens = ["<|endoftext|>"] + [character[byte] for byte in range(256) if byte not in UNSPELLED]
    known, merges = set(tokens), []
    for word in WORDS:
        symbols = [character[byte] for byte in word.encode()]
        for size in range(2, len(symbols) + 1):
            whole = "".join(symbols[:size])
            if whole not in known:
                known.add(whole)
                tokens.append(whole)
                merges.append(f"{whole[:-1]} {whole[-1]}")
    return tokens, merges


def vocabulary() -> Vocabulary:
    """The small vocabulary."""
    from foretell.models.vocabulary import Vocabulary, byte_level_alphabet, byte_level_tokenizer

    tokens, merges = tokens_and_merges()
    alphabet = byte_level_alphabet()
    spelled = {i: bytes(alphabet[c] for c in token) for i, token in enumerate(tokens) if i > 0}
    return Vocabulary.build(spelled, [0], byte_level_tokenizer(tokens, merges, split_digits=True))


def tensor_shapes(config: DecoderConfig, tokens: int) -> dict[str, tuple[int, ...]]:
    """Shapes of a model's tensors, by canonical name; see :mod:`foretell.models.source`."""
    mixed, keys = config.heads * config.head_width, config.kv_heads * config.head_width
    width, feed = config.width, config.feed_forward
    layer: dict[str, tuple[int, ...]] = {
        "attention_norm": (width,), "query": (mixed, width), "key": (keys, width), "value": (keys, width),
        "output": (width, mixed), "feed_norm": (width,), "gate": (feed, width), "up": (feed, width),
        "down": (width, feed),
    }  # fmt: skip
    if config.head_norms:
        layer |= {"query_norm": (config.head_width,), "key_norm": (config.head_width,)}
    if config.post_norms:
        layer |= {"attention_post": (width,), "feed_post": (width,)}
    shapes: dict[str, tuple[int, ...]] = {"embedding": (tokens, width), "final_norm": (width,)}
    return shapes | {f"{i}.{name}": shape for i in range(config.layers) for name, shape in layer.items()}


def tensors(config: DecoderConfig, tokens: int, seed: int) -> dict[str, NDArray[np.float32]]:
    """Seeded tensors of a model with tied embeddings; some are larger than others, as in real models."""
    values = {}
    for index, (name, shape) in enumerate(tensor_shapes(config, tokens).items()):
        drawn = floats(seed + index, shape, 0 if len(shape) == 1 else 3)
        if len(shape) == 1:
            values[name] = np.float32(1.0) + drawn * np.float32(0.25)
        else:
            values[name] = drawn * np.float32(0.5)
    return values


def source(config: DecoderConfig, seed: int = 1) -> ModelSource:
    """A small model as a file would give it."""
    from foretell.models.source import ModelSource

    known = vocabulary()
    values = tensors(config, int(known.ids.max()) + 1, seed)
    return ModelSource(config, values.get, known)


def model(config: DecoderConfig, seed: int = 1) -> Decoder:
    """The same, converted."""
    from foretell.models.convert import convert, digest
    from foretell.models.decoder import from_arrays

    arrays = convert(source(config, seed))
    return from_arrays("tiny", config, arrays, digest(config, arrays))
