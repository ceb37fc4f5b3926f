"""Training takes the very steps that drafting takes; trees grow where the network says; damage is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from drafts.test_speculation import continued  # noqa: E402
from models.tiny import some_tokens, tiny  # noqa: E402

from foretell.drafts.base import NoDrafter, TreeSize  # noqa: E402
from foretell.drafts.config import ARCHITECTURES, DraftConfig, config_for  # noqa: E402
from foretell.drafts.grow import Growing, grow  # noqa: E402
from foretell.drafts.networks import new_network  # noqa: E402
from foretell.drafts.networks.base import DraftNetwork, target_tables  # noqa: E402
from foretell.drafts.neural import NeuralDrafter, _Branch  # noqa: E402
from foretell.drafts.recipes import RECIPES, draft_loss  # noqa: E402
from foretell.drafts.sampling import Sampling  # noqa: E402
from foretell.drafts.training import warm_start  # noqa: E402
from foretell.drafts.unroll import Unrolling, unroll  # noqa: E402
from foretell.errors import ModelError  # noqa: E402


def network_of(architecture: str, seed: int = 0, **options: object) -> DraftNetwork:
    target = tiny("llama")
    torch.manual_seed(seed)
    network = new_network(config_for(target, architecture, **options), target_tables(target))
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.2)
    return network


def features_of(count: int, taps: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Tokens and what the target's layers give for them, (taps, count, D)."""
    target = tiny("llama")
    tokens = some_tokens(target, count, 5)
    tapped = target.new_taps(taps, count)
    zeros, slots = np.zeros(count, np.int32), np.arange(count, dtype=np.int32)
    target.forward(tokens, zeros, slots, target.new_cache(1, count), taps=tapped)
    return tokens, tapped.values


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    return bool((a - b).abs().max() <= 1e-4 * b.abs().max())


def test_tables_are_those_of_the_target() -> None:
    target = tiny("llama")
    tables = target_tables(target)
    tokens, values = features_of(20, (target.config.layers - 1,))
    hidden = torch.from_numpy(values[0])
    normed = torch.nn.functional.rms_norm(hidden, hidden.shape[-1:], tables.final_norm, target.config.epsilon)
    cache, slots = target.new_cache(1, 20), np.arange(20, dtype=np.int32)
    states = target.forward(tokens, np.zeros(20, np.int32), slots, cache)
    rows = target.vocabulary.ids.size
    exact = target.head_sums(states)[:, :rows] * target.head_scale[:rows] * states.scales[:, None]
    found = (normed @ tables.head.T).numpy()
    assert np.abs(found - exact).max() < 0.02 * np.abs(exact).max()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("options", [{}, {"modules": 3, "step_map": (0, 1, 2)}])
def test_training_takes_the_steps_of_drafting(architecture: str, options: dict[str, object]) -> None:
    """The state of step j at place t in training is that of drafting from t along the true text."""
    if options and architecture not in ("prism", "medusa"):
        pytest.skip("one module")
    network = network_of(architecture, **options)
    tokens, values = features_of(14, network.config.taps)
    steps = 5
    batch = torch.from_numpy(tokens.astype(np.int64))[None]
    tapped = torch.from_numpy(values.transpose(1, 0, 2).copy())[None]
    trained = list(unroll(network, batch, tapped, Unrolling(steps)))
    for place in (0, 3, 7):
        drafter = NeuralDrafter(network)
        drafter.begin(1, 20)
        # The text is read in two parts, so that memory is used.
        cut = place // 2
        drafter.extend(0, tokens[1 : cut + 1], values[:, :cut])
        drafter.extend(0, tokens[cut + 1 : place + 2], values[:, cut : place + 1])
        own = drafter._streams[0]
        assert close(own.state[0, 0], trained[0][0, place])
        growing, branch = Growing(int(tokens[place + 1])), _Branch(own)
        branch.states[0] = own.state[0, 0]
        with torch.inference_mode():
            for step in range(1, steps):
                (node,) = growing.add(step - 1, tokens[place + 1 + step : place + 2 + step], np.ones(1))
                state = drafter._advance(step, np.array([node]), growing, branch)
                branch.states[node] = state[0, 0]
                assert close(state[0, 0], trained[step][0, place]), (place, step)


