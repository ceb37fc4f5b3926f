"""Extractors that ship with the package, under ``weights/``."""

from __future__ import annotations

from pathlib import Path

from foretell.errors import ModelError
from foretell.shipped import find_weights

ENTITIES = "entities"
"""Nested entities of ten types."""
READER = "reader"
"""Flat spans of any label, from its description."""


def find_extractor(name: str | None, labels: object = None) -> Path:
    """Folder of an extractor: one that was saved, or one that ships with foretell.

    Parameters
    ----------
    name : str or None
        Folder, or name of one that ships. None is the reader where ``labels`` are descriptions by name, and the one of
        entities otherwise.
    labels : dict, list of str or None
        What will be looked for.

    Raises
    ------
    ModelError
        If there is no such folder.
    """
    if name is not None and (Path(name) / "config.json").is_file():
        return Path(name)
    folder = shipped_extractor(name or (READER if isinstance(labels, dict) else ENTITIES))
    if folder is not None:
        return folder
    what = "no extractor ships with this installation" if name is None else f"no extractor {name!r}"
    raise ModelError(what, "name the folder of one that `foretell spans train` wrote (--model DIR)")


def shipped_extractor(name: str) -> Path | None:
    """Folder of an extractor that ships under a name, or None if this installation has none."""
    folder = find_weights(f"spans-{name}")
    return folder if folder is not None and (folder / "config.json").is_file() else None
