"""DEFLATE as the zlib library writes it, so that files made with it can be made anew on any machine.

Which bytes zlib produces depends on its level, strategy, memory level and window; libraries that stand in for it on
some systems produce others. This is zlib 1.x's behaviour in code: greedy (levels 1 to 3) or lazy (4 to 9)
matching over hash chains, blocks of a fixed number of symbols, and its construction of Huffman
codes (RFC 1951) with its way of breaking ties. Streams of level 0 are not made.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled

DEFAULT, FILTERED, HUFFMAN_ONLY, RUNS, FIXED = range(5)
"""Strategies, numbered as in zlib."""

_LEAST_MATCH: Final = 3
_MOST_MATCH: Final = 258
_LOOKAHEAD: Final = _MOST_MATCH + _LEAST_MATCH + 1
_TOO_FAR: Final = 4096
_LEVELS = np.array(
    [
        (0, 0, 0, 0),
        (4, 4, 8, 4),
        (4, 5, 16, 8),
        (4, 6, 32, 32),
        (4, 4, 16, 16),
        (8, 16, 32, 32),
        (8, 16, 128, 128),
        (8, 32, 128, 256),
        (32, 128, 258, 1024),
        (32, 258, 258, 4096),
    ],
    np.int64,
)
"""For every level: a good length, the longest match that is lazily improved, a nice length, the longest chain."""

_LITERALS: Final = 286
_DISTANCES: Final = 30
_LENGTHS: Final = 19
_END: Final = 256
_HEAP: Final = 2 * _LITERALS + 1
_LENGTH_ORDER = np.array([16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15], np.int64)
_LENGTH_EXTRA = np.array([0] * 8 + [i // 4 - 1 for i in range(8, 28)] + [0], np.int64)
_DISTANCE_EXTRA = np.array([max(i // 2 - 1, 0) for i in range(30)], np.int64)
_CODE_EXTRA = np.array([0] * 16 + [2, 3, 7], np.int64)
_LENGTH_BASE = np.concatenate([[0], np.cumsum(1 << _LENGTH_EXTRA[:27]), [255]]).astype(np.int64)
_DISTANCE_BASE = np.concatenate([[0], np.cumsum(1 << _DISTANCE_EXTRA[:29])]).astype(np.int64)


def _length_codes() -> NDArray[np.int64]:
    codes = np.searchsorted(_LENGTH_BASE[:28], np.arange(256), side="right") - 1
    codes[255] = 28
    return codes.astype(np.int64)


_LENGTH_CODE = _length_codes()
_FIXED_LITERALS = np.array([8] * 144 + [9] * 112 + [7] * 24 + [8] * 8, np.int64)
_FIXED_DISTANCES = np.full(_DISTANCES, 5, np.int64)


class Parameters(NamedTuple):
    """What decides the output of zlib: level 1 to 9, strategy, memory level 1 to 9, bits of the window 9 to 15."""

    level: int
    strategy: int
    memory: int
    window: int

    def valid(self) -> bool:
        """Whether these are parameters that zlib knows."""
        known = 1 <= self.level <= 9 and DEFAULT <= self.strategy <= FIXED
        return known and 1 <= self.memory <= 9 and 9 <= self.window <= 15


def deflate(data: bytes | bytearray, parameters: Parameters, *, whole: bool = True) -> bytes:
    """Raw DEFLATE stream of data.

    Parameters
    ----------
    data : bytes
        What to compress.
    parameters : Parameters
        How.
    whole : bool
        Without it, only the blocks that are sure to begin the stream of any continuation of the data.

    Examples
    --------
    >>> import zlib
    >>> stream = deflate(b"so much depends upon " * 20, Parameters(6, DEFAULT, 8, 15))
    >>> zlib.decompress(stream, -15) == b"so much depends upon " * 20
    True
    """
    padded = np.zeros(len(data) + _MOST_MATCH + 8, np.uint8)
    padded[: len(data)] = np.frombuffer(data, np.uint8)
    out = np.zeros(len(data) + len(data) // 8 + (len(data) // 64 + 64) * 8, np.uint8)
    size = _deflate(padded, len(data), *parameters, whole, out)
    return out[:size].tobytes()


@compiled
def _put(out: NDArray[np.uint8], state: NDArray[np.int64], value: int, bits: int) -> None:
    """Append bits, lowest first; ``state`` is the bytes written and the bits and number of bits pending."""
    state[1] |= value << state[2]
    state[2] += bits
    while state[2] >= 8:
        out[state[0]] = state[1] & 255
        state[0] += 1
        state[1] >>= 8
        state[2] -= 8


@compiled
def _align(out: NDArray[np.uint8], state: NDArray[np.int64]) -> None:
    if state[2] > 0:
        _put(out, state, 0, 8 - state[2])


@compiled
def _smaller(freq: NDArray[np.int64], depth: NDArray[np.int64], a: int, b: int) -> bool:
    return freq[a] < freq[b] or (freq[a] == freq[b] and depth[a] <= depth[b])


@compiled
def _sift(heap: NDArray[np.int64], size: int, k: int, freq: NDArray[np.int64], depth: NDArray[np.int64]) -> None:
    value = heap[k]
    child = 2 * k
    while child <= size:
        if child < size and _smaller(freq, depth, heap[child + 1], heap[child]):
            child += 1
        if _smaller(freq, depth, value, heap[child]):
            break
        heap[k] = heap[child]
        k = child
        child *= 2
    heap[k] = value


@compiled
def _lengths(counts: NDArray[np.int64], symbols: int, limit: int, lengths: NDArray[np.int64]) -> int:
    """Fill the code lengths of the first ``symbols`` symbols; return the largest symbol that has a code."""
    freq = np.zeros(_HEAP, np.int64)
    depth = np.zeros(_HEAP, np.int64)
    parent = np.zeros(_HEAP, np.int64)
    heap = np.zeros(_HEAP + 1, np.int64)
    length = np.zeros(_HEAP, np.int64)
    size, last = 0, -1
    for symbol in range(symbols):
        freq[symbol] = counts[symbol]
        if counts[symbol]:
            size += 1
            heap[size] = last = symbol
    while size < 2:
        if last < 2:
            last += 1
            symbol = last
        else:
            symbol = 0
        size += 1
        heap[size] = symbol
        freq[symbol] = 1
        counts[symbol] = 1
    for k in range(size // 2, 0, -1):
        _sift(heap, size, k, freq, depth)
    node, top = symbols, _HEAP
    while size >= 2:
        first = heap[1]
        heap[1] = heap[size]
        size -= 1
        _sift(heap, size, 1, freq, depth)
        second = heap[1]
        heap[top - 1] = first
        heap[top - 2] = second
        top -= 2
        freq[node] = freq[first] + freq[second]
        depth[node] = max(depth[first], depth[second]) + 1
        parent[first] = parent[second] = node
        heap[1] = node
        node += 1
        _sift(heap, size, 1, freq, depth)
    top -= 1
    heap[top] = heap[1]
    _shorten(heap, top, parent, last, limit, length)
    for symbol in range(symbols):
        lengths[symbol] = length[symbol] if counts[symbol] else 0
    return last


@compiled
def _shorten(
    heap: NDArray[np.int64], top: int, parent: NDArray[np.int64], last: int, limit: int, length: NDArray[np.int64]
) -> None:
    """Lengths of all nodes from the root down, none above the limit."""
    of_length = np.zeros(limit + 2, np.int64)
    overflow = 0
    length[heap[top]] = 0
    for place in range(top + 1, _HEAP):
        node = heap[place]
        bits = length[parent[node]] + 1
        if bits > limit:
            bits = limit
            overflow += 1
        length[node] = bits
        if node <= last:
            of_length[bits] += 1
    if overflow == 0:
        return
    while overflow > 0:
        bits = limit - 1
        while of_length[bits] == 0:
            bits -= 1
        of_length[bits] -= 1
        of_length[bits + 1] += 2
        of_length[limit] -= 1
        overflow -= 2
    place = _HEAP
    for bits in range(limit, 0, -1):
        left = of_length[bits]
        while left:
            place -= 1
            if heap[place] <= last:
                length[heap[place]] = bits
                left -= 1


@compiled
def _codes(lengths: NDArray[np.int64], symbols: int, codes: NDArray[np.int64]) -> None:
    """Canonical codes, bits reversed."""
    following = np.zeros(17, np.int64)
    for symbol in range(symbols):
        following[lengths[symbol] + 1] += 1 if lengths[symbol] else 0
    code = 0
    for bits in range(1, 17):
        code = (code + following[bits]) << 1
        following[bits] = code
    for symbol in range(symbols):
        bits = lengths[symbol]
        if bits:
            value, turned = following[bits], 0
            following[bits] += 1
            for _ in range(bits):
                turned = turned << 1 | (value & 1)
                value >>= 1
            codes[symbol] = turned


@compiled
def _runs(lengths: NDArray[np.int64], last: int, counts: NDArray[np.int64], script: NDArray[np.int64]) -> int:
    """Write code lengths as symbols with repeats, from the start of ``script`` in pairs (symbol, extra)."""
    size = 0
    previous, count = -1, 0
    following = lengths[0]
    most, least = (138, 3) if following == 0 else (7, 4)
    for symbol in range(last + 1):
        current = following
        following = lengths[symbol + 1] if symbol < last else -1
        count += 1
        if count < most and current == following:
            continue
        if count < least:
            for _ in range(count):
                script[size] = current
                size += 2
        elif current != 0:
            if current != previous:
                script[size] = current
                size += 2
                count -= 1
            script[size], script[size + 1] = 16, count - 3
            size += 2
        elif count <= 10:
            script[size], script[size + 1] = 17, count - 3
            size += 2
        else:
            script[size], script[size + 1] = 18, count - 11
            size += 2
        count, previous = 0, current
        if following == 0:
            most, least = 138, 3
        elif current == following:
            most, least = 6, 3
        else:
            most, least = 7, 4
    for place in range(0, size, 2):
        counts[script[place]] += 1
    return size


@compiled
def _cost(counts: NDArray[np.int64], lengths: NDArray[np.int64], extra: NDArray[np.int64], first: int) -> int:
    total = 0
    for symbol in range(counts.size):
        total += counts[symbol] * (lengths[symbol] + (extra[symbol - first] if symbol >= first else 0))
    return total


@compiled
def _flush(
    data: NDArray[np.uint8],
    start: int,
    end: int,
    symbols: NDArray[np.int32],
    count: int,
    strategy: int,
    final: int,
    out: NDArray[np.uint8],
    state: NDArray[np.int64],
) -> None:
    """Write a block in the form that is shortest, and by zlib's order of preference."""
    of_literals = np.zeros(_LITERALS, np.int64)
    of_distances = np.zeros(_DISTANCES, np.int64)
    of_literals[_END] = 1
    for i in range(count):
        distance, length = symbols[2 * i], symbols[2 * i + 1]
        if distance == 0:
            of_literals[length] += 1
        else:
            of_literals[257 + _LENGTH_CODE[length]] += 1
            of_distances[_distance_code(distance)] += 1
    literal_counts, distance_counts = of_literals.copy(), of_distances.copy()
    literal_lengths = np.zeros(_LITERALS, np.int64)
    distance_lengths = np.zeros(_DISTANCES, np.int64)
    last_literal = _lengths(of_literals, _LITERALS, 15, literal_lengths)
    last_distance = _lengths(of_distances, _DISTANCES, 15, distance_lengths)
    of_codes = np.zeros(_LENGTHS, np.int64)
    first_script, second_script = np.zeros(2 * _LITERALS, np.int64), np.zeros(2 * _DISTANCES, np.int64)
    first_size = _runs(literal_lengths, last_literal, of_codes, first_script)
    second_size = _runs(distance_lengths, last_distance, of_codes, second_script)
    code_counts = of_codes.copy()
    code_lengths = np.zeros(_LENGTHS, np.int64)
    _lengths(of_codes, _LENGTHS, 7, code_lengths)
    last_code = _LENGTHS - 1
    while last_code > 3 and code_lengths[_LENGTH_ORDER[last_code]] == 0:
        last_code -= 1
    dynamic = _cost(literal_counts, literal_lengths, _LENGTH_EXTRA, 257)
    dynamic += _cost(distance_counts, distance_lengths, _DISTANCE_EXTRA, 0)
    dynamic += _cost(code_counts, code_lengths, _CODE_EXTRA, 0) + 3 * (last_code + 1) + 14
    fixed = _cost(literal_counts, _FIXED_LITERALS, _LENGTH_EXTRA, 257)
    fixed += _cost(distance_counts, _FIXED_DISTANCES, _DISTANCE_EXTRA, 0)
    dynamic, fixed = (dynamic + 10) >> 3, (fixed + 10) >> 3
    if fixed <= dynamic or strategy == FIXED:
        dynamic = fixed
    if end - start + 4 <= dynamic:
        _stored(data, start, end, final, out, state)
    elif fixed == dynamic:
        _put(out, state, 2 + final, 3)
        _body(symbols, count, _FIXED_LITERALS, _FIXED_DISTANCES, out, state)
    else:
        _put(out, state, 4 + final, 3)
        _put(out, state, last_literal - 256, 5)
        _put(out, state, last_distance, 5)
        _put(out, state, last_code - 3, 4)
        for rank in range(last_code + 1):
            _put(out, state, code_lengths[_LENGTH_ORDER[rank]], 3)
        codes = np.zeros(_LENGTHS, np.int64)
        _codes(code_lengths, _LENGTHS, codes)
        _table(first_script, first_size, codes, code_lengths, out, state)
        _table(second_script, second_size, codes, code_lengths, out, state)
        _body(symbols, count, literal_lengths, distance_lengths, out, state)


