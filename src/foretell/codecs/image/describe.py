"""What a picture's frame says of itself, without decoding it."""

from __future__ import annotations

from typing import Final

from foretell.codecs.base import IMAGE, PIXELS, VIDEO
from foretell.codecs.image import codec, png
from foretell.codecs.video.codec import take_layout

PEEK: Final = 4096
"""Bytes of a payload that are enough to describe it."""
_SUBSAMPLING: Final = {None: "mono", (0, 0): "4:4:4", (0, 1): "4:2:2", (1, 1): "4:2:0"}


def describe(codec_id: int, payload: bytes, raw_size: int) -> dict[str, object] | None:
    """Width, height, channels and bits of a sample of an image or video frame; None for other frames.

    Parameters
    ----------
    codec_id : int
        Number of the codec.
    payload : bytes
        The first PEEK bytes of the payload, or all of it.
    raw_size : int
        Bytes of the frame.

    Raises
    ------
    CorruptArchiveError
        If the payload is damaged in a way that shows here.
    """
    if codec_id == VIDEO:
        video, largest, _ = take_layout(payload)
        return {
            "kind": "video",
            "width": video.width,
            "height": video.height,
            "colour": _SUBSAMPLING[video.chroma],
            "depth": max(largest).bit_length(),
            "frames": raw_size // video.frame_bytes,
        }
    if codec_id == PIXELS:
        from foretell.codecs.pixels.codec import describe as describe_pixels

        return describe_pixels(payload)
    if codec_id != IMAGE:
        return None
    if codec.is_png(payload):
        header = png.peek_header(payload[1:])
        if header is None:
            return {"kind": "png"}
        return _picture("png", header.width, header.rows, header.channels, header.depth)
    layout, _ = codec.take_layout(payload, 1)
    return _picture("raster", layout.width, layout.rows, layout.channels, 8 * layout.sample_bytes)


def _picture(kind: str, width: int, rows: int, channels: int, depth: int) -> dict[str, object]:
    return {"kind": kind, "width": width, "height": rows, "channels": channels, "depth": depth}
