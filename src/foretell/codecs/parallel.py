"""Several frames at once for codecs that work on one frame in one thread."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from foretell.exact.threads import run_all

MOST_MEMORY = 3 << 28
"""Bytes that frames which are decoded at one time may take together, unless a single one takes more."""


class SingleFrameCodec(Protocol):
    """A codec that releases the interpreter lock while it works on one frame."""

    def encode(self, data: bytes) -> bytes:
        """Payload of a frame."""
        ...

    def decode(self, payload: bytes, size: int) -> bytes:
        """Frame of a payload."""
        ...

    def memory(self, payload: bytes, size: int) -> int:
        """Bytes of memory, about, that decoding takes."""
        ...


class ParallelCodec:
    """Frame codec that runs a single-frame codec in as many threads as are allowed."""

    def __init__(self, name: str, codec_id: int, codec: SingleFrameCodec) -> None:
        self.name = name
        self.id = codec_id
        self._codec = codec

    def encode_frames(self, frames: Sequence[bytes]) -> list[bytes]:
        """Payloads of frames."""
        return run_all(self._codec.encode, [(frame,) for frame in frames])

    def decode_frames(self, payloads: Sequence[tuple[bytes, int]]) -> list[bytes]:
        """Frames of payloads."""
        return [frame for group in self._groups(payloads) for frame in run_all(self._codec.decode, group)]

    def _groups(self, payloads: Sequence[tuple[bytes, int]]) -> Iterator[list[tuple[bytes, int]]]:
        """Neighbours that may be decoded at one time."""
        group: list[tuple[bytes, int]] = []
        taken = 0
        for payload, size in payloads:
            need = self._codec.memory(payload, size)
            if group and taken + need > MOST_MEMORY:
                yield group
                group, taken = [], 0
            group.append((payload, size))
            taken += need
        if group:
            yield group
