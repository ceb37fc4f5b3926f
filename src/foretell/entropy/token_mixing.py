"""Online mixing of a language model's token predictions with adaptive predictors.

Draft text.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from foretell.entropy.binary import decode_bit, encode_bit
from foretell.entropy.logistic import STRETCH_LIMIT, squash, stretch, stretch_ratio
from foretell.entropy.token_tree import END, TokenTree, TreeArrays, mass_before

CONTEXTS = 27
_MATCHES = 3
_MIN_LENGTHS = np.array([24, 12, 6], np.int64)
_INPUTS = 2 + 2 * CONTEXTS + 2 * _MATCHES  # bias, LM, contexts, matches
_PAD_INPUTS = (_INPUTS + 7) // 8 * 8
_SETS = 8
_SET_SIZES = (64 * 9, 9 * 8 * 4, 32 * 3, 256 * 2, 8 * 8 * 3, 257, 16 * 16, 64 * 9)
_SET_STARTS = np.cumsum(np.array((0, *_SET_SIZES), np.int64))
_ROWS = int(_SET_STARTS[-1])
_FINAL_INPUTS = _SETS + 2
_HISTORIES = 128 + 64 * 4
_SSE = 33

# fields of the integers of a lane
(
    _POS,
    _LINE,
    _ABOVE,
    _FIELD,
    _TOKENS,
    _COST,
    _GAIN,
    _TOKEN_START,
    _INDENT,
    _MATCH_POINTER,
) = range(10)
_MATCH_LENGTH = _MATCH_POINTER + _MATCHES
_MATCH_MISSES = _MATCH_LENGTH + _MATCHES
_NUMBERS = _MATCH_MISSES + _MATCHES
# fields of the hashes of a lane
(_C8, _WORD, _WORD1, _WORD2, _MASK, _FIRST, _FIELD_HASH, _T1, _T2, _T3, _T4, _T5, _C16, _SKELETON) = range(14)
_HASHES = 14

_VALID, _STARTS = 256, 512

_K1 = np.uint64(0x9E3779B97F4A7C15)
_K2 = np.uint64(0xD6E8FEB86659FD93)
_S32 = np.uint64(32)
_S29 = np.uint64(29)
_S8 = np.uint64(8)
_U0 = np.uint64(0)
_U1 = np.uint64(1)


class TokenMixer(NamedTuple):
    """State of the predictors of one frame; see :func:`new_mixer`. Both directions change it alike."""

    tree: TreeArrays
    slots: NDArray[np.uint32]  # (CONTEXTS, lines * 16)
    maps: NDArray[np.uint16]  # (CONTEXTS, 2, HISTORIES)
    bases: NDArray[np.uint64]
    lines: NDArray[np.int64]
    checks: NDArray[np.uint32]
    found: NDArray[np.int64]
    mapped: NDArray[np.int64]
    inputs: NDArray[np.int32]
    weights: NDArray[np.int32]
    rows: NDArray[np.int64]
    outputs: NDArray[np.int32]
    final_inputs: NDArray[np.int32]
    final_weights: NDArray[np.int32]
    match_maps: NDArray[np.uint16]
    match_found: NDArray[np.int64]
    match_tables: NDArray[np.int32]
    text: NDArray[np.uint16]
    numbers: NDArray[np.int64]
    hashes: NDArray[np.uint64]
    follow1: NDArray[np.uint32]
    follow2: NDArray[np.uint32]
    follow_token: NDArray[np.uint32]
    sse: NDArray[np.uint16]
    scratch: NDArray[np.int64]


(
    _NODE_P,
    _FINAL_P,
    _FINAL_ROW,
    _SSE_A,
    _SSE_B,
    _SSE_C,
    _COUNT,
    _LM,
    _HITS,
    _BYTES,
    _LONG,
    _EXPECTED,
    _SHIFT,
) = range(13)

_LENGTH_OF = np.zeros(256, np.int64)
_NEXT = np.zeros((2, 256), np.int64)
for _h in range(1, 256):
    _LENGTH_OF[_h] = _h.bit_length() - 1 if _h < 128 else 7 + ((_h - 128) >> 2)
    for _bit in range(2):
        if _h < 64:
            _NEXT[_bit, _h] = _h * 2 + _bit
        elif _h < 128:
            _NEXT[_bit, _h] = 128 + ((_h & 1) << 1) + _bit
        else:
            _NEXT[_bit, _h] = 128 + (min(((_h - 128) >> 2) + 1, 31) << 2) + (((_h & 1) << 1) | _bit)
_CONFIDENCE = np.array([256 * n // (2 * n + 4) for n in range(48)], np.int64)

RATE = np.zeros(48, np.int64)
for _n in range(48):
    RATE[_n] = int(65536 / (_n + 1.6))
_LIMIT = 31


def new_mixer(tree: TokenTree, tokens_per_lane: int, lanes: int) -> TokenMixer:
    """State for a frame of up to ``tokens_per_lane`` tokens in each of some lanes (more only cost ratio)."""
    total = tokens_per_lane * lanes
    line_bits = 9
    while (1 << line_bits) < total and line_bits < 16:
        line_bits += 1
    ring_bits = 12
    while (1 << ring_bits) < 6 * tokens_per_lane and ring_bits < 26:
        ring_bits += 1
    match_bits = 10
    while (1 << match_bits) < 4 * total and match_bits < 20:
        match_bits += 1
    maps = np.full((CONTEXTS, 2, _HISTORIES), 32768, np.uint16)
    for h in range(1, 128):
        n = h.bit_length() - 1
        ones = bin(h).count("1") - 1
        maps[:, :, h] = int(65536 * (ones * 2 + 1) / (2 * n + 2))
    for q in range(64):
        for last in range(4):
            maps[:, :, 128 + q * 4 + last] = squash((q - 32) * 96 + 48)
    weights = np.zeros((_ROWS, _PAD_INPUTS), np.int32)
    weights[:, 1] = 65536
    weights[:, 2 : 2 + CONTEXTS] = 6000
    final_weights = np.zeros((257 * 4, _FINAL_INPUTS), np.int32)
    final_weights[:, :_SETS] = 65536 // _SETS
    match_maps = np.zeros((_MATCHES, 2, 32 * 4), np.uint16)
    for bucket in range(32):
        match_maps[:, :, bucket * 4 : bucket * 4 + 4] = squash(min(256 * bucket // 4, 1400))
    curve = np.array([squash((j - 16) * 192) for j in range(_SSE)], np.uint16)
    return TokenMixer(
        tree=tree.arrays,
        slots=np.zeros((CONTEXTS, 16 << line_bits), np.uint32),
        maps=maps,
        bases=np.zeros(CONTEXTS, np.uint64),
        lines=np.zeros(CONTEXTS, np.int64),
        checks=np.zeros(CONTEXTS, np.uint32),
        found=np.zeros(CONTEXTS, np.int64),
        mapped=np.zeros(CONTEXTS, np.int64),
        inputs=np.zeros(_PAD_INPUTS, np.int32),
        weights=weights,
        rows=np.zeros(_SETS, np.int64),
        outputs=np.zeros(_SETS, np.int32),
        final_inputs=np.zeros(_FINAL_INPUTS, np.int32),
        final_weights=final_weights,
        match_maps=match_maps,
        match_found=np.full(_MATCHES, -1, np.int64),
        match_tables=np.zeros((_MATCHES, 1 << match_bits), np.int32),
        text=np.zeros((lanes, 1 << ring_bits), np.uint16),
        numbers=_new_numbers(lanes),
        hashes=np.zeros((lanes, _HASHES), np.uint64),
        follow1=np.zeros(256, np.uint32),
        follow2=np.zeros(65536, np.uint32),
        follow_token=np.zeros(65536, np.uint32),
        sse=np.broadcast_to(curve, (3, 1 << 16, _SSE)).copy(),
        scratch=_new_scratch(ring_bits),
    )


def _new_scratch(ring_bits: int) -> NDArray[np.int64]:
    scratch = np.zeros(16, np.int64)
    scratch[_SHIFT] = ring_bits
    return scratch


def _new_numbers(lanes: int) -> NDArray[np.int64]:
    numbers = np.zeros((lanes, _NUMBERS), np.int64)
    numbers[:, _MATCH_POINTER : _MATCH_POINTER + _MATCHES] = -1
    return numbers


@njit(cache=True, inline="always")
def _mix(a: np.uint64, b: np.uint64) -> np.uint64:
    h = (a + _K1) * _K2 ^ (b + _K2) * _K1
    return (h ^ (h >> _S29)) * _K1


@njit(cache=True, error_model="numpy")
def _match_step(m: TokenMixer, lane: int, byte: int) -> None:
    """Advance the matches over a byte that is now known (already in the text)."""
    v = m.numbers[lane]
    size = m.text.shape[1]
    mask = size - 1
    pos = v[_POS]
    shift = m.scratch[_SHIFT]
    here = (lane << shift) | (pos & mask)
    for i in range(_MATCHES):
        pointer = v[_MATCH_POINTER + i]
        if pointer >= 0:
            seen = m.text[pointer >> shift, pointer & mask]
            if seen == 0:
                pointer = np.int64(-1)
            elif seen & 255 == byte:
                v[_MATCH_LENGTH + i] = min(v[_MATCH_LENGTH + i] + 1, 65535)
                v[_MATCH_MISSES + i] = (v[_MATCH_MISSES + i] << 1) & 255
            else:
                v[_MATCH_LENGTH + i] = 0
                v[_MATCH_MISSES + i] = ((v[_MATCH_MISSES + i] << 1) | 1) & 255
                misses = v[_MATCH_MISSES + i]
                if misses & (misses - 1) and (misses & 255) > 0:
                    low = misses & 15
                    if (low & 1) + (low >> 1 & 1) + (low >> 2 & 1) + (low >> 3 & 1) > 2:
                        pointer = np.int64(-1)
            if pointer >= 0:
                pointer = (pointer & ~mask) | ((pointer + 1) & mask)
        least = _MIN_LENGTHS[i]
        if pos >= least:
            # hash of the last `least` bytes (at most 16 of them)
            h = m.hashes[lane, _C8]
            if least < 8:
                h = h & ((_U1 << np.uint64(8 * least)) - _U1)
            elif least > 8:
                h = _mix(h, m.hashes[lane, _C16] & ((_U1 << np.uint64(8 * min(least - 8, 7))) - _U1))
            slot = np.int64((_mix(h, np.uint64(i)) >> _S32) & np.uint64(m.match_tables.shape[1] - 1))
            if pointer < 0 or v[_MATCH_LENGTH + i] < least:
                candidate = np.int64(m.match_tables[i, slot]) - 1
                if candidate >= 0:
                    length = 0
                    other = candidate >> shift
                    while (
                        length < 48
                        and length < pos
                        and m.text[other, (candidate - 1 - length) & mask] & 255
                        == m.text[lane, (pos - 1 - length) & mask] & 255
                        and m.text[other, (candidate - 1 - length) & mask]
                    ):
                        length += 1
                    if length >= least and length > v[_MATCH_LENGTH + i]:
                        pointer = candidate
                        v[_MATCH_LENGTH + i] = length
                        v[_MATCH_MISSES + i] = 0
            m.match_tables[i, slot] = here + 1
        v[_MATCH_POINTER + i] = pointer
        if pointer < 0:
            v[_MATCH_LENGTH + i] = 0


@njit(cache=True, error_model="numpy")
def _push_byte(m: TokenMixer, lane: int, byte: int, starts: bool) -> None:
    """Append one byte to the history of a lane."""
    v = m.numbers[lane]
    x = m.hashes[lane]
    mask = m.text.shape[1] - 1
    b = np.uint64(byte)
    m.text[lane, v[_POS] & mask] = byte | _VALID | (_STARTS if starts else 0)
    c1 = x[_C8] & np.uint64(255)
    c2 = x[_C8] & np.uint64(65535)
    m.follow1[c1] = (m.follow1[c1] << 8) | byte
    m.follow2[c2] = (m.follow2[c2] << 8) | byte
    x[_C16] = (x[_C16] << _S8) | (x[_C8] >> np.uint64(56))
    x[_C8] = (x[_C8] << _S8) | b
    v[_POS] += 1
    lower = byte | 32
    if (lower >= 97 and lower <= 122) or byte >= 128:
        x[_WORD] = (x[_WORD] + np.uint64(lower)) * _K2
        kind = np.uint64(97)
    else:
        if x[_WORD] != _U0:
            x[_WORD2] = x[_WORD1]
            x[_WORD1] = x[_WORD]
            x[_WORD] = _U0
        kind = np.uint64(48) if byte >= 48 and byte <= 57 else b
    if not ((kind == np.uint64(97) or kind == np.uint64(48)) and (x[_MASK] & np.uint64(255)) == kind):
        x[_MASK] = (x[_MASK] << _S8) | kind
    if kind == np.uint64(48):
        x[_SKELETON] = x[_SKELETON] if x[_SKELETON] & np.uint64(1) else (x[_SKELETON] * _K1) | _U1
    else:
        x[_SKELETON] = ((x[_SKELETON] + b + _U1) * _K2) & ~_U1
    if byte == 10:
        v[_ABOVE] = v[_LINE]
        v[_LINE] = v[_POS]
        v[_FIELD] = 0
        v[_INDENT] = 0
        x[_FIRST] = _U0
        x[_FIELD_HASH] = _U0
        x[_SKELETON] = _U0
    else:
        if byte == 32 and v[_INDENT] == v[_POS] - 1 - v[_LINE]:
            v[_INDENT] += 1
        if byte == 32 or byte == 44 or byte == 9 or byte == 59 or byte == 61 or byte == 58:
            v[_FIELD] += 1
            x[_FIELD_HASH] = _U0
        else:
            x[_FIELD_HASH] = (x[_FIELD_HASH] + b + _U1) * _K2
            if v[_FIELD] <= v[_INDENT]:
                x[_FIRST] = x[_FIELD_HASH]
    _match_step(m, lane, byte)


@njit(cache=True, error_model="numpy")
def _set_bases(m: TokenMixer, lane: int, node: int, depth: int) -> None:
    """Hash every context at a byte boundary inside the token tree."""
    v = m.numbers[lane]
    x = m.hashes[lane]
    mask = m.text.shape[1] - 1
    c = x[_C8]
    c1 = c & np.uint64(255)
    inside = _U1 if depth > 0 else _U0
    place = np.uint64(node + 1)
    o = m.bases
    # token orders: the node stands for all bytes since the token began
    o[0] = place
    o[1] = _mix(x[_T1], place)
    o[2] = _mix(_mix(x[_T1], x[_T2]), place)
    h3 = _mix(_mix(x[_T1], x[_T2]), x[_T3])
    o[3] = _mix(h3, place)
    h4 = _mix(h3, x[_T4])
    o[4] = _mix(h4, place)
    o[5] = _mix(_mix(h4, x[_T5]), place)
    o[6] = _mix(x[_T2] + _K1, place)
    o[7] = _mix(_mix(x[_T2] + _K1, x[_T3]), place)
    # byte orders
    o[8] = _mix(c & np.uint64(0xFF), inside)
    o[9] = _mix(c & np.uint64(0xFFFF), inside)
    o[10] = _mix(c & np.uint64(0xFFFFFF), inside)
    o[11] = _mix(c & np.uint64(0xFFFFFFFF), inside)
    o[12] = _mix(c & np.uint64(0xFFFFFFFFFF), inside)
    o[13] = _mix(c & np.uint64(0xFFFFFFFFFFFF), inside)
    o[14] = _mix(c, x[_C16] & np.uint64(0xFF))
    # words
    o[15] = _mix(x[_WORD], c1)
    o[16] = _mix(_mix(x[_WORD], c1), x[_WORD1])
    o[17] = _mix(_mix(_mix(x[_WORD], c1), x[_WORD1]), x[_WORD2])
    # lines
    column = v[_POS] - v[_LINE]
    above = np.uint64(0)
    if v[_ABOVE] + column < v[_LINE]:
        above = np.uint64(m.text[lane, (v[_ABOVE] + column) & mask] & 255)
    o[18] = _mix(_mix(above, c1), inside)
    o[19] = _mix(_mix(np.uint64(min(column, 255)), above), inside)
    o[20] = _mix(_mix(x[_FIRST], np.uint64(v[_FIELD])), x[_FIELD_HASH])
    # digits and letters masked
    o[21] = _mix(_mix(x[_MASK], inside), _U0)
    o[22] = _mix(_mix(x[_SKELETON], c1), _U1)
    # indirect
    o[23] = _mix(_mix(np.uint64(m.follow1[c1] & 0xFFFF), c1), inside)
    o[24] = _mix(_mix(np.uint64(m.follow2[c & np.uint64(0xFFFF)] & 0xFFFF), c1), inside)
    o[25] = _mix(_mix(np.uint64(m.follow_token[x[_T1] & np.uint64(65535)]), x[_T1]), place)
    # expected byte
    shift = m.scratch[_SHIFT]
    expected = np.uint64(0)
    for i in range(_MATCHES):
        pointer = v[_MATCH_POINTER + i]
        if pointer >= 0:
            expected = np.uint64(m.text[pointer >> shift, pointer & mask]) + np.uint64(
                1024 * min(v[_MATCH_LENGTH + i] // 4, 7)
            )
            break
    m.scratch[_EXPECTED] = np.int64(expected)
    o[26] = _mix(_mix(expected, c1), inside)
    for i in range(CONTEXTS):
        o[i] = _mix(o[i], np.uint64(i))


@njit(cache=True, error_model="numpy")
def _set_lines(m: TokenMixer, nibble: int) -> None:
    size = m.slots.shape[1] >> 4
    n = np.uint64(nibble)
    for i in range(CONTEXTS):
        h = _mix(m.bases[i], n)
        m.lines[i] = np.int64((h >> _S32) & np.uint64(size - 1)) << 4
        m.checks[i] = np.uint32((h >> np.uint64(16)) & np.uint64(255))


@njit(cache=True, inline="always")
def _bucket(length: int) -> int:
    if length < 16:
        return length
    if length < 32:
        return 16 + (length - 16) // 4
    return min(20 + (length - 32) // 16, 31)


@njit(cache=True, error_model="numpy")
def _gather(m: TokenMixer, node: int) -> None:
    """Find the slots of all contexts at a node and make the mixer's inputs."""
    kind = np.int64(m.tree.kind[node])
    partial = np.int64(m.tree.partial[node])
    if kind == END:
        sub = 0
    elif kind >= 4:
        sub = partial
    else:
        sub = (1 << (3 - kind)) | (partial & ((1 << (3 - kind)) - 1))
    is_end = 1 if kind == END else 0
    hits_token = 0
    hits_byte = 0
    for i in range(CONTEXTS):
        first = m.lines[i] + sub
        check = m.checks[i]
        at = first
        s = m.slots[i, at]
        if s & 255 != check or s == 0:
            other = first ^ 16
            s2 = m.slots[i, other]
            if s2 & 255 == check and s2 != 0:
                at = other
                s = s2
            else:
                if ((s2 >> 8) & 255) < ((s >> 8) & 255):
                    at = other
                s = np.uint32(32768 << 16) | np.uint32(1 << 8) | check
                m.slots[i, at] = s
        m.found[i] = at
        h = np.int64((s >> 8) & 255)
        p = np.int64(s >> 16)
        if h == 1:
            m.mapped[i] = -1
            m.inputs[2 + i] = 0
            m.inputs[2 + CONTEXTS + i] = 0
        else:
            st = np.int64(stretch(p))
            index = 128 + (((st + 3072) * 683) >> 16) * 4 + (h & 3) if h >= 128 else h
            m.mapped[i] = index
            m.inputs[2 + i] = stretch(m.maps[i, is_end, index])
            m.inputs[2 + CONTEXTS + i] = (st * _CONFIDENCE[_LENGTH_OF[h]]) >> 8
            if i < 6:
                hits_token = i
            elif i >= 8 and i < 15:
                hits_byte = i - 7
    m.scratch[_HITS] = hits_byte * 8 + hits_token


