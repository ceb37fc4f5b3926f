"""Leaderboards of pairwise battles: win rates and Bradley-Terry scores with intervals that hold.

Battles on one prompt, or judged by one person, are not independent, so an interval that resamples battles as if they
were is too narrow. Here prompts and judges are objects that battles share. Players are fixed: the intervals are about
drawing other prompts and judges.

Win rates have the intervals of :func:`foretell.networked.pair_interval`. The Bradley-Terry scores s of a schedule of
battles are, by definition, those for which every player's expected number of wins m(s) is what the model 1 / (1 +
exp(s_j - s_i)) gives; the model need not be true. With the Laplacian L0 of the schedule (battles between every two
players, over 4), h = L0^+ (m(s) - m(0)) is a vector whose entries are expectations of weighted sums of outcomes, with
weights that the schedule alone decides, and which is near s for players of similar strength. Intervals for all
entries of h together are a confidence set for s at every sample size. An end of a score's interval is the extreme of
the score over that set, found by ascent from corner to corner of the box of h.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linprog
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from foretell.networked.errors import PairsError
from foretell.networked.graph import PairGraph
from foretell.networked.intervals import finner_bound
from foretell.networked.kernels import Floats
from foretell.networked.weights import Method, weigh

_LARGEST_SCORE = 15.0
_ROUNDS = 20


@dataclass(frozen=True)
class Player:
    """A row of a leaderboard.

    Attributes
    ----------
    name : object
    battles : int
    win_rate : float
        Weighted share of wins, ties counting half.
    win_low, win_high : float
        Interval for its expectation.
    effective_sample_size : float
        Independent battles that would give an interval of this kind.
    score : float
        Bradley-Terry score in natural units (a difference d is odds of exp(d)); scores have mean 0. Times 400 /
        log(10) it is Elo.
    score_low, score_high : float
        Interval; infinite where no battle rules it out.
    """

    name: Any
    battles: int
    win_rate: float
    win_low: float
    win_high: float
    effective_sample_size: float
    score: float
    score_low: float
    score_high: float


@dataclass(frozen=True)
class Leaderboard:
    """Players from best to worst.

    Attributes
    ----------
    players : tuple of Player
    confidence : float
    simultaneous : bool
        Whether all win rates hold together with this confidence. Scores' intervals always do.
    """

    players: tuple[Player, ...]
    confidence: float
    simultaneous: bool

    def __str__(self) -> str:
        width = max(len(str(player.name)) for player in self.players)
        lines = [f"{'':{width}} battles  win rate                score ({self.confidence:.0%} intervals)"]
        for row in self.players:
            lines.append(
                f"{row.name!s:{width}} {row.battles:7d}  {row.win_rate:.3f} ({row.win_low:.3f} to {row.win_high:.3f})  "
                f"{row.score:+.2f} ({row.score_low:+.2f} to {row.score_high:+.2f})"
            )
        return "\n".join(lines)


def leaderboard(
    left: ArrayLike,
    right: ArrayLike,
    outcome: ArrayLike,
    *,
    shared: Sequence[ArrayLike] = (),
    weights: ArrayLike | Method = "equal",
    confidence: float = 0.95,
    simultaneous: bool = False,
) -> Leaderboard:
    """Win rates and Bradley-Terry scores with valid intervals.

    Parameters
    ----------
    left, right : array_like, shape (m,)
        Players of every battle.
    outcome : array_like, shape (m,)
        1 if the left player won, 0 if the right one did, 0.5 for a tie, or anything between.
    shared : sequence of array_like, each of shape (m,)
        Ids of what battles share: prompts, judges. Columns are different kinds: judge 7 and prompt 7 are two objects.
        Without any, battles are taken as independent.
    weights : array_like of shape (m,), or a method
        Weights of battles, chosen without looking at outcomes; a method weighs by ``shared``.
    confidence : float
    simultaneous : bool
        Whether win rates are to hold all together.

    Examples
    --------
    >>> battles = leaderboard(["a", "b", "c"] * 40, ["b", "c", "a"] * 40, [1, 1, 0] * 40)
    >>> [player.name for player in battles.players]
    ['a', 'b', 'c']
    """
    if not 0 < confidence < 1:
        raise PairsError(f"a confidence of {confidence}", "give a probability such as 0.95")
    battles = PairGraph.from_edges(left, right)
    if (battles.sizes < 2).any():
        raise PairsError("a player who battles itself", "drop these battles")
    names = np.arange(battles.n_objects) if battles.labels is None else battles.labels
    used = np.flatnonzero(battles.degree)
    won = _outcomes(outcome, battles.n_pairs)
    graph = _shared(shared, battles.n_pairs)
    shares = _weights(graph, weights, battles.n_pairs)
    place = np.full(battles.n_objects, -1)
    place[used] = np.arange(used.size)
    schedule = _Schedule(place[battles.members], shares, used.size)
    rates = _win_rates(schedule, won, graph, (1 - confidence) / (used.size if simultaneous else 1))
    scores = _score_intervals(schedule, won, graph, (1 - confidence) / used.size)
    players = [
        Player(
            names.tolist()[v],
            int(battles.degree[v]),
            *rates[i],
            *scores[i],
        )
        for i, v in enumerate(used.tolist())
    ]
    players.sort(key=lambda player: -player.score)
    return Leaderboard(tuple(players), confidence, simultaneous)


def _outcomes(outcome: ArrayLike, m: int) -> Floats:
    won = np.asarray(outcome, dtype=np.float64)
    if won.shape != (m,):
        raise PairsError(f"outcomes of shape {won.shape} for {m} battles", "give one for each")
    if not (np.isfinite(won).all() and won.min() >= 0 and won.max() <= 1):
        raise PairsError("outcomes outside 0 to 1", "give 1 for a win of the left player, 0.5 for a tie, 0 for a loss")
    return won


def _shared(shared: Sequence[ArrayLike], m: int) -> PairGraph | None:
    """Battles as hyperedges of prompts and judges; None if they share nothing."""
    if not len(shared):
        return None
    columns = [np.asarray(column) for column in shared]
    if len(columns) == 1:
        # A pair needs two places; the second holds something of the battle's own.
        columns.append(np.arange(m))
    graph = PairGraph.from_edges(*columns, bipartite=True)
    if graph.n_pairs != m:
        raise PairsError(f"{graph.n_pairs} shared ids for {m} battles", "give one for each")
    return graph


def _weights(graph: PairGraph | None, weights: ArrayLike | Method, m: int) -> Floats:
    if isinstance(weights, str):
        return np.ones(m) if graph is None else weigh(graph, weights).weights  # type: ignore[arg-type]
    given = np.asarray(weights, dtype=np.float64)
    if given.shape != (m,) or not np.isfinite(given).all() or given.min() < 0:
        raise PairsError("weights that do not fit", "give one finite number of 0 or more for each battle")
    return given


class _Schedule:
    """Weighted battles between every two players, and the model on it."""

    def __init__(self, members: NDArray[Any], shares: Floats, n: int) -> None:
        self.left, self.right, self.shares, self.n = members[:, 0], members[:, 1], shares, n
        totals = coo_array((shares, (self.left, self.right)), shape=(n, n)).toarray()
        self.counts = totals + totals.T
        self.battles = self.counts.sum(axis=1)
        if (self.battles <= 0).any():
            raise PairsError("a player without battles of positive weight", "drop this player")
        if connected_components(coo_array(self.counts), directed=False)[0] > 1:
            raise PairsError("players in groups that never meet", "make one leaderboard for each group")

    def _wins(self, scores: Floats) -> Floats:
        return np.asarray(1 / (1 + np.exp(np.clip(scores[None, :] - scores[:, None], -700, 700))))

    def laplacian(self, scores: Floats) -> Floats:
        """Derivative of the players' expected weighted wins by their scores."""
        wins = self._wins(scores)
        flow = self.counts * wins * (1 - wins)
        return np.asarray(np.diag(flow.sum(axis=1)) - flow)

    def scores(self, wins: Floats, start: Floats) -> Floats | None:
        """Scores of mean 0 at which the model expects these weighted wins; None if none are finite.

        Newton's method on the convex function whose gradient is the expected wins less the given ones.
        """
        scores = start.copy()
        for _ in range(200):
            slope = (self.counts * self._wins(scores)).sum(axis=1) - wins
            if np.abs(slope).max() <= 1e-10 * self.battles.max():
                return scores
            try:
                step = np.linalg.solve(self.laplacian(scores) + self.battles.mean() / self.n, -slope)
            except np.linalg.LinAlgError:  # the model is flat where scores run off to infinity
                return None
            step -= step.mean()
            scores = scores + step * min(1.0, 2.0 / max(np.abs(step).max(), 1e-300))
            if np.abs(scores).max() > _LARGEST_SCORE:
                return None
        return None


