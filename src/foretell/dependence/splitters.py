"""Cross-validation in which nothing that is trained on depends on what is tested, with scikit-learn's contract."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.dependence import layers
from foretell.dependence.errors import DependenceError
from foretell.dependence.graph import DependencyGraph

Integers = NDArray[np.int64]


class GraphKFold:
    """K folds without an edge between training and test items.

    Parameters
    ----------
    graph : DependencyGraph, optional
        Who depends on whom. If not given, ``groups`` of :meth:`split` must be: one column of identifiers or several.
    n_splits : int
        Number of folds.
    buffered : bool
        If False, whole connected components are dealt out to the folds, and no item is lost. If True, folds are
        pieces of the graph of equal size, and the neighbours of a fold are left out of its training items; for graphs
        with large components.

    Examples
    --------
    >>> import numpy as np
    >>> graph = DependencyGraph.from_m_dependence(10, 1)
    >>> for train, test in GraphKFold(graph, n_splits=2, buffered=True).split(np.zeros(10)):
    ...     print(train, test)
    [0 1 2 3] [5 6 7 8 9]
    [6 7 8 9] [0 1 2 3 4]
    """

    def __init__(self, graph: DependencyGraph | None = None, n_splits: int = 5, *, buffered: bool = False) -> None:
        if n_splits < 2:
            raise DependenceError(f"{n_splits} folds", "give 2 or more")
        self.graph = graph
        self.n_splits = n_splits
        self.buffered = buffered

    def __repr__(self) -> str:
        return f"GraphKFold({self.graph!r}, n_splits={self.n_splits}, buffered={self.buffered})"

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds."""
        return self.n_splits

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Integers, Integers]]:
        """Yield the numbers of the training and test items of each fold."""
        graph = _resolved(self.graph, groups, _length(X))
        folds = _pieces(graph, self.n_splits) if self.buffered else _deal_components(graph, self.n_splits)
        for fold in range(self.n_splits):
            test = folds == fold
            near = graph.neighborhood_sums(test.astype(float)) > 0
            train = np.flatnonzero(~near)
            if not train.size:
                raise DependenceError(
                    f"fold {fold} depends on all other items", "use more folds, or a graph with fewer edges"
                )
            yield train, np.flatnonzero(test)


class LeaveNeighborhoodOut:
    """Each item is tested once, by a model that saw neither it nor its neighbours.

    The expected loss is exactly the risk of the model trained without a neighbourhood, because that model is
    independent of the test item; ordinary leave-one-out does not have this when items depend on each other.

    Parameters
    ----------
    graph : DependencyGraph, optional
        Who depends on whom. If not given, ``groups`` of :meth:`split` must be.
    max_splits : int, optional
        Test only so many items, drawn at random.
    random_state : int
        Of the draw.
    """

    def __init__(
        self, graph: DependencyGraph | None = None, *, max_splits: int | None = None, random_state: int = 0
    ) -> None:
        if max_splits is not None and max_splits < 1:
            raise DependenceError(f"{max_splits} splits", "give 1 or more")
        self.graph = graph
        self.max_splits = max_splits
        self.random_state = random_state

    def __repr__(self) -> str:
        return f"LeaveNeighborhoodOut({self.graph!r}, max_splits={self.max_splits}, random_state={self.random_state})"

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of items that are tested."""
        if self.graph is None and X is None and groups is None:
            raise DependenceError("the number of items is not known", "pass X")
        size = self.graph.n_items if self.graph is not None else _length(groups if X is None else X)
        return size if self.max_splits is None else min(size, self.max_splits)

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Integers, Integers]]:
        """Yield the numbers of the training items and of the one test item."""
        graph = _resolved(self.graph, groups, _length(X))
        tested = np.arange(graph.n_items)
        if self.max_splits is not None and self.max_splits < graph.n_items:
            rng = np.random.default_rng(self.random_state)
            tested = np.sort(rng.choice(graph.n_items, self.max_splits, replace=False))
        for item in tested:
            kept = np.ones(graph.n_items, dtype=bool)
            kept[graph.neighbors(int(item))] = False
            kept[item] = False
            if not kept.any():
                raise DependenceError(f"item {item} depends on all others", "nothing is left to train on")
            yield np.flatnonzero(kept), np.array([item])


def _length(X: Any) -> int:
    return int(X.shape[0]) if hasattr(X, "shape") else len(X)


def _resolved(graph: DependencyGraph | None, groups: Any, size: int) -> DependencyGraph:
    if graph is None:
        if groups is None:
            raise DependenceError("who depends on whom is not said", "pass graph= or groups")
        columns = np.asarray(groups)
        graph = DependencyGraph.from_ids(*(columns.T if columns.ndim == 2 else [columns]))
    if graph.n_items != size:
        raise DependenceError(f"{size} items and a graph of {graph.n_items}", "they must be about the same items")
    return graph


def _deal_components(graph: DependencyGraph, count: int) -> Integers:
    """Components, largest first, to the fold that has the fewest items."""
    if graph.n_components < count:
        raise DependenceError(
            f"{count} folds of a graph with {graph.n_components} connected components",
            "use fewer folds, or buffered=True, which leaves neighbours of a fold out of training",
        )
    folds = np.empty(graph.n_items, dtype=np.int64)
    filled = np.zeros(count, dtype=np.int64)
    for items in graph.connected_components():
        fold = int(filled.argmin())
        folds[items] = fold
        filled[fold] += items.size
    return folds


def _pieces(graph: DependencyGraph, count: int) -> Integers:
    """Equal pieces of a breadth-first order from a far end: neighbours mostly fall into one piece."""
    first = np.unique(graph.component_labels, return_index=True)[1]
    order, _, _ = layers.breadth_first(graph.parts, first)
    last = np.empty(graph.n_components, dtype=np.int64)
    last[graph.component_labels[order]] = order
    order, _, _ = layers.breadth_first(graph.parts, last)
    folds = np.empty(graph.n_items, dtype=np.int64)
    folds[order] = np.arange(graph.n_items) * count // max(graph.n_items, 1)
    return folds
