"""What is sampled with drafts has the target's distribution; versions with the known mistakes do not."""

from __future__ import annotations

import itertools
from collections import Counter
from functools import cache

import numpy as np
import pytest
from drafts.adversaries import RandomDrafter
from models.tiny import feed, some_tokens, tiny

from foretell.drafts import sampling
from foretell.drafts.base import TreeSize
from foretell.drafts.generate import generate_rows
from foretell.drafts.sampling import Sampler, Sampling, probabilities
from foretell.drafts.speculation import Speculation

STREAMS, SEEDS = 64, 40
HOT = Sampling(temperature=2.5, top_k=3)


def next_probabilities(prompt: np.ndarray) -> np.ndarray:
    """Processed probabilities of the token after a prompt, by plain decoding."""
    model = tiny("llama")
    cache_ = model.new_cache(1, prompt.size)
    slots = np.arange(prompt.size, dtype=np.int32)
    states = model.forward(prompt, np.zeros(prompt.size, np.int32), slots, cache_)
    sums = model.head_sums(states)[-1]
    scales = model.head_scale[: model.vocabulary.ids.size]
    logits = sums[: scales.size].astype(np.float64) * scales * np.float64(states.scales[-1])
    logits[model.vocabulary.unspelled] = -np.inf
    return probabilities(logits, HOT)


@cache
def expected_pairs() -> dict[tuple[int, int], float]:
    """Exact probability of each pair of next tokens, by enumeration."""
    prompt = some_tokens(tiny("llama"), 6, 4)
    found = {}
    first = next_probabilities(prompt)
    for a in np.flatnonzero(first):
        second = next_probabilities(np.append(prompt, a).astype(np.int32))
        found |= {(int(a), int(b)): first[a] * second[b] for b in np.flatnonzero(second)}
    assert abs(sum(found.values()) - 1) < 1e-12
    return found


def chi_square() -> tuple[float, int]:
    """Statistic of the pairs that speculative sampling gives against the exact distribution, and degrees of freedom."""
    model, prompt = tiny("llama"), some_tokens(tiny("llama"), 6, 4)
    likely = sorted({token for pair in expected_pairs() for token in pair})
    counts: Counter[tuple[int, int]] = Counter()
    for seed in range(SEEDS):
        truth = [
            [*prompt.tolist()[1:], likely[(seed + s) % len(likely)], likely[s % len(likely)]] for s in range(STREAMS)
        ]
        speculation = Speculation(model, RandomDrafter(seed, model.tokens, truth), STREAMS, 12)
        for stream in range(STREAMS):
            speculation.read(stream, prompt)
        rows: list[list[int]] = [[] for _ in range(STREAMS)]
        hot = Sampling(HOT.temperature, HOT.top_k, seed=seed)
        for stream, more in generate_rows(speculation, hot, 2, TreeSize(4, 2, 2)):
            rows[stream] += more
        assert speculation.rounds < 2 * STREAMS  # some drafts were right
        counts.update((row[0], row[1]) for row in rows if len(row) == 2)
    total = sum(counts.values())
    assert set(counts) <= set(expected_pairs())
    statistic = sum((counts[pair] - total * p) ** 2 / (total * p) for pair, p in expected_pairs().items())
    return statistic, len(expected_pairs()) - 1


def limit(degrees: int) -> float:
    """Exceeded by chance less than once in a million (Laurent and Massart's tail bound)."""
    level = np.log(1e6)
    return float(degrees + 2 * np.sqrt(degrees * level) + 2 * level)


def test_pairs_of_tokens_have_their_probabilities() -> None:
    statistic, degrees = chi_square()
    assert statistic < limit(degrees)


def test_a_random_number_that_is_used_twice_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    original = sampling.uniform
    monkeypatch.setattr(sampling, "uniform", lambda seed, stream, position: original(seed, stream, 0))
    statistic, degrees = chi_square()
    assert statistic > 1.5 * limit(degrees)


def test_a_token_without_temperature_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Sampler.choose

    def cold(self, stream, position, sums, scale):  # type: ignore[no-untyped-def]
        kept = self.sampling
        self.sampling = Sampling(1.0, kept.top_k, seed=kept.seed) if position % 2 else kept
        try:
            return original(self, stream, position, sums, scale)
        finally:
            self.sampling = kept

    monkeypatch.setattr(Sampler, "choose", cold)
    statistic, degrees = chi_square()
    assert statistic > 1.5 * limit(degrees)


def outcome(target: np.ndarray, draft: np.ndarray, children: list[int], rule: str) -> np.ndarray:
    """Exact distribution of the next token at a node with deterministic children, by a rule of verification."""
    if rule == "match":
        return target
    left, rest, out = 1.0, target.copy(), np.zeros(target.size)
    for child in children:
        rate = rest[child] if rule == "one-hot" else min(1.0, rest[child] / draft[child])
        out[child] += left * rate
        left *= 1 - rate
        rest = np.where(np.arange(target.size) == child, 0, rest) if rule == "one-hot" else np.maximum(rest - draft, 0)
        if rest.sum() > 0:
            rest = rest / rest.sum()
    return out + left * rest


def test_rules_of_verification_by_enumeration() -> None:
    """Sample-match and the one-hot rule are exact; p/q with children that were not sampled is far from it."""
    random = np.random.default_rng(1)
    wrong = []
    for _ in range(200):
        target, draft = random.dirichlet(np.full(8, 0.4), 2)
        children = np.argsort(-draft)[:3].tolist()
        for rule in ("match", "one-hot"):
            assert np.abs(outcome(target, draft, children, rule) - target).sum() / 2 < 1e-12
        wrong.append(np.abs(outcome(target, draft, children, "ratio") - target).sum() / 2)
    assert max(wrong) > 0.3
    assert np.mean(wrong) > 0.05


def test_enumeration_is_of_the_model_itself() -> None:
    """The most probable first token is the model's largest frequency."""
    prompt = some_tokens(tiny("llama"), 6, 4)
    first = Counter()
    for (a, _), p in expected_pairs().items():
        first[a] += p
    assert first.most_common(1)[0][0] == int(np.argmax(feed(tiny("llama"), prompt)[-1]))
    assert len(list(itertools.chain(first))) == 3
