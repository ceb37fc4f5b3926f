"""The intervals that people use today, asymptotic ones, to be shown beside valid ones.

All work on influences: numbers whose sum is the estimate's error to first order. None of them holds a promise at a
finite sample size; each is wrong if its own assumption is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

from foretell.dependence.encoding import encode
from foretell.dependence.graph import DependencyGraph, time_axis
from foretell.dependence.inequalities import check_delta

Floats = NDArray[np.float64]
RESAMPLES = 999
"""Draws of the bootstrap."""


@dataclass(frozen=True)
class Comparison:
    """One asymptotic interval: its ends, its name, and what it takes for granted."""

    name: str
    low: float
    high: float
    assumes: str


def compare_intervals(
    estimate: float,
    influence: Floats,
    *,
    columns: Sequence[Any] = (),
    times: Any = None,
    horizon: Any = 0.0,
    graph: DependencyGraph | None = None,
    confidence: float = 0.95,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> list[Comparison]:
    """Asymptotic intervals that fit the data's structure.

    Parameters
    ----------
    estimate : float
        The metric on the sample.
    influence : ndarray of float, shape (n,)
        Each item's part in the error of the estimate; the sum of squares is the variance if items are independent.
    columns : sequence of array_like
        Identifiers; one column gives cluster-robust errors, several give multi-way ones.
    times : array_like, shape (n,), optional
        Times, for Newey-West errors and the moving-block bootstrap.
    horizon : number or timedelta64
        How far in time dependence reaches.
    graph : DependencyGraph, optional
        For errors that sum over dependent pairs, where there are no columns and no times.
    confidence : float
        Nominal confidence.
    seed, resamples : int
        Of the bootstrap, and how many samples it draws.
    """
    delta = check_delta(1 - confidence)
    rng = np.random.default_rng(seed)
    width = float(norm.isf(delta / 2)) * float(np.sqrt((influence**2).sum()))
    rows = [Comparison("i.i.d.", estimate - width, estimate + width, "items are independent")]
    codes = [encode(column, missing="own") for column in columns]
    if codes:
        rows.append(_cluster_robust(estimate, influence, codes, delta))
        rows.append(_block_bootstrap(estimate, influence, codes, delta, rng, resamples))
    if times is not None and len(influence) > 2:
        axis, reach = time_axis(times, horizon)
        order = np.argsort(axis, kind="stable")
        lags = _steps_within(axis[order], reach)
        rows.append(_newey_west(estimate, influence[order], lags, delta))
        rows.append(_moving_blocks(estimate, influence[order], lags + 1, delta, rng, resamples))
    if not codes and times is None and graph is not None:
        rows.append(_graph_robust(estimate, influence, graph, delta))
    return rows


def _cluster_robust(estimate: float, influence: Floats, codes: list[NDArray[np.int64]], delta: float) -> Comparison:
    """Liang and Zeger (1986); for several columns Cameron, Gelbach and Miller (2011), by inclusion and exclusion."""
    variance, fewest = 0.0, influence.size
    for subset in range(1, 2 ** len(codes)):
        chosen = [code for bit, code in enumerate(codes) if subset >> bit & 1]
        joint = chosen[0]
        for code in chosen[1:]:
            joint = joint * (int(code.max()) + 1) + code
            joint = np.unique(joint, return_inverse=True)[1].ravel()
        sums = np.bincount(joint, influence)
        if len(chosen) == 1:
            fewest = min(fewest, sums.size)
        correction = sums.size / max(sums.size - 1, 1)
        variance += (-1) ** (len(chosen) + 1) * correction * float((sums**2).sum())
    quantile = float(t.isf(delta / 2, max(fewest - 1, 1)))
    width = quantile * float(np.sqrt(max(variance, 0.0)))
    return Comparison("cluster-robust", estimate - width, estimate + width, "many clusters of similar size")


def _block_bootstrap(
    estimate: float,
    influence: Floats,
    codes: list[NDArray[np.int64]],
    delta: float,
    rng: np.random.Generator,
    resamples: int,
) -> Comparison:
    """Draw whole clusters; with several columns, draw each kind of object (the pigeonhole bootstrap, Owen 2007)."""
    if len(codes) == 1:
        sums = np.bincount(codes[0], influence)
        draws = np.array([rng.choice(sums, sums.size).sum() for _ in range(resamples)])
    else:
        # Fewer draws for large tables, where one takes long: the ends move by a few percent of the width.
        count = resamples if influence.size <= 20_000 else max(min(resamples, 10**8 // influence.size), 50)
        draws = np.empty(count)
        for k in range(count):
            weights = np.ones(influence.size)
            for code in codes:
                size = int(code.max()) + 1
                weights *= np.bincount(rng.integers(0, size, size), minlength=size)[code]
            draws[k] = float(weights @ influence) / max(float(weights.mean()), 1e-9)
    low, high = np.quantile(draws, [delta / 2, 1 - delta / 2])
    return Comparison("block bootstrap", estimate + float(low), estimate + float(high), "clusters are exchangeable")


def _steps_within(values: Floats, horizon: float) -> int:
    """Largest number of items that lie within the horizon after an item."""
    ends = np.searchsorted(values, values + horizon, side="right") - 1
    return int(min((ends - np.arange(values.size)).max(), values.size - 2))


def _newey_west(estimate: float, influence: Floats, lags: int, delta: float) -> Comparison:
    """Newey and West (1987), Bartlett weights up to the horizon."""
    variance = float(influence @ influence)
    for lag in range(1, min(lags, 2000) + 1):
        variance += 2 * (1 - lag / (lags + 1)) * float(influence[lag:] @ influence[:-lag])
    width = float(norm.isf(delta / 2)) * float(np.sqrt(max(variance, 0.0)))
    return Comparison("Newey-West", estimate - width, estimate + width, "a long stationary series")


def _moving_blocks(
    estimate: float, influence: Floats, length: int, delta: float, rng: np.random.Generator, resamples: int
) -> Comparison:
    """Draw overlapping blocks of consecutive items (Kuensch 1989), at least n^(1/3) long."""
    size = influence.size
    length = min(max(length, round(size ** (1 / 3))), size)
    ends = np.cumsum(np.r_[0.0, influence])
    blocks = ends[length:] - ends[:-length]
    count = -(-size // length)
    draws = blocks[rng.integers(0, blocks.size, (resamples, count))].sum(axis=1) * size / (count * length)
    draws -= blocks.mean() * size / length
    low, high = np.quantile(draws, [delta / 2, 1 - delta / 2])
    return Comparison("block bootstrap", estimate + float(low), estimate + float(high), "a long stationary series")


def _graph_robust(estimate: float, influence: Floats, graph: DependencyGraph, delta: float) -> Comparison:
    """Products of influences over dependent pairs (Conley 1999; Kojevnikov, Marmer and Song 2021)."""
    matrix = graph.to_scipy()
    variance = float(influence @ influence + influence @ (matrix @ influence))
    width = float(norm.isf(delta / 2)) * float(np.sqrt(max(variance, 0.0)))
    return Comparison("graph-robust", estimate - width, estimate + width, "a large sparse graph")
