"""A small causal network, trained on speech and music, that says where the next sample lies.

Before each sample it is told of the latest residual, of how the centres differ, of how much errors varied of late and
of the other channel, all in units of the reference scale, as integers in [-127, 127]. A dilated convolution looks back
over 256 samples and gives three logistic distributions. Weights and activations are small integers held as binary32,
so that every sum is exact whatever its order; rings of earlier activations make each sample cost one step.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from foretell.compilation import inlined, settings
from foretell.errors import ForetellError
from foretell.uncounted import compiled, inlined_late

NAME: Final = "audio"
FEATURES: Final = 28
PARTS = 3
"""Logistic distributions that the network gives."""
BLOCK = 16
LARGEST = np.float32(1023.0)
"""Activations are in units of 1/32, from 0 to this."""
OUTPUTS = 16
"""Rows of the last matrix: three weights, three places, three widths, and zeros."""
UNIT = 2048
"""Sums of products are in units of one over this."""
EXPONENTS = 256
"""The table of exponentials goes from -256 to 256 in steps of 1/64."""


class Network(NamedTuple):
    """Weights (inputs, outputs) and biases, all integers; ``layers``: (layer, earlier and present inputs, outputs)."""

    first: NDArray[np.float32]
    first_bias: NDArray[np.float32]
    layers: NDArray[np.float32]
    layers_bias: NDArray[np.float32]
    hidden: NDArray[np.float32]
    hidden_bias: NDArray[np.float32]
    last: NDArray[np.float32]
    last_bias: NDArray[np.float32]


class Memory(NamedTuple):
    """Rings of earlier activations of all channels, and scratch."""

    rings: NDArray[np.float32]
    features: NDArray[np.float32]
    stream: NDArray[np.float32]
    sums: NDArray[np.float32]
    outputs: NDArray[np.int64]


@cache
def load_network() -> Network:
    """The network that ships with the package.

    Raises
    ------
    ForetellError
        If this installation lacks it.
    """
    from safetensors.numpy import load_file

    from foretell.shipped import find_weights

    folder = find_weights(NAME)
    if folder is None:
        raise ForetellError("this installation lacks the network for sound", "install foretell with its weights")
    stored = load_file(folder / "network.safetensors")
    return Network(*(np.ascontiguousarray(stored[name].astype(np.float32)) for name in Network._fields))


def no_network() -> Network:
    """In place of a network where there is none."""
    square = np.zeros((BLOCK, BLOCK), np.float32)
    row = np.zeros(BLOCK, np.float32)
    return Network(
        square, row, square.reshape(1, BLOCK, BLOCK)[:0], row.reshape(1, BLOCK)[:0], square, row, square, row
    )


def new_memory(network: Network, channels: int) -> Memory:
    """Memory of nothing."""
    layers, _, width = network.layers.shape
    return Memory(
        np.zeros((channels, (1 << layers) - 1, width), np.float32),
        np.zeros(FEATURES, np.float32),
        np.zeros(2 * width, np.float32),
        np.zeros(max(width, network.hidden.shape[1], OUTPUTS), np.float32),
        np.zeros(OUTPUTS, np.int64),
    )


@cache
def _exponentials() -> NDArray[np.float64]:
    """exp(i / 64) for i = -256 ... 256, computed in decimals, the same on every machine."""
    with localcontext() as context:
        context.prec = 24
        return np.array([float((Decimal(i) / 64).exp()) for i in range(-EXPONENTS, EXPONENTS + 1)])


EXP = _exponentials()


@inlined
def exponential(value: int) -> float:
    """Exp of a number in units of 1/2048, in steps of 1/64, between those of -4 and 4."""
    return EXP[np.uintp(min(max(value >> 5, -EXPONENTS), EXPONENTS) + EXPONENTS)]


def _emit_product(builder: Any, inputs: Any, weights: Any, out: Any, count: Any, columns: Any) -> None:
    """Emit ``out += inputs @ weights``: two rows of weights at a time, 16 columns in registers."""
    number = ir.FloatType()
    vector = ir.VectorType(number, BLOCK)
    size = count.type

    def load(array: Any, place: Any) -> Any:
        value = builder.load(builder.bitcast(builder.gep(array, [place]), vector.as_pointer()))
        value.align = 4
        return value

    entry, outer, inner, after, done = builder.block, *(builder.append_basic_block() for _ in range(4))
    builder.branch(outer)
    builder.position_at_end(outer)
    column = builder.phi(size)
    column.add_incoming(size(0), entry)
    start = load(out, column)
    builder.branch(inner)
    builder.position_at_end(inner)
    row, even, odd = builder.phi(size), builder.phi(vector), builder.phi(vector)
    row.add_incoming(size(0), outer)
    even.add_incoming(start, outer)
    odd.add_incoming(ir.Constant(vector, [0.0] * BLOCK), outer)
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), BLOCK), [0] * BLOCK)
    undefined = ir.Constant(vector, ir.Undefined)
    sums = []
    for step, total in enumerate((even, odd)):
        place = builder.add(row, size(step))
        single = builder.insert_element(undefined, builder.load(builder.gep(inputs, [place])), ir.IntType(32)(0))
        spread = builder.shuffle_vector(single, undefined, zeros)
        products = builder.fmul(spread, load(weights, builder.add(builder.mul(place, columns), column)))
        sums.append(builder.fadd(total, products))
    following = builder.add(row, size(2))
    row.add_incoming(following, inner)
    even.add_incoming(sums[0], inner)
    odd.add_incoming(sums[1], inner)
    builder.cbranch(builder.icmp_signed("<", following, count), inner, after)
    builder.position_at_end(after)
    target = builder.bitcast(builder.gep(out, [column]), vector.as_pointer())
    builder.store(builder.fadd(*sums), target).align = 4
    next_column = builder.add(column, size(BLOCK))
    column.add_incoming(next_column, after)
    builder.cbranch(builder.icmp_signed("<", next_column, columns), outer, done)
    builder.position_at_end(done)


@intrinsic
def _product(_context: Any, inputs: Any, weights: Any, out: Any) -> Any:
    if not all(isinstance(array, types.Array) for array in (inputs, weights, out)):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        arrays = [
            context.make_array(kind)(context, builder, value)
            for kind, value in zip(signature.args, arguments, strict=True)
        ]
        rows, columns = (builder.extract_value(arrays[1].shape, i) for i in range(2))
        _emit_product(builder, arrays[0].data, arrays[1].data, arrays[2].data, rows, columns)
        return context.get_dummy_value()

    return types.void(inputs, weights, out), generate


if settings.DISABLE_JIT:

    def add_product(inputs: NDArray[np.float32], weights: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Add ``inputs @ weights`` to out; an even number of inputs, and columns in blocks of 16."""
        out[: weights.shape[1]] += inputs[: weights.shape[0]] @ weights

