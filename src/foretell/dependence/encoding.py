"""Identifiers of any kind as numbers 0, 1, 2, ..."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from foretell.dependence.errors import DependenceError

Missing = Literal["error", "own"]
Codes = NDArray[np.int64]


def encode(values: Any, *, name: str = "ids", missing: Missing = "error") -> Codes:
    """Number the distinct values of a column in the order in which they appear.

    Parameters
    ----------
    values : array_like, shape (n,)
        Identifiers: numbers, strings, dates or any hashable objects. NaN, NaT, None and pandas.NA are missing.
    name : str
        What to call the column in errors.
    missing : {"error", "own"}
        What a missing identifier means: an error, or an object that the item shares with nobody.

    Returns
    -------
    ndarray of int64, shape (n,)

    Examples
    --------
    >>> encode(["b", "a", "b"]).tolist()
    [0, 1, 0]
    >>> encode(["b", None, None], missing="own").tolist()
    [0, 1, 2]
    """
    column = values if isinstance(values, np.ndarray) else _as_array(values)
    if column.ndim != 1:
        raise DependenceError(
            f"{name} has {column.ndim} dimensions", "give one identifier for each item, as a one-dimensional column"
        )
    absent = _missing(column)
    if absent.any() and missing == "error":
        raise DependenceError(
            f"{name} is missing in {int(absent.sum())} rows, first in row {int(np.argmax(absent))}",
            'fill it in, drop those rows, or, if such items share this with nobody, say missing="own" to '
            "DependencyGraph.from_ids or assess",
        )
    if not absent.any():
        return _number(column)
    codes = np.empty(column.size, dtype=np.int64)
    codes[~absent] = _number(column[~absent])
    codes[absent] = codes[~absent].max(initial=-1) + 1 + np.arange(int(absent.sum()))
    return codes


def _as_array(values: Any) -> NDArray[Any]:
    """Keep each value as it is: NumPy alone would turn [1, None, "a"] or tuples into something else."""
    if hasattr(values, "to_numpy"):
        result: NDArray[Any] = values.to_numpy()
        return result
    items = list(values)
    if all(isinstance(item, (int, float, np.number)) for item in items):
        return np.asarray(items)
    result = np.empty(len(items), dtype=object)
    result[:] = items
    return result


def _missing(column: NDArray[Any]) -> NDArray[np.bool_]:
    if column.dtype.kind == "f":
        return np.isnan(column)
    if column.dtype.kind in "mM":
        return np.isnat(column)
    if column.dtype.kind != "O":
        return np.zeros(column.size, dtype=bool)
    # NaN and NaT differ from themselves; pandas.NA refuses to say.
    return np.array([value is None or type(value).__name__ == "NAType" or _unequal(value) for value in column.tolist()])


def _unequal(value: object) -> bool:
    return isinstance(value, (float, np.floating, np.datetime64)) and bool(value != value)


def _number(column: NDArray[Any]) -> Codes:
    if column.dtype.kind in "iub" and column.size:
        low, high = int(column.min()), int(column.max())
        if high - low < 4 * column.size + 1024:
            return _number_by_table(column.astype(np.int64) - low, high - low + 1)
    known: dict[Any, int] = {}
    try:
        return np.array([known.setdefault(value, len(known)) for value in column.tolist()], dtype=np.int64)
    except TypeError as error:
        raise DependenceError(f"identifiers cannot be compared: {error}", "use numbers, strings or tuples") from None


def _number_by_table(shifted: Codes, size: int) -> Codes:
    first = np.full(size, shifted.size, dtype=np.int64)
    first[shifted[::-1]] = np.arange(shifted.size)[::-1]
    present = np.flatnonzero(first < shifted.size)
    rank = np.empty(size, dtype=np.int64)
    rank[present[np.argsort(first[present])]] = np.arange(present.size)
    return rank[shifted]
