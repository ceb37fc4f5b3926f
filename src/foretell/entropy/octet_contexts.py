"""Contexts of a byte: what the model of bytes looks at before it predicts the next one.

There are two profiles with the same number of contexts. *Text* follows words, fields, lines, the line above,
indentation and keys; *binary* follows sparse bytes and records of a length that it finds by itself. Both
share the last bytes (orders), the match model's byte and the bytes that followed earlier occurrences.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled, inlined
from foretell.entropy.context_table import hash_pair

CONTEXTS = 31
"""Contexts of either profile: 14 shared ones and 17 of its own."""

LONGEST_RECORD = 64
_INDENTS = 64
_STACK = 16

WORD, WORD1, WORD2, LINE_START, PREVIOUS_START, ABOVE, FIELD, FIELD_HASH, FORMAT, FIRST = range(10)
INDENT, DEPTH, TEMPLATE, KEY, PARENT, COLUMN, ABOVE_BYTE, BRACKET, RECORD = range(10, 19)
_BRACKETS = 32
_LEVELS = _BRACKETS + _STACK
_SCORES = _LEVELS + _INDENTS
STATE_FIELDS = _SCORES + LONGEST_RECORD + 1
_RECENT1 = STATE_FIELDS
_RECENT2 = _RECENT1 + 256
STATE_SIZE = _RECENT2 + 65536
"""Integers in the state: fields, brackets, indentation levels, record scores, recent successors."""

_LINE_FEED, _SPACE, _TAB = 10, 32, 9
_DIGIT, _LOWER, _UPPER, _TAIL_BYTE, _LEAD_BYTE = 4, 5, 6, 2, 3
_FORMAT_MASK = (1 << 60) - 1
_HASH_MASK = 0xFFFFFFFF


def _classes() -> NDArray[np.uint8]:
    table = np.zeros(256, np.uint8)
    table[:32] = 1
    table[128:192] = _TAIL_BYTE
    table[192:] = _LEAD_BYTE
    table[ord("0") : ord("9") + 1] = _DIGIT
    table[ord("a") : ord("z") + 1] = _LOWER
    table[ord("A") : ord("Z") + 1] = _UPPER
    for code, char in enumerate(" \n\t.,;:'\"()[]{}<>=/-_&#", 7):
        table[ord(char)] = code
    return table


CLASSES = _classes()
"""Class of each byte: 0 other, 1 control, 2-3 UTF-8, 4 digit, 5-6 letters, 7-30 one punctuation mark each."""


@inlined
def _before(data: NDArray[np.uint8], pos: int, distance: int) -> int:
    """Byte ``distance`` before ``pos``, or 0 before the start."""
    return np.int64(data[np.uintp(pos - distance)]) if pos >= distance else 0


@compiled
def _follow_words(state: NDArray[np.int64], c1: int, c2: int) -> None:
    """Words (letters of any script, case folded), classes of bytes, and the line with digits masked."""
    kind = np.int64(CLASSES[c1])
    if _TAIL_BYTE <= kind <= _UPPER and kind != _DIGIT:
        state[WORD] = hash_pair(state[WORD], c1 | 32 if kind == _UPPER else c1)
    elif state[WORD] != 0:
        state[WORD2] = state[WORD1]
        state[WORD1] = state[WORD]
        state[WORD] = 0
    state[FORMAT] = ((state[FORMAT] << 5) | kind) & _FORMAT_MASK
    if c1 == _LINE_FEED:
        state[TEMPLATE] = 0
        state[KEY] = 0
    elif kind != _DIGIT or CLASSES[c2] != _DIGIT:
        state[TEMPLATE] = hash_pair(state[TEMPLATE], 48 if kind == _DIGIT else c1)
    if c1 == ord(":") or c1 == ord("=") or c1 == ord("<"):
        state[KEY] = hash_pair(state[WORD1], c1)


@compiled
def _follow_line(state: NDArray[np.int64], data: NDArray[np.uint8], pos: int, c1: int) -> None:
    """Line, column and field, and the byte of the line above that stands at the same place of its field."""
    if c1 == _LINE_FEED:
        state[PREVIOUS_START] = state[LINE_START]
        state[LINE_START] = pos
        state[ABOVE] = state[PREVIOUS_START]
        state[FIELD] = state[FIELD_HASH] = state[FIRST] = state[INDENT] = 0
        return
    kind = np.int64(CLASSES[c1])
    end = state[LINE_START] - 1
    above = state[ABOVE]
    if c1 != ord("_") and (kind == 0 or kind > _UPPER):
        state[FIELD] += 1
        state[FIELD_HASH] = 0
        scan = above
        while scan < end and scan < above + 48 and data[scan] != c1:
            scan += 1
        if scan < end and data[scan] == c1:
            above = scan + 1
        elif above < end:
            above += 1
    else:
        state[FIELD_HASH] = hash_pair(state[FIELD_HASH], c1)
        if above < end and CLASSES[data[above]] <= _UPPER:
            above += 1
    state[ABOVE] = above
    if pos - state[LINE_START] <= 2:
        state[FIRST] = hash_pair(state[FIRST], c1)


@compiled
def _follow_nesting(state: NDArray[np.int64], pos: int, c1: int) -> None:
    """Open brackets, and the start of the nearest line above that is indented less."""
    if c1 == ord("(") or c1 == ord("[") or c1 == ord("{") or c1 == ord("<"):
        state[DEPTH] = (state[DEPTH] + 1) & (_STACK - 1)
        state[_BRACKETS + state[DEPTH]] = c1
    elif c1 == ord(")") or c1 == ord("]") or c1 == ord("}") or c1 == ord(">"):
        state[_BRACKETS + state[DEPTH]] = 0
        state[DEPTH] = (state[DEPTH] - 1) & (_STACK - 1)
    column = pos - state[LINE_START]
    if state[INDENT] == column - 1 and c1 in (_SPACE, _TAB):
        state[INDENT] += 1
    indent = state[INDENT]
    if c1 <= _SPACE or indent >= _INDENTS:
        return
    if column == indent + 1:
        state[PARENT] = state[_LEVELS + max(indent - 1, 0)]
        for level in range(indent, min(indent + 8, _INDENTS)):
            state[_LEVELS + level] = state[PARENT]
    if column < indent + 24:
        state[_LEVELS + indent] = hash_pair(state[_LEVELS + indent], c1)


@compiled
def _follow_records(state: NDArray[np.int64], data: NDArray[np.uint8], pos: int, c1: int) -> None:
    """Find the distance at which bytes repeat most often of late."""
    best = state[RECORD]
    for distance in range(2, min(pos - 1, LONGEST_RECORD) + 1):
        score = state[_SCORES + distance]
        score -= score >> 7
        if data[pos - 1 - distance] == c1:
            score += 1024
        state[_SCORES + distance] = score
        if score > state[_SCORES + best] + 2048:
            best = distance
    state[RECORD] = best


@compiled
def follow(state: NDArray[np.int64], data: NDArray[np.uint8], pos: int, binary: int) -> None:
    """Bring the state from the byte before ``data[pos - 1]`` past it."""
    if pos > 0:
        c1, c2, c3 = _before(data, pos, 1), _before(data, pos, 2), _before(data, pos, 3)
        _follow_words(state, c1, c2)
        if binary:
            _follow_records(state, data, pos, c1)
        else:
            _follow_line(state, data, pos, c1)
            _follow_nesting(state, pos, c1)
        state[_RECENT1 + c2] = (state[_RECENT1 + c2] << 8 | c1) & 0xFFFFFF
        pair = _RECENT2 + (c2 | c3 << 8)
        state[pair] = (state[pair] << 8 | c1) & 0xFFFF
    if binary:
        state[COLUMN] = pos % max(state[RECORD], 1)
        state[ABOVE_BYTE] = _before(data, pos, max(state[RECORD], 1))
    else:
        state[COLUMN] = min(pos - state[LINE_START], 255)
        above = state[ABOVE]
        state[ABOVE_BYTE] = data[above] if above < state[LINE_START] - 1 else _LINE_FEED
    state[BRACKET] = state[_BRACKETS + state[DEPTH]]


@compiled
def _text(state: NDArray[np.int64], cx: NDArray[np.int64], data: NDArray[np.uint8], pos: int, h3: int) -> None:
    """The 17 contexts of the text profile."""
    c1, c2 = h3 & 0xFF, (h3 >> 8) & 0xFF
    end = state[LINE_START] - 1
    column, above = state[COLUMN], state[ABOVE_BYTE]
    after = np.int64(data[state[ABOVE] + 1]) if state[ABOVE] + 1 < end else _LINE_FEED
    straight = state[PREVIOUS_START] + column
    top = np.int64(data[straight]) if straight < end else _LINE_FEED
    w0, w1, bracket = state[WORD], state[WORD1], state[BRACKET]
    cx[11] = hash_pair(hash_pair(w0, w1), c1)
    cx[12] = hash_pair(w0, state[WORD2])
    cx[13] = hash_pair(h3, w1)
    cx[14] = hash_pair(column, top | c1 << 8)
    cx[15] = top | c1 << 8 | above << 16
    cx[16] = hash_pair(state[FIELD], hash_pair(state[FIELD_HASH], above))
    cx[17] = hash_pair(state[FIRST], column)
    cx[18] = hash_pair(bracket, c1 | c2 << 8)
    cx[19] = hash_pair(hash_pair(bracket, state[INDENT]), w0)
    cx[20] = hash_pair(above | after << 8, c1 | c2 << 8)
    cx[21] = state[TEMPLATE]
    cx[22] = hash_pair(state[KEY], hash_pair(w0, c1))
    cx[23] = hash_pair(state[PARENT], hash_pair(w0, c1))
    cx[24] = hash_pair(state[FORMAT] & 0x3FFFFFFF, c1)
    cx[25] = hash_pair(above | after << 8 | c1 << 16, w0)
    cx[26] = c2
    cx[27] = hash_pair(w1, c1)


@compiled
def _binary(state: NDArray[np.int64], cx: NDArray[np.int64], data: NDArray[np.uint8], pos: int, h4: int) -> None:
    """The 17 contexts of the binary profile."""
    c1, c2, c3, c4 = h4 & 0xFF, (h4 >> 8) & 0xFF, (h4 >> 16) & 0xFF, h4 >> 24
    length, column, above = state[RECORD], state[COLUMN], state[ABOVE_BYTE]
    higher = _before(data, pos, 2 * max(length, 1))
    after = _before(data, pos, max(length, 2) - 1)
    cx[11] = c2
    cx[12] = c3
    cx[13] = c2 | c3 << 8
    cx[14] = c1 | c3 << 8
    cx[15] = c3 | c4 << 8
    cx[16] = c4
    cx[17] = h4 & 0xF0F0FF00
    cx[18] = c4 | c3 << 8 | (c2 & 0xF0) << 16
    cx[19] = hash_pair(h4 & 0xF8F8F8F8, _before(data, pos, 5) & 0xF8)
    cx[20] = hash_pair(length, column)
    cx[21] = hash_pair(length, above | c1 << 8)
    cx[22] = hash_pair(length, above | higher << 8 | column << 16)
    cx[23] = above | after << 8 | c1 << 16
    cx[24] = c1 | (pos & 3) << 8
    cx[25] = hash_pair(c2 | c3 << 8 | c4 << 16, 0)
    cx[26] = h4 & 0xFFF0F0F0
    cx[27] = hash_pair(c1 | c4 << 8, _before(data, pos, 5))


@compiled
def fill_contexts(
    state: NDArray[np.int64],
    cx: NDArray[np.int64],
    data: NDArray[np.uint8],
    pos: int,
    binary: int,
    expected: int,
    length: int,
) -> None:
    """Hash every context of the byte at ``pos``; ``expected`` is the match model's byte, or -1."""
    h4 = 0
    for distance in range(1, 5):
        h4 |= _before(data, pos, distance) << (8 * distance - 8)
    h2, h3 = h4 & 0xFFFF, h4 & 0xFFFFFF
    h5 = hash_pair(h4, _before(data, pos, 5))
    h7 = hash_pair(h5, _before(data, pos, 6) | _before(data, pos, 7) << 8)
    c1 = h4 & 0xFF
    fmt = state[FORMAT]
    cx[0] = c1
    cx[1] = h2
    cx[2] = h3
    cx[3] = h4
    cx[4] = h5
    cx[5] = h7
    cx[6] = hash_pair(state[WORD], c1)
    cx[7] = hash_pair(fmt & _HASH_MASK, fmt >> 32)
    cx[8] = hash_pair(expected + 1, length)
    cx[9] = hash_pair(expected + 1, h2)
    cx[10] = state[_RECENT1 + c1] | c1 << 24
    if binary:
        _binary(state, cx, data, pos, h4)
    else:
        _text(state, cx, data, pos, h3)
    cx[28] = fmt & 0xFFFFF
    cx[29] = hash_pair(state[_RECENT2 + h2], h2)
    cx[30] = hash_pair(state[_RECENT2 + h2] & 0xFF, h3)
    for i in range(CONTEXTS):
        cx[i] = hash_pair(cx[i] & _HASH_MASK, i)
