"""Portable anymaps: PGM, PPM (P5, P6) and PAM (P7)."""

from __future__ import annotations

import re

from foretell.codecs.image.raster import Layout

_GAP = rb"(?:\s|#[^\n\r]*[\n\r])+"
_PLAIN = re.compile(rb"P([56])" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,9})" + _GAP + rb"(\d{1,5})\s")
_FIELD = re.compile(rb"(WIDTH|HEIGHT|DEPTH|MAXVAL)\s+(\d{1,9})\s*")


def find(head: bytes) -> tuple[int, Layout] | None:
    r"""Offset and layout of the raster of a PGM, PPM or PAM file.

    >>> find(b"P6 3 2 255\n" + bytes(18))
    (11, Layout(width=3, rows=2, channels=3, sample_bytes=1, big_endian=False, padding=0))
    """
    if head.startswith(b"P7"):
        return _find_pam(head)
    match = _PLAIN.match(head)
    if not match:
        return None
    width, rows, largest = (int(match[i]) for i in (2, 3, 4))
    return _found(match.end(), width, rows, 3 if match[1] == b"6" else 1, largest)


def _find_pam(head: bytes) -> tuple[int, Layout] | None:
    end = head.find(b"ENDHDR\n", 0, 4096)
    if end < 0:
        return None
    fields = {match[1]: int(match[2]) for line in head[3:end].split(b"\n") if (match := _FIELD.fullmatch(line))}
    if len(fields) < 4:
        return None
    return _found(end + 7, fields[b"WIDTH"], fields[b"HEIGHT"], fields[b"DEPTH"], fields[b"MAXVAL"])


def _found(offset: int, width: int, rows: int, channels: int, largest: int) -> tuple[int, Layout] | None:
    if not 1 <= largest <= 65535:
        return None
    layout = Layout(width, rows, channels, 1 if largest < 256 else 2, largest > 255)
    return offset, layout