@njit(cache=True, error_model="numpy")
def _match_inputs(m: TokenMixer, lane: int, node: int) -> None:
    v = m.numbers[lane]
    kind = np.int64(m.tree.kind[node])
    partial = np.int64(m.tree.partial[node])
    size = m.text.shape[1]
    shift = m.scratch[_SHIFT]
    base = 2 + 2 * CONTEXTS
    longest = 0
    for i in range(_MATCHES):
        m.match_found[i] = -1
        m.inputs[base + 2 * i] = 0
        m.inputs[base + 2 * i + 1] = 0
        pointer = v[_MATCH_POINTER + i]
        if pointer < 0:
            continue
        seen = np.int64(m.text[pointer >> shift, pointer & (size - 1)])
        if seen == 0:
            continue
        if kind == END:
            bit = 0 if seen & _STARTS else 1
        else:
            byte = (seen & 255) | 256
            if byte >> (kind + 1) != partial:
                continue
            bit = byte >> kind & 1
        misses = v[_MATCH_MISSES + i]
        recent = min((misses & 1) + (misses >> 1 & 1) + (misses >> 2 & 1) + (misses >> 3 & 1), 3)
        bucket = _bucket(v[_MATCH_LENGTH + i])
        index = bucket * 4 + recent
        is_end = 1 if kind == END else 0
        m.match_found[i] = ((index * 2) + is_end) * 2 + bit
        st = np.int64(stretch(m.match_maps[i, is_end, index]))
        strong = min(v[_MATCH_LENGTH + i], 32) * 16
        m.inputs[base + 2 * i] = st if bit else -st
        m.inputs[base + 2 * i + 1] = strong if bit else -strong
        if longest == 0:
            longest = 1 + (bucket // 2) * 2 + bit
    m.scratch[_LONG] = longest


@njit(cache=True, error_model="numpy")
def _predict(m: TokenMixer, lane: int, node: int, lm: int) -> int:
    """Probability of a one at a node, as 16-bit integer."""
    _gather(m, node)
    _match_inputs(m, lane, node)
    v = m.numbers[lane]
    c1 = np.int64(m.hashes[lane, _C8] & np.uint64(255))
    m.inputs[0] = 256
    m.inputs[1] = lm
    kind = np.int64(m.tree.kind[node])
    partial = np.int64(m.tree.partial[node])
    depth = min(np.int64(m.tree.depth[node]), 7)
    is_end = 1 if kind == END else 0
    rows = m.rows
    cost = min(v[_COST] >> 13, 15)
    gain = min(max((v[_GAIN] >> 12) + 8, 0), 15)
    rows[0] = _SET_STARTS[0] + m.scratch[_LONG] * 9 + kind
    rows[1] = _SET_STARTS[1] + (kind * 8 + depth) * 4 + min(m.scratch[_LONG], 24) // 8
    rows[2] = _SET_STARTS[2] + (lm + 3072) // 192 * 3 + (is_end if depth else 2)
    rows[3] = _SET_STARTS[3] + c1 * 2 + is_end
    rows[4] = _SET_STARTS[4] + m.scratch[_HITS] * 3 + (is_end if depth else 2)
    rows[5] = _SET_STARTS[5] + partial
    rows[6] = _SET_STARTS[6] + cost * 16 + gain
    rows[7] = _SET_STARTS[7] + min(abs(lm) // 192, 15) * 9 * 4 + kind * 4 + cost // 4
    for k in range(_SETS):
        row = rows[k]
        total = np.int64(0)
        for j in range(_PAD_INPUTS):
            total += np.int64(m.weights[row, j]) * np.int64(m.inputs[j])
        st = min(max((total + 32768) >> 16, -STRETCH_LIMIT), STRETCH_LIMIT)
        m.outputs[k] = squash(st)
        m.final_inputs[k] = st
    m.final_inputs[_SETS] = lm
    m.final_inputs[_SETS + 1] = 256
    row = partial + 257 * min(m.scratch[_LONG] // 8, 3) if kind != END else 256
    m.scratch[_FINAL_ROW] = row
    total = np.int64(0)
    for k in range(_FINAL_INPUTS):
        total += np.int64(m.final_weights[row, k]) * np.int64(m.final_inputs[k])
    st = min(max((total + 32768) >> 16, -STRETCH_LIMIT), STRETCH_LIMIT)
    p = np.int64(squash(st))
    m.scratch[_FINAL_P] = p
    # SSE
    code = partial if kind != END else 256
    q0 = _sse_place(m, 0, st, (c1 * 257 + code) & 65535, _SSE_A)
    q1 = _sse_place(m, 1, st, (m.scratch[_EXPECTED] * 263 + code * 7 + m.scratch[_HITS]) & 65535, _SSE_B)
    q2 = _sse_place(
        m, 2, lm, ((np.int64(m.hashes[lane, _T1] & np.uint64(65535)) * 29) ^ (node * 31)) & 65535, _SSE_C
    )
    p = (p * 8 + q0 * 3 + q1 * 4 + q2 + 8) >> 4
    return min(max(p, 1), 65535)


@njit(cache=True, error_model="numpy")
def _sse_place(m: TokenMixer, which: int, st: int, context: int, field: int) -> int:
    x = st + 3072
    j = x // 192
    f = x - j * 192
    m.scratch[field] = (context * _SSE) + j + (1 if f >= 96 else 0)
    row = m.sse[which, context]
    return (np.int64(row[j]) * (192 - f) + np.int64(row[j + 1]) * f) // 192


@njit(cache=True, error_model="numpy")
def _nudge(table: NDArray[np.uint16], index: int, bit: int, shift: int) -> None:
    p = np.int64(table[index])
    if bit:
        p += (65535 - p + (1 << shift) - 1) >> shift
    else:
        p -= p >> shift
    table[index] = min(max(p, 16), 65535 - 16)


@njit(cache=True, error_model="numpy")
def _update(m: TokenMixer, lane: int, bit: int) -> None:
    target = 65535 if bit else 0
    for i in range(CONTEXTS):
        s = m.slots[i, m.found[i]]
        h = np.int64((s >> 8) & 255)
        p = np.int64(s >> 16)
        p += ((target - p) * RATE[min(_LENGTH_OF[h], _LIMIT)]) >> 16
        h = _NEXT[bit, h]
        m.slots[i, m.found[i]] = (p << 16) | (h << 8) | (s & 255)
    kind_end = m.scratch[_NODE_P]
    for i in range(CONTEXTS):
        if m.mapped[i] >= 0:
            p = np.int64(m.maps[i, kind_end, m.mapped[i]])
            p += ((target - p) * 5) >> 9
            m.maps[i, kind_end, m.mapped[i]] = min(max(p, 16), 65519)
    for i in range(_MATCHES):
        place = m.match_found[i]
        if place >= 0:
            right = 1 if (place & 1) == bit else 0
            row = m.match_maps[i, place >> 1 & 1]
            _nudge(row, place >> 2, right, 6)
    count = m.scratch[_COUNT]
    m.scratch[_COUNT] = count + 1
    rate = 14 + 40960 // (count + 1024)
    full = bit << 16
    for k in range(_SETS):
        error = np.int32(((full - np.int64(m.outputs[k])) * rate) >> 4)
        row = m.rows[k]
        for j in range(_PAD_INPUTS):
            step = np.int32(np.int32(m.inputs[j]) * error)
            step = np.int32(np.int32(step + np.int32(1 << 16)) >> np.int32(17))
            m.weights[row, j] = np.int32(m.weights[row, j] + step)
    error = (full - m.scratch[_FINAL_P]) * 4
    row = m.scratch[_FINAL_ROW]
    for k in range(_FINAL_INPUTS):
        m.final_weights[row, k] += (np.int64(m.final_inputs[k]) * error + (1 << 20)) >> 21
    _sse_update(m, 0, _SSE_A, bit)
    _sse_update(m, 1, _SSE_B, bit)
    _sse_update(m, 2, _SSE_C, bit)


@njit(cache=True, error_model="numpy")
def _sse_update(m: TokenMixer, which: int, field: int, bit: int) -> None:
    place = m.scratch[field]
    _nudge(m.sse[which, place // _SSE], place % _SSE, bit, 6)


@njit(cache=True, error_model="numpy")
def _enter(m: TokenMixer, lane: int, node: int, lo: int, known: int, nibble_key: int) -> tuple[int, int]:
    """Bring contexts up to a node; return the bytes known."""
    depth = np.int64(m.tree.depth[node])
    kind = np.int64(m.tree.kind[node])
    m.scratch[_NODE_P] = 1 if kind == END else 0
    fresh = known == 0 and nibble_key < 0
    offset = np.int64(m.tree.offsets[lo])
    while known < depth:
        _push_byte(m, lane, np.int64(m.tree.data[offset + known]), known == 0)
        known += 1
        fresh = True
    if fresh:
        _set_bases(m, lane, node, depth)
    nibble = 0 if kind >= 4 else np.int64(m.tree.partial[node]) >> (3 - kind)
    key = depth * 32 + nibble
    if key != nibble_key:
        _set_lines(m, nibble)
    return known, key


@njit(cache=True, error_model="numpy")
def _leave(m: TokenMixer, lane: int, leaf: int, known: int) -> None:
    """Append what is left of a token, then the token."""
    offset = np.int64(m.tree.offsets[leaf])
    for index in range(offset + known, np.int64(m.tree.offsets[leaf + 1])):
        _push_byte(m, lane, np.int64(m.tree.data[index]), index == offset)
    x = m.hashes[lane]
    t = _mix(np.uint64(leaf), _U1)
    m.follow_token[x[_T1] & np.uint64(65535)] = leaf + 1
    x[_T5] = x[_T4]
    x[_T4] = x[_T3]
    x[_T3] = x[_T2]
    x[_T2] = x[_T1]
    x[_T1] = t


@njit(cache=True, error_model="numpy")
def _account(m: TokenMixer, lane: int, lm: int, p: int, bit: int) -> None:
    """Track how well the LM and the mix have lately done in this lane, in 1/256 nat << 6."""
    v = m.numbers[lane]
    q = np.int64(squash(lm))
    pl = q if bit else 65536 - q
    pm = p if bit else 65536 - p
    cl = (65536 - pl) >> 4
    cm = (65536 - pm) >> 4
    v[_COST] += (cl * 64 - v[_COST]) >> 6
    v[_GAIN] += ((cl - cm) * 64 - v[_GAIN]) >> 6


@njit(cache=True, error_model="numpy")
def encode_token(
    mixer: TokenMixer,
    lane: int,
    leaf: int,
    lm_stretches: NDArray[np.int32],
    encoder: NDArray[np.uint64],
    out: NDArray[np.uint8],
) -> int:
    """Code one token.

    Parameters
    ----------
    mixer
        From :func:`new_mixer`; changed in place.
    lane
        Whose next token this is (0 to lanes - 1).
    leaf
        The token, as the number of its leaf.
    lm_stretches : int32
        The language model's logistic values on the path, from ``path_stretches``.
    encoder, out
        State of the arithmetic coder and its output, with room for two bytes a decision and 16 more.

    Returns
    -------
    int
        Number of decisions coded.
    """
    node = np.int64(0) if mixer.tree.mid.size else np.int64(-1)
    lo = np.int64(0)
    known = np.int64(0)
    key = np.int64(-1)
    count = 0
    while node >= 0:
        known, key = _enter(mixer, lane, node, lo, known, key)
        lm = np.int64(lm_stretches[count])
        p = _predict(mixer, lane, node, lm)
        bit = 1 if leaf >= mixer.tree.mid[node] else 0
        encode_bit(encoder, out, bit, p)
        _update(mixer, lane, bit)
        _account(mixer, lane, lm, p, bit)
        count += 1
        if bit:
            lo = np.int64(mixer.tree.mid[node])
            node = np.int64(mixer.tree.right[node])
        else:
            node = np.int64(mixer.tree.left[node])
    _leave(mixer, lane, leaf, known)
    return count


@njit(cache=True, error_model="numpy")
def decode_token(
    mixer: TokenMixer,
    lane: int,
    frequencies: NDArray[np.uint32],
    totals: NDArray[np.int64],
    decoder: NDArray[np.uint64],
    data: NDArray[np.uint8],
) -> int:
    """Decode one token; ``frequencies`` and ``totals`` as for ``path_stretches``, the rest as above.

    Returns
    -------
    int
        The leaf. Whatever ``data`` holds, some leaf is returned.
    """
    node = np.int64(0) if mixer.tree.mid.size else np.int64(-1)
    lo = np.int64(0)
    known = np.int64(0)
    key = np.int64(-1)
    below = np.int64(0)
    above = mass_before(frequencies, totals, frequencies.size)
    while node >= 0:
        known, key = _enter(mixer, lane, node, lo, known, key)
        middle = mass_before(frequencies, totals, mixer.tree.mid[node])
        lm = np.int64(stretch_ratio(above - middle, middle - below))
        p = _predict(mixer, lane, node, lm)
        bit = decode_bit(decoder, data, p)
        _update(mixer, lane, bit)
        _account(mixer, lane, lm, p, bit)
        if bit:
            lo = np.int64(mixer.tree.mid[node])
            below = middle
            node = np.int64(mixer.tree.right[node])
        else:
            above = middle
            node = np.int64(mixer.tree.left[node])
    _leave(mixer, lane, lo, known)
    return lo
