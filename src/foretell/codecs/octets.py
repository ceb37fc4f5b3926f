"""Byte codec."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from foretell.entropy.binary import TAIL_BYTES, decode_bit, encode_bit, finish, new_decoder, new_encoder
from foretell.entropy.context_table import LINE, find_lines, hash_pair, new_table
from foretell.entropy.counters import (
    HISTORY_FIRST,
    HISTORY_STATES,
    HISTORY_NEXT,
    map_update,
)
from foretell.entropy.logistic import STRETCH, squash, stretch
from foretell.entropy.match import (
    EXPECTED,
    LENGTH,
    MATCH_CONTEXTS,
    MATCHER_FIELDS,
    MISSES,
    POINTER,
    length_step,
    match_next,
)
from foretell.entropy.mixer import mix, new_refiner, refine, refine_update, train

CONTEXTS = 32
PER_CONTEXT = 2
MATCHERS = 2
MAP_LIMIT = 255
RATE = 30
SETS = 7
INPUTS = CONTEXTS * PER_CONTEXT + MATCHERS * 2 + 2
INPUTS_PADDED = (INPUTS + 15) // 16 * 16

WORD, WORD1, WORD2, LINE_START, PREV_START, ABOVE, FIELD, FIELD_HASH, FORMAT, FIRST, INDENT, BRACKET, DEPTH = range(13)
STACK = 16
STATE_FIELDS = 64


def _classes() -> NDArray[np.uint8]:
    table = np.zeros(256, np.uint8)
    table[:32] = 1
    table[128:192] = 2
    table[192:] = 3
    for code in range(32, 128):
        char = chr(code)
        if char.isdigit():
            table[code] = 4
        elif char.islower():
            table[code] = 5
        elif char.isupper():
            table[code] = 6
    for code, char in enumerate(" \n\t.,;:'\"()[]{}<>=/-_&#", 7):
        table[ord(char)] = min(code, 31)
    return table


CLASS = _classes()


@njit(cache=True)
def text_contexts(state, cx, data, pos, expected, length):
    """Fill hashes of the contexts for the byte at pos."""
    c1 = np.int64(data[pos - 1]) if pos > 0 else 0
    c2 = np.int64(data[pos - 2]) if pos > 1 else 0
    c3 = np.int64(data[pos - 3]) if pos > 2 else 0
    c4 = np.int64(data[pos - 4]) if pos > 3 else 0
    c5 = np.int64(data[pos - 5]) if pos > 4 else 0
    c6 = np.int64(data[pos - 6]) if pos > 5 else 0
    c7 = np.int64(data[pos - 7]) if pos > 6 else 0
    c8 = np.int64(data[pos - 8]) if pos > 7 else 0
    kind = np.int64(CLASS[c1])
    if pos > 0:
        letter = c1 | 32 if kind == 6 else c1
        if kind == 5 or kind == 6 or kind == 2 or kind == 3:
            state[WORD] = hash_pair(state[WORD], letter)
        elif state[WORD] != 0:
            state[WORD2] = state[WORD1]
            state[WORD1] = state[WORD]
            state[WORD] = 0
        state[FORMAT] = ((state[FORMAT] << 5) | kind) & ((1 << 60) - 1)
        if c1 == 10:
            state[PREV_START] = state[LINE_START]
            state[LINE_START] = pos
            state[ABOVE] = state[PREV_START]
            state[FIELD] = 0
            state[FIELD_HASH] = 0
            state[FIRST] = 0
            state[INDENT] = 0
        else:
            if state[INDENT] == pos - 1 - state[LINE_START] and (c1 == 32 or c1 == 9):
                state[INDENT] += 1
            end = state[LINE_START] - 1
            above = state[ABOVE]
            delimiter = c1 != 95 and (kind == 0 or kind > 6)
            if delimiter:
                state[FIELD] += 1
                state[FIELD_HASH] = 0
                # realign: the byte after the same delimiter in the line above
                scan = above
                while scan < end and scan < above + 48 and data[scan] != c1:
                    scan += 1
                if scan < end and data[scan] == c1:
                    above = scan + 1
                elif above < end:
                    above += 1
            else:
                state[FIELD_HASH] = hash_pair(state[FIELD_HASH], c1)
                if above < end and (CLASS[data[above]] <= 6):
                    above += 1
            state[ABOVE] = above
        if pos - state[LINE_START] <= 2 and c1 != 10:
            state[FIRST] = hash_pair(state[FIRST], c1)
        if c1 == 40 or c1 == 91 or c1 == 123 or c1 == 60:
            state[DEPTH] = (state[DEPTH] + 1) & 15
            state[STACK + state[DEPTH]] = c1
        elif c1 == 41 or c1 == 93 or c1 == 125 or c1 == 62:
            state[STACK + state[DEPTH]] = 0
            state[DEPTH] = (state[DEPTH] - 1) & 15
    column = min(pos - state[LINE_START], 255)
    end = state[LINE_START] - 1
    above = np.int64(data[state[ABOVE]]) if state[ABOVE] < end else 10
    above2 = np.int64(data[state[ABOVE] + 1]) if state[ABOVE] + 1 < end else 10
    straight = state[PREV_START] + column
    top = np.int64(data[straight]) if straight < end else 10
    w0, w1, w2 = state[WORD], state[WORD1], state[WORD2]
    bracket = state[STACK + state[DEPTH]]
    h2 = c1 | c2 << 8
    h4 = h2 | c3 << 16 | c4 << 24
    h3 = h4 & 0xFFFFFF
    h5 = hash_pair(h4, c5)
    h6 = hash_pair(h5, c6)
    h8 = hash_pair(h6, c7 | c8 << 8)
    fmt = state[FORMAT]
    i = 0
    cx[0] = 0
    cx[1] = c1
    cx[2] = h2
    cx[3] = h3
    cx[4] = h4
    cx[5] = h5
    cx[6] = h6
    cx[7] = h8
    cx[8] = hash_pair(w0, c1)
    cx[9] = hash_pair(hash_pair(w0, w1), c1)
    cx[10] = hash_pair(hash_pair(w0, w1), w2)
    cx[11] = hash_pair(w0, w2)
    cx[12] = hash_pair(w1, c1)
    cx[13] = c2 | c3 << 8
    cx[14] = c2
    cx[15] = c1 | c3 << 8
    cx[16] = c3 | c4 << 8
    cx[17] = hash_pair(column, top | c1 << 8)
    cx[18] = top | c1 << 8 | above << 16
    cx[19] = hash_pair(above | above2 << 8 | c1 << 16, w0)
    cx[20] = hash_pair(state[FIELD], hash_pair(state[FIELD_HASH], above))
    cx[21] = hash_pair(state[FIRST], hash_pair(state[FIELD], state[FIELD_HASH]))
    cx[22] = hash_pair(state[FIRST], column)
    cx[23] = fmt & 0xFFFFF
    cx[24] = hash_pair(fmt & 0x3FFFFFFF, c1)
    cx[25] = hash_pair(fmt & 0xFFFFFFFF, fmt >> 32)
    cx[26] = hash_pair(expected + 1, length)
    cx[27] = hash_pair(expected + 1, h2)
    cx[28] = hash_pair(bracket, h2)
    cx[29] = hash_pair(hash_pair(bracket, state[INDENT]), w0)
    cx[30] = hash_pair(h3, w1)
    cx[31] = hash_pair(above | above2 << 8, h2)
    for i in range(CONTEXTS):
        cx[i] = hash_pair(cx[i] & 0xFFFFFFFF, i)
    return column, above, bracket


@njit(cache=True)
def predict_slots(table, maps, base, slot, map_index, inputs, node):
    """Inputs of the mixer from every context."""
    for i in range(CONTEXTS):
        s = base[i] + node
        slot[i] = s
        index = i * HISTORY_STATES + np.int64(table[np.uintp(s)])
        map_index[i] = index
        q = np.int64(maps[np.uintp(index)]) >> 16
        inputs[i] = STRETCH[np.uintp(q)]
        inputs[CONTEXTS + i] = (q - 32768) >> 4


@njit(cache=True)
def update_slots(table, maps, slot, map_index, bit):
    """Learn a bit in every context."""
    for i in range(CONTEXTS):
        index = map_index[i]
        maps[np.uintp(index)] = map_update(np.int64(maps[np.uintp(index)]), bit, MAP_LIMIT)
        table[np.uintp(slot[i])] = HISTORY_NEXT[np.uintp(2 * (index & (HISTORY_STATES - 1)) + bit)]


@njit(cache=True, nogil=True)
def run(decoding, data, payload, start, line_bits, table, maps, weights, final_weights, refiner, heads):
    """Code or decode all bytes; returns the payload's size."""
    size = data.size
    mask = (1 << line_bits) - 1
    encoder = new_encoder()
    decoder = new_decoder(payload[start:] if decoding else payload[:0])
    body = payload[start:]
    rate = RATE
    state = np.zeros(STATE_FIELDS, np.int64)
    cx = np.zeros(CONTEXTS, np.int64)
    base = np.zeros(CONTEXTS, np.int64)
    slot = np.zeros(CONTEXTS, np.int64)
    map_index = np.zeros(CONTEXTS, np.int64)
    inputs = np.zeros(INPUTS_PADDED, np.int32)
    finals = np.zeros(8, np.int32)
    matchers = np.zeros((MATCHERS, MATCHER_FIELDS), np.int64)
    matchers[:, EXPECTED] = -1
    match_maps = np.full(MATCHERS * MATCH_CONTEXTS, np.uint32(1 << 31), np.uint32)
    match_index = np.full(MATCHERS, -1, np.int64)
    select = np.zeros(SETS, np.int64)
    used = np.zeros(4, np.int64)
    probabilities = np.zeros(SETS, np.int64)
    head_mask = heads.shape[1] - 1
    orders = 0
    for pos in range(size):
        # --- byte boundary
        key5 = 0
        key12 = 0
        if pos >= 20:
            for back in range(1, 6):
                key5 = hash_pair(key5, data[pos - back])
            key12 = key5
            for back in range(6, 17):
                key12 = hash_pair(key12, data[pos - back])
            match_next(matchers[0], heads[0], data, pos, key5 & head_mask, 5)
            match_next(matchers[1], heads[1], data, pos, key12 & head_mask, 16)
        longest = 1 if matchers[1, POINTER] > 0 and matchers[1, LENGTH] >= matchers[0, LENGTH] else 0
        expected = matchers[longest, EXPECTED]
        mlen = length_step(matchers[longest, LENGTH])
        column, above, bracket = text_contexts(state, cx, data, pos, expected, mlen)
        c1 = np.int64(data[pos - 1]) if pos > 0 else 0
        c2 = np.int64(data[pos - 2]) if pos > 1 else 0
        orders = 0
        find_lines(table, mask, cx, 0, base)
        for i in range(CONTEXTS):
            offset = base[i]
            if i >= 1 and i <= 7 and table[offset + 1] != 0:
                orders += 1
        partial = 1
        node = 1
        for bitpos in range(8):
            if bitpos == 4:
                find_lines(table, mask, cx, partial, base)
                node = 1
            # --- predict
            predict_slots(table, maps, base, slot, map_index, inputs, node)
            match_bit = 0
            for m in range(MATCHERS):
                place = PER_CONTEXT * CONTEXTS + 2 * m
                match_index[m] = -1
                inputs[place] = 0
                inputs[place + 1] = 0
                if matchers[m, POINTER] > 0:
                    byte = matchers[m, EXPECTED] | 256
                    if (byte >> (8 - bitpos)) == partial:
                        bit = (byte >> (7 - bitpos)) & 1
                        if m == longest:
                            match_bit = 1 + bit
                        index = ((m * 16 + length_step(matchers[m, LENGTH])) * 16 + (matchers[m, MISSES] & 15)) * 2 + bit
                        match_index[m] = index
                        q = np.int64(match_maps[index]) >> 16
                        inputs[place] = stretch(q)
                        inputs[place + 1] = (q - 32768) >> 3
            inputs[INPUTS - 2] = 256
            select[0] = partial
            select[1] = 256 + (mlen if match_bit > 0 else 0) * 24 + match_bit * 8 + bitpos
            select[2] = 256 + 16 * 24 + c1
            select[3] = 256 + 16 * 24 + 256 + c2
            select[4] = 256 + 16 * 24 + 512 + orders * 8 + bitpos
            select[5] = 256 + 16 * 24 + 512 + 64 + above
            select[6] = 256 + 16 * 24 + 512 + 64 + 256 + min(column, 63) * 4 + (0 if bracket == 0 else 1 + (bracket >> 5 & 1))
            for k in range(SETS):
                row = select[k] * INPUTS_PADDED
                x = mix(weights, row, inputs)
                finals[k] = x
                probabilities[k] = squash(x)
            finals[7] = 256
            final_row = (partial if match_bit == 0 else 255 + match_bit * 16 + mlen) * 8
            x = mix(final_weights, final_row, finals)
            p_final = squash(x)
            r0 = refine(refiner, partial + 256 * match_bit, x, used, 0)
            r1 = refine(refiner, 1024 + partial + 256 * c1, x, used, 1)
            r2 = refine(refiner, 1024 + 65536 + (hash_pair(c1 | c2 << 8, partial) & 0xFFFF), x, used, 2)
            p = (2 * p_final + r0 + 2 * r1 + 3 * r2 + 4) >> 3
            p = min(max(p, 1), 65535)
            # --- code
            if decoding:
                bit = decode_bit(decoder, body, p)
            else:
                bit = (np.int64(data[pos]) >> (7 - bitpos)) & 1
                encode_bit(encoder, body, bit, p)
            # --- update
            update_slots(table, maps, slot, map_index, bit)
            for m in range(MATCHERS):
                if match_index[m] >= 0:
                    match_maps[match_index[m]] = map_update(np.int64(match_maps[match_index[m]]), bit, 255)
            for k in range(SETS):
                row = select[k] * INPUTS_PADDED
                train(weights, row, inputs, (bit << 16) - probabilities[k], RATE)
            train(final_weights, final_row, finals, (bit << 16) - p_final, 4)
            refine_update(refiner, used[0], bit, 6)
            refine_update(refiner, used[1], bit, 6)
            refine_update(refiner, used[2], bit, 6)
            partial = partial * 2 + bit
            node = node * 2 + bit
        byte = partial & 255
        data[pos] = byte
    if decoding:
        return size
    return finish(encoder, body) + start


