"""Two drafters in one tree, and rounds counted without the target."""

from __future__ import annotations

import numpy as np
import pytest
from drafts.test_speculation import continued
from hypothesis import given
from hypothesis import strategies as st
from models.tiny import some_tokens, tiny

from foretell.drafts.base import Drafter, NoDrafter, TreeSize
from foretell.drafts.evaluation import Known, evaluate, mean_length, replay, step_acceptance
from foretell.drafts.joint import JointDrafter, merge
from foretell.drafts.lookup import LookupDrafter
from foretell.drafts.sampling import Sampling
from foretell.drafts.tree import Tree, chains

PATHS = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=4), max_size=6)


def tree_of(paths: list[list[int]], seed: int) -> Tree:
    rng = np.random.default_rng(seed)
    return chains(9, [(path, np.cumprod(rng.random(len(path))).tolist()) for path in paths], 30)


def paths_of(tree: Tree) -> dict[tuple[int, ...], float]:
    found: dict[tuple[int, ...], float] = {}
    names: list[tuple[int, ...]] = []
    for token, parent, chance in zip(*(array.tolist() for array in tree), strict=True):
        names.append((*names[parent], token) if parent >= 0 else (token,))
        found[names[-1]] = chance
    assert len(found) == len(names)
    return found


@given(PATHS, PATHS)
def test_a_merged_tree_has_the_paths_of_both(a: list[list[int]], b: list[list[int]]) -> None:
    first, second = tree_of(a, 1), tree_of(b, 2)
    one, two = paths_of(first), paths_of(second)
    assert paths_of(merge(first, second)) == {p: max(one.get(p, 0.0), two.get(p, 0.0)) for p in {**one, **two}}


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(0.9, seed=2)])
def test_both_change_nothing(sampling: Sampling) -> None:
    target = tiny("llama")
    expected, _ = continued(target, NoDrafter(), sampling)
    both = JointDrafter(LookupDrafter(), LookupDrafter())
    assert continued(target, both, sampling, TreeSize(12, 4, 3))[0] == expected


@pytest.mark.parametrize("size", [TreeSize(12, 4, 3), TreeSize(1, 1, 1), TreeSize(0, 0, 1)])
def test_rounds_counted_without_the_target_are_those_with_it(size: TreeSize) -> None:
    target = tiny("llama")
    prompt = some_tokens(target, 20, 3)
    plain = np.concatenate([prompt, *[rows for rows in _plain(prompt, 40)]])
    drafter: Drafter = LookupDrafter()
    known = Known(plain.astype(np.int32), prompt.size, np.empty((0, plain.size, 1), np.float32))
    counts, groups = replay(drafter, [known], size)
    real = evaluate(target, LookupDrafter(), [prompt], most=40, size=size)
    assert mean_length(counts, groups, size.depth + 1) == real.acceptance_length
    assert step_acceptance(counts - 1, size.depth) == real.step_acceptance


def _plain(prompt: np.ndarray, most: int) -> list[list[int]]:
    from foretell.drafts.generate import generate_rows
    from foretell.drafts.speculation import Speculation

    speculation = Speculation(tiny("llama"), NoDrafter(), 1, prompt.size + most)
    speculation.read(0, prompt)
    return [rows for _, rows in generate_rows(speculation, Sampling(), most)]