@compiled
def _stored(
    data: NDArray[np.uint8], start: int, end: int, final: int, out: NDArray[np.uint8], state: NDArray[np.int64]
) -> None:
    _put(out, state, final, 3)
    _align(out, state)
    _put(out, state, end - start, 16)
    _put(out, state, (end - start) ^ 0xFFFF, 16)
    for i in range(start, end):
        _put(out, state, np.int64(data[i]), 8)


@compiled
def _table(
    script: NDArray[np.int64],
    size: int,
    codes: NDArray[np.int64],
    lengths: NDArray[np.int64],
    out: NDArray[np.uint8],
    state: NDArray[np.int64],
) -> None:
    for place in range(0, size, 2):
        symbol = script[place]
        _put(out, state, codes[symbol], lengths[symbol])
        if symbol >= 16:
            _put(out, state, script[place + 1], _CODE_EXTRA[symbol])


@compiled
def _distance_code(distance: int) -> int:
    """Number of the code of a distance from 1."""
    d = distance - 1
    if d < 4:
        return d
    bits = 0
    while d >> (bits + 1):
        bits += 1
    return 2 * bits + ((d >> (bits - 1)) & 1)


@compiled
def _body(
    symbols: NDArray[np.int32],
    count: int,
    literal_lengths: NDArray[np.int64],
    distance_lengths: NDArray[np.int64],
    out: NDArray[np.uint8],
    state: NDArray[np.int64],
) -> None:
    literals = np.zeros(literal_lengths.size, np.int64)
    distances = np.zeros(_DISTANCES, np.int64)
    _codes(literal_lengths, literal_lengths.size, literals)
    _codes(distance_lengths, _DISTANCES, distances)
    for i in range(count):
        distance, length = symbols[2 * i], symbols[2 * i + 1]
        if distance == 0:
            _put(out, state, literals[length], literal_lengths[length])
        else:
            code = _LENGTH_CODE[length]
            _put(out, state, literals[257 + code], literal_lengths[257 + code])
            _put(out, state, length - _LENGTH_BASE[code], _LENGTH_EXTRA[code])
            code = _distance_code(distance)
            _put(out, state, distances[code], distance_lengths[code])
            _put(out, state, distance - 1 - _DISTANCE_BASE[code], _DISTANCE_EXTRA[code])
    _put(out, state, literals[_END], literal_lengths[_END])


