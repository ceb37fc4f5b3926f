"""A causal language model on the numeric contract: cache, forward pass, frequencies."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled
from foretell.errors import ModelError
from foretell.exact.arithmetic import LOG2_E
from foretell.exact.head import frequency_rows, refine_rows
from foretell.exact.meeting import run_together
from foretell.exact.product import pack, unpack
from foretell.exact.rotary import inverse_frequencies, rotary_table
from foretell.exact.threads import cut, run_all, thread_count
from foretell.exact.transform import REST_STEPS, block_size, hadamard, quantise, rms_norm
from foretell.models.config import DecoderConfig
from foretell.models.few_rows import MOST_ROWS, new_shared, project_rows, run_few
from foretell.models.layers import (
    Cache,
    Rows,
    Shape,
    Taps,
    Weights,
    new_cache,
    run_layers,
)
from foretell.models.vocabulary import Vocabulary

_NO_MASK = np.empty((0, 0), np.bool_)


class States(NamedTuple):
    """Final hidden states, normed, rotated and quantised: what the head multiplies."""

    integers: NDArray[np.int8]  # (M, D)
    scales: NDArray[np.float32]  # (M,)


@compiled
def _embed(
    tokens: NDArray[np.int32],
    table: NDArray[np.int16],
    scales: NDArray[np.float32],
    begin: int,
    end: int,
    out: NDArray[np.float32],
) -> None:
    for m in range(begin, end):
        scale = scales[tokens[m]]
        for i in range(out.shape[1]):
            out[m, i] = np.float32(table[tokens[m], i]) * scale


@compiled
def _final(
    hidden: NDArray[np.float32],
    norm: NDArray[np.float32],
    epsilon: float,
    block: int,
    begin: int,
    end: int,
    integers: NDArray[np.int8],
    scales: NDArray[np.float32],
) -> None:
    row = np.empty(hidden.shape[1], np.float32)
    for m in range(begin, end):
        rms_norm(hidden[m], norm, epsilon, row)
        hadamard(row, block)
        scales[m] = quantise(row, integers[m])


@dataclass(eq=False)
class Decoder:
    """A decoder-only transformer whose every number is exact.

    Tokens are rows of the vocabulary (see :class:`~foretell.models.vocabulary.Vocabulary`), not the
    tokenizer's ids. A token's state depends on what its stream holds before it and on nothing else: not on
    the batch, the chunk, the number of threads or the kernel.

    Attributes
    ----------
    head : ndarray of int8
        Packed; its steps are :data:`~foretell.exact.head.REST_STEPS` times ``head_scale``.
    head_rest : ndarray of int8, shape (tokens padded to 16, width)
        What rounding left of the head, in units of ``head_scale``.
    digest : bytes
        SHA-256 of the exact weights and of what the rows spell; identifies the model in archives.
    """

    purpose: ClassVar[str] = "text"

    name: str
    config: DecoderConfig
    vocabulary: Vocabulary
    weights: Weights
    embedding: NDArray[np.int16]
    embedding_scale: NDArray[np.float32]
    head: NDArray[np.int8]
    head_scale: NDArray[np.float32]
    head_rest: NDArray[np.int8]
    final_norm: NDArray[np.float32]
    digest: bytes

    def __post_init__(self) -> None:
        config = self.config
        self.windows = np.array(config.windows, np.int32)
        bases = sorted(set(config.rope_bases))
        tables = [rotary_table(config.context, inverse_frequencies(b, config.head_width)) for b in bases]
        self.cosines = np.stack([cosine for cosine, _ in tables])
        self.sines = np.stack([sine for _, sine in tables])
        self.tables = np.array([bases.index(base) for base in config.rope_bases], np.int32)
        head_block = block_size(config.head_width)
        scale = np.float32(1.0 / np.sqrt(np.float64(config.head_width)) / head_block) * LOG2_E
        self.shape = Shape(
            config.heads,
            config.kv_heads,
            config.head_width,
            int(config.activation == "gelu"),
            block_size(config.width),
            block_size(config.feed_forward),
            head_block,
            config.epsilon,
            np.float32(scale),
        )
        self.start = self.vocabulary.row_of_id[config.start]
        self.tokens = len(self.vocabulary.leaves)

    def new_cache(self, streams: int, slots: int) -> Cache:
        """Empty cache for ``streams`` streams of up to ``slots`` tokens each."""
        config = self.config
        return new_cache(config.layers, streams, config.kv_heads, slots, config.head_width)

    def cache_bytes(self, slots: int) -> int:
        """Memory of one stream's cache of ``slots`` tokens."""
        config = self.config
        return config.layers * config.kv_heads * slots * (2 * config.head_width + 8)

    def forward(
        self,
        tokens: NDArray[np.int32],
        streams: NDArray[np.int32],
        slots: NDArray[np.int32],
        cache: Cache,
        positions: NDArray[np.int32] | None = None,
        tree: tuple[NDArray[np.int32], NDArray[np.bool_]] | None = None,
        taps: Taps | None = None,
    ) -> States:
        """Feed tokens to their streams and return their final states.

        Parameters
        ----------
        tokens, streams, slots : ndarray of int32, shape (M,)
            What to feed, to which stream, into which slot of its cache; rows of a stream are adjacent and
            in the order of their slots, and every earlier slot is filled.
        cache : Cache
            Updated in place.
        positions : ndarray of int32, shape (M,), optional
            Rotary positions where they differ from the slots (trees).
        tree : (base, visible), optional
            For each row the first slot of its tree, shape (M,), and which slots from there on it sees,
            shape (M, tree size). Slots before the base are all seen.
        taps : Taps, optional
            From :meth:`new_taps`: takes what chosen layers give.

        Returns
        -------
        States
            Shape (M, width) and (M,).
        """
        count = tokens.size
        base, visible = tree if tree is not None else (np.zeros(count, np.int32), _NO_MASK)
        rows = Rows(streams, slots, slots if positions is None else positions, base, visible)
        config, threads = self.config, thread_count()
        taps = self.new_taps((), 0) if taps is None else taps
        hidden = np.empty((count, config.width), np.float32)
        integers, scales = np.empty((count, config.width), np.int8), np.empty(count, np.float32)
        parts = cut(count, threads)
        run_all(_embed, [(tokens, self.embedding, self.embedding_scale, a, b, hidden) for a, b in parts])
        turns = (self.cosines, self.sines)
        fixed = (self.weights, self.shape, self.windows, self.tables, *turns, rows)
        if count <= MOST_ROWS:
            run_together(run_few, *fixed, hidden, cache, new_shared(count, self.weights, self.shape), taps)
        else:
            groups = config.heads // config.kv_heads
            queries = np.empty((count, config.kv_heads, groups, config.head_width), np.int8)
            work = (hidden, cache, queries, np.empty((count, config.kv_heads, groups), np.float32))
            run_together(run_layers, *fixed, *work, taps, judged=False)
        last = (self.final_norm, config.epsilon, self.shape.width_block)
        run_all(_final, [(hidden, *last, a, b, integers, scales) for a, b in parts])
        return States(integers, scales)

    def new_taps(self, layers: tuple[int, ...], rows: int) -> Taps:
        """Room for what these layers (0 is the first) give for ``rows`` rows, in this order."""
        place = np.full(self.config.layers, -1, np.int32)
        place[list(layers)] = np.arange(len(layers))
        return Taps(place, np.empty((len(layers), rows, self.config.width), np.float32))

    def head_sums(self, states: States) -> NDArray[np.int32]:
        """Integer sums of the head in units of ``head_scale``, shape (M, tokens padded to 16)."""
        sums = np.empty((states.scales.size, self.head_scale.size), np.int32)
        run_together(project_rows, states.integers, self.head, sums)
        fixed = (self.head_scale, self.head_rest)
        parts = cut(states.scales.size, thread_count())
        run_all(refine_rows, [(sums[a:b], states.integers[a:b], states.scales[a:b], *fixed) for a, b in parts])
        return sums

    def rotated_down(self, layer: int) -> NDArray[np.float32]:
        """A layer's down projection as floats, shape (width, feed-forward width), rotated as its inputs are."""
        weights, width = self.weights, self.config.width
        whole = unpack(weights.down[layer], width).astype(np.float32)
        if layer < len(weights.down_rest):
            whole = REST_STEPS * whole + unpack(weights.down_rest[layer], width)
        result: NDArray[np.float32] = whole * weights.down_scale[layer][:, None]
        return result

    def rotated_head(self) -> NDArray[np.float32]:
        """The head's weights as floats, shape (rows of the vocabulary, width), rotated as its inputs are."""
        rows = self.vocabulary.ids.size
        whole = REST_STEPS * unpack(self.head, rows).astype(np.float32) + self.head_rest[:rows]
        result: NDArray[np.float32] = whole * self.head_scale[:rows, None]
        return result

    def frequencies(self, states: States) -> NDArray[np.int32]:
        """Integer frequencies of every leaf after each state, shape (M, tokens); each at least 1."""
        out = np.empty((states.scales.size, self.tokens), np.int32)
        sums = self.head_sums(states)
        fixed = (self.head_scale, self.vocabulary.unspelled)
        parts = cut(states.scales.size, thread_count())
        run_all(frequency_rows, [(sums[a:b], states.scales[a:b], *fixed, out[a:b]) for a, b in parts])
        return out


