"""The spaCy component fills span groups and entities."""

from __future__ import annotations

import pytest

spacy = pytest.importorskip("spacy")
from foretell.spans import spacy_component  # noqa: E402


@pytest.fixture
def nlp(nested_extractor, tmp_path):
    nested_extractor.save_pretrained(tmp_path)
    made = spacy.blank("en")
    made.add_pipe("foretell_spans", config={"model": str(tmp_path), "set_ents": True})
    return made


def test_spans_with_scores(nlp, nested_extractor):
    text = "Ada from London lived in London."
    doc = nlp(text)
    found = [(span.start_char, span.end_char, span.label_) for span in doc.spans["sc"]]
    expected = nested_extractor.predict(text)
    assert found == [span.key for span in expected]
    assert list(doc.spans["sc"].attrs["scores"]) == [span.score for span in expected]
    assert doc.ents
    assert nlp.get_pipe("foretell_spans").labels == ("person", "place")


def test_pipe_and_nothing(nlp):
    docs = list(nlp.pipe(["", " ", "Kurt lived in Brno."] * 30, batch_size=7))
    assert [len(doc.spans["sc"]) > 0 for doc in docs] == [False, False, True] * 30


def test_spans_grow_to_tokens():
    nlp = spacy.blank("en")
    doc = nlp("Londoners")
    component = spacy_component.SpansComponent.__new__(spacy_component.SpansComponent)
    component.spans_key, component.set_ents = "sc", False
    from foretell.spans import Span

    component._annotate(doc, [Span(0, 6, "place", 0.9, "London")])
    assert doc.spans["sc"][0].text == "Londoners"
