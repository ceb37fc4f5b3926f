"""Pictures as arrays: packed as a portable anymap, which any program can show once it is unpacked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.base import CodecChoice
from foretell.codecs.image import pnm
from foretell.codecs.image.raster import MOST_CHANNELS, pixels_of
from foretell.errors import ForetellError

_TYPES = {1: b"GRAYSCALE", 2: b"GRAYSCALE_ALPHA", 3: b"RGB", 4: b"RGB_ALPHA"}


def to_anymap(array: NDArray[Any]) -> bytes:
    r"""PAM file of an array of uint8 or uint16, of shape (height, width) or (height, width, channels).

    Raises
    ------
    ValueError
        If the array is no picture.

    Examples
    --------
    >>> to_anymap(np.zeros((2, 3), np.uint8))[-6:]
    b'\x00\x00\x00\x00\x00\x00'
    """
    if array.dtype not in (np.uint8, np.uint16) or array.ndim not in (2, 3) or not array.size:
        raise ValueError(f"an array of {array.dtype} and shape {array.shape} is no picture of uint8 or uint16 samples")
    height, width, channels = array.shape if array.ndim == 3 else (*array.shape, 1)
    if channels > MOST_CHANNELS:
        raise ValueError(f"a pixel has {channels} channels; 1 to {MOST_CHANNELS} are possible")
    head = b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH %d\nMAXVAL %d\nTUPLTYPE %s\nENDHDR\n" % (
        width,
        height,
        channels,
        np.iinfo(array.dtype).max,
        _TYPES[channels],
    )
    return head + np.ascontiguousarray(array).astype(array.dtype.newbyteorder(">")).tobytes()


def from_anymap(data: bytes) -> NDArray[Any]:
    """Array of a PGM, PPM or PAM file: (height, width) for one channel, else (height, width, channels)."""
    found = pnm.find(data)
    if found is None or not found[1].valid() or len(data) < found[0] + found[1].size:
        raise ForetellError("holds no picture array", "unpack it with foretell unpack")
    offset, layout = found
    return pixels_of(data[offset : offset + layout.size], layout, layout.rows)


def compress_image(
    array: NDArray[Any], *, level: int = 6, verify: bool = False, model: str | None = None, tokens: str = ""
) -> bytes:
    """Pack a picture into an archive.

    Parameters
    ----------
    array : array of uint8 or uint16, shape (height, width) or (height, width, channels)
        Samples; 1 to 4 channels: grey, grey and alpha, red-green-blue, red-green-blue and alpha.
    level : int
        As for :func:`foretell.compress`.
    verify : bool
        Decode it before returning.
    model, tokens : str, optional
        A large model to code the picture with, as for :func:`foretell.compress`.

    Returns
    -------
    bytes
        An archive of a PAM file, for :func:`decompress_image` or ``foretell unpack``.

    Raises
    ------
    ValueError
        If the array is no picture.

    Examples
    --------
    >>> import numpy as np, foretell
    >>> array = np.arange(768, dtype=np.uint8).reshape(16, 16, 3)
    >>> bool((foretell.decompress_image(foretell.compress_image(array)) == array).all())
    True
    """
    from foretell.archive.pack import compress

    codec: CodecChoice = "pixels" if model else "image"
    return compress(to_anymap(array), level=level, model=model, codec=codec, verify=verify, tokens=tokens)


def decompress_image(blob: bytes | bytearray | memoryview) -> NDArray[Any]:
    """Unpack the array that :func:`compress_image` packed, or that of any packed PGM, PPM or PAM file.

    Raises
    ------
    CorruptArchiveError
        If a single bit of the archive is wrong.
    ForetellError
        If it holds something else.
    """
    from foretell.archive.unpack import decompress

    return from_anymap(decompress(blob))