def cut_by_stream(streams: NDArray[np.int32], parts: int) -> list[tuple[int, int]]:
    """Cut rows into at most ``parts`` ranges that share no stream."""
    starts = np.flatnonzero(np.diff(streams, prepend=-1))
    bounds = [0]
    for part in range(1, parts):
        target = streams.size * part // parts
        nearest = int(starts[np.argmin(np.abs(starts - target))])
        if nearest > bounds[-1]:
            bounds.append(nearest)
    bounds.append(streams.size)
    return list(itertools.pairwise(bounds))


def _check_shapes(config: DecoderConfig, arrays: dict[str, NDArray[Any]]) -> None:
    """Refuse arrays that do not fit the sizes: compiled code reads them without bounds checks."""
    width, feed, mixed = config.width, config.feed_forward, config.heads * config.head_width
    projected = (config.heads + 3 * config.kv_heads) * config.head_width
    for name, outputs, inputs in (
        ("qkv", projected, width),
        ("output", width, mixed),
        ("gate_up", 2 * feed, width),
        ("down", width, feed),
    ):
        plain = (config.layers, outputs, inputs)
        if arrays[name].shape != plain or arrays[f"{name}_scale"].shape != plain[:2]:
            raise ModelError(f"the tensor {name} does not fit the model's sizes", "delete the model and pull it again")
    rows = arrays["row_ids"].size
    norms = {"attention_norm": width, "feed_norm": width}
    norms |= {name: config.head_width * config.head_norms for name in ("query_norm", "key_norm")}
    norms |= {name: width * config.post_norms for name in ("attention_post", "feed_post")}
    fits = (
        all(arrays[name].shape == (config.layers, size) for name, size in norms.items())
        and arrays["final_norm"].shape == (width,)
        and arrays["embedding"].shape == (rows, width)
        and arrays["embedding_scale"].shape == (rows,)
        and arrays["head"].shape == arrays["head_rest"].shape == (rows, width)
        and arrays["head_scale"].shape == (rows,)
        and arrays["down_rest"].shape == (config.fine_layers, width, feed)
    )
    if not fits:
        raise ModelError("the model's tensors do not fit its sizes", "delete the model and pull it again")


