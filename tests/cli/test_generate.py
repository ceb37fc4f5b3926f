"""generate: streaming, figures, usage; on a tiny model in the place of the real one."""

from __future__ import annotations

import json

import pytest
from models.tiny import tiny

from foretell.drafts import chat
from foretell.drafts.config import config_for
from foretell.models import registry


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "load", lambda name: tiny("llama"))


def test_the_same_text_with_and_without_a_draft(run):
    first = run("generate", "--raw", "abc abc", "--max-tokens", "30", "--draft", "none")
    assert first.status == 0
    for draft in ("auto", "lookup"):
        assert run("generate", "--raw", "abc abc", "--max-tokens", "30", "--draft", draft).out == first.out


def test_json_has_the_figures(run):
    values = json.loads(run("generate", "--raw", "abc", "--max-tokens", "8", "--json", "--temperature", "1").out)
    assert set(values) == {"text", "tokens", "seconds", "tokens_per_second", "acceptance_length"}
    assert values["tokens"] <= 8
    assert values["acceptance_length"] >= 1


def test_a_prompt_from_standard_input(run):
    expected = run("generate", "--raw", "abc", "--max-tokens", "5").out
    assert run("generate", "--raw", "-", "--max-tokens", "5", stdin=b"abc").out == expected


def test_stops_before_a_text(run):
    whole = json.loads(run("generate", "--raw", "abc", "--max-tokens", "30", "--json").out)["text"]
    mark = whole[6:8]
    cut = json.loads(run("generate", "--raw", "abc", "--max-tokens", "30", "--json", "--stop", mark).out)["text"]
    assert cut == whole[: whole.index(mark)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("x", "--raw", "--draft", "nonsense"), "no draft is called 'nonsense'; there are auto, none, lookup, "),
        (("x", "--raw", "--temperature", "-1"), "temperature -1.0 is not a number from 0 up"),
        (("x", "--raw", "--top-p", "2"), "top_p 2.0 is not above 0 and at most 1"),
        (("x", "--raw", "--max-tokens", "-1"), "max_tokens -1 is negative"),
        (("x",), "no chat format is known for"),
        (("x " * 40000, "--raw"), "tokens, "),
    ],
)
def test_one_line_errors(run, arguments, message):
    result = run("generate", *arguments)
    assert result.status == 1
    assert message in result.err
    assert result.err.count("\n") == 1


def test_chat_marks_surround_messages(monkeypatch):
    model = tiny("llama")
    special = int(model.vocabulary.ids[model.tokens])
    monkeypatch.setitem(chat.FORMATS, model.name, chat.ChatFormat(special, special, "Be kind."))
    rows = chat.prompt_rows(model, "Hello", chat=True).tolist()
    mark = model.vocabulary.row_of_id[special]
    assert rows[0] == mark
    assert rows.count(mark) == 5
    spelled = model.vocabulary.spell([row for row in rows if row != mark])
    assert spelled == b"system\nBe kind.\nuser\nHello\nassistant\n"


def test_no_tokens_at_all(run):
    assert run("generate", "--raw", "abc", "--max-tokens", "0").out == "\n"


@pytest.mark.parametrize("damage", ["another model", "config.json", "model.safetensors"])
def test_a_draft_that_does_not_fit_is_one_error_before_any_token(run, tmp_path, damage):
    config = config_for(tiny("gemma" if damage == "another model" else "llama"), "prism")
    text = json.dumps({"foretell": config.as_dict()})
    (tmp_path / "config.json").write_text(text[:99] if damage == "config.json" else text)
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 64)
    result = run("generate", "abc", "--raw", "--draft", str(tmp_path))
    assert result.status == 1
    assert result.out == ""
    assert result.err.count("\n") == 1
