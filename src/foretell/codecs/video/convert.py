"""Video files turned into YUV4MPEG2, for those who keep samples rather than files; read with PyAV."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import numpy as np

from foretell.codecs.video.y4m import FRAME_LINE, VideoLayout
from foretell.errors import ForetellError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame

MAGICS: Final = ((0, b"\x1a\x45\xdf\xa3"), (4, b"ftyp"), (0, b"RIFF"), (0, b"OggS"), (0, b"FLV\1"), (0, b"\0\0\1\xba"))
"""Places and first bytes of Matroska and WebM, MP4 and QuickTime, AVI, Ogg, Flash and MPEG program streams."""

_CHROMA: Final = {"420": (1, 1), "422": (0, 1), "444": (0, 0)}
_MOST_RATE: Final = 1 << 31


def is_video(head: bytes) -> bool:
    """Whether a file begins like one of video in a container.

    >>> is_video(b"RIFF" + bytes(4) + b"WAVEfmt ")
    False
    """
    riff = head[:4] == b"RIFF" and head[8:12] != b"AVI "
    return not riff and any(head[at : at + len(magic)] == magic for at, magic in MAGICS)


def to_y4m(file: BinaryIO) -> Iterator[bytes]:
    """YUV4MPEG2 stream, in pieces, of the first video in a file, its samples as its decoder gives them.

    Sound, subtitles and the times of single frames are left out: frames follow each other at the mean rate.

    Raises
    ------
    ForetellError
        If PyAV is missing, the file cannot be decoded, or its samples are not planes of YUV or grey.
    """
    try:
        import av
    except ImportError:
        raise ForetellError("PyAV is needed to read this video", "pip install 'foretell[video]'") from None
    try:
        with av.open(file) as container:
            yield from _pieces(container)
    except av.error.FFmpegError as error:
        raise ForetellError(f"is no video that can be read ({error})", "pack it without --samples") from None


def _pieces(container: InputContainer) -> Iterator[bytes]:
    if not container.streams.video:
        raise ForetellError("has no video", "pack it without --samples")
    stream = container.streams.video[0]
    rate = Fraction(stream.average_rate or stream.guessed_rate or 25).limit_denominator(_MOST_RATE)
    known: tuple[str, int, int] | None = None
    for frame in container.decode(stream):
        form = (frame.format.name, frame.width, frame.height)
        if known is None:
            layout, name = _layout(frame)
            yield _head(frame, rate, name, stream.sample_aspect_ratio)
        elif form != known:
            raise ForetellError("changes its size or kind of samples midway", "pack it without --samples")
        known = form
        yield FRAME_LINE + b"".join(_plane(frame, k, shape, layout) for k, shape in enumerate(layout.shapes))
    if known is None:
        raise ForetellError("has no frames", "pack it without --samples")


def _layout(frame: VideoFrame) -> tuple[VideoLayout, str]:
    """Layout of a frame and the name that YUV4MPEG2 has for its samples."""
    name = frame.format.name
    plain = name.removesuffix("le").replace("yuvj", "yuv")
    depth = frame.format.components[0].bits
    grey, planar = plain in ("gray", f"gray{depth}"), plain.startswith("yuv4") and "p" in plain
    kind = plain[3:6] if planar else "mono"
    known = (planar and plain in (f"yuv{kind}p", f"yuv{kind}p{depth}") and kind in _CHROMA) or grey
    if not known or depth not in (8, 9, 10, 12, 14, 16) or name.endswith("be"):
        raise ForetellError(f"has samples of the kind {name}, unknown to YUV4MPEG2", "pack it without --samples")
    layout = VideoLayout(frame.width, frame.height, _CHROMA.get(kind), 1 if depth == 8 else 2)
    if not layout.valid():
        raise ForetellError("is too large", "pack it without --samples")
    if grey:
        return layout, "mono" if depth == 8 else f"mono{depth}"
    return layout, ("420jpeg" if kind == "420" else kind) if depth == 8 else f"{kind}p{depth}"


def _head(frame: VideoFrame, rate: Fraction, name: str, aspect: Fraction | None) -> bytes:
    shape = f" A{aspect.numerator}:{aspect.denominator}" if aspect else ""
    size = f"W{frame.width} H{frame.height} F{rate.numerator}:{rate.denominator}"
    full = " XCOLORRANGE=FULL" if frame.format.name.startswith("yuvj") else ""
    return f"YUV4MPEG2 {size} Ip{shape} C{name}{full}\n".encode()


def _plane(frame: VideoFrame, k: int, shape: tuple[int, int], layout: VideoLayout) -> bytes:
    """Samples of a plane without the bytes that fill its rows up."""
    plane: Any = frame.planes[k]
    rows = np.frombuffer(plane, np.uint8)[: plane.line_size * shape[0]].reshape(shape[0], plane.line_size)
    return rows[:, : shape[1] * layout.sample_bytes].tobytes()


class Stream:
    """Pieces of bytes as a file that can be read once."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = b""

    def read(self, size: int = -1, /) -> bytes:
        """Next bytes, so many but at the end; all that is left if ``size`` is negative."""
        parts, have = [self._left], len(self._left)
        while size < 0 or have < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            parts.append(piece)
            have += len(piece)
        joined = b"".join(parts)
        cut = len(joined) if size < 0 else size
        self._left = joined[cut:]
        return joined[:cut]
