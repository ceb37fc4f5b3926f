"""Machine code is kept per module and made anew when any source that the module reaches has changed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from foretell import compilation


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small foretell: a.top imports a.low, which imports b.base; a.apart stands alone."""
    root = tmp_path / "foretell"
    sources = {
        "__init__.py": "from foretell.a import apart\n",
        "a/__init__.py": "",
        "a/top.py": "from foretell.a import low\nimport os\n",
        "a/low.py": "def f():\n    from foretell.b.base import g\n    return g\n",
        "a/apart.py": "import numpy\n",
        "b/base.py": "def g():\n    return 1\n",
    }
    for name, text in sources.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    monkeypatch.setattr(compilation, "ROOT", root)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "kernels"))
    _forget()
    yield root
    _forget()


def _forget() -> None:
    compilation.cache_folder.cache_clear()
    compilation._imports.cache_clear()


def _folder(module: str) -> Path:
    _forget()
    folder = compilation.cache_folder(module)
    assert folder is not None
    return folder


def test_a_change_of_what_is_reached_moves_the_machine_code(tree: Path) -> None:
    top, apart = _folder("foretell.a.top"), _folder("foretell.a.apart")
    assert _folder("foretell.a.top") == top
    (tree / "b/base.py").write_text("def g():\n    return 2\n")
    assert _folder("foretell.a.top") != top
    assert _folder("foretell.a.apart") == apart


def test_code_from_outside_is_not_kept(tree: Path) -> None:
    _forget()
    assert compilation.cache_folder("tests.whatever") is None


def test_long_unused_machine_code_is_removed(tree: Path) -> None:
    old, young = _folder("foretell.a.top"), _folder("foretell.a.low")
    past = time.time() - compilation.UNUSED_SECONDS - 10
    os.utime(old, (past, past))
    assert _folder("foretell.a.apart").is_dir()
    assert young.is_dir()
    assert not old.exists()


def test_the_real_modules_reach_what_they_call() -> None:
    names = {path.name for path in compilation._reached("foretell.codecs.text_kernels")}
    assert {"text_kernels.py", "token_mixing.py", "binary.py", "logistic.py", "arithmetic.py", "head.py"} <= names
