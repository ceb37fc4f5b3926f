"""Products on x86 processors with AMX: a tile of 16 rows by 64 bytes times one of 64 by 16, in one instruction.

The matrix unit works on eight tile registers, which a thread configures before use and releases after it. Linux gives
a process these registers on request (:mod:`foretell.processor`).
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from foretell.compilation import compiled
from foretell.exact.dots import dot_product_at
from foretell.exact.emit import BYTES, I8, I32, I64, call, repeat

DEPTH = 64
"""Inputs in one tile."""
PANEL = 8
"""Blocks that all rows are multiplied by before the next; a few hundred kilobytes at most."""
AHEAD = 4096
"""Bytes by which weights are asked for before they are multiplied, where few rows leave time for nothing else."""
_NOTHING = ir.VoidType()
_SUM, _LEFT, _RIGHT = 0, 4, 6
"""First of the tile registers for sums, rows and weights: 2 rows of tiles by 2 columns, or 1 by up to 4."""


def _fetch(builder: Any, address: Any) -> None:
    """Ask for the 16 cache lines of a tile that will be needed soon."""
    for line in range(16):
        place = builder.inttoptr(builder.add(address, I64(64 * line)), BYTES)
        call(builder, "llvm.prefetch.p0", _NOTHING, [place, I32(0), I32(3), I32(1)])


def _emit(builder: Any, args: Any, rows: int, columns: int) -> None:
    """Keep rows x columns tiles of sums, and go through the inputs 64 at a time."""
    left, packed, out, steps, left_stride, block_bytes, out_stride = args

    def load(tile: int, address: Any, stride: Any) -> None:
        call(builder, "llvm.x86.tileloadd64", _NOTHING, [I8(tile), builder.inttoptr(address, BYTES), stride])

    for row, column in product(range(rows), range(columns)):
        call(builder, "llvm.x86.tilezero", _NOTHING, [I8(_SUM + 2 * row + column)])

    def step(index: Any, _values: list[Any]) -> list[Any]:
        across, down = builder.mul(index, I64(DEPTH)), builder.mul(index, I64(16 * DEPTH))
        for row in range(rows):
            offset = builder.add(across, builder.mul(left_stride, I64(16 * row)))
            load(_LEFT + row, builder.add(left, offset), left_stride)
        for column in range(columns):
            right = _RIGHT + column % 2
            tile = builder.add(packed, builder.add(down, builder.mul(block_bytes, I64(column))))
            load(right, tile, I64(64))
            if rows == 1:
                _fetch(builder, builder.add(tile, I64(AHEAD)))
            for row in range(rows):
                call(builder, "llvm.x86.tdpbssd", _NOTHING, [I8(_SUM + 2 * row + column), I8(_LEFT + row), I8(right)])
        return []

    repeat(builder, steps, [], step)
    for row, column in product(range(rows), range(columns)):
        target = builder.add(builder.add(out, builder.mul(out_stride, I64(16 * row))), I64(64 * column))
        stored = [I8(_SUM + 2 * row + column), builder.inttoptr(target, BYTES), out_stride]
        call(builder, "llvm.x86.tilestored64", _NOTHING, stored)


def _make(rows: int, columns: int) -> Any:
    """Build the micro-kernel for ``rows`` x ``columns`` tiles of 16 x 16 outputs; strides are in bytes."""

    @intrinsic
    def tile(_context, left, packed, out, steps, left_stride, block_bytes, out_stride):  # type: ignore[no-untyped-def]
        def generate(context, builder, _signature, args):  # type: ignore[no-untyped-def]
            _emit(builder, args, rows, columns)
            return context.get_dummy_value()

        return types.void(left, packed, out, types.intp, types.intp, types.intp, types.intp), generate

    return tile


_tiles_22, _tiles_21, _tiles_11 = _make(2, 2), _make(2, 1), _make(1, 1)


@intrinsic
def _configure(_context, address):  # type: ignore[no-untyped-def]
    """Give the tile registers the shapes at ``address``."""

    def generate(context, builder, _signature, args):  # type: ignore[no-untyped-def]
        call(builder, "llvm.x86.ldtilecfg", _NOTHING, [builder.inttoptr(args[0], BYTES)])
        return context.get_dummy_value()

    return types.void(address), generate


@intrinsic
def _release(_context):  # type: ignore[no-untyped-def]
    """Give the tile registers back."""

    def generate(context, builder, _signature, _args):  # type: ignore[no-untyped-def]
        call(builder, "llvm.x86.tilerelease", _NOTHING, [])
        return context.get_dummy_value()

    return types.void(), generate


@compiled
def _shape_tiles(settings: NDArray[np.uint8], rows: int) -> None:
    """Configure for so many rows: more than 16 fill two rows of tiles, of which the second may be lower."""
    settings[0] = 1
    for tile in range(8):
        settings[16 + 2 * tile] = 64
        settings[48 + tile] = 16
    if rows > 16:
        settings[48 + 2] = settings[48 + 3] = settings[48 + 5] = rows - 16
    else:
        for tile in range(5):
            settings[48 + tile] = rows
    _configure(settings.ctypes.data)  # type: ignore[call-arg, unused-ignore]


@compiled
def _multiply_rows(
    left: int,
    left_stride: int,
    packed: int,
    block_bytes: int,
    steps: int,
    blocks: int,
    out: int,
    out_bytes: int,
    rows: int,
) -> None:
    """Multiply up to 32 rows, for which the tiles are configured."""
    block = 0
    while block < blocks:
        weights, target = packed + block * block_bytes, out + block * 64
        if rows > 16 and blocks - block >= 2:
            _tiles_22(left, weights, target, steps, left_stride, block_bytes, out_bytes)
            block += 2
        elif rows > 16:
            _tiles_21(left, weights, target, steps, left_stride, block_bytes, out_bytes)
            block += 1
        else:
            _tiles_11(left, weights, target, steps, left_stride, block_bytes, out_bytes)
            block += 1


@compiled
def tile_product_at(
    left: int,
    left_stride: int,
    packed: int,
    block_bytes: int,
    inputs: int,
    blocks: int,
    out: int,
    out_stride: int,
    rows: int,
) -> None:
    """Multiply int8 rows by packed blocks; see :func:`foretell.exact.pairs.pair_product_at`.

    All rows go through a few blocks before the next blocks come, which then need to be fetched only once.
    """
    if inputs % DEPTH:
        dot_product_at(left, left_stride, packed, block_bytes, inputs, blocks, out, out_stride, rows)
        return
    settings, shaped = np.zeros(64, np.uint8), 0
    for block in range(0, blocks, PANEL):
        for row in range(0, rows, 32):
            count = min(32, rows - row)
            if count != shaped:
                _shape_tiles(settings, count)
                shaped = count
            _multiply_rows(
                left + row * left_stride, left_stride, packed + block * block_bytes, block_bytes, inputs // DEPTH,
                min(PANEL, blocks - block), out + row * out_stride * 4 + block * 64, out_stride * 4, count,
            )  # fmt: skip
    _release()  # type: ignore[call-arg, unused-ignore]
