import json

import numpy as np
import pytest

pandas = pytest.importorskip("pandas")
pytest.importorskip("pyarrow")


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    size = 400
    document, judge = rng.integers(0, 50, size), rng.integers(0, 8, size)
    truth = rng.integers(0, 2, size)
    return pandas.DataFrame(
        {
            "document": [f"d{k}" for k in document],
            "judge": judge,
            "t": np.arange(size),
            "day": pandas.date_range("2026-01-01", periods=size, freq="D").strftime("%Y-%m-%d"),
            "y_true": truth,
            "y_pred": np.where(rng.random(size) < 0.8, truth, 1 - truth),
            "score": truth + rng.normal(size=size),
            "weight": rng.integers(1, 4, size),
        }
    )


@pytest.fixture
def table(frame, tmp_path):
    path = tmp_path / "table.parquet"
    frame.to_parquet(path)
    return path


def test_intervals_side_by_side(run, table):
    result = run("bound", table, "--share", "document")
    assert result.status == 0, result.err
    for part in ("i.i.d.", "cluster-robust", "block bootstrap", "valid (chernoff)", "holds at every sample size"):
        assert part in result.out
    assert "unless some of them share an object" in result.out


def test_json_equals_the_library(run, table, frame):
    from foretell.dependence import metric_interval

    values = json.loads(run("bound", table, "--share", "document", "--share", "judge", "--json").out)
    found = metric_interval(frame.y_true, frame.y_pred, ids=frame[["document", "judge"]])
    assert (values["low"], values["high"]) == pytest.approx((found.low, found.high))
    assert values["effective_share"] == pytest.approx(found.effective_sample_size / 400)
    assert [row["name"] for row in values["comparisons"]] == ["i.i.d.", "cluster-robust", "block bootstrap"]


def test_csv_gives_the_same(run, table, frame, tmp_path):
    frame.to_csv(tmp_path / "table.csv", index=False)
    one, two = (json.loads(run("bound", path, "--share", "document", "--json").out)
                for path in (table, tmp_path / "table.csv"))  # fmt: skip
    assert {**one, "input": 0} == {**two, "input": 0}


@pytest.mark.parametrize(
    "options",
    [
        ["--metric", "auc", "--prediction", "score", "--share", "document"],
        ["--metric", "f1", "--time", "t", "--horizon", "5", "--within", "judge"],
        [
            "--metric",
            "mean",
            "--prediction",
            "score",
            "--range",
            "-6",
            "7",
            "--share",
            "document",
            "--weight",
            "weight",
        ],
        ["--metric", "quantile", "--prediction", "score", "--quantile", "0.9", "--independent"],
        ["--metric", "error", "--time", "day", "--horizon", "3D"],
        ["--baseline", "y_true", "--share", "document"],
        ["--share", "document", "--share", "judge", "--latent", "--confidence", "0.9", "--method", "hoeffding"],
    ],
)
def test_options(run, table, options):
    result = run("bound", table, *options)
    assert result.status == 0, result.err
    assert "valid (" in result.out


def test_vacuous_is_said(run, table, frame):
    frame.assign(all=1).to_parquet(table)
    assert "VACUOUS" in run("bound", table, "--share", "all").out


def test_missing_identifiers(run, table, frame, tmp_path):
    frame.loc[3, "document"] = None
    frame.to_csv(tmp_path / "gaps.csv", index=False)
    result = run("bound", tmp_path / "gaps.csv", "--share", "document")
    assert result.status == 1
    assert "column 'document' is empty in 1 rows, first in row 3" in result.err
    assert "--missing own" in result.err
    assert run("bound", tmp_path / "gaps.csv", "--share", "document", "--missing", "own").status == 0


def test_plot(run, table, tmp_path):
    pytest.importorskip("matplotlib")
    target = tmp_path / "intervals.svg"
    assert run("bound", table, "--share", "document", "--plot", target).status == 0
    assert b"<svg" in target.read_bytes()
    assert run("bound", table, "--share", "document", "--plot", target).status == 1
    assert run("bound", table, "--share", "document", "--plot", target, "-f").status == 0
    assert "picture" in run("bound", table, "--share", "document", "--plot", tmp_path / "a.txt").err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--share", "nothing"], "no column 'nothing'"),
        (["--metric", "mean", "--prediction", "score", "--share", "document"], "--range LOWEST HIGHEST"),
        (["--metric", "mean", "--prediction", "document", "--range", "0", "1", "--share", "judge"], "is no number"),
        (["--time", "document", "--horizon", "1"], "neither number nor date"),
        (["--time", "t", "--horizon", "soon"], "horizon of 'soon'"),
        (["--time", "day", "--horizon", "soon"], "such as 5D"),
        (["--time", "day", "--horizon", "5"], "such as 5D"),
        (["--share", "document", "--confidence", "2"], "confidence"),
    ],
)
def test_errors_are_one_line_that_names_the_file(run, table, options, says):
    result = run("bound", table, *options)
    assert result.status == 1
    assert says in result.err
    assert str(table) in result.err
    assert result.err.count("\n") == 1


@pytest.mark.parametrize("options", [[], ["--time", "t"], ["--share", "document", "--within", "judge"]])
def test_wrong_usage(run, table, options):
    result = run("bound", table, *options)
    assert result.status == 2
    assert "usage: foretell bound" in result.err


def test_a_table_without_rows(run, table, frame, tmp_path):
    frame.head(0).to_csv(tmp_path / "empty.csv", index=False)
    assert "has no rows" in run("bound", tmp_path / "empty.csv", "--share", "document").err


def test_spans_of_time_are_written_as_people_would(run, table):
    assert "at most 3 days apart in time" in run("bound", table, "--time", "day", "--horizon", "72h").out
    assert (
        "at most 5 apart in time in one group"
        in run("bound", table, "--time", "t", "--horizon", "5", "--within", "judge").out
    )


def test_missing_file(run, tmp_path):
    result = run("bound", tmp_path / "no.csv", "--share", "a")
    assert result.status == 1
    assert "no such file" in result.err
