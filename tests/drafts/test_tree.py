"""Trees, their trimming, and the choice of tokens, against plain definitions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from foretell.drafts.pace import trim
from foretell.drafts.sampling import Sampling, pick, probabilities, uniform
from foretell.drafts.tree import Tree, ancestors, best_nodes, child_of, depths
from foretell.errors import UsageError


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    count = draw(st.integers(1, 20))
    parents = [-1] + [draw(st.integers(0, node - 1)) for node in range(1, count)]
    chances = [1.0]
    for node in range(1, count):
        chances.append(chances[parents[node]] * draw(st.floats(0.01, 1.0)))
    return Tree(np.arange(count, dtype=np.int32), np.array(parents, np.int32), np.array(chances))


def path_to(tree: Tree, node: int) -> list[int]:
    return [] if node < 0 else [*path_to(tree, int(tree.parents[node])), node]


@given(trees())
def test_depths_and_ancestors(tree: Tree) -> None:
    seen = ancestors(tree)
    for node in range(tree.tokens.size):
        path = path_to(tree, node)
        assert depths(tree)[node] == len(path) - 1
        assert np.flatnonzero(seen[node]).tolist() == path


@given(trees(), st.integers(0, 20))
def test_the_best_nodes_are_a_tree_of_the_best_chances(tree: Tree, count: int) -> None:
    found = best_nodes(tree, count)
    assert found.tokens.size == min(count + 1, tree.tokens.size)
    assert np.isclose(found.chances.sum(), np.sort(tree.chances)[::-1][: count + 1].sum())
    for node in range(1, found.tokens.size):
        # Tokens here are the numbers of the nodes, so that parents can be compared.
        assert found.tokens[found.parents[node]] == tree.parents[found.tokens[node]]
        assert child_of(found, int(found.parents[node]), int(found.tokens[node])) == node


@given(st.lists(trees(), min_size=1, max_size=4), st.lists(st.floats(0.01, 1.0), min_size=30, max_size=30))
@example(
    [
        *(Tree(np.arange(4, dtype=np.int32), np.array([-1, 0, 0, 0], np.int32), np.array([1.0, 0.5, 0.5, 0.5])),) * 2,
        Tree(np.arange(2, dtype=np.int32), np.array([-1, 0], np.int32), np.ones(2)),
    ],
    [1.0] * 5 + [0.25] + [1.0] * 24,
)
def test_trimming_finds_the_best_rate(forest: list[Tree], steps: list[float]) -> None:
    costs = np.cumsum(steps)
    trimmed = trim(forest, costs)
    size = sum(tree.tokens.size for tree in trimmed)
    gain = sum(tree.chances.sum() for tree in trimmed)
    chances = np.sort(np.concatenate([tree.chances[1:] for tree in forest]))[::-1]
    best = 0.0
    for count in range(min(chances.size, costs.size - len(forest)) + 1):
        best = max(best, (len(forest) + chances[:count].sum()) / costs[len(forest) + count - 1])
    assert np.isclose(gain / costs[size - 1], best)


@given(
    st.lists(st.floats(-5, 5), min_size=1, max_size=8),
    st.sampled_from([0.0, 0.3, 1.0, 1.5]),
    st.integers(0, 8),
    st.floats(0.05, 1.0),
)
def test_probabilities_are_as_defined(logits: list[float], temperature: float, top_k: int, top_p: float) -> None:
    array = np.array(logits)
    found = probabilities(array, Sampling(temperature, top_k, top_p))
    assert np.isclose(found.sum(), 1)
    if temperature == 0:
        assert found[np.argmax(array)] == 1
        return
    kept = found > 0
    weights = np.exp((array - array.max()) / temperature)
    assert np.allclose(found, weights * kept / (weights * kept).sum())
    assert array[kept].min() >= np.sort(array)[::-1][min(top_k or len(logits), len(logits)) - 1] - 1e-12
    # No smaller set of the most probable tokens has top_p.
    if kept.sum() > 1 and top_k == 0:
        full = weights / weights.sum()
        assert full[kept].sum() - full[kept].min() < top_p + 1e-9


def test_sample_match_gives_the_distribution_of_the_target_exactly() -> None:
    """Integrate over the random number: every tree's output has the target's probabilities, to 1e-12."""
    random = np.random.default_rng(0)
    for _ in range(50):
        weights = random.dirichlet(np.ones(5) * 0.5)
        weights[random.random(5) < 0.2] = 0
        weights = weights / weights.sum() if weights.sum() else np.eye(5)[0]
        # pick() is the inverse of the cumulative distribution: its steps are the probabilities.
        edges = np.cumsum(weights)
        total = np.zeros(5)
        for lower, upper in zip(np.r_[0, edges[:-1]], edges, strict=True):
            if upper > lower:
                token = pick(weights, (lower + upper) / 2)
                total[token] += upper - lower
        assert np.abs(total - weights).max() < 1e-12


def test_random_numbers_depend_on_their_place_alone() -> None:
    numbers = [uniform(seed, stream, position) for seed in (0, 1) for stream in (0, 1) for position in range(2000)]
    assert len(set(numbers)) == len(numbers)
    assert all(0 <= number < 1 for number in numbers)
    counts = np.histogram(numbers, 16, (0, 1))[0]
    assert ((counts - len(numbers) / 16) ** 2 / (len(numbers) / 16)).sum() < 45  # chi-square, 15 degrees, p < 1e-4


def test_a_token_without_probability_is_never_picked() -> None:
    weights = np.array([0.0, 0.5, 0.0, 0.5, 0.0])
    assert {pick(weights, number) for number in (0.0, 0.25, 0.4999999, 0.5, 0.75, 1 - 2**-53)} == {1, 3}
    assert pick(weights, 0.0) == 1
    assert pick(weights, 1 - 2**-53) == 3


@pytest.mark.parametrize(
    "arguments", [(-1.0,), (float("nan"),), (float("inf"),), (1.0, -1), (1.0, 0, 0.0), (1.0, 0, 1.1)]
)
def test_settings_out_of_range_are_refused(arguments: tuple[float, ...]) -> None:
    with pytest.raises(UsageError):
        Sampling(*arguments)  # type: ignore[arg-type]
