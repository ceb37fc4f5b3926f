"""The Python examples of the guide run, with a tiny encoder in the place of the one that they would fetch."""

import re
from pathlib import Path

import pytest

from spans.conftest import build_encoder  # isort: skip

PAGE = Path(__file__).parents[2] / "docs" / "spans.md"


def run_blocks(tmp_path, monkeypatch, leave_out):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FORETELL_CACHE", str(tmp_path / "cache"))
    build_encoder(tmp_path / "cache" / "encoders" / "minilm-l6")
    blocks = [block for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)]
    chosen = [block for block in blocks if not any(word in block for word in leave_out)]
    assert len(chosen) >= 2
    for block in chosen:
        exec(compile(block, PAGE.name, "exec"), {})


def test_examples_run(tmp_path, monkeypatch):
    run_blocks(tmp_path, monkeypatch, ("onnx", "spacy"))


@pytest.mark.slow
def test_examples_with_other_packages_run(tmp_path, monkeypatch):
    pytest.importorskip("spacy")
    pytest.importorskip("onnxruntime")
    run_blocks(tmp_path, monkeypatch, ())
