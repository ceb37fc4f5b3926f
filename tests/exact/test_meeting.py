"""Threads that meet see what the others wrote, and one thread alone gives the same result."""

from __future__ import annotations

import itertools
import threading

import numpy as np
import pytest
from numpy.typing import NDArray

from foretell.compilation import compiled
from foretell.exact import meeting
from foretell.exact.meeting import meet, run_together, share
from foretell.exact.threads import set_thread_count


@compiled
def _sum_in_rounds(
    values: NDArray[np.int64], sums: NDArray[np.int64], part: int, parts: int, counter: NDArray[np.int64]
) -> None:
    """Each round every part adds one to its share of the values; part 0 then writes their sum."""
    begin, end = share(values.size, part, parts, 4)
    for index in range(sums.size):
        for i in range(begin, end):
            values[i] += 1
        meet(counter, parts)
        if part == 0:
            total = 0
            for i in range(values.size):
                total += values[i]
            sums[index] = total
        meet(counter, parts)


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meeting, "_team", meeting._Team())
    yield
    set_thread_count(0)


def _sums(rounds: int) -> list[int]:
    values, sums = np.zeros(24, np.int64), np.zeros(rounds, np.int64)
    run_together(_sum_in_rounds, values, sums)
    return sums.tolist()


@pytest.mark.parametrize("threads", [1, 2])
def test_every_round_sees_all_parts(threads: int) -> None:
    set_thread_count(threads)
    assert _sums(300) == [24 * (index + 1) for index in range(300)]


def test_calls_at_the_same_time_do_not_wait_for_each_other() -> None:
    set_thread_count(2)
    found: list[list[int]] = []
    threads = [threading.Thread(target=lambda: found.append(_sums(50))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[24 * (index + 1) for index in range(50)]] * 6


def _two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    set_thread_count(2)
    monkeypatch.setattr(meeting.os, "cpu_count", lambda: 2)


def test_while_others_have_the_processors_calls_use_one_thread_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    _two_threads(monkeypatch)
    monkeypatch.setattr(meeting.time, "thread_time", lambda: 0.0)
    for _ in range(meeting._CALLS_JUDGED):
        assert meeting._team.calls_alone == 0
        assert _sums(3) == [24, 48, 72]
    assert meeting._team.calls_alone == meeting._CALLS_ALONE
    assert _sums(3) == [24, 48, 72]
    assert meeting._team.calls_alone == meeting._CALLS_ALONE - 1


def test_threads_that_always_had_a_processor_go_on_helping(monkeypatch: pytest.MonkeyPatch) -> None:
    _two_threads(monkeypatch)
    monkeypatch.setattr(meeting.time, "thread_time", meeting.time.perf_counter)
    for _ in range(3 * meeting._CALLS_JUDGED):
        _sums(300)
    assert meeting._team.calls_alone == 0


@pytest.mark.parametrize(("lost", "alone"), [(0.0, 0), (0.2, 0), (0.3, meeting._CALLS_ALONE)])
def test_time_without_a_processor_decides(lost: float, alone: int) -> None:
    team = meeting._Team()
    for index in range(meeting._CALLS_JUDGED):
        team.judge(0.02, 0.02 * (1 - 2 * lost * (index % 2)))
    assert team.calls_alone == alone


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_shares_cover_everything_once(parts: int) -> None:
    bounds = [share(1536, part, parts, 64) for part in range(parts)]
    assert bounds[0][0] == 0
    assert bounds[-1][1] == 1536
    assert all(before[1] == after[0] for before, after in itertools.pairwise(bounds))
    assert all(begin % 64 == 0 for begin, _ in bounds)


def test_alone_for_longer_while_help_does_not_pay() -> None:
    team, found = meeting._Team(), []
    for lost in (0.5, 0.5, 0.5, 0.0, 0.5, *[0.5] * 8):
        team.calls_alone = 0
        for _ in range(meeting._CALLS_JUDGED):
            team.judge(1.0, 1.0 - lost)
        found.append(team.calls_alone // meeting._CALLS_ALONE)
    assert found == [1, 2, 4, 0, 1, 2, 4, 8, 16, 16, 16, 16, 16]
