"""Archives of pictures and video that were made once decode for ever, and are made again the same."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import make_pictures as golden

import foretell


@pytest.mark.parametrize(("name", "make"), [("image", golden.golden_picture), ("video", golden.golden_clip)])
def test_golden_archives(name, make):
    archive = (golden.FOLDER / f"{name}.fore").read_bytes()
    assert foretell.decompress(archive) == make()
    assert foretell.compress(make(), codec=name) == archive
