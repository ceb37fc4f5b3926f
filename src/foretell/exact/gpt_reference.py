"""An oracle of the GPT-2 family's layers: the same integers as the compiled code, from readable NumPy.

As in :mod:`foretell.exact.reference`, nothing is shared with the compiled kernels but constants.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from foretell.exact.centred import QUICK_GELU_SCALE
from foretell.exact.product import unpack
from foretell.exact.reference import (
    Floats,
    Integers,
    attention_weights,
    frequencies,
    gelu,
    hadamard,
    product,
    quantise,
    refined,
    rms_norm,
    sigmoid,
)

if TYPE_CHECKING:
    from foretell.models.gpt.model import Gpt
    from foretell.models.gpt.network import Network


def quick_gelu(x: Floats) -> Floats:
    """The GELU of image-GPT."""
    return x * sigmoid(QUICK_GELU_SCALE * x)


def layer_norm(x: Floats, weight: Floats, bias: Floats, epsilon: float) -> Floats:
    """The norm with a mean along the last axis, from sums of integers."""
    largest = np.abs(x).max(axis=-1)
    inverse = np.float32(32768.0) / np.where(largest > 0, largest, np.float32(1.0))
    steps = np.rint(x * inverse[..., None]).astype(np.int64)
    total, squares, count = steps.sum(axis=-1), (steps * steps).sum(axis=-1), np.int64(x.shape[-1])
    unit = largest.astype(np.float64) * np.float64(2.0**-15)
    mean = ((total.astype(np.float64) / np.float64(count)) * unit).astype(np.float32)
    spread = (count * squares - total * total).astype(np.float64) / np.float64(count * count)
    scale = (np.float64(1.0) / np.sqrt(spread * (unit * unit) + np.float64(epsilon))).astype(np.float32)
    return ((x - mean[..., None]) * scale[..., None]) * weight + bias


def run_reference(network: Network, hidden: Floats) -> Floats:
    """Outputs (M, width) of the last norm for the inputs (M, width) of one stream, positions included."""
    config, shape, weights = network.config, network.shape, network.weights

    def norm(x: Floats, weight: Floats, shift: Floats) -> Floats:
        return layer_norm(x, weight, shift, config.epsilon) if shift.size else rms_norm(x, weight, config.epsilon)

    def project(left: tuple[Integers, Floats], packed: NDArray[np.int8], scales: Floats) -> Floats:
        sums = product(left[0], unpack(packed, scales.size))
        return (sums.astype(np.float32) * left[1][:, None]) * scales

    for n in range(config.layers):
        normed = norm(hidden, weights.attention_norm[n], weights.attention_shift[n])
        parts = project(quantise(hadamard(normed, shape.width_block)), weights.qkv[n], weights.qkv_scale[n])
        query, key, value, rest = (part.reshape(len(hidden), config.heads, -1) for part in np.split(parts, 4, axis=1))
        biases = (bias.reshape(config.heads, -1) for bias in np.split(weights.qkv_bias[n], 3))
        query_bias, key_bias, value_bias = biases
        queries, query_scales = quantise(hadamard(query + query_bias, shape.head_block))
        keys, key_scales = quantise(hadamard(key + key_bias, shape.head_block))
        values, value_scales = quantise((value + rest) + value_bias)
        mixed = _attend(queries, query_scales * shape.score_scale, keys, key_scales, values, value_scales)
        added = project(quantise(mixed), weights.output[n], weights.output_scale[n])
        hidden = hidden + (added + weights.output_bias[n])
        normed = norm(hidden, weights.feed_norm[n], weights.feed_shift[n])
        inner = project(quantise(hadamard(normed, shape.width_block)), weights.inner[n], weights.inner_scale[n])
        inner = inner + weights.inner_bias[n]
        inner = gelu(inner) if config.activation == "gelu" else quick_gelu(inner)
        added = project(quantise(hadamard(inner, shape.feed_block)), weights.down[n], weights.down_scale[n])
        hidden = hidden + (added + weights.down_bias[n])
    return norm(hidden, network.final_norm, network.final_shift)


def _attend(
    queries: Integers, query_scales: Floats, keys: Integers, key_scales: Floats, values: Integers, value_scales: Floats
) -> Floats:
    """Mixed values (M, width) of integers (M, heads, head width) and their scales (M, heads)."""
    out = np.zeros(queries.shape, np.float32)
    nothing = np.empty(0, np.bool_)
    for m, head in np.ndindex(*queries.shape[:2]):
        seen = slice(0, m + 1)
        sums = product(queries[m, head][None], keys[seen, head])[0]
        scales = key_scales[seen, head], value_scales[seen, head]
        weights, scale = attention_weights(sums, query_scales[m, head], *scales, nothing)
        out[m, head] = product(weights[None], values[seen, head].T)[0].astype(np.float32) * scale
    return out.reshape(len(queries), -1)


def forward_reference(model: Gpt, tokens: NDArray[np.int32]) -> NDArray[np.int32]:
    """Frequencies (M, tokens) after each token of one stream that begins with ``tokens``."""
    hidden = model.embedding[tokens].astype(np.float32) * model.embedding_scale[tokens][:, None]
    normed = run_reference(model.network, hidden + model.positions[: tokens.size])
    integers, scales = quantise(hadamard(normed, model.network.shape.width_block))
    sums = product(integers, unpack(model.head, model.head_scale.size))
    rest, count, rows = product(integers, model.head_rest), model.tokens, []
    for row, more, scale in zip(sums, rest, scales, strict=True):
        whole = refined(row, more, scale, model.head_scale)[:count]
        rows.append(frequencies(whole, scale, model.head_scale[:count], model.unspelled))
    return np.stack(rows)
