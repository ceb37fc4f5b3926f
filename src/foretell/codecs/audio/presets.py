"""What each preset of the audio codec computes: filters, cascades, scales."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

GRADIENT, LEAST_SQUARES, PITCH = 0, 1, 2
"""Kinds of stages."""
PITCH_TAPS: Final = 640
"""History of a pitch stage: its farthest lag and what is compared at it."""


@dataclass(frozen=True)
class LeastSquaresFilter:
    """A least-squares filter.

    Attributes
    ----------
    own, partner : int
        Taps of the channel itself and of its partner; their sum is a multiple of 8.
    forget : float
        What is left of the weight of a sample after another one.
    every : int
        Samples between solutions: 1, 2 or a multiple of 4.
    root : bool
        Whether trust falls with the power 1.5 of recent errors rather than with the power 1.
    """

    own: int
    partner: int
    forget: float
    every: int
    root: bool = True


@dataclass(frozen=True)
class Stage:
    """A filter of what centre number ``source`` left over.

    Attributes
    ----------
    source : int
        Number of the centre; stages are numbered after the filters.
    taps : int
        A multiple of 32, or 16 for least squares.
    rate : float
        Step size, or for least squares and pitch what they keep of a sample's weight after another one.
    kind : int
        GRADIENT (normalised LMS), LEAST_SQUARES or PITCH.
    """

    source: int
    taps: int
    rate: float
    kind: int = GRADIENT


@dataclass(frozen=True)
class Preset:
    """Filters, stages, the rates at which scales follow, and the centres that the network is told of, if it is used."""

    filters: tuple[LeastSquaresFilter, ...]
    stages: tuple[Stage, ...]
    scale_rates: tuple[float, ...]
    network: tuple[int, ...] = ()


class Plan(NamedTuple):
    """A preset as arrays, for compiled code."""

    own: NDArray[np.int64]
    partner: NDArray[np.int64]
    forget: NDArray[np.float64]
    every: NDArray[np.int64]
    root: NDArray[np.bool_]
    source: NDArray[np.int64]
    taps: NDArray[np.int64]
    rate: NDArray[np.float64]
    kind: NDArray[np.int64]
    scale_rates: NDArray[np.float64]
    network: NDArray[np.int64]


_SCALES = (1 / 6, 1 / 16, 1 / 40, 1 / 100, 1 / 400)

SINGLE: Final = {
    1: Preset(
        filters=(LeastSquaresFilter(16, 0, 0.99, 8), LeastSquaresFilter(64, 0, 0.998, 32)),
        stages=(Stage(1, 256, 0.006), Stage(2, 16, 0.99, LEAST_SQUARES), Stage(2, 32, 0.006)),
        scale_rates=(1 / 8, 1 / 32, 1 / 128),
    ),
    2: Preset(
        filters=(
            LeastSquaresFilter(8, 0, 0.95, 2, root=False),
            LeastSquaresFilter(16, 0, 0.99, 4),
            LeastSquaresFilter(32, 0, 0.997, 8),
            LeastSquaresFilter(96, 0, 0.998, 32),
        ),
        stages=(
            Stage(3, PITCH_TAPS, 0.99, PITCH),
            Stage(4, 256, 0.004),
            Stage(5, 32, 0.995, LEAST_SQUARES),
            Stage(6, 16, 0.98, LEAST_SQUARES),
            Stage(7, 32, 0.008),
        ),
        scale_rates=_SCALES,
        network=(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
    ),
    3: Preset(
        filters=(
            LeastSquaresFilter(8, 0, 0.95, 1, root=False),
            LeastSquaresFilter(16, 0, 0.99, 4),
            LeastSquaresFilter(32, 0, 0.997, 4),
            LeastSquaresFilter(128, 0, 0.998, 16),
            LeastSquaresFilter(64, 0, 0.9995, 16),
        ),
        stages=(
            Stage(3, PITCH_TAPS, 0.99, PITCH),
            Stage(5, 256, 0.004),
            Stage(6, 32, 0.997, LEAST_SQUARES),
            Stage(7, 32, 0.99, LEAST_SQUARES),
            Stage(8, 16, 0.98, LEAST_SQUARES),
            Stage(9, 32, 0.008),
        ),
        scale_rates=_SCALES,
        network=(0, 1, 2, 3, 5, 6, 7, 9, 10, 11, 12),
    ),
}
"""Presets of one channel, by number; they are part of the format."""

PAIRED: Final = {
    1: Preset(
        filters=(LeastSquaresFilter(16, 8, 0.99, 8), LeastSquaresFilter(32, 16, 0.9995, 32)),
        stages=(Stage(1, 256, 0.006), Stage(2, 16, 0.99, LEAST_SQUARES), Stage(2, 32, 0.006)),
        scale_rates=(1 / 8, 1 / 32, 1 / 128),
    ),
    2: Preset(
        filters=(
            LeastSquaresFilter(8, 8, 0.95, 2, root=False),
            LeastSquaresFilter(16, 8, 0.99, 4),
            LeastSquaresFilter(32, 16, 0.9998, 32),
            LeastSquaresFilter(32, 16, 0.998, 16),
        ),
        stages=(
            Stage(2, 256, 0.006),
            Stage(3, 1024, 0.005),
            Stage(5, 256, 0.006),
            Stage(6, 16, 0.99, LEAST_SQUARES),
            Stage(6, 32, 0.008),
        ),
        scale_rates=_SCALES,
        network=(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
    ),
    3: Preset(
        filters=(
            LeastSquaresFilter(8, 8, 0.95, 2, root=False),
            LeastSquaresFilter(16, 8, 0.99, 4),
            LeastSquaresFilter(32, 32, 0.9998, 16),
            LeastSquaresFilter(32, 32, 0.998, 8),
            LeastSquaresFilter(24, 8, 0.998, 8),
        ),
        stages=(
            Stage(2, 256, 0.006),
            Stage(3, 1024, 0.005),
            Stage(6, 256, 0.006),
            Stage(7, 32, 0.998, LEAST_SQUARES),
            Stage(7, 16, 0.99, LEAST_SQUARES),
            Stage(7, 32, 0.008),
        ),
        scale_rates=_SCALES,
        network=(0, 1, 2, 3, 5, 6, 7, 9, 10, 11, 12),
    ),
}
"""Presets of several channels."""


def preset_of(number: int, channels: int) -> Preset:
    """The preset of a number, for one channel or several."""
    return (SINGLE if channels == 1 else PAIRED)[number]


def plan_of(preset: Preset) -> Plan:
    """Arrays of a preset."""
    filters, stages = preset.filters, preset.stages
    return Plan(
        np.array([f.own for f in filters], np.int64),
        np.array([f.partner for f in filters], np.int64),
        np.array([f.forget for f in filters]),
        np.array([f.every for f in filters], np.int64),
        np.array([f.root for f in filters]),
        np.array([s.source for s in stages], np.int64),
        np.array([s.taps for s in stages], np.int64),
        np.array([s.rate for s in stages]),
        np.array([s.kind for s in stages], np.int64),
        np.array(preset.scale_rates),
        np.array(preset.network, np.int64),
    )


def preset_of_level(level: int) -> int:
    """Number of the preset of a level: 1 for levels 1 to 3, 2 for 4 to 7, 3 for 8 and 9."""
    if not 1 <= level <= 9:
        raise ValueError(f"level is {level}; it must be 1 to 9")
    return 1 if level <= 3 else 2 if level <= 7 else 3
