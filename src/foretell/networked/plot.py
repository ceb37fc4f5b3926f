"""Pictures of weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from foretell.networked.errors import PairsError
from foretell.networked.kernels import Floats
from foretell.networked.search import largest_degrees
from foretell.networked.weights import Weighting

_MOST_POINTS = 20_000
_BANDS = 24


def plot_weights(weighting: Weighting, file: Any, *, title: str = "", format: str | None = None) -> None:
    """Draw the weight of every pair against the larger degree of its objects, with the median, as PNG, SVG or PDF.

    Parameters
    ----------
    weighting : Weighting
    file : str or file
        Where to write; the suffix of a name gives the format.
    title : str
        Above the picture.
    format : str, optional
        ``png``, ``svg`` or ``pdf``, for a file without a name.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise PairsError("plots need matplotlib", "pip install 'foretell[plot]'") from None
    degrees, weights = largest_degrees(weighting.pairs), weighting.weights
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.subplots()
    shown = np.random.default_rng(0).permutation(weights.size)[:_MOST_POINTS]
    positive = shown[weights[shown] > 0]
    axes.scatter(degrees[positive], weights[positive], s=6, alpha=0.25, color="tab:blue", linewidths=0, label="pairs")
    centres, medians = _medians(degrees, weights)
    drawn = medians > 0
    axes.plot(centres[drawn], medians[drawn], color="tab:red", marker="o", markersize=3, label="median")
    axes.axhline(1.0, color="grey", linestyle=":", linewidth=1, label="equal weights")
    axes.set(xscale="log", yscale="log", xlabel="larger degree of the pair's objects", ylabel="weight (mean 1)")
    zeros = int(np.count_nonzero(weights == 0))
    note = f"; {zeros} pairs of weight 0 not shown" if zeros else ""
    axes.set_title((title or f"{weighting.method}: {weights.size} pairs") + note, fontsize=10)
    axes.legend(fontsize=8)
    figure.savefig(file, dpi=150, format=format)


def _medians(degrees: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Median degree and weight in bands of degrees that grow geometrically."""
    edges = np.unique(np.geomspace(1, degrees.max() + 1, _BANDS + 1))
    bands = np.digitize(degrees, edges)
    used = np.unique(bands)
    centres = np.array([np.median(degrees[bands == band]) for band in used])
    return centres, np.array([np.median(weights[bands == band]) for band in used])
