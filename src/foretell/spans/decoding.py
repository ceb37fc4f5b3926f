"""From probabilities of starts and ends to spans: in order (v5), nearest end (v1), and flat across labels.

Both decoders take one label's probabilities over the n pieces of a text and give (first, last) pairs; a piece
counts where its probability is above the threshold. The names are those of the paper's code.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from foretell.spans.document import Span

Floats = NDArray[np.floating]


def decode_in_order(starts: Floats, ends: Floats, threshold: float = 0.5) -> list[tuple[int, int]]:
    """Decode as v5: of each run of starts and the run of ends after it, take the most probable start and end.

    Read from left to right, the starts and ends above the threshold form alternate runs (at one piece, its start
    comes before its end). Ends before the first start and starts after the last end belong to nothing. Among equals
    the later start and the earlier end win.

    Examples
    --------
    >>> starts = np.array([0.9, 0.6, 0.0, 0.0, 0.7])
    >>> ends = np.array([0.0, 0.0, 0.6, 0.8, 0.7])
    >>> decode_in_order(starts, ends)
    [(0, 3), (4, 4)]
    """
    spans = []
    first = last = -1
    for piece in np.flatnonzero((starts > threshold) | (ends > threshold)):
        here = int(piece)
        if starts[here] > threshold:
            if last >= 0:
                spans.append((first, last))
                first = last = -1
            if first < 0 or starts[here] >= starts[first]:
                first = here
        if ends[here] > threshold and first >= 0 and (last < 0 or ends[here] > ends[last]):
            last = here
    if last >= 0:
        spans.append((first, last))
    return spans


def decode_nearest(starts: Floats, ends: Floats, threshold: float = 0.5) -> list[tuple[int, int]]:
    """Decode as v1: each start goes with the nearest end at or after it.

    Examples
    --------
    >>> decode_nearest(np.array([0.9, 0.8, 0.0]), np.array([0.0, 0.0, 0.7]))
    [(0, 2), (1, 2)]
    """
    places = np.flatnonzero(ends > threshold)
    spans = []
    for first in np.flatnonzero(starts > threshold):
        following = places[places >= first]
        if len(following):
            spans.append((int(first), int(following[0])))
    return spans


def keep_flat(spans: Sequence[Span]) -> list[Span]:
    """Keep spans by score, best first, leaving out what overlaps one that was kept, whatever its label.

    Among equal scores the longer, then the earlier, then the label first in the alphabet wins.

    Examples
    --------
    >>> keep_flat([Span(0, 4, "film", 0.7), Span(2, 9, "person", 0.9), Span(10, 12, "film", 0.6)])
    [Span(start=2, end=9, label='person', score=0.9, text=''), Span(start=10, end=12, label='film', score=0.6, text='')]
    """
    ranked = sorted(spans, key=lambda span: (-span.score, span.start - span.end, span.start, span.label))
    kept: list[Span] = []
    for span in ranked:
        # Those kept so far do not overlap, so only the neighbours in the order of the text can be in the way.
        place = bisect_left(kept, span.start, key=lambda other: other.start)
        if not any(span.overlaps(other) for other in kept[max(place - 1, 0) : place + 1]):
            kept.insert(place, span)
    return kept
