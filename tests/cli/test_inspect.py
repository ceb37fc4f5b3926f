"""info, cat, test, bench, models and doctor."""

import json
import sys
from dataclasses import dataclass
from types import ModuleType

import pytest

import foretell

TEXT = b"A clerk who guesses well has little to send. " * 100


def test_info_shows_frames_and_shares(run, archive_file):
    out = run("info", archive_file).out
    assert f"{len(TEXT)} bytes in {archive_file.stat().st_size}" in out
    assert "octets" in out
    assert "100.0%" in out


def test_info_json(run, archive_file, tmp_path):
    archive_file.write_bytes(archive_file.read_bytes() * 2)
    (line,) = run("info", "--json", archive_file).out.splitlines()
    values = json.loads(line)
    assert values["raw_bytes"] == 2 * len(TEXT)
    assert [archive["level"] for archive in values["archives"]] == [1, 1]
    frames = [frame for archive in values["archives"] for frame in archive["frames"]]
    assert [frame["frame"] for frame in frames] == [0, 1]
    assert frames[1]["start"] == len(TEXT)


def test_info_reads_pipes(run, archive_file):
    assert "octets" in run("info", "-", stdin=archive_file.read_bytes()).out


def test_info_names_the_file_that_is_no_archive(run, text_file, archive_file):
    result = run("info", text_file, archive_file)
    assert result.status == 1
    assert result.err == (f"foretell: {text_file}: not a foretell archive; give a file made by foretell pack\n")
    assert "octets" in result.out


def test_many_frames_are_cut_short(run, tmp_path, monkeypatch):
    monkeypatch.setattr("foretell.archive.pack.SEGMENT_BYTES", 100)
    path = tmp_path / "many.fore"
    path.write_bytes(foretell.compress(TEXT, codec="stored"))
    assert "25 more frames" in run("info", path).out
    assert "more frames" not in run("info", "-v", path).out
    assert "coded bytes" not in run("info", "-q", path).out


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("10:20", TEXT[10:20]),
        (":5", TEXT[:5]),
        ("4490:", TEXT[4490:]),
        ("5:5", b""),
        ("9:3", b""),
        ("0:99999", TEXT),
    ],
)
def test_cat_ranges(run, archive_file, option, expected):
    assert run("cat", "--range", option, archive_file).out.encode("latin-1") == expected


def test_cat_from_the_end_and_from_a_pipe(run, archive_file):
    assert run("cat", "--range=-7:", archive_file).out.encode("latin-1") == TEXT[-7:]
    assert run("cat", stdin=archive_file.read_bytes()).out.encode("latin-1") == TEXT


def test_cat_names_a_damaged_file(run, archive_file):
    archive_file.write_bytes(archive_file.read_bytes()[:-3])
    result = run("cat", archive_file)
    assert result.status == 1
    assert str(archive_file) in result.err


def test_test_is_silent_on_sound_archives(run, archive_file):
    result = run("test", archive_file)
    assert (result.status, result.out, result.err) == (0, "", "")
    assert json.loads(run("test", "--json", archive_file).out)["sound"] is True


def test_test_lists_every_damaged_frame(run, tmp_path, monkeypatch):
    monkeypatch.setattr("foretell.archive.pack.SEGMENT_BYTES", 1000)
    path = tmp_path / "bad.fore"
    blob = bytearray(foretell.compress(TEXT, codec="stored"))
    for position in (500, 2600):
        blob[position] ^= 4
    path.write_bytes(blob)
    result = run("test", path)
    assert result.status == 1
    assert [line.split(": ")[2] for line in result.err.splitlines()] == ["frame 0", "frame 2"]
    values = json.loads(run("test", "--json", path).out)
    assert [item["frame"] for item in values["damage"]] == [0, 2]


def test_bench_prints_a_table(run, text_file):
    result = run("bench", "-1", text_file)
    assert result.status == 0
    assert "bzip2 -9" in result.out
    assert "foretell -1" in result.out
    rows = [json.loads(line) for line in run("bench", "-1", "--json", text_file).out.splitlines()]
    assert all(row["restored"] for row in rows)
    assert {"gzip -9", "bzip2 -9", "xz -9e", "foretell -1"} <= {row["name"] for row in rows}


@dataclass
class _Info:
    name: str
    parameters: int = 5
    size_bytes: int = 98_000_000
    licence: str = "Apache-2.0"
    source: str = "a package"
    installed: bool = True
    digest: str | None = "ab" * 32
    description: str = "a model"


@pytest.fixture
def registry(monkeypatch):
    module = ModuleType("foretell.models.registry")
    module.list_models = lambda: [_Info("one"), _Info("two", installed=False, digest=None)]
    module.info = _Info
    module.pull = lambda name, progress: progress(5) or _Info(name)
    monkeypatch.setitem(sys.modules, "foretell.models.registry", module)
    monkeypatch.setattr("foretell.models.registry", module, raising=False)


def test_models_list_info_and_pull(run, registry):
    assert [line.split()[0] for line in run("models", "list").out.splitlines()] == ["one", "two"]
    assert "not installed" in run("models", "list").out
    assert json.loads(run("models", "info", "one", "--json").out)["licence"] == "Apache-2.0"
    assert "98.0 MB" in run("models", "pull", "one").out


def test_info_says_whether_the_model_is_here(run, registry, tmp_path, fake_text, monkeypatch):
    path = tmp_path / "text.fore"
    path.write_bytes(foretell.compress(TEXT, codec="text"))
    assert f"{fake_text.digest.hex()[:16]}, not known here" in run("info", path).out
    monkeypatch.setattr(fake_text, "digest", bytes.fromhex("ab" * 32))
    path.write_bytes(foretell.compress(TEXT, codec="text"))
    assert "one (abababababababab), installed" in run("info", path).out


def test_doctor_reports(run, monkeypatch):
    class Report:
        ok = False

        def lines(self):
            return ["digest of the norm: wrong"]

        def as_dict(self):
            return {"ok": False}

    module = ModuleType("foretell.exact.doctor")
    module.run = Report
    monkeypatch.setitem(sys.modules, "foretell.exact.doctor", module)
    monkeypatch.setattr("foretell.exact.doctor", module, raising=False)
    result = run("doctor")
    assert (result.status, result.out) == (1, "digest of the norm: wrong\n")
    assert json.loads(run("doctor", "--json").out) == {"ok": False}
