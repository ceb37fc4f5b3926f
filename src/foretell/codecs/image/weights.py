"""The trained networks of the picture coder: their shapes, and the weights that ship with the package.

One network for planes without, with one and with two references. Weights are int8 and biases int32; between layers,
sums are shifted to the right and kept within 0 and a ceiling, so that all arithmetic is in integers.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file

from foretell.codecs.image.layers import pack_pairs
from foretell.errors import ModelError
from foretell.shipped import find_weights

INPUTS: Final = 64
HIDDEN: Final = 32
OUTPUTS: Final = 16
"""Weights, places and widths of all components, then nothing."""
COMPONENTS: Final = 3

INPUT_BITS: Final = 4
"""Inputs are in sixteenths."""
HIDDEN_BITS: Final = 7
"""Hidden values are in 128ths."""
OUTPUT_BITS: Final = 8
"""Outputs are in 256ths."""
MOST_INPUT: Final = 127
CEILING: Final = 1023
"""Largest hidden value."""
SHAPES: Final = ((HIDDEN, INPUTS), (HIDDEN, HIDDEN), (OUTPUTS, HIDDEN))
"""Outputs and inputs of the layers."""


class Network(NamedTuple):
    """Weights of the three layers, packed for the kernel, and what they work in.

    Shapes: weights (inputs / 2, outputs, 2); biases (outputs,), at the scale of the sums; ``shifts`` (3,), how
    far the sums of each layer are shifted; ``raw``, ``inputs`` (INPUTS,); ``hidden``, ``sums`` (HIDDEN,); ``outputs``
    (OUTPUTS,).
    """

    first: NDArray[np.int16]
    first_bias: NDArray[np.int32]
    second: NDArray[np.int16]
    second_bias: NDArray[np.int32]
    third: NDArray[np.int16]
    third_bias: NDArray[np.int32]
    shifts: NDArray[np.int64]
    raw: NDArray[np.float32]
    inputs: NDArray[np.int16]
    hidden: NDArray[np.int16]
    sums: NDArray[np.int32]
    outputs: NDArray[np.int32]


def powers() -> NDArray[np.float32]:
    """2 ** (i / 16) for i = -128 ... 127."""
    with localcontext() as context:
        context.prec = 20
        return np.array([float(Decimal(2) ** (Decimal(i) / 16)) for i in range(-128, 128)], np.float32)


@cache
def _stored() -> dict[str, NDArray[Any]]:
    folder = find_weights("image")
    if folder is None:
        raise ModelError("the network for pictures did not come with this installation", "install foretell anew")
    return dict(load_file(folder / "network.safetensors"))


class Start(NamedTuple):
    """What the mixers and the maps of histories had learnt at the end of training, where coding begins.

    Shapes: ``rows`` (rows of all mixers, inputs) and ``finals`` (kinds, results) int32; ``histories`` (cells,) uint32.
    """

    rows: NDArray[np.int32]
    finals: NDArray[np.int32]
    histories: NDArray[np.uint32]


ROW_SHIFT: Final = 3
"""Weights of mixers are stored without so many of their last bits, as int16."""


@cache
def trained_start(references: int) -> Start:
    """Where coding of planes with so many references (0 to 2) begins; not to be changed."""
    stored = _stored()
    rows = stored[f"{references}.rows"].astype(np.int32) << ROW_SHIFT
    return Start(rows, stored[f"{references}.finals"], stored[f"{references}.histories"])


@cache
def _layers(references: int) -> tuple[NDArray[Any], ...]:
    stored = _stored()
    layers: list[NDArray[Any]] = []
    for layer, shape in enumerate(SHAPES):
        weights, bias = stored[f"{references}.{layer}.weight"], stored[f"{references}.{layer}.bias"]
        if weights.shape != shape or weights.dtype != np.int8 or bias.shape != shape[:1] or bias.dtype != np.int32:
            raise ModelError("the network for pictures has another shape than this version expects")
        layers += [pack_pairs(weights), bias]
    return (*layers, stored[f"{references}.shifts"].astype(np.int64))


def new_network(references: int | None) -> Network:
    """Network for planes with so many references (0 to 2), with work space of its own; None: one of zeros."""
    layers = _no_layers() if references is None else _layers(references)
    space: tuple[Any, ...] = (
        np.zeros(INPUTS, np.float32),
        np.zeros(INPUTS, np.int16),
        np.zeros(HIDDEN, np.int16),
        np.zeros(HIDDEN, np.int32),
        np.zeros(OUTPUTS, np.int32),
    )
    fields = layers + space
    return Network(*fields)


def _no_layers() -> tuple[NDArray[Any], ...]:
    layers: list[NDArray[Any]] = []
    for shape in SHAPES:
        layers += [pack_pairs(np.zeros(shape, np.int8)), np.zeros(shape[0], np.int32)]
    return (*layers, np.zeros(len(SHAPES), np.int64))
