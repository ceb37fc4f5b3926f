"""What predict reads."""

from __future__ import annotations

import json

import pytest

import foretell
from foretell.errors import ModelError
from foretell.spans import DocumentError, encoders, shipped, sources


def test_texts_lines_json_lines_and_archives(tmp_path):
    text = "Ada wrote.\n\n  \nKurt  read.\r\n"
    (tmp_path / "a.txt").write_bytes(text.encode())
    (tmp_path / "b.txt.fore").write_bytes(foretell.compress(text.encode(), level=1))
    record = json.dumps({"id": "x", "text": "Eve"})
    (tmp_path / "c.jsonl.fore").write_bytes(foretell.compress(record.encode(), level=1))
    (tmp_path / "passed-over.png").write_bytes(b"\x89PNG")
    found = list(sources.documents_in(str(tmp_path)))
    assert [document.text for document in found] == [text, text, "Eve"]
    assert [document.id.rsplit("/", 1)[-1] for document in found] == ["a.txt", "b.txt.fore", "x"]
    lines = list(sources.documents_in(str(tmp_path / "b.txt.fore"), by="line"))
    assert [document.text for document in lines] == ["Ada wrote.", "Kurt  read."]
    assert [document.id.rsplit(":", 1)[-1] for document in lines] == ["1", "4"]


def test_what_cannot_be_read_says_so(tmp_path, monkeypatch):
    with pytest.raises(DocumentError, match="holds no texts"):
        list(sources.documents_in(str(tmp_path)))
    (tmp_path / "a.txt").write_bytes(b"abc\xff")
    with pytest.raises(DocumentError, match=r"a\.txt: is not utf-8 \(byte 3"):
        list(sources.documents_in(str(tmp_path / "a.txt")))
    (tmp_path / "b.jsonl").write_text("{}\n")
    with pytest.raises(DocumentError, match=r"b\.jsonl: line 1: has neither"):
        list(sources.documents_in(str(tmp_path / "b.jsonl")))
    monkeypatch.setattr(sources, "LARGEST_TEXT", 3)
    with pytest.raises(DocumentError, match="read it by line"):
        list(sources.documents_in(str(tmp_path / "a.txt"), encoding="latin-1"))
    archive = tmp_path / "c.txt.fore"
    archive.write_bytes(foretell.compress(b"Ada" * 99, level=1)[:-9])
    with pytest.raises(foretell.ArchiveError):
        list(sources.documents_in(str(archive)))


def test_extractors_by_folder_or_shipped(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text("{}")
    assert shipped.find_extractor(str(tmp_path / "mine")) == tmp_path / "mine"
    with pytest.raises(ModelError, match="no extractor 'nothing'; name the folder"):
        shipped.find_extractor("nothing")
    monkeypatch.setattr("foretell.shipped.__file__", str(tmp_path / "foretell" / "shipped.py"))
    with pytest.raises(ModelError, match="no extractor ships with this installation"):
        shipped.find_extractor(None)
    folder = tmp_path / "foretell" / "weights" / "spans-entities"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    assert shipped.find_extractor(None) == shipped.find_extractor("entities") == folder
    assert encoders.find_encoder("entities") == folder
    assert shipped.find_extractor(None, ["person"]) == folder
    with pytest.raises(ModelError, match="no extractor ships with this installation"):
        shipped.find_extractor(None, {"city": "A city is a large town."})
    reader = folder.with_name("spans-reader")
    reader.mkdir()
    (reader / "config.json").write_text("{}")
    assert shipped.find_extractor(None, {"city": "A city is a large town."}) == reader
    assert shipped.find_extractor("entities", {"city": "A city is a large town."}) == folder
    assert encoders.find_encoder("reader") == reader
