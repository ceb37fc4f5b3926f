"""The spans command from end to end, on an encoder of random weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import foretell

pytest.importorskip("torch")
pytest.importorskip("transformers")

from spans.conftest import LABELS, build_encoder, flat_documents


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> Path:
    """Gold documents, labels and a trained extractor."""
    folder = tmp_path_factory.mktemp("spans")
    build_encoder(folder / "encoder")
    records = [{"text": d.text, "spans": [[s.start, s.end, s.label] for s in d.spans]} for d in flat_documents()]
    (folder / "gold.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    (folder / "labels.json").write_text(json.dumps(LABELS))
    return folder


@pytest.fixture(scope="module")
def model(files) -> Path:
    from foretell.cli import main

    arguments = ["spans", "train", files / "gold.jsonl", "--labels", files / "labels.json", "--encoder"]
    arguments += [
        files / "encoder",
        "-o",
        files / "model",
        "--epochs",
        "40",
        "--heads",
        "per-label",
        "--learning-rate",
        "2e-3",
        "-T",
        "1",
        "-q",
    ]
    assert main([str(argument) for argument in [*arguments, "--batch-size", 8]]) == 0
    return files / "model"


def lines(result) -> list[dict]:
    return [json.loads(line) for line in result.out.splitlines()]


def test_train_reports_epochs(run, files, tmp_path):
    base = ["spans", "train", files / "gold.jsonl", "--encoder", files / "encoder", "--epochs", 2, "--dev"]
    result = run(*base, files / "gold.jsonl", "-o", tmp_path / "a", "--json")
    assert result.status == 0, result.err
    assert [line["epoch"] for line in lines(result)] == [1, 2]
    assert all(0 <= line["dev_f1"] <= 1 for line in lines(result))
    again = run(*base, files / "gold.jsonl", "-o", tmp_path / "a")
    assert (again.status, "holds a model already; overwrite it with -f" in again.err) == (1, True)
    plain = run(*base, files / "gold.jsonl", "-o", tmp_path / "a", "-f", "--dtype", "int8")
    assert plain.out.startswith("16 documents, 2 labels, flat, lear\nepoch 1: loss ")
    dropped = run(*base, files / "gold.jsonl", "-o", tmp_path / "b", "--json", "--encoder-dropout", "0.5")
    assert lines(dropped)[-1]["loss"] != lines(result)[-1]["loss"]


def test_predict_texts_json_lines_folders_and_archives(run, model, tmp_path):
    text = "Ada lived in London."
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text(text)
    (tmp_path / "in" / "b.txt.fore").write_bytes(foretell.compress(text.encode(), level=1))
    (tmp_path / "in" / "c.jsonl").write_text(json.dumps({"id": "c", "text": text}) + "\n")
    result = run("spans", "predict", tmp_path / "in", "--model", model)
    assert result.status == 0, result.err
    found = lines(result)
    assert [record["id"].rsplit("/", 1)[-1] for record in found] == ["a.txt", "b.txt.fore", "c"]
    for record in found:
        assert record["spans"] == found[0]["spans"]
        assert {span["text"] for span in record["spans"]} == {"Ada", "London"}


def test_predict_from_standard_input_by_line(run, model):
    result = run(
        "spans", "predict", "--model", model, "--by", "line", "--no-text", stdin=b"Ada lived.\n\nKurt lived.\n"
    )
    assert [record["id"] for record in lines(result)] == ["standard input:1", "standard input:3"]
    assert "text" not in lines(result)[0]


def test_predict_brat_is_read_again(run, model, tmp_path):
    (tmp_path / "a.txt").write_text("Ada lived in London.")
    result = run("spans", "predict", tmp_path / "a.txt", "--model", model, "--to", "brat", "-o", tmp_path / "out")
    assert result.status == 0, result.err
    from foretell.spans import read_documents

    [document] = read_documents(tmp_path / "out")
    assert {span.label for span in document.spans} == {"person", "place"}
    again = run("spans", "predict", tmp_path / "a.txt", "--model", model, "--to", "brat", "-o", tmp_path / "out")
    assert (again.status, "exists already" in again.err) == (1, True)
    assert run("spans", "predict", tmp_path / "a.txt", "--model", model, "--to", "brat").status == 2


def test_predict_html(run, model, tmp_path):
    (tmp_path / "a.txt").write_text("Ada lived in <London>.")
    target = tmp_path / "a.html"
    assert run("spans", "predict", tmp_path / "a.txt", "--model", model, "--to", "html", "-o", target).status == 0
    assert "&lt;" in target.read_text()
    assert 'title="' in target.read_text()


def test_eval_as_json_and_as_a_table(run, files, model):
    result = run("spans", "eval", files / "gold.jsonl", "--model", model, "--json")
    [values] = lines(result)
    assert values["f1"] > 0.9
    assert set(values["labels"]) == set(LABELS)
    assert values["sentences_per_second"] > 0
    table = run("spans", "eval", files / "gold.jsonl", "--model", model).out
    assert "micro" in table
    assert "sentences per second" in table


def test_eval_says_what_it_does_not_know(run, files, model, tmp_path):
    (tmp_path / "a.txt").write_text("Ada lived.")
    (tmp_path / "a.ann").write_text("T1\tverb 4 9\tlived\nT2\tperson 0 1;2 3\tA a\n")
    result = run("spans", "eval", tmp_path, "--model", model)
    assert "1 gold spans cannot be represented" in result.out
    assert "labels unknown to the extractor, whose gold counts as missed: verb" in result.err


def test_labels_of_extractors_and_documents(run, files, model, tmp_path):
    assert json.loads(run("spans", "labels", model, "--json").out) == LABELS
    assert "a human being with a name" in run("spans", "labels", model).out
    assert run("spans", "labels", files / "gold.jsonl").out.split() == ["person", "16", "place", "16"]
    assert json.loads(run("spans", "labels", files / "gold.jsonl", "--json").out) == {
        "person": "person",
        "place": "place",
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("3", "is neither an object nor a list"),
        ('{"river": "water"}', "label 'river' is unknown to this model"),
        ('{"person": ""}', "the description is empty"),
        ("[]", "labels is empty"),
    ],
)
def test_wrong_labels_are_one_line(run, model, tmp_path, content, message):
    (tmp_path / "labels.json").write_text(content)
    result = run("spans", "predict", "--model", model, "--labels", tmp_path / "labels.json", stdin=b"Ada")
    assert result.status == 1
    assert message in result.err
    assert result.err.count("\n") == 1


def test_wrong_inputs_are_one_line(run, files, model, tmp_path):
    (tmp_path / "a.txt").write_bytes(b"caf\xe9")
    for arguments, message in (
        ((tmp_path / "a.txt", "--model", model), "a.txt: is not utf-8 (byte 3 is 0xe9)"),
        ((tmp_path / "b.txt", "--model", model), "b.txt: No such file"),
        ((tmp_path / "a.txt", "--model", tmp_path), "no extractor"),
        ((tmp_path / "a.txt", "--model", model, "--threshold", "2"), "threshold is 2.0"),
    ):
        result = run("spans", "predict", *arguments)
        assert (result.status, message in result.err, result.err.count("\n")) == (1, True, 1), result.err
    assert run("spans", "predict", tmp_path / "a.txt", "--model", model, "--encoding", "latin-1").status == 0
    for option, value in (("--epochs", "0"), ("--encoder-dropout", "1")):
        assert run("spans", "train", files / "gold.jsonl", "-o", tmp_path / "m", option, value).status == 2
    assert run("spans").status == 2


def test_descriptions_without_a_model_are_for_the_reader(run, tmp_path):
    (tmp_path / "a.txt").write_text("He won the Nobel Prize in London.")
    (tmp_path / "labels.json").write_text(json.dumps({"town": "A city is a large town, such as Berlin or Madrid."}))
    (tmp_path / "names.json").write_text(json.dumps(["location"]))
    described = run("spans", "predict", tmp_path / "a.txt", "--labels", tmp_path / "labels.json", "-q")
    assert [(span["text"], span["label"]) for span in lines(described)[0]["spans"]] == [("London", "town")]
    named = run("spans", "predict", tmp_path / "a.txt", "--labels", tmp_path / "names.json", "-q")
    assert [(span["text"], span["label"]) for span in lines(named)[0]["spans"]] == [("London", "location")]
    assert "musicgenre" in run("spans", "labels", "reader").out
