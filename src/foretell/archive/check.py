"""Checking archives without writing anything: every damaged frame, not just the first."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

from foretell.archive.batch import DEFAULT_MEMORY
from foretell.archive.pack import Summary
from foretell.archive.seek import ArchiveFile
from foretell.archive.unpack import StreamDecoder
from foretell.errors import CorruptArchiveError


def check_archive(
    file: BinaryIO, *, memory_limit: int = DEFAULT_MEMORY, progress: Callable[[int], None] | None = None
) -> tuple[Summary, list[CorruptArchiveError]]:
    """Decode everything and collect the damage.

    Where a header is damaged, so that the way to the next frame is lost, the frames after it are found
    through the index, if the file can seek and the index is sound.

    Parameters
    ----------
    file : binary file
        One or more archives.
    memory_limit : int
        Most bytes that frames may take in memory at one time.
    progress : callable, optional
        Called with the number of bytes decoded so far.

    Returns
    -------
    Summary
        Of what is sound.
    list of CorruptArchiveError
        What is damaged, in order.
    """
    decoder = StreamDecoder(file, memory_limit, keep_going=True, progress=progress)
    try:
        for _ in decoder.pieces():
            pass
    except CorruptArchiveError as error:
        return decoder.summary, [*decoder.damage, error, *_check_rest(file, error, memory_limit)]
    return decoder.summary, decoder.damage


def _check_rest(file: BinaryIO, error: CorruptArchiveError, memory_limit: int) -> list[CorruptArchiveError]:
    """Damage in the frames after one whose header is damaged."""
    if error.frame is None or not file.seekable():
        return []
    try:
        archive = ArchiveFile(file, memory_limit=memory_limit)
    except CorruptArchiveError as other:
        return [other]
    damage = []
    for entry in archive.index.entries[error.frame + 1 :]:
        try:
            for _ in archive.read_range(entry.start, entry.end):
                pass
        except CorruptArchiveError as other:
            damage.append(other)
    return damage
