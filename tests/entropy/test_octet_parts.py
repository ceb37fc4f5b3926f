"""Parts of the byte model: histories, map entries, table of contexts, mixer, refinement, match model."""

from __future__ import annotations

import numpy as np

from foretell.entropy.context_table import find_line, hash_pair, new_table
from foretell.entropy.counters import HISTORY_FIRST, HISTORY_NEXT, HISTORY_TOTAL, map_update
from foretell.entropy.match import LENGTH, MATCHER_FIELDS, MISSES, POINTER, length_step, match_next
from foretell.entropy.mixer import REFINE_STEPS, mix, refine, refine_update, train


def follow_history(bits: str) -> int:
    state = 0
    for bit in bits:
        state = int(HISTORY_NEXT[2 * state + int(bit)])
    return state


def test_short_histories_are_exact() -> None:
    histories = [format(value, f"0{n}b") for n in range(1, 9) for value in range(1 << n)]
    assert [follow_history(bits) for bits in histories] == list(range(1, len(histories) + 1))


def test_histories_stay_in_range_and_learn() -> None:
    assert HISTORY_NEXT.max() < 1024
    assert HISTORY_TOTAL[follow_history("1" * 100)] == 40
    first = HISTORY_FIRST >> 10
    assert first[follow_history("1" * 30)] > first[follow_history("1" * 9)] > 1 << 21
    assert first[follow_history("1" * 30 + "000")] < first[follow_history("1" * 30)]


def test_map_entries_approach_the_bit_and_stay_in_range() -> None:
    entry = 1 << 31
    for _ in range(2000):
        entry = map_update(entry, 1, 255)
    assert 0.999 < (entry >> 10) / (1 << 22) < 1
    assert entry & 1023 == 255
    for _ in range(5000):
        entry = map_update(entry, 0, 255)
    assert 0 <= entry >> 10 < 1 << 12


def test_contexts_are_found_again_and_evicted_least_used_first() -> None:
    table = new_table(2)
    assert table.ctypes.data % 64 == 0
    offsets = {context: find_line.py_func(table, 3, context) for context in (11, 22, 33, 44)}
    assert len(set(offsets.values())) == 4
    for offset in offsets.values():
        table[offset + 1] = follow_history("1111")
    table[offsets[33] + 1] = follow_history("1")
    assert all(find_line.py_func(table, 3, context) == offset for context, offset in offsets.items())
    assert find_line.py_func(table, 3, 55) == offsets[33]
    assert table[offsets[33] + 1] == 0


def test_hashes_have_32_bits_at_the_extremes() -> None:
    top = (1 << 32) - 1
    assert all(0 <= hash_pair.py_func(a, b) <= top for a in (0, 1, top) for b in (0, 1, top))
    assert (top + 0x1B873593) * 0x5851F42D < 1 << 63


def test_a_mixer_learns_which_input_to_trust() -> None:
    weights, inputs = np.full(16, 1000, np.int32), np.zeros(8, np.int32)
    rng = np.random.default_rng(3)
    for bit in rng.integers(0, 2, 3000).tolist():
        inputs[0], inputs[1] = (500 if bit else -500), rng.integers(-500, 500)
        x = mix(weights, 8, inputs)
        train(weights, 8, inputs, (bit << 16) - (65536 if x > 0 else 0) // 2 - 16384, 20)
    assert weights[8] > 3 * abs(int(weights[9]))
    assert (weights[:8] == 1000).all()


def test_refinement_starts_as_identity_and_learns() -> None:
    table, used = np.zeros(2 * REFINE_STEPS, np.int32), np.zeros(1, np.int64)
    assert abs(refine.py_func(table, 1, 0, used, 0) - 32768) <= 1
    for _ in range(500):
        refine.py_func(table, 1, 0, used, 0)
        refine_update.py_func(table, int(used[0]), 1, 6)
    assert refine.py_func(table, 1, 0, used, 0) > 65000
    assert not table[:REFINE_STEPS].any()


def test_a_matcher_finds_and_recovers() -> None:
    data = np.frombuffer(b"_the quick brown fox__the quick brXwn fox", np.uint8)
    state, heads = np.zeros(MATCHER_FIELDS, np.int64), np.zeros(256, np.int32)
    misses = []
    for pos in range(5, data.size):
        key = sum(int(byte) * 31**i for i, byte in enumerate(data[pos - 5 : pos])) % 256
        match_next(state, heads, data, pos, key, 5)
        misses.append(int(state[MISSES]))
    assert 1 in misses
    assert state[POINTER] == 19
    assert state[LENGTH] == 5


def test_length_steps_are_monotone() -> None:
    steps = [length_step.py_func(length) for length in range(3000)]
    assert steps == sorted(steps)
    assert set(steps) == set(range(16))
