"""The memory of the plane coder: everything that it learns, as one tuple of arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.image.least_squares import BLOCK
from foretell.codecs.image.planes import SIDE
from foretell.codecs.image.tables import CLASSES
from foretell.codecs.image.triangles import FEATURES, HORIZONS
from foretell.codecs.image.weights import COMPONENTS, Network, Start, new_network, trained_start
from foretell.entropy.mixer import REFINE_STEPS

PREDICTORS = 8
"""Predictors whose misses are followed; the last place is empty, so that they fill a vector."""
SINGLE = 5
LANES = SINGLE + COMPONENTS
"""Distributions of a sample: of SINGLE predictors, then the components of the network's mixture."""
SMOOTH = SINGLE + 1
"""Inputs of the mixers that come from distributions."""
CONTEXTS = 12
HISTORIES = 3
HISTORY_VALUES = 8
INPUTS = 24
"""SMOOTH, CONTEXTS, HISTORIES, one for the values seen, a constant, the prior."""
LINE = 16

NODE_CLASSES = 46
SETS = 6
SET_ROWS = (NODE_CLASSES * CLASSES, NODE_CLASSES * 64, 64 * 9 * 16, 81 * 16, NODE_CLASSES * 8, NODE_CLASSES * 64)
SET_STARTS = tuple(sum(SET_ROWS[:k]) for k in range(SETS))
FINALS = 8

NODES = 1024
REFINE_STARTS = (0, NODES * CLASSES)
REFINERS = NODES * CLASSES + NODE_CLASSES * 256
HISTORY_CELLS = (HISTORIES + 1) * 81 * 8

# fields of PlaneModel.fixed
OWN_COUNT, FIRST_COUNT, SECOND_COUNT, REFERENCES, LARGEST, NETWORK, HISTORY_BITS, WIDTH = range(8)
SHAPES = ((20, 0, 0), (14, 13, 0), (12, 10, 9))
"""Neighbours in the own plane and in the references that least squares uses, by number of references."""


class PlaneModel(NamedTuple):
    """State of one plane's coder.

    Shapes: ``above`` (horizons, blocks + 2, features, features); ``row``, ``work``, ``scaled`` (horizons, features,
    features); ``sums`` (features, features); ``fit`` (features, horizons); ``missed`` (2, padded width, predictors),
    absolute errors of the current row and the one above; ``places``, ``rates``, ``near``, ``far``, ``inner``,
    ``beyond``, ``total`` (lanes,), ``shares`` (components,), the distributions of a sample; the rest is described where
    it is used.
    """

    fixed: NDArray[np.int64]
    above: NDArray[np.float32]
    row: NDArray[np.float32]
    sums: NDArray[np.float32]
    work: NDArray[np.float32]
    scaled: NDArray[np.float32]
    fit: NDArray[np.float32]
    features: NDArray[np.float32]
    scaled_features: NDArray[np.float32]
    missed: NDArray[np.float32]
    centres: NDArray[np.float32]
    scales: NDArray[np.float32]
    spreads: NDArray[np.float32]
    places: NDArray[np.float32]
    rates: NDArray[np.float32]
    shares: NDArray[np.float32]
    near: NDArray[np.float32]
    far: NDArray[np.float32]
    inner: NDArray[np.float32]
    beyond: NDArray[np.float32]
    total: NDArray[np.float32]
    at: NDArray[np.int32]
    bias: NDArray[np.int32]
    lines: NDArray[np.uint32]
    contexts: NDArray[np.int64]
    checks: NDArray[np.int64]
    slots: NDArray[np.int64]
    histories: NDArray[np.uint16]
    history_places: NDArray[np.int64]
    history_maps: NDArray[np.uint32]
    history_cells: NDArray[np.int64]
    seen: NDArray[np.uint32]
    inputs: NDArray[np.int32]
    weights: NDArray[np.int32]
    final_weights: NDArray[np.int32]
    finals: NDArray[np.int32]
    rows: NDArray[np.int64]
    set_p: NDArray[np.int64]
    refiner: NDArray[np.int32]
    refined: NDArray[np.int64]
    seen_samples: NDArray[np.int64]
    network: Network


def table_bits(samples: int) -> tuple[int, int]:
    """Bits of a line's number in the table of contexts, and of a row's in the value histories."""
    size = max(samples, 1).bit_length()
    return max(8, min(size - 1, 18)), max(6, min(size - 2, 16))


