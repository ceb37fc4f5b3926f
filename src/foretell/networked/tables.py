"""Tables of pairs on disk: CSV and Parquet in, the same with a column of weights out."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np

from foretell.networked.errors import PairsError
from foretell.networked.kernels import Floats

_PARQUET = (".parquet", ".pq")
_TAB = (".tsv", ".tab")
SUFFIXES = ".csv, .tsv (also .gz) or .parquet"


def is_parquet(path: str) -> bool:
    """Whether a name is that of a Parquet file."""
    return path.lower().endswith(_PARQUET)


def read_table(path: str, ids: Sequence[str]) -> Any:
    """Read a table of pairs.

    CSV is read as text, column by column, so that ids such as 007 stay what they are and everything is written back
    as it was; an empty id is missing.

    Parameters
    ----------
    path : str
        A ``.csv``, ``.tsv`` or ``.parquet`` file; CSV may be compressed.
    ids : sequence of str
        Names of the id columns.

    Returns
    -------
    pandas.DataFrame

    Raises
    ------
    PairsError
        No such column, an unreadable table, pandas or pyarrow missing.
    """
    pandas = _pandas()
    if os.path.isdir(path):
        raise PairsError("is a directory", "name a file", path=path)
    try:
        if is_parquet(path):
            frame = pandas.read_parquet(path)
        else:
            frame = pandas.read_csv(path, sep=_separator(path), dtype=str, keep_default_na=False)
    except FileNotFoundError:
        raise PairsError("no such file", "check the name", path=path) from None
    except (ValueError, UnicodeDecodeError, EOFError, pandas.errors.ParserError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise PairsError(f"cannot be read ({reason})", f"give a table as {SUFFIXES}", path=path) from None
    for name in ids:
        if name not in frame.columns:
            known = ", ".join(map(str, frame.columns[:20]))
            raise PairsError(f"no column {name!r}", f"choose from {known}", path=path)
    if not is_parquet(path):
        for name in ids:
            frame[name] = frame[name].where(frame[name] != "", None)
    return frame


def write_table(frame: Any, weights: Floats, column: str, path: str, file: BinaryIO) -> None:
    """Write a table with a column of weights.

    Parameters
    ----------
    frame : pandas.DataFrame
    weights : ndarray, shape (m,)
    column : str
        Name of the new column.
    path : str
        Its suffix says which format.
    file : binary file
        Where to write.
    """
    _pandas()
    table = frame.assign(**{column: np.asarray(weights)})
    if is_parquet(path):
        buffer = io.BytesIO()
        table.to_parquet(buffer, index=False)
        file.write(buffer.getbuffer())
    else:
        packed = "gzip" if path.lower().endswith(".gz") else None
        table.to_csv(file, sep=_separator(path), index=False, compression=packed)


def _separator(path: str) -> str:
    return "\t" if path.lower().removesuffix(".gz").endswith(_TAB) else ","


def _pandas() -> Any:
    try:
        import pandas
        import pyarrow  # noqa: F401
    except ImportError:
        raise PairsError("tables need pandas and pyarrow", "pip install 'foretell[stats]'") from None
    return pandas
