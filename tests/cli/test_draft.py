"""draft train and draft eval; on a tiny model in the place of the real one."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("torch")

from models.tiny import tiny

from foretell.models import registry


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "load", lambda name: tiny("llama"))


@pytest.fixture
def prompts(tmp_path):
    path = tmp_path / "prompts.jsonl"
    path.write_text('{"turns": ["the fox", "again"]}\n\n{"question": "to be"}\n{"prompt": "a dog"}\n')
    return path


def test_train_then_eval_then_generate(run, tmp_path, prompts):
    text, folder = tmp_path / "text.txt", tmp_path / "draft"
    text.write_bytes(b"the quick brown fox jumps over the lazy dog. " * 20)
    common = ("--steps", "3", "--batch", "2", "--length", "24", "-o", folder)
    assert run("draft", "train", "--data", text, *common, "--draft-rows", "80").status == 0
    out = run("draft", "eval", "none", folder, "--prompts", prompts, "--raw", "--max-tokens", "8", "--json").out
    plain, drafted = map(json.loads, out.splitlines())
    assert plain["prompts"] == drafted["prompts"] == 3
    assert plain["tokens"] == drafted["tokens"]
    line = run("draft", "eval", folder, "--prompts", prompts, "--raw", "--max-tokens", "8", "--tree", "4/2/2").out
    assert "tokens a pass" in line
    expected = run("generate", "--raw", "the fox", "--max-tokens", "9", "--draft", "none").out
    assert run("generate", "--raw", "the fox", "--max-tokens", "9", "--draft", folder).out == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [('{"other": 1}\n', "line 1 has no prompt, question or turns"), ("{\n", "line 1 has no"), ("\n", "no prompts")],
)
def test_prompts_that_are_none(run, tmp_path, content, message):
    path = tmp_path / "p.jsonl"
    path.write_text(content)
    result = run("draft", "eval", "none", "--prompts", path)
    assert result.status == 1
    assert message in result.err


def test_wrong_usage(run, tmp_path, prompts):
    assert "is not a tree such as 60/5/10" in run("draft", "eval", "none", "--prompts", prompts, "--tree", "3").err
    result = run("draft", "train", "--data", tmp_path / "missing", "-o", tmp_path / "d")
    assert result.status == 1
    assert "missing" in result.err
    assert run("draft").status == 2