def memory_needed(samples: int, width: int) -> int:
    """Bytes of memory, about, that the coder of a plane takes."""
    line_bits, history_bits = table_bits(samples)
    blocks = -(-width // BLOCK) + 2
    fixed = 4 * (sum(SET_ROWS) * INPUTS + REFINERS * REFINE_STEPS) + (1 << 21)
    return fixed + (64 << line_bits) + (16 * HISTORIES << history_bits) + 4 * HORIZONS * blocks * FEATURES**2


def plain_start() -> Start:
    """Start without training: all distributions weigh the same, and contexts a little."""
    rows = np.zeros((sum(SET_ROWS), INPUTS), np.int32)
    rows[:, :SMOOTH] = 65536 // SMOOTH
    rows[:, SMOOTH : SMOOTH + CONTEXTS] = 10000
    finals = np.full((NODE_CLASSES, FINALS), 65536 // SETS, np.int32)
    finals[:, SETS:] = 0
    return Start(rows, finals, np.full(HISTORY_CELLS, np.uint32(1 << 31), np.uint32))


def new_model(width: int, samples: int, references: int, largest: int, network: bool = True) -> PlaneModel:
    """Coder of planes of a width; ``samples`` is how many there will be in all, ``largest`` their largest value.

    ``network`` says whether the trained network is asked and the mixers begin trained.
    """
    line_bits, history_bits = table_bits(samples)
    blocks = -(-width // BLOCK)
    keys = 65536 if references == 2 else 256 if references else 1
    start = trained_start(references) if network else plain_start()
    lines = np.zeros((LINE << line_bits) + LINE, np.uint32)
    skip = (-lines.ctypes.data % 64) // 4
    return PlaneModel(
        fixed=np.array([*SHAPES[references], references, largest, network, history_bits, width], np.int64),
        above=np.zeros((HORIZONS, blocks + 2, FEATURES, FEATURES), np.float32),
        row=np.zeros((HORIZONS, FEATURES, FEATURES), np.float32),
        sums=np.zeros((FEATURES, FEATURES), np.float32),
        work=np.zeros((HORIZONS, FEATURES, FEATURES), np.float32),
        scaled=np.zeros((HORIZONS, FEATURES, FEATURES), np.float32),
        fit=np.zeros((FEATURES, HORIZONS), np.float32),
        features=np.zeros(FEATURES, np.float32),
        scaled_features=np.zeros(FEATURES, np.float32),
        missed=np.zeros((2, width + 2 * SIDE, PREDICTORS), np.float32),
        centres=np.zeros(PREDICTORS, np.float32),
        scales=np.zeros(PREDICTORS, np.float32),
        spreads=np.zeros(PREDICTORS, np.float32),
        places=np.zeros(LANES, np.float32),
        rates=np.zeros(LANES, np.float32),
        shares=np.zeros(COMPONENTS, np.float32),
        near=np.zeros(LANES, np.float32),
        far=np.zeros(LANES, np.float32),
        inner=np.zeros(LANES, np.float32),
        beyond=np.zeros(LANES, np.float32),
        total=np.zeros(LANES, np.float32),
        at=np.zeros(LANES, np.int32),
        bias=np.zeros((256, 2), np.int32),
        lines=lines[skip : skip + (LINE << line_bits)],
        contexts=np.zeros(CONTEXTS, np.int64),
        checks=np.zeros(CONTEXTS, np.int64),
        slots=np.zeros(CONTEXTS, np.int64),
        histories=np.zeros(HISTORIES * HISTORY_VALUES << history_bits, np.uint16),
        history_places=np.zeros(HISTORIES, np.int64),
        history_maps=start.histories.copy(),
        history_cells=np.zeros(HISTORIES + 1, np.int64),
        seen=np.zeros((keys if largest < 256 else 1, 10), np.uint32),
        inputs=np.zeros(INPUTS, np.int32),
        weights=start.rows.ravel().copy(),
        final_weights=start.finals.ravel().copy(),
        finals=np.zeros(FINALS, np.int32),
        rows=np.zeros(SETS, np.int64),
        set_p=np.zeros(SETS, np.int64),
        refiner=np.zeros(REFINERS * REFINE_STEPS, np.int32),
        refined=np.zeros(2, np.int64),
        seen_samples=np.zeros(1, np.int64),
        network=new_network(references if network else None),
    )
