"""Numbers of any size as one to ten bytes, and blocks of bytes with their sizes, in archives and payloads."""

from __future__ import annotations

from typing import Final

from foretell.errors import CorruptArchiveError

MAX_VARINT: Final = 10
"""Most bytes of a number."""


def encode_varint(value: int) -> bytes:
    """LEB128: seven bits a byte, lowest first, the top bit set on all bytes but the last.

    >>> encode_varint(300).hex()
    'ac02'
    """
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def decode_varint(data: bytes, position: int = 0) -> tuple[int, int]:
    """Value at a position of data and the position after it; only the shortest spelling is accepted.

    >>> decode_varint(bytes.fromhex("ac02"))
    (300, 2)

    Raises
    ------
    CorruptArchiveError
        If the bytes are not those of a number.
    """
    value = 0
    for index in range(MAX_VARINT):
        if position + index >= len(data):
            raise _corrupt("a number is cut off")
        byte = data[position + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            if byte == 0 and index > 0:
                raise _corrupt("a number is not in its shortest form")
            return value, position + index + 1
    raise _corrupt("a number is longer than ten bytes")


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
        raise _corrupt(f"a number in a payload is {value}, more than {most}")
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
            raise _corrupt("a block in a payload is cut off")
        blocks.append(data[position : position + size])
        position += size
    return blocks, position


def _corrupt(what: str) -> CorruptArchiveError:
    return CorruptArchiveError(what, "the file is damaged, fetch or make it anew")