def from_arrays(name: str, config: DecoderConfig, arrays: dict[str, NDArray[Any]], digest: bytes) -> Decoder:
    """Build a decoder from the arrays of :func:`foretell.models.convert.convert`.

    Raises
    ------
    ModelError
        If an array is missing or does not fit the sizes.
    """
    missing = {*Weights._fields, "embedding", "embedding_scale", "head", "head_scale", "head_rest", "final_norm"}
    missing -= set(arrays)
    if missing:
        raise ModelError(f"the model lacks {', '.join(sorted(missing))}", "delete it and pull the model again")
    _check_shapes(config, arrays)
    matrices = {field: pack(arrays[field]) for field in ("qkv", "output", "gate_up", "down", "down_rest")}
    padding = -len(arrays["head"]) % 16
    return Decoder(
        name=name,
        config=config,
        vocabulary=Vocabulary.from_arrays(arrays),
        weights=Weights(*((arrays | matrices)[field] for field in Weights._fields)),
        embedding=arrays["embedding"],
        embedding_scale=arrays["embedding_scale"],
        head=pack(arrays["head"]),
        head_scale=np.pad(arrays["head_scale"], (0, padding)),
        head_rest=np.pad(arrays["head_rest"], ((0, padding), (0, 0))),
        final_norm=arrays["final_norm"],
        digest=digest,
    )
