"""What the processor can do for products of small-integer matrices, found once when foretell starts computing.

Numba's settings ``NUMBA_CPU_NAME`` and ``NUMBA_CPU_FEATURES`` are respected, since code is compiled for what they say.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from functools import cache

from foretell.errors import ForetellError

KERNELS = ("amx", "vnni", "pairs")
"""Kernels of the product, the fastest first: tiles, dot products of four bytes, pairs of 16-bit integers."""
_ARCH_PRCTL = 158
_REQUEST_PERMISSION = 0x1023
_TILE_DATA = 18


@cache
def cpu_name() -> str:
    """The processor that code is compiled for."""
    import llvmlite.binding as llvm
    from numba import config

    return str(config.CPU_NAME or llvm.get_host_cpu_name())  # type: ignore[attr-defined]


@cache
def cpu_features() -> frozenset[str]:
    """Its extensions, as LLVM names them."""
    import llvmlite.binding as llvm
    from numba import config

    chosen = config.CPU_FEATURES  # type: ignore[attr-defined]
    if chosen is not None:
        return frozenset(feature[1:] for feature in chosen.split(",") if feature.startswith("+"))
    return frozenset(feature for feature, present in llvm.get_host_cpu_features().items() if present)


@cache
def usable_kernels() -> tuple[str, ...]:
    """Those of :data:`KERNELS` that run here, the fastest first."""
    features = cpu_features()
    found = ["pairs"]
    if features >= {"avx512vnni", "avx512vl"} or "avxvnni" in features:
        found.insert(0, "vnni")
    if features >= {"amx-tile", "amx-int8", "avx512vnni", "avx512vl"} and _may_use_tiles():
        found.insert(0, "amx")
    return tuple(found)


@cache
def kernel() -> str:
    """The kernel in use: the fastest, or the one that ``FORETELL_KERNEL`` names.

    Raises
    ------
    ForetellError
        If the variable names a kernel that does not run here.
    """
    usable = usable_kernels()
    chosen = os.environ.get("FORETELL_KERNEL")
    if chosen and chosen not in usable:
        raise ForetellError(f"FORETELL_KERNEL={chosen} does not run here", f"choose from {', '.join(usable)}")
    return chosen or usable[0]


def _may_use_tiles() -> bool:
    """Ask Linux for the tile registers, which it gives a process (all its threads) only on request."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return False
    try:
        return bool(ctypes.CDLL(None).syscall(_ARCH_PRCTL, _REQUEST_PERMISSION, _TILE_DATA) == 0)
    except (OSError, AttributeError):
        return False
