"""The target in floating point says nearly what the exact one says."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from models.tiny import some_tokens, tiny  # noqa: E402

from foretell.drafts.float_target import FloatTarget  # noqa: E402


@pytest.mark.parametrize("kind", ["llama", "gemma"])
def test_outputs_are_close_to_the_exact_ones(kind: str) -> None:
    target = tiny(kind)
    count, layers = 40, tuple(range(target.config.layers))
    tokens, taps = some_tokens(target, count), target.new_taps(layers, count)
    zeros, slots = np.zeros(count, np.int32), np.arange(count, dtype=np.int32)
    states = target.forward(tokens, zeros, slots, target.new_cache(1, count), taps=taps)
    model = FloatTarget(target)
    batch = torch.from_numpy(tokens.astype(np.int64))[None]
    outputs = model(batch)
    assert outputs.shape == (len(layers), 1, count, target.config.width)
    for layer in layers:
        exact, found = taps.values[layer], outputs[layer, 0].numpy()
        assert np.abs(found - exact).mean() < 0.03 * np.abs(exact).mean()
    rows = target.vocabulary.ids.size
    exact = target.head_sums(states)[:, :rows] * target.head_scale[:rows] * states.scales[:, None]
    logits = model.logits(outputs[-1])[0].numpy()
    assert np.corrcoef(exact.ravel(), logits.ravel())[0, 1] > 0.999
    # In two parts, with memory, it is the same.
    memory = model.new_memory(1, count)
    model(batch[:, :17], memory)
    rest = model(batch[:, 17:-1], memory), model(batch[:, -1:], memory)
    rest = torch.cat(rest, 2)
    assert torch.allclose(rest[-1], outputs[-1][:, 17:], atol=1e-4 * float(outputs[-1].abs().max()))


def test_answers_are_those_of_greedy_decoding_and_end_with_a_special_token() -> None:
    target = tiny("llama")
    model = FloatTarget(target)
    prompts = [some_tokens(target, 6, seed) for seed in (1, 2, 3)]
    found = model.answers(prompts, 12)
    for prompt, answer in zip(prompts, found, strict=True):
        assert np.array_equal(answer[:6], prompt)
        text = torch.from_numpy(answer.astype(np.int64))[None]
        greedy = model.logits(model(text)[-1])[0].argmax(-1).numpy()
        assert np.array_equal(greedy[5 : answer.size - 1], answer[6:])
        assert (answer[6:-1] < target.tokens).all()
    hot = [model.answers(prompts, 12, temperature=1.0, seed=seed) for seed in (1, 1, 2)]
    assert all(np.array_equal(a, b) for a, b in zip(hot[0], hot[1], strict=True))
    assert any(not np.array_equal(a, b) for a, b in zip(hot[0], hot[2], strict=True))
