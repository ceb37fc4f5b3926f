"""Pairs that share objects.

An example in ranking, link prediction, matching or a leaderboard is a pair of objects, and objects are in many pairs.
:class:`PairGraph` holds the pairs as edges (or, with more than two objects each, hyperedges) of a graph of objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from foretell.networked import kernels
from foretell.networked.errors import PairsError
from foretell.networked.kernels import Floats, Members

MAX_OBJECTS = 2**31 - 2
"""Object numbers are 32 bits wide, and one stands for an empty place."""
_SPARE = 1024


@dataclass(frozen=True, eq=False)
class PairGraph:
    """Pairs of objects; make one with :meth:`from_edges`, :meth:`from_frame`, :meth:`from_sparse`.

    A pair listed twice is two examples. A pair of an object with itself has one object. Objects without pairs are
    allowed and change nothing. In what follows m is the number of pairs, n that of objects and k the most objects in
    a pair.

    Parameters
    ----------
    members : ndarray of int32, shape (m, k)
        Objects of every pair, numbered from 0; n in the places that a pair with fewer than k objects leaves empty.
    n_objects : int
        n.
    labels : ndarray of shape (n,), optional
        What the user calls the objects; None where that is their number.

    Examples
    --------
    >>> pairs = PairGraph.from_edges([0, 0, 0, 3], [1, 2, 3, 4])
    >>> pairs.degree
    array([3, 1, 1, 2, 1])
    >>> pairs.maximum_degree
    3
    """

    members: Members
    n_objects: int
    labels: NDArray[Any] | None = None

    @classmethod
    def from_edges(
        cls, *columns: ArrayLike, n_objects: int | None = None, bipartite: bool = False, labels: ArrayLike | None = None
    ) -> PairGraph:
        """Make a graph from one array of ids per place in a pair: left and right, or more.

        Parameters
        ----------
        *columns : array_like, shape (m,)
            Ids: numbers, strings or anything that NumPy can sort. One array of shape (m, k) is also fine.
        n_objects : int, optional
            Number of objects, if ids are numbers from 0 and some may have no pair. An id that is not below it is an
            error.
        bipartite : bool
            Whether each column has objects of its own kind, so that equal ids in two columns are two objects (users
            and items). By default equal ids are one object, which is never wrong, only less sharp.
        labels : array_like, shape (n,), optional
            All known objects. Ids in ``columns`` that are not among them are an error.

        Raises
        ------
        PairsError
            No pairs, columns of different lengths, missing ids, unknown ids.
        """
        arrays = _columns(columns)
        if n_objects is not None and labels is not None:
            raise PairsError("n_objects and labels both say which objects there are", "give one of them")
        if n_objects is not None:
            if bipartite:
                raise PairsError("n_objects numbers all objects alike", "leave it out for bipartite pairs")
            return cls(*_numbered(arrays, n_objects))
        if labels is not None:
            return cls(*_looked_up(arrays, np.asarray(labels), bipartite))
        if bipartite:
            return cls(*_separate(arrays))
        return cls(*_together(arrays))

    @classmethod
    def from_frame(cls, frame: Any, columns: Sequence[str], *, bipartite: bool = False) -> PairGraph:
        """Make a graph from two or more id columns of a DataFrame.

        Parameters
        ----------
        frame : pandas.DataFrame
            One row per pair; anything that gives a column for ``frame[name]`` will do.
        columns : sequence of str
            Names of the id columns.
        bipartite : bool
            As for :meth:`from_edges`.
        """
        if isinstance(columns, str) or len(columns) < 2:
            raise PairsError("a pair has two objects", "name at least two id columns")
        known = list(getattr(frame, "columns", columns))
        for name in columns:
            if name not in known:
                raise PairsError(f"no column {name!r}", f"choose from {', '.join(map(str, known))}")
        return cls.from_edges(*(frame[name] for name in columns), bipartite=bipartite)

    @classmethod
    def from_sparse(cls, matrix: Any, *, bipartite: bool | None = None) -> PairGraph:
        """Make a graph with a pair for every stored entry of a SciPy sparse matrix.

        Parameters
        ----------
        matrix : sparse matrix or array, shape (a, b)
            Adjacency. Stored zeros are pairs too. A symmetric pattern is an undirected graph: only its upper triangle
            counts.
        bipartite : bool, optional
            Whether rows and columns are different objects; by default they are unless the matrix is square.
        """
        if not sparse.issparse(matrix):
            raise PairsError(f"{type(matrix).__name__} is no SciPy sparse matrix", "use from_edges or from_frame")
        rows, columns = matrix.shape
        separate = rows != columns if bipartite is None else bipartite
        if not separate and rows != columns:
            raise PairsError(
                f"a matrix of shape {matrix.shape} is not square", "its objects are of two kinds: bipartite=True"
            )
        found = matrix.tocoo()
        left, right = np.asarray(found.row), np.asarray(found.col)
        if separate:
            return cls.from_edges(left, right + np.int64(rows), n_objects=rows + columns)
        if _is_symmetric(left, right, rows):
            upper = left <= right
            left, right = left[upper], right[upper]
        return cls.from_edges(left, right, n_objects=rows)

    @classmethod
    def from_networkx(cls, graph: Any) -> PairGraph:
        """Make a graph with a pair for every edge of a networkx graph; ``labels`` are its nodes."""
        nodes = list(graph.nodes)
        place = {node: number for number, node in enumerate(nodes)}
        edges = np.array([(place[edge[0]], place[edge[1]]) for edge in graph.edges], dtype=np.int64).reshape(-1, 2)
        made = cls.from_edges(edges, n_objects=len(nodes))
        names = np.empty(len(nodes), dtype=object)
        names[:] = nodes
        return cls(made.members, made.n_objects, names)

    @property
    def n_pairs(self) -> int:
        """Number m of pairs."""
        return int(self.members.shape[0])

    @property
    def arity(self) -> int:
        """Most objects k in a pair."""
        return int(self.members.shape[1])

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Number of objects in every pair, shape (m,)."""
        return np.count_nonzero(self.members != self.n_objects, axis=1)

    @cached_property
    def degree(self) -> NDArray[np.int64]:
        """Number of pairs that an object is in, shape (n,)."""
        counts = np.zeros(self.n_objects + 1, dtype=np.int64)
        kernels.count_pairs(self.members, counts)
        return counts[:-1]

    @property
    def maximum_degree(self) -> int:
        """Most pairs that an object is in."""
        return int(self.degree.max())

    @property
    def n_isolated(self) -> int:
        """Number of objects without pairs."""
        return int(np.count_nonzero(self.degree == 0))

    @cached_property
    def sides(self) -> NDArray[np.bool_] | None:
        """For pairs of two columns that have no object in common, which objects are on the right; otherwise None.

        Then the graph is bipartite. (A graph may be bipartite without its columns showing it; then this is None.)
        """
        if self.arity != 2:
            return None
        left, right = (np.zeros(self.n_objects + 1, dtype=bool) for _ in range(2))
        left[self.members[:, 0]] = True
        right[self.members[:, 1]] = True
        both = left & right
        return None if both.any() or right[-1] else right[:-1]

    @cached_property
    def incidence(self) -> sparse.csr_array:
        """Objects by pairs, 1 where the object is in the pair; sparse, shape (n, m)."""
        flat = self.members.ravel()
        used = flat != self.n_objects
        numbers = np.repeat(np.arange(self.n_pairs), self.arity)[used]
        ones = np.ones(numbers.size)
        return sparse.csr_array((ones, (flat[used], numbers)), shape=(self.n_objects, self.n_pairs))

    def loads(self, weights: ArrayLike) -> Floats:
        """Sum of the weights of an object's pairs, shape (n,)."""
        out = np.zeros(self.n_objects + 1)
        kernels.add_to_objects(self.members, self.check_weights(weights), out)
        return out[:-1]

    def square_loads(self, weights: ArrayLike) -> Floats:
        """Sum of the squared weights of an object's pairs, shape (n,)."""
        out = np.zeros(self.n_objects + 1)
        kernels.add_squares_to_objects(self.members, self.check_weights(weights), out)
        return out[:-1]

    def check_weights(self, weights: ArrayLike) -> Floats:
        """Return weights as contiguous floats; an error unless there is one for each pair, finite."""
        array = np.ascontiguousarray(weights, dtype=np.float64)
        if array.shape != (self.n_pairs,):
            raise PairsError(
                f"weights of shape {array.shape} for {self.n_pairs} pairs", "give one weight for each pair"
            )
        if not np.isfinite(array).all():
            raise PairsError("weights that are not finite", "remove these pairs or weigh them 0")
        return array

    def select(self, which: ArrayLike) -> PairGraph:
        """Keep some pairs, by a mask or by numbers; objects keep their numbers."""
        numbers = np.asarray(which)
        chosen = np.ascontiguousarray(self.members[numbers if numbers.size else numbers.astype(np.int64)])
        if not chosen.shape[0]:
            raise PairsError("no pairs are left", "select at least one")
        return PairGraph(chosen, self.n_objects, self.labels)

    def __repr__(self) -> str:
        kind = "bipartite, " if self.sides is not None else ""
        return f"PairGraph({kind}{self.n_pairs} pairs, {self.n_objects} objects, degrees up to {self.maximum_degree})"


