"""Pieces with offsets, windows, and what they own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from foretell.errors import ModelError
from foretell.spans import encoders, pieces
from foretell.spans.pieces import Pieces, PieceTokenizer, cut_windows

from spans.conftest import build_encoder  # isort: skip
import itertools


@pytest.fixture(scope="module")
def tokenizer(encoder) -> PieceTokenizer:
    return encoders.load_tokenizer(encoder)


def unigram() -> PieceTokenizer:
    """A SentencePiece-like tokenizer, whose pieces begin with the space before them."""
    vocabulary = [("<s>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("\u2581", -3.0)]
    vocabulary += [(letter, -4.0) for letter in "adelntov."] + [("\u2581love", -1.0), ("\u2581Ada", -1.0)]
    made = Tokenizer(models.Unigram(vocabulary, unk_id=2))
    made.normalizer = normalizers.NFKC()
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)])
    return PieceTokenizer(made)


def numbered(count: int) -> Pieces:
    numbers = np.arange(count)
    return Pieces(numbers, numbers, numbers + 1, numbers, numbers * 0)


def test_frame_and_case(tokenizer, tmp_path):
    assert (len(tokenizer.prefix), len(tokenizer.suffix)) == (1, 1)
    assert tokenizer.lowers_case
    assert not encoders.load_tokenizer(build_encoder(tmp_path, lowercase=False)).lowers_case


def test_words_are_runs_of_letters_and_digits(tokenizer):
    text = "Ada's B52, (x)"
    found = tokenizer.split(text)
    words = [text[found.starts[found.words == w][0] : found.ends[found.words == w][-1]] for w in set(found.words)]
    assert words == ["Ada", "'", "s", "B52", ",", "(", "x", ")"]


def test_sentence_pieces_do_not_begin_with_the_space(tokenizer):
    text = "Ada  love. Ada"
    found = unigram().split(text)
    seen = [text[s:e] for s, e in zip(found.starts, found.ends, strict=True) if e > s]
    assert seen == ["Ada", "love", ".", "Ada"]
    begins, ends = found.edges(of_words=True)
    assert [text[s:e] for s, e in zip(found.starts[begins], found.ends[ends], strict=True)] == seen


@settings(deadline=None)
@given(st.text(max_size=60))
def test_offsets_lie_in_order_in_the_text(tokenizer, text):
    for some in (tokenizer, unigram()):
        found = some.split(text)
        assert all(0 <= s <= e <= len(text) for s, e in zip(found.starts, found.ends, strict=True))
        assert all(np.diff(found.starts) >= 0)
        assert all(np.diff(found.words) >= 0)


def test_long_texts_are_tokenized_in_parts(tokenizer, monkeypatch):
    text = "Ada lived in London, " * 40
    whole = tokenizer.split(text)
    monkeypatch.setattr(pieces, "_CHUNK", 50)
    parts = tokenizer.split(text)
    for name in ("ids", "starts", "ends", "shapes"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name))
    assert np.array_equal(np.diff(whole.words) > 0, np.diff(parts.words) > 0)


@given(st.integers(0, 60), st.integers(1, 12), st.data())
def test_every_piece_is_owned_once_by_a_window_with_most_context(count, size, data):
    overlap = data.draw(st.integers(0, size - 1))
    windows = cut_windows(numbered(count), size, overlap)
    owned = [w.first + i for w in windows for i in range(*w.own)]
    assert owned == list(range(count))
    for window in windows:
        assert len(window.pieces) <= size
        assert 0 <= window.own[0] <= window.own[1] <= len(window.pieces)
        assert window.pieces.ids[0] == window.first
    for before, after in itertools.pairwise(windows):
        assert before.first + len(before.pieces) - after.first == overlap
        border = before.first + before.own[1]
        assert border - after.first >= overlap // 2
        assert before.first + len(before.pieces) - border >= overlap // 2


def test_places_of_characters(tokenizer):
    found = tokenizer.split("Ada lived in London.")
    first, last = found.locate(13, 19)
    assert (found.starts[first], found.ends[last]) == (13, 19)
    assert found.locate(3, 4) is None
    assert tokenizer.split("").locate(0, 1) is None


def test_tokenizers_without_frames_are_refused():
    bare = Tokenizer(models.WordPiece({"[UNK]": 0, "a": 1}, unk_token="[UNK]"))
    with pytest.raises(ModelError, match="no tokens for begin and end"):
        PieceTokenizer(bare)
