"""Contexts of the token mixer: where a lane is, and what followed when it (or another) was there before.

A context is hashed when a byte begins and again in the middle of the byte. A decision has a slot in the
block of 16 that the hash chooses: number 0 for "does the token end", 1 to 15 for the nodes of a tree of
four bits, exclusive-or with the hash, so that contexts with few decisions share blocks evenly.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled, inlined_late
from foretell.entropy.logistic import stretch
from foretell.entropy.token_matches import match_byte
from foretell.entropy.token_state import (
    ABOVE,
    BYTE_CONTEXTS,
    CONTEXTS,
    EXACT,
    EXPECTED,
    FIELD,
    FIELD_HASH,
    FIRST,
    FOLLOWED,
    HITS,
    INDENT,
    IS_END,
    LENGTH,
    LINE,
    MASKED,
    MATCHES,
    OLDER,
    POINTER,
    POSITION,
    RATES,
    RECENT,
    RING_BITS,
    SKELETON,
    STARTS,
    T1,
    T2,
    T3,
    T4,
    T5,
    TOKEN_CONTEXTS,
    TOUCHED,
    WORD,
    WORD1,
    WORD2,
    WRITTEN,
    TokenMixer,
    hashed,
)
from foretell.entropy.token_tree import END

_0, _1, _7, _8, _16, _32, _56 = (np.uint64(value) for value in (0, 1, 7, 8, 16, 32, 56))
_BYTE, _PAIR = np.uint64(0xFF), np.uint64(0xFFFF)
_3_BYTES, _4_BYTES, _6_BYTES = np.uint64(2**24 - 1), np.uint64(2**32 - 1), np.uint64(2**48 - 1)
_SPREAD = np.uint64(0xD6E8FEB86659FD93)
_SPREAD_DIGIT = np.uint64(0x9E3779B97F4A7C15)
_LETTER, _DIGIT = np.uint64(97), np.uint64(48)
_NEW_SLOT = np.uint32((32768 << 16) | (1 << 8))


def _history_tables() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bits seen (at most 31, for the rate) of a history, and the history after each bit."""
    seen = np.zeros(256, np.int64)
    after = np.zeros((2, 256), np.int64)
    for history in range(1, 256):
        count = history.bit_length() - 1 if history < EXACT else 7 + (history - EXACT) // 4
        seen[history] = min(count, 31)
        for bit in range(2):
            if history < 64:
                after[bit, history] = 2 * history + bit
            else:
                step = min((history - EXACT) // 4 + 1, 31) if history >= EXACT else 0
                after[bit, history] = EXACT + 4 * step + 2 * (history & 1) + bit
    return seen, after


_SEEN, _AFTER = _history_tables()


@inlined_late
def _word_byte(x: NDArray[np.uint64], byte: int) -> None:
    """Hashes of the word and of the text with letters and digits masked."""
    b = np.uint64(byte)
    kind = b
    if (byte | 32 >= 97 and byte | 32 <= 122) or byte >= 128:
        x[WORD] = (x[WORD] + np.uint64(byte | 32)) * _SPREAD
        kind = _LETTER
    else:
        if x[WORD] != _0:
            x[WORD2] = x[WORD1]
            x[WORD1] = x[WORD]
            x[WORD] = _0
        if byte >= 48 and byte <= 57:
            kind = _DIGIT
    if (kind != _LETTER and kind != _DIGIT) or x[MASKED] & _BYTE != kind:
        x[MASKED] = (x[MASKED] << _8) | kind
    # A run of digits counts once; an odd hash says that one is under way.
    if kind != _DIGIT:
        x[SKELETON] = ((x[SKELETON] + b + _1) * _SPREAD) & ~_1
    elif x[SKELETON] & _1 == _0:
        x[SKELETON] = (x[SKELETON] * _SPREAD_DIGIT) | _1


@inlined_late
def _line_byte(x: NDArray[np.uint64], numbers: NDArray[np.int64], byte: int) -> None:
    """Line, indentation and field."""
    if byte == 10:
        numbers[ABOVE] = numbers[LINE]
        numbers[LINE] = numbers[POSITION]
        numbers[FIELD] = 0
        numbers[INDENT] = 0
        x[FIRST] = _0
        x[FIELD_HASH] = _0
        x[SKELETON] = _0
        return
    if byte == 32 and numbers[INDENT] == numbers[POSITION] - 1 - numbers[LINE]:
        numbers[INDENT] += 1
    if byte == 32 or byte == 9 or byte == 44 or byte == 58 or byte == 59 or byte == 61:
        numbers[FIELD] += 1
        x[FIELD_HASH] = _0
    else:
        x[FIELD_HASH] = (x[FIELD_HASH] + np.uint64(byte) + _1) * _SPREAD
        if numbers[FIELD] <= numbers[INDENT]:
            x[FIRST] = x[FIELD_HASH]


@compiled
def append_byte(m: TokenMixer, lane: int, byte: int, starts: bool) -> None:
    """Append a byte to the text of a lane; ``starts`` says that a token starts with it."""
    numbers = m.numbers[lane]
    x = m.hashes[lane]
    m.text[lane, numbers[POSITION] & (m.text.shape[1] - 1)] = byte | WRITTEN | (STARTS if starts else 0)
    last, pair = x[RECENT] & _BYTE, x[RECENT] & _PAIR
    m.followers[last] = (m.followers[last] << 8) | byte
    m.pair_followers[pair] = (m.pair_followers[pair] << 8) | byte
    x[OLDER] = (x[OLDER] << _8) | (x[RECENT] >> _56)
    x[RECENT] = (x[RECENT] << _8) | np.uint64(byte)
    numbers[POSITION] += 1
    _word_byte(x, byte)
    _line_byte(x, numbers, byte)
    match_byte(m, lane, byte)


@compiled
def append_token(m: TokenMixer, lane: int, leaf: int) -> None:
    """Append a token, whose bytes have been appended, to the history of a lane."""
    x = m.hashes[lane]
    m.token_followers[x[T1] & _PAIR] = leaf + 1
    x[T5] = x[T4]
    x[T4] = x[T3]
    x[T3] = x[T2]
    x[T2] = x[T1]
    x[T1] = hashed(np.uint64(leaf), _1)


@inlined_late
def _expected_byte(m: TokenMixer, lane: int) -> int:
    """Byte and flags that the longest match expects, and how long it is; 0 without a match."""
    numbers = m.numbers[lane]
    for i in range(MATCHES):
        pointer = numbers[POINTER + i]
        if pointer >= 0:
            seen = np.int64(m.text[pointer >> m.registers[RING_BITS], pointer & (m.text.shape[1] - 1)])
            expected: int = seen + 1024 * min(numbers[LENGTH + i] >> 2, 7)
            return expected
    return 0


@compiled
def start_byte(m: TokenMixer, lane: int, node: int) -> None:
    """Hash every context at the first decision of a byte."""
    numbers = m.numbers[lane]
    x = m.hashes[lane]
    recent = x[RECENT]
    last = recent & _BYTE
    inside = _1 if m.tree.depth[node] > 0 else _0
    place = np.uint64(node + 1)  # stands for all bytes of the token so far
    column = numbers[POSITION] - numbers[LINE]
    above = _0
    if numbers[ABOVE] + column < numbers[LINE]:
        above = np.uint64(m.text[lane, (numbers[ABOVE] + column) & (m.text.shape[1] - 1)] & 255)
    m.registers[EXPECTED] = _expected_byte(m, lane)
    tokens_2 = hashed(x[T1], x[T2])
    tokens_3 = hashed(tokens_2, x[T3])
    tokens_4 = hashed(tokens_3, x[T4])
    words_1 = hashed(x[WORD], last)
    words_2 = hashed(words_1, x[WORD1])
    bases = m.bases
    bases[0] = place
    bases[1] = hashed(x[T1], place)
    bases[2] = hashed(tokens_2, place)
    bases[3] = hashed(tokens_3, place)
    bases[4] = hashed(tokens_4, place)
    bases[5] = hashed(hashed(tokens_4, x[T5]), place)
    bases[6] = hashed(recent & _3_BYTES, inside)
    bases[7] = hashed(recent & _4_BYTES, inside)
    bases[8] = hashed(recent & _6_BYTES, inside)
    bases[9] = hashed(recent, x[OLDER] & _BYTE)
    bases[10] = words_1
    bases[11] = words_2
    bases[12] = hashed(words_2, x[WORD2])
    bases[13] = hashed(hashed(np.uint64(min(column, 255)), above), inside)
    bases[14] = hashed(hashed(x[FIRST], np.uint64(numbers[FIELD])), x[FIELD_HASH])
    bases[15] = hashed(x[MASKED], inside)
    bases[16] = hashed(x[SKELETON], last)
    bases[17] = hashed(hashed(np.uint64(m.followers[last] & 0xFFFF), last), inside)
    bases[18] = hashed(hashed(np.uint64(m.pair_followers[recent & _PAIR] & 0xFFFF), last), inside)
    bases[19] = hashed(hashed(np.uint64(m.token_followers[x[T1] & _PAIR]), x[T1]), place)
    bases[20] = hashed(hashed(np.uint64(m.registers[EXPECTED]), last), inside)
    for i in range(CONTEXTS):
        bases[i] = hashed(bases[i], np.uint64(i))


@inlined_late
def start_nibble(m: TokenMixer, nibble: int) -> None:
    """Choose the blocks of slots for the first half of a byte (0) or the second (16 + the first)."""
    mask = np.uint64(m.slots.shape[1] - 1)
    touched = np.int64(0)  # reading every block at once hides most of the wait for memory
    for i in range(CONTEXTS):
        h = hashed(m.bases[i], np.uint64(nibble))
        place = np.int64((h >> _32) & mask)
        m.lines[i] = place
        touched += m.slots[i, place]
        m.checks[i] = np.uint32((h >> _16) & _BYTE)
    m.registers[TOUCHED] = touched


@inlined_late
def _find(slots: NDArray[np.uint32], i: int, first: int, check: np.uint32) -> int:
    """Place of context i's slot, made new if neither of its two places holds it."""
    slot = slots[i, first]
    if slot & 255 == check and slot != 0:
        return first
    second = first ^ 1
    other = slots[i, second]
    if other & 255 == check and other != 0:
        return second
    place = second if (other >> 8) & 255 < (slot >> 8) & 255 else first
    slots[i, place] = _NEW_SLOT | check
    return place


@inlined_late
def predict_contexts(m: TokenMixer, node: int) -> None:
    """Set the mixer's inputs from the contexts, zero where one is new."""
    kind = np.int64(m.tree.kind[node])
    number = np.int64(m.tree.partial[node])
    if kind < 4:
        number = (1 << (3 - kind)) | (number & ((1 << (3 - kind)) - 1))
    spread = np.uint32(17 * number)
    is_end = m.registers[IS_END]
    token_hit = 0
    byte_hit = 0
    for i in range(CONTEXTS):
        place = _find(m.slots, i, m.lines[i] ^ number, m.checks[i] ^ spread)
        m.found[i] = place
        slot = m.slots[i, place]
        history = np.int64((slot >> 8) & 255)
        if history == 1:
            m.mapped[i] = -1
            m.inputs[FOLLOWED + i] = 0
            continue
        if history >= EXACT:
            level = ((np.int64(stretch(slot >> 16)) + 3072) * 683) >> 16
            history = EXACT + 4 * level + (history & 3)
        m.mapped[i] = history
        m.inputs[FOLLOWED + i] = stretch(m.history_maps[i, is_end, history])
        if i < TOKEN_CONTEXTS:
            token_hit = i
        elif i < TOKEN_CONTEXTS + BYTE_CONTEXTS:
            byte_hit = i - TOKEN_CONTEXTS + 1
    m.registers[HITS] = byte_hit * 8 + token_hit


@inlined_late
def update_contexts(m: TokenMixer, bit: int) -> None:
    """Learn a bit in every context, and from every context that was not new how to read it."""
    target = 65535 if bit else 0
    is_end = m.registers[IS_END]
    for i in range(CONTEXTS):
        slot = m.slots[i, m.found[i]]
        history = np.int64((slot >> 8) & 255)
        p = np.int64(slot >> 16)
        p += ((target - p) * RATES[_SEEN[history]]) >> 16
        m.slots[i, m.found[i]] = (p << 16) | (_AFTER[bit, history] << 8) | np.int64(slot & 255)
        mapped = m.mapped[i]
        if mapped >= 0:
            p = np.int64(m.history_maps[i, is_end, mapped])
            m.history_maps[i, is_end, mapped] = min(max(p + (((target - p) * 5) >> 9), 16), 65519)


@inlined_late
def enter_node(m: TokenMixer, lane: int, node: int, leaf: int, known: int, key: int) -> tuple[int, int]:
    """Bring a lane up to a node: append what bytes are known by now, hash the contexts anew where due.

    ``leaf`` is any leaf below the node, ``known`` how many bytes of the token were appended, ``key`` what
    the last call returned (-1 at a token's first node). Returns ``known`` and ``key``.
    """
    depth = np.int64(m.tree.depth[node])
    kind = np.int64(m.tree.kind[node])
    fresh = key < 0 or known < depth
    offset = np.int64(m.tree.offsets[leaf])
    while known < depth:
        append_byte(m, lane, np.int64(m.tree.data[offset + known]), known == 0)
        known += 1
    if fresh:
        start_byte(m, lane, node)
    m.registers[IS_END] = 1 if kind == END else 0
    nibble = np.int64(m.tree.partial[node]) >> (3 - kind) if kind < 4 else np.int64(0)
    if fresh or nibble != key:
        start_nibble(m, nibble)
    return known, nibble


@compiled
def leave_tree(m: TokenMixer, lane: int, leaf: int, known: int) -> None:
    """Append what is left of a token's bytes, and the token."""
    offset = np.int64(m.tree.offsets[leaf])
    for index in range(offset + known, np.int64(m.tree.offsets[leaf + 1])):
        append_byte(m, lane, np.int64(m.tree.data[index]), index == offset)
    append_token(m, lane, leaf)
