"""An oracle of the numeric contract: the same integers as the fused code, from readable NumPy.

Nothing here is shared with the compiled kernels but the constants and the frozen tables. Functions work
on whole arrays, along the last axis; every step is one IEEE-754 operation in binary32 (or binary64, where
the contract says so), every sum is one of integers. It is slow, and meant for tests and for reading.

>>> import numpy as np
>>> exp2_negative(np.array([0.0, 1.0, 40.0], np.float32)).tolist()
[268435456, 134217728, 0]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from foretell.exact.arithmetic import (
    ACTIVATION_LIMIT,
    EXP2_BITS,
    EXP2_COEFFICIENTS,
    GELU_CUBE,
    GELU_SCALE,
    LOG2_E,
)
from foretell.exact.head import REFINED
from foretell.exact.product import unpack
from foretell.exact.transform import REST_STEPS

if TYPE_CHECKING:
    from foretell.models.decoder import Decoder, States
    from foretell.models.layers import Cache

Floats = NDArray[np.float32]
Integers = NDArray[Any]
Product = Callable[[Integers, NDArray[np.int8]], Integers]
"""From activations (R, K) and a matrix (N, K) to exact sums (R, N)."""

_ONE, _ZERO = np.float32(1.0), np.float32(0.0)
_HIDDEN = np.float32(-1e30)
_WEIGHT_TOTAL, _GRID, _GRID_UNIT = np.float32(32512.0), np.float32(65536.0), np.float32(2.0**-16)
_NORM_STEPS, _NORM_UNIT = np.float32(32768.0), np.float64(2.0**-30)


def product(left: Integers, matrix: NDArray[np.int8]) -> NDArray[np.int64]:
    """``left @ matrix.T`` in 64-bit integers."""
    result: NDArray[np.int64] = left.astype(np.int64) @ matrix.astype(np.int64).T
    return result


def exp2_negative(t: Floats) -> NDArray[np.int32]:
    """2**-t for t >= 0 in units of 2**-28."""
    t = np.where(t < np.float32(31.0), t, np.float32(31.0))
    whole = t.astype(np.int32)
    fraction = t - whole.astype(np.float32)
    power = np.full_like(t, EXP2_COEFFICIENTS[-1])
    for coefficient in (*reversed(EXP2_COEFFICIENTS[:-1]), _ONE):
        power = power * fraction + coefficient
    scaled = power * np.float32(1 << EXP2_BITS)
    return scaled.astype(np.int32) >> whole


def sigmoid(z: Floats) -> Floats:
    """1 / (1 + exp(-z))."""
    e = exp2_negative(np.abs(z) * LOG2_E).astype(np.float32) * np.float32(2.0**-EXP2_BITS)
    return np.where(z >= _ZERO, _ONE, e) / (_ONE + e)


def silu(x: Floats) -> Floats:
    """X * sigmoid(x)."""
    return x * sigmoid(x)


def gelu(x: Floats) -> Floats:
    """GELU in its tanh form."""
    cube = (x * x) * x
    return x * sigmoid(GELU_SCALE * (x + GELU_CUBE * cube))


def hadamard(x: Floats, block: int) -> Floats:
    """Unnormalised Walsh-Hadamard transform of blocks of the last axis, strides 1, 2, 4, ..."""
    values, half = x, 1
    while half < block:
        pairs = values.reshape(*x.shape[:-1], -1, 2, half)
        a, b = pairs[..., 0, :], pairs[..., 1, :]
        values = np.stack((a + b, a - b), axis=-2).reshape(x.shape)
        half *= 2
    return values


def quantise(x: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Integers in [-127, 127] and the scale of a step, for each row (the last axis)."""
    limit = np.float32(ACTIVATION_LIMIT)
    largest = np.abs(x).max(axis=-1)
    inverse = limit / np.where(largest > _ZERO, largest, _ONE)
    return np.rint(x * inverse[..., None]).astype(np.int64), largest / limit


