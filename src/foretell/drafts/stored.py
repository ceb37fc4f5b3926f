"""Reading trained drafts, without PyTorch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from foretell.drafts.config import DraftConfig
from foretell.errors import ModelError
from foretell.models.decoder import Decoder

_LARGEST = 1 << 33


def read_config(folder: Path, target: Decoder) -> DraftConfig:
    """Configuration of a draft in a folder.

    Raises
    ------
    ModelError
        If there is none, or it is damaged, or the draft serves another target.
    """
    try:
        values = json.loads((folder / "config.json").read_text())
        config = DraftConfig.from_dict(values["foretell"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder}: no draft, or a damaged config.json ({error})") from error
    config.check_target(target)
    return config


def read_arrays(folder: Path) -> dict[str, NDArray[Any]]:
    """Weights of a draft in a folder; floats as float32.

    Raises
    ------
    ModelError
        If the file is missing or damaged.
    """
    file = folder / "model.safetensors"
    try:
        if file.stat().st_size > _LARGEST:
            raise ModelError(f"{file}: larger than any draft")
        arrays = load_file(file)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{file}: missing or damaged ({error})", "fetch or train the draft anew") from error
    return {n: a.astype(np.float32) if a.dtype.kind == "f" else a for n, a in arrays.items()}
