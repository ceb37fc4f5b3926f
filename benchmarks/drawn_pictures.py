"""Screenshots and drawings that the picture benchmark makes itself: text, windows, a chart, flat shapes, pixel art."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont


def editor() -> Image.Image:
    """A window of source text in colours, smooth letters."""
    picture = Image.new("RGB", (800, 600), (40, 42, 54))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(13)
    draw.rectangle((0, 0, 800, 28), (68, 71, 90))
    colours = ((248, 248, 242), (139, 233, 253), (255, 121, 198), (241, 250, 140), (98, 114, 164))
    lines = Path(__file__).read_text().splitlines()
    for row in range(36):
        draw.text((8, 32 + 15 * row), f"{row + 1:3}", (98, 114, 164), font)
        at = 44.0
        for number, word in enumerate(lines[row % len(lines)].replace("    ", "\u2003").split(" ")):
            draw.text((at, 32 + 15 * row), word, colours[(len(word) + number) % 5], font)
            at += draw.textlength(word + " ", font)
    return picture


def desktop() -> Image.Image:
    """Windows with borders and buttons over a slope of colours."""
    y, x = np.mgrid[:600, :800]
    slope = np.stack([30 + x // 10, 60 + y // 8, 120 + (x + y) // 20], -1).astype(np.uint8)
    picture = Image.fromarray(slope)
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(12)
    for number, (left, top) in enumerate(((40, 40), (300, 120), (120, 300))):
        draw.rectangle((left, top, left + 360, top + 240), (240, 240, 240), (90, 90, 90))
        draw.rectangle((left, top, left + 360, top + 22), (70, 110 + 20 * number, 180))
        draw.text((left + 8, top + 4), f"Window {number + 1}", (255, 255, 255), font)
        for row in range(8):
            draw.rectangle((left + 12, top + 34 + 24 * row, left + 26, top + 48 + 24 * row), (255, 255, 255), (0, 0, 0))
            draw.text((left + 34, top + 34 + 24 * row), f"Option {row * 37 % 11} of the list", (20, 20, 20), font)
    return picture


def chart() -> Image.Image:
    """Curves, axes and labels on white."""
    picture = Image.new("RGB", (800, 500), (255, 255, 255))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(12)
    for k in range(11):
        draw.line((60, 40 + 40 * k, 780, 40 + 40 * k), (225, 225, 225))
        draw.text((24, 33 + 40 * k), f"{1 - k / 10:.1f}", (0, 0, 0), font)
    x = np.arange(60, 780)
    for k, colour in enumerate(((31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40))):
        y = 240 - 150 * np.sin(x / (40 + 25 * k) + k) * np.exp(-x / (500 + 100 * k))
        draw.line(list(zip(x.tolist(), y.tolist(), strict=True)), colour, 2)
    return picture


def shapes() -> Image.Image:
    """Flat colours with smooth edges: drawn four times as large and made smaller."""
    picture = Image.new("RGB", (2400, 1800), (250, 240, 220))
    draw, rng = ImageDraw.Draw(picture), np.random.default_rng(7)
    for _ in range(60):
        left, top, size = (int(v) for v in rng.integers(0, (2100, 1500, 500)))
        colour = tuple(int(v) for v in rng.integers(0, 8, 3) * 36)
        (draw.ellipse if size % 2 else draw.rectangle)((left, top, left + size + 40, top + size + 40), colour)
    return picture.resize((600, 450), Image.Resampling.LANCZOS)


def sprites() -> Image.Image:
    """Tiles of sixteen colours, repeated, three pixels to a dot."""
    rng = np.random.default_rng(3)
    palette = rng.integers(0, 256, (16, 3), dtype=np.uint8)
    tiles = [np.where(rng.random((8, 8)) < 0.7, k % 16, rng.integers(0, 16, (8, 8))) for k in range(12)]
    rows = [np.hstack([tiles[int(k)] for k in rng.integers(0, 12, 26)]) for _ in range(20)]
    return Image.fromarray(np.kron(palette[np.vstack(rows)], np.ones((3, 3, 1), np.uint8)))


PICTURES: tuple[Callable[[], Image.Image], ...] = (editor, desktop, chart, shapes, sprites)


def write_all(folder: Path) -> None:
    """Write all as PNG files."""
    folder.mkdir(parents=True, exist_ok=True)
    for make in PICTURES:
        make().save(folder / f"{make.__name__}.png")
