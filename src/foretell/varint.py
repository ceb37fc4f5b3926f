"""Numbers of any size as one to ten bytes, in archives and payloads."""

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


def _corrupt(what: str) -> CorruptArchiveError:
    return CorruptArchiveError(what, "the file is damaged, fetch or make it anew")
