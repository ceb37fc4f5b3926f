"""What each preset of the audio codec computes: filters, cascades, scales."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LeastSquaresFilter:
    """A least-squares filter.

    Attributes
    ----------
    own, partner : int
        Taps of the channel itself and of its partner.
    forget : float
        What is left of the weight of a sample after another one.
    every : int
        Samples between solutions.
    root : bool
        Whether trust falls with the power 1.5 of recent errors rather than with the power 1.
    """

    own: int
    partner: int
    forget: float
    every: int
    root: bool = True


@dataclass(frozen=True)
class CascadeStage:
    """A normalised LMS filter of what centre number ``source`` left over: taps and step size."""

    source: int
    taps: int
    rate: float


@dataclass(frozen=True)
class Preset:
    """Filters, cascade stages (numbered after the filters), and the rates at which scales follow."""

    filters: tuple[LeastSquaresFilter, ...]
    stages: tuple[CascadeStage, ...]
    scale_rates: tuple[float, ...]


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
    scale_rates: NDArray[np.float64]


PRESETS: Final = {
    1: Preset(
        filters=(LeastSquaresFilter(16, 8, 0.998, 16),),
        stages=(CascadeStage(0, 256, 0.006), CascadeStage(1, 16, 0.006)),
        scale_rates=(1 / 8, 1 / 32, 1 / 128),
    ),
    2: Preset(
        filters=(
            LeastSquaresFilter(16, 8, 0.99, 4),
            LeastSquaresFilter(24, 8, 0.995, 8),
            LeastSquaresFilter(32, 16, 0.9997, 32),
            LeastSquaresFilter(32, 16, 0.998, 16),
        ),
        stages=(
            CascadeStage(2, 256, 0.006),
            CascadeStage(3, 1024, 0.005),
            CascadeStage(5, 256, 0.006),
            CascadeStage(6, 32, 0.005),
            CascadeStage(7, 16, 0.008),
        ),
        scale_rates=(1 / 6, 1 / 16, 1 / 40, 1 / 100, 1 / 400),
    ),
    3: Preset(
        filters=(
            LeastSquaresFilter(8, 4, 0.98, 2, root=False),
            LeastSquaresFilter(16, 8, 0.99, 4),
            LeastSquaresFilter(24, 8, 0.995, 4),
            LeastSquaresFilter(32, 32, 0.9997, 16),
            LeastSquaresFilter(32, 32, 0.998, 8),
        ),
        stages=(
            CascadeStage(3, 1024, 0.005),
            CascadeStage(5, 32, 0.005),
            CascadeStage(4, 1024, 0.005),
            CascadeStage(7, 256, 0.006),
            CascadeStage(8, 32, 0.005),
            CascadeStage(9, 16, 0.008),
        ),
        scale_rates=(1 / 4, 1 / 8, 1 / 16, 1 / 40, 1 / 100, 1 / 400),
    ),
}
"""What a payload's preset number means; they are part of the format."""


def plan_of(preset: Preset, channels: int) -> Plan:
    """Arrays of a preset; a single channel has no partner."""
    filters, stages = preset.filters, preset.stages
    return Plan(
        np.array([f.own for f in filters], np.int64),
        np.array([f.partner if channels > 1 else 0 for f in filters], np.int64),
        np.array([f.forget for f in filters]),
        np.array([f.every for f in filters], np.int64),
        np.array([f.root for f in filters]),
        np.array([s.source for s in stages], np.int64),
        np.array([s.taps for s in stages], np.int64),
        np.array([s.rate for s in stages]),
        np.array(preset.scale_rates),
    )


def preset_of_level(level: int) -> int:
    """Number of the preset of a level: 1 for levels 1 to 3, 2 for 4 to 7, 3 for 8 and 9."""
    if not 1 <= level <= 9:
        raise ValueError(f"level is {level}; it must be 1 to 9")
    return 1 if level <= 3 else 2 if level <= 7 else 3
