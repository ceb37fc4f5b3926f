"""Drafting with a trained EAGLE-2, HASS or PRISM network on the processor, in 8-bit integers.

The network's modules become layers of the engine that runs the target; they share one memory of keys and values, into
which each step's module writes. PyTorch is not needed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled
from foretell.drafts.base import TreeSize
from foretell.drafts.config import DraftConfig
from foretell.drafts.grow import Growing, branch_mask, grow
from foretell.drafts.tree import Tree
from foretell.errors import ModelError
from foretell.exact.arithmetic import LOG2_E
from foretell.exact.meeting import run_together
from foretell.exact.product import pack, product_at, unpack
from foretell.exact.rotary import inverse_frequencies, rotary_table
from foretell.exact.transform import REST_STEPS, block_size, hadamard, quantise, rms_norm
from foretell.models.convert import packed_matrix, rotated_values
from foretell.models.decoder import Decoder
from foretell.models.few_rows import new_shared, project_rows, run_few
from foretell.models.layers import Rows, Shape, Taps, Weights, new_cache

Arrays = dict[str, NDArray[np.float32]]
_CHUNK = 32
_FAR = np.float32(16.0)
"""Tokens so far below the likeliest do not count."""


@compiled
def _round_rows(x: NDArray[np.float32], block: int, left: NDArray[np.int8], steps: NDArray[np.float32]) -> None:
    """Rotate the rows of ``x`` and round them to 8 bits."""
    row = np.empty(x.shape[1], np.float32)
    for r in range(x.shape[0]):
        row[:] = x[r]
        hadamard(row, block)
        steps[r] = quantise(row, left[r])


@compiled
def _multiply(
    x: NDArray[np.float32],
    packed: NDArray[np.int8],
    scales: NDArray[np.float32],
    block: int,
    out: NDArray[np.float32],
) -> None:
    """Add the products of the rows of ``x``, rounded to 8 bits, to the rows of ``out`` (M, N)."""
    count, inputs = x.shape
    left, steps = np.empty((count, inputs), np.int8), np.empty(count, np.float32)
    sums = np.empty((count, scales.size), np.int32)
    _round_rows(x, block, left, steps)
    product_at(
        left.ctypes.data, inputs, packed.ctypes.data, inputs * 16, inputs, packed.shape[0], sums.ctypes.data,
        scales.size, count,
    )  # fmt: skip
    for r in range(count):
        for n in range(out.shape[1]):
            out[r, n] += (np.float32(sums[r, n]) * steps[r]) * scales[n]


@compiled
def _best_rows(
    sums: NDArray[np.int32],
    steps: NDArray[np.float32],
    scales: NDArray[np.float32],
    count: int,
    best: NDArray[np.int64],
    rates: NDArray[np.float64],
) -> None:
    """The columns with the largest scores of each row, among the first ``count``, and their probabilities."""
    for r in range(sums.shape[0]):
        scores = np.empty(count, np.float32)
        for n in range(count):
            scores[n] = (np.float32(sums[r, n]) * steps[r]) * scales[n]
        for place in range(best.shape[1]):
            best[r, place] = -1
        for n in range(count):
            place = best.shape[1] - 1
            if best[r, place] >= 0 and scores[n] <= scores[best[r, place]]:
                continue
            while place > 0 and (best[r, place - 1] < 0 or scores[n] > scores[best[r, place - 1]]):
                best[r, place] = best[r, place - 1]
                place -= 1
            best[r, place] = n
        largest, total = scores[best[r, 0]], 0.0
        for n in range(count):
            if scores[n] > largest - _FAR:
                total += np.exp(np.float64(scores[n] - largest))
        for place in range(best.shape[1]):
            rates[r, place] = np.exp(np.float64(scores[best[r, place]] - largest)) / total


@compiled
def _norm_all(x: NDArray[np.float32], weight: NDArray[np.float32], epsilon: float, out: NDArray[np.float32]) -> None:
    for r in range(x.shape[0]):
        rms_norm(x[r], weight, epsilon, out[r])


class _Stream:
    """How much of a stream was read, and the state after its last token."""

    def __init__(self, width: int) -> None:
        self.used = 0
        self.state = np.zeros((1, width), np.float32)


class QuantisedDrafter:
    """Grows trees as :class:`~foretell.drafts.neural.NeuralDrafter` does, several times as fast.

    Parameters
    ----------
    config : DraftConfig
        Of a network with fusion layers: ``prism``, ``hass`` or ``eagle2``.
    arrays : dict of ndarray
        The network's weights, by the names of its checkpoint.
    target : Decoder
        Lends embedding and head.

    Raises
    ------
    ModelError
        If an array is missing or does not fit the sizes.
    """

    def __init__(self, config: DraftConfig, arrays: Arrays, target: Decoder) -> None:
        self.name, self.taps, self.config = config.architecture, config.taps, config
        self._check(arrays)
        self._target = target
        width, parts = config.width, len(config.taps)
        self._block = block_size(width)
        self._drafted = arrays["drafted"].astype(np.int64)
        if self._drafted.size and not 0 <= self._drafted.min() <= self._drafted.max() < config.rows:
            raise ModelError(f"the draft drafts tokens that {target.name} does not have", "fetch or train it anew")
        self._first = (
            [packed_matrix(part, self._block) for part in np.split(arrays["fc.weight"], parts, 1)] if parts > 1 else []
        )
        self._first_bias = arrays["fc.bias"] if parts > 1 else np.zeros(width, np.float32)
        self._fuse = [
            [packed_matrix(part, self._block) for part in np.split(arrays[f"fuse.{m}.weight"], 2, 1)]
            for m in range(config.modules)
        ]
        self._fuse_bias = [arrays[f"fuse.{m}.bias"] for m in range(config.modules)]
        self._layers = [_layer(config, arrays, f"layers.{m}.") for m in range(config.modules)]
        rows = unpack(target.head, config.rows)[self._drafted]
        scales = target.head_scale[self._drafted] * np.float32(REST_STEPS)
        self._head = pack(rows), np.pad(scales, (0, -scales.size % 16))
        table = rotary_table(config.context, inverse_frequencies(config.rope_base, config.head_width))
        self._cosines, self._sines = table[0][None], table[1][None]
        head_block = block_size(config.head_width)
        scale = np.float32(1.0 / np.sqrt(np.float64(config.head_width)) / head_block) * LOG2_E
        self._shape = Shape(
            config.heads, config.kv_heads, config.head_width, 0, self._block, block_size(config.feed_forward),
            head_block, config.epsilon, np.float32(scale),
        )  # fmt: skip
        self.begin(0, 0)

    def _check(self, arrays: Arrays) -> None:
        config = self.config
        if config.architecture not in ("prism", "hass", "eagle2"):
            raise ModelError(f"{config.architecture} has no fusion layers")
        width, feed = config.width, config.feed_forward
        mixed, shared = config.heads * config.head_width, config.kv_heads * config.head_width
        module = {
            "q_proj.weight": (mixed, width), "k_proj.weight": (shared, width), "v_proj.weight": (shared, width),
            "o_proj.weight": (width, mixed), "gate_proj.weight": (feed, width), "up_proj.weight": (feed, width),
            "down_proj.weight": (width, feed), "post_attention_layernorm": (width,),
        }  # fmt: skip
        wanted: dict[str, tuple[int, ...]] = {"drafted": (config.draft_rows,)}
        for m in range(config.modules):
            wanted |= {f"layers.{m}.{name}": shape for name, shape in module.items()}
            wanted |= {f"fuse.{m}.weight": (width, 2 * width), f"fuse.{m}.bias": (width,)}
        if len(config.taps) > 1:
            wanted |= {"fc.weight": (width, len(config.taps) * width), "fc.bias": (width,)}
        wrong = [name for name, shape in wanted.items() if name not in arrays or arrays[name].shape != shape]
        if wrong or set(arrays) != set(wanted):
            odd = (wrong or sorted(set(arrays) - set(wanted)))[0]
            raise ModelError(f"the draft does not fit its config.json ({odd})", "fetch or train the draft anew")

    def begin(self, streams: int, slots: int) -> None:
        """Forget everything."""
        config = self.config
        self._streams = [_Stream(config.width) for _ in range(streams)]
        # Drafted branches come after what was read, and need room of their own.
        self._cache = new_cache(1, streams, config.kv_heads, slots + 512, config.head_width)

    def start(self, stream: int, token: int) -> None:
        """Nothing to do: features come with the tokens after the first."""

    def extend(self, stream: int, tokens: NDArray[np.int32], features: NDArray[np.float32]) -> None:
        """Step 0 at every new place, from the target's features."""
        own = self._streams[stream]
        for begin in range(0, tokens.size, _CHUNK):
            part = slice(begin, begin + _CHUNK)
            state = self._states_of(features[:, part])
            slots = np.arange(own.used, own.used + state.shape[0], dtype=np.int32)
            seen = np.empty((0, 0), np.bool_)
            rows = Rows(np.full(slots.size, stream, np.int32), slots, slots, np.zeros(slots.size, np.int32), seen)
            own.state = self._step(0, tokens[part], state, rows)[-1:]
            own.used += slots.size

    def _states_of(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """First states (M, D) from what the target's layers give (taps, M, D)."""
        if len(self.taps) == 1:
            normed: NDArray[np.float32] = np.empty(features[0].shape, np.float32)
            _norm_all(np.ascontiguousarray(features[0]), self._target.final_norm, self.config.epsilon, normed)
            return normed
        state: NDArray[np.float32] = np.tile(self._first_bias, (features.shape[1], 1))
        for matrix, part in zip(self._first, features, strict=True):
            own = np.ascontiguousarray(part)
            if self.config.normed_taps:
                _norm_all(own, np.ones(own.shape[1], np.float32), self.config.epsilon, own)
            _multiply(own, *matrix, self._block, state)
        return state

    def _step(
        self, step: int, tokens: NDArray[np.int32], state: NDArray[np.float32], rows: Rows
    ) -> NDArray[np.float32]:
        """States (M, D) after a step that reads tokens in states (M, D)."""
        module, target = self.config.module_of(step), self._target
        embedded = target.embedding[tokens].astype(np.float32) * target.embedding_scale[tokens][:, None]
        hidden: NDArray[np.float32] = np.tile(self._fuse_bias[module], (tokens.size, 1))
        for matrix, part in zip(self._fuse[module], (embedded, state), strict=True):
            _multiply(part, *matrix, self._block, hidden)
        weights = self._layers[module]
        window, table = np.array([self.config.window], np.int32), np.zeros(1, np.int32)
        shared = new_shared(tokens.size, weights, self._shape)
        taps = Taps(np.full(1, -1, np.int32), np.empty((0, 0, 0), np.float32))
        turns = (self._cosines, self._sines)
        run_together(run_few, weights, self._shape, window, table, *turns, rows, hidden, self._cache, shared, taps)
        return hidden

    def propose(self, streams: Sequence[int], roots: Sequence[int], size: TreeSize) -> list[Tree]:
        """A tree for each stream."""
        return [self._grow(stream, root, size) for stream, root in zip(streams, roots, strict=True)]

    def _grow(self, stream: int, root: int, size: TreeSize) -> Tree:
        own, growing = self._streams[stream], Growing(root)
        states: dict[int, NDArray[np.float32]] = {}
        expanded: list[int] = []

        def expand(depth: int, nodes: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
            state = own.state
            if depth:
                expanded.extend(nodes.tolist())
                before = np.stack([states[growing.parents[node]] for node in nodes])
                tokens = np.array([growing.tokens[node] for node in nodes], np.int32)
                state = self._step(
                    depth, tokens, before, _branch_rows(stream, own.used, depth, nodes, expanded, growing)
                )
            states.update(zip(nodes.tolist(), state, strict=True))
            return self._likeliest(state, size.width)

        return grow(growing, size, expand)

    def _likeliest(self, state: NDArray[np.float32], count: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """The most probable tokens after each state, with their probabilities: (M, count) each."""
        packed, scales = self._head
        left, steps = np.empty(state.shape, np.int8), np.empty(len(state), np.float32)
        _round_rows(state, self._block, left, steps)
        sums = np.empty((len(state), scales.size), np.int32)
        run_together(project_rows, left, packed, sums)
        best = np.empty((len(state), min(count, self._drafted.size)), np.int64)
        rates = np.empty(best.shape, np.float64)
        _best_rows(sums, steps, scales, self._drafted.size, best, rates)
        return self._drafted[best].astype(np.int32), rates


def _branch_rows(
    stream: int, used: int, depth: int, nodes: NDArray[np.int32], expanded: list[int], growing: Growing
) -> Rows:
    """Rows of new nodes of a tree: each sees what was read, its ancestors and itself."""
    count, first = nodes.size, len(expanded) - nodes.size
    visible = branch_mask(nodes, expanded, growing)
    slots = np.arange(used + first, used + first + count, dtype=np.int32)
    positions = np.full(count, used - 1 + depth, np.int32)
    return Rows(np.full(count, stream, np.int32), slots, positions, np.full(count, used, np.int32), visible)


def _layer(config: DraftConfig, arrays: Arrays, prefix: str) -> Weights:
    """A module as a stack of one layer; values are turned per head, as in the target."""
    get = {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}
    block, head_block = block_size(config.width), block_size(config.head_width)
    value = rotated_values(get["v_proj.weight"], head_block)
    queries_keys = np.concatenate([get["q_proj.weight"], get["k_proj.weight"]])
    qkv, qkv_scale = packed_matrix(np.concatenate([queries_keys, value, np.zeros_like(value)]), block)
    output, output_scale = packed_matrix(get["o_proj.weight"], head_block)
    gate_up, gate_up_scale = packed_matrix(np.concatenate([get["gate_proj.weight"], get["up_proj.weight"]]), block)
    down, down_scale = packed_matrix(get["down_proj.weight"], block_size(config.feed_forward))
    none = np.empty((1, 0), np.float32)
    return Weights(
        attention_norm=none, qkv=qkv[None], qkv_scale=qkv_scale[None], query_norm=none, key_norm=none,
        output=output[None], output_scale=output_scale[None], attention_post=none,
        feed_norm=get["post_attention_layernorm"].astype(np.float32)[None], gate_up=gate_up[None],
        gate_up_scale=gate_up_scale[None], down=down[None], down_rest=down[None][:0], down_scale=down_scale[None],
        feed_post=none,
    )  # fmt: skip