@compiled
def _insert(
    data: NDArray[np.uint8], at: int, shift: int, head: NDArray[np.int32], chain: NDArray[np.int32], mask: int
) -> int:
    """Note a position under the hash of its three bytes; return the one that was there before."""
    h = (np.int64(data[at]) << 2 * shift) ^ (np.int64(data[at + 1]) << shift) ^ np.int64(data[at + 2])
    h &= head.size - 1
    before = head[h]
    chain[at & mask] = before
    head[h] = at
    return np.int64(before)


@compiled
def _longest(
    data: NDArray[np.uint8],
    at: int,
    candidate: int,
    ahead: int,
    previous: int,
    level: int,
    chain: NDArray[np.int32],
    mask: int,
    match: NDArray[np.int64],
) -> int:
    """Length of the best match of a chain that is longer than ``previous``; its place goes to ``match[0]``."""
    links = _LEVELS[level, 3] >> (2 if previous >= _LEVELS[level, 0] else 0)
    nice = min(_LEVELS[level, 2], ahead)
    limit = max(at - (mask + 1 - _LOOKAHEAD), 0)
    best = previous
    while True:
        if data[candidate + best] == data[at + best] and data[candidate + best - 1] == data[at + best - 1]:
            length = 0
            while length < _MOST_MATCH and data[candidate + length] == data[at + length]:
                length += 1
            if length > best:
                match[0] = candidate
                best = length
                if length >= nice:
                    break
        candidate = np.int64(chain[candidate & mask])
        links -= 1
        if candidate <= limit or links == 0:
            break
    return min(best, ahead)


