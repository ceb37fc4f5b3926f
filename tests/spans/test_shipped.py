"""The extractor that ships: there, small, and it reads texts that it has never seen."""

from __future__ import annotations

import pytest

from foretell.shipped import find_weights

pytest.importorskip("torch")
pytest.importorskip("transformers")

from foretell.spans import SpanExtractor
from foretell.spans.shipped import find_extractor

TEXT = "Ada Lovelace was born in London in 1815. Her mother and the University of Cambridge did not agree."


@pytest.fixture(scope="module")
def extractor():
    return SpanExtractor.from_pretrained(find_extractor(None), device="cpu")


def test_it_is_small_and_says_what_it_is():
    folder = find_weights("spans-entities")
    assert folder is not None
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 30_000_000
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert all(word in card for word in ("CC BY", "Apache-2.0", "spans_extractor.py", "F1"))


def test_it_finds_people_places_and_organisations(extractor):
    found = {(span.text, span.label) for span in extractor.predict(TEXT)}
    assert {("Ada Lovelace", "person"), ("London", "location"), ("1815", "time")} <= found
    assert ("the University of Cambridge", "organisation") in found


def test_spans_nest(extractor):
    found = {(span.text, span.label) for span in extractor.predict(TEXT)}
    assert {("Her", "person"), ("Her mother", "person")} <= found


def test_it_takes_other_labels(extractor):
    assert extractor.predict(TEXT, ["location"])
    assert isinstance(extractor.predict(TEXT, {"city": "A city is a large town such as London."}), list)