def test_two_layers_have_as_many_weights_as_two_modules() -> None:
    sizes = [sum(p.numel() for p in network_of(name).parameters()) for name in ("prism", "stacked")]
    assert abs(sizes[1] / sizes[0] - 1) < 0.01


def test_keys_of_a_second_layer_are_not_projected_alone() -> None:
    network = network_of("stacked")
    tokens, values = features_of(10, network.config.taps)
    tapped = torch.from_numpy(values.transpose(1, 0, 2).copy())[None]
    how = Unrolling(3, project_again=True)
    with pytest.raises(ModelError, match="second layer"):
        list(unroll(network, torch.from_numpy(tokens.astype(np.int64))[None], tapped, how))


def test_memory_is_what_each_steps_module_wrote() -> None:
    """If the prefix were projected again by the module of the current step, this would differ."""
    network = network_of("prism")
    tokens, values = features_of(10, network.config.taps)
    batch = torch.from_numpy(tokens.astype(np.int64))[None]
    tapped = torch.from_numpy(values.transpose(1, 0, 2).copy())[None]
    before = [state.detach().clone() for state in unroll(network, batch, tapped, Unrolling(3))]
    with torch.no_grad():
        network.layers[1].k_proj.weight.normal_(0, 0.2)
    after = list(unroll(network, batch, tapped, Unrolling(3)))
    assert torch.equal(before[0], after[0])
    # Only its own keys, one a step, are of the second module; those of the first module stay.
    assert [torch.equal(b, a) for b, a in zip(before, after, strict=True)] == [True, False, False]


@pytest.mark.parametrize("modules", [1, 2])
def test_projecting_again_matters_only_where_modules_differ(modules: int) -> None:
    network = network_of("prism", modules=modules)
    tokens, values = features_of(10, network.config.taps)
    batch = torch.from_numpy(tokens.astype(np.int64))[None]
    tapped = torch.from_numpy(values.transpose(1, 0, 2).copy())[None]
    kept = list(unroll(network, batch, tapped, Unrolling(3)))
    again = list(unroll(network, batch, tapped, Unrolling(3, project_again=True)))
    assert [close(a, b) for a, b in zip(kept, again, strict=True)] == [True, modules == 1, modules == 1]
    if modules == 2:
        # As long as modules are copies of each other, it is one memory either way.
        warm_start(network, network_of("prism", modules=1))
        kept = list(unroll(network, batch, tapped, Unrolling(3)))
        again = list(unroll(network, batch, tapped, Unrolling(3, project_again=True)))
        assert all(close(a, b) for a, b in zip(kept, again, strict=True))


@pytest.mark.parametrize("places", [[0, 3, 7], [8]])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_some_places_are_as_all(architecture: str, places: list[int]) -> None:
    network = network_of(architecture)
    tokens, values = features_of(10, network.config.taps)
    batch = torch.from_numpy(tokens.astype(np.int64))[None]
    tapped = torch.from_numpy(values.transpose(1, 0, 2).copy())[None]
    whole = unroll(network, batch, tapped, Unrolling(4))
    some = unroll(network, batch, tapped, Unrolling(4), torch.tensor([places]))
    for a, b in zip(whole, some, strict=True):
        assert close(b, a[:, places])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_tree_does_not_depend_on_its_neighbours(architecture: str) -> None:
    """The chances in a wide tree are those of each path drafted alone."""
    network = network_of(architecture)
    tokens, values = features_of(9, network.config.taps)
    drafter = NeuralDrafter(network)
    drafter.begin(1, 20)
    drafter.extend(0, tokens[1:], values[:, :8])
    (tree,) = drafter.propose([0], [int(tokens[8])], TreeSize(30, 4, 3))
    assert tree.tokens.size == 31
    assert (tree.chances[1:] <= tree.chances[tree.parents[1:]] + 1e-12).all()
    (narrow,) = drafter.propose([0], [int(tokens[8])], TreeSize(4, 4, 1))
    node = 0
    for depth in range(1, 5):
        children = np.flatnonzero(tree.parents == node)
        if not children.size:
            break
        node = int(children[np.argmax(tree.chances[children])])
        assert tree.tokens[node] == narrow.tokens[depth]
        assert np.isclose(tree.chances[node], narrow.chances[depth], rtol=1e-4)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("sampling", [Sampling(), Sampling(0.8, seed=3)])
