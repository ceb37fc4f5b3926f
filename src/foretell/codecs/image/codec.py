"""The frame codec for pictures: rasters as they lie in files, and PNG files made anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from foretell.codecs.base import IMAGE
from foretell.codecs.image import png, raster
from foretell.codecs.image.pipeline import Manner, Watch
from foretell.codecs.image.raster import MOST_CHANNELS, MOST_SIDE, Layout
from foretell.compilation import announce
from foretell.errors import CorruptArchiveError
from foretell.varint import put_varints, take_varint

RASTER: Final = 0
PNG: Final = 1
_WITH_NETWORK: Final = 2
_FLAT: Final = 8
"""A picture of more samples than so many for each byte of its payload is taken for a drawing."""
NETWORK_LEVEL: Final = 4
"""From this level on, the trained network is asked."""


def is_png(payload: bytes) -> bool:
    """Whether a payload is that of a PNG file."""
    return payload[:1] in (bytes([PNG]), bytes([PNG | _WITH_NETWORK]))


class ImageCodec:
    """Frames of rasters and of PNG files.

    Parameters
    ----------
    level : int
        Level, 1 to 9.

    Attributes
    ----------
    progress : callable or None
        Called now and then with the number of bytes that have just been done, estimated from samples.
    watch : callable or None
        Called with the bits of every pixel (rows, width) of each band that has been decoded.
    """

    name = "image"
    id = IMAGE
    progress: Callable[[int], None] | None = None
    watch: Watch | None = None

    def __init__(self, level: int = 6) -> None:
        self.network = level >= NETWORK_LEVEL

    def encode(self, data: bytes, layout: Layout | png.WholeFile) -> bytes | None:
        """Payload of the bytes of a raster or of a PNG file; None if they are not what the layout says."""
        from foretell.codecs.image.coder import code_rows

        announce(code_rows, "the coding of pictures")
        if isinstance(layout, png.WholeFile):
            parts = png.take_apart(data)
            if parts is None:
                return None
            size = sum(band.size for band in parts.bands)
            return self._smaller(PNG, size, self.progress, lambda manner: png.encode_parts(parts, manner))
        samples = raster.to_samples(data, layout) if len(data) == layout.size else None
        if samples is None:
            return None
        head = _raster_head(layout)
        return self._smaller(
            RASTER, samples.size, self._meter(layout), lambda manner: head + raster.encode_samples(samples, manner)
        )

    def _smaller(
        self, kind: int, samples: int, progress: Callable[[int], None] | None, code: Callable[[Manner], bytes]
    ) -> bytes:
        """Payload with the network; of drawings, which it was not trained on, without it where that is smaller."""
        packed = bytes([kind | _WITH_NETWORK if self.network else kind]) + code(Manner(self.network, progress))
        if self.network and len(packed) * _FLAT < samples:
            packed = min(packed, bytes([kind]) + code(Manner(network=False)), key=len)
        return packed

    def encode_frames(self, frames: Sequence[bytes]) -> list[bytes]:
        """Payloads of frames without a layout: each is one row of bytes."""
        return [self.encode(frame, Layout(len(frame), 1, 1)) or b"" for frame in frames]

    def decode_frames(self, payloads: Sequence[tuple[bytes, int]]) -> list[bytes]:
        """Frames from (payload, size) pairs.

        Raises
        ------
        CorruptArchiveError
            If a payload is damaged in a way that shows here; the archive's checksums find the rest.
        """
        return [self._decode(payload, size) for payload, size in payloads]

    def _decode(self, payload: bytes, size: int) -> bytes:
        if not payload or payload[0] > (PNG | _WITH_NETWORK):
            raise CorruptArchiveError("an image payload is of an unknown kind")
        network = payload[0] >= _WITH_NETWORK
        if is_png(payload):
            return png.decode(payload[1:], size, Manner(network, self.progress, self.watch))
        layout, position = take_layout(payload, 1)
        if layout.size != size:
            raise CorruptArchiveError(f"a picture of {layout.size} bytes is in a frame of {size}")
        return raster.decode(payload[position:], layout, Manner(network, self._meter(layout), self.watch))

    def _meter(self, layout: Layout) -> Callable[[int], None] | None:
        tell = self.progress
        return None if tell is None else lambda samples: tell(samples * layout.sample_bytes)


def _raster_head(layout: Layout) -> bytes:
    form = layout.channels - 1 | layout.sample_bytes - 1 << 2 | layout.big_endian << 3
    return bytes([form]) + put_varints(layout.width, layout.rows, layout.padding)


def take_layout(payload: bytes, position: int) -> tuple[Layout, int]:
    """Layout at a position of a raster's payload, and the position after it."""
    if position >= len(payload) or payload[position] >> 4:
        raise CorruptArchiveError("a picture's layout is unknown or cut off")
    form = payload[position]
    width, position = take_varint(payload, position + 1, MOST_SIDE)
    rows, position = take_varint(payload, position, MOST_SIDE)
    padding, position = take_varint(payload, position, 63)
    layout = Layout(width, rows, (form & 3) + 1, (form >> 2 & 1) + 1, bool(form >> 3), padding)
    if not layout.valid():
        raise CorruptArchiveError("a picture's layout is out of range")
    return layout, position


assert MOST_CHANNELS == 4
