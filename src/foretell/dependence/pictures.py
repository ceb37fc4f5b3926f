"""Pictures of intervals and of forest approximations, with matplotlib (the extra ``plot``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from foretell.dependence.errors import DependenceError

if TYPE_CHECKING:
    from foretell.dependence.assessment import Assessment
    from foretell.dependence.forest import ForestApproximation

LARGEST_DRAWING = 2000


def plot_intervals(assessment: Assessment, axes: Any = None) -> Any:
    """Draw all intervals of an assessment below each other, the valid one in colour.

    Parameters
    ----------
    assessment : Assessment
        What :func:`foretell.dependence.assess` returned.
    axes : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.

    Returns
    -------
    matplotlib.axes.Axes
    """
    interval = assessment.interval
    rows = [(row.name, row.low, row.high, "0.55") for row in assessment.comparisons]
    rows.append((f"valid ({interval.method})", interval.low, interval.high, "tab:green"))
    axes = _axes(axes, (7, 0.6 + 0.45 * len(rows)))
    for place, (_, low, high, color) in enumerate(rows):
        axes.plot([low, high], [place, place], color=color, linewidth=4, solid_capstyle="butt")
    axes.axvline(interval.estimate, color="0.2", linewidth=0.8)
    axes.set_yticks(range(len(rows)), [row[0] for row in rows])
    axes.invert_yaxis()
    axes.set_xlabel(f"{interval.metric} ({interval.confidence:.0%}; n = {interval.n_items}, "
                    f"n_eff = {interval.effective_sample_size:.1f})")  # fmt: skip
    axes.figure.tight_layout()
    return axes


def draw_forest(forest: ForestApproximation, axes: Any = None) -> Any:
    """Draw the dependency graph; items of one bag are circled by colour, and lie at the depth of their bag.

    Parameters
    ----------
    forest : ForestApproximation
        Of at most 2000 items.
    axes : matplotlib.axes.Axes, optional
        Where to draw; a new figure if not given.

    Returns
    -------
    matplotlib.axes.Axes
    """
    size = forest.graph.n_items
    if size > LARGEST_DRAWING:
        raise DependenceError(f"a drawing of {size} items", f"at most {LARGEST_DRAWING} can be told apart")
    axes = _axes(axes, (7, 5))
    depth = np.zeros(forest.parents.size, dtype=np.int64)
    above = forest.parents.copy()
    while (above >= 0).any():
        depth[above >= 0] += 1
        above = np.where(above >= 0, forest.parents[above], -1)
    # Bags side by side within a depth, parents' order first, so that branches do not cross much.
    order = np.lexsort((forest.bags, forest.parents[forest.bags], depth[forest.bags]))
    places = np.zeros((size, 2))
    for level in np.unique(depth):
        here = order[depth[forest.bags[order]] == level]
        places[here, 0] = (np.arange(here.size) + 0.5) / here.size
        places[here, 1] = -level
    edges = forest.graph.to_scipy().tocoo()
    for one, other in zip(edges.row[edges.row < edges.col], edges.col[edges.row < edges.col], strict=True):
        axes.plot(*places[[one, other]].T, color="0.7", linewidth=0.6, zorder=1)
    axes.scatter(*places.T, c=forest.bags % 20, cmap="tab20", s=40, zorder=2)
    axes.set_title(f"forest approximation: {forest.parents.size} bags, complexity {forest.value:g}")
    axes.set_axis_off()
    return axes


def _axes(axes: Any, size: tuple[float, float]) -> Any:
    if axes is not None:
        return axes
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise DependenceError("pictures need matplotlib", "pip install 'foretell[plot]'") from None
    figure = Figure(figsize=size)
    FigureCanvasAgg(figure)
    return figure.add_subplot()
