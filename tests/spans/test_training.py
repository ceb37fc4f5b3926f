"""The loop, and the defects of the reference code that must not come back."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from foretell.errors import ModelError
from foretell.spans import Document, Settings, Span, SpanExtractor, encoders
from foretell.spans.batches import batch_labels, batch_targets, batch_windows, examples_of
from foretell.spans.layers import Scores, TextBatch
from foretell.spans.lear import Lear
from foretell.spans.training import Training, _backward, bound_loss, make_optimizer, match_candidates

from spans.conftest import FAST, LABELS, fitted, flat_documents  # isort: skip


def test_every_parameter_is_in_exactly_one_group(flat_extractor):
    module = flat_extractor._module
    optimizer = make_optimizer(module, Training())
    grouped = [id(parameter) for group in optimizer.param_groups for parameter in group["params"]]
    assert len(grouped) == len(set(grouped))
    assert set(grouped) == {id(parameter) for parameter in module.parameters() if parameter.requires_grad}
    assert len(grouped) >= len(list(module.parameters())) - 1
    for group in optimizer.param_groups:
        matrices = {parameter.ndim > 1 for parameter in group["params"]}
        assert matrices == {group["weight_decay"] > 0}


def test_biases_and_norms_are_trained(encoder):
    before = encoders.load_encoder(encoder).state_dict()
    extractor = fitted(encoder, nested=True, training=replace(FAST, epochs=2))
    after = extractor._module.encoder.body.state_dict()
    for name in ("embeddings.LayerNorm.weight", "encoder.layer.0.attention.self.value.bias"):
        assert not torch.equal(before[name], after[name]), name
    assert not torch.equal(extractor._module.fusion.bias, torch.zeros_like(extractor._module.fusion.bias))


def test_input_embeddings_learn_only_on_request(encoder):
    before = encoders.load_encoder(encoder).get_input_embeddings().weight
    for learns in (False, True):
        extractor = fitted(encoder, training=replace(FAST, epochs=1, word_vectors=learns))
        after = extractor._module.encoder.body.get_input_embeddings().weight
        assert torch.equal(before, after) != learns


def test_labels_pass_through_the_encoder_at_each_step_of_so_many(encoder, monkeypatch):
    asked = []
    encode = Lear._label_vectors
    monkeypatch.setattr(
        Lear, "_label_vectors", lambda self, labels: asked.append(self.training) or encode(self, labels)
    )
    fitted(encoder, training=replace(FAST, epochs=3, label_steps=4))
    assert asked == [True, True]  # 3 epochs of 2 steps: the first and the fifth


@pytest.mark.parametrize("learns", [False, True])
def test_descriptions_teach_the_encoder_only_on_request(flat_extractor, learns):
    module, tokenizer = flat_extractor._module, flat_extractor._fitted()
    module.zero_grad()
    code = module.encode_labels(batch_labels(LABELS, range(2), tokenizer, Settings()), learns=learns)
    code.keys.sum().backward()
    assert (module.encoder.body.encoder.layer[0].attention.self.value.weight.grad is not None) == learns
    assert module.label_projection.weight.grad is not None
    module.zero_grad()


def test_products_of_bfloat16_learn_as_well(encoder):
    extractor = SpanExtractor(
        encoder, settings=Settings(dropout=0.0), training=FAST, device="cpu", precision="bfloat16"
    )
    extractor.fit(flat_documents(), LABELS, dev=flat_documents())
    assert extractor.evaluate(flat_documents()).micro.f1 > 0.95
    assert {parameter.dtype for parameter in extractor._module.parameters()} == {torch.float32}
    again = SpanExtractor(encoder, precision="float16")
    with pytest.raises(ModelError, match="precision is 'float16'; choose one of auto, float32, bfloat16"):
        again.fit(flat_documents(), LABELS)


def scores_of(start: list[float], end: list[float]) -> tuple[Scores, TextBatch]:
    n = len(start)
    allowed = torch.ones(1, n, dtype=torch.bool)
    text = TextBatch(torch.zeros(1, n), torch.zeros(1, n), allowed, allowed, allowed)
    logits = [torch.tensor(values)[None, :, None] for values in (start, end)]
    return Scores(*logits, torch.zeros(1, n, 1, 4)), text


def targets_of(spans: list[tuple[int, int]], n: int):
    from foretell.spans.batches import Targets

    start, end = torch.zeros(1, n, 1), torch.zeros(1, n, 1)
    for first, last in spans:
        start[0, first, 0], end[0, last, 0] = 1, 1
    rows = torch.tensor([(0, first, last, 0) for first, last in spans])
    return Targets(start, end, rows, torch.ones(1))


def test_candidates_are_predicted_and_predicted_or_gold_and_gold():
    """The reference trains every pair of a gold start, since it asks whether a logit is not zero."""
    scores, text = scores_of([-3.0, 2.0, -3.0, -3.0, -3.0], [-3.0, -3.0, 2.0, -3.0, -3.0])
    pairs, gold = match_candidates(scores, text, targets_of([(0, 3), (4, 4)], 5), longest=9)
    found = dict(zip(zip(pairs.first.tolist(), pairs.last.tolist(), strict=True), gold.tolist(), strict=True))
    assert found == {(0, 3): True, (0, 4): False, (4, 4): True, (1, 2): False}


def test_candidates_are_not_longer_than_can_be_predicted():
    scores, text = scores_of([2.0, -3.0, -3.0], [-3.0, -3.0, 2.0])
    pairs, _ = match_candidates(scores, text, targets_of([(0, 2)], 3), longest=2)
    assert len(pairs) == 0


def test_loss_is_that_of_each_piece_and_label():
    scores, text = scores_of([0.0, 1.0], [-1.0, 0.5])
    loss = bound_loss(scores, text, targets_of([(1, 1)], 2))

    def entropy(logit: float, target: float) -> float:
        p = 1 / (1 + torch.exp(torch.tensor(-logit)))
        return -float(torch.log(p if target else 1 - p))

    expected = (entropy(0, 0) + entropy(1, 1)) / 2 + (entropy(-1, 0) + entropy(0.5, 1)) / 2
    assert float(loss) == pytest.approx(expected, abs=1e-5)


def test_special_tokens_neither_teach_nor_predict(encoder, flat_extractor):
    tokenizer = flat_extractor._tokenizer
    examples = examples_of(flat_documents()[:2], list(LABELS), tokenizer, flat_extractor.settings_)
    text = batch_windows([example.window for example in examples], tokenizer, flat_extractor.settings_)
    special = torch.isin(text.ids, torch.tensor([*tokenizer.prefix, *tokenizer.suffix, 0]))
    assert not (special & (text.may_start | text.may_end)).any()
    targets = batch_targets(examples, tuple(text.ids.shape), 2, len(tokenizer.prefix))
    scores = Scores(*(torch.randn(*targets.start.shape) for _ in range(2)), torch.zeros(1))
    before = bound_loss(scores, text, targets)
    scores.start[special] += 5
    assert torch.equal(before, bound_loss(scores, text, targets))


def test_gold_beyond_the_window_counts_in_scores_but_is_no_target(flat_extractor):
    long = Document("Ada " * 300, (Span(0, 1199, "person"),))
    examples = examples_of([long], list(LABELS), flat_extractor._tokenizer, flat_extractor.settings_)
    assert len(examples) > 1
    assert not any(example.spans for example in examples)
    assert sum(len(example.starts) for example in examples) == 1
    assert flat_extractor.evaluate([long]).micro.gold == 1


def test_gold_inside_a_word_teaches_its_word_and_counts_as_missed(encoder):
    documents = [Document("Londoners lived in York.", (Span(0, 6, "place"),)), *flat_documents() * 20]
    extractor = fitted(encoder, training=replace(FAST, epochs=1))
    examples = examples_of(documents[:1], list(LABELS), extractor._tokenizer, extractor.settings_)
    assert examples[0].starts
    assert extractor.evaluate(documents[:1]).micro.correct == 0


@pytest.mark.parametrize("model", ["lear", "bert-mrc"])
def test_a_batch_in_parts_has_the_gradient_of_the_whole(encoder, monkeypatch, model):
    extractor = fitted(encoder, nested=False, model=model, training=replace(FAST, epochs=1))
    documents = [flat_documents()[0]] * 6
    arguments = (
        examples_of(documents, list(LABELS), extractor._tokenizer, extractor.settings_),
        batch_labels(LABELS, range(2), extractor._tokenizer, extractor.settings_),
        extractor._tokenizer,
        extractor.settings_,
        FAST,
        torch.device("cpu"),
        None,
    )
    gradients = []
    for pieces in (100_000, 70):
        monkeypatch.setattr("foretell.spans.training._ROW_PIECES", pieces)
        extractor._module.zero_grad()
        _backward(extractor._module, *arguments)
        gradients.append(extractor._module.start_head.weight.grad.clone())
    assert gradients[0].numpy() == pytest.approx(gradients[1].numpy(), abs=1e-5)


def test_settings_are_fitted_to_the_data(encoder):
    extractor = fitted(encoder, training=replace(FAST, epochs=1))
    assert extractor.settings_.longest == 7  # grace h ##o ##p ##p ##e ##r
    nested = fitted(encoder, nested=True, training=replace(FAST, epochs=1))
    assert nested.settings_.longest > extractor.settings_.longest
    assert Settings().longest > nested.settings_.longest


def test_fitting_again_starts_from_the_settings_that_were_given(encoder):
    extractor = fitted(encoder, training=replace(FAST, epochs=1))
    given = extractor.settings
    text = "Ada lived in London. Kurt lived in Brno."
    longer = Document(text, (Span(0, len(text), "person"),))
    extractor.fit([longer], LABELS)
    assert extractor.settings == given
    assert extractor.settings_.longest > 7
