"""What a decoder looks like: sizes, norms, positions."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class DecoderConfig:
    """Sizes and conventions of a Llama-family or Gemma 3 decoder.

    Attributes
    ----------
    windows : tuple of int
        For each layer how many slots back a token sees, itself included; 0 for all.
    rope_bases : tuple of float
        For each layer the base of its rotary frequencies.
    activation : {"silu", "gelu"}
        The gate of the feed-forward part.
    head_norms, post_norms : bool
        Gemma 3's norms of queries and keys, and after attention and feed-forward.
    embedding_scale : float
        Factor of the input embeddings.
    start : int
        The id that begins every document.
    """

    layers: int
    width: int
    heads: int
    kv_heads: int
    head_width: int
    feed_forward: int
    context: int
    epsilon: float
    rope_bases: tuple[float, ...]
    windows: tuple[int, ...]
    activation: str = "silu"
    head_norms: bool = False
    post_norms: bool = False
    embedding_scale: float = 1.0
    start: int = 0

    @property
    def fine_layers(self) -> int:
        """How many of the first layers have down projections that are rounded twice.

        The few huge activations that language models give a text's first token arise there, and all later tokens
        attend to it, so that errors of these layers cost most.
        """
        return -(-self.layers // 6)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> DecoderConfig:
        """Inverse of :meth:`as_dict`."""
        plain = dict(values)
        for name in ("rope_bases", "windows"):
            plain[name] = tuple(plain[name])
        return cls(**plain)

    def __post_init__(self) -> None:
        even = self.width % 16 == 0 and self.feed_forward % 16 == 0
        if not even or self.head_width % 16 or self.head_width & (self.head_width - 1):
            raise ValueError("widths must be multiples of 16 and the head width a power of two")
        if self.heads % self.kv_heads:
            raise ValueError("the number of heads must be a multiple of the number of key heads")
        if self.context >= 32768:
            raise ValueError("contexts of 32,768 tokens or more overflow the integers of exact-1")
