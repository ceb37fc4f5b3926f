"""Documents through a model: windows, batches, probabilities, and from these spans of whole documents."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from foretell.spans.batches import batch_windows
from foretell.spans.decoding import decode_in_order, decode_nearest, keep_flat
from foretell.spans.document import Document, Span
from foretell.spans.layers import LabelBatch, LabelCode, Pairs, Scores, TextBatch, candidate_pairs
from foretell.spans.pieces import Pieces, PieceTokenizer, Window, cut_windows
from foretell.spans.precision import Precision, products_in
from foretell.spans.settings import Settings

Decoding = Literal["in-order", "nearest", "match"]
_GROUP_WINDOWS = 128
_ROW_PIECES = 12_288
"""Most pieces that pass through the encoder at once; BERT-MRC has C rows per window."""


class SpanModel(Protocol):
    """What LEAR and its rivals have in common."""

    def encode_labels(self, labels: LabelBatch, vectors: Tensor | None = None, learns: bool = True) -> LabelCode:
        """Encode descriptions, once for any number of texts."""
        ...

    def __call__(self, text: TextBatch, labels: LabelCode) -> Scores:
        """Score starts and ends."""
        ...

    def match(self, scores: Scores, pairs: Pairs, labels: LabelCode) -> Tensor:
        """Score pairs of starts and ends."""
        ...


@dataclass(frozen=True)
class WindowScores:
    """Probabilities of a window.

    Attributes
    ----------
    start, end : (n, C) float
        For each piece and label; 0 where a span may not begin or end.
    pairs : (K, 3) int
        Candidates (first piece, last piece, label); none without a match head.
    scores : (K,) float
        The smallest of the three probabilities of each candidate.
    """

    start: NDArray[np.float32]
    end: NDArray[np.float32]
    pairs: NDArray[np.int64]
    scores: NDArray[np.float32]


@dataclass(frozen=True)
class Decoder:
    """How probabilities become spans.

    Attributes
    ----------
    names : tuple of str
        Labels, in the order of the scores.
    decoding : {"in-order", "nearest", "match"}
        Per label by order (v5) or nearest end (v1), or nested by the match head.
    threshold : float
        What a probability has to exceed.
    flat : bool
        Whether spans may not overlap, whatever their labels.
    longest : int
        Most pieces of a span.
    """

    names: tuple[str, ...]
    decoding: Decoding
    threshold: float
    flat: bool
    longest: int

    def spans(self, text: str, pieces: Pieces, found: Sequence[tuple[Window, WindowScores]]) -> list[Span]:
        """Spans of a document, in the order of the text."""
        triples = self._matched(found) if self.decoding == "match" else self._paired(found)
        spans = []
        for (first, last, label), score in triples:
            start, end = int(pieces.starts[first]), int(pieces.ends[last])
            spans.append(Span(start, end, self.names[label], round(float(score), 4), text[start:end]))
        best: dict[tuple[int, int, str], Span] = {}
        for span in spans:
            # Pieces of one character share offsets, so that different pieces can give one span.
            if span.key not in best or best[span.key].score < span.score:
                best[span.key] = span
        kept = keep_flat(list(best.values())) if self.flat else list(best.values())
        return sorted(kept, key=lambda span: (span.start, -span.end, span.label))

    def _matched(self, found: Sequence[tuple[Window, WindowScores]]) -> Iterator[tuple[tuple[int, int, int], float]]:
        """Candidates above the threshold, each from the window that owns its first piece."""
        for window, scores in found:
            begin, stop = window.own
            owned = (scores.pairs[:, 0] >= begin) & (scores.pairs[:, 0] < stop) & (scores.scores > self.threshold)
            for pair, score in zip(scores.pairs[owned], scores.scores[owned], strict=True):
                yield (int(pair[0]) + window.first, int(pair[1]) + window.first, int(pair[2])), float(score)

    def _paired(self, found: Sequence[tuple[Window, WindowScores]]) -> Iterator[tuple[tuple[int, int, int], float]]:
        """Starts and ends of the whole document, each from the window that owns it, paired per label."""
        if not found:
            return
        begins = np.concatenate([scores.start[slice(*window.own)] for window, scores in found])
        stops = np.concatenate([scores.end[slice(*window.own)] for window, scores in found])
        decode = decode_in_order if self.decoding == "in-order" else decode_nearest
        for label in range(len(self.names)):
            for first, last in decode(begins[:, label], stops[:, label], self.threshold):
                if last - first < self.longest:
                    yield (first, last, label), float(min(begins[first, label], stops[last, label]))


class Scorer:
    """A model, its tokenizer and encoded labels; scores windows in batches.

    Parameters
    ----------
    model : SpanModel
        On ``device``, in evaluation mode.
    tokenizer : PieceTokenizer
    settings : Settings
    labels : LabelCode
        On ``device``.
    device : torch.device
    precision : {"auto", "float32", "bfloat16"}
        Of products of matrices.
    """

    def __init__(
        self,
        model: SpanModel,
        tokenizer: PieceTokenizer,
        settings: Settings,
        labels: LabelCode,
        device: torch.device,
        precision: Precision = "float32",
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._settings = settings
        self._labels = labels
        self._device = device
        self._products = products_in(precision, device)

    def batch_size(self, windows: Sequence[Window], wanted: int) -> int:
        """Number of windows whose rows fit into memory at once."""
        longest = max(len(window.pieces) for window in windows) + 2
        if self._settings.model == "bert-mrc":
            count, length = self._labels.keys.shape[:2]
            longest = count * (longest + length)
        return max(1, min(wanted, _ROW_PIECES // longest))

    @torch.inference_mode()
    def score(self, windows: Sequence[Window], threshold: float) -> list[WindowScores]:
        """Probabilities of a batch of windows."""
        text = batch_windows(windows, self._tokenizer, self._settings).to(self._device)
        shift = len(self._tokenizer.prefix)
        with self._products():
            scores = self._model(text, self._labels)
            start = scores.start.float().sigmoid() * text.may_start[..., None]
            end = scores.end.float().sigmoid() * text.may_end[..., None]
            pairs = self._pairs(scores, start, end, threshold, shift) if self._settings.nested else None
        begins, stops = start.float().cpu().numpy(), end.float().cpu().numpy()
        results = []
        for row, window in enumerate(windows):
            part = slice(shift, shift + len(window.pieces))
            chosen = pairs[row] if pairs else (np.zeros((0, 3), np.int64), np.zeros(0, np.float32))
            results.append(WindowScores(begins[row, part], stops[row, part], *chosen))
        return results

    def _pairs(
        self, scores: Scores, start: Tensor, end: Tensor, threshold: float, shift: int
    ) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Candidates of each window and their scores."""
        pairs = candidate_pairs(start > threshold, end > threshold, self._settings.longest)
        sure = torch.stack(
            (
                start[pairs.batch, pairs.first, pairs.label],
                end[pairs.batch, pairs.last, pairs.label],
                self._model.match(scores, pairs, self._labels).float().sigmoid(),
            )
        ).amin(0)
        columns = torch.stack((pairs.first - shift, pairs.last - shift, pairs.label), 1).cpu().numpy()
        values, batch = sure.float().cpu().numpy(), pairs.batch.cpu().numpy()
        return [(columns[batch == row], values[batch == row]) for row in range(len(start))]


