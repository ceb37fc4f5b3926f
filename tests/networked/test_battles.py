import math

import numpy as np
import pytest
from scipy.special import expit

from foretell.networked import PairsError, leaderboard
from foretell.networked.battles import _Schedule


def arena(seed, *, strengths, prompts=400, count=3000, tilt=0.0):
    """Battles of players with strengths that a prompt shifts, and their prompts."""
    rng = np.random.default_rng(seed)
    players = strengths.size
    left = rng.integers(0, players, count)
    right = (left + rng.integers(1, players, count)) % players
    prompt = rng.integers(0, prompts, count)
    shift = tilt * rng.normal(size=(prompts, players))
    edge = strengths[left] - strengths[right] + shift[prompt, left] - shift[prompt, right]
    return left, right, (rng.random(count) < expit(edge)).astype(float), prompt


def test_scores_are_those_of_maximum_likelihood():
    from sklearn.linear_model import LogisticRegression

    left, right, won, _ = arena(0, strengths=np.array([1.0, 0.3, 0.0, -1.3]))
    found = leaderboard(left, right, won)
    inputs = np.eye(4)[left] - np.eye(4)[right]
    model = LogisticRegression(C=1e8, fit_intercept=False, tol=1e-8, max_iter=1000).fit(inputs, won)
    coefficients = model.coef_[0] - model.coef_[0].mean()
    assert [player.score for player in found.players] == pytest.approx(np.sort(coefficients)[::-1], abs=1e-3)
    assert [player.name for player in found.players] == np.argsort(-coefficients).tolist()
    assert sum(player.battles for player in found.players) == 6000
    assert "win rate" in str(found)


def test_two_players_have_the_logit_of_the_win_rate():
    found = leaderboard(["a"] * 100, ["b"] * 100, [1.0] * 70 + [0.0] * 20 + [0.5] * 10)
    top = found.players[0]
    assert top.win_rate == pytest.approx(0.75)
    assert top.score == pytest.approx(math.log(3) / 2)
    # The ends of the score are half the logits of the win rate's, at half the error probability for two players.
    both = leaderboard(["a"] * 100, ["b"] * 100, [1.0] * 70 + [0.0] * 20 + [0.5] * 10, simultaneous=True).players[0]
    assert expit(2 * top.score_low) == pytest.approx(both.win_low, abs=1e-3)
    assert expit(2 * top.score_high) == pytest.approx(both.win_high, abs=1e-3)


def test_intervals_cover_with_shared_prompts():
    strengths = np.array([0.6, 0.0, -0.6])
    covered = total = 0
    for seed in range(20):
        left, right, won, prompt = arena(seed, strengths=strengths, prompts=60, count=900, tilt=1.0)
        found = leaderboard(left, right, won, shared=[prompt])
        # Scores of the schedule under the model's own expected outcomes, by drawing very many.
        truth = truth_of(left, right, strengths)
        for player in found.players:
            covered += player.score_low <= truth[player.name] <= player.score_high
            total += 1
    assert covered == total


def truth_of(left, right, strengths):
    """Scores that match the expected wins when prompts shift strengths by normal amounts of variance 1 each."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    edge = (strengths[left] - strengths[right])[:, None] + math.sqrt(2) * nodes
    expected = (expit(edge) * weights).sum(axis=1) / weights.sum()
    players = strengths.size
    wins = np.bincount(left, expected, players) + np.bincount(right, 1 - expected, players)
    schedule = _Schedule(np.stack([left, right], axis=1), np.ones(left.size), players)
    return schedule.scores(wins, np.zeros(players))


def test_sharing_makes_intervals_wider_and_weights_make_them_narrower():
    rng = np.random.default_rng(3)
    left, right, won, _ = arena(3, strengths=np.array([0.5, 0.0, -0.5]), count=1500)
    hubs = (200 * rng.random(1500) ** 3).astype(int)
    alone, shared, weighted = (
        leaderboard(left, right, won),
        leaderboard(left, right, won, shared=[hubs]),
        leaderboard(left, right, won, shared=[hubs], weights="maxdeg"),
    )
    width = [np.mean([p.win_high - p.win_low for p in found.players]) for found in (alone, shared, weighted)]
    assert width[0] < width[2] < width[1]
    assert all(p.effective_sample_size == pytest.approx(p.battles) for p in alone.players)


def test_two_shared_columns():
    left, right, won, prompt = arena(1, strengths=np.array([0.5, -0.5]), count=300)
    judge = np.arange(300) % 7
    by_both = leaderboard(left, right, won, shared=[prompt, judge]).players[0]
    assert by_both.effective_sample_size <= 7 + 1e-6


def test_players_who_always_win_have_infinite_scores():
    found = leaderboard(["a", "a", "b", "c"], ["b", "c", "c", "b"], [1, 1, 1, 1])
    assert found.players[0].score == math.inf
    assert found.players[0].score_high == math.inf


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: leaderboard(["a"], ["a"], [1]), "battles itself"),
        (lambda: leaderboard(["a"], ["b"], [2]), "outcomes outside 0 to 1"),
        (lambda: leaderboard(["a"], ["b"], [math.nan]), "outcomes outside"),
        (lambda: leaderboard(["a"], ["b"], [1, 0]), "outcomes of shape"),
        (lambda: leaderboard(["a", "c"], ["b", "d"], [1, 0]), "groups that never meet"),
        (lambda: leaderboard(["a"], ["b"], [1], confidence=1.0), "a confidence of 1"),
        (lambda: leaderboard(["a"], ["b"], [1], weights=[-1]), "weights that do not fit"),
        (lambda: leaderboard(["a"], ["b"], [1], shared=[[1, 2]]), "columns of 2, 1 ids"),
        (lambda: leaderboard([], [], []), "no pairs"),
    ],
)
def test_bad_battles_are_refused(call, message):
    with pytest.raises(PairsError, match=message):
        call()
