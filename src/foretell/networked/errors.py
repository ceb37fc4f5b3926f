"""What is wrong with pairs or with what was asked of them."""

from __future__ import annotations

from foretell.errors import ForetellError


class PairsError(ForetellError, ValueError):
    """Pairs, weights or settings that nothing can be computed from; says what to do instead."""