def _interval(
    values: Floats, weights: Floats, graph: PairGraph | None, delta: float
) -> tuple[float, float, float, float]:
    """Weighted mean of values in [0, 1], interval for its expectation, effective sample size."""
    from foretell.dependence.inequalities import Chernoff

    used = np.flatnonzero(weights > 0)
    shares = weights[used] / weights[used].sum()
    matching = np.ones(used.size) if graph is None else finner_bound(graph.select(used), shares).matching
    bound = Chernoff.from_weights(shares, matching)
    mean = float(min(max(shares @ values[used], 0.0), 1.0))
    effective = 1 / float((shares**2 / matching).sum())
    return mean, bound.lower(mean, delta / 2), bound.upper(mean, delta / 2), effective


def _win_rates(
    schedule: _Schedule, won: Floats, graph: PairGraph | None, delta: float
) -> list[tuple[float, float, float, float]]:
    """Win rate of every player with its interval and effective sample size."""
    found = []
    for player in range(schedule.n):
        left = schedule.left == player
        mine = left | (schedule.right == player)
        found.append(_interval(np.where(left, won, 1 - won), schedule.shares * mine, graph, delta))
    return found


def _score_intervals(
    schedule: _Schedule, won: Floats, graph: PairGraph | None, delta: float
) -> list[tuple[float, float, float]]:
    """Score, lowest and highest, of every player."""
    zero = np.zeros(schedule.n)
    base = schedule.laplacian(zero)
    box = _box(schedule, won, graph, np.asarray(np.linalg.pinv(base, hermitian=True)), delta)
    wins = np.zeros(schedule.n)
    np.add.at(wins, schedule.left, schedule.shares * won)
    np.add.at(wins, schedule.right, schedule.shares * (1 - won))
    best = schedule.scores(wins, zero)
    found = []
    for player in range(schedule.n):
        rate = wins[player] / schedule.battles[player]
        score = float(best[player]) if best is not None else math.copysign(math.inf, rate - 0.5)
        start = zero if best is None else best
        low, high = (_extreme(schedule, base, box, player, sign, start) for sign in (-1.0, 1.0))
        found.append((score, min(low, score), max(high, score)))
    return found


