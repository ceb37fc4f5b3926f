"""Run the text codec on any decoder: its fused heads are replaced by the decoder's own frequencies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from foretell.codecs import text
from foretell.codecs.lanes import Plan
from foretell.entropy.token_tree import index_frequencies, path_stretches
from foretell.models.decoder import States

SMALL = Plan(lanes=4, lane_tokens=64, prefix=16, frame_bytes=1 << 16)


def codec_for(decoder: Any) -> text.TextCodec:
    """A codec with short lanes, so that little text has several sections."""
    codec = text.TextCodec(decoder)
    codec.plan = SMALL
    return codec


@contextmanager
def head_of(decoder: Any) -> Iterator[None]:
    """Let the text codec take all frequencies from this decoder."""

    def rows_of(integers: Any, scales: Any) -> Any:
        return decoder.frequencies(States(integers, scales)).view(np.uint32)

    def paths(integers: Any, scales: Any, *rest: Any) -> None:
        _head, _scale, _rest, _unspelled, tree, blocks, tokens, rows, starts, first, stretches = rest
        totals = np.empty(blocks, np.int64)
        for row, frequencies in zip(rows, rows_of(integers, scales), strict=True):
            index_frequencies(frequencies, totals)
            target = stretches[starts[row - first] : starts[row - first + 1]]
            path_stretches(tree, frequencies, totals, tokens[row], target)

    before = text.path_rows
    text.path_rows = paths
    try:
        yield
    finally:
        text.path_rows = before
