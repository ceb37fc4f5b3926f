"""Dependency graphs: which items of a sample may depend on which others."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from foretell.dependence import neighbours
from foretell.dependence.encoding import Missing, encode
from foretell.dependence.errors import DependenceError

if TYPE_CHECKING:
    import networkx

    from foretell.dependence.covers import FractionalCover
    from foretell.dependence.elimination import EliminationBound
    from foretell.dependence.forest import ForestApproximation

MAX_PAIRS = 50_000_000
"""Pairs of items that are stored one by one; more than that has to be said by cliques."""
Indices = NDArray[np.int64]


class DependencyGraph:
    """Which items may depend on which others, as edges and as cliques that are never spelled out.

    G is a dependency graph of X_1, ..., X_n if for **all disjoint sets** of items I and J without an edge between
    them, (X_i for i in I) is independent of (X_j for j in J). Looking at pairs is not enough: let X_1 and X_2 be fair
    coins and X_3 = X_1 xor X_2. Any two of them are independent, so a graph made of dependent pairs has no edges, and
    would promise that all three are independent; yet their sum is never 1 and never 3. The safe ways to make a
    dependency graph are those below: say what items **share** (objects, clusters, time, space).

    Parameters
    ----------
    n_items : int
        Number of items n; items are 0, ..., n - 1.
    pairs : array_like of int, shape (m, 2), optional
        Dependent pairs. Order and repetitions do not matter; an item always depends on itself, so loops are dropped.
    cliques : sequence of (items, owner) index arrays, optional
        Memberships, one pair of equally long arrays for each column: item ``items[k]`` belongs to clique ``owner[k]``.
        All items of a clique depend on each other.
    links : sequence of str
        What edges mean, as verbs of which items are the subject, such as "share an object".
    remarks : sequence of str
        Anything else to know about the graph.

    Examples
    --------
    >>> graph = DependencyGraph.from_ids(["p1", "p1", "p2", "p2"], ["m1", "m2", "m1", "m2"])
    >>> graph
    DependencyGraph(n_items=4, pairs=0, cliques=4)
    >>> graph.neighbors(0).tolist()
    [1, 2]
    """

    def __init__(
        self,
        n_items: int,
        pairs: ArrayLike | None = None,
        cliques: Sequence[tuple[ArrayLike, ArrayLike]] = (),
        links: Sequence[str] = (),
        remarks: Sequence[str] = (),
    ) -> None:
        self.n_items = _count(n_items)
        self.indptr, self.indices = _symmetric(self.n_items, pairs)
        columns = [_clique_column(self.n_items, items, owner) for items, owner in cliques]
        self.clique_indptr, self.clique_items, self.clique_column = _stack(columns)
        self.links = tuple(dict.fromkeys(links))
        self.remarks = tuple(dict.fromkeys(remarks))

    def __repr__(self) -> str:
        return f"DependencyGraph(n_items={self.n_items}, pairs={self.indices.size // 2}, cliques={self.n_cliques})"

    def __len__(self) -> int:
        return self.n_items

    @property
    def notes(self) -> tuple[str, ...]:
        """Assumptions behind the graph, repeated in every result that uses it."""
        if not self.indices.size and not self.n_cliques:
            return ("items are independent", *self.remarks)
        if not self.links:
            return ("sets of items without an edge between them are independent", *self.remarks)
        return (f"sets of items are independent unless some of them {' or '.join(self.links)}", *self.remarks)

    @property
    def n_cliques(self) -> int:
        """Cliques of at least two items."""
        return self.clique_indptr.size - 1

    @property
    def n_columns(self) -> int:
        """Columns of identifiers (or time windows) that the cliques come from."""
        return int(self.clique_column.max()) + 1 if self.clique_column.size else 0

    # How graphs are made

    @classmethod
    def independent(cls, n_items: int) -> DependencyGraph:
        """Graph of independent items, without edges."""
        return cls(n_items)

    @classmethod
    def complete(cls, n_items: int) -> DependencyGraph:
        """Graph of items of which nothing is known: one clique."""
        return cls.from_groups(np.zeros(_count(n_items), dtype=np.int64))

    @classmethod
    def from_edges(cls, n_items: int, edges: ArrayLike) -> DependencyGraph:
        """Graph with the given edges, an array of shape (m, 2).

        Examples
        --------
        >>> DependencyGraph.from_edges(3, [(0, 1), (1, 0), (2, 2)]).degrees().tolist()
        [1, 1, 0]
        """
        return cls(n_items, edges, links=("are joined by a given edge",))

    @classmethod
    def from_scipy(cls, matrix: Any) -> DependencyGraph:
        """Graph with an edge wherever a square SciPy sparse matrix (or array) has an entry that is not zero."""
        if not sparse.issparse(matrix) or matrix.shape[0] != matrix.shape[1]:
            raise DependenceError("an adjacency matrix is needed", "give a square scipy.sparse matrix")
        entries = matrix.tocoo()
        if entries.data.dtype.kind == "f" and np.isnan(entries.data).any():
            raise DependenceError("the adjacency matrix holds NaN", "remove those entries or set them to 0")
        kept = entries.data != 0
        return cls.from_edges(matrix.shape[0], np.column_stack([entries.row[kept], entries.col[kept]]))

    @classmethod
    def from_networkx(cls, graph: networkx.Graph[Any]) -> DependencyGraph:
        """Graph of a networkx graph; items are its nodes in the order of ``graph.nodes``, directions are ignored."""
        number = {node: index for index, node in enumerate(graph.nodes)}
        return cls.from_edges(len(number), [(number[one], number[other]) for one, other in graph.edges()])

    @classmethod
    def from_groups(cls, groups: Any, *, missing: Missing = "error") -> DependencyGraph:
        """Graph of clusters: two items depend if they are of the same group; groups are independent of each other."""
        return cls.from_ids(groups, missing=missing)

    @classmethod
    def from_ids(cls, *columns: Any, missing: Missing = "error") -> DependencyGraph:
        """Graph of items that share objects: two items depend if any column gives them the same identifier.

        This is a dependency graph if X_i is a function of independent things, one for each object and one of the item's
        own. Objects of different columns are different objects, even under the same name.

        Parameters
        ----------
        *columns : array_like, each of shape (n,)
            Identifiers of prompts, models, annotators, users, documents, ...
        missing : {"error", "own"}
            What a missing identifier means: an error, or an object that the item shares with nobody.
        """
        if not columns:
            raise DependenceError("no column of identifiers", "name at least one, or use DependencyGraph.independent")
        codes = [encode(column, name=f"column {k} of ids", missing=missing) for k, column in enumerate(columns)]
        sizes = sorted({code.size for code in codes})
        if len(sizes) > 1:
            raise DependenceError(f"columns of {sizes} rows", "all columns of identifiers need one row per item")
        items = np.arange(sizes[0])
        return cls(sizes[0], None, [(items, code) for code in codes], ("share an object",))

    @classmethod
    def from_memberships(cls, n_items: int, items: ArrayLike, objects: ArrayLike) -> DependencyGraph:
        """Graph of items that have several objects of one kind, such as the two players of a match.

        Parameters
        ----------
        n_items : int
            Number of items.
        items, objects : array_like of int, shape (k,)
            Item ``items[j]`` involves object ``objects[j]``.
        """
        return cls(n_items, None, [(items, objects)], ("share an object",))

    @classmethod
    def from_m_dependence(cls, n_items: int, m: int) -> DependencyGraph:
        """Graph of an m-dependent sequence: items depend if their positions differ by at most m.

        Examples
        --------
        >>> DependencyGraph.from_m_dependence(5, 2).degrees().tolist()
        [2, 3, 4, 3, 2]
        """
        if m < 0:
            raise DependenceError(f"m is {m}", "give how many steps dependence reaches, 0 or more")
        return cls.from_times(np.arange(_count(n_items)), m)

    @classmethod
    def from_times(cls, times: Any, horizon: Any, *, within: Any = None) -> DependencyGraph:
        """Graph of items that depend if their times differ by at most a horizon.

        Where this has more than 50 million pairs, time is cut into blocks of one horizon, and items of neighbouring
        blocks depend: a larger graph, so everything stays valid, and ``notes`` says so.

        Parameters
        ----------
        times : array_like, shape (n,)
            Numbers or datetime64, in any order.
        horizon : number or timedelta64
            Largest difference at which items still depend, in the unit of ``times``.
        within : array_like, shape (n,), optional
            Groups (videos, patients, ...); items of different groups do not depend.
        """
        seconds, reach = time_axis(times, horizon)
        codes = np.zeros(seconds.size, dtype=np.int64) if within is None else encode(within, name="within")
        if codes.size != seconds.size:
            raise DependenceError(f"{seconds.size} times and {codes.size} groups", "give one of each per item")
        group = "" if within is None else " in one group"
        links = (f"are at most {_duration(horizon)} apart in time{group}",)
        order = np.lexsort((seconds, codes))
        last = neighbours.window_ends(seconds[order], codes[order], reach)
        if int((last - np.arange(last.size)).sum()) <= MAX_PAIRS:
            return cls(seconds.size, neighbours.window_pairs(order, last), links=links)
        remarks = ("time was cut into blocks of one horizon, which adds edges and keeps bounds valid",)
        blocks = np.floor((seconds - seconds.min()) / reach).astype(np.int64)
        key = codes * (int(blocks.max()) + 3) + blocks
        return cls(seconds.size, None, [(np.tile(np.arange(seconds.size), 2), np.r_[key, key + 1])], links, remarks)

    @classmethod
    def from_lattice(
        cls, shape: Sequence[int], *, neighborhood: Literal["rook", "queen"] = "rook", periodic: bool = False
    ) -> DependencyGraph:
        """Graph of a lattice of any dimension, cells numbered row by row as NumPy does.

        Parameters
        ----------
        shape : sequence of int
            Cells in each direction.
        neighborhood : {"rook", "queen"}
            Neighbours share a face, or at least a corner.
        periodic : bool
            Whether opposite ends are neighbours.
        """
        if not shape or min(shape) < 1:
            raise DependenceError(f"a lattice of shape {tuple(shape)}", "give at least 1 cell in each direction")
        pairs = neighbours.lattice_pairs(tuple(int(size) for size in shape), neighborhood == "queen", periodic)
        return cls(int(np.prod(shape)), pairs, links=("are neighbours on the lattice",))

    @classmethod
    def from_coordinates(cls, points: ArrayLike, radius: float) -> DependencyGraph:
        """Graph of points in space that depend if their Euclidean distance is at most ``radius``.

        Parameters
        ----------
        points : array_like of float, shape (n, d)
            Coordinates, one row per item.
        radius : float
            Range of dependence, in the unit of the coordinates.
        """
        places = np.atleast_2d(np.asarray(points, dtype=float))
        if not np.isfinite(places).all():
            raise DependenceError("coordinates are missing or infinite", "drop or repair those rows")
        if not radius >= 0:
            raise DependenceError(f"a radius of {radius}", "give the range of dependence, 0 or more")
        from scipy.spatial import KDTree

        tree = KDTree(places)
        if (tree.count_neighbors(tree, radius) - len(places)) // 2 > MAX_PAIRS:
            raise DependenceError("more than 50 million pairs of near points", "use a smaller radius, or from_groups")
        links = (f"are at most {radius} apart in space",)
        return cls(len(places), tree.query_pairs(radius, output_type="ndarray"), links=links)

    def union(self, other: DependencyGraph) -> DependencyGraph:
        """Graph with the dependences of both, on the same items; also written ``one | other``."""
        if self.n_items != other.n_items:
            raise DependenceError(
                f"graphs of {self.n_items} and {other.n_items} items", "join graphs of the same items only"
            )
        pairs = np.concatenate([_upper_pairs(graph) for graph in (self, other)])
        columns = [column for graph in (self, other) for column in graph.memberships()]
        return DependencyGraph(self.n_items, pairs, columns, self.links + other.links, self.remarks + other.remarks)

    __or__ = union

    def subgraph(self, items: ArrayLike) -> DependencyGraph:
        """Graph of some of the items, renumbered in the order given."""
        chosen = _items(items, self.n_items)
        number = np.full(self.n_items, -1, dtype=np.int64)
        number[chosen] = np.arange(chosen.size)
        pairs = number[_upper_pairs(self)]
        columns = []
        for members, owner in self.memberships():
            kept = number[members] >= 0
            columns.append((number[members[kept]], owner[kept]))
        return DependencyGraph(chosen.size, pairs[(pairs >= 0).all(axis=1)], columns, self.links, self.remarks)

    # What graphs are asked

    def memberships(self) -> list[tuple[Indices, Indices]]:
        """For each column, items and the clique each belongs to, as two equally long arrays."""
        owner = np.repeat(np.arange(self.n_cliques), np.diff(self.clique_indptr))
        column = self.clique_column[owner]
        return [(self.clique_items[column == k], owner[column == k]) for k in range(self.n_columns)]

    @cached_property
    def item_cliques(self) -> tuple[Indices, Indices]:
        """The cliques of each item, as CSR: ``cliques[indptr[i] : indptr[i + 1]]``."""
        return neighbours.transpose(self.n_items, self.clique_indptr, self.clique_items)

    @property
    def parts(self) -> neighbours.Parts:
        """Everything that compiled code needs to walk the graph."""
        return (self.indptr, self.indices, *self.item_cliques, self.clique_indptr, self.clique_items)

    def neighbors(self, item: int) -> Indices:
        """Items that may depend on an item, sorted, without itself."""
        found = neighbours.closed_neighborhood(self.parts, int(_items([item], self.n_items)[0]))
        return found[found != item]

    def degrees(self) -> Indices:
        """Number of neighbours of each item, exact; large overlapping cliques make this slow (n times their size)."""
        return neighbours.degrees(self.parts)

    def neighborhood_sums(self, values: ArrayLike) -> NDArray[np.float64]:
        """Sum of values >= 0 over each item and its neighbours.

        Where exact sums would take more than 10^8 steps, an item that shares several cliques with another counts it
        once for each: an upper bound.
        """
        amounts = np.asarray(values, dtype=float)
        sizes = np.diff(self.clique_indptr).astype(float)
        exact = (sizes**2).sum() < 1e8
        found: NDArray[np.float64] = neighbours.neighborhood_sums(self.parts, amounts, exact)
        return np.minimum(found, amounts.sum())

    @cached_property
    def max_degree(self) -> int:
        """Largest number of neighbours; an upper bound where counting exactly would take more than 10^9 steps."""
        if self.n_items == 0:
            return 0
        return int(self.neighborhood_sums(np.ones(self.n_items)).max()) - 1

    @cached_property
    def component_labels(self) -> Indices:
        """Number of the connected component of each item, shape (n,)."""
        return self._components[1]

    @property
    def n_components(self) -> int:
        """Number of connected components; the items of different components are independent."""
        return self._components[0]

    def connected_components(self) -> list[Indices]:
        """Items of each connected component, largest component first."""
        order = np.argsort(self.component_labels, kind="stable")
        sizes = np.bincount(self.component_labels, minlength=self.n_components)
        parts = np.split(order, np.cumsum(sizes)[:-1]) if self.n_items else []
        return sorted(parts, key=len, reverse=True)

    @cached_property
    def _components(self) -> tuple[int, Indices]:
        """A clique connects its items as well as a star around one more vertex does."""
        labels = neighbours.component_labels(self.n_items, self.indptr, self.indices, *self._clique_arrays)
        return int(labels.max(initial=-1)) + 1, labels

    @property
    def _clique_arrays(self) -> tuple[Indices, Indices]:
        return self.clique_indptr, self.clique_items

    def to_scipy(self) -> sparse.csr_matrix:
        """All edges, cliques spelled out, as a symmetric matrix of ones with an empty diagonal."""
        sizes = np.diff(self.clique_indptr).astype(float)
        if (sizes * (sizes - 1)).sum() / 2 + self.indices.size / 2 > MAX_PAIRS:
            raise DependenceError("more than 50 million edges", "large cliques stay implicit; use the graph as it is")
        indptr, indices = neighbours.spelled_out(self.parts)
        return sparse.csr_matrix((np.ones(indices.size, np.int8), indices, indptr), shape=(self.n_items,) * 2)

    def to_networkx(self) -> networkx.Graph[Any]:
        """Graph for networkx, with all edges."""
        import networkx

        return networkx.from_scipy_sparse_array(self.to_scipy())

    def renumbered(self, order: Indices) -> DependencyGraph:
        """Same graph with item ``order[k]`` as item k; neighbours close in number make large graphs faster to walk."""
        same = DependencyGraph.__new__(DependencyGraph)
        same.n_items, same.links, same.remarks = self.n_items, self.links, self.remarks
        same.clique_indptr, same.clique_column = self.clique_indptr, self.clique_column
        position = np.empty_like(order)
        position[order] = np.arange(order.size)
        same.clique_items = position[self.clique_items]
        same.indptr, same.indices = neighbours.renumbered(self.indptr, self.indices, order, position)
        return same

    def coloring(self) -> Indices:
        """Colour of each item, different for neighbours: few, found greedily in smallest-last order; shape (n,)."""
        from foretell.dependence.independent_sets import greedy_coloring, smallest_last_order

        matrix = self.to_scipy()
        indptr, indices = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64)
        colors: Indices = greedy_coloring(indptr, indices, smallest_last_order(indptr, indices))
        return colors

    # What graphs are for; see the modules named for what is computed and why it is valid

    def fractional_cover(self, coefficients: ArrayLike | None = None) -> FractionalCover:
        """Weights for bounds on sums; see :func:`foretell.dependence.covers.fractional_cover`."""
        from foretell.dependence.covers import fractional_cover

        return fractional_cover(self, coefficients)

    def forest_complexity(self, coefficients: ArrayLike | None = None, **options: Any) -> ForestApproximation:
        """Forest approximation with small complexity; see :func:`foretell.dependence.forest.forest_complexity`."""
        from foretell.dependence.forest import forest_complexity

        return forest_complexity(self, coefficients, **options)

    def elimination_complexity(self, coefficients: ArrayLike | None = None, **options: Any) -> EliminationBound:
        """Elimination bound; see :func:`foretell.dependence.elimination.elimination_complexity`."""
        from foretell.dependence.elimination import elimination_complexity

        return elimination_complexity(self, coefficients, **options)

    def effective_sample_size(self, kind: Literal["mean", "lipschitz"] = "mean") -> float:
        """Number of independent items that would give the same bound.

        Parameters
        ----------
        kind : {"mean", "lipschitz"}
            For means of bounded quantities (fractional covers), or for any function that changes by at most 1/n when
            one item changes (the smaller of elimination and forest complexity).
        """
        if not self.n_items:
            raise DependenceError("a graph without items", "give at least one item")
        if kind == "mean":
            return self.n_items**2 / self.fractional_cover().denominator()
        if kind != "lipschitz":
            raise DependenceError(f"an effective sample size for {kind!r}", 'choose "mean" or "lipschitz"')
        return self.n_items**2 / min(self.elimination_complexity().value, self.forest_complexity().value)


def _count(n_items: Any) -> int:
    if int(n_items) != n_items or n_items < 0 or n_items > 2**31 - 2:
        raise DependenceError(f"{n_items} items", "give their number, a whole number below 2^31")
    return int(n_items)


def _items(items: ArrayLike, n_items: int) -> Indices:
    given = np.asarray(items)
    if given.size == 0:
        return np.zeros(0, dtype=np.int64)
    if given.dtype.kind == "f" and not (given == np.floor(given)).all():  # NaN is unequal to its floor
        raise DependenceError("numbers of items that are not whole", "number the items 0, 1, 2, ...")
    if given.dtype.kind not in "iuf":
        raise DependenceError("items that are not numbers", "number the items 0, 1, 2, ..., or use from_ids")
    if given.min() < 0 or given.max() >= n_items:
        raise DependenceError(
            f"an item outside 0 to {n_items - 1} ({int(given.min())} to {int(given.max())})",
            "number the items 0, 1, 2, ... and give n_items",
        )
    return given.astype(np.int64, copy=False)


def _symmetric(n_items: int, pairs: ArrayLike | None) -> tuple[Indices, Indices]:
    """CSR of both directions, sorted, without repetitions and loops."""
    given = np.asarray([] if pairs is None else pairs)
    if given.size and (given.ndim != 2 or given.shape[1] != 2):
        raise DependenceError(f"edges of shape {given.shape}", "give an array of shape (m, 2)")
    ends = _items(given, n_items).reshape(-1, 2)
    if len(ends) > 2**31 - 2:
        raise DependenceError("more than 2^31 edges", "say what items share by identifiers instead")
    return neighbours.symmetric_csr(n_items, ends)


def _clique_column(n_items: int, items: ArrayLike, owner: ArrayLike) -> tuple[Indices, Indices]:
    """One column as CSR of cliques of at least two items."""
    members, names = _items(items, n_items), np.asarray(owner)
    if members.shape != names.shape or members.ndim != 1:
        raise DependenceError("cliques need as many owners as items", "give two equally long arrays")
    codes = encode(names, name="owner")
    if members.size and np.bincount(members, minlength=n_items).max() > 1:
        key = np.sort(codes * n_items + members)
        key = key[np.r_[True, key[1:] != key[:-1]]]
        members, codes = key % n_items, key // n_items
    sizes = np.bincount(codes)
    order = np.argsort(codes, kind="stable")
    kept = order[sizes[codes[order]] > 1]
    return np.r_[0, np.cumsum(sizes[sizes > 1])].astype(np.int64), members[kept]


def _stack(columns: Sequence[tuple[Indices, Indices]]) -> tuple[Indices, Indices, Indices]:
    columns = [column for column in columns if column[1].size]
    if not columns:
        return np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
    sizes = np.concatenate([np.diff(indptr) for indptr, _ in columns])
    number = np.repeat(np.arange(len(columns)), [indptr.size - 1 for indptr, _ in columns])
    return np.r_[0, np.cumsum(sizes)], np.concatenate([members for _, members in columns]), number


def _upper_pairs(graph: DependencyGraph) -> Indices:
    rows = np.repeat(np.arange(graph.n_items), np.diff(graph.indptr))
    kept = rows < graph.indices
    return np.column_stack([rows[kept], graph.indices[kept]])


def time_axis(times: Any, horizon: Any) -> tuple[NDArray[np.float64], float]:
    """Times and horizon as plain numbers of one unit."""
    column = np.asarray(times)
    if column.dtype.kind == "O":
        column = np.asarray(column.tolist())
    if column.dtype.kind == "M":
        if np.isnat(column).any():
            raise DependenceError("times are missing", "fill them in or drop those rows")
        span = np.timedelta64(horizon) if isinstance(horizon, timedelta) else horizon
        if not isinstance(span, np.timedelta64) or np.datetime_data(span)[0] in ("generic", "M", "Y"):
            raise DependenceError(
                f"a horizon of {horizon} without a length", "give days or seconds, as times are dates"
            )
        column, horizon = (column - column.min()) / np.timedelta64(1, "us"), span / np.timedelta64(1, "us")
    try:
        axis, reach = column.astype(float), float(horizon)
    except (TypeError, ValueError):
        raise DependenceError("times that are not numbers or dates", "convert them to numbers or datetime64") from None
    if axis.ndim != 1 or not np.isfinite(axis).all():
        raise DependenceError("times are missing, infinite or not one column", "give one number or date per item")
    if not reach >= 0 or not np.isfinite(reach):
        raise DependenceError(f"a horizon of {horizon}", "give the longest reach of dependence, 0 or more")
    return axis, reach


def _duration(horizon: Any) -> str:
    """A horizon as a reader would write it: 5, or 36 hours."""
    if not isinstance(horizon, (np.timedelta64, timedelta)):
        return f"{float(horizon):g}"
    seconds = np.timedelta64(horizon) / np.timedelta64(1, "s")
    for length, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds and seconds % length == 0:
            return f"{seconds / length:g} {name}"
    return f"{seconds:g} seconds"


__all__ = ["MAX_PAIRS", "DependencyGraph"]
