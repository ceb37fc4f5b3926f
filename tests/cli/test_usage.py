import argparse
import subprocess
import sys

import pytest

from foretell.cli import COMMANDS, main
from foretell.cli.cat import parse_range
from foretell.cli.options import parse_size
from foretell.cli.report import Progress


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nonsense"],
        ["pack", "-o", "x", "a", "b"],
        ["pack", "-c", "-o", "x", "a"],
        ["pack", "-q", "-v", "a"],
        ["pack", "--json", "-c", "a"],
        ["pack", "--json", "-"],
        ["pack", "--codec", "zip", "a"],
        ["pack", "-T", "many", "a"],
        ["unpack", "--memory", "lots", "a"],
        ["cat", "--range", "1-2", "a"],
        ["bench"],
        ["models"],
    ],
)
def test_wrong_usage_exits_with_2(run, arguments):
    result = run(*arguments)
    assert result.status == 2
    assert "usage: foretell" in result.err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(run, command):
    result = run(command, "--help")
    assert result.status == 0
    assert result.out.startswith(f"usage: foretell {command}")


def test_help_names_all_commands(run):
    out = run("--help").out
    assert all(command in out for command in COMMANDS)


def test_terminals_are_refused(run, monkeypatch, text_file):
    class Terminal:
        def isatty(self):
            return True

    class Standard:
        buffer = Terminal()

        def flush(self):
            pass

    monkeypatch.setattr("sys.stdin", Standard())
    assert run("unpack").err == "foretell: standard input: is a terminal; name a file or use a pipe\n"
    monkeypatch.setattr("sys.stdout", Standard())
    status = main(["pack", "-1", "-c", str(text_file)])
    assert status == 1


HEAVY = {"numpy", "torch", "numba", "scipy", "xxhash", "asyncio"}


@pytest.mark.parametrize(
    "code", ["import foretell", "from foretell.cli import main; main(['--help']); main(['pack', '--help'])"]
)
def test_start_imports_nothing_heavy(code):
    script = f"{code}\nimport sys\nprint(*sys.modules, file=sys.stderr)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not HEAVY & set(result.stderr.split())


def test_module_can_be_run():
    result = subprocess.run([sys.executable, "-m", "foretell", "--version"], capture_output=True, text=True, check=True)
    assert result.stdout.startswith("foretell 0.")


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("17", 17), ("4k", 4096), ("64M", 64 << 20), ("2GiB", 2 << 30), ("1 TB", None)],
)
def test_sizes(text, size):
    if size is None:
        with pytest.raises(argparse.ArgumentTypeError):
            parse_size(text)
    else:
        assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1:2", slice(1, 2)), (":", slice(None)), ("-5:", slice(-5, None)), (":-1", slice(None, -1))],
)
def test_ranges(text, expected):
    assert parse_range(text) == expected


def test_progress_line():
    line = Progress("file", 1_000_000).line(250_000, 10.0)
    assert line == "file: [######                  ]  25% of 1.0 MB, 25.0 KB/s, 0:30 left"
    assert Progress("file", None).line(5000, 2.0) == "file: 5.0 KB, 2.5 KB/s"


def test_progress_is_silent_without_a_terminal(capsys):
    with Progress("file", 10) as progress:
        progress(5)
    assert capsys.readouterr().err == ""
