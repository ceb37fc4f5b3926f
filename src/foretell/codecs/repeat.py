"""The codec of one byte said many times, and the search for such runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from foretell.codecs.base import REPEAT

SHORTEST_RUN = 1 << 16
"""Shortest run, in bytes, that becomes a frame of its own."""


class RepeatCodec:
    r"""One byte stands for a frame that repeats it.

    >>> RepeatCodec().encode_frames([bytes(5)])
    [b'\x00']
    >>> RepeatCodec().decode_frames([(b"a", 3)])
    [b'aaa']
    """

    name = "repeat"
    id = REPEAT

    def encode_frames(self, frames: Sequence[bytes]) -> list[bytes]:
        """Return the first byte of each frame; the frames must be runs of one byte."""
        return [bytes(frame[:1]) for frame in frames]

    def decode_frames(self, payloads: Sequence[tuple[bytes, int]]) -> list[bytes]:
        """Repeat each payload."""
        return [payload * size for payload, size in payloads]


def split_runs(data: bytes) -> Iterator[tuple[int, int, bool]]:
    """Cut data into (start, end, whether it is one byte repeated), leaving short runs in their surroundings.

    >>> list(split_runs(b"ab" + bytes(SHORTEST_RUN)))
    [(0, 2, False), (2, 65538, True)]
    """
    position = 0
    for start, end in _long_runs(data):
        if position < start:
            yield position, start, False
        yield start, end, True
        position = end
    if position < len(data):
        yield position, len(data), False


def _long_runs(data: bytes) -> list[tuple[int, int]]:
    octets = np.frombuffer(data, np.uint8)
    if octets.size < SHORTEST_RUN:
        return []
    # A run of SHORTEST_RUN bytes holds two neighbouring probes, so most data is dismissed at once.
    probes = octets[:: SHORTEST_RUN // 2]
    if not np.any(probes[1:] == probes[:-1]):
        return []
    edges = np.concatenate([[0], np.flatnonzero(octets[1:] != octets[:-1]) + 1, [octets.size]])
    long = np.flatnonzero(np.diff(edges) >= SHORTEST_RUN)
    return [(int(edges[index]), int(edges[index + 1])) for index in long]
