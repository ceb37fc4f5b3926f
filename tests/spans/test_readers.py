"""Every format, and what is wrong in each, with its place."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from foretell.spans import Document, DocumentError, LostSpan, Span, read_documents
from foretell.spans.brat import annotation_lines, parse
from foretell.spans.conll import chunks
from foretell.spans.jsonl import to_record
from foretell.spans.readers import keep_outermost, open_text


def write(path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_conll_with_docstart_spaces_and_iob1(tmp_path):
    path = write(tmp_path / "a.conll", "-DOCSTART- -X- O O\n\nU.N. NNP I-ORG\nofficial NN O\n\n\nParis NNP I-LOC\n")
    first, second = read_documents(path)
    assert first.text == "U.N. official"
    assert [span.key for span in first.spans] == [(0, 4, "ORG")]
    assert [span.key for span in second.spans] == [(0, 5, "LOC")]


def test_conll_layers_nest(tmp_path):
    path = write(tmp_path / "a.tsv", "the\tO\tB-PER\t\nking\tO\tI-PER\t\nof\tO\tI-PER\t\nFrance\tB-GPE\tI-PER\t\n")
    [document] = read_documents(path)
    assert [span.key for span in document.spans] == [(0, 18, "PER"), (12, 18, "GPE")]


@pytest.mark.parametrize("token", ["B-x", "I-x", "O"])
def test_conll_tokens_that_look_like_tags(tmp_path, token):
    [document] = read_documents(write(tmp_path / "a.bio", f"{token}\tB-PER\nand\tO\n"))
    assert [span.key for span in document.spans] == [(0, len(token), "PER")]


def test_conll_errors_name_the_line(tmp_path):
    path = write(tmp_path / "a.conll", "Ada\tB-PER\nwrote\tVERB\n")
    with pytest.raises(DocumentError, match=r"a\.conll: line 2: 'VERB' is no BIO tag; tags are O"):
        read_documents(path)
    with pytest.raises(DocumentError, match="line 1: has no tag after 'Ada'"):
        read_documents(write(path, "Ada\n"))


@given(st.lists(st.sampled_from(["O", "B-a", "I-a", "B-b", "I-b", "E-a", "S-b", "L-a", "U-b"]), max_size=9))
def test_chunks_are_in_order_and_of_one_label(tags):
    found = chunks(tags)
    covered = [i for first, last, _ in found for i in range(first, last + 1)]
    assert covered == [i for i, tag in enumerate(tags) if tag != "O"]
    for first, last, label in found:
        assert all(tags[i].endswith(label) for i in range(first, last + 1))
        assert not any(tags[i][0] in "BSU" for i in range(first + 1, last + 1))
        assert not any(tags[i][0] in "ESLU" for i in range(first, last))


def test_json_lines_in_both_formats(tmp_path):
    own = {"id": "a", "text": "Ada wrote.", "spans": [{"start": 0, "end": 3, "label": "p", "text": "Ada"}]}
    gliner = {"tokenized_text": ["Ada", "Lovelace", "wrote"], "ner": [[0, 1, "p"]]}
    path = write(tmp_path / "a.jsonl", json.dumps(own) + "\n\n" + json.dumps(gliner) + "\n")
    first, second = read_documents(path)
    assert (first.id, first.spans[0].key, second.spans[0].key) == ("a", (0, 3, "p"), (0, 12, "p"))
    assert read_documents(write(tmp_path / "b.json", json.dumps([gliner, own], indent=1)))[1] == first


def test_predictions_are_read_again(tmp_path):
    document = Document("Ada wrote.", id="x")
    spans = [Span(0, 3, "p", 0.75, "Ada")]
    path = write(tmp_path / "a.jsonl", json.dumps(to_record(document, spans)))
    assert read_documents(path) == [Document("Ada wrote.", tuple(spans), "x")]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1: is not JSON"),
        ("3", "line 1: is int, not an object"),
        ("{}", "line 1: has neither text nor tokenized_text"),
        ('{"text": "Ada", "spans": 3}', "line 1: spans is int, not a list"),
        ('{"text": "Ada", "spans": [{"start": 0, "end": 9, "label": "p"}]}', "line 1: .* offsets 0 to 9 are not in"),
        ('{"text": "Ada", "spans": [{"start": -1, "end": 2, "label": "p"}]}', "line 1: .* offsets -1 to 2"),
        ('{"text": "Ada", "spans": [{"start": 2, "end": 2, "label": "p"}]}', "line 1: .* offsets 2 to 2"),
        ('{"text": "Ada", "spans": [{"start": "0", "end": 2, "label": "p"}]}', r"spans\[0\]: start is '0'; give start"),
        ('{"text": "Ada", "spans": [{"start": 0, "end": 2, "label": ""}]}', "label is empty"),
        ('{"text": "Ada", "spans": [{"start": 0, "end": 2, "label": "p", "text": "Xd"}]}', "text is 'Xd', but"),
        ('{"text": "Ada", "spans": [7]}', r"spans\[0\]: is not an object"),
        ('{"tokenized_text": ["a"], "ner": [[0, 1, "p"]]}', r"ner\[0\]: tokens 0 to 1 are not among 1"),
        ('{"tokenized_text": "a"}', "tokenized_text is not a list of strings"),
        ("[" * 100_000, "line 1: (nests too deeply|is not JSON)"),
    ],
)
def test_json_errors_name_line_and_field(tmp_path, line, message):
    with pytest.raises(DocumentError, match=message) as caught:
        read_documents(write(tmp_path / "bad.jsonl", line))
    assert "bad.jsonl" in str(caught.value)


def test_brat_keeps_account_of_discontinuous_spans(tmp_path):
    write(tmp_path / "a.txt", "Ada and Kurt Lovelace\nwrote.")
    write(
        tmp_path / "a.ann",
        "T1\tPer 8 21\tKurt Lovelace\nT2\tPer 0 3;13 21\tAda Lovelace\nR1\tKin Arg1:T1 Arg2:T2\n"
        "T3\tLine 13 27\tLovelace wrote\n#1\tNote T1 hm\n",
    )
    [document] = read_documents(tmp_path)
    assert [span.key for span in document.spans] == [(8, 21, "Per"), (13, 27, "Line")]
    assert document.lost == (LostSpan("Per", "discontinuous: 0-3;13-21"),)
    assert read_documents(tmp_path / "a.ann") == read_documents(tmp_path / "a.txt") == [document]


def test_brat_fragments_with_nothing_between_are_one_span():
    document = parse("New York", ["T1\tLoc 0 3;4 8\tNew York"], "a")
    assert [span.key for span in document.spans] == [(0, 8, "Loc")]
    assert not document.lost


def test_brat_errors(tmp_path):
    write(tmp_path / "a.txt", "Ada")
    with pytest.raises(DocumentError, match=r"a\.txt: spans\[0\] .* offsets 0 to 9"):
        read_documents(write(tmp_path / "a.ann", "T1\tPer 0 9\tAda\n"))
    with pytest.raises(DocumentError, match="text is 'Bob', but characters 0 to 3 are 'Ada'"):
        read_documents(write(tmp_path / "a.ann", "T1\tPer 0 3\tBob\n"))
    with pytest.raises(DocumentError, match="cannot be read; see brat"):
        read_documents(write(tmp_path / "a.ann", "T1 Per 0 3 Ada\n"))
    (tmp_path / "a.txt").unlink()
    with pytest.raises(DocumentError, match=r"needs a \.txt file"):
        read_documents(tmp_path / "a.ann")


def test_brat_round_trip():
    spans = (Span(0, 3, "my label", text="Ada"), Span(4, 9, "b", text="lives"))
    again = parse("Ada lives", annotation_lines(spans), "a")
    assert [span.key for span in again.spans] == [(0, 3, "my_label"), (4, 9, "b")]


def test_spacy_docbin(tmp_path):
    spacy = pytest.importorskip("spacy")
    nlp = spacy.blank("en")
    doc = nlp("Ada lived in New York")
    doc.ents = [doc.char_span(0, 3, "PERSON")]
    doc.spans["sc"] = [doc.char_span(13, 21, "GPE"), doc.char_span(17, 21, "GPE")]
    spacy.tokens.DocBin(docs=[doc]).to_disk(tmp_path / "a.spacy")
    [document] = read_documents(tmp_path / "a.spacy")
    assert [span.key for span in document.spans] == [(0, 3, "PERSON"), (13, 21, "GPE"), (17, 21, "GPE")]
    with pytest.raises(DocumentError, match=r"b\.spacy: is no DocBin"):
        read_documents(write(tmp_path / "b.spacy", b"nonsense"))


def test_wrong_encodings_say_where(tmp_path):
    path = write(tmp_path / "a.conll", "Ada\tB-PER\ncaf\xe9\tO\n".encode("latin-1"))
    with pytest.raises(DocumentError, match=r"a\.conll: line 2: is not utf-8 \(byte 3 is 0xe9\); name its encoding"):
        read_documents(path)
    [document] = read_documents(path, encoding="latin-1")
    assert document.text == "Ada café"
    with pytest.raises(DocumentError, match="encoding 'klingon' is unknown"):
        read_documents(path, encoding="klingon")


def test_byte_order_marks_are_passed_over(tmp_path):
    for encoding in ("utf-8-sig", "utf-16"):
        path = tmp_path / "a.conll"
        path.write_text("Ada\tB-PER\n", encoding=encoding)
        [document] = read_documents(path, encoding="utf-16" if encoding == "utf-16" else "utf-8")
        assert document.spans[0].key == (0, 3, "PER")


def test_folders_and_unknown_files(tmp_path):
    with pytest.raises(DocumentError, match="holds no documents"):
        read_documents(tmp_path)
    with pytest.raises(DocumentError, match=r"suffix '\.xyz' does not tell its format"):
        read_documents(write(tmp_path / "a.xyz", "Ada\tO\n"))
    assert len(read_documents(tmp_path / "a.xyz", "conll")) == 1
    write(tmp_path / "b.conll", "Ada\tO\n\nBob\tO\n")
    write(tmp_path / "c.conll", "Eve\tO\n")
    assert len(read_documents(tmp_path)) == 3


def test_lines_are_read_as_they_come(tmp_path):
    path = write(tmp_path / "a.txt", b"fine\n\xff\n")
    with open_text(path) as lines:
        assert next(lines) == "fine\n"
        with pytest.raises(DocumentError):
            next(lines)


def test_outermost_spans_stay_and_the_others_count():
    document = Document("a b c d", (Span(0, 3, "x"), Span(0, 7, "x"), Span(2, 3, "y")))
    kept = keep_outermost(document)
    assert [span.key for span in kept.spans] == [(0, 7, "x"), (2, 3, "y")]
    assert kept.lost == (LostSpan("x", "overlaps: 0-3"),)
