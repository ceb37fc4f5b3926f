"""The Python examples of the guide run, and so do those in docstrings that need no model."""

import doctest
import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
MODULES = sorted(
    ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "src").rglob("*.py")
    if ">>> " in path.read_text()
)


@pytest.mark.parametrize(
    "page", ["pack.md", "audio.md", "images.md", "video.md", "dependence.md", "networked.md", "large-models.md"]
)
def test_examples_of_a_page_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if page == "large-models.md":
        monkeypatch.setenv("FORETELL_CACHE", str(tmp_path / "cache"))
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, page, "exec"), {})


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings(module):
    results = doctest.testmod(import_module(module))
    assert results.attempted > 0
    assert results.failed == 0


def test_pages_of_the_command_line_name_every_command():
    from foretell.cli import COMMANDS

    text = (DOCS / "cli.md").read_text()
    assert all(f"## {command}\n" in text for command in COMMANDS)
