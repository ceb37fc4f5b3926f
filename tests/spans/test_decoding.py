"""Decoders against oracles that say the same in another way."""

from __future__ import annotations

import itertools
import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from foretell.spans.decoding import decode_in_order, decode_nearest, keep_flat
from foretell.spans.document import Span

PROBABILITIES = st.lists(
    st.tuples(st.sampled_from([0.0, 0.3, 0.6, 0.7, 0.9]), st.sampled_from([0.0, 0.3, 0.6, 0.7, 0.9])), max_size=12
)


def runs_of(starts, ends, threshold):
    """v5 as a pattern: the events in order spell S...SE...E groups; each gives its best S and its best E."""
    events = []
    for piece, (start, end) in enumerate(zip(starts, ends, strict=True)):
        events += [("S", piece, start)] * bool(start > threshold)
        events += [("E", piece, end)] * bool(end > threshold)
    spelled = "".join(kind for kind, _, _ in events)
    spans = []
    for match in re.finditer(r"S+E+", spelled):
        group = events[match.start() : match.end()]
        first = max((p, piece) for kind, piece, p in group if kind == "S")[1]
        last = max((p, -piece) for kind, piece, p in group if kind == "E")[1]
        spans.append((first, -last))
    return spans


@given(PROBABILITIES, st.sampled_from([0.2, 0.5, 0.65]))
def test_in_order_finds_runs_of_starts_and_ends(pairs, threshold):
    starts, ends = np.array(pairs).reshape(-1, 2).T
    assert decode_in_order(starts, ends, threshold) == runs_of(starts, ends, threshold)


@given(PROBABILITIES)
def test_in_order_spans_are_in_order_and_apart(pairs):
    starts, ends = np.array(pairs).reshape(-1, 2).T
    spans = decode_in_order(starts, ends)
    assert all(first <= last for first, last in spans)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))


@given(PROBABILITIES)
def test_nearest_by_brute_force(pairs):
    starts, ends = np.array(pairs).reshape(-1, 2).T
    n = len(pairs)
    expected = [
        (i, j)
        for i in range(n)
        for j in range(i, n)
        if starts[i] > 0.5 and ends[j] > 0.5 and not any(ends[k] > 0.5 for k in range(i, j))
    ]
    assert decode_nearest(starts, ends) == expected


SPANS = st.lists(
    st.builds(
        lambda start, size, label, score: Span(start, start + size, label, score),
        st.integers(0, 12),
        st.integers(1, 6),
        st.sampled_from("abc"),
        st.sampled_from([0.5, 0.6, 0.7, 0.8, 0.9]),
    ),
    max_size=9,
    unique_by=lambda span: span.key,
)


@given(SPANS)
def test_flat_keeps_what_nothing_better_is_in_the_way_of(spans):
    kept = keep_flat(spans)
    ranked = sorted(spans, key=lambda span: (-span.score, span.start - span.end, span.start, span.label))
    expected: list[Span] = []
    for span in ranked:
        if all(span.end <= other.start or other.end <= span.start for other in expected):
            expected.append(span)
    assert sorted(kept) == sorted(expected)
    assert kept == sorted(kept, key=lambda span: span.start)


@given(SPANS)
def test_flat_leaves_out_only_what_overlaps_something_as_good(spans):
    kept = keep_flat(spans)
    for span in set(spans) - set(kept):
        assert any(span.overlaps(other) and other.score >= span.score for other in kept)


def test_at_one_piece_the_start_comes_before_the_end():
    starts, ends = np.array([0.9, 0.8]), np.array([0.6, 0.9])
    assert decode_in_order(starts, ends) == [(0, 0), (1, 1)]


def test_among_equals_the_later_start_and_the_earlier_end_win():
    starts, ends = np.array([0.9, 0.9, 0.0, 0.0]), np.array([0.0, 0.0, 0.7, 0.7])
    assert decode_in_order(starts, ends) == [(1, 2)]
