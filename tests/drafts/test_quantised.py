"""The integer engine drafts what the float network drafts, without PyTorch at run time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from drafts.test_networks import features_of, network_of  # noqa: E402
from drafts.test_speculation import continued  # noqa: E402
from models.tiny import tiny  # noqa: E402

from foretell.drafts.base import NoDrafter, TreeSize  # noqa: E402
from foretell.drafts.grow import Growing  # noqa: E402
from foretell.drafts.networks.base import DraftNetwork  # noqa: E402
from foretell.drafts.neural import NeuralDrafter, _Branch  # noqa: E402
from foretell.drafts.quantised import QuantisedDrafter, _branch_rows  # noqa: E402
from foretell.drafts.sampling import Sampling  # noqa: E402
from foretell.errors import ModelError  # noqa: E402
from foretell.exact.threads import set_thread_count  # noqa: E402


def quantised(network: DraftNetwork) -> QuantisedDrafter:
    arrays = {name: value.numpy() for name, value in network.state_dict().items()}
    return QuantisedDrafter(network.config, arrays, tiny("llama"))


def alike(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal but for rounding to 8 bits."""
    return bool(np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.98)


@pytest.mark.parametrize(
    ("architecture", "options"),
    [("prism", {}), ("hass", {}), ("prism", {"modules": 3, "taps": (1,)}), ("prism", {"window": 9})],
)
def test_states_and_trees_are_nearly_those_of_the_network(architecture: str, options: dict[str, object]) -> None:
    # Not every random network is as gentle: in some, rounding chooses another place to look at, and errors pile up.
    network = network_of(architecture, seed=0 if architecture == "hass" else 5, **options)
    with torch.no_grad():
        for layer in network.layers:
            layer.q_proj.weight *= 0.1
    tokens, values = features_of(60, network.config.taps)
    exact, found = NeuralDrafter(network), quantised(network)
    for drafter in (exact, found):
        drafter.begin(2, 80)
        # The second stream is the longer; more rows than go through at once.
        drafter.extend(0, tokens[1:6], values[:, :5])
        drafter.extend(1, tokens[1:50], values[:, :49])
        drafter.extend(1, tokens[50:], values[:, 49:59])
    for stream in (0, 1):
        a, b = exact._streams[stream].state[0].numpy(), found._streams[stream].state
        assert alike(a, b)
    # Down one path, with a second branch in the memory that it must not see.
    growing, branch = Growing(int(tokens[59])), _Branch(exact._streams[1])
    expanded, states = [], {0: (exact._streams[1].state[0, 0], found._streams[1].state[0])}
    branch.states[0] = states[0][0]
    node = other = 0
    for depth in (1, 2, 3):
        (node,) = growing.add(node, tokens[depth + 9 : depth + 10], np.ones(1))
        (other,) = growing.add(other, tokens[depth + 20 : depth + 21], np.ones(1))
        nodes = np.array([node, other], np.int32)
        with torch.inference_mode():
            wanted = exact._advance(depth, nodes, growing, branch)[0]
        expanded += nodes.tolist()
        rows = _branch_rows(1, 59, depth, nodes, expanded, growing)
        before = np.stack([states[growing.parents[n]][1] for n in nodes])
        got = found._step(depth, tokens[[depth + 9, depth + 20]], before, rows)
        assert alike(wanted.numpy(), got)
        for n, one, two in zip(nodes.tolist(), wanted, got, strict=True):
            states[n], branch.states[n] = (one, two), one


def test_the_likeliest_tokens_are_those_of_the_networks_scores() -> None:
    network = network_of("prism", draft_rows=90)
    found = quantised(network)
    state = np.random.default_rng(1).normal(size=(3, network.config.width)).astype(np.float32)
    tokens, rates = found._likeliest(state, 4)
    with torch.inference_mode():
        wanted = torch.softmax(network.scores(0, torch.from_numpy(state)), -1).numpy()
    for row in range(3):
        at = np.searchsorted(network.drafted.numpy(), tokens[row])
        assert np.allclose(rates[row], wanted[row][at], rtol=0.2, atol=0.01)
        assert (np.diff(rates[row]) <= 0).all()
        assert rates[row][0] > 0.8 * wanted[row].max()
    assert found._likeliest(state, 500)[0].shape == (3, 90)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("sampling", [Sampling(), Sampling(0.9, seed=4)])
def test_drafts_change_nothing(threads: int, sampling: Sampling) -> None:
    target = tiny("llama")
    expected, _ = continued(target, NoDrafter(), sampling)
    set_thread_count(threads)
    try:
        found, _ = continued(target, quantised(network_of("prism", draft_rows=90)), sampling, TreeSize(10, 4, 3))
    finally:
        set_thread_count(0)
    assert found == expected


def test_arrays_that_do_not_fit_are_refused() -> None:
    network = network_of("prism")
    arrays = {name: value.numpy() for name, value in network.state_dict().items()}
    target, config = tiny("llama"), network.config
    for change, message in (
        ({"fuse.0.weight": arrays["fuse.0.weight"][:, :-2]}, "fuse.0.weight"),
        ({"surprise": np.zeros(3, np.float32)}, "surprise"),
        ({"drafted": np.full(config.draft_rows, 10**9)}, "tokens that"),
        ({"drafted": np.full(config.draft_rows, -1)}, "tokens that"),
    ):
        with pytest.raises(ModelError, match=message):
            QuantisedDrafter(config, {**arrays, **change}, target)
    with pytest.raises(ModelError, match=r"layers\.0"):
        QuantisedDrafter(config, {n: a for n, a in arrays.items() if n != "layers.0.q_proj.weight"}, target)
    with pytest.raises(ModelError, match="medusa has no fusion"):
        QuantisedDrafter(replace(config, architecture="medusa"), arrays, target)