def rms_norm(x: Floats, weight: Floats, epsilon: float) -> Floats:
    """``x / sqrt(mean(x**2) + epsilon) * weight`` along the last axis, the mean from a sum of integers."""
    largest = np.abs(x).max(axis=-1)
    inverse = _NORM_STEPS / np.where(largest > _ZERO, largest, _ONE)
    steps = np.rint(x * inverse[..., None]).astype(np.int64)
    total = (steps * steps).sum(axis=-1)
    peak = largest.astype(np.float64)
    mean = total.astype(np.float64) * _NORM_UNIT * (peak * peak) / np.float64(x.shape[-1])
    scale = (np.float64(1.0) / np.sqrt(mean + np.float64(epsilon))).astype(np.float32)
    return (x * scale[..., None]) * weight


def rotate(x: Floats, cosine: Floats, sine: Floats) -> Floats:
    """Rotary positions: dimension i turns with dimension i + width / 2."""
    half = x.shape[-1] // 2
    a, b = x[..., :half], x[..., half:]
    return np.concatenate((a * cosine - b * sine, a * sine + b * cosine), axis=-1)


def attention_weights(
    sums: Integers, query_scale: np.float32, key_scales: Floats, value_scales: Floats, visible: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], np.float32]:
    """Integer weights of the slots that one row may see, (slots,), and the scale of the weighted sum.

    ``visible`` speaks of the last slots; it may be empty.
    """
    scores = (sums.astype(np.float32) * key_scales) * query_scale
    if visible.size:
        scores[scores.size - visible.size :][~visible] = _HIDDEN
    powers = exp2_negative(scores.max() - scores) >> 12
    weighted = powers.astype(np.float32) * value_scales
    largest = weighted.max()
    if largest <= _ZERO:
        return np.zeros(sums.size, np.int64), _ZERO
    steps = np.rint(weighted * (_GRID / largest))
    total = np.float32(steps.astype(np.int64).sum())
    weights = np.rint(steps * (_WEIGHT_TOTAL / total)).astype(np.int64)
    scale = ((largest * _GRID_UNIT) * (total / _WEIGHT_TOTAL)) / np.float32(powers.astype(np.int64).sum())
    return weights, scale


def frequencies(sums: Integers, scale: np.float32, scales: Floats, unspelled: Integers) -> NDArray[np.int32]:
    """Integer frequencies of the tokens, from the head's sums of one row."""
    logits = (sums.astype(np.float32) * scales) * (scale * LOG2_E)
    out = exp2_negative(logits.max() - logits) + np.int32(1)
    out[unspelled] = 1
    return out


def refined(sums: Integers, rest_sums: Integers, scale: np.float32, scales: Floats) -> NDArray[np.int64]:
    """The head's sums of one row in units of ``scales``, with those of the rest for the likeliest tokens."""
    whole = sums.astype(np.int64) * REST_STEPS
    logits = (whole.astype(np.float32) * scales) * (scale * LOG2_E)
    return np.where(logits >= logits.max() - REFINED, whole + rest_sums, whole)


def unpack_keys(packed: NDArray[np.int8]) -> NDArray[np.int8]:
    """Keys (slots, width) of one head of the packed cache."""
    return unpack(packed, packed.shape[0] * 16)


def unpack_values(packed: NDArray[np.int8]) -> NDArray[np.int8]:
    """Values (slots, width) of one head of the packed cache."""
    return unpack(packed, packed.shape[0] * 16).T


