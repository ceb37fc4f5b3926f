"""The colours that image-GPT's tokens stand for, and which samples belong to which.

Colours are in sixteenths of a step of a sample; a pixel belongs to the nearest, the first of those equally near.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled

UNIT: Final = 16
"""Parts of a step."""


@compiled
def _nearest(pixels: NDArray[np.int32], colours: NDArray[np.int32], out: NDArray[np.int32]) -> int:
    total = np.int64(0)
    for i in range(pixels.shape[0]):
        best, least = 0, np.int64(1) << 62
        for j in range(colours.shape[0]):
            distance = np.int64(0)
            for c in range(3):
                step = np.int64(UNIT * pixels[i, c] - colours[j, c])
                distance += step * step
            if distance < least:
                best, least = j, distance
        out[i] = best
        total += least
    result: int = total
    return result


def nearest(pixels: NDArray[np.int32], colours: NDArray[np.int32]) -> tuple[NDArray[np.int32], int]:
    """Number of the colour of each pixel (N, 3), and the sum of the squared distances."""
    out = np.empty(len(pixels), np.int32)
    total = _nearest(np.ascontiguousarray(pixels), colours, out)
    return out, int(total)


def slopes(colours: NDArray[np.int32]) -> NDArray[np.float32]:
    """How fast probabilities fall around each colour, in halvings for a step: by the distance of the next colour."""
    wide = colours.astype(np.int64)
    out = np.empty(len(colours), np.float32)
    for i, colour in enumerate(wide):
        distances = np.abs(wide - colour).sum(1)
        distances[i] = 255 * 3 * UNIT
        out[i] = np.float32(4 * UNIT) / np.float32(int(distances.min()) + UNIT)
    return out


@compiled
def blue_range(colours: NDArray[np.int32], colour: int, red: int, green: int) -> tuple[int, int]:
    """Least and largest blue with which (red, green, blue) belongs to a colour; 0 and 255 if there is none."""
    own = colours[colour]
    least, most = np.int64(0), np.int64(255)
    to_red, to_green = np.int64(UNIT * red - own[0]), np.int64(UNIT * green - own[1])
    near = to_red * to_red + to_green * to_green + np.int64(own[2]) * own[2]
    for j in range(colours.shape[0]):
        other = colours[j]
        to_red, to_green = np.int64(UNIT * red - other[0]), np.int64(UNIT * green - other[1])
        # The difference of the squared distances is a straight line in blue.
        head = near - (to_red * to_red + to_green * to_green + np.int64(other[2]) * other[2]) + (1 if j < colour else 0)
        slope = 2 * UNIT * np.int64(own[2] - other[2])
        if slope > 0:
            least = max(least, -((-head) // slope))
        elif slope < 0:
            most = min(most, (-head) // (-slope))
    return (least, most) if least <= most else (np.int64(0), np.int64(255))
