"""The frame codec for pictures: rasters as they lie in files, and PNG files made anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from foretell.codecs.base import IMAGE
from foretell.codecs.image import png, raster
from foretell.codecs.image.palette import decode_palette, encode_palette
from foretell.codecs.image.pipeline import Manner, Watch
from foretell.codecs.image.raster import MOST_CHANNELS, MOST_SIDE, Layout, PlaneEncoder
from foretell.compilation import announce
from foretell.errors import CorruptArchiveError
from foretell.varint import put_varints, take_varint

RASTER: Final = 0
PNG: Final = 1
_WITH_NETWORK: Final = 2
_PALETTE: Final = 4
_FLAT: Final = 8
"""A picture of more samples than so many for each byte of its payload is taken for a drawing."""
NETWORK_LEVEL: Final = 4
"""From this level on, the trained network is asked."""


def is_png(payload: bytes) -> bool:
    """Whether a payload is that of a PNG file."""
    return payload[:1] in (bytes([PNG]), bytes([PNG | _WITH_NETWORK]), bytes([PNG | _PALETTE]))


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
            return self._smallest(PNG, size, self.progress, lambda *how: png.encode_parts(parts, *how))
        samples = raster.to_samples(data, layout) if len(data) == layout.size else None
        if samples is None:
            return None
        head = _raster_head(layout)

        def code(manner: Manner, planes: PlaneEncoder) -> bytes | None:
            packed = planes(samples, manner)
            return None if packed is None else head + packed

        return self._smallest(RASTER, samples.size, self._meter(layout), code)

    def _smallest(
        self,
        kind: int,
        samples: int,
        progress: Callable[[int], None] | None,
        code: Callable[[Manner, PlaneEncoder], bytes | None],
    ) -> bytes:
        """Payload with the network; of drawings, which it was not trained on, the smallest of three ways."""
        first = code(Manner(self.network, progress), raster.encode_samples) or b""
        packed = bytes([kind | _WITH_NETWORK if self.network else kind]) + first
        if len(packed) * _FLAT >= samples:
            return packed
        ways = [(_PALETTE, encode_palette)]
        if self.network:
            ways.insert(0, (0, raster.encode_samples))
        for mark, planes in ways:
            other = code(Manner(network=False), planes)
            if other is not None and len(other) + 1 < len(packed):
                packed = bytes([kind | mark]) + other
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
        if not payload or payload[0] > (PNG | _PALETTE):
            raise CorruptArchiveError("an image payload is of an unknown kind")
        network = bool(payload[0] & _WITH_NETWORK)
        planes = decode_palette if payload[0] & _PALETTE else raster.decode_samples
        if is_png(payload):
            return png.decode(payload[1:], size, Manner(network, self.progress, self.watch), planes)
        layout, position = take_layout(payload, 1)
        if layout.size != size:
            raise CorruptArchiveError(f"a picture of {layout.size} bytes is in a frame of {size}")
        return raster.decode(payload[position:], layout, Manner(network, self._meter(layout), self.watch), planes)

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
