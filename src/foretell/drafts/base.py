"""What a drafter is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from foretell.drafts.tree import Tree, root_only


class TreeSize(NamedTuple):
    """How large a tree may be: drafted tokens in all, longest path, most children that a drafter expands at a depth.

    Where no path has at least the chance ``least``, the tree grows no deeper; the root's chance is 1.
    """

    nodes: int
    depth: int
    width: int
    least: float = 0.0


class Drafter(Protocol):
    """Guesses what follows in each of several streams.

    One whose own time counts has two more members: ``measure()``, which returns
    :class:`foretell.drafts.pace.DraftCosts`, and ``spent``, the seconds that its last trees took by these costs.

    Attributes
    ----------
    name : str
        How the drafter is called.
    taps : tuple of int
        Layers of the target whose outputs it reads.
    """

    name: str
    taps: tuple[int, ...]

    def begin(self, streams: int, slots: int) -> None:
        """Forget everything; from now on there are so many streams, of up to ``slots`` tokens."""
        ...

    def start(self, stream: int, token: int) -> None:
        """Learn the first token of a stream."""
        ...

    def extend(self, stream: int, tokens: NDArray[np.int32], features: NDArray[np.float32]) -> None:
        """Learn that a stream goes on with these tokens.

        Parameters
        ----------
        tokens : ndarray of int32, shape (n,)
            The next tokens, of which the last is not yet read by the target.
        features : ndarray of float32, shape (len(taps), n, width)
            What the target's tapped layers gave at the token before each.
        """
        ...

    def propose(self, streams: Sequence[int], roots: Sequence[int], size: TreeSize) -> list[Tree]:
        """Trees for the given streams, whose last tokens are ``roots``."""
        ...


class NoDrafter:
    """Drafts nothing: plain decoding, one token a pass."""

    name = "none"
    taps: tuple[int, ...] = ()

    def begin(self, streams: int, slots: int) -> None:
        """Nothing to do."""

    def start(self, stream: int, token: int) -> None:
        """Nothing to learn."""

    def extend(self, stream: int, tokens: NDArray[np.int32], features: NDArray[np.float32]) -> None:
        """Nothing to learn."""

    def propose(self, streams: Sequence[int], roots: Sequence[int], size: TreeSize) -> list[Tree]:
        """The roots alone."""
        return [root_only(root) for root in roots]
