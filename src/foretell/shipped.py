"""Trained networks that ship with the package, under ``weights/``."""

from __future__ import annotations

from pathlib import Path


def find_weights(name: str) -> Path | None:
    """Folder of the weights that ship under a name, or None if this installation has none of that name.

    They lie beside the package's modules where it was installed from a wheel, and at the top of the repository where it
    was installed for development.
    """
    package = Path(__file__).parent
    for root in (package / "weights", package.parents[1] / "weights"):
        folder = root / name
        if folder.is_dir():
            return folder
    return None