def test_drafts_of_networks_change_nothing(architecture: str, sampling: Sampling) -> None:
    target = tiny("llama")
    expected, _ = continued(target, NoDrafter(), sampling)
    drafter = NeuralDrafter(network_of(architecture, draft_rows=100))
    assert continued(target, drafter, sampling, TreeSize(12, 4, 3))[0] == expected


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_training_lowers_the_loss_and_makes_drafts_right(architecture: str) -> None:
    network = network_of(architecture)
    last = tiny("llama").config.layers - 1
    tokens, values = features_of(24, network.config.taps)
    batch = torch.from_numpy(tokens.astype(np.int64))[None]
    tapped = torch.from_numpy(values.transpose(1, 0, 2).copy())[None]
    final = torch.from_numpy(features_of(24, (last,))[1][0])[None]
    recipe = replace(RECIPES[architecture], rate=3e-3)
    optimiser = torch.optim.AdamW(network.parameters(), recipe.rate)
    losses = []
    for _ in range(40):
        loss = draft_loss(network, recipe, batch, tapped, final)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.9 * losses[0]
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_a_low_temperature_teaches_what_the_target_says_greedily() -> None:
    network = network_of("prism", draft_rows=50)
    tokens, values = features_of(12, network.config.taps)
    batch = torch.from_numpy(tokens.astype(np.int64))[None]
    tapped = torch.from_numpy(values.transpose(1, 0, 2).copy())[None]
    final = torch.from_numpy(features_of(12, (tiny("llama").config.layers - 1,))[1][0])[None]
    recipe = replace(RECIPES["prism"], unrolling=Unrolling(1), temperature=0.01)
    found = draft_loss(network, recipe, batch, tapped, final)
    (state,) = unroll(network, batch, tapped, recipe.unrolling)
    said = (network.normed(final)[0, 1:] @ network.target_head_rows().T).argmax(-1)
    expected = torch.nn.functional.cross_entropy(network.scores(0, state)[0], said)
    assert torch.allclose(found, expected, rtol=0.02)


def test_trees_grow_where_they_are_most_probable() -> None:
    table = {0: ([1, 2], [0.6, 0.3]), 1: ([3, 4], [0.5, 0.1]), 2: ([5, 6], [0.9, 0.05]), 3: ([7, 8], [0.9, 0.1])}
    growing = Growing(0)

    def expand(depth: int, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = [table.get(growing.tokens[node], ([9, 10], [0.01, 0.01])) for node in nodes]
        return np.array([t for t, _ in found], np.int32), np.array([r for _, r in found])

    tree = grow(growing, TreeSize(5, 3, 2), expand)
    # 1 (.6), 2 (.3), 1-3 (.3), 2-5 (.27), 1-3-7 (.27)
    assert sorted(tree.tokens.tolist()) == [0, 1, 2, 3, 5, 7]
    assert np.isclose(tree.chances.sum(), 1 + 0.6 + 0.3 + 0.3 + 0.27 + 0.27)


def test_configurations_are_checked() -> None:
    config = config_for(tiny("llama"), "prism")
    assert DraftConfig.from_dict(config.as_dict()) == config
    assert [config.module_of(step) for step in range(4)] == [0, 1, 1, 1]
    with pytest.raises(ModelError, match="missing or unknown"):
        DraftConfig.from_dict({**config.as_dict(), "surprise": 1})
    with pytest.raises(ModelError, match="do not fit"):
        replace(config, kv_heads=config.heads + 1)
    with pytest.raises(ModelError, match="do not fit"):
        replace(config, step_map=(0, 2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 128}, "has width 128"),
        ({"rows": 7, "draft_rows": 7}, "knows 7 tokens"),
        ({"taps": (0, 99)}, "reads layer 99"),
        ({"target": "00" * 32}, "trained for a model of digest 000000000000"),
    ],
)
def test_a_draft_for_another_target_is_refused(change: dict[str, object], message: str) -> None:
    config = replace(config_for(tiny("llama"), "prism"), **change)
    with pytest.raises(ModelError, match=message):
        config.check_target(tiny("llama"))
