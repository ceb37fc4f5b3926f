"""Match models of the token mixer: what followed the last occurrence of the bytes just seen.

The text of all lanes is searched. A match goes on after a byte that it got wrong, for as long as at
least one of its last four bytes was right and another was too, so that a changed number in a log line
does not end it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled, inlined, inlined_late
from foretell.entropy.logistic import stretch
from foretell.entropy.token_state import (
    IS_END,
    LENGTH,
    LONGEST,
    MATCHED,
    MATCHES,
    MISSES,
    OLDER,
    OPINION,
    POINTER,
    POSITION,
    RECENT,
    RING_BITS,
    STARTS,
    TokenMixer,
    hashed,
    nudge,
)
from foretell.entropy.token_tree import END

_LEAST = np.array([24, 12, 6], np.int64)
_MOST = 48
_HASHED_RECENT = np.array([2**64 - 1, 2**64 - 1, 2**48 - 1], np.uint64)
_HASHED_OLDER = np.array([2**56 - 1, 2**32 - 1, 0], np.uint64)
_HALF = np.uint64(32)


@inlined
def _misses_of_four(misses: int) -> int:
    return (misses & 1) + (misses >> 1 & 1) + (misses >> 2 & 1) + (misses >> 3 & 1)


@compiled
def _follow(text: NDArray[np.uint16], ring_bits: int, numbers: NDArray[np.int64], i: int, byte: int) -> None:
    """Move match i over a byte, or give it up."""
    mask = np.int64(text.shape[1] - 1)
    pointer = numbers[POINTER + i]
    seen = np.int64(text[pointer >> ring_bits, pointer & mask])
    if seen == 0:
        numbers[POINTER + i] = -1
        return
    missed = 1 if seen & 255 != byte else 0
    numbers[MISSES + i] = ((numbers[MISSES + i] << 1) | missed) & 255
    numbers[LENGTH + i] = 0 if missed else min(numbers[LENGTH + i] + 1, 65535)
    if missed and _misses_of_four(numbers[MISSES + i]) > 2:
        numbers[POINTER + i] = -1
    else:
        numbers[POINTER + i] = (pointer & ~mask) | ((pointer + 1) & mask)


@compiled
def _common_length(text: NDArray[np.uint16], ring_bits: int, candidate: int, lane: int, position: int) -> int:
    """How many bytes (at most 48) before a place in the text equal those before a lane's position."""
    mask = text.shape[1] - 1
    other = candidate >> ring_bits
    length = 0
    while length < min(_MOST, position):
        seen = np.int64(text[other, (candidate - 1 - length) & mask])
        if seen == 0 or seen & 255 != np.int64(text[lane, (position - 1 - length) & mask]) & 255:
            break
        length += 1
    return length


@inlined_late
def match_byte(m: TokenMixer, lane: int, byte: int) -> None:
    """Bring the matches of a lane up to a byte that has just been appended to its text."""
    numbers = m.numbers[lane]
    position = numbers[POSITION]
    mask = m.text.shape[1] - 1
    ring_bits = m.registers[RING_BITS]
    here = (lane << ring_bits) | (position & mask)
    for i in range(MATCHES):
        if numbers[POINTER + i] >= 0:
            _follow(m.text, ring_bits, numbers, i, byte)
        if position >= _LEAST[i]:
            key = hashed(
                hashed(m.hashes[lane, RECENT] & _HASHED_RECENT[i], m.hashes[lane, OLDER] & _HASHED_OLDER[i]),
                np.uint64(i),
            )
            place = np.int64((key >> _HALF) & np.uint64(m.match_tables.shape[1] - 1))
            candidate = np.int64(m.match_tables[i, place]) - 1
            if candidate >= 0 and (numbers[POINTER + i] < 0 or numbers[LENGTH + i] < _LEAST[i]):
                length = _common_length(m.text, ring_bits, candidate, lane, position)
                if length >= _LEAST[i]:
                    numbers[POINTER + i] = candidate
                    numbers[LENGTH + i] = length
                    numbers[MISSES + i] = 0
            m.match_tables[i, place] = here + 1
        if numbers[POINTER + i] < 0:
            numbers[LENGTH + i] = 0


@inlined
def _quantised(length: int) -> int:
    """0 to 31: exact below 16, in fours below 32, then in sixteens."""
    if length < 16:
        return length
    if length < 32:
        return 16 + ((length - 16) >> 2)
    return min(20 + ((length - 32) >> 4), 31)


@inlined_late
def predict_matches(m: TokenMixer, lane: int, node: int) -> None:
    """Set the mixer's inputs from the matches: which bit each expects, and how surely."""
    numbers = m.numbers[lane]
    kind = np.int64(m.tree.kind[node])
    partial = np.int64(m.tree.partial[node])
    mask = m.text.shape[1] - 1
    opinion = m.registers[OPINION]
    is_end = m.registers[IS_END]
    longest = np.int64(0)
    for i in range(MATCHES):
        m.match_found[i] = -1
        m.inputs[MATCHED + 2 * i] = 0
        m.inputs[MATCHED + 2 * i + 1] = 0
        pointer = numbers[POINTER + i]
        if pointer < 0:
            continue
        seen = np.int64(m.text[pointer >> m.registers[RING_BITS], pointer & mask])
        byte = (seen & 255) | 256
        if seen == 0 or (kind != END and byte >> (kind + 1) != partial):
            continue
        bit = (0 if seen & STARTS else 1) if kind == END else byte >> kind & 1
        length = _quantised(numbers[LENGTH + i])
        state = length * 4 + min(_misses_of_four(numbers[MISSES + i]), 3)
        agreement = opinion if bit else 8 - opinion
        alone = np.int64(stretch(m.match_maps[i, is_end, state]))
        joint = np.int64(stretch(m.match_joint_maps[i, agreement, state]))
        m.match_found[i] = state * 2 + bit
        m.inputs[MATCHED + 2 * i] = alone if bit else -alone
        m.inputs[MATCHED + 2 * i + 1] = joint if bit else -joint
        if longest == 0:
            longest = 1 + (length >> 1) * 2 + bit
    m.registers[LONGEST] = longest


@inlined_late
def update_matches(m: TokenMixer, bit: int) -> None:
    """Learn from a bit how far the matches can be trusted."""
    opinion = m.registers[OPINION]
    for i in range(MATCHES):
        found = m.match_found[i]
        if found >= 0:
            expected = found & 1
            right = 1 if expected == bit else 0
            nudge(m.match_maps[i, m.registers[IS_END]], found >> 1, right)
            nudge(m.match_joint_maps[i, opinion if expected else 8 - opinion], found >> 1, right)
