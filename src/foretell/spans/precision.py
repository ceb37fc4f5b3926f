"""In what numbers matrices are multiplied: bfloat16 where the hardware has it, else float32."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal, get_args

import torch

from foretell.errors import ModelError

Precision = Literal["auto", "float32", "bfloat16"]


def products_in(precision: Precision, device: torch.device) -> Callable[[], AbstractContextManager[Any]]:
    """Context in which products of matrices are computed; each step of training needs a new one.

    Weights stay float32, and their bfloat16 copies are made once per context, so that a context that outlived an
    optimizer's step would go on with old weights.

    Parameters
    ----------
    precision : {"auto", "float32", "bfloat16"}
    device : torch.device

    Raises
    ------
    ModelError
        If there is no such precision.
    """
    if precision not in get_args(Precision):
        raise ModelError(f"precision is {precision!r}", f"choose one of {', '.join(get_args(Precision))}")
    if precision == "float32" or (precision == "auto" and not multiplies_bfloat16(device)):
        return nullcontext
    return lambda: torch.autocast(device.type, dtype=torch.bfloat16)


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether the hardware multiplies matrices of bfloat16 faster than those of float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities: Callable[[], dict[str, Any]] | None = getattr(torch.cpu, "get_capabilities", None)
    return bool(capabilities and capabilities().get("amx_bf16"))
