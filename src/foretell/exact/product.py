"""Products of small-integer matrices: the packed layout, and the product that the engine uses.

Activations are in [-127, 127], weights in [-63, 63] (keys and values: [-127, 127]); every sum is exact in int32, so
that all kernels give the same result. Which one serves is decided once, from what the processor has: see
:mod:`foretell.processor`; the kernels are :mod:`~foretell.exact.tiles`, :mod:`~foretell.exact.dots` and
:mod:`~foretell.exact.pairs`.

Packed layout of a (N, K) matrix: ``[N / 16, K / 4, 16, 4]``, that is, blocks of 16 outputs in which four consecutive
inputs of an output are adjacent.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled
from foretell.exact.dots import dot_product_at
from foretell.exact.pairs import pair_product_at
from foretell.exact.tiles import tile_product_at
from foretell.pages import aligned_zeros
from foretell.processor import kernel

BLOCK = 16
"""Outputs in a packed block."""
QUAD = 4
"""Adjacent inputs of one output."""


def pack(matrix: NDArray[np.int8]) -> NDArray[np.int8]:
    """Pack a (..., N, K) int8 matrix, K a multiple of 4; N is padded with zero rows to a multiple of 16."""
    *lead, outputs, inputs = matrix.shape
    padded = np.zeros((*lead, -(-outputs // BLOCK) * BLOCK, inputs), np.int8)
    padded[..., :outputs, :] = matrix
    blocks = padded.reshape(*lead, -1, BLOCK, inputs // QUAD, QUAD)
    packed: NDArray[np.int8] = aligned_zeros((*lead, blocks.shape[-4], inputs // QUAD, BLOCK, QUAD), np.int8)
    packed[...] = np.swapaxes(blocks, -3, -2)
    return packed


def unpack(packed: NDArray[np.int8], outputs: int) -> NDArray[np.int8]:
    """Inverse of :func:`pack`: the (..., outputs, K) matrix."""
    *lead, blocks, quads = packed.shape[:-2]
    plain = np.swapaxes(packed, -3, -2).reshape(*lead, blocks * BLOCK, QUAD * quads)
    return np.ascontiguousarray(plain[..., :outputs, :])


PRODUCTS = {"amx": tile_product_at, "vnni": dot_product_at, "pairs": pair_product_at}
product_at = PRODUCTS[kernel()]
"""The kernel in use; its arguments are those of :func:`~foretell.exact.pairs.pair_product_at`."""


@compiled
def product(left: NDArray[np.int8], packed: NDArray[np.int8], out: NDArray[np.int32]) -> None:
    """``out[r, n] = sum_k left[r, k] * weights[n, k]`` for contiguous (R, K) and packed (N / 16, K / 4, 16, 4).

    ``out`` is contiguous, (R, N), N a multiple of 16; K is one too.
    """
    rows, inputs = left.shape
    product_at(
        left.ctypes.data, inputs, packed.ctypes.data, inputs * 16, inputs, packed.shape[0], out.ctypes.data,
        out.shape[1], rows,
    )  # fmt: skip
