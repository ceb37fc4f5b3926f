"""Frame codec for pictures on a model: image-GPT's colours, or samples as tokens of a language model.

The picture is cut into square patches, each a context of its own, and groups of them are read side by side.
image-GPT codes the nearest of its colours of each pixel, and predictors that learn while coding code the exact samples
given the colour. A language model codes the samples themselves, channels interleaved, after a prompt, its
probabilities mixed with expectations from the neighbours. docs/large-models-format.md has the details.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isqrt
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.base import PIXELS
from foretell.codecs.image import png, raster
from foretell.codecs.image.codec import take_layout
from foretell.codecs.image.containers import PartLayout
from foretell.codecs.image.pipeline import Manner, Progress
from foretell.codecs.image.raster import Layout
from foretell.codecs.lanes import MOST_LANES, MOST_SLOTS
from foretell.codecs.pixels.colours import nearest, slopes
from foretell.codecs.pixels.kernels import COLOUR_CONTEXTS, PIXEL_BYTES, VALUE_CONTEXTS, code_pixel, code_sample
from foretell.codecs.symbol_maps import TOKEN_CHOICES, spell, symbol_rows
from foretell.compilation import announce
from foretell.entropy.binary import POSITION, TAIL_BYTES, finish, new_decoder, new_encoder
from foretell.entropy.symbol_mixing import new_symbol_mixer
from foretell.errors import CorruptArchiveError, ForetellError, ModelError
from foretell.models.gpt.model import Gpt
from foretell.models.gpt.patches import PatchesModel
from foretell.models.registry import Model
from foretell.models.streams import TokenModel
from foretell.varint import put_block, put_varints, take_blocks, take_varint

TOKEN_SIDE: Final = 16
"""Sides of a patch whose samples are tokens."""
PROMPTS: Final = {1: b"Pixels of a grey picture, row by row:", 3: b"Pixels of a picture, row by row, red, green, blue:"}
"""What a language model reads before each patch, by the number of channels."""
GROUP_MEMORY: Final = 1 << 28
COLOURS: Final = 2
"""Kind of payload whose symbols are colours; the others are the kinds of tokens."""
_MIRRORED: Final = 16
_PNG: Final = 32
_TRIED_PIXELS: Final = 1 << 14


class Group(NamedTuple):
    """Patches that are read side by side: their size and the places (K, 2) of their first pixels."""

    rows: int
    width: int
    origins: NDArray[np.int64]


def groups_of(rows: int, width: int, side: int, lanes: int) -> Iterator[Group]:
    """Patches of a picture in the order in which they are coded: whole ones, then those at its edges.

    >>> [(g.rows, g.width, g.origins.tolist()) for g in groups_of(4, 10, 4, 2)]
    [(4, 4, [[0, 0], [0, 4]]), (4, 2, [[0, 8]])]
    """
    by_size: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for y in range(0, rows, side):
        for x in range(0, width, side):
            by_size.setdefault((min(side, rows - y), min(side, width - x)), []).append((y, x))
    for size in sorted(by_size, reverse=True):
        places = by_size[size]
        for first in range(0, len(places), lanes):
            yield Group(*size, np.array(places[first : first + lanes], np.int64))


class PixelsCodec:
    """Frame codec for pictures of 8 bits on a model.

    Attributes
    ----------
    progress : callable or None
        Called now and then with the number of samples that have just been done.
    """

    name = "pixels"
    id = PIXELS
    progress: Progress | None = None

    def __init__(self, model: Model) -> None:
        if isinstance(model, PatchesModel) or model.purpose == "bytes":
            raise ModelError(f"{model.name} is a model of bytes and cannot read pictures", "use --codec bytes")
        self.model = model

    def encode(self, data: bytes, layout: PartLayout, tokens: str = "") -> bytes | None:
        """Payload of the bytes of a raster; None if the model has no way to code it.

        Parameters
        ----------
        tokens : {"", "bytes", "numbers"}
            Which tokens of a model of text stand for samples; by default numbers.

        Raises
        ------
        ModelError
            If the model has no such tokens.
        """
        kind = COLOURS if self._clusters() is not None else TOKEN_CHOICES[tokens or "numbers"]
        if isinstance(layout, png.WholeFile):
            return self._encode_png(data, kind)
        if not isinstance(layout, Layout) or layout.sample_bytes != 1 or len(data) != layout.size:
            return None
        if layout.channels not in self._channels():
            return None
        planes = raster.to_samples(data, layout)
        if planes is None:
            return None
        samples = np.ascontiguousarray(planes.transpose(1, 2, 0))
        mirrored = layout.channels == 3 and self._mirrored(samples)
        if mirrored:
            samples = np.ascontiguousarray(samples[..., ::-1])
        coder = self._coder(kind, layout)
        head = bytes([kind | _MIRRORED * mirrored, layout.channels - 1])
        head += put_varints(layout.width, layout.rows, layout.padding, coder.lanes)
        return head + coder.encode(samples, self.progress)

    def _encode_png(self, data: bytes, kind: int) -> bytes | None:
        """Payload of a PNG file; None if its pixels are not of a kind that the model reads."""
        chunks = png.cut_chunks(data)
        header = png.parse_header(chunks.before[16:29]) if chunks else None
        if header is None or header.depth != 8 or header.channels not in self._channels():
            return None

        def code(planes: NDArray[np.int32], manner: Manner) -> bytes:
            coder = self._coder(kind, Layout(planes.shape[2], planes.shape[1], planes.shape[0]))
            samples = np.ascontiguousarray(planes.transpose(1, 2, 0))
            return put_block(put_varints(coder.lanes) + coder.encode(samples, manner.progress))

        packed = png.encode(data, Manner(progress=self.progress), code)
        return None if packed is None else bytes([kind | _PNG]) + packed

    def _decode_png(self, payload: bytes, size: int) -> bytes:
        kind = payload[0] & ~_PNG
        if kind > COLOURS or (self._clusters() is not None) != (kind == COLOURS):
            raise CorruptArchiveError("a picture does not fit its model")

        def planes(
            payload: bytes, position: int, shape: tuple[int, int, int], manner: Manner
        ) -> tuple[NDArray[np.int32], int]:
            if shape[0] not in self._channels():
                raise CorruptArchiveError("a picture does not fit its model")
            (block,), position = take_blocks(payload, position, 1)
            lanes, at = _take_lanes(block, 0)
            coder = self._coder(kind, Layout(shape[2], shape[1], shape[0]), lanes)
            samples = coder.decode(np.frombuffer(block, np.uint8)[at:].copy(), manner.progress)
            return np.ascontiguousarray(samples.transpose(2, 0, 1)), position

        return png.decode(payload[1:], size, Manner(progress=self.progress), planes)

    def _channels(self) -> tuple[int, ...]:
        """How many channels a picture may have."""
        return tuple(PROMPTS) if self._clusters() is None else (3,)

    def encode_frames(self, frames: Sequence[bytes]) -> list[bytes]:
        """Payloads of frames without a layout: each is one grey row."""
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
        if payload[:1] and payload[0] & _PNG:
            return self._decode_png(payload, size)
        kind, layout, lanes, position = read_head(payload)
        known = self._clusters() is not None
        if layout.size != size or known != (kind == COLOURS) or layout.channels not in self._channels():
            raise CorruptArchiveError("a picture's layout does not fit its frame or its model")
        coder = self._coder(kind, layout, lanes)
        samples = coder.decode(np.frombuffer(payload, np.uint8)[position:].copy(), self.progress)
        if payload[0] & _MIRRORED:
            samples = samples[..., ::-1]
        return raster.from_samples(np.ascontiguousarray(samples.transpose(2, 0, 1)), layout)

    def _clusters(self) -> NDArray[np.int32] | None:
        return self.model.clusters if isinstance(self.model, Gpt) else None

    def _coder(self, kind: int, layout: Layout, lanes: int = 0) -> _Coder:
        if kind == COLOURS:
            return _ColourCoder(self.model, layout, lanes)
        return _TokenCoder(self.model, kind, layout, lanes)

    def _mirrored(self, samples: NDArray[np.int32]) -> bool:
        """Whether the first channel is rather blue, told by which order the model's colours fit better."""
        colours = self._clusters()
        if colours is None:
            return False
        pixels = samples.reshape(-1, 3)
        pixels = pixels[:: max(1, len(pixels) // _TRIED_PIXELS)]
        return nearest(pixels[:, ::-1], colours)[1] < nearest(pixels, colours)[1]


def read_head(payload: bytes) -> tuple[int, Layout, int, int]:
    """Kind, layout, lanes and the position after the head of a payload.

    Raises
    ------
    CorruptArchiveError
        If they are out of range.
    """
    if len(payload) < 2 or payload[0] & ~_MIRRORED > COLOURS or payload[1] > 2:
        raise CorruptArchiveError("the head of a picture is damaged")
    layout, position = take_layout(payload, 1)
    lanes, position = _take_lanes(payload, position)
    return payload[0] & ~_MIRRORED, layout, lanes, position


def raster_of(payload: bytes) -> Layout:
    """Layout of the raster in a payload, of which the first bytes are enough.

    Raises
    ------
    ForetellError
        If it is of a PNG file.
    """
    if payload[:1] and payload[0] & _PNG:
        raise ForetellError("is a PNG file, which decodes only as a whole", "unpack it and cut the picture")
    return read_head(payload)[1]


def describe(payload: bytes) -> dict[str, object]:
    """Width, height, channels and bits of the picture in a payload, of which the first bytes are enough."""
    if payload[:1] and payload[0] & _PNG:
        header = png.peek_header(payload[1:])
        if header is None:
            return {"kind": "png"}
        width, rows, channels = header.width, header.rows, header.channels
    else:
        _, layout, _, _ = read_head(payload)
        width, rows, channels = layout.width, layout.rows, layout.channels
    return {"kind": "pixels", "width": width, "height": rows, "channels": channels, "depth": 8}


def _take_lanes(data: bytes, position: int) -> tuple[int, int]:
    lanes, position = take_varint(data, position, MOST_LANES)
    if lanes < 1:
        raise CorruptArchiveError("the head of a picture is damaged")
    return lanes, position


class _Coder:
    """What both ways share: patches in groups, and one arithmetic code."""

    def __init__(self, layout: Layout, side: int, lanes: int) -> None:
        self.layout, self.side = layout, side
        # The prompt and the start token come on top of the symbols.
        slots = min(side, layout.rows) * min(side, layout.width) * self.symbols_of_a_pixel
        stream = self.stream(min(side, layout.rows), min(side, layout.width))
        if slots > stream.longest:
            raise ModelError(f"the model's context does not hold a patch of {slots} symbols", "choose another model")
        patches = -(-layout.rows // side) * -(-layout.width // side)
        room = min(GROUP_MEMORY // stream.lane_bytes(slots), MOST_SLOTS // slots, MOST_LANES, patches)
        self.lanes = lanes or max(1, room)
        if lanes > max(1, room):
            raise CorruptArchiveError("a picture's patches do not fit in memory")

    symbols_of_a_pixel = 1

    def stream(self, rows: int, width: int) -> TokenModel:
        """Reader of patches of a size."""
        raise NotImplementedError

    def begin(self, samples: NDArray[np.int32], source: NDArray[np.int32]) -> None:
        """Begin a picture: samples to be filled, and those to be coded (the same array when unpacking)."""
        raise NotImplementedError

    def symbols(self, group: Group) -> NDArray[np.int32]:
        """Symbols (K, L) of the patches of a group that is to be packed."""
        raise NotImplementedError

    def step(
        self,
        decoding: bool,
        group: Group,
        step: int,
        frequencies: NDArray[np.int32],
        symbols: NDArray[np.int32],
        coder: NDArray[np.uint64],
        data: NDArray[np.uint8],
    ) -> None:
        """Code or decode symbol ``step`` of every patch of a group, and all that belongs to it."""
        raise NotImplementedError

    def _groups(self) -> Iterator[Group]:
        return groups_of(self.layout.rows, self.layout.width, self.side, self.lanes)

    def encode(self, source: NDArray[np.int32], progress: Progress | None) -> bytes:
        """Arithmetic code of samples (rows, width, channels)."""
        samples = np.full_like(source, -1)
        self.begin(samples, source)
        out, encoder = np.empty(2 * source.size + 4096, np.uint8), new_encoder()
        for group in self._groups():
            symbols = self.symbols(group)
            frequencies = self.stream(group.rows, group.width).predict(symbols)
            for step in range(symbols.shape[1]):
                if int(encoder[POSITION]) + len(symbols) * PIXEL_BYTES + TAIL_BYTES > out.size:
                    out = np.concatenate([out, np.empty_like(out)])
                now = np.ascontiguousarray(symbols[:, step])
                self.step(False, group, step, np.ascontiguousarray(frequencies[:, step]), now, encoder, out)
            if progress:
                progress(group.origins.shape[0] * group.rows * group.width * self.layout.channels)
        return out[: finish(encoder, out)].tobytes()

    def decode(self, data: NDArray[np.uint8], progress: Progress | None) -> NDArray[np.int32]:
        """Samples (rows, width, channels) of an arithmetic code."""
        samples = np.full((self.layout.rows, self.layout.width, self.layout.channels), -1, np.int32)
        self.begin(samples, samples)
        decoder = new_decoder(data)
        for group in self._groups():
            lanes, length = len(group.origins), group.rows * group.width * self.symbols_of_a_pixel
            reading = self.stream(group.rows, group.width).read(lanes, length)
            symbols = np.zeros(lanes, np.int32)
            for step in range(length):
                frequencies = reading.next(symbols if step else None)
                self.step(True, group, step, frequencies, symbols, decoder, data)
            if progress:
                progress(lanes * group.rows * group.width * self.layout.channels)
        return samples


class _ColourCoder(_Coder):
    """image-GPT."""

    def __init__(self, model: Model, layout: Layout, lanes: int) -> None:
        assert isinstance(model, Gpt)
        assert model.clusters is not None
        announce(code_pixel, "the coding of pictures with a model")
        self._model, self._colours = model, model.clusters
        self._slopes = slopes(self._colours)
        super().__init__(layout, isqrt(model.config.context), lanes)
        pixels = layout.rows * layout.width
        bits = max(1, (len(self._colours) - 1).bit_length())
        self._mixers = (
            new_symbol_mixer(1, COLOUR_CONTEXTS, bits, pixels),
            new_symbol_mixer(2, VALUE_CONTEXTS, 8, 3 * pixels),
        )

    def stream(self, rows: int, width: int) -> TokenModel:
        """Reader of patches of a size; positions are those of a whole patch, so that columns stay columns."""
        y, x = np.mgrid[:rows, :width]
        places = (y * self.side + x).ravel().astype(np.int32)
        return TokenModel(self._model, np.arange(len(self._colours), dtype=np.int32), places=places)

    def begin(self, samples: NDArray[np.int32], source: NDArray[np.int32]) -> None:
        """Begin a picture."""
        self._samples, self._source = samples, source
        self._map = np.full((*samples.shape[:2], 1), -1, np.int32)
        if source is not samples:
            self._nearest = nearest(source.reshape(-1, 3), self._colours)[0].reshape(source.shape[:2])

    def symbols(self, group: Group) -> NDArray[np.int32]:
        """Colours of the patches of a group."""
        return _cut(self._nearest[..., None], group)

    def step(
        self,
        decoding: bool,
        group: Group,
        step: int,
        frequencies: NDArray[np.int32],
        symbols: NDArray[np.int32],
        coder: NDArray[np.uint64],
        data: NDArray[np.uint8],
    ) -> None:
        """Code a pixel of every patch."""
        code_pixel(
            decoding, *self._mixers, self._samples, self._source, self._map, group.origins, group.width, step,
            frequencies, self._colours, self._slopes, symbols, coder, data,
        )  # fmt: skip


class _TokenCoder(_Coder):
    """Samples as tokens of a language model."""

    def __init__(self, model: Model, kind: int, layout: Layout, lanes: int) -> None:
        assert not isinstance(model, PatchesModel)
        assert model.vocabulary is not None
        announce(code_sample, "the coding of pictures with a model")
        self.symbols_of_a_pixel = layout.channels
        rows = symbol_rows(model.vocabulary, kind)
        self._stream = TokenModel(model, rows, spell(model.vocabulary, PROMPTS[layout.channels]))
        super().__init__(layout, TOKEN_SIDE, lanes)
        self._mixer = new_symbol_mixer(2, VALUE_CONTEXTS, 8, layout.rows * layout.width * layout.channels)

    def stream(self, rows: int, width: int) -> TokenModel:
        """Reader of patches of a size."""
        return self._stream

    def begin(self, samples: NDArray[np.int32], source: NDArray[np.int32]) -> None:
        """Begin a picture."""
        self._samples, self._source = samples, source

    def symbols(self, group: Group) -> NDArray[np.int32]:
        """Interleaved samples of the patches of a group."""
        return _cut(self._source, group)

    def step(
        self,
        decoding: bool,
        group: Group,
        step: int,
        frequencies: NDArray[np.int32],
        symbols: NDArray[np.int32],
        coder: NDArray[np.uint64],
        data: NDArray[np.uint8],
    ) -> None:
        """Code a sample of every patch."""
        code_sample(
            decoding, self._mixer, self._samples, self._source, group.origins, group.width, step, frequencies,
            symbols, coder, data,
        )  # fmt: skip


def _cut(values: NDArray[np.int32], group: Group) -> NDArray[np.int32]:
    """Values (K, L) of the patches of a group, row by row, channels interleaved."""
    parts = [values[y : y + group.rows, x : x + group.width].reshape(-1) for y, x in group.origins]
    return np.stack(parts).astype(np.int32)
