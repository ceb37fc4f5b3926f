"""Several frames at once for codecs that work on one frame in one thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from foretell.exact.threads import run_all


class SingleFrameCodec(Protocol):
    """A codec that releases the interpreter lock while it works on one frame."""

    def encode(self, data: bytes) -> bytes:
        """Payload of a frame."""
        ...

    def decode(self, payload: bytes, size: int) -> bytes:
        """Frame of a payload."""
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
        return run_all(self._codec.decode, payloads)
