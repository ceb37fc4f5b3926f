"""Rasters without a header, described in words: ``640x480x3`` or ``512x512:u16le``."""

from __future__ import annotations

import re

from foretell.codecs.image.raster import Layout

_SHAPE = re.compile(r"(\d{1,8})x(\d{1,8})(?:x([1-4]))?(?::(u8|u16le|u16be))?")


def parse_shape(text: str) -> Layout:
    """Layout of WIDTHxHEIGHT[xCHANNELS][:KIND], KIND being u8, u16le or u16be.

    Raises
    ------
    ValueError
        If the text is none.

    Examples
    --------
    >>> parse_shape("640x480x3").row_bytes
    1920
    """
    match = _SHAPE.fullmatch(text)
    if match:
        width, rows, channels, kind = int(match[1]), int(match[2]), int(match[3] or 1), match[4] or "u8"
        layout = Layout(width, rows, channels, 1 if kind == "u8" else 2, kind == "u16be")
        if layout.valid():
            return layout
    raise ValueError(f"{text!r} is not WIDTHxHEIGHT[xCHANNELS][:u8|u16le|u16be], such as 640x480x3")