def _box(schedule: _Schedule, won: Floats, graph: PairGraph | None, inverse: Floats, delta: float) -> Floats:
    """Intervals, good all together, for the entries of h = L0^+ (expected wins - half of the battles), shape (n, 2)."""
    box = np.empty((schedule.n, 2))
    for player in range(schedule.n):
        # A battle won by its left player rather than by nobody adds half of this, and lost takes it away.
        gains = schedule.shares * (inverse[player, schedule.left] - inverse[player, schedule.right])
        total = float(np.abs(gains).sum())
        _, low, high, _ = _interval(np.where(gains >= 0, won, 1 - won), np.abs(gains), graph, delta)
        box[player] = total * (low - 0.5), total * (high - 0.5)
    return box


def _extreme(schedule: _Schedule, base: Floats, box: Floats, player: int, sign: float, scores: Floats) -> float:
    """Largest (sign 1) or smallest score of a player over a box of h, whose entries sum to 0."""
    reached = -math.inf
    for _ in range(_ROUNDS):
        inverse = np.linalg.pinv(schedule.laplacian(scores), hermitian=True)
        slope = sign * (base @ inverse[player])
        corner = linprog(-slope, A_eq=np.ones((1, schedule.n)), b_eq=[0.0], bounds=box, method="highs")
        trial = None if corner.x is None else schedule.scores(schedule.battles / 2 + base @ corner.x, scores)
        if trial is None:
            return sign * math.inf
        value = sign * float(trial[player])
        if value <= reached + 1e-9:
            break
        reached, scores = value, trial
    return sign * reached
