"""Exported graphs give what torch gives, for any number of texts and pieces."""

from __future__ import annotations

import pytest

from foretell.errors import ModelError
from foretell.spans import Settings, SpanExtractor

from spans.conftest import nested_documents  # isort: skip

pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
from foretell.spans.onnx import OnnxExtractor, export_onnx, largest_difference


def test_exported_extractors_predict_the_same(nested_extractor, tmp_path):
    export_onnx(nested_extractor, tmp_path)
    exported = OnnxExtractor(tmp_path, threads=1)
    texts = [document.text for document in nested_documents()] + ["", "Ada " * 300, "Brno"]
    assert largest_difference(nested_extractor, exported, texts) < 1e-4
    found, expected = exported.predict(texts, threshold=0.3), nested_extractor.predict(texts, threshold=0.3)
    assert [[span.key for span in spans] for spans in found] == [[span.key for span in spans] for spans in expected]


def test_eight_bits_change_probabilities_a_little(nested_extractor, tmp_path):
    export_onnx(nested_extractor, tmp_path / "whole")
    export_onnx(nested_extractor, tmp_path / "int8", dtype="int8")
    texts = [document.text for document in nested_documents()]
    exported = OnnxExtractor(tmp_path / "int8", threads=1)
    assert 0 < largest_difference(nested_extractor, exported, texts) < 0.3
    sizes = [(tmp_path / name / "text.onnx").stat().st_size for name in ("whole", "int8")]
    assert sizes[1] < sizes[0]
    assert sorted(path.name for path in (tmp_path / "int8").iterdir()) == [
        "onnx.json",
        "pairs.onnx",
        "text.onnx",
        "tokenizer.json",
    ]


def test_a_choice_of_labels_is_exported(flat_extractor, tmp_path):
    export_onnx(flat_extractor, tmp_path, flat_extractor.encode_labels(["place"]))
    [spans] = OnnxExtractor(tmp_path, threads=1).predict(["Ada lived in London."])
    assert [(span.label, span.text) for span in spans] == [("place", "London")]


def test_what_cannot_be_exported_or_is_not_there(encoder, tmp_path):
    with pytest.raises(ModelError, match="bert-mrc cannot be exported"):
        export_onnx(SpanExtractor(encoder, settings=Settings(model="bert-mrc", heads="shared")), tmp_path)
    with pytest.raises(ModelError, match="no exported extractor there"):
        OnnxExtractor(tmp_path)
