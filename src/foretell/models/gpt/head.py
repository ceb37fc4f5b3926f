"""The head of a model of the GPT-2 family, or of some of a model's tokens: from states to frequencies."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from foretell.exact.head import HEAD_ROWS, frequency_rows, head_sums, refine_rows
from foretell.exact.product import BLOCK, pack, unpack
from foretell.exact.threads import cut, run_all, thread_count
from foretell.exact.transform import quantise_weights_twice
from foretell.models.decoder import States

NO_TOKENS = np.empty(0, np.int32)


class Headed(Protocol):
    """What models with a head have."""

    head: NDArray[np.int8]
    head_scale: NDArray[np.float32]
    head_rest: NDArray[np.int8]


class Head:
    """Rows of weights, rounded twice; see :mod:`foretell.exact.head`.

    Parameters
    ----------
    whole, rest : ndarray of int8, shape (rows, width)
        Integers of both roundings.
    scale : ndarray of float32, shape (rows,)
        Scale of each row, in steps of the second rounding.
    tokens : int
        How many of the rows have a frequency, from the first on.
    unspelled : ndarray of int32
        Tokens that get the smallest frequency.

    Attributes
    ----------
    packed, rest, scale
        The same with rows of zeros up to a multiple of 16, as products need them.
    """

    def __init__(
        self,
        whole: NDArray[np.int8],
        rest: NDArray[np.int8],
        scale: NDArray[np.float32],
        tokens: int,
        unspelled: NDArray[np.int32] = NO_TOKENS,
    ) -> None:
        padding = -len(scale) % BLOCK
        self.packed, self.rest = pack(whole), np.pad(rest, ((0, padding), (0, 0)))
        self.scale, self.tokens, self.unspelled = np.pad(scale, (0, padding)), tokens, unspelled

    @classmethod
    def of_rows(cls, model: Headed, rows: NDArray[np.int32], unspelled: NDArray[np.int32]) -> Head:
        """The head of some rows of a model, whose probabilities are those of these rows among themselves."""
        whole = unpack(model.head, model.head_scale.size)[rows]
        return cls(whole, model.head_rest[rows], model.head_scale[rows], rows.size, unspelled)

    def frequencies(self, states: States) -> NDArray[np.int32]:
        """Integer frequencies of every token after each state, shape (M, tokens); each at least 1."""
        out = np.empty((states.scales.size, self.tokens), np.int32)

        def some(a: int, b: int) -> None:
            sums = np.empty((b - a, self.scale.size), np.int32)
            head_sums(states.integers[a:b], self.packed, sums, b - a)
            refine_rows(sums, states.integers[a:b], states.scales[a:b], self.scale, self.rest)
            frequency_rows(sums, states.scales[a:b], self.scale, self.unspelled, out[a:b])

        run_all(some, cut(states.scales.size, thread_count(), HEAD_ROWS))
        return out


def head_arrays(name: str, rotated: NDArray[np.float64]) -> dict[str, NDArray[Any]]:
    """Arrays ``NAME``, ``NAME_rest`` and ``NAME_scale`` of rotated weights."""
    whole, rest, scale = quantise_weights_twice(rotated)
    return {name: whole, f"{name}_rest": rest, f"{name}_scale": scale}
