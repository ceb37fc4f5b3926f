"""Planes of drawings of few colours: a list of the colours, and the pixels' places in it coded as octets.

Tiles, sprites and text repeat over long distances, which the match model of octets finds and neighbourhoods do not.
"""

from __future__ import annotations

import zlib
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.image.pipeline import DEFAULT_MANNER, Manner
from foretell.codecs.octets import MAX_BYTES, OctetsCodec
from foretell.errors import CorruptArchiveError
from foretell.varint import put_block, put_varints, take_blocks, take_varint

MOST_COLOURS: Final = 256
_LEVEL: Final = 4


def encode_palette(samples: NDArray[Any], manner: Manner = DEFAULT_MANNER) -> bytes | None:
    """Code of samples (channels, rows, width) of integers below 65536; None if they have too many colours."""
    keys = np.zeros(samples.shape[1:], np.uint64)
    for plane in samples:
        keys = keys << np.uint64(16) | plane.astype(np.uint64)
    colours, places = np.unique(keys, return_inverse=True)
    if colours.size > MOST_COLOURS or places.size > MAX_BYTES:
        return None
    shifts = np.arange(samples.shape[0] - 1, -1, -1, dtype=np.uint64) * np.uint64(16)
    values = (colours[:, None] >> shifts & np.uint64(0xFFFF)).astype("<u2")
    code = OctetsCodec(_LEVEL).encode(places.astype(np.uint8).tobytes())
    if manner.progress:
        manner.progress(samples.size)
    return put_varints(colours.size) + put_block(zlib.compress(values.tobytes(), 9)) + put_block(code)


def decode_palette(
    payload: bytes, position: int, shape: tuple[int, int, int], manner: Manner = DEFAULT_MANNER
) -> tuple[NDArray[np.int32], int]:
    """Samples (channels, rows, width) of a code at a position, and the position after it."""
    count, position = take_varint(payload, position, MOST_COLOURS)
    (packed, code), position = take_blocks(payload, position, 2)
    channels, rows, width = shape
    values = zlib.decompressobj().decompress(packed, 2 * count * channels + 1)
    if not count or len(values) != 2 * count * channels:
        raise CorruptArchiveError("the list of a picture's colours has a wrong size")
    places = np.frombuffer(OctetsCodec(_LEVEL).decode(code, rows * width), np.uint8)
    if int(places.max()) >= count:
        raise CorruptArchiveError("a picture's colour is not in its list")
    colours = np.frombuffer(values, "<u2").reshape(count, channels).astype(np.int32)
    if manner.watch:
        manner.watch(np.full((rows, width), 8 * len(code) / (rows * width), np.float32))
    if manner.progress:
        manner.progress(rows * width * channels)
    return np.ascontiguousarray(colours[places].T).reshape(shape), position
