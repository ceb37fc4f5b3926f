"""What a model of the GPT-2 family looks like."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

MOST_WIDTH = 4096
"""Widest rows whose sums of squares stay exact."""


@dataclass(frozen=True)
class GptConfig:
    """Sizes and conventions of a decoder of the GPT-2 family.

    Attributes
    ----------
    context : int
        Learned positions.
    activation : {"gelu", "quick_gelu"}
        GELU in its tanh form, or ``x * sigmoid(1.702 x)``.
    centred : bool
        Whether norms take the mean away and add a bias (GPT-2), or only divide by the root of the mean square
        (image-GPT).
    start : int
        The token that every sequence begins with.
    """

    kind: ClassVar[str] = "gpt"

    layers: int
    width: int
    heads: int
    feed_forward: int
    context: int
    epsilon: float
    activation: str = "gelu"
    centred: bool = True
    start: int = 0

    @property
    def head_width(self) -> int:
        """Elements of a head."""
        return self.width // self.heads

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; they name the family, so that no two kinds of models share a digest."""
        return {"family": self.kind, **asdict(self)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> GptConfig:
        """Inverse of :meth:`as_dict`."""
        return cls(**{name: value for name, value in values.items() if name != "family"})

    def __post_init__(self) -> None:
        if self.width % 16 or self.feed_forward % 16 or self.width % self.heads or self.head_width % 16:
            raise ValueError("the widths of the model, its heads and its feed-forward part must be multiples of 16")
        if self.width > MOST_WIDTH:
            raise ValueError(f"widths above {MOST_WIDTH} overflow the integers of exact-1")
        if self.context >= 32768:
            raise ValueError("contexts of 32,768 tokens or more overflow the integers of exact-1")
        if self.activation not in ("gelu", "quick_gelu"):
            raise ValueError(f"the activation {self.activation!r} is not supported")
