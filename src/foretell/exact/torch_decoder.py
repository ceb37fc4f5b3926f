"""A decoder on torch, for any device: the same integers as :class:`~foretell.models.decoder.Decoder`.

The elementwise chains are eager torch, one IEEE-754 operation each. Products are ``torch._int_mm`` on
int8, or float32 products of integers whose sums stay below 2**24. What torch would round otherwise is
avoided: no fused operations, no TF32, and divisors are tensors on the device, since torch turns a
division by a plain number into a product with its inverse, and a plain number by a tensor likewise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from foretell.exact.arithmetic import EXP2_BITS, EXP2_COEFFICIENTS, GELU_CUBE, GELU_SCALE, LOG2_E
from foretell.exact.head import REFINED
from foretell.exact.product import unpack
from foretell.exact.transform import REST_STEPS

if TYPE_CHECKING:
    from foretell.models.decoder import Decoder, States

SPLIT = 2048
"""Most inputs in one float32 sum of products of 127 and 63."""
_CUDA_ROWS = 32
"""Rows are padded to a multiple of it, since int8 products on a GPU want more than 16."""
_HIDDEN = -1e30


class TorchCache(NamedTuple):
    """Quantised keys and values; laid out so that slices of slots are taken as from the packed cache."""

    keys: Tensor  # (L, S, K, slots / 16, 16, W)
    key_scales: Tensor  # (L, S, K, slots)
    values: Tensor  # (L, S, K, 1, slots / 4, 4, W)
    value_scales: Tensor  # (L, S, K, slots)


class _Layer(NamedTuple):
    """One layer's weights on the device."""

    attention_norm: Tensor
    qkv: Tensor
    qkv_scale: Tensor
    query_norm: Tensor
    key_norm: Tensor
    output: Tensor
    output_scale: Tensor
    attention_post: Tensor
    feed_norm: Tensor
    gate_up: Tensor
    gate_up_scale: Tensor
    down: Tensor
    down_rest: Tensor | None
    down_scale: Tensor
    feed_post: Tensor


def int8_product(left: Tensor, matrix: Tensor) -> Tensor:
    """``left @ matrix.T`` of int8 (R, K) and (N, K), int32 (R, N); padded to what a GPU's kernel accepts."""
    rows, inputs = left.shape
    outputs = matrix.shape[0]
    if left.is_cuda:
        left = torch.nn.functional.pad(left, (0, -inputs % 8, 0, -rows % _CUDA_ROWS))
        matrix = torch.nn.functional.pad(matrix, (0, -inputs % 8, 0, -outputs % 8))
    return torch._int_mm(left.contiguous(), matrix.t())[:rows, :outputs]


def float_product(left: Tensor, matrix: Tensor) -> Tensor:
    """The same by float32 products of at most :data:`SPLIT` inputs; ``matrix`` is float32."""
    total = torch.zeros((left.shape[0], matrix.shape[0]), dtype=torch.int32, device=left.device)
    for begin in range(0, left.shape[1], SPLIT):
        part = slice(begin, begin + SPLIT)
        total += (left[:, part].float() @ matrix[:, part].t()).to(torch.int32)
    return total


def exp2_negative(t: Tensor) -> Tensor:
    """2**-t for t >= 0 in units of 2**-28, int32."""
    t = torch.where(t < 31.0, t, 31.0)
    whole = t.to(torch.int32)
    fraction = t - whole.float()
    power = torch.full_like(t, float(EXP2_COEFFICIENTS[-1]))
    for coefficient in (*reversed(EXP2_COEFFICIENTS[:-1]), 1.0):
        power = power * fraction
        power = power + float(coefficient)
    return (power * float(1 << EXP2_BITS)).to(torch.int32) >> whole


def sigmoid(z: Tensor) -> Tensor:
    """1 / (1 + exp(-z))."""
    e = exp2_negative(z.abs() * float(LOG2_E)).float() * 2.0**-EXP2_BITS
    return torch.where(z >= 0.0, torch.ones_like(e), e) / (e + 1.0)


def silu(x: Tensor) -> Tensor:
    """X * sigmoid(x)."""
    return x * sigmoid(x)


def gelu(x: Tensor) -> Tensor:
    """GELU in its tanh form."""
    cube = (x * x) * x
    inner = x + cube * float(GELU_CUBE)
    return x * sigmoid(inner * float(GELU_SCALE))


