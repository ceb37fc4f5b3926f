"""Cross-validation of pairs, by how many objects of a test pair were in the training pairs.

Predicting for a known user and a known item, for a new user, or for two new objects are three questions. A split of
pairs at random answers the first and looks like an answer to the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_random_state

from foretell.networked.errors import PairsError
from foretell.networked.graph import PairGraph, as_pairs

Indices = NDArray[np.int64]
Seen = Literal["both", "one", "none"]


class PairKFold(BaseCrossValidator):  # type: ignore[misc]
    """Folds of pairs where both objects, exactly one, or none of a test pair's objects are in training pairs.

    ``both``: pairs are dealt into folds; test pairs with an object that training pairs lack are left out. ``one``:
    objects are dealt into folds, training pairs have no object of the fold, test pairs one that is, and one that
    training pairs have. ``none``: for every two folds of objects, training pairs have no object of either, and test
    pairs join the two (or lie in one): n (n + 1) / 2 splits. Pairs that are neither training nor test pairs in a
    split are left out of it.

    Parameters
    ----------
    n_splits : int
        Folds of pairs or of objects, at least 2.
    seen : {"both", "one", "none"}
        How many objects of a test pair the training pairs have.
    random_state : int, RandomState or None
        Of the dealing.

    Examples
    --------
    >>> pairs = np.array([(user, 100 + item) for user in range(6) for item in range(6)])
    >>> for train, test in PairKFold(3, seen="none", random_state=0).split(pairs):
    ...     assert not set(pairs[train].ravel()) & set(pairs[test].ravel())
    """

    def __init__(self, n_splits: int = 5, *, seen: Seen = "both", random_state: Any = None) -> None:
        self.n_splits = n_splits
        self.seen = seen
        self.random_state = random_state

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Number of splits; some may be passed over where they have no training or no test pairs."""
        self._check()
        return self.n_splits * (self.n_splits + 1) // 2 if self.seen == "none" else self.n_splits

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Indices, Indices]]:
        """Give training and test pairs, as numbers.

        Parameters
        ----------
        X : array_like, shape (m, ...)
            Features; ids of the pairs if ``groups`` is None.
        y : ignored
        groups : array_like, shape (m, k), PairGraph or DataFrame, optional
            Ids of the pairs' objects.
        """
        self._check()
        pairs = as_pairs(X if groups is None else groups)
        rng = check_random_state(self.random_state)
        found = False
        for train, test in self._candidates(pairs, rng):
            test = self._with_seen(pairs, train, test)
            if train.size and test.size:
                found = True
                yield train, test
        if not found:
            raise PairsError(
                f"no test pairs with seen={self.seen!r}", "use fewer folds, or ask another question of these pairs"
            )

    def _check(self) -> None:
        if self.n_splits < 2:
            raise PairsError(f"n_splits is {self.n_splits}", "give at least 2")
        if self.seen not in ("both", "one", "none"):
            raise PairsError(f"seen is {self.seen!r}", "choose both, one or none")

    def _candidates(self, pairs: PairGraph, rng: np.random.RandomState) -> Iterator[tuple[Indices, Indices]]:
        if self.seen == "both":
            fold = rng.permutation(pairs.n_pairs) % self.n_splits
            for number in range(self.n_splits):
                yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)
            return
        # The empty place of a short pair is in no fold.
        fold = np.append(rng.permutation(pairs.n_objects) % self.n_splits, -1)[pairs.members]
        for first in range(self.n_splits):
            for second in [first] if self.seen == "one" else range(first, self.n_splits):
                held = (fold == first) | (fold == second)
                train = ~held.any(axis=1)
                if self.seen == "one":
                    test = held.any(axis=1)
                else:
                    ends = (fold == first).any(axis=1) & (fold == second).any(axis=1)
                    test = ends & (held | (fold < 0)).all(axis=1)
                yield np.flatnonzero(train), np.flatnonzero(test)

    def _with_seen(self, pairs: PairGraph, train: Indices, test: Indices) -> Indices:
        """Test pairs with as many objects in the training pairs as asked for."""
        known = np.zeros(pairs.n_objects + 1, dtype=bool)
        known[pairs.members[train].ravel()] = True
        known[-1] = False
        count = known[pairs.members[test]].sum(axis=1)
        aim = {"both": pairs.sizes[test], "one": 1, "none": 0}[self.seen]
        return test[count == aim]
