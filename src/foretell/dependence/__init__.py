"""Error bars and bounds for data that are not independent.

Say who shares what (a :class:`DependencyGraph`), and get intervals and bounds that hold for every finite sample.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foretell.dependence.errors import DependenceError
    from foretell.dependence.graph import DependencyGraph

_HOMES = {
    "DependenceError": "errors",
    "DependencyGraph": "graph",
}

__all__ = ["DependenceError", "DependencyGraph"]


def __getattr__(name: str) -> Any:
    """Import what is asked for only then."""
    if name not in _HOMES:
        raise AttributeError(f"module 'foretell.dependence' has no attribute {name!r}")
    value = getattr(import_module(f"foretell.dependence.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
