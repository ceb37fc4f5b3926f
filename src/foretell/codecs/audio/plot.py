"""A plot of the bits that a sound took, over time."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from foretell.errors import ForetellError

_STEPS = 1200
"""Most steps that are drawn; more are averaged."""


def draw_bits(times: NDArray[np.float64], bits: NDArray[np.float64], title: str = "") -> bytes:
    """PNG file of bits per sample over time; ``times`` are the ends of steps, in seconds.

    Raises
    ------
    ForetellError
        If matplotlib is missing.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ForetellError("plots need matplotlib", "pip install 'foretell[plot]'") from error

    times, bits = thinned(times, bits)
    figure = Figure(figsize=(10, 3), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    edges = np.concatenate([[0.0], times])
    axes.stairs(bits, edges, fill=True, color="#3b6ea5", linewidth=0)
    axes.set(xlabel="seconds", ylabel="bits per sample", xlim=(0, edges[-1]), ylim=(0, None), title=title)
    axes.grid(axis="y", color="#dddddd")
    axes.set_axisbelow(True)
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def thinned(times: NDArray[np.float64], bits: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The same in at most 1200 steps: means, weighted by time.

    >>> thinned(np.array([1.0, 2.0]), np.array([8.0, 4.0]))[1]
    array([8., 4.])
    """
    group = -(-times.size // _STEPS)
    lengths = np.diff(times, prepend=0.0)
    starts = np.arange(0, times.size, group)
    sums = np.add.reduceat(bits * lengths, starts)
    spans = np.add.reduceat(lengths, starts)
    return times[np.minimum(starts + group, times.size) - 1], sums / np.maximum(spans, 1e-12)
