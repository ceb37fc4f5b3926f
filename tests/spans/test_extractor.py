"""Fit, predict, evaluate, save and load, on an encoder of random weights that learns a few sentences by heart."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spans.conftest import FAST, LABELS, fitted, flat_documents, nested_documents

from foretell.errors import ModelError
from foretell.spans import Document, DocumentError, LostSpan, Settings, Span, SpanExtractor


def keys(spans):
    return {span.key for span in spans}


def test_flat_spans_are_learnt(flat_extractor):
    documents = flat_documents()
    found = flat_extractor.predict(documents)
    assert [keys(spans) for spans in found] == [keys(document.spans) for document in documents]
    assert flat_extractor.evaluate(documents).micro.f1 == 1.0


def test_nested_spans_are_learnt(nested_extractor):
    report = nested_extractor.evaluate(nested_documents())
    assert report.micro.f1 > 0.95
    assert report.depths[2].correct > 25


@pytest.mark.parametrize("model", ["bert-mrc", "tagger"])
def test_rivals_learn_in_the_same_loop(encoder, model):
    heads = "shared" if model == "bert-mrc" else "per-label"
    extractor = fitted(encoder, model=model, heads=heads)
    assert extractor.evaluate(flat_documents()).micro.f1 > 0.9


@pytest.mark.parametrize("embedding", ["average", "sentence", "static", "random"])
def test_ablations_learn(encoder, embedding):
    extractor = fitted(encoder, label_embedding=embedding, training=replace(FAST, epochs=15))
    assert extractor.evaluate(flat_documents(), threshold=0.3).micro.f1 > 0.5


def test_one_text_gives_one_list(flat_extractor):
    spans = flat_extractor.predict("Ada lived in Vienna.")
    assert all(isinstance(span, Span) for span in spans)
    assert spans == flat_extractor.predict(["Ada lived in Vienna."])[0]


def test_batching_changes_nothing(nested_extractor):
    documents = [*nested_documents(), Document("Kurt lived in Brno. " * 30)]
    one = nested_extractor.predict(documents, batch_size=1)
    many = nested_extractor.predict(documents, batch_size=7)
    assert [keys(spans) for spans in one] == [keys(spans) for spans in many]


def test_encoded_labels_are_reused_and_change_nothing(nested_extractor, monkeypatch):
    texts = [document.text for document in nested_documents()]
    expected = nested_extractor.predict(texts)
    labels = nested_extractor.encode_labels()
    calls = []
    monkeypatch.setattr(nested_extractor._module, "encode_labels", lambda batch: calls.append(batch))
    assert nested_extractor.predict(texts, labels) == expected
    assert not calls


def test_a_choice_of_labels(flat_extractor):
    [spans] = flat_extractor.predict(["Ada lived in London."], ["place"])
    assert keys(spans) == {(13, 19, "place")}


def test_labels_can_be_added_but_to_heads_of_their_own(encoder, flat_extractor, shared_extractor):
    per_label = fitted(encoder, heads="per-label", training=replace(FAST, epochs=1))
    with pytest.raises(ModelError, match=r"label 'river' is unknown .* train with other heads than 'per-label'"):
        per_label.predict(["Ada lived in London."], {"river": "flowing water"})
    [spans] = flat_extractor.predict(["Ada lived in London."], {"person": LABELS["person"], "river": "flowing water"})
    assert (0, 3, "person") in keys(spans)
    new = {"person": LABELS["person"], "town": LABELS["place"]}
    [spans] = shared_extractor.predict(["Ada lived in London."], new)
    assert keys(spans) == {(0, 3, "person"), (13, 19, "town")}


def test_a_higher_threshold_only_takes_away(nested_extractor):
    texts = [document.text for document in nested_documents()]
    low, high = (nested_extractor.predict(texts, threshold=value) for value in (0.1, 0.9))
    for some, few in zip(low, high, strict=True):
        assert keys(few) == {span.key for span in some if span.score > 0.9}


def test_flat_output_does_not_overlap(nested_extractor):
    for spans in nested_extractor.predict(nested_documents(), flat=True):
        assert not any(a.overlaps(b) for i, a in enumerate(spans) for b in spans[i + 1 :])


def test_nearest_end_decoding(flat_extractor):
    documents = flat_documents()
    assert flat_extractor.evaluate(documents, decoding="nearest").micro.recall > 0.8
    with pytest.raises(ModelError, match="needs a nested model"):
        flat_extractor.predict(["Ada"], decoding="match")


def test_long_texts_are_read_whole(flat_extractor):
    text = "Ada lived in London. " * 300
    spans = flat_extractor.predict(text)
    found = {span.start // 21 for span in spans if span.text == "London"}
    assert len(found) > 250
    assert max(found) > 295
    assert all(text[span.start : span.end] == span.text for span in spans)


@pytest.mark.parametrize("text", ["", " ", "\n\t \u3000", "\u200b", "\ud800"])
def test_nothing_in_nothing(flat_extractor, text):
    spans = flat_extractor.predict(text)
    assert all(text[span.start : span.end] == span.text for span in spans)
    if not text.strip():
        assert spans == []


def test_a_megabyte_in_one_line(flat_extractor):
    text = "x" * 500_000 + " " + "Ada " * 1000
    small = replace(flat_extractor.settings_, window=128)
    assert small == flat_extractor.settings_
    spans = flat_extractor.predict(text)
    assert all(text[span.start : span.end] == span.text for span in spans)


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=80))
def test_offsets_are_those_of_the_text(nested_extractor, text):
    """Any Unicode: a threshold of nearly nothing makes the model predict nearly everything."""
    for span in nested_extractor.predict(text, threshold=1e-6):
        assert 0 <= span.start < span.end <= len(text)
        assert text[span.start : span.end] == span.text
        assert not span.text[0].isspace()
        assert not span.text[-1].isspace()


@settings(max_examples=40, deadline=None)
@given(text=st.text(alphabet="\u0130\u00df\ufb01e\u0301\u4eac\U0001f468\u200d\U0001f469 A\ud83d.\n", max_size=60))
def test_offsets_of_characters_that_change_when_lowered(flat_extractor, text):
    for span in flat_extractor.predict(text, threshold=1e-6, decoding="nearest"):
        assert text[span.start : span.end] == span.text != ""


@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
def test_saved_extractors_predict_the_same(nested_extractor, tmp_path, dtype):
    nested_extractor.save_pretrained(tmp_path / dtype, dtype=dtype)
    again = SpanExtractor.from_pretrained(tmp_path / dtype, device="cpu")
    assert again.labels_ == LABELS
    assert again.settings_ == nested_extractor.settings_
    first, second = (some.evaluate(nested_documents()).micro for some in (nested_extractor, again))
    assert second == first
    if dtype == "float32":
        assert again.predict(nested_documents()) == nested_extractor.predict(nested_documents())
    sizes = {p.name: p.stat().st_size for p in (tmp_path / dtype).iterdir()}
    assert set(sizes) == {"config.json", "model.safetensors", "tokenizer.json"}
    assert len({p.stat().st_mode for p in (tmp_path / dtype).iterdir()}) == 1


def test_training_goes_on_from_an_extractor_with_other_labels(encoder, nested_extractor, tmp_path):
    nested_extractor.save_pretrained(tmp_path / "first")
    start = SpanExtractor(
        tmp_path / "first",
        settings=Settings(nested=True, dropout=0.0),
        training=replace(FAST, epochs=1, learning_rate=0.0),
        device="cpu",
    )
    names = {"person": "human", "place": "town"}
    documents = [
        replace(d, spans=tuple(Span(s.start, s.end, names[s.label]) for s in d.spans)) for d in nested_documents()
    ]
    start.fit(documents, {names[name]: text for name, text in LABELS.items()})
    before, after = (some._module.state_dict() for some in (nested_extractor, start))
    own = {"start_head.weight", "start_head.bias", "end_head.weight", "end_head.bias"}
    own |= {"match_head.head.weight", "match_head.head.bias"}
    for name, tensor in before.items():
        assert torch.equal(tensor, after[name]) == (name not in own), name
    assert not after["start_head.weight"].any()


def test_collections_teach_their_own_descriptions_only(encoder):
    def marked(kept: str) -> list[Document]:
        documents = flat_documents()
        return [
            Document(d.text, tuple(Span(s.start, s.end, "thing") for s in d.spans if s.label == kept), d.id)
            for d in documents
        ]

    people, places = ({"thing": LABELS[name]} for name in ("person", "place"))
    extractor = SpanExtractor(
        encoder, settings=Settings(dropout=0.0), training=replace(FAST, epochs=40), device="cpu", precision="float32"
    )
    extractor.fit_collections([(marked("person"), people), (marked("place"), places)])
    assert extractor.labels_ == people
    assert not extractor._module.start_head.weight.any()
    for kept, labels in (("person", people), ("place", places)):
        found = extractor.predict(marked(kept), {"thing": labels["thing"]})
        gold = [list(d.spans) for d in marked(kept)]
        assert [[s.key for s in spans] for spans in found] == [[s.key for s in spans] for spans in gold]
    with pytest.raises(ModelError, match="do not read descriptions"):
        SpanExtractor(encoder, settings=Settings(heads="per-label")).fit_collections([(marked("person"), people)])


def test_a_label_described_otherwise_has_no_weights_of_its_own(flat_extractor, caplog):
    def rows(labels):
        return flat_extractor.encode_labels(labels).code.rows.tolist()

    assert rows(None) == rows(list(LABELS)) == rows(dict(LABELS)) == list(range(len(LABELS)))
    assert not caplog.messages
    assert rows({"person": "A human being.", "place": LABELS["place"]}) == [-1, list(LABELS).index("place")]
    assert caplog.messages == ["label person has another description than in training and is read as a new label"]


def test_damaged_folders_are_refused(nested_extractor, tmp_path):
    with pytest.raises(ModelError, match="no model there"):
        SpanExtractor.from_pretrained(tmp_path / "missing")
    folder = tmp_path / "model"
    nested_extractor.save_pretrained(folder)
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    with pytest.raises(ModelError, match="damaged"):
        SpanExtractor.from_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    config["settings"]["surprise"] = 1
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="'surprise' is unknown"):
        SpanExtractor.from_pretrained(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(ModelError, match="cannot be read"):
        SpanExtractor.from_pretrained(folder)


def test_an_untrained_extractor_says_so(encoder):
    with pytest.raises(ModelError, match="not trained"):
        SpanExtractor(encoder).predict("Ada")


def test_params_as_in_sklearn(encoder):
    extractor = SpanExtractor(encoder, settings=Settings(nested=True))
    copy = SpanExtractor(**extractor.get_params()).set_params(device="cpu")
    assert copy.settings.nested
    with pytest.raises(ModelError, match="no parameter 'nest'"):
        copy.set_params(nest=True)


def test_training_refuses_what_it_cannot_learn(encoder):
    extractor = SpanExtractor(encoder, training=replace(FAST, epochs=1), device="cpu")
    good = flat_documents()
    with pytest.raises(DocumentError, match=r"Ada-London: spans\[0\]: label 'person' has no description"):
        extractor.fit(good, {"place": "a city"})
    with pytest.raises(DocumentError, match="no document has a span"):
        extractor.fit([Document("Ada")], LABELS)
    with pytest.raises(DocumentError, match="no texts"):
        extractor.fit([Document(" ")], LABELS)
    bad = Document("Ada", (Span(0, 9, "person"),), id="letter 7")
    with pytest.raises(DocumentError, match=r"letter 7: spans\[0\] \('person'\): offsets 0 to 9 are not in the text"):
        extractor.fit([*good, bad], LABELS)
    with pytest.raises(DocumentError, match=r"spans\[0\] and spans\[1\], both 'person', overlap; train a nested"):
        extractor.fit(nested_documents(), LABELS)
    with pytest.raises(DocumentError, match="has the description of 'person'"):
        extractor.fit(good, {"person": "a human", "place": "A  human"})
    with pytest.raises(DocumentError, match="sample_weight has shape"):
        extractor.fit(good, LABELS, sample_weight=[1.0])
    with pytest.raises(DocumentError, match="sample_weight"):
        extractor.fit(good, LABELS, sample_weight=[float("nan")] * len(good))


def test_sample_weights_decide_what_is_learnt(encoder):
    good, wrong = flat_documents(), [replace(d, spans=(Span(0, len(d.text) - 1, "place"),)) for d in flat_documents()]
    weights = [1.0] * len(good) + [0.0] * len(wrong)
    extractor = SpanExtractor(encoder, settings=Settings(dropout=0.0), training=FAST, device="cpu")
    extractor.fit(good + wrong, LABELS, sample_weight=weights)
    assert extractor.evaluate(good).micro.f1 > 0.9


def test_the_best_epoch_is_kept(encoder):
    extractor = SpanExtractor(encoder, settings=Settings(dropout=0.0), training=FAST, device="cpu")
    seen = []
    extractor.fit(flat_documents(), LABELS, dev=flat_documents()[:5], on_epoch=seen.append)
    best = max(epoch.f1 for epoch in extractor.history_)
    assert extractor.evaluate(flat_documents()[:5]).micro.f1 == best
    assert extractor.predict(flat_documents()[0].text)
    assert [epoch.epoch for epoch in seen] == list(range(1, FAST.epochs + 1))


def test_training_is_repeatable(encoder):
    short = replace(FAST, epochs=2)
    first, second = (fitted(encoder, training=short)._module.state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
    other = fitted(encoder, training=replace(short, seed=1))._module.state_dict()
    assert not torch.equal(first["start_head.weight"], other["start_head.weight"])


def test_lost_and_unknown_gold_counts_as_missed(flat_extractor):
    [document] = flat_documents()[:1]
    lost = replace(document, lost=(LostSpan("person", "discontinuous"),))
    odd = replace(document, spans=(*document.spans, Span(4, 9, "verb")))
    assert flat_extractor.evaluate([lost]).micro.recall == pytest.approx(2 / 3)
    report = flat_extractor.evaluate([odd])
    assert report.micro.recall == pytest.approx(2 / 3)
    assert report.unknown == ("verb",)


def test_a_span_longer_than_the_window_counts_as_missed(flat_extractor):
    text = "Ada " * 400
    report = flat_extractor.evaluate([Document(text, (Span(0, 1599, "person"),))])
    assert report.micro.gold == 1
    assert report.micro.correct == 0


def test_scores_are_probabilities(nested_extractor):
    scores = [span.score for spans in nested_extractor.predict(nested_documents()) for span in spans]
    assert np.all((np.array(scores) > 0.5) & (np.array(scores) <= 1))
