"""Choosing a token from the head's integer sums: greedily, or at random with a number that its place decides.

The random number of a token depends on the seed, the stream and the token's position and on nothing else, so
that a draft, whatever it proposes, cannot change what is sampled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled
from foretell.errors import UsageError
from foretell.models.decoder import Decoder

_MIX_1, _MIX_2, _STEP = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB, 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen.

    Attributes
    ----------
    temperature : float
        0 chooses the most probable token.
    top_k : int
        Only so many of the most probable tokens; 0 for all.
    top_p : float
        Only the most probable tokens that together have this probability.
    seed : int
        Of the random numbers.
    """

    temperature: float = 0.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise UsageError(f"temperature {self.temperature} is not a number from 0 up")
        if self.top_k < 0:
            raise UsageError(f"top_k {self.top_k} is negative")
        if not 0 < self.top_p <= 1:
            raise UsageError(f"top_p {self.top_p} is not above 0 and at most 1")


def uniform(seed: int, stream: int, position: int) -> float:
    """Number in [0, 1) for a place (SplitMix64 of the three).

    >>> uniform(0, 0, 1) == uniform(0, 0, 1) != uniform(0, 0, 2)
    True
    """
    state = 0
    for part in (seed, stream, position):
        state = (state + part * _STEP + _STEP) & _MASK
        state = ((state ^ (state >> 30)) * _MIX_1) & _MASK
        state = ((state ^ (state >> 27)) * _MIX_2) & _MASK
        state ^= state >> 31
    return (state >> 11) / (1 << 53)


@compiled
def largest(sums: NDArray[np.int32], scales: NDArray[np.float32], banned: NDArray[np.int32]) -> int:
    """Row with the largest logit, the first of equal ones, among those not banned."""
    best, found = np.float32(-np.inf), 0
    following = 0
    for row in range(scales.size):
        if following < banned.size and banned[following] == row:
            following += 1
            continue
        value = np.float32(sums[row]) * scales[row]
        if value > best:
            best, found = value, row
    return found


def probabilities(logits: NDArray[np.float64], sampling: Sampling) -> NDArray[np.float64]:
    """Probabilities after temperature, top-k and top-p, in this order.

    >>> probabilities(np.log([0.5, 0.3, 0.2]), Sampling(temperature=1.0, top_p=0.7)).round(3).tolist()
    [0.625, 0.375, 0.0]
    """
    if sampling.temperature == 0:
        one_hot = np.zeros(logits.size)
        one_hot[np.argmax(logits)] = 1.0
        return one_hot
    scaled = logits / sampling.temperature
    if 0 < sampling.top_k < logits.size:
        scaled = np.where(scaled >= np.partition(scaled, -sampling.top_k)[-sampling.top_k], scaled, -np.inf)
    weights: NDArray[np.float64] = np.exp(scaled - scaled.max())
    weights /= weights.sum()
    if sampling.top_p < 1:
        order = np.argsort(-weights, kind="stable")
        before = np.cumsum(weights[order]) - weights[order]
        weights[order[before >= sampling.top_p]] = 0.0
        weights /= weights.sum()
    return weights


def pick(weights: NDArray[np.float64], number: float) -> int:
    """Token at a number in [0, 1) of the cumulative distribution; never one without probability."""
    total = np.cumsum(weights)
    found = int(np.searchsorted(total, number * total[-1], side="right"))
    return min(found, int(np.flatnonzero(weights)[-1]))


class Sampler:
    """Chooses rows of a target's vocabulary."""

    def __init__(self, target: Decoder, sampling: Sampling, banned: NDArray[np.int32] | None = None) -> None:
        self._scales = target.head_scale[: target.vocabulary.ids.size]
        never = target.vocabulary.unspelled
        self._banned = never if banned is None else np.union1d(never, banned).astype(np.int32)
        self.sampling = sampling

    def choose(self, stream: int, position: int, sums: NDArray[np.int32], scale: np.float32) -> int:
        """Row of the token at a position of a stream."""
        if self.sampling.temperature == 0:
            return int(largest(sums, self._scales, self._banned))
        logits = sums[: self._scales.size].astype(np.float64) * self._scales * np.float64(scale)
        logits[self._banned] = -np.inf
        return pick(probabilities(logits, self.sampling), uniform(self.sampling.seed, stream, position))
