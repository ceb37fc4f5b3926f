"""Windows and descriptions as padded tensors; gold as targets."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from foretell.spans.document import Document
from foretell.spans.layers import LabelBatch, TextBatch
from foretell.spans.pieces import PieceTokenizer, Window, cut_windows
from foretell.spans.settings import Settings

log = logging.getLogger(__name__)
_LENGTH_STEP = 8
"""Rows of texts are padded to a multiple of so many pieces: kernels are prepared anew for each shape."""


@dataclass(frozen=True)
class Example:
    """A window with its gold.

    Attributes
    ----------
    window : Window
    starts, ends : list of (piece, label)
        Where gold begins or ends in this window, also where the rest of it lies outside.
    spans : list of (first, last, label)
        Gold that is whole in this window.
    weight : float
        Of its document.
    """

    window: Window
    starts: list[tuple[int, int]]
    ends: list[tuple[int, int]]
    spans: list[tuple[int, int, int]]
    weight: float = 1.0


@dataclass
class Targets:
    """Gold of a batch: (B, n, C) of 0 and 1 for starts and ends, and spans as rows (window, first, last, label)."""

    start: Tensor
    end: Tensor
    spans: Tensor
    weights: Tensor


def windows_of(documents: Sequence[Document], tokenizer: PieceTokenizer, settings: Settings) -> list[Window]:
    """All windows of some documents."""
    windows: list[Window] = []
    for number, document in enumerate(documents):
        windows += cut_windows(tokenizer.split(document.text), settings.window, settings.overlap, number)
    return windows


def examples_of(
    documents: Sequence[Document],
    labels: Sequence[str],
    tokenizer: PieceTokenizer,
    settings: Settings,
    weights: Sequence[float] | None = None,
) -> list[Example]:
    """Windows with their gold, by numbers of labels."""
    numbers = {label: number for number, label in enumerate(labels)}
    examples: list[Example] = []
    for number, document in enumerate(documents):
        pieces = tokenizer.split(document.text)
        gold = []
        for span in document.spans:
            place = pieces.locate(span.start, span.end)
            if place is not None:
                gold.append((*place, numbers[span.label]))
        weight = 1.0 if weights is None else float(weights[number])
        for window in cut_windows(pieces, settings.window, settings.overlap, number):
            examples.append(_example(window, gold, weight))
    return examples


def _example(window: Window, gold: list[tuple[int, int, int]], weight: float) -> Example:
    begin, size = window.first, len(window.pieces)
    inside = range(begin, begin + size)
    return Example(
        window,
        [(first - begin, label) for first, _, label in gold if first in inside],
        [(last - begin, label) for _, last, label in gold if last in inside],
        [(first - begin, last - begin, label) for first, last, label in gold if first in inside and last in inside],
        weight,
    )


def batch_windows(windows: Sequence[Window], tokenizer: PieceTokenizer, settings: Settings) -> TextBatch:
    """Frame and pad windows; the piece i of a window is the piece i + len(prefix) of its row."""
    prefix, suffix = tokenizer.prefix, tokenizer.suffix
    shift = len(prefix)
    length = max(len(window.pieces) for window in windows) + shift + len(suffix)
    length = -(-length // _LENGTH_STEP) * _LENGTH_STEP
    ids = np.zeros((len(windows), length), np.int64)
    shapes, mask = np.zeros_like(ids), np.zeros(ids.shape, bool)
    may_start, may_end = np.zeros(ids.shape, bool), np.zeros(ids.shape, bool)
    for row, window in enumerate(windows):
        pieces = window.pieces
        stop = shift + len(pieces)
        ids[row, :shift], ids[row, shift:stop], ids[row, stop : stop + len(suffix)] = prefix, pieces.ids, suffix
        shapes[row, shift:stop] = pieces.shapes
        mask[row, : stop + len(suffix)] = True
        may_start[row, shift:stop], may_end[row, shift:stop] = pieces.edges(of_words=settings.word_edges)
    return TextBatch(*(torch.from_numpy(values) for values in (ids, shapes, mask, may_start, may_end)))


def batch_targets(examples: Sequence[Example], shape: tuple[int, int], labels: int, shift: int) -> Targets:
    """Gold of examples whose windows were batched; ``shift`` is the number of special tokens before the text."""
    start = torch.zeros(*shape, labels)
    end = torch.zeros(*shape, labels)
    rows = []
    for row, example in enumerate(examples):
        for piece, label in example.starts:
            start[row, piece + shift, label] = 1
        for piece, label in example.ends:
            end[row, piece + shift, label] = 1
        rows += [(row, first + shift, last + shift, label) for first, last, label in example.spans]
    spans = torch.tensor(rows, dtype=torch.int64).reshape(-1, 4)
    return Targets(start, end, spans, torch.tensor([example.weight for example in examples]))


def batch_labels(
    descriptions: dict[str, str], rows: Sequence[int], tokenizer: PieceTokenizer, settings: Settings
) -> LabelBatch:
    """Frame and pad descriptions."""
    framed = []
    for name, description in descriptions.items():
        ids = tokenizer.split(description).ids.tolist()
        if len(ids) > settings.description:
            log.warning("label %s: only the first %d pieces of its description are read", name, settings.description)
        framed.append([*tokenizer.prefix, *ids[: settings.description], *tokenizer.suffix])
    length = max(map(len, framed))
    ids_ = torch.zeros(len(framed), length, dtype=torch.int64)
    mask = torch.zeros(len(framed), length, dtype=torch.bool)
    for row, values in enumerate(framed):
        ids_[row, : len(values)] = torch.tensor(values)
        mask[row, : len(values)] = True
    return LabelBatch(ids_, mask, torch.tensor(list(rows), dtype=torch.int64))
