"""Exported graphs give what torch gives, for any number of texts and pieces."""

from __future__ import annotations

import shutil

import pytest

from foretell.errors import ModelError
from foretell.spans import Settings, SpanExtractor

from spans.conftest import nested_documents  # isort: skip

pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
from foretell.spans import onnx

TEXTS = [document.text for document in nested_documents()]


@pytest.fixture(scope="module")
def folder(nested_extractor, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx")
    onnx.export_onnx(nested_extractor, path)
    return path


def test_exported_extractors_predict_the_same(nested_extractor, folder):
    exported = onnx.OnnxExtractor(folder, threads=1)
    texts = [*TEXTS, "", "Ada " * 300, "Brno"]
    assert onnx.largest_difference(nested_extractor, exported, texts) < 1e-4
    found, expected = exported.predict(texts, threshold=0.3), nested_extractor.predict(texts, threshold=0.3)
    assert [[span.key for span in spans] for spans in found] == [[span.key for span in spans] for spans in expected]


def test_eight_bits_change_probabilities_a_little(nested_extractor, folder, tmp_path):
    shutil.copytree(folder, tmp_path / "int8")
    onnx._quantize(tmp_path / "int8" / "text.onnx")
    exported = onnx.OnnxExtractor(tmp_path / "int8", threads=1)
    assert 0 < onnx.largest_difference(nested_extractor, exported, TEXTS) < 0.3
    assert (tmp_path / "int8" / "text.onnx").stat().st_size < (folder / "text.onnx").stat().st_size
    names = ["onnx.json", "pairs.onnx", "text.onnx", "tokenizer.json"]
    assert sorted(path.name for path in (tmp_path / "int8").iterdir()) == names


@pytest.mark.slow
def test_a_choice_of_labels_in_eight_bits(flat_extractor, tmp_path):
    onnx.export_onnx(flat_extractor, tmp_path, flat_extractor.encode_labels(["place"]), dtype="int8")
    [spans] = onnx.OnnxExtractor(tmp_path, threads=1).predict(["Ada lived in London."], threshold=0.3)
    assert {span.label for span in spans} <= {"place"}
    assert not (tmp_path / "pairs.onnx").exists()


def test_what_cannot_be_exported_or_is_not_there(encoder, tmp_path):
    with pytest.raises(ModelError, match="bert-mrc cannot be exported"):
        onnx.export_onnx(SpanExtractor(encoder, settings=Settings(model="bert-mrc", heads="shared")), tmp_path)
    with pytest.raises(ModelError, match="no exported extractor there"):
        onnx.OnnxExtractor(tmp_path)
