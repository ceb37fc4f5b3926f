"""The Python examples of the guide run, with a tiny encoder in the place of the one that they would fetch."""

import re
from pathlib import Path

import pytest

from spans.conftest import build_encoder  # isort: skip

PAGE = Path(__file__).parents[2] / "docs" / "spans.md"


def test_examples_run(tmp_path, monkeypatch):
    pytest.importorskip("spacy")
    pytest.importorskip("onnxruntime")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FORETELL_CACHE", str(tmp_path / "cache"))
    build_encoder(tmp_path / "cache" / "encoders" / "minilm-l6")
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) >= 4
    for block in blocks:
        exec(compile(block, PAGE.name, "exec"), {})