class ReferenceDecoder:
    """A :class:`~foretell.models.decoder.Decoder` computed by this module, on the same weights and caches.

    Parameters
    ----------
    model : Decoder
        Where the weights, tables and the vocabulary come from.
    multiply : callable, optional
        The kernel of all products, attention included.
    """

    def __init__(self, model: Decoder, multiply: Product = product) -> None:
        self.model, self.multiply = model, multiply
        self.config, self.vocabulary = model.config, model.vocabulary
        self.tokens, self.start, self.digest, self.name = model.tokens, model.start, model.digest, model.name
        self.head, self.head_scale, self.head_rest = model.head, model.head_scale, model.head_rest
        self.new_cache, self.cache_bytes = model.new_cache, model.cache_bytes

    def forward(
        self,
        tokens: NDArray[np.int32],
        streams: NDArray[np.int32],
        slots: NDArray[np.int32],
        cache: Cache,
        positions: NDArray[np.int32] | None = None,
        tree: tuple[NDArray[np.int32], NDArray[np.bool_]] | None = None,
    ) -> States:
        """Feed tokens and return their final states; see :meth:`Decoder.forward`."""
        from foretell.models.decoder import States

        model = self.model
        positions = slots if positions is None else positions
        hidden = model.embedding[tokens].astype(np.float32) * model.embedding_scale[tokens][:, None]
        for layer in range(self.config.layers):
            queries, scales = self._inputs(layer, hidden, streams, slots, positions, cache)
            mixed = self._attend(layer, queries, scales, streams, slots, positions, cache, tree)
            hidden = self._outputs(layer, hidden, mixed)
        normed = rms_norm(hidden, model.final_norm, self.config.epsilon)
        integers, scales = quantise(hadamard(normed, model.shape.width_block))
        return States(integers.astype(np.int8), scales)

    def frequencies(self, states: States) -> NDArray[np.int32]:
        """Integer frequencies of every leaf after each state, (M, tokens)."""
        sums = self.multiply(states.integers, unpack(self.head, self.head_scale.size))
        rest = self.multiply(states.integers, self.head_rest)
        rows = []
        for row, more, scale in zip(sums, rest, states.scales, strict=True):
            whole = refined(row, more, scale, self.head_scale)[: self.tokens]
            rows.append(frequencies(whole, scale, self.head_scale[: self.tokens], self.vocabulary.unspelled))
        return np.stack(rows)

    def _project(self, left: Integers, row_scales: Floats, packed: NDArray[np.int8], scales: Floats) -> Floats:
        """Exact product, then the scales of rows and of outputs."""
        sums = self.multiply(left, unpack(packed, scales.size))
        return (sums.astype(np.float32) * row_scales[:, None]) * scales

    def _inputs(
        self, layer: int, hidden: Floats, streams: Integers, slots: Integers, positions: Integers, cache: Cache
    ) -> tuple[NDArray[np.int64], Floats]:
        """Queries (M, heads, width) and their scales; keys and values go into the cache."""
        config, shape, weights = self.config, self.model.shape, self.model.weights
        normed = rms_norm(hidden, weights.attention_norm[layer], config.epsilon)
        left, row_scales = quantise(hadamard(normed, shape.width_block))
        projected = self._project(left, row_scales, weights.qkv[layer], weights.qkv_scale[layer])
        heads = projected.reshape(len(hidden), -1, config.head_width)
        ends = np.cumsum([config.heads, config.kv_heads, config.kv_heads])
        query, key, value, rest = np.split(heads, ends, axis=1)
        if config.head_norms:
            query = rms_norm(query, weights.query_norm[layer], config.epsilon)
            key = rms_norm(key, weights.key_norm[layer], config.epsilon)
        table = self.model.tables[layer]
        cosine, sine = self.model.cosines[table][positions][:, None], self.model.sines[table][positions][:, None]
        queries, query_scales = quantise(hadamard(rotate(query, cosine, sine), shape.head_block))
        keys, key_scales = quantise(hadamard(rotate(key, cosine, sine), shape.head_block))
        values, value_scales = quantise(value + rest)
        cache.key_scales[layer, streams, :, slots] = key_scales
        cache.value_scales[layer, streams, :, slots] = value_scales
        for m, (stream, slot) in enumerate(zip(streams, slots, strict=True)):
            for head in range(config.kv_heads):
                quads, blocks = keys[m, head].reshape(-1, 4), values[m, head].reshape(-1, 16)
                cache.keys[layer, stream, head, slot // 16, :, slot % 16] = quads
                cache.values[layer, stream, head, :, slot // 4, :, slot % 4] = blocks
        return queries, query_scales * shape.score_scale

    def _attend(
        self,
        layer: int,
        queries: NDArray[np.int64],
        scales: Floats,
        streams: Integers,
        slots: Integers,
        positions: Integers,
        cache: Cache,
        tree: tuple[NDArray[np.int32], NDArray[np.bool_]] | None,
    ) -> Floats:
        """Mixed values (M, heads * width)."""
        config, window = self.config, self.config.windows[layer]
        groups = config.heads // config.kv_heads
        out = np.zeros((len(streams), config.heads, config.head_width), np.float32)
        for m, (stream, slot) in enumerate(zip(streams, slots, strict=True)):
            first = max(0, int(positions[m]) - window + 1) if window else 0
            visible = tree[1][m, : slot - tree[0][m] + 1] if tree is not None else np.empty(0, np.bool_)
            seen = slice(first, int(slot) + 1)
            for head in range(config.kv_heads):
                keys = unpack_keys(cache.keys[layer, stream, head])[seen]
                values = unpack_values(cache.values[layer, stream, head])[seen]
                key_scales = cache.key_scales[layer, stream, head, seen]
                value_scales = cache.value_scales[layer, stream, head, seen]
                for index in range(head * groups, (head + 1) * groups):
                    sums = self.multiply(queries[m, index : index + 1], keys)[0]
                    weights, scale = attention_weights(sums, scales[m, index], key_scales, value_scales, visible)
                    mixed = self.multiply(weights[None], np.ascontiguousarray(values.T))[0]
                    out[m, index] = mixed.astype(np.float32) * scale
        return out.reshape(len(streams), -1)

    def _down(self, layer: int, left: Integers, row_scales: Floats) -> Floats:
        """The feed-forward part's second product; in the first layers with what rounding left of the weights."""
        weights, scales = self.model.weights, self.model.weights.down_scale[layer]
        if layer >= len(weights.down_rest):
            return self._project(left, row_scales, weights.down[layer], scales)
        sums, rest = (self.multiply(left, unpack(w[layer], scales.size)) for w in (weights.down, weights.down_rest))
        whole = sums.astype(np.int64) * REST_STEPS + rest
        return (whole.astype(np.float32) * row_scales[:, None]) * scales

    def _outputs(self, layer: int, hidden: Floats, mixed: Floats) -> Floats:
        """Output projection, feed-forward part, and the residual stream after both."""
        config, shape, weights = self.config, self.model.shape, self.model.weights
        added = self._project(*quantise(mixed), weights.output[layer], weights.output_scale[layer])
        if config.post_norms:
            added = rms_norm(added, weights.attention_post[layer], config.epsilon)
        hidden = hidden + added
        normed = rms_norm(hidden, weights.feed_norm[layer], config.epsilon)
        left, scales = quantise(hadamard(normed, shape.width_block))
        gate_up = self._project(left, scales, weights.gate_up[layer], weights.gate_up_scale[layer])
        gate, up = np.split(gate_up, 2, axis=1)
        gated = (gelu(gate) if config.activation == "gelu" else silu(gate)) * up
        left, scales = quantise(hadamard(gated, shape.feed_block))
        added = self._down(layer, left, scales)
        if config.post_norms:
            added = rms_norm(added, weights.feed_post[layer], config.epsilon)
        return hidden + added


def forward_reference(model: Decoder, tokens: NDArray[np.int32]) -> NDArray[np.int32]:
    """Frequencies (M, tokens) after each token of one stream that begins with ``tokens``."""
    decoder = ReferenceDecoder(model)
    count = tokens.size
    slots = np.arange(count, dtype=np.int32)
    states = decoder.forward(tokens, np.zeros(count, np.int32), slots, decoder.new_cache(1, count))
    return decoder.frequencies(states)