else:

    @inlined
    def add_product(inputs: NDArray[np.float32], weights: NDArray[np.float32], out: NDArray[np.float32]) -> None:
        """Add ``inputs @ weights`` to out; an even number of inputs, and columns in blocks of 16."""
        _product(inputs, weights, out)  # type: ignore[call-arg]


@inlined_late
def _set(sums: NDArray[np.float32], biases: NDArray[np.float32]) -> None:
    for i in range(biases.size):
        sums[i] = biases[i]


@inlined
def _activation(total: float) -> float:
    """Sum of products in units of 1/2048 to an activation in units of 1/32, rounded, never below 0."""
    units = (np.int32(total) + np.int32(32)) >> np.int32(6)
    return np.float32(max(units, np.int32(0)))


@compiled
def evaluate(network: Network, memory: Memory, t: int, channel: int) -> None:
    """Set the outputs for ``memory.features`` of sample t, in units of 1/2048."""
    width = network.first.shape[1]
    sums, stream = memory.sums, memory.stream
    present = stream[width:]
    _set(sums, network.first_bias)
    add_product(memory.features, network.first, sums)
    for i in range(width):
        present[i] = min(_activation(sums[i]), LARGEST)
    for layer in range(network.layers.shape[0]):
        past = (1 << layer) - 1
        slot = memory.rings[channel, past + (t & past)]
        for i in range(width):
            stream[i] = slot[i]
            slot[i] = present[i]
        _set(sums, network.layers_bias[layer])
        add_product(stream, network.layers[layer], sums)
        for i in range(width):
            present[i] = min(present[i] + _activation(sums[i]), LARGEST)
    hidden = network.hidden.shape[1]
    _set(sums, network.hidden_bias)
    add_product(present, network.hidden, sums)
    for i in range(hidden):
        stream[i] = min(_activation(sums[i]), LARGEST)
    _set(sums, network.last_bias)
    add_product(stream, network.last, sums)
    for i in range(3 * PARTS):
        memory.outputs[i] = np.int64(sums[i])
