"""The codec that changes nothing: for bytes that no model can foretell."""

from __future__ import annotations

from collections.abc import Sequence

from foretell.codecs.base import STORED


class StoredCodec:
    """Keeps frames as they are.

    >>> StoredCodec().decode_frames([(b"abc", 3)])
    [b'abc']
    """

    name = "stored"
    id = STORED

    def encode_frames(self, frames: Sequence[bytes]) -> list[bytes]:
        """Return the frames."""
        return [bytes(frame) for frame in frames]

    def decode_frames(self, payloads: Sequence[tuple[bytes, int]]) -> list[bytes]:
        """Return the payloads."""
        return [payload for payload, _ in payloads]
