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
    target.forward(tokens, zeros, slots, target.new_cache(1, count), taps=taps)
    model = FloatTarget(target)
    batch = torch.from_numpy(tokens.astype(np.int64))[None]
    outputs = model(batch)
    assert outputs.shape == (len(layers), 1, count, target.config.width)
    for layer in layers:
        exact, found = taps.values[layer], outputs[layer, 0].numpy()
        assert np.abs(found - exact).mean() < 0.03 * np.abs(exact).mean()
