"""LEAR against the paper's equations, one token, label and pair at a time; rivals; candidates."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from foretell.spans import Document, Settings, encoders
from foretell.spans.batches import batch_labels, batch_windows, windows_of
from foretell.spans.layers import LabelCode, LabelHead, MatchHead, Pairs, TextEncoder, candidate_pairs
from foretell.spans.lear import Lear
from foretell.spans.rivals import BertMrc, Tagger

from spans.conftest import LABELS  # isort: skip

TEXTS = ("Ada lived in London.", "Kurt from Brno, B52!")


@pytest.fixture(scope="module")
def parts(encoder):
    return encoders.load_tokenizer(encoder), encoders.load_encoder(encoder).eval()


def build(parts, kind, **values):
    tokenizer, body = parts
    settings_ = Settings(dropout=0.0, **values)
    torch.manual_seed(1)
    module = kind(TextEncoder(copy.deepcopy(body), True), settings_, len(LABELS)).eval()
    torch.nn.init.normal_(module.encoder.shapes.weight, std=0.1)
    text = batch_windows(windows_of([Document(t) for t in TEXTS], tokenizer, settings_), tokenizer, settings_)
    return module, text, batch_labels(LABELS, range(2), tokenizer, settings_)


def numbered(rows, meaning=None):
    nothing = torch.zeros(len(rows), 0, 0)
    return LabelCode(nothing, nothing, nothing > 0, torch.tensor(rows), meaning)


@pytest.mark.parametrize("heads", ["per-label", "shared"])
def test_lear_by_the_equations(parts, heads):
    module, text, labels = build(parts, Lear, nested=True, heads=heads)
    with torch.inference_mode():
        code = module.encode_labels(labels)
        scores = module(text, code)
        h = module.encoder(text.ids, text.mask, text.shapes).numpy()
        y = module.encoder(labels.ids, labels.mask).numpy()
        w1, w2 = module.text_projection.weight.numpy(), module.label_projection.weight.numpy()
        w5, b5 = module.fusion.weight.numpy(), module.fusion.bias.numpy()
        for b in range(len(TEXTS)):
            for i in range(int(text.mask[b].sum())):
                for c in range(len(LABELS)):
                    projected = w1 @ h[b, i]
                    keys = [w2 @ y[c, j] for j in range(int(labels.mask[c].sum()))]
                    weights = np.exp([projected @ key for key in keys])
                    weights = weights / weights.sum()
                    u = projected + sum(a * key for a, key in zip(weights, keys, strict=True))
                    z = np.tanh(w5 @ u + b5)
                    row = c if heads == "per-label" else 0
                    start = module.start_head.weight[row].numpy() @ z + float(module.start_head.bias[row])
                    end = module.end_head.weight[row].numpy() @ z + float(module.end_head.bias[row])
                    assert float(scores.start[b, i, c]) == pytest.approx(start, abs=1e-4)
                    assert float(scores.end[b, i, c]) == pytest.approx(end, abs=1e-4)
                    assert scores.z[b, i, c].numpy() == pytest.approx(z, abs=1e-4)


def test_what_attention_mixes_learns_and_its_weights_do_not(parts):
    module, _, _ = build(parts, Lear)
    projected, keys, values = (torch.randn(*shape, requires_grad=True) for shape in ((1, 4, 8), (2, 3, 8), (2, 3, 8)))
    code = LabelCode(keys, values, torch.ones(2, 3, dtype=torch.bool), torch.arange(2))
    module._attend(projected, code).square().sum().backward()
    assert projected.grad is None
    assert keys.grad is None
    assert values.grad is not None
    assert values.grad.abs().sum() > 0


def test_match_head_is_a_product_with_both_vectors_joined():
    torch.manual_seed(0)
    head = MatchHead(6, 3, 0.0)
    z = torch.randn(2, 5, 3, 6)
    pairs = Pairs(*(torch.tensor(v) for v in ([0, 1, 1], [0, 2, 2], [3, 2, 4], [2, 0, 1])))
    with torch.inference_mode():
        logits = head(z, pairs, numbered([0, 1, 2]))
    joined = torch.cat((head.first.weight, head.last.weight), 1)
    for k in range(3):
        b, i, j, c = (int(v[k]) for v in (pairs.batch, pairs.first, pairs.last, pairs.label))
        hidden = torch.nn.functional.gelu(joined @ torch.cat((z[b, i, c], z[b, j, c])) + head.first.bias)
        expected = head.head.weight[c] @ hidden + head.head.bias[c]
        assert float(logits[k]) == pytest.approx(float(expected.detach()), abs=1e-5)


def test_padding_of_texts_and_descriptions_changes_nothing(parts):
    tokenizer, _ = parts
    for kind, values in ((Lear, {}), (BertMrc, {"model": "bert-mrc"}), (Tagger, {"model": "tagger"})):
        module, text, labels = build(parts, kind, **values)
        alone_labels = batch_labels({"person": LABELS["person"]}, [0], tokenizer, module.settings)
        window = windows_of([Document(TEXTS[0])], tokenizer, module.settings)
        alone = batch_windows(window, tokenizer, module.settings)
        with torch.inference_mode():
            together = module(text, module.encode_labels(labels)).start[0, : alone.ids.shape[1], 0]
            single = module(alone, module.encode_labels(alone_labels)).start[0, :, 0]
        keep = alone.may_start[0]
        assert together[keep].numpy() == pytest.approx(single[keep].numpy(), abs=1e-4)


def test_bert_mrc_reads_question_and_text_as_bert_does(parts):
    module, text, labels = build(parts, BertMrc, model="bert-mrc", heads="shared")
    with torch.inference_mode():
        scores = module(text, module.encode_labels(labels))
        question = labels.ids[1][labels.mask[1]]
        content = text.ids[0][text.mask[0]][1:]
        ids = torch.cat((question, content))[None]
        types = torch.cat((torch.zeros_like(question), torch.ones_like(content)))[None]
        shapes = torch.cat((torch.zeros_like(question), text.shapes[0][text.mask[0]][1:]))[None]
        hidden = module.encoder(ids, torch.ones_like(ids, dtype=torch.bool), shapes, types)[0, len(question) :]
        expected = hidden @ module.start_head.weight[0] + module.start_head.bias[0]
    found = scores.start[0, 1 : 1 + len(content), 1]
    assert found.numpy() == pytest.approx(expected.numpy(), abs=1e-4)


def module_mean(hidden, labels):
    return torch.stack([hidden[c][labels.mask[c]].mean(0) for c in range(len(hidden))])


def test_averages_leave_padding_out(parts):
    module, _, labels = build(parts, Lear, label_embedding="average")
    with torch.inference_mode():
        code = module.encode_labels(labels)
        hidden = module.encoder(labels.ids, labels.mask)
        for c in range(2):
            mean = hidden[c][labels.mask[c]].mean(0)
            assert code.keys[c, 0].numpy() == pytest.approx(module.label_projection(mean).numpy(), abs=1e-4)
        token, _, _ = build(parts, Lear, heads="described")
        meaning = token.encode_labels(labels).meaning
        assert meaning.numpy() == pytest.approx(token.label_projection(module_mean(hidden, labels)).numpy(), abs=1e-4)


def test_sentence_level_adds_the_label_by_its_cosine(parts):
    module, text, labels = build(parts, Lear, label_embedding="sentence")
    with torch.inference_mode():
        code = module.encode_labels(labels)
        z = module(text, code).z
        h = module.text_projection(module.encoder(text.ids, text.mask, text.shapes))
        y = code.keys[1, 0]
        cosine = torch.nn.functional.cosine_similarity(h[0, 2], y, dim=0)
        assert z[0, 2, 1].numpy() == pytest.approx((h[0, 2] + cosine * y).numpy(), abs=1e-4)


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 7))
def test_candidates_by_brute_force(seed, longest):
    generator = np.random.default_rng(seed)
    starts, ends = (torch.from_numpy(generator.random((2, 6, 3)) < 0.4) for _ in range(2))
    pairs = candidate_pairs(starts, ends, longest)
    found = set(zip(*(getattr(pairs, n).tolist() for n in ("batch", "first", "last", "label")), strict=True))
    expected = {
        (b, i, j, c)
        for b in range(2)
        for i in range(6)
        for j in range(i, min(i + longest, 6))
        for c in range(3)
        if starts[b, i, c] and ends[b, j, c]
    }
    assert found == expected
    assert len(pairs) == len(expected)


def test_heads_of_vectors_that_all_labels_share():
    torch.manual_seed(0)
    head = LabelHead(4, 3)
    z = torch.randn(2, 5, 1, 4)
    rows = numbered([2, 0])
    every = head(z.expand(2, 5, 2, 4), rows, z)
    assert head(z, rows, z).detach().numpy() == pytest.approx(every.detach().numpy(), abs=1e-5)


def test_described_heads_are_a_sum_of_three_parts():
    torch.manual_seed(0)
    head = LabelHead(4, 3, -4.0, meaning=5)
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter)
    z, h, meaning = torch.randn(2, 6, 2, 4), torch.randn(2, 6, 4), torch.randn(2, 5)
    labels = numbered([2, -1], meaning)
    with torch.inference_mode():
        found = head(z, labels, h)
        for c, row in enumerate((2, None)):
            weight = head.common.weight[0] + head.meaning.weight @ meaning[c] / 5**0.5
            own = torch.zeros(4) if row is None else head.weight[row]
            bias = head.common.bias[0] + (0 if row is None else head.bias[row])
            assert found[..., c].numpy() == pytest.approx((z[:, :, c] @ weight + h @ own + bias).numpy(), abs=1e-5)
            at = head.at(z[0, :, c], labels, torch.tensor([c] * 6))
            assert at.numpy() == pytest.approx((z[0, :, c] @ (weight + own) + bias).numpy(), abs=1e-5)
    head.shift(1.5)
    with torch.inference_mode():
        assert (head(z, labels, h) - found).numpy() == pytest.approx(1.5, abs=1e-5)


def test_label_vectors_of_an_earlier_time_give_the_same_code(parts):
    module, _, labels = build(parts, Lear, heads="described")
    with torch.inference_mode():
        first = module.encode_labels(labels)
        again = module.encode_labels(labels, first.vectors)
    for name in ("keys", "values", "mask", "rows", "meaning"):
        assert torch.equal(getattr(first, name), getattr(again, name))


def test_the_encoder_begins_as_it_was_trained(parts):
    _, body = parts
    ids = torch.tensor([[2, 5, 6, 3]])
    mask, shapes = torch.ones_like(ids, dtype=torch.bool), torch.tensor([[0, 2, 3, 0]])
    with torch.inference_mode():
        told = TextEncoder(body, True)(ids, mask, shapes)
        plain = body(input_ids=ids, attention_mask=mask.long()).last_hidden_state
    assert told.numpy() == pytest.approx(plain.numpy(), abs=1e-5)
