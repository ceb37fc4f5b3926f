"""Pictures made here: smooth with noise, drawings, palettes, files of several kinds."""

from __future__ import annotations

import struct
import zlib

import numpy as np


def scene(height, width, channels=3, largest=255, seed=0):
    """Slopes, edges and a little noise, channels alike."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    light = largest * (0.3 + 0.2 * np.sin(x / 9) + 0.2 * np.cos(y / 7) + 0.2 * ((x + y) % 23 > 11))
    planes = [light * (0.7 + 0.1 * k) + rng.normal(0, largest / 100, light.shape) for k in range(channels)]
    array = np.clip(np.stack(planes, -1), 0, largest).astype(np.uint8 if largest < 256 else np.uint16)
    return array[..., 0] if channels == 1 else array


def drawing(height, width, colours=5, seed=0):
    """Few colours in flat areas with repeats."""
    rng = np.random.default_rng(seed)
    palette = rng.integers(0, 256, (colours, 3), dtype=np.uint8)
    y, x = np.mgrid[:height, :width]
    return palette[((x // 8) * 3 + (y // 5) * 7) % colours]


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(rows, width, depth, colour, *, level=6, strategy=0, memory=8, filters=None, idat=8192, extra=b"", interlaced=0):
    """PNG file of the bytes of rows (height, bytes), unfiltered unless kinds of filters are given."""
    kinds = np.zeros(len(rows), np.uint8) if filters is None else filters
    lines = np.zeros((rows.shape[0], rows.shape[1] + 1), np.uint8)
    step = max(1, {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour] * depth // 8)
    for y, kind in enumerate(kinds):
        lines[y, 0] = kind
        for x in range(rows.shape[1]):
            left = int(rows[y, x - step]) if x >= step else 0
            above = int(rows[y - 1, x]) if y else 0
            corner = int(rows[y - 1, x - step]) if y and x >= step else 0
            guesses = (left, above, corner)
            nearest = min(guesses, key=lambda g, p=left + above - corner: abs(g - p))
            lines[y, x + 1] = (int(rows[y, x]) - (0, left, above, (left + above) // 2, nearest)[kind]) % 256
    packer = zlib.compressobj(level, zlib.DEFLATED, 15, memory, strategy)
    stream = packer.compress(lines.tobytes()) + packer.flush()
    pieces = [stream[i : i + idat] for i in range(0, len(stream), idat)]
    header = struct.pack(">IIBBBBB", width, len(rows), depth, colour, 0, 0, interlaced)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + extra
        + b"".join(chunk(b"IDAT", piece) for piece in pieces)
        + chunk(b"IEND", b"")
    )


def ppm(array):
    kind = b"P6" if array.ndim == 3 else b"P5"
    largest = np.iinfo(array.dtype).max
    head = b"%s\n# made for tests\n%d %d\n%d\n" % (kind, array.shape[1], array.shape[0], largest)
    return head + array.astype(array.dtype.newbyteorder(">")).tobytes()


def bmp(array):
    height, width = array.shape[:2]
    channels = array.shape[2] if array.ndim == 3 else 1
    pad = -(width * channels) % 4
    rows = np.zeros((height, width * channels + pad), np.uint8)
    rows[:, : width * channels] = array[::-1].reshape(height, -1)
    palette = b"".join(bytes([i, i, i, 0]) for i in range(256)) if channels == 1 else b""
    offset = 54 + len(palette)
    head = b"BM" + struct.pack("<IHHI", offset + rows.size, 0, 0, offset)
    head += struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8 * channels, 0, rows.size, 2835, 2835, 0, 0)
    return head + palette + rows.tobytes()


def tiff(array, order="<", rows_per_strip=7, directory_last=True):
    height, width = array.shape[:2]
    channels = array.shape[2] if array.ndim == 3 else 1
    bits = 8 * array.dtype.itemsize
    data = array.astype(array.dtype.newbyteorder(order)).tobytes()
    row = len(data) // height
    starts = list(range(0, height, rows_per_strip))
    counts = [min(rows_per_strip, height - start) * row for start in starts]
    tail = channels * 2 + len(starts) * 8 + 2 + 9 * 12 + 4
    at = 8 if directory_last else 8 + tail + 64
    lists = at + len(data) if directory_last else 8
    pack = lambda fmt, *values: struct.pack(order + fmt, *values)  # noqa: E731
    bits_list = pack(f"{channels}H", *[bits] * channels)
    offsets = pack(f"{len(starts)}I", *[at + start * row for start in starts])
    sizes = pack(f"{len(starts)}I", *counts)
    where = lists + len(bits_list) + len(offsets) + len(sizes)

    def entry(tag, kind, values, place, inline):
        return pack("HHI", tag, kind, values) + (inline if values == 1 else pack("I", place))

    short = lambda value: pack("HH", value, 0)  # noqa: E731
    entries = [
        entry(256, 4, 1, 0, pack("I", width)),
        entry(257, 4, 1, 0, pack("I", height)),
        entry(258, 3, channels, lists, (bits_list + bytes(2))[:4])
        if channels != 2
        else pack("HHI", 258, 3, 2) + bits_list,
        entry(259, 3, 1, 0, short(1)),
        entry(262, 3, 1, 0, short(2 if channels > 2 else 1)),
        entry(273, 4, len(starts), lists + len(bits_list), offsets[:4]),
        entry(277, 3, 1, 0, short(channels)),
        entry(278, 4, 1, 0, pack("I", rows_per_strip)),
        entry(279, 4, len(starts), lists + len(bits_list) + len(offsets), sizes[:4]),
    ]
    directory = pack("H", len(entries)) + b"".join(entries) + pack("I", 0)
    head = (b"II*\0" if order == "<" else b"MM\0*") + pack("I", where)
    if directory_last:
        return head + data + bits_list + offsets + sizes + directory
    body = bits_list + offsets + sizes + directory
    return head + body + bytes(at - 8 - len(body)) + data


def y4m(frames, colour=b"420jpeg", line=b"FRAME\n"):
    """Video of frames, each a list of planes."""
    height, width = frames[0][0].shape
    out = b"YUV4MPEG2 W%d H%d F25:1 Ip A1:1 C%s\n" % (width, height, colour)
    return out + b"".join(line + b"".join(plane.tobytes() for plane in planes) for planes in frames)
