"""Text from a language model, token by token or several at a time: the same text either way."""

from __future__ import annotations

import codecs
import time
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from foretell.drafts.base import Drafter, TreeSize
from foretell.drafts.chat import prompt_rows
from foretell.drafts.pace import LARGEST_TREE
from foretell.drafts.sampling import Sampler, Sampling
from foretell.drafts.speculation import Choice, Speculation, new_speculation
from foretell.errors import UsageError
from foretell.models.decoder import Decoder


class _Turns:
    """Chooses tokens for :func:`generate_rows`, and knows where each stream stands."""

    def __init__(self, sampler: Sampler, lengths: Sequence[int], most: int, leaves: int) -> None:
        self._sampler = sampler
        self._first = list(lengths)
        self._position = list(lengths)
        self._most = most
        self._leaves = leaves
        self.open = [True] * len(self._first)

    def __call__(self, stream: int, sums: NDArray[np.int32], scale: np.float32) -> Choice:
        position = self._position[stream]
        token = self._sampler.choose(stream, position, sums, scale)
        self._position[stream] += 1
        # Special tokens spell nothing: whichever comes, the text is over.
        self.open[stream] = token < self._leaves and position + 1 - self._first[stream] < self._most
        return Choice(token, self.open[stream])


def generate_rows(
    speculation: Speculation, sampling: Sampling, most: int, size: TreeSize = LARGEST_TREE
) -> Iterator[tuple[int, list[int]]]:
    """Continue what the streams have read, side by side, by at most ``most`` tokens each.

    Yields
    ------
    stream : int
        Which stream goes on.
    rows : list of int
        The rows of the vocabulary that it goes on with, one or more; the last of a stream may be a special token.
    """
    target, lengths = speculation.target, (speculation.used + 1).tolist()
    turns = _Turns(Sampler(target, sampling), lengths, most, target.tokens)
    active = list(range(len(lengths))) if most > 0 else []
    while active:
        yield from zip(active, speculation.round(active, turns, size), strict=True)
        active = [stream for stream in active if turns.open[stream]]


class Generation:
    """An answer in the making: iterate to get its text piece by piece.

    Attributes
    ----------
    text : str
        All text so far.
    tokens : int
        Tokens so far, without the one that ended it.
    seconds : float
        Since the prompt was read.
    acceptance_length : float
        Mean number of tokens that a pass of the target gave.
    """

    def __init__(
        self, speculation: Speculation, prompt: NDArray[np.int32], sampling: Sampling, most: int, stop: Sequence[str]
    ) -> None:
        self._speculation = speculation
        speculation.read(0, prompt)
        self._rows = generate_rows(speculation, sampling, most)
        self._stop = [mark for mark in stop if mark]
        self.text = ""
        self.tokens = 0
        self.seconds = 0.0

    @property
    def tokens_per_second(self) -> float:
        """Tokens over seconds."""
        return self.tokens / self.seconds if self.seconds else 0.0

    @property
    def acceptance_length(self) -> float:
        """Mean number of tokens that a pass of the target gave."""
        return self._speculation.tokens / max(1, self._speculation.rounds)

    def __iter__(self) -> Iterator[str]:
        vocabulary = self._speculation.target.vocabulary
        leaves = self._speculation.target.tokens
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        begin, told, held = time.perf_counter(), 0, max((len(mark) for mark in self._stop), default=1) - 1
        for _, rows in self._rows:
            ordinary = [row for row in rows if row < leaves]
            self.tokens += len(ordinary)
            self.seconds = time.perf_counter() - begin
            self.text += decoder.decode(vocabulary.spell(ordinary))
            if self._cut():
                break
            # What may be the beginning of a stop mark is not told yet.
            if len(self.text) - held > told:
                yield self.text[told : len(self.text) - held]
                told = len(self.text) - held
        else:
            self.text += decoder.decode(b"", final=True)
            self._cut()
        if self.text[told:]:
            yield self.text[told:]

    def _cut(self) -> bool:
        """End the text before the first stop mark, if there is one."""
        places = [place for place in (self.text.find(mark) for mark in self._stop) if place >= 0]
        if places:
            self.text = self.text[: min(places)]
        return bool(places)


def generate(
    prompt: str,
    *,
    model: str | Decoder = "smollm2-135m",
    max_tokens: int = 256,
    draft: str | Drafter = "auto",
    temperature: float = 0.0,
    top_k: int = 0,
    top_p: float = 1.0,
    seed: int = 0,
    stop: Sequence[str] = (),
    chat: bool = True,
) -> Generation:
    """Answer a prompt with a language model; a draft makes it faster and changes nothing.

    Parameters
    ----------
    prompt : str
        What to answer, or with ``chat=False`` what to go on with.
    model : str or Decoder
        The target, by name, path or as loaded.
    max_tokens : int
        Most tokens to generate; fewer if the target's context is full.
    draft : str or Drafter
        ``"auto"``, ``"none"``, or a name that :func:`foretell.drafts.drafters.new_drafter` knows.
    temperature, top_k, top_p, seed
        See :class:`~foretell.drafts.sampling.Sampling`.
    stop : sequence of str
        Texts before which the answer ends.

    Returns
    -------
    Generation
        Iterate over it for pieces of text; figures are its attributes.

    Raises
    ------
    UsageError
        If the prompt does not fit the target's context, or a number is out of range.
    """
    from foretell.drafts.drafters import new_drafter
    from foretell.models import registry

    target = registry.load(model) if isinstance(model, str) else model
    sampling = Sampling(temperature, top_k, top_p, seed)
    rows = prompt_rows(target, prompt, chat)
    if max_tokens < 0:
        raise UsageError(f"max_tokens {max_tokens} is negative")
    if rows.size >= target.config.context:
        raise UsageError(f"the prompt has {rows.size} tokens, {target.name} reads {target.config.context - 1} at most")
    drafter = new_drafter(draft, target) if isinstance(draft, str) else draft
    slots = min(rows.size + max_tokens, target.config.context)
    speculation = new_speculation(target, drafter, slots)
    return Generation(speculation, rows, sampling, slots - rows.size, stop)