def _line_bits(size: int, level: int) -> int:
    wanted = max(size * CONTEXTS, 1).bit_length()
    return max(10, min(wanted, 13 + level, 21))


class OctetsCodec:
    """Codec."""

    name = "octets"

    def __init__(self, level: int = 6) -> None:
        self.level = level

    def encode(self, data: bytes) -> bytes:
        """Encode."""
        octets = np.frombuffer(data, np.uint8).copy()
        payload = np.zeros(octets.size + octets.size // 4 + 64, np.uint8)
        bits = _line_bits(octets.size, self.level)
        payload[0] = bits
        size = run_model(False, octets, payload, 1, bits)
        return payload[:size].tobytes()

    def decode(self, payload: bytes, size: int) -> bytes:
        """Decode."""
        octets = np.zeros(size, np.uint8)
        run_model(True, octets, np.frombuffer(payload, np.uint8).copy(), 1, payload[0])
        return octets.tobytes()


def run_model(decoding: bool, data, payload, start: int, bits: int) -> int:
    table = new_table(bits)
    maps = np.tile(HISTORY_FIRST, CONTEXTS)
    rows = 256 + 16 * 24 + 512 + 64 + 256 + 256
    weights = np.full(rows * INPUTS_PADDED, 65536 * 3 // 20, np.int32)
    weights.reshape(rows, -1)[:, CONTEXTS:2*CONTEXTS] = 0
    final_weights = np.full(320 * 8, 65536 // SETS, np.int32)
    final_weights[7::8] = 0
    refiner = new_refiner(1024 + 2 * 65536)
    heads = np.zeros((2, 1 << max(8, min(18, data.size.bit_length()))), np.int32)
    return run(decoding, data, payload, start, bits, table, maps, weights, final_weights, refiner, heads)
