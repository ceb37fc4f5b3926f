"""Drafters by name."""

from __future__ import annotations

from foretell.drafts.base import Drafter, NoDrafter
from foretell.drafts.lookup import LookupDrafter
from foretell.errors import UsageError
from foretell.models.decoder import Decoder

CHOICES = ("auto", "none", "lookup")


def new_drafter(name: str, target: Decoder) -> Drafter:
    """Drafter of a name for a target.

    Raises
    ------
    UsageError
        If there is none of that name.
    """
    if name == "none":
        return NoDrafter()
    if name in ("auto", "lookup"):
        return LookupDrafter()
    raise UsageError(f"no draft is called {name!r}; there are {', '.join(CHOICES)}")
