"""What each preset of the audio codec computes: filters, cascades, scales."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LeastSquaresFilter:
    """A least-squares filter: taps of its own channel and of the partner, forgetting, samples between solutions, sharper trust."""

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
    2: Preset(
        filters=(
            LeastSquaresFilter(16, 8, 0.99, 4, root=False),
            LeastSquaresFilter(32, 16, 0.9997, 16),
            LeastSquaresFilter(32, 16, 0.998, 8),
        ),
        stages=(
            CascadeStage(1, 1024, 0.005),
            CascadeStage(2, 1024, 0.005),
            CascadeStage(4, 256, 0.006),
            CascadeStage(5, 32, 0.005),
            CascadeStage(6, 16, 0.008),
        ),
        scale_rates=(1 / 6, 1 / 16, 1 / 40, 1 / 100, 1 / 400),
    ),
    1: Preset(
        filters=(LeastSquaresFilter(16, 8, 0.998, 16),),
        stages=(CascadeStage(0, 256, 0.006), CascadeStage(1, 16, 0.006)),
        scale_rates=(1 / 8, 1 / 32, 1 / 128),
    ),
}


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
    """Number of the preset of a level, 1 to 9."""
    return 1 if level < 4 else 2
