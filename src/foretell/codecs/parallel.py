"""Several frames at once for codecs that work on one frame in one thread."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol


class SingleFrameCodec(Protocol):
    """A codec that releases the interpreter lock while it works on one frame."""

    def encode(self, data: bytes) -> bytes:
        """Payload of a frame."""
        ...

    def decode(self, payload: bytes, size: int) -> bytes:
        """Frame of a payload."""
        ...


def thread_count(threads: int) -> int:
    """Return the number of threads that is meant, 0 being one per core that this process may use."""
    if threads > 0:
        return threads
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class ParallelCodec:
    """Frame codec that runs a single-frame codec on several threads."""

    def __init__(self, name: str, codec_id: int, codec: SingleFrameCodec, threads: int) -> None:
        self.name = name
        self.id = codec_id
        self._codec = codec
        self._threads = thread_count(threads)

    def encode_frames(self, frames: Sequence[bytes]) -> list[bytes]:
        """Payloads of frames."""
        if self._threads == 1 or len(frames) < 2:
            return [self._codec.encode(frame) for frame in frames]
        with ThreadPoolExecutor(self._threads) as pool:
            return list(pool.map(self._codec.encode, frames))

    def decode_frames(self, payloads: Sequence[tuple[bytes, int]]) -> list[bytes]:
        """Frames of payloads."""
        if self._threads == 1 or len(payloads) < 2:
            return [self._codec.decode(payload, size) for payload, size in payloads]
        with ThreadPoolExecutor(self._threads) as pool:
            return list(pool.map(lambda item: self._codec.decode(*item), payloads))
