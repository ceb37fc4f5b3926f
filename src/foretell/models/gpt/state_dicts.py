"""PyTorch state dicts as safetensors folders, without running anything that a file says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from foretell.errors import ModelError
from foretell.models.gpt.files import config_of_state, write_config


def convert_state_dict(source: Path, folder: Path, heads: int = 0) -> None:
    """Write the tensors of a PyTorch file to ``folder/model.safetensors``, and config.json where they are bGPT's.

    The file is read with ``weights_only``, so that it can hold nothing but tensors and plain values. A checkpoint
    with the state dict under ``model`` is taken for it. Needs the package torch.

    Parameters
    ----------
    source : Path
        The PyTorch file.
    folder : Path
        Made if need be; a config.json that is there already is left as it is.
    heads : int
        Heads of bGPT's decoders; 0 for one in every 64 elements of the width, as published.

    Raises
    ------
    ModelError
        If the file cannot be read, or is bGPT's neither and there is no config.json.
    """
    try:
        import torch
        from safetensors.torch import save_file
    except ImportError as error:
        raise ModelError("reading PyTorch files needs the package torch", "pip install 'foretell[torch]'") from error
    try:
        values: Any = torch.load(source, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ModelError(f"{source}: not a PyTorch file of tensors ({type(error).__name__})") from error
    if isinstance(values, dict) and isinstance(values.get("model"), dict):
        values = values["model"]
    if not isinstance(values, dict):
        raise ModelError(f"{source}: holds no state dict")
    tensors = {str(name): value for name, value in values.items() if isinstance(value, torch.Tensor)}
    settings = folder / "config.json"
    described = None
    if not settings.exists():
        described = config_of_state({name: tuple(value.shape) for name, value in tensors.items()}, heads)
    folder.mkdir(parents=True, exist_ok=True)
    # Tied tensors share memory, which safetensors refuses to write.
    save_file(
        {name: value.detach().clone().contiguous() for name, value in tensors.items()}, folder / "model.safetensors"
    )
    if described:
        write_config(folder, described)
