"""Make the golden archives of a picture and a clip anew, after a change of the format only.

Run from the root of the repository: ``python tests/golden/make_pictures.py``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent


def golden_picture() -> bytes:
    """PPM with slopes, edges, flat parts and noise, made of integers."""
    y, x = np.mgrid[:48, :64].astype(np.int64)
    noise = (x * 7919 + y * 104729 + x * y * 31) * 2654435761 % 65536 >> 13
    light = 60 + x + y // 2 + 40 * ((x * x + y * y) // 400 % 2) + noise
    colour = np.stack([light + 20, light, light - noise], -1)
    colour[30:, 40:] = 200
    return b"P6\n64 48\n255\n" + np.clip(colour, 0, 255).astype(np.uint8).tobytes()


def golden_clip() -> bytes:
    """Five frames of 4:2:0 that move."""
    picture = np.frombuffer(golden_picture()[13:], np.uint8).reshape(48, 64, 3)
    frames = []
    for n in range(5):
        view = np.roll(picture, (n, 2 * n), (0, 1))[:37, :45]
        frames.append(b"FRAME\n" + view[..., 1].tobytes() + b"".join(view[::2, ::2, k].tobytes() for k in (2, 0)))
    return b"YUV4MPEG2 W45 H37 F25:1 Ip A1:1 C420jpeg\n" + b"".join(frames)


def main() -> None:
    """Write the files."""
    import foretell

    for name, raw in (("image", golden_picture()), ("video", golden_clip())):
        archive = foretell.compress(raw, codec=name, verify=True)
        (FOLDER / f"{name}.fore").write_bytes(archive)
        print(name, len(raw), len(archive))


if __name__ == "__main__":
    main()
