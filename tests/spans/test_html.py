"""The page shows every character once, every span, and nothing that is not escaped."""

from __future__ import annotations

import html
import re

from hypothesis import given
from hypothesis import strategies as st

from foretell.spans import Document, Span
from foretell.spans.html import _rows, marked, page

COLOURS = {"a": "red", "b": "blue"}


def shown(markup: str) -> str:
    """Characters of the text: without tags of the page and tags of labels."""
    return html.unescape(re.sub(r"<[^>]*>", "", re.sub(r'<span class="tag".*?</span>', "", markup)))


@given(st.data())
def test_every_character_once_and_every_label(data):
    text = data.draw(st.text(alphabet="ab<>&\"' \n\u4eac", min_size=1, max_size=12))
    size = len(text)
    spans = [
        Span(start, data.draw(st.integers(start + 1, size)), label, 0.5)
        for start, label in data.draw(st.lists(st.tuples(st.integers(0, size - 1), st.sampled_from("ab")), max_size=5))
    ]
    unique = list({span.key: span for span in spans}.values())
    markup = marked(text, unique, COLOURS)
    assert shown(markup) == text
    assert markup.count('class="tag"') == len(unique)
    rows = _rows(unique)
    for i, one in enumerate(unique):
        for other in unique[i + 1 :]:
            assert not one.overlaps(other) or rows[one.key] != rows[other.key]
            if one.covers(other):
                assert rows[other.key] < rows[one.key]


def test_page_is_whole_and_escaped():
    documents = [(Document("a < b", id="<x>"), [Span(0, 1, "a", 0.9, "a")]), (Document(""), [])]
    text = "".join(page(documents, ["a", "<l>"], "<t>"))
    assert text.startswith("<!DOCTYPE html>")
    assert text.endswith("</html>\n")
    assert "<script" not in text
    for raw in ("<x>", "<t>", "<l>"):
        assert raw not in text
    assert "a 0.90: a" in text
