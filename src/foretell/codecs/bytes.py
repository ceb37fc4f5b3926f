"""Any bytes through a causal model, byte by byte: LMCompress' way with sound, made lossless for all files.

A frame is cut into *lanes* of equal length, each a context of its own, as the model's context asks for; a group of
lanes is read side by side, so that unpacking advances all of them in one pass of the model. Its frequencies are mixed
with contexts that learn from all lanes.

Payload: a byte that says which tokens stand for bytes, a block with the name of the kind of file, varints for the lanes
of a group and the bytes of a lane, then the arithmetic code. docs/large-models-format.md has the details.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.base import BYTES
from foretell.codecs.bytes_kernels import CONTEXTS, STEP_BYTES, TABLES, code_step, new_waves
from foretell.codecs.lanes import MOST_LANES, MOST_SLOTS, plan_for
from foretell.codecs.symbol_maps import BYTE_TOKENS, TOKEN_CHOICES, symbol_rows
from foretell.compilation import announce
from foretell.entropy.binary import POSITION, finish, new_decoder, new_encoder
from foretell.entropy.symbol_mixing import new_symbol_mixer
from foretell.errors import CorruptArchiveError, ModelError
from foretell.models.gpt.patches import PatchesModel
from foretell.models.registry import Model
from foretell.models.streams import PatchModel, SymbolModel, TokenModel
from foretell.varint import decode_varint, encode_varint

FRAME_BYTES: Final = 1 << 18
MOST_FRAME_BYTES: Final = 1 << 22
"""Most raw bytes of a frame."""
GROUP_MEMORY: Final = 1 << 28
"""Bytes that the cache of the lanes of a group may take, unless a single lane takes more."""
_KINDS: Final = ((b"RIFF", b"wav"), (b"RF64", b"wav"), (b"BM", b"bmp"))
_TRIED_BYTES: Final = 1 << 12


class BytesCodec:
    """Frame codec for any bytes on a causal model.

    Parameters
    ----------
    model : Model
        A model of bytes or of text.
    level : int
        2 (short contexts) to 9 (longest).

    Attributes
    ----------
    progress : callable or None
        Called now and then with the number of bytes that have just been done.
    """

    name = "bytes"
    id = BYTES
    frame_bytes = FRAME_BYTES
    progress: Callable[[int], None] | None = None

    def __init__(self, model: Model, level: int = 6) -> None:
        if model.purpose == "pixels":
            raise ModelError(f"{model.name} is a model of pictures and cannot read bytes", "choose another model")
        self.model, self._level = model, level
        self._tokens = BYTE_TOKENS

    def choose_tokens(self, tokens: str) -> None:
        """Let ``bytes`` (also for ``""``) or ``numbers`` stand for bytes when packing from now on."""
        self._tokens = TOKEN_CHOICES[tokens or "bytes"]

    def encode_frames(self, frames: Sequence[bytes]) -> list[bytes]:
        """Payloads of frames of any bytes; the kind of file is told from the first."""
        kind = kind_of(frames[0]) if frames and isinstance(self.model, PatchesModel) else b""
        return [self._encode(frame, kind) for frame in frames]

    def decode_frames(self, payloads: Sequence[tuple[bytes, int]]) -> list[bytes]:
        """Frames from (payload, size) pairs.

        Raises
        ------
        CorruptArchiveError
            If a payload is damaged in a way that shows here; the archive's checksums find the rest.
        """
        return [self._decode(payload, size) for payload, size in payloads]

    def _stream(self, tokens: int, kind: bytes) -> SymbolModel:
        if isinstance(self.model, PatchesModel):
            return PatchModel(self.model, kind)
        return TokenModel(self.model, symbol_rows(self.model.vocabulary, tokens))

    def _encode(self, frame: bytes, kind: bytes) -> bytes:
        announce(code_step, "the packing of bytes with a model")
        stream = self._stream(self._tokens, kind)
        lanes, length = _shape_of(len(frame), stream, self._level)
        head = bytes([self._tokens, len(kind)]) + kind + encode_varint(lanes) + encode_varint(length)
        data = np.frombuffer(frame, np.uint8)
        mixer = new_symbol_mixer(TABLES, CONTEXTS, 8, len(frame))
        out = np.empty(2 * len(frame) + 4096, np.uint8)
        encoder = new_encoder()
        for first, last in _groups(len(frame), lanes, length):
            block = _lanes_of(data[first:last], length)
            ends, waves = _ends(last - first, length), new_waves(len(block))
            frequencies = stream.predict(block)
            for step in range(block.shape[1]):
                active = np.flatnonzero(ends > step)
                if int(encoder[POSITION]) + active.size * STEP_BYTES > out.size:
                    out = np.concatenate([out, np.empty_like(out)])
                code_step(
                    False, mixer, waves, block, active, step, np.ascontiguousarray(frequencies[:, step]), encoder, out
                )
            if self.progress:
                self.progress(last - first)
        size = finish(encoder, out)
        return head + out[:size].tobytes()

    def _decode(self, payload: bytes, size: int) -> bytes:
        announce(code_step, "the unpacking of bytes with a model")
        tokens, kind, lanes, length, position = _read_head(payload)
        stream = self._stream(tokens, kind)
        if not _fits(size, lanes, length, stream):
            raise CorruptArchiveError("the head of a frame of bytes is damaged", "fetch or make the file anew")
        data = np.frombuffer(payload, np.uint8)[position:].copy()
        mixer = new_symbol_mixer(TABLES, CONTEXTS, 8, size)
        decoder = new_decoder(data)
        frame = np.empty(size, np.uint8)
        for first, last in _groups(size, lanes, length):
            ends = _ends(last - first, length)
            block = np.zeros((ends.size, int(ends[0])), np.int32)
            waves = new_waves(ends.size)
            reading = stream.read(ends.size, block.shape[1])
            frequencies = reading.next(None)
            for step in range(block.shape[1]):
                active = np.flatnonzero(ends > step)
                code_step(True, mixer, waves, block, active, step, frequencies, decoder, data)
                if step + 1 < block.shape[1]:
                    frequencies = reading.next(block[:, step])
                if self.progress:
                    self.progress(active.size)
            frame[first:last] = np.concatenate([lane[:end] for lane, end in zip(block, ends, strict=True)])
        return frame.tobytes()


def kind_of(frame: bytes) -> bytes:
    """Name of the kind of file that a frame begins, as files of the kind are named; unknown bytes are taken for sound.

    >>> kind_of(b"RIFF...."), kind_of(b"plain words"), kind_of(bytes([128, 127, 130]))
    (b'wav', b'txt', b'wav')
    """
    known = next((kind for magic, kind in _KINDS if frame.startswith(magic)), b"")
    if known:
        return known
    try:
        frame[:_TRIED_BYTES].decode()
    except UnicodeDecodeError as error:
        return b"txt" if error.start > _TRIED_BYTES - 4 else b"wav"
    return b"txt"


def _read_head(payload: bytes) -> tuple[int, bytes, int, int, int]:
    """Tokens, kind, lanes of a group, bytes of a lane, and the position after the head."""
    if len(payload) < 2 or payload[0] not in TOKEN_CHOICES.values() or payload[1] > 16:
        raise CorruptArchiveError("the head of a frame of bytes is damaged", "fetch or make the file anew")
    position = 2 + payload[1]
    kind = payload[2:position]
    lanes, position = decode_varint(payload, position)
    length, position = decode_varint(payload, position)
    return payload[0], kind, lanes, length, position


def _shape_of(size: int, stream: SymbolModel, level: int) -> tuple[int, int]:
    """Lanes of a group and bytes of a lane: as long as the model allows, and then as equal as can be."""
    plan, multiple = plan_for(level), stream.multiple
    longest = max(multiple, min(stream.longest, plan.lane_tokens) // multiple * multiple)
    total = ceil(size / longest)
    length = ceil(size / total / multiple) * multiple
    room = min(GROUP_MEMORY // stream.lane_bytes(length), MOST_SLOTS // length, plan.lanes)
    return max(1, min(total, room)), length


def _fits(size: int, lanes: int, length: int, stream: SymbolModel) -> bool:
    """Whether a decoder may believe a head."""
    long = size > length
    within = 1 <= length <= max(stream.longest, stream.multiple) and 1 <= lanes <= MOST_LANES
    whole = not long or length % stream.multiple == 0
    room = lanes == 1 or (lanes * length <= MOST_SLOTS and lanes * stream.lane_bytes(length) <= GROUP_MEMORY)
    return within and whole and room and 1 <= size <= MOST_FRAME_BYTES


def _groups(size: int, lanes: int, length: int) -> Iterator[tuple[int, int]]:
    """Where the groups of lanes of a frame begin and end."""
    for first in range(0, size, lanes * length):
        yield first, min(first + lanes * length, size)


def _ends(size: int, length: int) -> NDArray[np.int64]:
    """Bytes of each lane of a group."""
    starts = np.arange(0, size, length)
    return np.minimum(length, size - starts)


def _lanes_of(data: NDArray[np.uint8], length: int) -> NDArray[np.int32]:
    """Lanes (K, L) of the bytes of a group; the last is filled up with zeros."""
    count = -(-data.size // length)
    block = np.zeros((count, length if count > 1 else data.size), np.int32)
    block.reshape(-1)[: data.size] = data
    return block
