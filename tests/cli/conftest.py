"""A way to run commands in this process, and archives to run them on."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import pytest

import foretell
from foretell.cli import main

TEXT = b"A clerk who guesses well has little to send. " * 100


@dataclass
class Result:
    status: int
    out: str
    err: str


@pytest.fixture
def run(capfdbinary, monkeypatch):
    """Run a command; output is decoded as Latin-1, so that any bytes can be compared."""

    def call(*arguments: object, stdin: bytes | None = None) -> Result:
        if stdin is not None:
            monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        status = main([str(argument) for argument in arguments])
        captured = capfdbinary.readouterr()
        return Result(status, captured.out.decode("latin-1"), captured.err.decode("latin-1"))

    return call


@pytest.fixture
def text_file(tmp_path: Path) -> Path:
    path = tmp_path / "clerk.txt"
    path.write_bytes(TEXT)
    return path


@pytest.fixture
def archive_file(tmp_path: Path) -> Path:
    path = tmp_path / "packed.txt.fore"
    path.write_bytes(foretell.compress(TEXT, level=1))
    return path
