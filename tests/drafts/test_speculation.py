"""Whatever is drafted, what comes out is what plain decoding gives."""

from __future__ import annotations

import numpy as np
import pytest
from drafts.adversaries import RandomDrafter
from models.tiny import some_tokens, tiny

from foretell.drafts.base import Drafter, NoDrafter, TreeSize
from foretell.drafts.generate import generate_rows
from foretell.drafts.lookup import LookupDrafter
from foretell.drafts.sampling import Sampling
from foretell.drafts.speculation import Speculation
from foretell.models.decoder import Decoder

KINDS = ("llama", "gemma")
LENGTH = 40
NO_TREE = TreeSize(0, 0, 1)


def prompts_of(model: Decoder, count: int = 3) -> list[np.ndarray]:
    return [some_tokens(model, 5 + 9 * i, seed=i + 1) for i in range(count)]


def continued(
    model: Decoder,
    drafter: Drafter,
    sampling: Sampling,
    size: TreeSize = NO_TREE,
    costs: np.ndarray | None = None,
    count: int = 3,
) -> tuple[list[list[int]], Speculation]:
    prompts = prompts_of(model, count)
    speculation = Speculation(model, drafter, count, LENGTH + 40, costs)
    out: list[list[int]] = [[] for _ in prompts]
    for stream, prompt in enumerate(prompts):
        speculation.read(stream, prompt)
    for stream, rows in generate_rows(speculation, sampling, LENGTH, size):
        out[stream] += rows
    return out, speculation


SAMPLINGS = (
    Sampling(),
    Sampling(1.0, seed=1),
    Sampling(0.7, top_k=5, seed=2),
    Sampling(1.5, top_p=0.8, seed=3),
    Sampling(0.3, seed=4),
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_drafts_change_nothing(kind: str, sampling: Sampling) -> None:
    model = tiny(kind)
    expected, _ = continued(model, NoDrafter(), sampling)
    assert all(0 < len(rows) <= LENGTH for rows in expected)
    truth = [[*p.tolist()[1:], *rows] for p, rows in zip(prompts_of(model), expected, strict=True)]
    for nodes in (1, 2, 5, 16, 64):
        drafter = RandomDrafter(nodes, model.tokens, truth)
        found, speculation = continued(model, drafter, sampling, TreeSize(nodes, 7, 4))
        assert found == expected, nodes
        assert speculation.tokens == sum(map(len, expected))
        # The drafter hears everything once and in order (nothing but the token that ended a stream may be new).
        assert drafter.seen == truth
    assert speculation.rounds < speculation.tokens  # most drafts were right


def test_lookup_changes_nothing_and_helps_where_text_repeats() -> None:
    model = tiny("llama")
    expected, plain = continued(model, NoDrafter(), Sampling())
    found, speculation = continued(model, LookupDrafter(), Sampling(), TreeSize(8, 8, 2))
    assert found == expected
    assert speculation.rounds <= plain.rounds


def test_trimming_to_what_pays_changes_nothing() -> None:
    model = tiny("llama")
    expected, _ = continued(model, NoDrafter(), Sampling())
    truth = [[*p.tolist()[1:], *rows] for p, rows in zip(prompts_of(model), expected, strict=True)]
    for costs in (np.ones(32), np.arange(1.0, 33.0), 1 + np.arange(32) / 10):
        drafter = RandomDrafter(1, model.tokens, truth)
        assert continued(model, drafter, Sampling(), TreeSize(12, 6, 3), costs)[0] == expected


@pytest.mark.parametrize("kind", KINDS)
def test_the_cache_after_a_round_is_that_of_the_text_alone(kind: str) -> None:
    model = tiny(kind)
    expected, _ = continued(model, NoDrafter(), Sampling(), count=1)
    truth = [[*prompts_of(model)[0].tolist()[1:], *expected[0]]]
    drafter = RandomDrafter(5, model.tokens, truth, taps=(0, model.config.layers - 1))
    _, speculation = continued(model, drafter, Sampling(), TreeSize(9, 5, 3), count=1)
    used = int(speculation.used[0])
    tokens = np.array([prompts_of(model)[0][0], *truth[0]], np.int32)[:used]
    cache, taps = model.new_cache(1, speculation.capacity + 1), model.new_taps(drafter.taps, used)
    model.forward(tokens, np.zeros(used, np.int32), np.arange(used, dtype=np.int32), cache, taps=taps)
    assert np.array_equal(cache.key_scales[..., :used], speculation.cache.key_scales[..., :used])
    assert np.array_equal(cache.value_scales[..., :used], speculation.cache.value_scales[..., :used])
    whole = used // 16
    assert np.array_equal(cache.keys[:, :, :, :whole], speculation.cache.keys[:, :, :, :whole])
    assert np.array_equal(cache.values[:, :, :, :, : used // 4], speculation.cache.values[:, :, :, :, : used // 4])
    # And the features that the drafter was given are those of the text alone.
    assert np.array_equal(np.array(drafter.features[0]).transpose(1, 0, 2), taps.values)


def test_streams_end_with_the_room_they_have() -> None:
    model = tiny("llama")
    speculation = Speculation(model, NoDrafter(), 1, 12)
    with pytest.raises(ValueError, match="13 tokens for a stream of 1 to 12"):
        speculation.read(0, some_tokens(model, 13))
    with pytest.raises(ValueError, match="0 tokens"):
        speculation.read(0, some_tokens(model, 1)[:0])