@compiled
def _deflate(
    data: NDArray[np.uint8],
    size: int,
    level: int,
    strategy: int,
    memory: int,
    window: int,
    whole: bool,
    out: NDArray[np.uint8],
) -> int:
    """Write the stream; return its size in bytes."""
    state = np.zeros(3, np.int64)
    match = np.zeros(1, np.int64)
    mask = (1 << window) - 1
    farthest = mask + 1 - _LOOKAHEAD
    shift = (memory + 9) // 3
    head = np.zeros(1 << (memory + 7), np.int32)
    chain = np.zeros(mask + 1, np.int32)
    most = (1 << (memory + 6)) - 1
    symbols = np.zeros(2 * most + 4, np.int32)
    lazy = level > 3 and (strategy in (DEFAULT, FILTERED, FIXED))
    last_lazy = _LEVELS[level, 1]
    count, start, at = 0, 0, 0
    length, waiting = 2, False
    while at < size:
        ahead = size - at
        if not whole and ahead < _LOOKAHEAD:
            return state[0]
        candidate = 0
        hashed = strategy != HUFFMAN_ONLY and strategy != RUNS
        if hashed and ahead >= _LEAST_MATCH:
            candidate = _insert(data, at, shift, head, chain, mask)
        found = candidate != 0 and at - candidate <= farthest
        if lazy:
            previous, previous_match, length = length, match[0], 2
            if found and previous < last_lazy:
                length = _longest(data, at, candidate, ahead, previous, level, chain, mask, match)
                far = length == _LEAST_MATCH and at - match[0] > _TOO_FAR
                if length <= 5 and (strategy == FILTERED or far):
                    length = 2
            if previous >= _LEAST_MATCH and length <= previous:
                symbols[2 * count], symbols[2 * count + 1] = at - 1 - previous_match, previous - 3
                count += 1
                for place in range(at + 1, at + previous - 1):
                    if place + 3 <= size:
                        _insert(data, place, shift, head, chain, mask)
                at += previous - 1
                waiting, length = False, 2
                if count == most:
                    _flush(data, start, at, symbols, count, strategy, 0, out, state)
                    count, start = 0, at
            else:
                if waiting:
                    symbols[2 * count], symbols[2 * count + 1] = 0, data[at - 1]
                    count += 1
                    if count == most:
                        _flush(data, start, at, symbols, count, strategy, 0, out, state)
                        count, start = 0, at
                waiting = True
                at += 1
        else:
            length = 2
            if strategy == RUNS:
                length = _run_length(data, at, ahead)
                match[0] = at - 1
            elif found:
                length = _longest(data, at, candidate, ahead, 2, level, chain, mask, match)
            if length >= _LEAST_MATCH:
                symbols[2 * count], symbols[2 * count + 1] = at - match[0], length - 3
                if hashed and length <= last_lazy and ahead - length >= _LEAST_MATCH:
                    for place in range(at + 1, at + length):
                        _insert(data, place, shift, head, chain, mask)
                at += length
            else:
                symbols[2 * count], symbols[2 * count + 1] = 0, data[at]
                at += 1
            count += 1
            if count == most:
                _flush(data, start, at, symbols, count, strategy, 0, out, state)
                count, start = 0, at
    if waiting:
        symbols[2 * count], symbols[2 * count + 1] = 0, data[size - 1]
        count += 1
    if whole:
        _flush(data, start, size, symbols, count, strategy, 1, out, state)
        _align(out, state)
    return state[0]


@compiled
def _run_length(data: NDArray[np.uint8], at: int, ahead: int) -> int:
    """Length of the run of the byte before a position; 2 if it is no match."""
    if at == 0 or ahead < _LEAST_MATCH:
        return 2
    length = 0
    while length < _MOST_MATCH and data[at + length] == data[at - 1]:
        length += 1
    return min(length, ahead) if length >= _LEAST_MATCH else 2
