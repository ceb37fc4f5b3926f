"""What a model is made of; kept in ``config.json`` beside its weights."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from foretell.errors import ModelError

Model = Literal["lear", "bert-mrc", "tagger"]
LabelEmbedding = Literal["token", "average", "sentence", "static", "random"]
Heads = Literal["described", "per-label", "shared"]
_USUAL_HEADS: dict[str, Heads] = {"lear": "described", "bert-mrc": "shared", "tagger": "per-label"}


@dataclass(frozen=True)
class Settings:
    """Choices that fix the shape and the meaning of the weights.

    Attributes
    ----------
    model : {"lear", "bert-mrc", "tagger"}
        LEAR; one question per label and sentence (BERT-MRC); no knowledge of labels.
    nested : bool
        Whether a span-match head decides which starts and ends belong together. Without it, starts and ends of
        one label are paired by their order (see :mod:`foretell.spans.decoding`).
    heads : {"default", "described", "per-label", "shared"}
        Weights that are partly common, partly made from the description and partly each label's own, see
        :class:`foretell.spans.layers.LabelHead`; one weight vector per label, as published; or one for all. Labels can
        be added at run time with all but ``per-label``. ``default`` becomes ``described`` for LEAR, ``shared`` for
        BERT-MRC and ``per-label`` for a tagger.
    label_embedding : {"token", "average", "sentence", "static", "random"}
        What LEAR fuses: attention over contextual vectors of the description (published), their mean, the mean
        weighted by its cosine with the token, attention over the encoder's input embeddings, or a random vector.
    window, overlap : int
        Pieces of text that the model sees at once, and how many of them neighbouring windows share.
    word_shapes : bool
        Whether the encoder is told the shape (Title, UPPER, digits, ...) of each word, which uncased ones lose.
    word_edges : bool
        Whether spans begin and end where words do.
    longest : int
        Most pieces of a span; longer ones are not predicted.
    description : int
        Most pieces of a description; longer ones are cut, with a warning.
    dropout : float
        In the heads, while training.
    """

    model: Model = "lear"
    nested: bool = False
    heads: Heads | Literal["default"] = "default"
    label_embedding: LabelEmbedding = "token"
    window: int = 128
    overlap: int = 32
    word_shapes: bool = True
    word_edges: bool = True
    longest: int = 32
    description: int = 96
    dropout: float = 0.1

    def __post_init__(self) -> None:
        """Refuse values that make no model."""
        if self.heads == "default":
            object.__setattr__(self, "heads", _USUAL_HEADS.get(self.model, "per-label"))
        for name, choices in (("model", Model), ("heads", Heads), ("label_embedding", LabelEmbedding)):
            if getattr(self, name) not in get_args(choices):
                names = ", ".join(get_args(choices))
                raise ModelError(f"settings: {name} is {getattr(self, name)!r}", f"choose one of {names}")
        if not 0 <= self.overlap < self.window:
            raise ModelError(f"settings: overlap is {self.overlap}", f"choose 0 to {self.window - 1}")
        if self.longest < 1 or self.description < 1 or not 0 <= self.dropout < 1:
            raise ModelError("settings: longest, description or dropout is out of range", "choose positive numbers")
        if self.model == "tagger" and self.heads != "per-label":
            raise ModelError("settings: a tagger does not read descriptions", "choose heads='per-label'")
        if self.model == "bert-mrc" and self.heads == "described":
            raise ModelError("settings: only LEAR has described heads", "choose heads='shared' or 'per-label'")

    def as_dict(self) -> dict[str, Any]:
        """Return what :meth:`from_dict` takes."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Settings:
        """Read settings; unknown ones are an error, since they may change what the weights mean."""
        known = {field.name: field.type for field in fields(cls)}
        for name, value in values.items():
            if name not in known:
                raise ModelError(f"settings: {name!r} is unknown", "the model needs a newer foretell")
            default = getattr(cls, name)
            if type(value) is not type(default) and not (isinstance(default, float) and isinstance(value, int)):
                raise ModelError(f"settings: {name} is {value!r}", f"expected a {type(default).__name__}")
        return cls(**values)
