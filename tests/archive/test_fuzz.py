"""Archives changed at random in many places: always an error or the original, never anything else."""

import contextlib
import io
import random

import pytest

import foretell
from foretell.archive.check import check_archive
from foretell.errors import ArchiveError


def mutate(blob: bytes, rng: random.Random) -> bytes:
    """Change, remove, insert, copy or cut some bytes."""
    data = bytearray(blob)
    for _ in range(rng.randint(1, 4)):
        if not data:
            break
        position, size = rng.randrange(len(data)), rng.randint(1, 12)
        action = rng.randrange(6)
        if action == 0:
            data[position] = rng.randrange(256)
        elif action == 1:
            del data[position : position + size]
        elif action == 2:
            data[position:position] = rng.randbytes(size)
        elif action == 3:
            data[position:position] = data[: size * 4]
        elif action == 4:
            data[position : position + size] = bytes([rng.choice((0, 127, 128, 255))]) * size
        else:
            del data[position:]
    return bytes(data)


def outcomes(blob: bytes) -> list[bytes | None]:
    """What reading gives, in each way of reading; None for an error."""
    results: list[bytes | None] = []
    for read in (foretell.decompress, lambda data: foretell.open(io.BytesIO(data)).read()):
        try:
            results.append(read(blob))
        except ArchiveError:
            results.append(None)
    return results


@pytest.mark.parametrize("rounds", [500, pytest.param(20_000, marks=pytest.mark.slow)])
def test_mutated_archives_are_refused_or_whole(small_archive, original, rounds):
    rng = random.Random(rounds)
    for _ in range(rounds):
        blob = mutate(small_archive * rng.randint(1, 2), rng)
        for result in outcomes(blob):
            # Removing one of two joined archives leaves a whole one.
            assert result is None or result in (original, original * 2)
        with contextlib.suppress(ArchiveError):
            check_archive(io.BytesIO(blob))
