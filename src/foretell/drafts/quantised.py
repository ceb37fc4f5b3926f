"""Drafting with a trained EAGLE-2, HASS or PRISM network on the processor, in 8-bit integers.

The network's modules become layers of the engine that runs the target; they share one memory of keys and values, into
which each step's module writes. PyTorch is not needed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from foretell.drafts.base import TreeSize
from foretell.drafts.config import DraftConfig
from foretell.drafts.pace import DraftCosts
from foretell.drafts.rounds import LONGEST_READ, Growth, Network, Room, Turns, draft_round
from foretell.drafts.tree import Tree, best_nodes, root_only
from foretell.errors import ModelError
from foretell.exact.arithmetic import LOG2_E
from foretell.exact.meeting import run_together
from foretell.exact.product import pack, unpack
from foretell.exact.rotary import inverse_frequencies, rotary_table
from foretell.exact.transform import REST_STEPS, block_size
from foretell.models.convert import packed_matrix, rotated_values
from foretell.models.decoder import Decoder
from foretell.models.few_rows import new_shared
from foretell.models.layers import Rows, Shape, Taps, Weights, new_cache

Arrays = dict[str, NDArray[np.float32]]
_BRANCHES = 512
"""Slots for drafted branches, after what was read."""
_MEASURED_STEPS, _MEASURED_TIMES = 3, 4


class _Stream:
    """How much of a stream was read, the state after its last token, and what waits to be read."""

    def __init__(self, width: int) -> None:
        self.used = 0
        self.state = np.zeros(width, np.float32)
        self.tokens: list[NDArray[np.int32]] = []
        self.features: list[NDArray[np.float32]] = []
        self.waiting = 0


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
        self._network = _network(config, arrays, target)
        layers = [_layer(config, arrays, f"layers.{m}.") for m in range(config.modules)]
        self._weights = Weights(*(np.concatenate(arrays) for arrays in zip(*layers, strict=True)))
        cosines, sines = rotary_table(config.context, inverse_frequencies(config.rope_base, config.head_width))
        no_taps = Taps(np.full(1, -1, np.int32), np.empty((0, 0, 0), np.float32))
        window, table = np.array([config.window], np.int32), np.zeros(1, np.int32)
        self._turns = Turns(cosines[None], sines[None], table, window, no_taps)
        head_block = block_size(config.head_width)
        scale = np.float32(1.0 / np.sqrt(np.float64(config.head_width)) / head_block) * LOG2_E
        self._shape = Shape(
            config.heads, config.kv_heads, config.head_width, 0, block_size(config.width),
            block_size(config.feed_forward), head_block, config.epsilon, np.float32(scale),
        )  # fmt: skip
        self._costs: DraftCosts | None = None
        self.spent = 0.0
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
        self._cache = new_cache(1, streams, config.kv_heads, slots + _BRANCHES, config.head_width)
        self._room = self._new_room(0)
        # Of several texts it may be that nobody ever asks.
        self._asked = streams == 1

    def start(self, stream: int, token: int) -> None:
        """Nothing to do: features come with the tokens after the first."""

    def extend(self, stream: int, tokens: NDArray[np.int32], features: NDArray[np.float32]) -> None:
        """Note new places; they are read with the next draft, or when there are many and drafts are asked for."""
        own = self._streams[stream]
        own.tokens.append(tokens)
        own.features.append(features)
        own.waiting += tokens.size
        if self._asked or not self.config.window:
            self._read(stream)
        elif own.waiting >= self.config.window + 2 * LONGEST_READ:
            # Nobody asks, and places further back than the window are seen by none that will be read.
            self._next(own, LONGEST_READ)
            own.used += LONGEST_READ

    def _read(self, stream: int) -> None:
        """Read what waits, but for a rest that is read with the next draft."""
        nothing = TreeSize(0, 0, 0)
        while self._streams[stream].waiting >= LONGEST_READ:
            self._round(stream, self._growth(stream, 0, nothing), LONGEST_READ, nothing)

    def propose(self, streams: Sequence[int], roots: Sequence[int], size: TreeSize) -> list[Tree]:
        """A tree for each stream."""
        self.spent, self._asked = 0.0, size.least <= 1
        return [self._grow(stream, root, size) for stream, root in zip(streams, roots, strict=True)]

    def measure(self) -> DraftCosts:
        """What trees cost, measured once (the smallest of a few times); forgets all streams."""
        if self._costs is None:
            shallow, deep = (self._seconds_of(depth) for depth in (1, 1 + _MEASURED_STEPS))
            self._costs = DraftCosts(shallow, max(0.0, deep - shallow) / _MEASURED_STEPS)
        return self._costs

    def _seconds_of(self, depth: int) -> float:
        """Of a tree of some depth after one new token."""
        self.begin(1, LONGEST_READ + _MEASURED_TIMES)
        features = np.ones((len(self.taps), LONGEST_READ, self.config.width), np.float32)
        self.extend(0, np.zeros(LONGEST_READ, np.int32), features)
        found = []
        for _ in range(_MEASURED_TIMES):
            begin = time.perf_counter()
            self.extend(0, np.zeros(1, np.int32), features[:, :1])
            self.propose([0], [0], TreeSize(4 * depth, depth, 4))
            found.append(time.perf_counter() - begin)
        return min(found)

    def _grow(self, stream: int, root: int, size: TreeSize) -> Tree:
        if not size.nodes * size.depth or size.least > 1:
            return root_only(root)
        self._read(stream)
        size = size._replace(width=min(size.width, LONGEST_READ, self.config.draft_rows))
        size = size._replace(depth=min(size.depth, _BRANCHES // size.width))
        if self._room.best.shape[2] != size.width:
            self._room = self._new_room(size.width)
        growth = self._growth(stream, root, size)
        self._round(stream, growth, self._streams[stream].waiting, size)
        count, steps = int(growth.counts[0]), int(growth.counts[3])
        if self._costs:
            self.spent += self._costs.first + (steps - 1) * self._costs.step
        return best_nodes(Tree(growth.tokens[:count], growth.parents[:count], growth.chances[:count]), size.nodes)

    def _round(self, stream: int, growth: Growth, count: int, size: TreeSize) -> None:
        """Read ``count`` places that wait, and grow a tree."""
        own = self._streams[stream]
        tokens, features = self._next(own, count)
        slots = np.arange(own.used, own.used + count, dtype=np.int32)
        seen = np.empty((0, 0), np.bool_)
        rows = Rows(np.full(count, stream, np.int32), slots, slots, np.zeros(count, np.int32), seen)
        own.used += count
        growth.rows.base[:] = own.used
        growth.states[0] = own.state
        run_together(
            draft_round, self._network, self._weights, self._shape, self._turns, tokens, features, rows, self._cache,
            self._room, growth, own.used, (size.depth, size.width, size.least),
        )  # fmt: skip
        own.state = growth.states[0].copy()

    def _next(self, own: _Stream, count: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Take the first ``count`` places that wait."""
        if not own.waiting:
            return np.empty(0, np.int32), np.empty((len(self.taps), 0, self.config.width), np.float32)
        tokens, features = np.concatenate(own.tokens), np.concatenate(own.features, 1)
        own.tokens, own.features, own.waiting = [tokens[count:]], [features[:, count:]], own.waiting - count
        return tokens[:count].astype(np.int32), np.ascontiguousarray(features[:, :count], np.float32)

    def _growth(self, stream: int, root: int, size: TreeSize) -> Growth:
        """A tree that is its root, with room for all that may be considered."""
        width, expanded = size.width, 1 + size.depth * size.width
        nodes = 1 + size.depth * width * width
        rows = Rows(
            np.full(width, stream, np.int32), np.empty(width, np.int32), np.empty(width, np.int32),
            np.empty(width, np.int32), np.empty((width, expanded), np.bool_),
        )  # fmt: skip
        growth = Growth(
            np.full(nodes, root, np.int32), np.full(nodes, -1, np.int32), np.ones(nodes), np.zeros(nodes, np.int64),
            np.empty((expanded, self.config.width), np.float32), np.zeros(max(1, width), np.int64),
            np.array([1, 1, 0, 0]), rows,
        )  # fmt: skip
        return growth

    def _new_room(self, children: int) -> Room:
        width, parts = self.config.width, os.cpu_count() or 1
        state, single = (LONGEST_READ, width), (parts, LONGEST_READ)
        return Room(
            np.empty(state, np.float32), np.empty(state, np.float32),
            new_shared(LONGEST_READ, self._weights, self._shape),
            np.empty((LONGEST_READ, self._network.head_scale.size), np.int32), np.empty(single), np.empty(single),
            np.empty((*single, children), np.int64), np.empty((*single, children)),
        )  # fmt: skip