def as_pairs(pairs: Any) -> PairGraph:
    """Return a :class:`PairGraph` from one, from a sparse matrix, a DataFrame of ids or an array of shape (m, k)."""
    if isinstance(pairs, PairGraph):
        return pairs
    if sparse.issparse(pairs):
        return PairGraph.from_sparse(pairs)
    if hasattr(pairs, "columns"):
        return PairGraph.from_frame(pairs, list(pairs.columns))
    return PairGraph.from_edges(np.asarray(pairs))


def _columns(columns: Sequence[ArrayLike]) -> list[NDArray[Any]]:
    """Id columns as arrays of one length without missing values."""
    arrays = [np.asarray(column) for column in columns]
    if len(arrays) == 1 and arrays[0].ndim == 2:
        arrays = list(arrays[0].T)
    if len(arrays) < 2:
        raise PairsError("a pair has two objects", "give at least two columns of ids")
    if any(array.ndim != 1 for array in arrays):
        raise PairsError("ids are not in columns", "give arrays of shape (m,), or one of shape (m, k)")
    sizes = [array.size for array in arrays]
    if len(set(sizes)) > 1:
        raise PairsError(f"columns of {', '.join(map(str, sizes))} ids", "give columns of one length")
    if not sizes[0]:
        raise PairsError("no pairs", "give at least one")
    return [_clean(array, number) for number, array in enumerate(arrays)]


