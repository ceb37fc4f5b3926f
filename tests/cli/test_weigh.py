import json

import numpy as np
import pandas as pd
import pytest

from foretell.networked import networked_weights


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "user": [f"{u:03}" for u in (30 * rng.random(200) ** 2).astype(int)],
            "item": (20 * rng.random(200) ** 2).astype(int),
            "note": ["a, b"] * 200,
        }
    )
    frame.to_csv(tmp_path / "pairs.csv", index=False)
    frame.to_csv(tmp_path / "pairs.tsv.gz", index=False, sep="\t")
    frame.to_parquet(tmp_path / "pairs.parquet", index=False)
    return tmp_path, frame


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".tsv.gz"])
@pytest.mark.parametrize("target", [".csv", ".parquet", ".tsv"])
def test_tables_go_in_and_come_out(run, table, suffix, target):
    folder, frame = table
    out = folder / f"out{target}"
    result = run("weigh", folder / f"pairs{suffix}", "--left", "user", "--right", "item", "-o", out)
    assert result.status == 0, result.err
    assert "effective sample size" in result.out
    read = pd.read_parquet(out) if target == ".parquet" else pd.read_csv(
        out, dtype={"user": str}, sep="\t" if target == ".tsv" else ","
    )  # fmt: skip
    assert read["user"].tolist() == frame["user"].tolist()
    assert read["note"].tolist() == frame["note"].tolist()
    assert read["weight"].to_numpy() == pytest.approx(networked_weights(frame[["user", "item"]]))


@pytest.mark.parametrize("method", ["equal", "matching", "fractional", "bound", "blue"])
def test_all_methods(run, table, method):
    folder, _ = table
    extra = ["--correlation", "0.2"] if method == "blue" else []
    result = run(
        "weigh",
        folder / "pairs.csv",
        "--left",
        "user",
        "--right",
        "item",
        "--bipartite",
        "--method",
        method,
        "--json",
        *extra,
    )
    values = json.loads(result.out)
    assert values["method"] == method
    assert values["pairs"] == 200
    assert values["bipartite"]
    assert values["effective_sample_size"] <= values["effective_sample_size_most"] + 1e-6


def test_certificate(run, table):
    folder, _ = table
    arguments = ["weigh", folder / "pairs.csv", "--left", "user", "--right", "item", "--method", "bound"]
    values = json.loads(run(*arguments, "--epsilon", "0.01", "--beta", "0.5", "--k2", "0", "--json").out)
    assert values["certificate"]["holds"]
    assert values["certificate"]["gap"] <= 0.01
    assert values["program"]["k2"] == 0
    assert values["program"]["beta"] == 0.5
    assert "certified" in run(*arguments).out
    assert run(*arguments, "--quiet").out == ""


def test_hyperedges(run, table):
    folder, _ = table
    result = run("weigh", folder / "pairs.csv", "--left", "user", "--right", "item", "--also", "note", "--json")
    assert json.loads(result.out)["largest_degree"] == 200


def test_picture(run, table):
    pytest.importorskip("matplotlib")
    folder, _ = table
    target = folder / "weights.svg"
    arguments = ["weigh", folder / "pairs.csv", "--left", "user", "--right", "item", "--plot"]
    assert run(*arguments, target).status == 0
    assert target.read_bytes().startswith(b"<?xml")
    assert "picture" in run(*arguments, folder / "weights.doc").err


def test_equal_ids_in_two_columns_are_one_object_unless_told(run, tmp_path):
    (tmp_path / "a.csv").write_text("l,r\n1,1\n2,1\n")
    together = json.loads(run("weigh", tmp_path / "a.csv", "--left", "l", "--right", "r", "--json").out)
    apart = json.loads(run("weigh", tmp_path / "a.csv", "--left", "l", "--right", "r", "--bipartite", "--json").out)
    assert (together["objects"], apart["objects"]) == (2, 3)


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        ("l,r\n1,2\n", ["--left", "l", "--right", "q"], "no column 'q'; choose from l, r"),
        ("l,r\n1,\n", ["--left", "l", "--right", "r"], "1 missing id in column 1, the first in row 0"),
        ("l,r\n", ["--left", "l", "--right", "r"], "no pairs"),
        ("", ["--left", "l", "--right", "r"], "cannot be read"),
        ("l,r\n1,2\n", ["--left", "l", "--right", "r", "--method", "bound", "--epsilon", "-1"], "epsilon is -1.0"),
        ("l,r\n1,2\n", ["--left", "l", "--right", "r", "--method", "bound", "--beta", "2"], "beta is 2.0"),
        ("l,r\n1,2\n", ["--left", "l", "--right", "r", "--method", "blue"], "weighs by a correlation"),
        ("l,r,weight\n1,2,3\n", ["--left", "l", "--right", "r", "-o", "{}/x.csv"], "a column 'weight' already"),
    ],
)
def test_errors_are_one_line_that_names_the_file(run, tmp_path, text, arguments, message):
    (tmp_path / "t.csv").write_text(text)
    result = run("weigh", tmp_path / "t.csv", *(argument.format(tmp_path) for argument in arguments))
    assert result.status == 1
    assert message in result.err
    assert "t.csv" in result.err
    assert result.err.count("\n") == 1


def test_files_are_looked_after(run, table):
    folder, _ = table
    arguments = ["weigh", folder / "pairs.csv", "--left", "user", "--right", "item"]
    assert "no such file" in run("weigh", folder / "none.csv", "--left", "a", "--right", "b").err
    assert "directory" in run("weigh", folder, "--left", "a", "--right", "b").err
    (folder / "bad.parquet").write_bytes(b"PAR1 not really")
    assert "cannot be read" in run("weigh", folder / "bad.parquet", "--left", "a", "--right", "b").err
    (folder / "out.csv").write_text("keep me")
    assert "exists already" in run(*arguments, "-o", folder / "out.csv").err
    assert (folder / "out.csv").read_text() == "keep me"
    assert run(*arguments, "-o", folder / "out.csv", "-f").status == 0
    assert run("weigh", folder / "pairs.csv", "--left", "user", "--right", "user").status == 2
    assert run("weigh", folder / "pairs.csv", "--left", "user").status == 2
