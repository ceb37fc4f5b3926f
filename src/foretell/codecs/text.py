"""Text through a language model: tokens, their probabilities, and binary decisions mixed online.

A frame's tokens are cut into *sections*, and a section into *lanes*: contiguous parts that the model
reads side by side, each from a fresh start, so that unpacking advances all lanes in one batch.
Predictors that learn while coding see the tokens in the order step 0 of every lane, step 1 of every
lane, and so on; they live as long as the frame.

Payload: varint number of tokens, varint lanes, varint tokens in a lane, then the arithmetic code. A
section has lanes x lane length tokens, the last one what is left, cut the same way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.base import TEXT
from foretell.entropy.binary import TAIL_BYTES, finish, new_decoder, new_encoder
from foretell.entropy.token_mixing import TokenMixer, decode_token, encode_token, new_mixer
from foretell.entropy.token_tree import (
    TokenTree,
    TreeArrays,
    frequency_blocks,
    index_frequencies,
    path_stretches,
)
from foretell.errors import CorruptArchiveError
from foretell.exact.compiled import compiled
from foretell.exact.head import HEAD_ROWS, frequencies_of, head_frequencies, head_sums
from foretell.exact.threads import cut, run_all, thread_count
from foretell.models.decoder import Decoder, States
from foretell.models.layers import Cache

CHUNK = 240
"""Tokens of a lane that go through the model together when packing."""


@dataclass(frozen=True)
class Plan:
    """How a level cuts text.

    Attributes
    ----------
    lanes : int
        Most lanes in a section.
    lane_tokens : int
        Most tokens in a lane: the longest context.
    frame_bytes : int
        Raw bytes of a frame.
    """

    lanes: int
    lane_tokens: int
    frame_bytes: int


def plan_for(level: int) -> Plan:
    """Plan of a level, 2 to 9; see docs/pack.md for the measurements behind the numbers."""
    if level >= 9:
        return Plan(lanes=6, lane_tokens=8192, frame_bytes=1 << 22)
    if level >= 4:
        return Plan(lanes=16, lane_tokens=3072, frame_bytes=3 << 17)
    return Plan(lanes=24, lane_tokens=1024, frame_bytes=3 << 17)


class TextCodec:
    """Frame codec for text on a causal language model.

    Parameters
    ----------
    model : Decoder
        The language model.
    level : int
        2 (short contexts) to 9 (longest).
    """

    name = "text"
    id = TEXT

    def __init__(self, model: Decoder, level: int = 6) -> None:
        self.model = model
        plan = plan_for(level)
        self.plan = Plan(plan.lanes, min(plan.lane_tokens, model.config.context), plan.frame_bytes)
        self.frame_bytes = self.plan.frame_bytes
        self.tree = TokenTree.build(model.vocabulary.leaves)
        self.depths = _leaf_depths(self.tree.arrays.left, self.tree.arrays.right, self.tree.leaves)

    def encode_frames(self, frames: Sequence[bytes]) -> list[bytes]:
        """Payloads of frames of any bytes."""
        return [self._encode(frame) for frame in frames]

    def decode_frames(self, payloads: Sequence[tuple[bytes, int]]) -> list[bytes]:
        """Frames from (payload, size) pairs.

        Raises
        ------
        CorruptArchiveError
            If a payload is damaged in a way that shows here; the archive's checksums find the rest.
        """
        return [self._decode(payload, size) for payload, size in payloads]

    def _encode(self, frame: bytes) -> bytes:
        tokens = self.model.vocabulary.encode(frame)
        if self.model.vocabulary.spell(tokens) != frame:
            raise AssertionError("the vocabulary does not spell the frame")
        lanes, length = _shape(tokens.size, self.plan)
        head = _varint(tokens.size) + _varint(lanes) + _varint(length)
        decisions = int(self.depths[tokens].sum())
        out = np.empty(2 * decisions + 64 + TAIL_BYTES, np.uint8)
        encoder = new_encoder()
        mixer = new_mixer(self.tree, -(-tokens.size // lanes) if tokens.size else 1, lanes)
        for section in _sections(tokens.size, lanes, length):
            bounds = np.array(section, np.int64)
            stretches, starts = self._stretches(tokens, section)
            _encode_section(mixer, tokens, bounds, stretches, starts, encoder, out)
        return head + out[: finish(encoder, out)].tobytes()

    def _stretches(
        self, tokens: NDArray[np.int32], section: list[tuple[int, int]]
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The model's logistic values for a section's decisions, and where each token's begin."""
        first, last = section[0][0], section[-1][1]
        starts = np.zeros(last - first + 1, np.int64)
        np.cumsum(self.depths[tokens[first:last]], out=starts[1:])
        stretches = np.empty(int(starts[-1]), np.int32)
        group = thread_count()
        cache = self.model.new_cache(group, max(end - begin for begin, end in section))
        for index in range(0, len(section), group):
            lanes = section[index : index + group]
            longest = max(end - begin for begin, end in lanes)
            for offset in range(0, longest, CHUNK):
                parts = [(begin + offset, min(begin + offset + CHUNK, end)) for begin, end in lanes]
                self._feed(tokens, lanes, parts, cache, stretches, starts, first)
        return stretches, starts

    def _feed(
        self,
        tokens: NDArray[np.int32],
        lanes: list[tuple[int, int]],
        parts: list[tuple[int, int]],
        cache: Cache,
        stretches: NDArray[np.int32],
        starts: NDArray[np.int64],
        first: int,
    ) -> None:
        """Run one chunk of several lanes through the model and keep the logistic values of their tokens."""
        inputs, streams, slots, targets = [], [], [], []
        for stream, ((begin, _), (start, stop)) in enumerate(zip(lanes, parts, strict=True)):
            if stop <= start:
                continue
            before = (
                tokens[start - 1 : stop - 1]
                if start > begin
                else np.r_[self.model.start, tokens[start : stop - 1]]
            )
            inputs.append(before)
            streams.append(np.full(stop - start, stream))
            slots.append(np.arange(start - begin, stop - begin))
            targets.append(np.arange(start, stop))
        states = self.model.forward(
            *(np.concatenate(x).astype(np.int32) for x in (inputs, streams, slots)), cache
        )
        rows = np.concatenate(targets)
        fixed = (self.model.head, self.model.head_scale, self.model.vocabulary.unspelled, self.tree.arrays)
        blocks = frequency_blocks(self.model.tokens)
        calls = [
            (
                states.integers[a:b],
                states.scales[a:b],
                *fixed,
                blocks,
                tokens,
                rows[a:b],
                starts,
                first,
                stretches,
            )
            for a, b in cut(rows.size, thread_count(), HEAD_ROWS)
        ]
        run_all(_path_rows, calls)

    def _decode(self, payload: bytes, size: int) -> bytes:
        count, position = _read_varint(payload, 0)
        lanes, position = _read_varint(payload, position)
        length, position = _read_varint(payload, position)
        if count > size or not 1 <= lanes <= 64 or not 1 <= length <= self.model.config.context:
            raise CorruptArchiveError("the head of a text frame is damaged", "fetch or make the file anew")
        data = np.frombuffer(payload, np.uint8)[position:]
        decoder = new_decoder(data)
        mixer = new_mixer(self.tree, -(-count // lanes) if count else 1, lanes)
        tokens = np.empty(count, np.int32)
        for section in _sections(count, lanes, length):
            self._decode_section(tokens, section, mixer, decoder, data)
        frame = self.model.vocabulary.spell(tokens)
        if len(frame) != size:
            raise CorruptArchiveError("a text frame has the wrong size", "fetch or make the file anew")
        return frame

    def _decode_section(
        self,
        tokens: NDArray[np.int32],
        section: list[tuple[int, int]],
        mixer: TokenMixer,
        decoder: NDArray[np.uint64],
        data: NDArray[np.uint8],
    ) -> None:
        model = self.model
        starts = np.array([begin for begin, _ in section], np.int64)
        lengths = np.array([end - begin for begin, end in section], np.int64)
        cache = model.new_cache(len(section), int(lengths.max()))
        frequencies = np.empty((len(section), model.tokens), np.uint32)
        totals = np.empty((len(section), frequency_blocks(model.tokens)), np.int64)
        current = np.full(len(section), model.start, np.int32)
        fixed = (model.head, model.head_scale, model.vocabulary.unspelled)
        for step in range(int(lengths.max())):
            active = np.flatnonzero(lengths > step).astype(np.int32)
            states = model.forward(current[active], active, np.full(active.size, step, np.int32), cache)
            calls = [
                (states.integers[a:b], states.scales[a:b], *fixed, frequencies[a:b], totals[a:b])
                for a, b in cut(active.size, thread_count())
            ]
            run_all(_indexed_frequencies, calls)
            _decode_step(mixer, active, frequencies, totals, decoder, data, current)
            tokens[starts[active] + step] = current[active]


def _shape(tokens: int, plan: Plan) -> tuple[int, int]:
    """Lanes and tokens in a lane of the sections of a frame: few and long, sections of equal size."""
    sections = max(1, -(-tokens // (plan.lanes * plan.lane_tokens)))
    share = max(1, -(-tokens // sections))
    lanes = max(1, -(-share // plan.lane_tokens))
    return lanes, max(1, -(-share // lanes))


def _sections(tokens: int, lanes: int, length: int) -> Iterator[list[tuple[int, int]]]:
    """The sections of a frame, each as the (begin, end) of its lanes."""
    for first in range(0, tokens, lanes * length):
        last = min(tokens, first + lanes * length)
        yield [(begin, min(begin + length, last)) for begin in range(first, last, length)]


def _varint(value: int) -> bytes:
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 35, 7):
        if position >= len(data):
            break
        byte = data[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
    raise CorruptArchiveError("the head of a text frame is damaged", "fetch or make the file anew")


@compiled
def _leaf_depths(left: NDArray[np.int32], right: NDArray[np.int32], leaves: int) -> NDArray[np.int64]:
    """Number of decisions on the path to each leaf."""
    depths = np.zeros(leaves, np.int64)
    at = np.zeros(left.size, np.int64)
    for node in range(left.size):
        for child in (left[node], right[node]):
            if child >= 0:
                at[child] = at[node] + 1
            else:
                depths[~child] = at[node] + 1
    return depths


@compiled
def _path_rows(
    integers: NDArray[np.int16],
    scales: NDArray[np.float32],
    head: NDArray[np.int8],
    head_scale: NDArray[np.float32],
    unspelled: NDArray[np.int32],
    tree: TreeArrays,
    blocks: int,
    tokens: NDArray[np.int32],
    rows: NDArray[np.int64],
    starts: NDArray[np.int64],
    first: int,
    stretches: NDArray[np.int32],
) -> None:
    """Logistic values on the paths to the tokens that follow each state."""
    leaves = tree.offsets.size - 1
    sums = np.empty((HEAD_ROWS, head_scale.size), np.int32)
    frequencies = np.empty(leaves, np.uint32)
    totals = np.empty(blocks, np.int64)
    for start in range(0, rows.size, HEAD_ROWS):
        count = min(HEAD_ROWS, rows.size - start)
        head_sums(integers[start : start + count], head, sums, count)
        for r in range(count):
            frequencies_of(sums[r], scales[start + r], head_scale, unspelled, frequencies.view(np.int32))
            index_frequencies(frequencies, totals)
            row = rows[start + r]
            target = stretches[starts[row - first] : starts[row - first + 1]]
            path_stretches(tree, frequencies, totals, tokens[row], target)


@compiled
def _indexed_frequencies(
    integers: NDArray[np.int16],
    scales: NDArray[np.float32],
    head: NDArray[np.int8],
    head_scale: NDArray[np.float32],
    unspelled: NDArray[np.int32],
    frequencies: NDArray[np.uint32],
    totals: NDArray[np.int64],
) -> None:
    """Frequencies after each state, and their index."""
    head_frequencies(integers, scales, head, head_scale, unspelled, frequencies.view(np.int32))
    for r in range(scales.size):
        index_frequencies(frequencies[r], totals[r])


@compiled
def _encode_section(
    mixer: TokenMixer,
    tokens: NDArray[np.int32],
    bounds: NDArray[np.int64],
    stretches: NDArray[np.int32],
    starts: NDArray[np.int64],
    encoder: NDArray[np.uint64],
    out: NDArray[np.uint8],
) -> None:
    """Code a section, step by step through its lanes."""
    first = bounds[0, 0]
    for step in range(bounds[0, 1] - first):
        for lane in range(bounds.shape[0]):
            row = bounds[lane, 0] + step
            if row < bounds[lane, 1]:
                values = stretches[starts[row - first] : starts[row - first + 1]]
                encode_token(mixer, lane, tokens[row], values, encoder, out)


@compiled
def _decode_step(
    mixer: TokenMixer,
    active: NDArray[np.int32],
    frequencies: NDArray[np.uint32],
    totals: NDArray[np.int64],
    decoder: NDArray[np.uint64],
    data: NDArray[np.uint8],
    current: NDArray[np.int32],
) -> None:
    """Decode one token of every active lane."""
    for index in range(active.size):
        lane = active[index]
        current[lane] = decode_token(mixer, lane, frequencies[index], totals[index], decoder, data)
