"""Picture files turned into PNG files of the same pixels, for those who keep pixels rather than files."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np

from foretell.codecs.image import png
from foretell.codecs.image.deflate import FILTERED, Parameters, deflate
from foretell.codecs.image.png_filters import refilter, unfilter
from foretell.errors import ForetellError

_PLAIN = Parameters(6, FILTERED, 8, 15)
_ZLIB_HEADER = b"\x78\x9c"
_PAETH = 4
_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")


def to_png(data: bytes) -> bytes:
    """PNG file with the pixels and the metadata of a picture file, compressed in a way that packs well.

    PNG files keep all their chunks but those of compressed pixels. Other files need Pillow (``pip install
    'foretell[image]'``) and keep their colour profile and Exif data.

    Raises
    ------
    ForetellError
        If the data is no picture that can be turned into a PNG file.
    """
    return (
        _again(data) or _again(_through_pillow(data)) or _refuse("its pixels do not fit a PNG file that is coded here")
    )


def _refuse(what: str) -> bytes:
    raise ForetellError(what, "pack it without --samples")


def _again(data: bytes) -> bytes | None:
    """PNG file with its pixels compressed anew; None if it is none, interlaced or damaged."""
    chunks = png.cut_chunks(data) if data.startswith(png.SIGNATURE) else None
    header = png.parse_header(chunks.before[16:29]) if chunks else None
    if chunks is None or header is None:
        return None
    size = (header.row_bytes + 1) * header.rows
    inflated = png.inflate(chunks.stream, size)
    if inflated is None or len(inflated[0]) != size:
        return None
    rows = np.zeros((header.rows, header.row_bytes), np.uint8)
    lines = np.frombuffer(bytearray(inflated[0]), np.uint8).reshape(header.rows, -1)
    if not unfilter(lines, header.step, rows):
        return None
    kind = _PAETH if header.depth >= 8 and header.colour != 3 else 0
    refilter(rows, np.full(header.rows, kind, np.uint8), header.step, lines)
    filtered = lines.tobytes()
    stream = _ZLIB_HEADER + deflate(filtered, _PLAIN) + struct.pack(">I", zlib.adler32(filtered))
    return png.join_chunks(png.Chunks(chunks.before, [len(stream)], stream, chunks.after))


def _through_pillow(data: bytes) -> bytes:
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise ForetellError("Pillow is needed to read this picture", "pip install 'foretell[image]'") from None
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if getattr(picture, "n_frames", 1) > 1 or picture.mode not in _MODES:
                _refuse(f"is a picture of several frames or of the kind {picture.mode}")
            out = io.BytesIO()
            picture.save(out, "PNG", icc_profile=picture.info.get("icc_profile"), exif=picture.info.get("exif", b""))
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise ForetellError(f"is no picture that can be read ({error})", "pack it without --samples") from None
    return out.getvalue()