def _network(config: DraftConfig, arrays: Arrays, target: Decoder) -> Network:
    """All weights but those of the layers, packed; embedding and head are the target's."""
    width, block, parts = config.width, block_size(config.width), len(config.taps)
    drafted = arrays["drafted"].astype(np.int64)
    if drafted.size and not 0 <= drafted.min() <= drafted.max() < config.rows:
        raise ModelError(f"the draft drafts tokens that {target.name} does not have", "fetch or train it anew")
    no_matrix = np.empty((0, width // 16, width // 4, 16, 4), np.int8), np.empty((0, width), np.float32)
    first = _stacked(np.split(arrays["fc.weight"], parts, 1), block) if parts > 1 else no_matrix
    halves = [_stacked(np.split(arrays[f"fuse.{m}.weight"], 2, 1), block) for m in range(config.modules)]
    tap_norm = target.final_norm if parts == 1 else np.ones(width if config.normed_taps else 0, np.float32)
    scales = target.head_scale[drafted] * np.float32(REST_STEPS)
    return Network(
        *first,
        arrays["fc.bias"].astype(np.float32) if parts > 1 else np.zeros(width, np.float32),
        tap_norm,
        np.stack([matrices for matrices, _ in halves]),
        np.stack([steps for _, steps in halves]),
        np.stack([arrays[f"fuse.{m}.bias"] for m in range(config.modules)]).astype(np.float32),
        np.array(config.step_map, np.int64),
        target.embedding,
        target.embedding_scale,
        pack(unpack(target.head, config.rows)[drafted]),
        np.pad(scales, (0, -scales.size % 16)),
        drafted.astype(np.int32),
    )


def _stacked(matrices: Sequence[NDArray[np.float32]], block: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Packed matrices of one shape, and the scales of their rows."""
    packed = [packed_matrix(matrix, block) for matrix in matrices]
    return np.stack([matrix for matrix, _ in packed]), np.stack([scales for _, scales in packed])


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
