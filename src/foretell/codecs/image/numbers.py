"""Numbers and blocks of bytes in payloads."""

from __future__ import annotations

from foretell.errors import CorruptArchiveError
from foretell.varint import decode_varint, encode_varint


def put_varints(*values: int) -> bytes:
    """LEB128 of numbers, one after another.

    >>> put_varints(1, 300).hex()
    '01ac02'
    """
    return b"".join(map(encode_varint, values))


def take_varint(data: bytes, position: int, most: int) -> tuple[int, int]:
    """Number at a position, at most ``most``, and the position after it."""
    value, position = decode_varint(data, position)
    if value > most:
        raise CorruptArchiveError(f"a number in a payload is {value}, more than {most}")
    return value, position


def put_block(data: bytes) -> bytes:
    """Size and bytes."""
    return put_varints(len(data)) + data


def take_blocks(data: bytes, position: int, count: int) -> tuple[list[bytes], int]:
    """So many blocks from a position on, and the position after them."""
    blocks = []
    for _ in range(count):
        size, position = take_varint(data, position, len(data))
        if position + size > len(data):
            raise CorruptArchiveError("a block in a payload is cut off")
        blocks.append(data[position : position + size])
        position += size
    return blocks, position
