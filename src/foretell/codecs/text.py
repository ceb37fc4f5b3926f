"""Text through a language model: tokens, their probabilities, and binary decisions mixed online.

A frame's tokens are cut into *sections*, and a section into *lanes*: contiguous parts that the model
reads side by side, so that unpacking advances all lanes in one batch. The first section is one lane of
a few hundred tokens; the lanes of every other section begin by reading the tokens before the section,
the *prefix*, which saves 2 to 4 % over a fresh start. Predictors that learn while coding see the tokens
in the order step 0 of every lane, step 1 of every lane, and so on; they live as long as the frame.

Payload: varints for the number of tokens, the tokens in the prefix, the lanes and the tokens in a
lane, then the arithmetic code. A section after the first has lanes x lane length tokens, the last one
what is left, cut the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.base import TEXT
from foretell.codecs.lanes import ABREAST, MOST_FRAME_BYTES, MOST_SLOTS, Shape, plan_for, sections_of, shape_of
from foretell.codecs.text_kernels import (
    decode_step,
    encode_section,
    index_rows,
    leaf_depths,
    path_rows,
)
from foretell.codecs.text_lane import LaneDecoder
from foretell.compilation import announce
from foretell.drafts.base import Drafter, NoDrafter
from foretell.drafts.drafters import new_drafter
from foretell.drafts.pace import LARGEST_TREE
from foretell.drafts.speculation import Choice, new_speculation
from foretell.entropy.binary import TAIL_BYTES, finish, new_decoder, new_encoder
from foretell.entropy.token_state import TokenMixer, new_mixer
from foretell.entropy.token_tree import TokenTree, frequency_blocks
from foretell.errors import CorruptArchiveError
from foretell.exact.head import HEAD_ROWS
from foretell.exact.threads import cut, run_all, thread_count
from foretell.models.decoder import Decoder
from foretell.models.layers import Cache
from foretell.varint import decode_varint, encode_varint

CHUNK = 240
"""Tokens of a lane that go through the model together when packing."""
LEAST_DRAFTED = 200
"""Tokens from which on it pays to find out what passes of the model cost."""


class Meter:
    """Tells how many bytes of a frame are done, from the tokens that are (``done``).

    >>> meter = Meter(print, 100, 8)
    >>> meter.add(3)
    37
    >>> meter.add(5)
    63
    """

    def __init__(self, progress: Callable[[int], None] | None, size: int, tokens: int) -> None:
        self._progress = progress
        self._size = size
        self._tokens = tokens
        self.done = 0

    def add(self, tokens: int) -> None:
        """So many more tokens are done."""
        before, self.done = self.done, self.done + tokens
        if self._progress:
            self._progress(self._size * self.done // self._tokens - self._size * before // self._tokens)


class _Frame(NamedTuple):
    """A frame that is being decoded."""

    tokens: NDArray[np.int32]
    size: int
    shape: Shape
    mixer: TokenMixer
    decoder: NDArray[np.uint64]
    data: NDArray[np.uint8]
    meter: Meter


class TextCodec:
    """Frame codec for text on a causal language model.

    Parameters
    ----------
    model : Decoder
        The language model.
    level : int
        2 (short contexts) to 9 (longest).
    draft : str
        What :func:`foretell.drafts.drafters.new_drafter` makes drafts with where tokens cannot be decoded in a batch;
        not the draft that ships, whose own time is more than it saves on prose.

    Attributes
    ----------
    progress : callable or None
        Called now and then with the number of bytes that have just been done, estimated from tokens.
    """

    name = "text"
    id = TEXT
    progress: Callable[[int], None] | None = None

    def __init__(self, model: Decoder, level: int = 6, draft: str = "lookup") -> None:
        self.model = model
        self.draft = draft
        self.plan = plan_for(level).within(model.config.context)
        self.frame_bytes = self.plan.frame_bytes
        self.tree = TokenTree.build(model.vocabulary.leaves)
        self.depths = leaf_depths(self.tree.arrays.left, self.tree.arrays.right, self.tree.leaves)

    @cached_property
    def _drafter(self) -> Drafter:
        """Made once: a trained draft takes some time to load."""
        return new_drafter(self.draft, self.model)

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
        announce(decode_step, "the unpacking of text")
        texts: dict[int, bytes] = {}
        heads = [self._head(payload, size) for payload, size in payloads]
        # Frames that are one section of one lane.
        alone = [
            index
            for index, (count, shape, _) in enumerate(heads)
            if shape.lanes == 1 and not shape.prefix and count <= shape.length
        ]
        for group in _groups(alone, [count for count, _, _ in heads]):
            frames = [self._open(*payloads[index]) for index in group]
            if isinstance(self.model, Decoder):
                self._decode_alone([(frame, 0, frame.tokens.size) for frame in frames])
            texts |= {index: self._decode(frame) for index, frame in zip(group, frames, strict=True)}
        return [texts[i] if i in texts else self._decode(self._open(*pair)) for i, pair in enumerate(payloads)]

    def _encode(self, frame: bytes) -> bytes:
        announce(encode_section, "the packing of text")
        tokens = self.model.vocabulary.encode(frame)
        shape = shape_of(tokens.size, self.plan)
        head = b"".join(map(encode_varint, (tokens.size, *shape)))
        out = np.empty(2 * int(self.depths[tokens].sum()) + 64 + TAIL_BYTES, np.uint8)
        encoder = new_encoder()
        mixer = self._new_mixer(tokens.size, shape)
        meter = Meter(self.progress, len(frame), tokens.size)
        for section in sections_of(tokens.size, shape):
            stretches, starts = self._stretches(tokens, section, shape.prefix, meter)
            encode_section(mixer, tokens, np.array(section, np.int64), stretches, starts, encoder, out)
        return head + out[: finish(encoder, out)].tobytes()

    def _new_mixer(self, tokens: int, shape: Shape) -> TokenMixer:
        return new_mixer(self.tree, max(1, -(-tokens // shape.lanes)), shape.lanes)

    def _prime(self, tokens: NDArray[np.int32], first: int, prefix: int, cache: Cache) -> tuple[int, int]:
        """Let every stream read the prefix of the section at ``first``.

        Returns
        -------
        slots, opening : int
            Filled slots, and the token that every lane feeds first: the last one of the prefix.
        """
        if first == 0:
            return 0, self.model.start
        rows = np.r_[self.model.start, tokens[first - prefix : first - 1]].astype(np.int32)
        slots, streams = np.arange(prefix, dtype=np.int32), np.zeros(prefix, np.int32)
        for begin in range(0, prefix, CHUNK):
            part = slice(begin, min(begin + CHUNK, prefix))
            self.model.forward(rows[part], streams[part], slots[part], cache)
        cache.keys[:, 1:, :, : prefix // 16] = cache.keys[:, :1, :, : prefix // 16]
        cache.key_scales[:, 1:, :, :prefix] = cache.key_scales[:, :1, :, :prefix]
        cache.values[:, 1:, :, :, : prefix // 4] = cache.values[:, :1, :, :, : prefix // 4]
        cache.value_scales[:, 1:, :, :prefix] = cache.value_scales[:, :1, :, :prefix]
        return prefix, int(tokens[first - 1])

    def _stretches(
        self, tokens: NDArray[np.int32], section: list[tuple[int, int]], prefix: int, meter: Meter
    ) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """The model's logistic values for a section's decisions, and where each token's begin."""
        first, last = section[0][0], section[-1][1]
        starts = np.zeros(last - first + 1, np.int64)
        np.cumsum(self.depths[tokens[first:last]], out=starts[1:])
        stretches = np.empty(int(starts[-1]), np.int32)
        group = min(thread_count(), len(section))
        cache = self.model.new_cache(group, prefix + section[0][1] - first)
        read, opening = self._prime(tokens, first, prefix, cache)
        for index in range(0, len(section), group):
            lanes = section[index : index + group]
            for offset in range(0, lanes[0][1] - lanes[0][0], CHUNK):
                rows, inputs = [], []
                for stream, (begin, end) in enumerate(lanes):
                    targets = np.arange(begin + offset, min(begin + offset + CHUNK, end))
                    fed = np.where(targets == begin, opening, tokens[targets - 1])
                    rows.append(targets)
                    inputs.append((fed, np.full(targets.size, stream), targets - begin + read))
                fed, streams, slots = (np.concatenate(part).astype(np.int32) for part in zip(*inputs, strict=True))
                self._read(fed, streams, slots, cache, tokens, np.concatenate(rows), starts, first, stretches)
                meter.add(fed.size)
        return stretches, starts

    def _read(
        self,
        inputs: NDArray[np.int32],
        streams: NDArray[np.int32],
        slots: NDArray[np.int32],
        cache: Cache,
        tokens: NDArray[np.int32],
        rows: NDArray[np.int64],
        starts: NDArray[np.int64],
        first: int,
        stretches: NDArray[np.int32],
    ) -> None:
        """Feed a batch and keep the logistic values on the path to the token in each row of ``tokens``."""
        states = self.model.forward(inputs, streams, slots, cache)
        model, blocks = self.model, frequency_blocks(self.model.tokens)
        head = (model.head, model.head_scale, model.head_rest)
        fixed = (*head, model.vocabulary.unspelled, self.tree.arrays, blocks, tokens)
        calls = [
            (states.integers[a:b], states.scales[a:b], *fixed, rows[a:b], starts, first, stretches)
            for a, b in cut(rows.size, thread_count(), HEAD_ROWS)
        ]
        run_all(path_rows, calls)

    def _head(self, payload: bytes, size: int) -> tuple[int, Shape, int]:
        """Number of tokens and shape of a frame, and where its code begins."""
        values, position = [], 0
        for _ in range(4):
            value, position = decode_varint(payload, position)
            values.append(value)
        count, shape = values[0], Shape(*values[1:])
        if count > size or size > MOST_FRAME_BYTES or not shape.fits(self.model.config.context):
            raise CorruptArchiveError("the head of a text frame is damaged", "fetch or make the file anew")
        return count, shape, position

    def _open(self, payload: bytes, size: int) -> _Frame:
        count, shape, position = self._head(payload, size)
        data = np.frombuffer(payload, np.uint8)[position:]
        state = (self._new_mixer(count, shape), new_decoder(data), data)
        return _Frame(np.empty(count, np.int32), size, shape, *state, Meter(self.progress, size, count))

    def _decode(self, frame: _Frame) -> bytes:
        """The text of a frame, of which sections that are a single lane alone may be decoded already."""
        for section in sections_of(frame.tokens.size, frame.shape):
            if frame.meter.done >= section[-1][1]:
                continue
            if len(section) == 1 and isinstance(self.model, Decoder):
                self._decode_alone([(frame, *section[0])])
            else:
                self._decode_lanes(frame, section)
        text = self.model.vocabulary.spell(frame.tokens)
        if len(text) != frame.size:
            raise CorruptArchiveError("a text frame has the wrong size", "fetch or make the file anew")
        return text

    def _decode_lanes(self, frame: _Frame, section: list[tuple[int, int]]) -> None:
        """Decode the lanes of a section side by side, one token of each in a step."""
        model, first = self.model, section[0][0]
        starts = np.array([begin for begin, _ in section], np.int64)
        lengths = np.array([end - begin for begin, end in section], np.int64)
        cache = model.new_cache(len(section), frame.shape.prefix + int(lengths[0]))
        read, opening = self._prime(frame.tokens, first, frame.shape.prefix, cache)
        totals = np.empty((len(section), frequency_blocks(model.tokens)), np.int64)
        current = np.full(len(section), opening, np.int32)
        for step in range(int(lengths[0])):
            active = np.flatnonzero(lengths > step).astype(np.int32)
            slots = np.full(active.size, read + step, np.int32)
            states = model.forward(current[active], active, slots, cache)
            frequencies = model.frequencies(states).view(np.uint32)
            run_all(index_rows, [(frequencies[a:b], totals[a:b]) for a, b in cut(active.size, thread_count())])
            decode_step(frame.mixer, active, frequencies, totals, frame.decoder, frame.data, current)
            frame.tokens[starts[active] + step] = current[active]
            frame.meter.add(active.size)

    def _decode_alone(self, lanes: list[tuple[_Frame, int, int]]) -> None:
        """Decode lanes (begin, end) that are sections of their own, of one frame each, side by side.

        Each goes on by several tokens in a pass where drafts are right; how many drafts of which lane are checked
        follows from what passes cost.
        """
        texts = [frame.tokens[begin - frame.shape.prefix : begin] if begin else frame.tokens[:0]
                 for frame, begin, _ in lanes]  # fmt: skip
        lengths = [end - begin for _, begin, end in lanes]
        drafter = self._drafter if max(lengths) >= LEAST_DRAFTED else NoDrafter()
        slots = 1 + max(text.size + length for text, length in zip(texts, lengths, strict=True))
        speculation = new_speculation(self.model, drafter, slots, len(lanes))
        for stream, text in enumerate(texts):
            speculation.read(stream, np.concatenate([np.array([self.model.start], np.int32), text]))
        choosers = [
            LaneDecoder(self.model, frame.mixer, frame.decoder, frame.data, length)
            for (frame, _, _), length in zip(lanes, lengths, strict=True)
        ]

        def choose(stream: int, sums: NDArray[np.int32], scale: np.float32) -> Choice:
            return choosers[stream](stream, sums, scale)

        while active := [stream for stream, chooser in enumerate(choosers) if chooser.left]:
            firsts = [lanes[stream][2] - choosers[stream].left for stream in active]
            for stream, first, found in zip(
                active, firsts, speculation.round(active, choose, LARGEST_TREE), strict=True
            ):
                lanes[stream][0].tokens[first : first + len(found)] = found
                lanes[stream][0].meter.add(len(found))


def _groups(frames: list[int], counts: list[int]) -> Iterator[list[int]]:
    """Frames that are decoded side by side: of like length, and so many as their caches may take memory.

    ``counts`` are the numbers of tokens of all frames.
    """
    group: list[int] = []
    for index in sorted((index for index in frames if counts[index]), key=counts.__getitem__):
        # The last is the longest, and every stream has as many slots.
        if group and (len(group) == ABREAST or (len(group) + 1) * counts[index] > MOST_SLOTS):
            yield group
            group = []
        group.append(index)
    if group:
        yield group
