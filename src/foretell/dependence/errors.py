"""What is said when data, graphs or options cannot be used."""

from __future__ import annotations

from foretell.errors import ForetellError


class DependenceError(ForetellError, ValueError):
    """Input from which no honest interval or bound can be made; says what is wrong and what to do."""
