"""How good a draft is: tokens a pass, how often each step is right, and what a round costs."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from foretell.drafts.base import Drafter, TreeSize
from foretell.drafts.generate import generate_rows
from foretell.drafts.sampling import Sampling
from foretell.drafts.speculation import Speculation
from foretell.drafts.tree import child_of
from foretell.models.decoder import Decoder


@dataclass(frozen=True)
class Measured:
    """A figure and the ends of its interval.

    The interval holds with at least the confidence asked for, for any number of prompts and however the rounds of one
    prompt depend on each other (:func:`foretell.dependence.metric_interval` with the prompts as groups).
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Evaluation:
    """What a draft does on some prompts.

    Attributes
    ----------
    draft : str
        Its name.
    prompts, tokens, rounds : int
        How much was generated.
    acceptance_length : Measured
        Tokens that a pass of the target gives.
    step_acceptance : tuple of float
        For each draft step, how often it was right where all steps before it were.
    round_milliseconds : float
        Mean time of a round: draft, pass and choice.
    tokens_per_second : float
        Of all prompts together, without reading them.
    """

    draft: str
    prompts: int
    tokens: int
    rounds: int
    acceptance_length: Measured
    step_acceptance: tuple[float, ...]
    round_milliseconds: float
    tokens_per_second: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


class Known(NamedTuple):
    """A prompt and what the target says to it.

    ``prompt`` is the number of tokens of the prompt; ``features`` are what the drafter's layers give at each token,
    (taps, tokens, width).
    """

    tokens: NDArray[np.int32]
    prompt: int
    features: NDArray[np.float32]


def evaluate(
    target: Decoder,
    drafter: Drafter,
    prompts: Sequence[NDArray[np.int32]],
    *,
    most: int,
    size: TreeSize,
    sampling: Sampling | None = None,
    costs: NDArray[np.float64] | None = None,
    confidence: float = 0.95,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Answer prompts one after another and count.

    Parameters
    ----------
    prompts : sequence of ndarray of int32
        Rows that the target reads.
    most : int
        Most tokens of an answer.
    size, costs
        Trees, and what passes cost if trees are to be trimmed to what pays.

    Raises
    ------
    ValueError
        If there is no prompt, or nothing is generated.
    """
    groups: list[int] = []
    lengths: list[int] = []
    seconds = 0.0
    for index, prompt in enumerate(prompts):
        slots = min(prompt.size + most, target.config.context)
        speculation = Speculation(target, drafter, 1, slots, costs)
        speculation.read(0, prompt)
        begin = time.perf_counter()
        rounds = [
            len(rows) for _, rows in generate_rows(speculation, sampling or Sampling(), slots - prompt.size, size)
        ]
        seconds += time.perf_counter() - begin
        groups += [index] * len(rounds)
        lengths += rounds
        if progress:
            progress(index + 1, len(prompts))
    counts = np.array(lengths)
    tokens = int(counts.sum())
    if not tokens:
        raise ValueError("no prompt was answered")
    return Evaluation(
        draft=drafter.name,
        prompts=len(prompts),
        tokens=tokens,
        rounds=counts.size,
        acceptance_length=mean_length(counts, np.array(groups), size.depth + 1, confidence),
        step_acceptance=step_acceptance(counts - 1, size.depth),
        round_milliseconds=1000 * seconds / counts.size,
        tokens_per_second=tokens / seconds,
    )


def replay(drafter: Drafter, texts: Sequence[Known], size: TreeSize) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Tokens of each round along texts whose continuations by the target are known, and which text it belongs to.

    Since drafts change nothing, a round's outcome follows from the text: what :func:`evaluate` would count is found
    without running the target.
    """
    groups: list[int] = []
    lengths: list[int] = []
    for index, text in enumerate(texts):
        drafter.begin(1, text.tokens.size + 1)
        drafter.start(0, int(text.tokens[0]))
        read, known = 1, text.prompt
        while known < text.tokens.size:
            drafter.extend(0, text.tokens[read:known], text.features[:, read - 1 : known - 1])
            left = text.tokens.size - known
            limited = size._replace(nodes=min(size.nodes, left - 1), depth=min(size.depth, left - 1))
            (tree,) = drafter.propose([0], [int(text.tokens[known - 1])], limited)
            read, node = known, 0
            while node >= 0 and known < text.tokens.size:
                node = child_of(tree, node, int(text.tokens[known]))
                known += 1
            groups.append(index)
            lengths.append(known - read)
    return np.array(lengths), np.array(groups)


def step_acceptance(accepted: NDArray[np.int64], depth: int) -> tuple[float, ...]:
    """Of the rounds in which the first k - 1 drafted tokens were right, the part in which the k-th was too.

    Stops at the first step that no round came to.

    >>> step_acceptance(np.array([0, 1, 2, 2]), 3)
    (0.75, 0.6666666666666666, 0.0)
    """
    reached = [int((accepted >= step).sum()) for step in range(depth + 1)]
    return tuple(now / before for before, now in itertools.pairwise(reached) if before)


def mean_length(counts: NDArray[np.int64], groups: NDArray[np.int64], most: int, confidence: float = 0.95) -> Measured:
    """Mean tokens of rounds, each of at most ``most``, that belong to texts."""
    from foretell.dependence import metric_interval

    values, bounds = counts.astype(float), (1, max(2, most))
    found = metric_interval(None, values, "acceptance_length", groups=groups, confidence=confidence, value_range=bounds)
    return Measured(float(counts.mean()), found.low, found.high)
