"""Networks begin with the best linear prediction of the target's next state."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from drafts.test_networks import network_of  # noqa: E402
from models.tiny import some_tokens, tiny  # noqa: E402

from foretell.drafts.features import Features  # noqa: E402
from foretell.drafts.linear_start import linear_start  # noqa: E402
from foretell.drafts.unroll import Unrolling, unroll  # noqa: E402


def features(texts: int, length: int) -> Features:
    target = tiny("llama")
    layers = tuple(range(target.config.layers))
    tokens = np.stack([some_tokens(target, length, seed) for seed in range(texts)])
    outputs = np.empty((texts, length, len(layers), target.config.width), np.float16)
    slots = np.arange(length, dtype=np.int32)
    for text in range(texts):
        taps = target.new_taps(layers, length)
        target.forward(tokens[text], np.zeros_like(slots), slots, target.new_cache(1, length), taps=taps)
        outputs[text] = taps.values.transpose(1, 0, 2)
    return Features(target.digest.hex(), layers, tokens, outputs)


@pytest.mark.parametrize(
    ("architecture", "options"),
    [("prism", {}), ("hass", {}), ("prism", {"modules": 3, "step_map": (0, 1, 1, 2)}), ("prism", {"taps": (1,)})],
)
def test_steps_begin_as_least_squares(architecture: str, options: dict[str, object]) -> None:
    network, known = network_of(architecture, **options), features(40, 20)
    linear_start(network, known)
    tokens = torch.from_numpy(known.tokens.astype(np.int64))
    outputs = torch.from_numpy(known.outputs.astype(np.float32))
    tapped = outputs[:, :, known.places_of(network.config.taps)]
    wished = network.normed(outputs[:, :, -1])
    state = network.join(tapped) if network.fc is not None else network.begin(tapped)
    steps = [network.config.step_map.index(module) for module in set(network.config.step_map)]
    with torch.no_grad():
        for step, found in enumerate(unroll(network, tokens, tapped, Unrolling(max(steps) + 1))):
            places = 20 - 1 - step
            inputs = torch.cat([network.embed(tokens[:, 1 + step :]), state[:, :places]], -1).flatten(0, 1)
            aims = wished[:, 1 + step :].flatten(0, 1).numpy()
            error = np.square(found[:, :places].flatten(0, 1).numpy() - aims).sum()
            if step in steps:
                ones = np.concatenate([inputs.numpy(), np.ones((len(inputs), 1), np.float32)], 1)
                best = np.linalg.lstsq(ones, aims, rcond=None)[0]
                assert error <= 1.05 * np.square(ones @ best - aims).sum()
                assert error < 0.9 * np.square(aims - aims.mean(0)).sum()
            state = found


def test_eagle3_begins_with_what_features_say() -> None:
    network, known = network_of("eagle3"), features(40, 20)
    linear_start(network, known)
    tokens = torch.from_numpy(known.tokens.astype(np.int64))
    outputs = torch.from_numpy(known.outputs.astype(np.float32))
    tapped = outputs[:, :, known.places_of(network.config.taps)]
    with torch.no_grad():
        (found,) = unroll(network, tokens, tapped, Unrolling(1))
    wished = torch.nn.functional.rms_norm(outputs[:, 1:, -1], outputs.shape[-1:], None, network.config.epsilon)
    assert (found - wished).square().sum() < 0.95 * (wished - wished.mean((0, 1))).square().sum()