def hadamard(x: Tensor, block: int) -> Tensor:
    """Walsh-Hadamard transform of blocks of the last axis."""
    values, half = x, 1
    while half < block:
        a, b = values.reshape(*x.shape[:-1], -1, 2, half).unbind(-2)
        values = torch.stack((a + b, a - b), -2).reshape(x.shape)
        half *= 2
    return values


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotary positions."""
    a, b = x.chunk(2, -1)
    first, second = a * cosine, a * sine
    return torch.cat((first - b * sine, second + b * cosine), -1)


class TorchDecoder:
    """:meth:`forward` and :meth:`frequencies` of a decoder, on a torch device.

    Parameters
    ----------
    model : Decoder
        The exact model.
    device : str
        Where to compute: ``cpu``, ``cuda``.
    kernel : {"int8", "fp32"}
        What multiplies.
    """

    def __init__(self, model: Decoder, device: str = "cpu", kernel: Literal["int8", "fp32"] = "int8") -> None:
        if kernel not in ("int8", "fp32"):
            raise ValueError(f"kernel is {kernel!r}; it must be int8 or fp32")
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.set_float32_matmul_precision("highest")
        self.device, self.kernel = torch.device(device), kernel
        self.config, self.vocabulary = model.config, model.vocabulary
        self.tokens, self.start, self.digest, self.name = model.tokens, model.start, model.digest, model.name
        self.head, self.head_scale, self.head_rest = model.head, model.head_scale, model.head_rest
        self.cache_bytes = model.cache_bytes
        self._shape, self._tables = model.shape, model.tables
        self._embedding = self._put(model.embedding)
        self._embedding_scale = self._put(model.embedding_scale)
        self._layers = [self._layer(model, index) for index in range(model.config.layers)]
        self._final_norm = self._put(model.final_norm)
        self._head = self._weights(model.head, model.head_scale.size)
        self._head_rest = self._matrix(model.head_rest)
        self._head_scale = self._put(model.head_scale)
        self._unspelled = self._put(model.vocabulary.unspelled).long()
        self._cosines, self._sines = self._put(model.cosines), self._put(model.sines)

    def new_cache(self, streams: int, slots: int) -> TorchCache:
        """Empty cache for ``streams`` streams of up to ``slots`` tokens each."""
        config, slots = self.config, -(-slots // 16) * 16
        lead = (config.layers, streams, config.kv_heads)
        keys, values = (*lead, slots // 16, 16, config.head_width), (*lead, 1, slots // 4, 4, config.head_width)
        return TorchCache(
            torch.zeros(keys, dtype=torch.int8, device=self.device),
            torch.zeros((*lead, slots), device=self.device),
            torch.zeros(values, dtype=torch.int8, device=self.device),
            torch.zeros((*lead, slots), device=self.device),
        )

    @torch.inference_mode()
    def forward(
        self,
        tokens: NDArray[np.int32],
        streams: NDArray[np.int32],
        slots: NDArray[np.int32],
        cache: TorchCache,
        positions: NDArray[np.int32] | None = None,
        tree: tuple[NDArray[np.int32], NDArray[np.bool_]] | None = None,
    ) -> States:
        """Feed tokens and return their final states; see :meth:`Decoder.forward`."""
        from foretell.models.decoder import States

        positions = slots if positions is None else positions
        rows = self._put(tokens).long()
        hidden = self._embedding[rows].float() * self._embedding_scale[rows][:, None]
        groups = _equal_groups(streams)
        masks = {window: self._masks(groups, slots, positions, window, tree) for window in set(self.config.windows)}
        for index, layer in enumerate(self._layers):
            queries, scales = self._inputs(index, layer, hidden, streams, slots, positions, cache)
            mixed = torch.empty((len(streams), queries.shape[1] * queries.shape[2]), device=self.device)
            for members, mask in zip(groups, masks[self.config.windows[index]], strict=True):
                place = self._put(members)
                some = self._put(streams[members[:, 0]]).long()
                mixed[place] = self._attend(queries[place], scales[place], index, some, mask, cache)
            hidden = self._outputs(layer, hidden, mixed)
        normed = self._norm(hidden, self._final_norm)
        integers, scales = self._quantise(hadamard(normed, self._shape.width_block))
        return States(integers.cpu().numpy(), scales.cpu().numpy())

    @torch.inference_mode()
    def frequencies(self, states: States) -> NDArray[np.int32]:
        """Integer frequencies of every leaf after each state, (M, tokens)."""
        unit = (self._put(states.scales) * float(LOG2_E))[:, None]
        left = self._put(states.integers)
        sums = self._product(left, self._head) * REST_STEPS
        logits = (sums.float() * self._head_scale) * unit
        likely = logits >= logits.amax(1, keepdim=True) - float(REFINED)
        sums = torch.where(likely, sums + self._product(left, self._head_rest), sums)[:, : self.tokens]
        logits = (sums.float() * self._head_scale[: self.tokens]) * unit
        out = exp2_negative(logits.amax(1, keepdim=True) - logits) + 1
        out[:, self._unspelled] = 1
        found: NDArray[np.int32] = out.cpu().numpy()
        return found

    def _put(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

    def _weights(self, packed: NDArray[np.int8], outputs: int) -> Tensor:
        return self._matrix(unpack(packed, outputs))

    def _matrix(self, integers: NDArray[np.int8]) -> Tensor:
        matrix = self._put(integers)
        return matrix if self.kernel == "int8" else matrix.float()

    def _layer(self, model: Decoder, index: int) -> _Layer:
        weights = model.weights
        matrices = {
            name: self._weights(getattr(weights, name)[index], getattr(weights, f"{name}_scale").shape[1])
            for name in ("qkv", "output", "gate_up", "down")
        }
        fine = index < len(weights.down_rest)
        rest = self._weights(weights.down_rest[index], weights.down_scale.shape[1]) if fine else None
        others = [name for name in _Layer._fields if name not in matrices and name != "down_rest"]
        arrays = {name: self._put(getattr(weights, name)[index]) for name in others}
        return _Layer(**matrices, down_rest=rest, **arrays)

    def _product(self, left: Tensor, matrix: Tensor) -> Tensor:
        return int8_product(left, matrix) if self.kernel == "int8" else float_product(left, matrix)

    def _number(self, value: float, kind: torch.dtype = torch.float32) -> Tensor:
        return torch.tensor(value, dtype=kind, device=self.device)

    def _quantise(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """int8 rows and the scale of a step."""
        largest = x.abs().amax(-1)
        limit = self._number(127.0)
        inverse = limit / torch.where(largest > 0.0, largest, torch.ones_like(largest))
        return torch.round(x * inverse[..., None]).to(torch.int8), largest / limit

    def _norm(self, x: Tensor, weight: Tensor) -> Tensor:
        """Root-mean-square norm, the mean from a sum of integers."""
        double = torch.float64
        largest = x.abs().amax(-1)
        inverse = self._number(32768.0) / torch.where(largest > 0.0, largest, torch.ones_like(largest))
        steps = torch.round(x * inverse[..., None]).to(torch.int64)
        total = (steps * steps).sum(-1)
        peak = largest.to(double)
        mean = (total.to(double) * 2.0**-30) * (peak * peak) / self._number(x.shape[-1], double)
        root = torch.sqrt(mean + self._number(self.config.epsilon, double))
        scale = (self._number(1.0, double) / root).float()
        return (x * scale[..., None]) * weight

    def _project(self, left: Tensor, row_scales: Tensor, matrix: Tensor, scales: Tensor) -> Tensor:
        return (self._product(left, matrix).float() * row_scales[:, None]) * scales

    def _inputs(
        self,
        index: int,
        layer: _Layer,
        hidden: Tensor,
        streams: NDArray[np.int32],
        slots: NDArray[np.int32],
        positions: NDArray[np.int32],
        cache: TorchCache,
    ) -> tuple[Tensor, Tensor]:
        """Queries (M, heads, width) and their scales; keys and values go into the cache."""
        config, shape = self.config, self._shape
        left, row_scales = self._quantise(hadamard(self._norm(hidden, layer.attention_norm), shape.width_block))
        heads = self._project(left, row_scales, layer.qkv, layer.qkv_scale)
        heads = heads.reshape(len(streams), -1, config.head_width)
        query, key, value, rest = torch.split(heads, [config.heads, *[config.kv_heads] * 3], 1)
        if config.head_norms:
            query, key = self._norm(query, layer.query_norm), self._norm(key, layer.key_norm)
        table, place = int(self._tables[index]), self._put(positions).long()
        cosine, sine = self._cosines[table][place][:, None], self._sines[table][place][:, None]
        queries, query_scales = self._quantise(hadamard(rotate(query, cosine, sine), shape.head_block))
        keys, key_scales = self._quantise(hadamard(rotate(key, cosine, sine), shape.head_block))
        values, value_scales = self._quantise(value + rest)
        stream, slot = self._put(streams).long(), self._put(slots).long()
        cache.keys[index].flatten(2, 3)[stream, :, slot] = keys
        cache.key_scales[index][stream, :, slot] = key_scales
        cache.values[index].flatten(2, 4)[stream, :, slot] = values
        cache.value_scales[index][stream, :, slot] = value_scales
        return queries, query_scales * float(shape.score_scale)

    def _masks(
        self,
        groups: list[NDArray[np.int64]],
        slots: NDArray[np.int32],
        positions: NDArray[np.int32],
        window: int,
        tree: tuple[NDArray[np.int32], NDArray[np.bool_]] | None,
    ) -> list[Tensor]:
        """For each group what its rows see, (streams, 1, rows, 1, slots)."""
        masks = []
        for members in groups:
            ends = slots[members][..., None]
            places = np.arange(-(-(int(ends.max()) + 1) // 16) * 16)
            first = np.maximum(positions[members] - window + 1, 0) if window else np.zeros_like(positions[members])
            if tree is not None:
                first = np.minimum(first, tree[0][members])
            mask = (places >= first[..., None]) & (places <= ends)
            if tree is not None:
                for i, j in np.ndindex(*members.shape):
                    m = members[i, j]
                    base, end = int(tree[0][m]), int(slots[m]) + 1
                    mask[i, j, base:end] &= tree[1][m, : end - base]
            masks.append(self._put(mask)[:, None, :, None, :])
        return masks

    def _attend(
        self, queries: Tensor, scales: Tensor, index: int, streams: Tensor, mask: Tensor, cache: TorchCache
    ) -> Tensor:
        """Mixed values (S, R, heads * width) of R rows of each of S streams; scores and values by float products."""
        config, seen = self.config, mask.shape[-1]
        many, rows, heads, width = queries.shape
        kv, groups = config.kv_heads, heads // config.kv_heads
        keys = cache.keys[index].flatten(2, 3)[streams, :, :seen].float()
        values = cache.values[index].flatten(2, 4)[streams, :, :seen].float()
        stacked = queries.reshape(many, rows, kv, groups, width).transpose(1, 2).reshape(many, kv, -1, width)
        sums = (stacked.float() @ keys.transpose(-1, -2)).reshape(many, kv, rows, groups, seen)
        query_scales = scales.reshape(many, rows, kv, groups).transpose(1, 2)[..., None]
        key_scales = cache.key_scales[index][streams, :, :seen][:, :, None, None]
        value_scales = cache.value_scales[index][streams, :, :seen][:, :, None, None]
        scores = torch.where(mask, (sums * key_scales) * query_scales, _HIDDEN)
        weights, scale = self._softmax(scores, value_scales)
        mixed = (weights.reshape(many, kv, -1, seen) @ values).reshape(many, kv, rows, groups, width)
        return (mixed * scale).transpose(1, 2).reshape(many, rows, heads * width)

    def _softmax(self, scores: Tensor, value_scales: Tensor) -> tuple[Tensor, Tensor]:
        """Integer attention weights (as float32) of the last axis, and the scale of the weighted sum."""
        powers = exp2_negative(scores.amax(-1, keepdim=True) - scores) >> 12
        weighted = powers.float() * value_scales
        largest = weighted.amax(-1, keepdim=True)
        some = largest > 0.0
        one, limit, grid = torch.ones_like(largest), self._number(32512.0), self._number(65536.0)
        steps = torch.round(weighted * (grid / torch.where(some, largest, one)))
        total = torch.where(some, steps.to(torch.int64).sum(-1, keepdim=True).float(), one)
        weights = torch.round(steps * (limit / total))
        count = powers.to(torch.int64).sum(-1, keepdim=True).float()
        scale = ((largest * 2.0**-16) * (total / limit)) / torch.where(some, count, one)
        return weights, scale

    def _outputs(self, layer: _Layer, hidden: Tensor, mixed: Tensor) -> Tensor:
        """Output projection and feed-forward part; the new residual stream."""
        shape = self._shape
        added = self._project(*self._quantise(mixed), layer.output, layer.output_scale)
        if self.config.post_norms:
            added = self._norm(added, layer.attention_post)
        hidden = hidden + added
        left, scales = self._quantise(hadamard(self._norm(hidden, layer.feed_norm), shape.width_block))
        gate, up = self._project(left, scales, layer.gate_up, layer.gate_up_scale).chunk(2, -1)
        gated = (gelu(gate) if self.config.activation == "gelu" else silu(gate)) * up
        left, scales = self._quantise(hadamard(gated, shape.feed_block))
        sums = self._product(left, layer.down)
        if layer.down_rest is not None:
            sums = sums * REST_STEPS + self._product(left, layer.down_rest)
        added = (sums.float() * scales[:, None]) * layer.down_scale
        if self.config.post_norms:
            added = self._norm(added, layer.feed_post)
        return hidden + added


def _equal_groups(streams: NDArray[np.int32]) -> list[NDArray[np.int64]]:
    """Rows of streams that have equally many, as (streams, rows) matrices of row numbers."""
    starts = np.flatnonzero(np.diff(streams, prepend=-1))
    counts = np.diff(np.append(starts, streams.size))
    return [starts[counts == count][:, None] + np.arange(count) for count in np.unique(counts)]