Found = list[tuple[Window, WindowScores]]


def score_documents(
    documents: Iterable[Document],
    scorer: Scorer,
    tokenizer: PieceTokenizer,
    settings: Settings,
    *,
    threshold: float,
    batch_size: int,
    progress: Callable[[int], None] | None = None,
) -> Iterator[tuple[Document, Pieces, Found]]:
    """Scores of each document's windows, as a stream; documents are taken in groups and batched by length.

    Parameters
    ----------
    threshold : float
        The lowest that they will be decoded with.
    progress : callable, optional
        Called with the number of pieces of text done so far.
    """
    group: list[tuple[Document, Pieces, list[Window]]] = []
    done = waiting = 0

    def flush() -> Iterator[tuple[Document, Pieces, Found]]:
        nonlocal done
        windows = [window for _, _, some in group for window in some]
        order = sorted(range(len(windows)), key=lambda index: len(windows[index].pieces))
        scores: dict[int, WindowScores] = {}
        while order:
            size = scorer.batch_size([windows[index] for index in order[-batch_size:]], batch_size)
            chosen, order = order[-size:], order[:-size]
            scores.update(zip(chosen, scorer.score([windows[i] for i in chosen], threshold), strict=True))
            done += sum(len(windows[index].pieces) for index in chosen)
            if progress:
                progress(done)
        index = 0
        for document, pieces, some in group:
            yield document, pieces, [(window, scores[index + i]) for i, window in enumerate(some)]
            index += len(some)

    for document in documents:
        pieces = tokenizer.split(document.text)
        group.append((document, pieces, cut_windows(pieces, settings.window, settings.overlap)))
        waiting += len(group[-1][2]) or 1
        if waiting >= _GROUP_WINDOWS:
            yield from flush()
            group, waiting = [], 0
    yield from flush()
