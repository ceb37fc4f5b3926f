"""The extractors that ship: there, small, and they read texts and descriptions that they have never seen."""

from __future__ import annotations

import pytest

from foretell.shipped import find_weights

pytest.importorskip("torch")
pytest.importorskip("transformers")

from foretell.spans import Document, Span, SpanExtractor
from foretell.spans.shipped import find_extractor
from foretell.spans.training import Training

SCRIPTS = {"entities": "extractor", "reader": "reader"}
TEXT = "Ada Lovelace was born in London in 1815. Her mother and the University of Cambridge did not agree."


@pytest.fixture(scope="module")
def extractor():
    return SpanExtractor.from_pretrained(find_extractor(None), device="cpu")


@pytest.fixture(scope="module")
def reader():
    return SpanExtractor.from_pretrained("reader", device="cpu")


@pytest.mark.parametrize("name", ["entities", "reader"])
def test_it_is_small_and_says_what_it_is(name):
    folder = find_weights(f"spans-{name}")
    assert folder is not None
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 30_000_000
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert all(word in card for word in ("CC BY", "Apache-2.0", f"spans_{SCRIPTS[name]}.py", "F1"))


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


def test_the_reader_finds_what_is_described(reader):
    text = "Marie Curie, who was born in Warsaw, won the Nobel Prize in Physics. She flew to London in a Boeing 747."
    labels = {
        "scientist": "A scientist is a person who does research in physics or chemistry, such as Isaac Newton.",
        "city": "A city is a large town, such as Berlin or Madrid.",
        "prize": "A prize is an award for merit.",
        "aircraft": "An aircraft is a plane or helicopter, such as an Airbus A380.",
    }
    found = {(span.text, span.label) for span in reader.predict(text, labels)}
    assert {("Marie Curie", "scientist"), ("Warsaw", "city"), ("London", "city")} <= found
    assert ("Nobel Prize in Physics", "prize") in found
    assert reader.predict(text, {"aircraft": labels["aircraft"]})[0].text == "Boeing 747"
    assert all(not span.text.startswith("Marie") for span in reader.predict(text, {"city": labels["city"]}))


def test_the_name_of_a_label_of_the_reader_does_not_count(reader):
    swapped = {"award": "A city is a large town, such as Berlin or Madrid.", "city": "A prize is an award for merit."}
    found = {(span.text, span.label) for span in reader.predict("He won the Nobel Prize in London.", swapped)}
    assert found == {("London", "award"), ("Nobel Prize", "city")}


def test_training_goes_on_from_the_reader():
    documents = [Document("Ada lived in London.", (Span(13, 19, "town"),))]
    training = Training(epochs=1, learning_rate=1e-6)
    extractor = SpanExtractor("reader", training=training, device="cpu", precision="float32")
    extractor.fit(documents, {"town": "A town is a place with many houses, such as Berlin."})
    assert [(span.text, span.label) for span in extractor.predict("Kurt lived in Vienna.")] == [("Vienna", "town")]
