"""Models in folders: JSON for what they are, safetensors for their weights, whole or in fewer bits."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from foretell.errors import ModelError

Dtype = Literal["float32", "float16", "int8"]
FORMAT = 1
_SCALE = "#scale"
_WEIGHTS = "model.safetensors"
_LARGEST_CONFIG = 1 << 24


def save(folder: Path, config: dict[str, Any], state: dict[str, Tensor], dtype: Dtype) -> None:
    """Write ``config.json`` and ``model.safetensors``; each appears whole or not at all."""
    from safetensors.torch import save_file

    if dtype not in ("float32", "float16", "int8"):
        raise ModelError(f"dtype is {dtype!r}", "choose float32, float16 or int8")
    folder.mkdir(parents=True, exist_ok=True)
    stored: dict[str, Tensor] = {}
    for name, tensor in state.items():
        stored.update(_pack(name, tensor.detach().cpu().contiguous(), dtype))
    scratch = folder / f".model.{os.getpid()}.part"
    try:
        text = json.dumps({"format": FORMAT, **config}, indent=1, ensure_ascii=False)
        scratch.write_text(text + "\n", encoding="utf-8")
        mode = scratch.stat().st_mode
        os.replace(scratch, folder / "config.json")
        save_file(stored, scratch)
        # safetensors makes files that only their owner may read.
        scratch.chmod(mode)
        os.replace(scratch, folder / _WEIGHTS)
    finally:
        scratch.unlink(missing_ok=True)


def _pack(name: str, tensor: Tensor, dtype: Dtype) -> dict[str, Tensor]:
    if not tensor.is_floating_point() or dtype == "float32":
        return {name: tensor}
    if dtype == "float16" or tensor.ndim < 2:
        return {name: tensor.half() if dtype == "float16" else tensor.float()}
    scale = tensor.abs().amax(1, keepdim=True).clamp(min=1e-12) / 127
    return {name: (tensor / scale).round().to(torch.int8), name + _SCALE: scale}


def read_config(folder: Path) -> dict[str, Any]:
    """Read ``config.json`` of a model that :func:`save` wrote."""
    path = folder / "config.json"
    try:
        if path.stat().st_size > _LARGEST_CONFIG:
            raise ModelError(f"{path}: larger than {_LARGEST_CONFIG >> 20} MiB", "it is no model of foretell")
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelError(f"{folder}: no model there", "name a folder that `foretell spans train` wrote") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{path}: cannot be read ({error})", "the file is damaged") from error
    wanted = {"format": int, "settings": dict, "labels": dict, "encoder": dict, "word_shapes": bool}
    for key, kind in wanted.items():
        if not isinstance(config, dict) or not isinstance(config.get(key), kind):
            raise ModelError(f"{path}: has no {key}", "it is no model of foretell spans")
    if config["format"] > FORMAT:
        raise ModelError(f"{path}: format {config['format']} is unknown", "it needs a newer foretell")
    return dict(config)


def is_extractor(folder: Path) -> bool:
    """Whether a folder holds what :func:`save` wrote, rather than an encoder."""
    try:
        read_config(folder)
    except ModelError:
        return False
    return True


def load_into(folder: Path, module: nn.Module) -> None:
    """Fill a module with weights, in float32.

    Raises
    ------
    ModelError
        If a tensor is missing, surplus or of another shape.
    """
    expected = module.state_dict()
    values = _stored(folder, expected)
    for name, like in expected.items():
        if name not in values or values[name].shape != like.shape:
            found = tuple(values[name].shape) if name in values else "missing"
            raise ModelError(
                f"{folder / _WEIGHTS}: tensor {name} is {found}, not {tuple(like.shape)}", "the file is damaged"
            )
    module.load_state_dict(values)


def load_common(folder: Path, module: nn.Module, own: Collection[str]) -> None:
    """Fill a module with the weights of another that it has in common with it, in float32.

    Parameters
    ----------
    own : collection of str
        Tensors that belong to the labels, and are not taken over.
    """
    expected = module.state_dict()
    values = _stored(folder, expected)
    for name, like in expected.items():
        if name not in own and name in values and values[name].shape == like.shape:
            like.copy_(values[name])


def _stored(folder: Path, expected: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors of a model, in the types of those that are expected."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / _WEIGHTS
    try:
        stored = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path}: cannot be read ({error})", "the file is missing or damaged") from error
    values = {}
    for name, tensor in stored.items():
        if name.endswith(_SCALE):
            continue
        scale = stored.get(name + _SCALE)
        values[name] = tensor.float() * scale if scale is not None else tensor.to(expected.get(name, tensor).dtype)
    return values
