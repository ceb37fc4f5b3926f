"""A smaller model as the draft."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drafts.test_speculation import continued, prompts_of
from models.tiny import tiny

from foretell.drafts.base import NoDrafter, TreeSize
from foretell.drafts.drafters import new_drafter
from foretell.drafts.sampling import Sampling
from foretell.drafts.standalone import StandaloneDrafter
from foretell.errors import ModelError, UsageError
from foretell.exact import samples
from foretell.models.decoder import Decoder
from foretell.models.vocabulary import Vocabulary


def other() -> Decoder:
    """Another random model with the same vocabulary."""
    return samples.model(samples.llama_config(), seed=99)


def test_a_model_drafts_for_itself_without_a_miss() -> None:
    target = tiny("llama")
    expected, _ = continued(target, NoDrafter(), Sampling())
    found, speculation = continued(target, StandaloneDrafter(target, target), Sampling(), TreeSize(4, 4, 1))
    assert found == expected
    assert speculation.rounds == sum(-(-len(rows) // 5) for rows in expected)


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(1.2, seed=5)])
def test_another_model_changes_nothing(sampling: Sampling) -> None:
    target = tiny("llama")
    expected, _ = continued(target, NoDrafter(), sampling)
    drafter = StandaloneDrafter(other(), target)
    assert continued(target, drafter, sampling, TreeSize(9, 4, 3))[0] == expected


def test_chances_are_the_models_probabilities() -> None:
    target, small = tiny("llama"), other()
    drafter = StandaloneDrafter(small, target)
    drafter.begin(1, 60)
    prompt = prompts_of(target)[0]
    drafter.start(0, int(prompt[0]))
    drafter.extend(0, prompt[1:], np.empty((0, prompt.size - 1, 1), np.float32))
    (tree,) = drafter.propose([0], [int(prompt[-1])], TreeSize(20, 3, 3))
    for node in (1, 5, 20):
        path, at = [], node
        while at > 0:
            path.insert(0, int(tree.tokens[at]))
            at = int(tree.parents[at])
        text = np.concatenate([prompt, path]).astype(np.int32)
        cache, slots = small.new_cache(1, text.size), np.arange(text.size, dtype=np.int32)
        states = small.forward(text, np.zeros(text.size, np.int32), slots, cache)
        rows = small.vocabulary.ids.size
        logits = small.head_sums(states)[:, :rows] * small.head_scale[:rows].astype(float) * states.scales[:, None]
        logits[:, small.vocabulary.unspelled] = -np.inf
        rates = np.exp(logits - logits.max(1, keepdims=True))
        rates /= rates.sum(1, keepdims=True)
        chance = np.prod([rates[prompt.size - 1 + i, token] for i, token in enumerate(path)])
        assert np.isclose(tree.chances[node], chance, rtol=1e-5)


def test_models_with_other_tokens_are_refused() -> None:
    with pytest.raises(ModelError, match="has other tokens than"):
        StandaloneDrafter(replace(other(), vocabulary=Vocabulary.build({0: b"a"}, [1], "{}")), tiny("llama"))


def test_names_of_nothing_are_refused(tmp_path) -> None:
    with pytest.raises(UsageError, match="no draft is called 'nothing'"):
        new_drafter("nothing", tiny("llama"))
    with pytest.raises(ModelError, match="no draft, or a damaged"):
        new_drafter(str(tmp_path), tiny("llama"))
