"""Codec for any bytes: context mixing in integers.

Every byte is coded as eight binary decisions, most significant bit first. For each decision 31 contexts give
two predictions each (what usually followed the bit history that this context has seen here), two match models
give two each, seven gated mixers weigh all of them, a last mixer weighs the seven results, and three
refinement tables correct the outcome. All parts learn after every bit. The decoder runs the same function as
the encoder and differs only in where the bit comes from. ``docs/octets-format.md`` has all the details.

A payload is one header byte (bits 0-3 the level, bit 4 the binary profile) and the arithmetic code.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import announce, compiled
from foretell.entropy.binary import (
    POSITION,
    TAIL_BYTES,
    decode_bit,
    encode_bit,
    finish,
    new_decoder,
    new_encoder,
)
from foretell.entropy.context_table import find_lines, hash_pair, new_table
from foretell.entropy.counters import HISTORY_FIRST, HISTORY_NEXT, HISTORY_STATES, map_update
from foretell.entropy.logistic import STRETCH, squash
from foretell.entropy.match import (
    EXPECTED,
    LENGTH,
    LENGTH_STEPS,
    MATCH_CONTEXTS,
    MATCHER_FIELDS,
    MISSES,
    POINTER,
    length_step,
    match_next,
)
from foretell.entropy.mixer import REFINE_STEPS, mix, refine, refine_update, train
from foretell.entropy.octet_contexts import (
    ABOVE_BYTE,
    BRACKET,
    CLASSES,
    COLUMN,
    CONTEXTS,
    STATE_SIZE,
    fill_contexts,
    follow,
)

MAX_LEVEL: Final = 9
MAX_TABLE_LEVEL: Final = 8
"""Highest level in a payload, so that no archive makes a decoder take more than 2**28 bytes for contexts."""
MAX_BYTES: Final = (1 << 31) - 1
MATCHERS: Final = 2
SHORT_MATCH: Final = 5
LONG_MATCH: Final = 16
MAP_LIMIT: Final = 255

INPUTS: Final = (2 * CONTEXTS + 2 * MATCHERS + 1 + 7) // 8 * 8
"""Inputs of a mixer: two for each context and matcher, a constant, and zeros up to a multiple of eight."""
SETS: Final = 7
FINALS: Final = SETS + 1
_SET_ROWS: Final = (256, LENGTH_STEPS * 24, 256, 256, 7 * 8, 256, 256)
_SET_STARTS: Final = tuple(sum(_SET_ROWS[:k]) for k in range(SETS))
MIXER_ROWS: Final = sum(_SET_ROWS)
FIRST_WEIGHT: Final = 65536 // 10
LEAST_ERROR: Final = 96
"""Smaller errors (of 65536) hardly move weights; predictable data skip the work."""

_REFINE_STARTS: Final = (0, 3 * 256, 3 * 256 + 65536)
_REFINERS: Final = 3 * 256 + 2 * 65536
_REFINE_SHIFT: Final = 6
_ROOM: Final = 16 * TAIL_BYTES

# fields of the array of what one decision must remember until its bit is known
_MATCH_BIT, _CODED, _MIXED, _FINAL_ROW = 0, 1, 2, 3
_MIXER_ROW = 4
_SET_P = _MIXER_ROW + SETS
_REFINE_AT = _SET_P + SETS
_MATCH_AT = _REFINE_AT + 3
_DECISION_FIELDS = _MATCH_AT + MATCHERS


@compiled
def _predict_contexts(
    table: NDArray[np.uint16],
    maps: NDArray[np.uint32],
    lines: NDArray[np.int64],
    node: int,
    slots: NDArray[np.int64],
    entries: NDArray[np.int64],
    inputs: NDArray[np.int32],
) -> None:
    """Two inputs from the bit history of each context."""
    for i in range(CONTEXTS):
        slot = lines[i] + node
        entry = i * HISTORY_STATES + np.int64(table[np.uintp(slot)])
        p = np.int64(maps[np.uintp(entry)]) >> 16
        slots[i] = slot
        entries[i] = entry
        inputs[i] = STRETCH[np.uintp(p)]
        inputs[CONTEXTS + i] = (p - 32768) >> 4


@compiled
def _learn_contexts(
    table: NDArray[np.uint16],
    maps: NDArray[np.uint32],
    slots: NDArray[np.int64],
    entries: NDArray[np.int64],
    bit: int,
) -> None:
    for i in range(CONTEXTS):
        entry = entries[i]
        maps[np.uintp(entry)] = map_update(np.int64(maps[np.uintp(entry)]), bit, MAP_LIMIT)
        table[np.uintp(slots[i])] = HISTORY_NEXT[np.uintp(2 * (entry % HISTORY_STATES) + bit)]


@compiled
def _predict_matches(
    matchers: NDArray[np.int64],
    match_maps: NDArray[np.uint32],
    leader: int,
    partial: int,
    bit_index: int,
    decision: NDArray[np.int64],
    inputs: NDArray[np.int32],
) -> None:
    """Two inputs from each matcher whose byte agrees with the bits of this byte so far."""
    decision[_MATCH_BIT] = 0
    for m in range(MATCHERS):
        place = 2 * CONTEXTS + 2 * m
        decision[_MATCH_AT + m] = -1
        inputs[place] = inputs[place + 1] = 0
        byte = matchers[m, EXPECTED] | 256
        if matchers[m, POINTER] > 0 and byte >> (8 - bit_index) == partial:
            bit = (byte >> (7 - bit_index)) & 1
            if m == leader:
                decision[_MATCH_BIT] = 1 + bit
            step = length_step(matchers[m, LENGTH])
            entry = m * MATCH_CONTEXTS + (step * 16 + (matchers[m, MISSES] & 15)) * 2 + bit
            decision[_MATCH_AT + m] = entry
            p = np.int64(match_maps[entry]) >> 16
            inputs[place] = STRETCH[np.uintp(p)]
            inputs[place + 1] = (p - 32768) >> 3


@compiled
def _choose_rows(
    decision: NDArray[np.int64],
    state: NDArray[np.int64],
    c1: int,
    c2: int,
    known: int,
    step: int,
    partial: int,
    bit_index: int,
) -> None:
    """Row of weights that each mixer uses for this decision; ``known`` counts the orders seen before."""
    match_bit = decision[_MATCH_BIT]
    bracket = state[BRACKET]
    kind = 0 if bracket == 0 else 1 + (bracket >> 5 & 1)
    decision[_MIXER_ROW] = partial
    decision[_MIXER_ROW + 1] = _SET_STARTS[1] + (step * 24 if match_bit > 0 else 0) + match_bit * 8 + bit_index
    decision[_MIXER_ROW + 2] = _SET_STARTS[2] + c1
    decision[_MIXER_ROW + 3] = _SET_STARTS[3] + c2
    decision[_MIXER_ROW + 4] = _SET_STARTS[4] + known * 8 + bit_index
    decision[_MIXER_ROW + 5] = _SET_STARTS[5] + state[ABOVE_BYTE]
    decision[_MIXER_ROW + 6] = _SET_STARTS[6] + min(state[COLUMN], 63) * 4 + kind
    decision[_FINAL_ROW] = match_bit * FINALS


@compiled
def _mix_all(
    weights: NDArray[np.int32],
    final_weights: NDArray[np.int32],
    refiner: NDArray[np.int32],
    inputs: NDArray[np.int32],
    finals: NDArray[np.int32],
    decision: NDArray[np.int64],
    partial: int,
    c1: int,
    c2: int,
) -> None:
    """16-bit probability of a one from all inputs."""
    for k in range(SETS):
        x = mix(weights, decision[_MIXER_ROW + k] * INPUTS, inputs)
        finals[k] = x
        decision[_SET_P + k] = squash(x)
    x = mix(final_weights, decision[_FINAL_ROW], finals)
    mixed = squash(x)
    at = decision[_REFINE_AT:_MATCH_AT]
    order0 = refine(refiner, _REFINE_STARTS[0] + partial + 256 * decision[_MATCH_BIT], x, at, 0)
    order1 = refine(refiner, _REFINE_STARTS[1] + partial + 256 * c1, x, at, 1)
    order2 = refine(refiner, _REFINE_STARTS[2] + (hash_pair(c1 | c2 << 8, partial) & 0xFFFF), x, at, 2)
    decision[_MIXED] = mixed
    decision[_CODED] = min(max((2 * mixed + order0 + 2 * order1 + 3 * order2 + 4) >> 3, 1), 65535)


@compiled
def _learn_all(
    weights: NDArray[np.int32],
    final_weights: NDArray[np.int32],
    refiner: NDArray[np.int32],
    match_maps: NDArray[np.uint32],
    inputs: NDArray[np.int32],
    finals: NDArray[np.int32],
    decision: NDArray[np.int64],
    rate: int,
    bit: int,
) -> None:
    for k in range(SETS):
        error = (bit << 16) - decision[_SET_P + k]
        if abs(error) >= LEAST_ERROR:
            train(weights, decision[_MIXER_ROW + k] * INPUTS, inputs, error, rate)
    train(final_weights, decision[_FINAL_ROW], finals, (bit << 16) - decision[_MIXED], 20)
    for k in range(3):
        refine_update(refiner, decision[_REFINE_AT + k], bit, _REFINE_SHIFT)
    for m in range(MATCHERS):
        entry = decision[_MATCH_AT + m]
        if entry >= 0:
            match_maps[entry] = map_update(np.int64(match_maps[entry]), bit, MAP_LIMIT)


@compiled
def _follow_matches(matchers: NDArray[np.int64], heads: NDArray[np.int32], data: NDArray[np.uint8], pos: int) -> int:
    """Move both matchers to ``pos``; return the one whose byte to trust."""
    if pos >= LONG_MATCH:
        key = 0
        for back in range(1, SHORT_MATCH + 1):
            key = hash_pair(key, data[pos - back])
        short = key
        for back in range(SHORT_MATCH + 1, LONG_MATCH + 1):
            key = hash_pair(key, data[pos - back])
        mask = heads.shape[1] - 1
        match_next(matchers[0], heads[0], data, pos, short & mask, SHORT_MATCH)
        match_next(matchers[1], heads[1], data, pos, key & mask, LONG_MATCH)
    return 1 if matchers[1, POINTER] > 0 and matchers[1, LENGTH] >= matchers[0, LENGTH] else 0


@compiled
def _run(
    decoding: bool,
    binary: int,
    data: NDArray[np.uint8],
    code: NDArray[np.uint8],
    table: NDArray[np.uint16],
    maps: NDArray[np.uint32],
    weights: NDArray[np.int32],
    final_weights: NDArray[np.int32],
    refiner: NDArray[np.int32],
    heads: NDArray[np.int32],
) -> int:
    """Code ``data`` to ``code`` or the other way; return the size of the code, or -1 if it has no room."""
    mask = table.size // 16 - 1
    encoder = new_encoder()
    decoder = new_decoder(code)
    state = np.zeros(STATE_SIZE, np.int64)
    contexts = np.zeros(CONTEXTS, np.int64)
    lines = np.zeros(CONTEXTS, np.int64)
    slots = np.zeros(CONTEXTS, np.int64)
    entries = np.zeros(CONTEXTS, np.int64)
    inputs = np.zeros(INPUTS, np.int32)
    inputs[2 * CONTEXTS + 2 * MATCHERS] = 256
    finals = np.full(FINALS, 256, np.int32)
    matchers = np.zeros((MATCHERS, MATCHER_FIELDS), np.int64)
    matchers[:, EXPECTED] = -1
    match_maps = np.full(MATCHERS * MATCH_CONTEXTS, np.uint32(1 << 31), np.uint32)
    decision = np.zeros(_DECISION_FIELDS, np.int64)
    for pos in range(data.size):
        if not decoding and np.int64(encoder[POSITION]) + _ROOM > code.size:
            return -1
        rate = 18 + (1 << 18) // (pos + 4096)
        leader = _follow_matches(matchers, heads, data, pos)
        step = length_step(matchers[leader, LENGTH])
        follow(state, data, pos, binary)
        fill_contexts(state, contexts, data, pos, binary, matchers[leader, EXPECTED], step)
        c1 = np.int64(data[pos - 1]) if pos > 0 else 0
        c2 = np.int64(data[pos - 2]) if pos > 1 else 0
        known = 0
        partial = 1
        for bit_index in range(8):
            if bit_index & 3 == 0:
                find_lines(table, mask, contexts, partial, lines)
                node = 1
            if bit_index == 0:
                for i in range(6):
                    known += 1 if table[lines[i] + 1] != 0 else 0
            _predict_contexts(table, maps, lines, node, slots, entries, inputs)
            _predict_matches(matchers, match_maps, leader, partial, bit_index, decision, inputs)
            _choose_rows(decision, state, c1, c2, known, step, partial, bit_index)
            _mix_all(weights, final_weights, refiner, inputs, finals, decision, partial, c1, c2)
            if decoding:
                bit = decode_bit(decoder, code, decision[_CODED])
            else:
                bit = (np.int64(data[pos]) >> (7 - bit_index)) & 1
                encode_bit(encoder, code, bit, decision[_CODED])
            _learn_contexts(table, maps, slots, entries, bit)
            _learn_all(weights, final_weights, refiner, match_maps, inputs, finals, decision, rate, bit)
            partial = 2 * partial + bit
            node = 2 * node + bit
        data[pos] = partial & 0xFF
    return 0 if decoding else finish(encoder, code)


def _table_bits(level: int, size: int) -> tuple[int, int]:
    """Bits of a line's number in the table of contexts, and of an entry's in those of the matchers."""
    return max(10, min((size * CONTEXTS).bit_length(), 15 + level)), max(8, min(size.bit_length(), 18 + level // 2))


def memory_needed(level: int, size: int) -> int:
    """Bytes of memory, about, that coding ``size`` bytes at a level takes."""
    line_bits, head_bits = _table_bits(min(level, MAX_TABLE_LEVEL), size)
    return (32 << line_bits) + (4 * MATCHERS << head_bits) + 4 * _REFINERS * REFINE_STEPS + 3 * size


def _run_new_model(decoding: bool, level: int, binary: bool, data: NDArray[np.uint8], code: NDArray[np.uint8]) -> int:
    """Run a model whose tables have the size that the level and the number of bytes ask for."""
    announce(_run, "context mixing")
    line_bits, head_bits = _table_bits(level, data.size)
    weights = np.full((MIXER_ROWS, INPUTS), FIRST_WEIGHT, np.int32)
    weights[:, CONTEXTS : 2 * CONTEXTS] = 0
    final_weights = np.full((3, FINALS), 65536 // SETS, np.int32)
    final_weights[:, SETS] = 0
    size: int = _run(
        decoding,
        int(binary),
        data,
        code,
        new_table(line_bits),
        np.tile(HISTORY_FIRST, CONTEXTS),
        weights.ravel(),
        final_weights.ravel(),
        np.zeros(_REFINERS * REFINE_STEPS, np.int32),
        np.zeros((MATCHERS, 1 << head_bits), np.int32),
    )
    return size


def looks_binary(data: NDArray[np.uint8]) -> bool:
    """Whether more than one byte in 32 is a control byte that text does not use."""
    return int(np.count_nonzero(CLASSES[data] == 1)) * 32 > data.size


class OctetsCodec:
    """Lossless codec for any bytes.

    Parameters
    ----------
    level : int
        From 1 to 9. A higher level keeps more contexts of long inputs: the table of contexts takes at most
        ``2 ** (20 + level)`` bytes (level 9 is the same as 8). It hardly changes the speed.

    Examples
    --------
    >>> codec = OctetsCodec()
    >>> payload = codec.encode(b"so much depends upon " * 20)
    >>> len(payload) < 50, codec.decode(payload, 420) == b"so much depends upon " * 20
    (True, True)
    """

    name = "octets"

    def __init__(self, level: int = 6) -> None:
        if not 1 <= level <= MAX_LEVEL:
            raise ValueError(f"level must be from 1 to {MAX_LEVEL}, not {level}")
        self.level = min(level, MAX_TABLE_LEVEL)

    def encode(self, data: bytes) -> bytes:
        """Payload of ``data``, of at most 2**31 - 1 bytes."""
        if len(data) > MAX_BYTES:
            raise ValueError(f"octets frames hold at most {MAX_BYTES} bytes, not {len(data)}")
        octets = np.frombuffer(bytearray(data), np.uint8)
        binary = looks_binary(octets)
        header = bytes([self.level | binary << 4])
        if not data:
            return header
        room = len(data) + len(data) // 16 + 2 * _ROOM
        while True:
            code = np.zeros(room, np.uint8)
            size = _run_new_model(False, self.level, binary, octets, code)
            if size >= 0:
                return header + code[:size].tobytes()
            room *= 4

    def memory(self, payload: bytes, size: int) -> int:
        """Bytes of memory, about, that :meth:`decode` takes."""
        return memory_needed(payload[0] & 15 if payload else 1, size)

    def decode(self, payload: bytes, size: int) -> bytes:
        """Bytes of a payload; wrong bytes, or ValueError, if it is corrupt."""
        if not payload or not 0 <= size <= MAX_BYTES:
            raise ValueError("octets payload is empty or its size is out of range")
        level, binary = payload[0] & 15, payload[0] >> 4
        if not 1 <= level <= MAX_TABLE_LEVEL or binary > 1:
            raise ValueError(f"octets payload has an unknown header 0x{payload[0]:02x}")
        octets = np.zeros(size, np.uint8)
        if size:
            code = np.frombuffer(bytearray(payload[1:]), np.uint8)
            _run_new_model(True, level, bool(binary), octets, code)
        return octets.tobytes()
