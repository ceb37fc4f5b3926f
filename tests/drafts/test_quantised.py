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
from foretell.drafts.pace import NEVER  # noqa: E402
from foretell.drafts.quantised import QuantisedDrafter  # noqa: E402
from foretell.drafts.rounds import Growth  # noqa: E402
from foretell.drafts.sampling import Sampling  # noqa: E402
from foretell.drafts.tree import Tree, depths  # noqa: E402
from foretell.errors import ModelError  # noqa: E402
from foretell.exact.threads import set_thread_count  # noqa: E402


def quantised(network: DraftNetwork) -> QuantisedDrafter:
    arrays = {name: value.numpy() for name, value in network.state_dict().items()}
    return QuantisedDrafter(network.config, arrays, tiny("llama"))


def grown(drafter: QuantisedDrafter, stream: int, root: int, size: TreeSize) -> Growth:
    """All that is considered for a tree."""
    drafter._read(stream)
    drafter._room = drafter._new_room(size.width)
    growth = drafter._growth(stream, root, size)
    drafter._round(stream, growth, drafter._streams[stream].waiting, size)
    return growth


def alike(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal but for rounding to 8 bits."""
    return bool(np.corrcoef(a.ravel(), b.ravel())[0, 1] > 0.98)


@pytest.mark.parametrize(
    ("architecture", "options"),
    [("prism", {}), ("hass", {}), ("prism", {"modules": 3, "taps": (1,)}), ("prism", {"window": 9})],
)
def test_states_and_trees_are_nearly_those_of_the_network(architecture: str, options: dict[str, object]) -> None:
    # Not every random network is as gentle: in some, rounding chooses another place to look at, and errors pile up.
    network = network_of(architecture, seed=6, **options)
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
    # The second stream's trees have branches that must not see each other.
    for stream, root in ((0, tokens[5]), (1, tokens[59])):
        growth = grown(found, stream, int(root), TreeSize(20, 4, 2))
        own = exact._streams[stream]
        assert alike(own.state[0].numpy(), growth.states[:1])
        growing, branch, count = Growing(int(root)), _Branch(own), int(growth.counts[0])
        growing.tokens, growing.parents = growth.tokens[:count].tolist(), growth.parents[:count].tolist()
        branch.states[0] = own.state[0, 0]
        depth_of = depths(Tree(growth.tokens[:count], growth.parents[:count], growth.chances[:count]))
        for depth in (1, 2, 3):
            nodes = np.flatnonzero((depth_of == depth) & (growth.place[:count] > 0)).astype(np.int32)
            nodes = nodes[np.argsort(growth.place[nodes])]
            with torch.inference_mode():
                wanted = exact._advance(depth, nodes, growing, branch)[0]
            branch.states.update(zip(nodes.tolist(), wanted, strict=True))
            assert alike(wanted.numpy(), growth.states[growth.place[nodes]])


@pytest.mark.parametrize("threads", [1, 2])
def test_the_likeliest_tokens_are_those_of_the_networks_scores(threads: int) -> None:
    network = network_of("prism", draft_rows=90)
    found = quantised(network)
    tokens, values = features_of(9, network.config.taps)
    found.begin(1, 10)
    found.extend(0, tokens[1:], values[:, :-1])
    set_thread_count(threads)
    try:
        growth = grown(found, 0, int(tokens[-1]), TreeSize(4, 1, 4))
    finally:
        set_thread_count(0)
    with torch.inference_mode():
        wanted = torch.softmax(network.scores(0, torch.from_numpy(growth.states[:1])), -1)[0].numpy()
    at, rates = np.searchsorted(network.drafted.numpy(), growth.tokens[1:5]), growth.chances[1:5]
    assert np.allclose(rates, wanted[at], rtol=0.2, atol=0.01)
    assert (np.diff(rates) <= 0).all()
    assert rates[0] > 0.8 * wanted.max()
    assert found.propose([0], [3], TreeSize(20, 1, 500))[0].tokens.size == 21


def test_no_path_is_likely_enough_for_a_drafter_that_rests() -> None:
    found = quantised(network_of("prism", draft_rows=90))
    found.begin(1, 10)
    assert found.propose([0], [3], TreeSize(5, 2, 2, least=NEVER))[0].tokens.tolist() == [3]


def test_a_drafter_that_rests_reads_no_more_than_it_needs_when_it_is_asked_again() -> None:
    network = network_of("prism", draft_rows=90, window=9)
    tokens, values = features_of(400, network.config.taps)
    always, rested = quantised(network), quantised(network)
    for drafter in (always, rested):
        drafter.begin(1, 410)
    rested.propose([0], [3], TreeSize(5, 2, 2, least=NEVER))
    for begin in range(1, 400, 7):
        part = tokens[begin : begin + 7]
        for drafter in (always, rested):
            drafter.extend(0, part, values[:, begin - 1 : begin - 1 + part.size])
        assert rested._streams[0].waiting < 80
    trees = [drafter.propose([0], [int(tokens[-1])], TreeSize(6, 2, 3))[0] for drafter in (always, rested)]
    assert trees[0].tokens.tolist() == trees[1].tokens.tolist()
    assert np.allclose(trees[0].chances, trees[1].chances)


def test_side_by_side_nothing_is_read_before_somebody_asks() -> None:
    network = network_of("prism", draft_rows=90, window=9)
    tokens, values = features_of(60, network.config.taps)
    alone, beside = quantised(network), quantised(network)
    alone.begin(1, 70)
    beside.begin(2, 70)
    for drafter in (alone, beside):
        drafter.extend(0, tokens[1:], values[:, :-1])
    assert alone._streams[0].used > 0
    assert beside._streams[0].used == 0
    trees = [drafter.propose([0], [int(tokens[-1])], TreeSize(6, 2, 3))[0] for drafter in (alone, beside)]
    assert trees[0].tokens.tolist() == trees[1].tokens.tolist()
    assert np.allclose(trees[0].chances, trees[1].chances)


def test_what_trees_cost_is_measured() -> None:
    found = quantised(network_of("prism", draft_rows=90))
    costs = found.measure()
    assert costs.first > 0
    assert costs.step >= 0
    assert found.measure() is costs
    found.begin(1, 10)
    found.propose([0], [3], TreeSize(5, 2, 2))
    assert found.spent == costs.first + costs.step


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
