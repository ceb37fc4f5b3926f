"""Sizes and identity of a trained draft model."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from foretell.errors import ModelError
from foretell.models.decoder import Decoder

ARCHITECTURES = ("prism", "eagle2", "hass", "eagle3", "medusa", "stacked")
_LARGEST = 1 << 20


@dataclass(frozen=True)
class DraftConfig:
    """What a draft network is.

    Attributes
    ----------
    architecture : str
        One of :data:`ARCHITECTURES`.
    target : str
        SHA-256 of the target's exact form, in hexadecimal: a draft serves one target.
    width, heads, kv_heads, head_width, feed_forward : int
        Sizes of a processing module; ``width`` is the target's.
    rope_base, epsilon : float
        As in the target.
    taps : tuple of int
        Layers of the target that are read: one, or several for multi-hidden-state input.
    normed_taps : bool
        Whether each of several layers is brought to a root mean square of 1 before they are joined.
    modules : int
        Processing modules M (PRISM), heads (Medusa), else 1.
    step_map : tuple of int
        Module of each draft step; later steps use the last entry.
    rows : int
        Rows of the target's vocabulary.
    draft_rows : int
        Rows that can be drafted: a reduced draft vocabulary where fewer than ``rows``.
    window : int
        Places back, its own included, that a place attends to; 0 for all. Training texts of that length teach no more.
    context : int
        Most positions.
    """

    architecture: str
    target: str
    width: int
    heads: int
    kv_heads: int
    head_width: int
    feed_forward: int
    rope_base: float
    epsilon: float
    taps: tuple[int, ...]
    normed_taps: bool
    modules: int
    step_map: tuple[int, ...]
    rows: int
    draft_rows: int
    window: int
    context: int

    def __post_init__(self) -> None:
        sizes = (self.width, self.heads, self.kv_heads, self.head_width, self.feed_forward, self.modules, self.rows)
        valid = (
            self.architecture in ARCHITECTURES
            and all(0 < size < _LARGEST for size in (*sizes, self.draft_rows, self.context))
            and self.heads % self.kv_heads == 0
            and self.head_width % 2 == 0
            and self.draft_rows <= self.rows
            and 0 <= self.window < _LARGEST
            and 0 < len(self.taps) <= 64
            and 0 < len(self.step_map) <= 64
            and all(0 <= module < self.modules for module in self.step_map)
        )
        if not valid:
            raise ModelError("the draft's sizes do not fit together", "fetch or train the draft anew")

    def module_of(self, step: int) -> int:
        """Module of a draft step, counted from 0."""
        return self.step_map[min(step, len(self.step_map) - 1)]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> DraftConfig:
        """Inverse of :meth:`as_dict`.

        Raises
        ------
        ModelError
            If a value is missing, unknown or does not fit.
        """
        names = {field.name for field in fields(cls)}
        if set(values) != names:
            odd = ", ".join(sorted(names ^ set(values)))
            raise ModelError(f"the draft's configuration has missing or unknown values: {odd}")
        plain: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in values.items()}
        try:
            return cls(**plain)
        except TypeError as error:
            raise ModelError(f"the draft's configuration is damaged: {error}") from error

    def check_target(self, target: Decoder) -> None:
        """Refuse a target that the draft was not trained for.

        Raises
        ------
        ModelError
            If width, layers, vocabulary or digest differ; the message says which.
        """
        if self.width != target.config.width:
            raise ModelError(f"the draft has width {self.width}, {target.name} has {target.config.width}")
        if self.rows != target.vocabulary.ids.size:
            raise ModelError(f"the draft knows {self.rows} tokens, {target.name} has {target.vocabulary.ids.size}")
        if max(self.taps) >= target.config.layers:
            raise ModelError(f"the draft reads layer {max(self.taps)}, {target.name} has {target.config.layers}")
        if self.target != target.digest.hex():
            raise ModelError(
                f"the draft was trained for a model of digest {self.target[:12]}, {target.name} has "
                f"{target.digest.hex()[:12]}",
                "train a draft for this model",
            )


def config_for(
    target: Decoder,
    architecture: str,
    *,
    modules: int | None = None,
    step_map: tuple[int, ...] | None = None,
    taps: tuple[int, ...] | None = None,
    draft_rows: int | None = None,
    window: int = 0,
    heads_ahead: int = 5,
) -> DraftConfig:
    """Sizes of a draft of some architecture for a target, with the published choices where none are given.

    EAGLE-3 and PRISM read three layers (an early, a middle and a late one), the others the last. PRISM has two
    modules, the second for all steps but the first. Medusa has ``heads_ahead`` heads. What is stacked reads what PRISM
    reads and has as many weights: what a second fusion layer would take goes into the feed-forward of its two layers.
    """
    own, last = target.config, target.config.layers - 1
    several = tuple(sorted({min(2, last), own.layers // 2, max(0, last - 2)}))
    default_modules = {"prism": 2, "medusa": heads_ahead}.get(architecture, 1)
    count = default_modules if modules is None else modules
    spread = tuple(range(count)) if step_map is None else step_map
    if taps is None:
        taps = several if architecture in ("prism", "eagle3", "stacked") else (last,)
    rows = int(target.vocabulary.ids.size)
    return DraftConfig(
        architecture=architecture,
        target=target.digest.hex(),
        width=own.width,
        heads=own.heads,
        kv_heads=own.kv_heads,
        head_width=own.head_width,
        feed_forward=own.feed_forward + (own.width // 3 if architecture == "stacked" else 0),
        rope_base=own.rope_bases[-1],
        epsilon=own.epsilon,
        taps=taps,
        normed_taps=len(taps) > 1,
        modules=count,
        step_map=spread,
        rows=rows,
        draft_rows=rows if draft_rows is None else min(draft_rows, rows),
        window=window,
        context=own.context,
    )
