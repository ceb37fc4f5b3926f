"""Drafts for models of ``transformers``: the same ``model.generate(...)`` call, and the same tokens, sooner.

``model.generate(**inputs, max_new_tokens=200, custom_generate=with_draft("my-draft", "smollm2-135m"))``
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from foretell.drafts.base import Drafter, TreeSize
from foretell.drafts.drafters import new_drafter
from foretell.errors import UsageError
from foretell.models.decoder import Decoder


def with_draft(draft: str | Drafter, target: str | Decoder, depth: int = 6) -> Callable[..., Any]:
    """A decoding method for ``custom_generate=`` of a ``transformers`` model.

    At each place the token is chosen as ``generate`` would, with its processors, criteria, sampling and random
    numbers; a chain of drafted tokens only makes several places known from one pass. One text at a time;
    ``transformers`` gives methods like this one no streamer.

    Parameters
    ----------
    draft : str or Drafter
        As for :func:`foretell.drafts.drafters.new_drafter`.
    target : str or Decoder
        The same model in foretell: it tells how tokens are spelled, and which drafts were trained for it.
    depth : int
        Most tokens that are drafted for a pass.

    Returns
    -------
    callable
        Pass it as ``custom_generate``.
    """
    if isinstance(target, str):
        from foretell.models import registry

        target = registry.load(target)
    drafter = new_drafter(draft, target) if isinstance(draft, str) else draft
    return _Method(drafter, target, TreeSize(depth, depth, 1))


class _Method:
    def __init__(self, drafter: Drafter, target: Decoder, size: TreeSize) -> None:
        self._drafter = drafter
        self._size = size
        self._ids: NDArray[np.int32] = target.vocabulary.ids
        self._row_of_id = target.vocabulary.row_of_id
        self._start = target.start

    def __call__(
        self,
        model: Any,
        input_ids: Tensor,
        logits_processor: Any,
        stopping_criteria: Any,
        generation_config: Any,
        **model_kwargs: Any,
    ) -> Any:
        if input_ids.shape[0] != 1:
            raise UsageError(f"a draft continues one text at a time, not {input_ids.shape[0]}")
        if generation_config.num_beams not in (None, 1):
            raise UsageError("a draft does not help a search with beams")
        cache = model_kwargs["past_key_values"]
        ids, read = input_ids, int(cache.get_seq_length())
        self._drafter.begin(1, int(stopping_criteria.max_length or 0) + ids.shape[1] + 1)
        self._drafter.start(0, self._row(int(ids[0, read])))
        drafted: list[int] = []
        open_ = True
        while open_:
            fed = torch.cat([ids[:, read:], torch.tensor([drafted], dtype=ids.dtype, device=ids.device)], 1)
            outputs, features = self._pass(model, fed, cache, model_kwargs.get("attention_mask"))
            first = ids.shape[1] - read - 1
            for place in range(len(drafted) + 1):
                scores = logits_processor(ids, outputs.logits[:, first + place].float())
                token = _choose(scores, bool(generation_config.do_sample))
                ids = torch.cat([ids, token], 1)
                open_ = not bool(stopping_criteria(ids, None).all())
                if not open_ or place == len(drafted) or int(token) != drafted[place]:
                    break
            known = ids.shape[1] - 1
            tokens = np.array([self._row(int(i)) for i in ids[0, read + 1 :]], np.int32)
            self._drafter.extend(0, tokens, features[:, : known - read])
            if surplus := int(cache.get_seq_length()) - known:
                cache.crop(-surplus)
            read = known
            drafted = self._draft(int(ids[0, -1])) if open_ else []
        return _result(ids, cache, generation_config)

    def _row(self, index: int) -> int:
        """Row of the target's vocabulary; an id without one is read as the start, which can only spoil a draft."""
        return self._row_of_id.get(index, self._start)

    def _draft(self, last: int) -> list[int]:
        (tree,) = self._drafter.propose([0], [self._row(last)], self._size)
        chain: list[int] = []
        node = 0
        while (children := np.flatnonzero(tree.parents == node)).size:
            node = int(children[np.argmax(tree.chances[children])])
            index = int(self._ids[tree.tokens[node]])
            if index < 0:
                break
            chain.append(index)
        return chain

    def _pass(self, model: Any, fed: Tensor, cache: Any, mask: Tensor | None) -> tuple[Any, NDArray[np.float32]]:
        """Logits of all fed places, and what the tapped layers gave; ``mask`` is that of the prompt."""
        taps = self._drafter.taps
        count = int(cache.get_seq_length()) + fed.shape[1]
        seen = torch.ones(1, count, dtype=torch.long, device=fed.device)
        if mask is not None:
            seen[:, : mask.shape[1]] = mask[:, :count]
        positions = (seen.cumsum(1) - 1).clamp(min=0)[:, -fed.shape[1] :]
        with _tapped(model, taps) as kept:
            outputs = model(
                input_ids=fed,
                attention_mask=seen,
                position_ids=positions,
                past_key_values=cache,
                use_cache=True,
                return_dict=True,
            )
        if not taps:
            return outputs, np.empty((0, fed.shape[1], 1), np.float32)
        return outputs, torch.stack([kept[tap][0].float() for tap in taps]).cpu().numpy()


@contextmanager
def _tapped(model: Any, taps: tuple[int, ...]) -> Iterator[dict[int, Tensor]]:
    """Keep what some decoder layers give, before the final norm."""
    kept: dict[int, Tensor] = {}

    def keep(tap: int) -> Callable[[Any, Any, Any], None]:
        def hook(_module: Any, _inputs: Any, output: Any) -> None:
            kept[tap] = (output[0] if isinstance(output, tuple) else output).detach()

        return hook

    layers = model.get_decoder().layers
    handles = [layers[tap].register_forward_hook(keep(tap)) for tap in taps]
    try:
        yield kept
    finally:
        for handle in handles:
            handle.remove()


def _choose(scores: Tensor, sample: bool) -> Tensor:
    """The next token, (1, 1), drawn as ``generate`` draws it."""
    if sample:
        return torch.multinomial(torch.softmax(scores, -1), 1)
    return scores.argmax(-1, keepdim=True)


def _result(ids: Any, cache: Any, generation_config: Any) -> Any:
    if not generation_config.return_dict_in_generate:
        return ids
    from transformers.generation.utils import GenerateDecoderOnlyOutput

    return GenerateDecoderOnlyOutput(sequences=ids, past_key_values=cache)
