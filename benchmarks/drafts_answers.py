"""Answers of a target to many prompts, for drafts_data.py: side by side, each the same whatever is beside it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from foretell.drafts.chat import FORMATS, prompt_rows
from foretell.drafts.sampling import Sampler, Sampling, uniform
from foretell.models.decoder import Decoder, States

LENGTH = 256
"""Most tokens of a conversation."""
ANSWER = 144
"""Most tokens of an answer."""
QUESTION = 80
"""Most tokens of a question that the target asks itself."""
ABREAST = 128
TEMPERATURES = (0.0, 0.0, 0.0, 0.7, 1.0)


@dataclass
class Talk:
    """A conversation in the making; ``limit`` is how long it may become, ``fed`` how much the target has read."""

    number: int
    rows: list[int]
    heat: float
    asking: bool
    limit: int
    fed: int = 0

    def goes_on(self, token: int, special: bool, turn: list[int]) -> bool:
        """Add a token; after the target's own question, whose end is ``turn``, comes the answer."""
        self.rows.append(token)
        over = special or len(self.rows) >= self.limit
        if self.asking and over:
            self.rows[-1:] = turn
            self.asking, self.limit = False, len(self.rows) + ANSWER
            return True
        return not over


def question_frame(target: Decoder) -> tuple[list[int], list[int]]:
    """What stands before the user's words, and from their end to the answer."""
    whole = prompt_rows(target, "", chat=True)
    end = target.vocabulary.row_of_id[FORMATS[target.name].end]
    cut = int(np.flatnonzero(whole == end)[1])
    return whole[:cut].tolist(), whole[cut:].tolist()


def talks(target: Decoder, prompts: Sequence[np.ndarray | None], done: set[int]) -> Iterator[Talk]:
    """Conversations that are still to be made; without a prompt the target asks."""
    opening, _ = question_frame(target)
    for number, prompt in enumerate(prompts):
        rows = opening if prompt is None else prompt.tolist()
        limit = len(rows) + (QUESTION if prompt is None else ANSWER)
        if number not in done and limit <= LENGTH:
            yield Talk(number, list(rows), TEMPERATURES[number % len(TEMPERATURES)], prompt is None, limit)


class Chooser:
    """Chooses tokens greedily or, at a temperature, by numbers that conversation and place decide."""

    def __init__(self, target: Decoder, seed: int) -> None:
        self._greedy = Sampler(target, Sampling())
        self._scales = target.head_scale[: target.vocabulary.ids.size]
        self._banned, self._seed = target.vocabulary.unspelled, seed

    def __call__(self, talk: Talk, sums: np.ndarray, scale: np.float32) -> int:
        """Row of the next token."""
        heat = 1.0 if talk.asking else talk.heat
        if not heat:
            return self._greedy.choose(0, 0, sums, scale)
        logits = sums[: self._scales.size] * (self._scales * np.float32(scale / heat))
        logits[self._banned] = -np.inf
        total = np.cumsum(np.exp(logits - logits.max()), dtype=np.float64)
        return int(np.searchsorted(total, uniform(self._seed, talk.number, len(talk.rows)) * total[-1], side="right"))


def answer_all(
    target: Decoder, prompts: Sequence[np.ndarray | None], file: Path, seed: int, most: float = float("inf")
) -> None:
    """Write a line for each conversation to a file, in the order in which they end; go on after what is there."""
    begin = told = time.monotonic()
    done = {json.loads(line)["number"] for line in file.read_text().splitlines()} if file.exists() else set()
    waiting, choose, (_, turn) = talks(target, prompts, done), Chooser(target, seed), question_frame(target)
    cache, open_, made = target.new_cache(ABREAST, LENGTH), dict[int, Talk](), 0
    with file.open("a", buffering=1) as out:
        while time.monotonic() - begin < most:
            for stream in set(range(ABREAST)) - set(open_):
                if talk := next(waiting, None):
                    open_[stream] = talk
            if not open_:
                return
            for stream, sums, scale in read(target, open_, cache):
                talk = open_[stream]
                token = choose(talk, sums, scale)
                made += 1
                if not talk.goes_on(token, token >= target.tokens, turn):
                    out.write(json.dumps({"number": talk.number, "rows": talk.rows}) + "\n")
                    del open_[stream]
            if time.monotonic() - told > 30:
                told = time.monotonic()
                print(f"{made} tokens, {made / (told - begin):.0f} a second", flush=True)


def read(target: Decoder, open_: dict[int, Talk], cache: object) -> Iterator[tuple[int, np.ndarray, np.float32]]:
    """Let the target read what it has not; yields its head's sums after each conversation's last token."""
    streams = sorted(open_)
    parts = [open_[stream].rows[open_[stream].fed :] for stream in streams]
    sizes = np.array([len(part) for part in parts])
    slots = np.concatenate([np.arange(open_[s].fed, len(open_[s].rows), dtype=np.int32) for s in streams])
    tokens = np.concatenate(parts).astype(np.int32)
    states = target.forward(tokens, np.repeat(np.array(streams, np.int32), sizes), slots, cache)
    ends = np.cumsum(sizes) - 1
    last = States(np.ascontiguousarray(states.integers[ends]), states.scales[ends])
    sums = target.head_sums(last)
    for place, stream in enumerate(streams):
        open_[stream].fed = len(open_[stream].rows)
        yield stream, sums[place], last.scales[place]
