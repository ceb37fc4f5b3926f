"""Is this worth a language model? Cheap statistics that err on the side of yes.

A wrong yes costs time only, since what the other codec makes of the bytes is kept when it is smaller.
"""

from __future__ import annotations

import re

_BLOCK = 1 << 16
_SAMPLE = 1 << 14
_SAMPLES = 4
_SHORTEST = 64

_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f\x1b")) + b"\x7f"
_UNBROKEN = re.compile(rb"[0-9A-Za-z+/=_-]{40,}")
_LETTERS_ONLY = re.compile(rb"[A-Za-z]+|[0-9]+")

MOST_CONTROLS = 0.02
"""Largest share of control characters in text."""
MOST_INVALID = 0.05
"""Largest share of bytes that are not valid UTF-8 in text."""
MOST_UNBROKEN = 0.5
"""Largest share of long runs of letters and digits, as in base64 and hexadecimal dumps, in text."""


def looks_like_text(data: bytes) -> bool:
    """Whether data is long enough and enough like text to be given to a language model.

    >>> looks_like_text(b"The quick brown fox jumps over the lazy dog. " * 4)
    True
    >>> looks_like_text(bytes(range(256)) * 4)
    False
    """
    if len(data) < _SHORTEST:
        return False
    sample = _sample(data)
    size = len(sample)
    controls = size - len(sample.translate(None, _CONTROLS))
    if controls > MOST_CONTROLS * size or _invalid_bytes(sample) > MOST_INVALID * size:
        return False
    return _unbroken_bytes(sample) <= MOST_UNBROKEN * size


def text_ranges(data: bytes) -> list[tuple[int, int, bool]]:
    """Cut data into (start, end, whether it looks like text), in whole blocks, neighbours joined.

    >>> text_ranges(b"Once upon a time. " * 9000 + bytes(range(256)) * 600)
    [(0, 131072, True), (131072, 315600, False)]
    """
    ranges: list[tuple[int, int, bool]] = []
    for start in range(0, len(data), _BLOCK):
        block = data[start : start + _BLOCK]
        # A last block too short to judge goes with the one before it.
        is_text = ranges[-1][2] if ranges and len(block) < _SAMPLE else looks_like_text(block)
        if ranges and ranges[-1][2] == is_text:
            ranges[-1] = (ranges[-1][0], start + len(block), is_text)
        else:
            ranges.append((start, start + len(block), is_text))
    return ranges


def _sample(data: bytes) -> bytes:
    """Pieces from the start to the end of data, joined."""
    if len(data) <= _SAMPLE * _SAMPLES:
        return data
    step = (len(data) - _SAMPLE) // (_SAMPLES - 1)
    return b"".join(data[index * step : index * step + _SAMPLE] for index in range(_SAMPLES))


def _invalid_bytes(sample: bytes) -> int:
    """Bytes that a UTF-8 decoder skips."""
    return len(sample) - len(sample.decode("utf-8", "ignore").encode())


def _unbroken_bytes(sample: bytes) -> int:
    """Bytes in long runs without a space or punctuation; runs of one kind of character do not count."""
    runs = (match.group() for match in _UNBROKEN.finditer(sample))
    return sum(len(run) for run in runs if not _LETTERS_ONLY.fullmatch(run) and len(set(run)) > 8)
