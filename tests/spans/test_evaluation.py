"""Scores by hand and by brute force."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.spans import Document, DocumentError, LostSpan, Span, evaluate_spans
from foretell.spans.evaluation import depths_of

SPANS = st.lists(
    st.builds(
        lambda start, size, label: Span(start, start + size, label),
        st.integers(0, 8),
        st.integers(1, 5),
        st.sampled_from("abc"),
    ),
    max_size=8,
)
TEXT = "x" * 20


@given(st.lists(st.tuples(SPANS, SPANS), max_size=4))
def test_counts_by_sets(pairs):
    gold = [Document(TEXT, tuple(spans)) for spans, _ in pairs]
    report = evaluate_spans(gold, [spans for _, spans in pairs])
    truth = {(i, *span.key) for i, (spans, _) in enumerate(pairs) for span in spans}
    guess = {(i, *span.key) for i, (_, spans) in enumerate(pairs) for span in spans}
    assert (report.micro.correct, report.micro.predicted, report.micro.gold) == (
        len(truth & guess),
        len(guess),
        len(truth),
    )
    for total in (report.labels, report.depths):
        assert sum(counts.correct for counts in total.values()) == len(truth & guess)
        assert sum(counts.gold for counts in total.values()) == len(truth)
        assert sum(counts.predicted for counts in total.values()) == len(guess)


@given(SPANS)
def test_depth_counts_the_extents_around(spans):
    extents = {(span.start, span.end) for span in spans}
    for key, depth in depths_of(spans).items():
        around = [e for e in extents if e[0] <= key[0] and key[1] <= e[1] and e != key[:2]]
        assert depth == 1 + len(around)


def test_lost_gold_is_missed():
    gold = [Document("Ada", (Span(0, 3, "a"),), lost=(LostSpan("a", "discontinuous"),))]
    report = evaluate_spans(gold, [[Span(0, 3, "a")]], seconds=0.5)
    assert (report.micro.precision, report.micro.recall) == (1.0, 0.5)
    assert report.lost == 1
    assert report.sentences_per_second == 2.0


def test_macro_is_over_labels_in_the_gold():
    gold = [Document(TEXT, (Span(0, 1, "a"), Span(2, 3, "b")))]
    report = evaluate_spans(gold, [[Span(0, 1, "a"), Span(5, 6, "c")]])
    assert (report.macro_precision, report.macro_recall, report.macro_f1) == (0.5, 0.5, 0.5)
    values = report.as_dict()
    assert values["macro"]["f1"] == 0.5
    assert set(values["labels"]) == {"a", "b", "c"}


def test_lengths_must_agree():
    with pytest.raises(DocumentError, match="1 gold documents, but predictions for 0"):
        evaluate_spans([Document("a")], [])


def test_nothing_scores_nothing():
    assert evaluate_spans([], []).micro.f1 == 0.0
    assert evaluate_spans([], []).macro_f1 == 0.0
