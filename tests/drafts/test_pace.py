"""Drafting is paced by what it costs and gives."""

from __future__ import annotations

import numpy as np
import pytest

from foretell.drafts.base import TreeSize
from foretell.drafts.pace import NEVER, DraftCosts, Pace

PASSES = 1 + np.arange(32) / 20
SIZE = TreeSize(31, 12, 4)


def asked_share(tokens: float, overhead: float, rounds: int = 2000) -> tuple[float, float]:
    """How often a drafter whose rounds give so many tokens is asked, and the speed against plain decoding."""
    pace, asked, gained, spent, rng = Pace(PASSES, DraftCosts(0.1, 0.1)), 0, 0, 0.0, np.random.default_rng(0)
    for _ in range(rounds):
        resting = pace.limited(SIZE, 1).least == NEVER
        assert resting == pace.resting
        got, seconds = (1, 1.0) if resting else (int(tokens + rng.random()), 1.3 + overhead)
        pace.learn(got, seconds)
        asked, gained, spent = asked + (not resting), gained + got, spent + seconds
    return asked / rounds, gained / spent


def test_a_drafter_that_does_not_pay_is_seldom_asked_and_costs_little() -> None:
    share, speed = asked_share(1.2, 0.0)
    assert share < 0.05
    assert speed > 0.99
    # Nor one whose rounds take longer than its costs say.
    assert asked_share(2.2, 1.5)[0] < 0.05


def test_a_drafter_that_pays_is_nearly_always_asked() -> None:
    share, speed = asked_share(2.2, 0.0)
    assert share > 0.95
    assert speed > 0.97 * 2.2 / 1.3


def test_a_drafter_that_costs_nothing_is_always_asked() -> None:
    pace = Pace(PASSES, DraftCosts())
    for _ in range(500):
        pace.learn(1, 1.0)
        assert not pace.resting


def test_trees_grow_no_deeper_where_steps_are_dear_or_many_streams_share_a_pass() -> None:
    cheap, dear = (Pace(PASSES, DraftCosts(0.1, step)).limited(SIZE, 1).least for step in (0.05, 0.3))
    assert cheap < dear < 1
    assert Pace(PASSES, DraftCosts(0.05, 0.05)).limited(SIZE, 2).least < 1
    assert Pace(PASSES, DraftCosts(0.1, 0.1)).limited(SIZE, 8).least > 1
    assert Pace(PASSES, DraftCosts(0.1, 0.1)).limited(SIZE, 40).least == NEVER
    assert Pace(PASSES, DraftCosts()).limited(SIZE, 8).least != NEVER  # it costs nothing


def test_one_stream_tries_a_drafter_that_saves_little() -> None:
    passes = np.linspace(1.0, 1.5, 6)
    asked = [Pace(passes, DraftCosts(first, 0.01)).limited(SIZE, 1).least != NEVER for first in (0.5, 0.6)]
    assert asked == [True, False]
    assert Pace(passes, DraftCosts(0.2, 0.01)).limited(SIZE, 2).least == NEVER


def test_what_a_tree_took_makes_it_worth_to_check_more_of_it() -> None:
    from foretell.drafts.tree import chains

    tree = chains(0, [([1, 2, 3, 4], [0.6, 0.35, 0.2, 0.1])], 4)
    sizes = [Pace(1 + np.arange(32) / 5, DraftCosts()).trim([tree], spent)[0].tokens.size for spent in (0.0, 2.0)]
    assert sizes[0] < sizes[1]
    assert sizes == sorted(sizes) == pytest.approx(sizes)
