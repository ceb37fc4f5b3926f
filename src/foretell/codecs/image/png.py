"""PNG files made anew: their pixels coded as planes, and beside them what it takes to give back the very file.

A PNG file is chunks; those named IDAT together hold a zlib stream of filtered rows. How zlib compressed them depends on
settings of the program that wrote the file, which are found by trying. Files of which that does not succeed
(interlaced, or compressed by something other than zlib) are left to other codecs.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.image import raster
from foretell.codecs.image.deflate import DEFAULT, FILTERED, FIXED, HUFFMAN_ONLY, RUNS, Parameters, deflate
from foretell.codecs.image.pipeline import DEFAULT_MANNER, Manner
from foretell.codecs.image.png_filters import FILTERS, refilter, unfilter
from foretell.codecs.image.raster import PlaneDecoder, PlaneEncoder
from foretell.errors import CorruptArchiveError
from foretell.varint import put_block, put_varints, take_blocks, take_varint

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
MOST_BYTES: Final = 1 << 28
"""Most bytes of the pixels of one file."""
BAND_PIXELS: Final = 1 << 22
_TRIALS: Final = (1 << 16, 1 << 18)
"""Bytes on which settings are tried before all of them are compressed."""
_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS: Final = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_MOST_CHUNKS: Final = 1 << 16


@dataclass(frozen=True)
class WholeFile:
    """Layout of a PNG file: the frame is the file."""


@dataclass(frozen=True)
class Header:
    """Size and form of the pixels of a PNG file."""

    width: int
    rows: int
    depth: int
    colour: int

    @property
    def channels(self) -> int:
        """Samples of a pixel."""
        return _CHANNELS[self.colour]

    @property
    def row_bytes(self) -> int:
        """Bytes of a row without its filter."""
        return (self.width * self.channels * self.depth + 7) // 8

    @property
    def step(self) -> int:
        """Bytes between a byte and the one that filters call its left neighbour."""
        return max(1, self.channels * self.depth // 8)


def parse_header(chunk: bytes) -> Header | None:
    """Header of the 13 bytes of an IHDR chunk; None if it is not supported here or is too large."""
    if len(chunk) != 13:
        return None
    width, rows, depth, colour, method, filters, interlaced = struct.unpack(">IIBBBBB", chunk)
    if depth not in _DEPTHS.get(colour, ()) or method or filters or interlaced:
        return None
    header = Header(width, rows, depth, colour)
    sizes = 1 <= width < raster.MOST_SIDE and 1 <= rows < raster.MOST_SIDE
    return header if sizes and (header.row_bytes + 1) * rows <= MOST_BYTES else None


@dataclass(frozen=True)
class Chunks:
    """A PNG file cut at its IDAT chunks: bytes before, sizes and contents of those chunks, bytes after."""

    before: bytes
    sizes: list[int]
    stream: bytes
    after: bytes


def cut_chunks(data: bytes) -> Chunks | None:
    """Cut a file; None if it is damaged or its IDAT chunks are not neighbours."""
    position, first, last = len(SIGNATURE), 0, 0
    sizes: list[int] = []
    pieces: list[bytes] = []
    while position + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, position)
        end = position + 12 + size
        if end > len(data):
            return None
        if data[position + 4 : position + 8] == b"IDAT":
            piece = data[position + 8 : end - 4]
            if (sizes and position != last) or data[end - 4 : end] != _check(piece):
                return None
            first = first or position
            last = end
            sizes.append(size)
            pieces.append(piece)
        elif data[position + 4 : position + 8] == b"IEND":
            break
        position = end
    return Chunks(data[:first], sizes, b"".join(pieces), data[last:]) if sizes else None


def _check(piece: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(piece, zlib.crc32(b"IDAT")))


def join_chunks(chunks: Chunks) -> bytes:
    """File of what :func:`cut_chunks` gave."""
    out = [chunks.before]
    position = 0
    for size in chunks.sizes:
        piece = chunks.stream[position : position + size]
        out += [struct.pack(">I", size), b"IDAT", piece, _check(piece)]
        position += size
    return b"".join([*out, chunks.after])


def inflate(stream: bytes, most: int) -> tuple[bytes, bytes] | None:
    """Bytes of a zlib stream and what follows it; None if it is damaged or holds more than ``most`` bytes."""
    inflater = zlib.decompressobj()
    try:
        lines = inflater.decompress(stream, most)
        if inflater.decompress(inflater.unconsumed_tail, 1):
            return None
    except zlib.error:
        return None
    return (lines, inflater.unused_data) if inflater.eof else None


def find_parameters(stream: bytes, lines: bytes) -> Parameters | None:
    """Settings with which zlib makes a stream (without header and checksum) of bytes."""
    window, hint = (stream[0] >> 4) + 8, stream[1] >> 6
    body = stream[2:]
    levels = {0: (1,), 1: (5, 4, 3, 2), 2: (6,), 3: (9, 8, 7)}[hint]
    order = [(level, strategy) for strategy in (FILTERED, DEFAULT) for level in levels]
    order += [(levels[0], RUNS), (levels[0], HUFFMAN_ONLY), (levels[0], FIXED)]
    order += [(level, strategy) for level in range(1, 10) for strategy in (FILTERED, DEFAULT)]
    for memory in (8, 9):
        for level, strategy in dict.fromkeys(order):
            for bits in dict.fromkeys((max(window, 9), 15)):
                parameters = Parameters(level, strategy, memory, bits)
                if _begins(body, lines, parameters) and deflate(lines, parameters) == body:
                    return parameters
    return None


def _begins(body: bytes, lines: bytes, parameters: Parameters) -> bool:
    """Whether settings give the beginning of a stream, as far as a few trials show."""
    for trial in _TRIALS:
        begin = deflate(lines[:trial], parameters, whole=trial >= len(lines))
        if begin != body[: len(begin)]:
            return False
    return True


class Parts(NamedTuple):
    """What a payload says before its planes, and samples (channels, rows, width) of bands of the picture."""

    head: bytes
    bands: list[NDArray[Any]]


def encode(data: bytes, manner: Manner = DEFAULT_MANNER, code: PlaneEncoder = raster.encode_samples) -> bytes | None:
    """Payload of a PNG file, its pixels coded by ``code``; None if the file cannot be made anew from them."""
    parts = take_apart(data)
    return None if parts is None else encode_parts(parts, manner, code)


def encode_parts(parts: Parts, manner: Manner, code: PlaneEncoder = raster.encode_samples) -> bytes | None:
    """Payload of a PNG file that was taken apart; None if ``code`` has no code for a part."""
    codes = []
    for band in parts.bands:
        planes = code(band.astype(np.int32), manner)
        if planes is None:
            return None
        codes.append(planes)
    return parts.head + b"".join(codes)


def take_apart(data: bytes) -> Parts | None:
    """Parts of a PNG file; None if the file cannot be made anew from its pixels."""
    chunks = cut_chunks(data)
    header = parse_header(chunks.before[16:29]) if chunks else None
    if chunks is None or header is None or len(chunks.stream) < 8:
        return None
    inflated = inflate(chunks.stream, (header.row_bytes + 1) * header.rows)
    if inflated is None or len(inflated[0]) != (header.row_bytes + 1) * header.rows:
        return None
    lines, extra = inflated
    tail = len(extra) + 4
    parameters = find_parameters(chunks.stream[:-tail], lines)
    samples = _samples(lines, header)
    if parameters is None or samples is None:
        return None
    kinds = np.frombuffer(lines, np.uint8)[:: header.row_bytes + 1]
    sizes = put_varints(len(chunks.sizes), *chunks.sizes)
    notes = zlib.compress(sizes + chunks.stream[:2] + put_block(extra) + put_block(chunks.before) + chunks.after, 9)
    filters = zlib.compress(kinds.tobytes(), 9)
    head = bytes([parameters.level, parameters.strategy, parameters.memory, parameters.window])
    head += put_block(notes) + put_block(filters)
    return Parts(head, [samples[:, a:b] for a, b in _bands(header)])


def decode(
    payload: bytes, size: int, manner: Manner = DEFAULT_MANNER, planes: PlaneDecoder = raster.decode_samples
) -> bytes:
    """PNG file of ``size`` bytes from its payload; the inverse of :func:`encode` with the matching ``planes``."""
    parameters = Parameters(*payload[:4])
    if not parameters.valid():
        raise CorruptArchiveError("a picture's compression settings are out of range")
    (packed_notes, packed_filters), position = take_blocks(payload, 4, 2)
    notes = _unpack(packed_notes, size + 5 * _MOST_CHUNKS)
    count, at = take_varint(notes, 0, _MOST_CHUNKS)
    sizes = []
    for _ in range(count):
        piece, at = take_varint(notes, at, size)
        sizes.append(piece)
    start = notes[at : at + 2]
    (extra, before), at = take_blocks(notes, at + 2, 2)
    header = parse_header(before[16:29])
    if header is None or header.rows > 64 * size + 4096:
        raise CorruptArchiveError("a picture's header is damaged")
    kinds = np.frombuffer(_unpack(packed_filters, header.rows), np.uint8)
    if kinds.size != header.rows or int(kinds.max()) >= FILTERS:
        raise CorruptArchiveError("the filters of a picture's rows are damaged")
    rows = np.zeros((header.rows, header.row_bytes), np.uint8)
    for first, last in _bands(header):
        shape = (header.channels, last - first, header.width)
        samples, position = planes(payload, position, shape, manner)
        rows[first:last] = _to_rows(samples, header)
    lines = np.zeros((header.rows, header.row_bytes + 1), np.uint8)
    refilter(rows, kinds, header.step, lines)
    pixels = lines.tobytes()
    stream = start + deflate(pixels, parameters) + struct.pack(">I", zlib.adler32(pixels)) + extra
    return join_chunks(Chunks(before, sizes, stream, notes[at:]))


def peek_header(payload: bytes) -> Header | None:
    """Header of the file whose payload begins so; None if not enough of it is there."""
    try:
        size, position = take_varint(payload, 4, MOST_BYTES)
        notes = zlib.decompressobj().decompress(payload[position : position + size], 1 << 12)
        at = notes.index(SIGNATURE)
    except (ValueError, zlib.error, CorruptArchiveError):
        return None
    return parse_header(notes[at + 16 : at + 29])


def _unpack(packed: bytes, most: int) -> bytes:
    inflated = inflate(packed, most)
    if inflated is None:
        raise CorruptArchiveError("what belongs to a picture is damaged")
    return inflated[0]


def _bands(header: Header) -> list[tuple[int, int]]:
    """Rows that are coded together, so that memory does not grow with the picture."""
    count = -(-header.rows * header.width // BAND_PIXELS)
    edges = [header.rows * index // count for index in range(count + 1)]
    return [(a, b) for a, b in pairwise(edges) if a < b]


def _samples(lines: bytes, header: Header) -> NDArray[Any] | None:
    """Samples (channels, rows, width) of filtered lines; None if bits beyond the width are not zero."""
    filtered = np.frombuffer(lines, np.uint8).reshape(header.rows, header.row_bytes + 1)
    rows = np.zeros((header.rows, header.row_bytes), np.uint8)
    if not unfilter(filtered, header.step, rows):
        return None
    shape = (header.rows, header.width, header.channels)
    if header.depth == 16:
        samples = rows.view(">u2").reshape(shape)
    elif header.depth == 8:
        samples = rows.reshape(shape)
    else:
        samples = _unpack_bits(rows, header)[..., None]
        if not np.array_equal(_pack_bits(samples[..., 0], header), rows):
            return None
    return samples.transpose(2, 0, 1)


def _to_rows(samples: NDArray[np.int32], header: Header) -> NDArray[np.uint8]:
    if header.depth < 8:
        return _pack_bits(samples[0].astype(np.uint8), header)
    kind = np.dtype(">u2") if header.depth == 16 else np.dtype(np.uint8)
    interleaved = np.ascontiguousarray(samples.transpose(1, 2, 0).astype(kind))
    return interleaved.view(np.uint8).reshape(samples.shape[1], header.row_bytes)


def _unpack_bits(rows: NDArray[np.uint8], header: Header) -> NDArray[np.uint8]:
    shifts = np.arange(8 - header.depth, -1, -header.depth, dtype=np.uint8)
    values = (rows[:, :, None] >> shifts) & ((1 << header.depth) - 1)
    return np.ascontiguousarray(values.reshape(rows.shape[0], -1)[:, : header.width].astype(np.uint8))


def _pack_bits(samples: NDArray[np.uint8], header: Header) -> NDArray[np.uint8]:
    per_byte = 8 // header.depth
    padded = np.zeros((samples.shape[0], header.row_bytes * per_byte), np.uint8)
    padded[:, : header.width] = samples
    shifts = np.arange(8 - header.depth, -1, -header.depth, dtype=np.uint8)
    groups = padded.reshape(samples.shape[0], header.row_bytes, per_byte) << shifts
    return np.bitwise_or.reduce(groups, axis=2).astype(np.uint8)