def _clean(array: NDArray[Any], number: int) -> NDArray[Any]:
    """Whole numbers as integers; an error where an id is missing."""
    missing = _missing(array)
    if missing.any():
        first = int(np.argmax(missing))
        count = int(np.count_nonzero(missing))
        raise PairsError(
            f"{count} missing id{'s' * (count > 1)} in column {number}, the first in row {first}",
            "drop these pairs or name the objects",
        )
    if array.dtype.kind == "f":
        whole = array.astype(np.int64)
        if (whole == array).all():
            return whole
    return array


def _missing(array: NDArray[Any]) -> NDArray[np.bool_]:
    if array.dtype.kind == "f":
        return ~np.isfinite(array)
    if array.dtype.kind in "mM":
        return np.isnat(array)
    if array.dtype.kind == "O":
        # A missing value is None or differs from itself (NaN); pandas.NA refuses to say, and is missing too.
        return np.fromiter((_is_missing(value) for value in array), dtype=bool, count=array.size)
    return np.zeros(array.shape, dtype=bool)


def _is_missing(value: Any) -> bool:
    if value is None:
        return True
    try:
        return bool(value != value)
    except TypeError:
        return True


def _numbered(arrays: list[NDArray[Any]], n_objects: int) -> tuple[Members, int]:
    if any(array.dtype.kind not in "iu" for array in arrays):
        raise PairsError("ids are not whole numbers", "leave n_objects out, or give labels")
    low = min(int(array.min()) for array in arrays)
    high = max(int(array.max()) for array in arrays)
    if low < 0 or high >= n_objects:
        bad = low if low < 0 else high
        raise PairsError(f"unknown id {bad}", f"ids must be 0 to {n_objects - 1}, since n_objects is {n_objects}")
    return _packed(arrays, n_objects)


def _packed(arrays: list[NDArray[Any]], n_objects: int) -> tuple[Members, int]:
    if n_objects > MAX_OBJECTS:
        raise PairsError(f"{n_objects} objects", f"at most {MAX_OBJECTS} fit")
    members = np.empty((arrays[0].size, len(arrays)), dtype=np.int32)
    for place, array in enumerate(arrays):
        members[:, place] = array
    kernels.clear_repeats(members, n_objects)
    return members, n_objects


def _together(arrays: list[NDArray[Any]]) -> tuple[Any, ...]:
    """Equal ids are one object, in all columns."""
    if all(array.dtype.kind in "iu" for array in arrays):
        high = max(int(array.max()) for array in arrays)
        if min(int(array.min()) for array in arrays) >= 0 and high < 4 * arrays[0].size * len(arrays) + _SPARE:
            return _packed(arrays, high + 1)
    numbers, labels = _factorized(np.concatenate(_comparable(arrays)))
    return (*_packed(np.split(numbers, len(arrays)), labels.size), labels)


def _separate(arrays: list[NDArray[Any]]) -> tuple[Any, ...]:
    """Every column has objects of its own; labels are (column, id)."""
    shifted, names, total = [], [], 0
    for place, array in enumerate(arrays):
        numbers, labels = _factorized(array)
        shifted.append(numbers + total)
        total += labels.size
        names += [(place, label) for label in labels.tolist()]
    listed = np.empty(total, dtype=object)
    listed[:] = names
    return (*_packed(shifted, total), listed)


def _looked_up(arrays: list[NDArray[Any]], labels: NDArray[Any], bipartite: bool) -> tuple[Any, ...]:
    if bipartite:
        raise PairsError("labels list all objects alike", "leave them out for bipartite pairs")
    place = {label: number for number, label in enumerate(labels.tolist())}
    if len(place) < labels.size:
        raise PairsError("labels name an object twice", "list every object once")
    columns = []
    for array in arrays:
        listed = array.tolist()
        unknown = next((value for value in listed if value not in place), None)
        if unknown is not None:
            raise PairsError(f"unknown id {unknown!r}", "add it to labels, or drop its pairs")
        columns.append(np.fromiter((place[value] for value in listed), dtype=np.int64, count=len(listed)))
    return (*_packed(columns, labels.size), labels)


def _comparable(arrays: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """Columns of one kind as they are.

    Of different kinds (numbers here, strings there) as objects, so that 1 is not '1'.
    """
    kinds = {"n" if array.dtype.kind in "iufb" else array.dtype.kind for array in arrays}
    return arrays if len(kinds) == 1 else [array.astype(object) for array in arrays]


def _factorized(array: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Numbers of ids, and the ids; by hash where pandas is there or ids cannot be sorted."""
    try:
        from pandas import factorize
    except ImportError:
        if array.dtype.kind == "O":
            return _factorized_objects(array)
        labels, numbers = np.unique(array, return_inverse=True)
        return numbers.astype(np.int64), labels
    numbers, labels = factorize(array)
    return numbers.astype(np.int64), np.asarray(labels)


def _factorized_objects(array: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[Any]]:
    place: dict[Any, int] = {}
    numbers = np.fromiter((place.setdefault(value, len(place)) for value in array), dtype=np.int64, count=array.size)
    labels = np.empty(len(place), dtype=object)
    labels[:] = list(place)
    return numbers, labels


def _is_symmetric(left: NDArray[Any], right: NDArray[Any], n: int) -> bool:
    forward = np.sort(left.astype(np.int64) * n + right)
    backward = np.sort(right.astype(np.int64) * n + left)
    return bool((forward == backward).all())
