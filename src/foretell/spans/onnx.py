"""Export to ONNX: one graph that scores starts and ends, one that scores pairs; labels are encoded into both.

The exported folder predicts with ``onnxruntime`` and ``tokenizers`` alone, without torch's model, through the same
windows and decoders.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from foretell.errors import ModelError
from foretell.spans import encoders
from foretell.spans.batches import batch_windows, windows_of
from foretell.spans.document import Document, Span, as_documents
from foretell.spans.extractor import EncodedLabels, SpanExtractor
from foretell.spans.layers import LabelBatch, LabelCode, MatchHead, Pairs, Scores, TextBatch
from foretell.spans.pieces import PieceTokenizer
from foretell.spans.scoring import Decoder, Decoding, Scorer, score_documents
from foretell.spans.settings import Settings

_INPUTS = ("ids", "mask", "shapes")


class _TextGraph(nn.Module):
    """Logits and z of framed windows; the labels are constants."""

    def __init__(self, module: Any, labels: LabelCode) -> None:
        super().__init__()
        self.module = module
        self.labels = labels

    def forward(self, ids: Tensor, mask: Tensor, shapes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        allowed = mask > 0
        scores = self.module(TextBatch(ids, shapes, allowed, allowed, allowed), self.labels)
        return scores.start, scores.end, scores.z


class _PairGraph(nn.Module):
    """Logits of pairs from the two vectors z of each and the label's number."""

    def __init__(self, head: MatchHead, labels: LabelCode) -> None:
        super().__init__()
        self.head = head
        self.labels = labels

    def forward(self, first: Tensor, last: Tensor, label: Tensor) -> Tensor:
        hidden = nn.functional.gelu(self.head.first(first) + self.head.last(last))
        return self.head.head.at(hidden, self.labels, label)


def export_onnx(
    extractor: SpanExtractor,
    folder: str | Path,
    labels: EncodedLabels | None = None,
    *,
    dtype: Literal["float32", "int8"] = "float32",
) -> None:
    """Write ``text.onnx``, for nested models ``pairs.onnx``, and what :class:`OnnxExtractor` needs beside them.

    Parameters
    ----------
    extractor : SpanExtractor
        LEAR or a tagger; BERT-MRC reads labels with each text, so there is nothing to encode into a graph.
    folder : path
        Made if need be.
    labels : EncodedLabels, optional
        Default: all that the extractor was trained with.
    dtype : {"float32", "int8"}
        How the text graph computes products of matrices: whole, or in 8 bits, which is faster, takes a quarter of the
        bytes and changes probabilities a little.

    Raises
    ------
    ModelError
        If a package is missing, or the model is BERT-MRC.
    """
    _require("onnx", "onnxscript")
    if extractor.settings_.model == "bert-mrc":
        raise ModelError("bert-mrc cannot be exported", "train with architecture lear or tagger")
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    encoded = labels or extractor.encode_labels()
    tokenizer = extractor._fitted()
    module = extractor._module.to("cpu").eval()
    code = encoded.code.copy_to(torch.device("cpu"))
    sample = batch_windows(
        windows_of([Document("One text."), Document("Another text, longer.")], tokenizer, extractor.settings_),
        tokenizer,
        extractor.settings_,
    )
    batch, pieces = torch.export.Dim("batch", min=1), torch.export.Dim("pieces", min=4)
    _export(
        _TextGraph(module, code),
        (sample.ids, sample.mask.to(torch.int64), sample.shapes),
        target / "text.onnx",
        _INPUTS,
        ("start", "end", "z"),
        {name: {0: batch, 1: pieces} for name in _INPUTS},
    )
    if extractor.settings_.nested:
        width, count = module.match_head.first.in_features, torch.export.Dim("pairs", min=1)
        _export(
            _PairGraph(module.match_head, code),
            (torch.randn(3, width), torch.randn(3, width), torch.zeros(3, dtype=torch.int64)),
            target / "pairs.onnx",
            ("first", "last", "label"),
            ("match",),
            {name: {0: count} for name in ("first", "last", "label")},
        )
    if dtype == "int8":
        _quantize(target / "text.onnx")
    config = {"settings": extractor.settings_.as_dict(), "names": encoded.names}
    (target / "onnx.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    tokenizer.save(target / "tokenizer.json")


def _export(
    graph: nn.Module,
    arguments: tuple[Tensor, ...],
    path: Path,
    inputs: Sequence[str],
    outputs: Sequence[str],
    shapes: dict[str, Any],
) -> None:
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's remarks on itself
        program = torch.onnx.export(
            graph.eval(),
            arguments,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=shapes,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    program.save(str(path), external_data=False)


def _quantize(path: Path) -> None:
    """Weights per channel in 7 bits, since processors without VNNI overflow with 8; activations as they come."""
    quantization = _require("onnxruntime", "onnxruntime.quantization")
    whole = path.with_suffix(".whole")
    path.rename(whole)
    quantization.quantize_dynamic(
        whole, path, weight_type=quantization.QuantType.QInt8, per_channel=True, reduce_range=True
    )
    whole.unlink()


class _OnnxModel:
    """The graphs in the place of a torch model."""

    def __init__(self, folder: Path, nested: bool, threads: int) -> None:
        runtime = _require("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads

        def open_graph(name: str) -> Any:
            return runtime.InferenceSession(str(folder / name), options, providers=["CPUExecutionProvider"])

        self.text = open_graph("text.onnx")
        self.pairs = open_graph("pairs.onnx") if nested else None
        self.inputs = {item.name for item in self.text.get_inputs()}

    def encode_labels(self, labels: LabelBatch, vectors: Tensor | None = None, learns: bool = True) -> LabelCode:
        """Labels are part of the graph."""
        raise ModelError("the labels of an exported extractor are fixed", "export it again with others")

    def __call__(self, text: TextBatch, labels: LabelCode) -> Scores:
        """Score starts and ends."""
        values = {"ids": text.ids, "mask": text.mask.to(torch.int64), "shapes": text.shapes}
        found = self.text.run(None, {name: value.numpy() for name, value in values.items() if name in self.inputs})
        return Scores(*(torch.from_numpy(value) for value in found))

    def match(self, scores: Scores, pairs: Pairs, labels: LabelCode) -> Tensor:
        """Score pairs."""
        assert self.pairs is not None
        if not len(pairs):
            return torch.zeros(0)
        column = pairs.label if scores.z.shape[2] > 1 else torch.zeros_like(pairs.label)
        sides = {
            "first": scores.z[pairs.batch, pairs.first, column].numpy(),
            "last": scores.z[pairs.batch, pairs.last, column].numpy(),
            "label": pairs.label.numpy(),
        }
        return torch.from_numpy(self.pairs.run(None, sides)[0])


class OnnxExtractor:
    """An exported extractor, run by ``onnxruntime``.

    Parameters
    ----------
    folder : path
        What :func:`export_onnx` wrote.
    threads : int
        0: one per core.
    """

    def __init__(self, folder: str | Path, *, threads: int = 0) -> None:
        path = Path(folder)
        try:
            config = json.loads((path / "onnx.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ModelError(f"{path}: no exported extractor there", "write one with export_onnx") from error
        self.settings = Settings.from_dict(config["settings"])
        self.names = tuple(config["names"])
        self._tokenizer: PieceTokenizer = encoders.load_tokenizer(path)
        nothing = torch.zeros(len(self.names), 0, 0)
        self._labels = LabelCode(nothing, nothing, nothing > 0, torch.arange(len(self.names)))
        self._model = _OnnxModel(path, self.settings.nested, threads)

    def predict(
        self,
        texts: Sequence[str | Document],
        *,
        threshold: float = 0.5,
        flat: bool = False,
        decoding: Decoding | None = None,
        batch_size: int = 16,
    ) -> list[list[Span]]:
        """Find the spans of texts; options are those of :meth:`SpanExtractor.predict`."""
        kind: Decoding = decoding or ("match" if self.settings.nested else "in-order")
        decoder = Decoder(self.names, kind, threshold, flat, self.settings.longest)
        scorer = Scorer(self._model, self._tokenizer, self.settings, self._labels, torch.device("cpu"))
        return [
            decoder.spans(document.text, pieces, found)
            for document, pieces, found in score_documents(
                as_documents(texts), scorer, self._tokenizer, self.settings, threshold=threshold, batch_size=batch_size
            )
        ]


def _require(*names: str) -> Any:
    """Import packages, or say how to get them; returns the last."""
    from importlib import import_module

    try:
        return [import_module(name) for name in names][-1]
    except ImportError as error:
        raise ModelError(f"ONNX needs {', '.join(names)}", "pip install 'foretell[onnx]'") from error


def largest_difference(extractor: SpanExtractor, exported: OnnxExtractor, texts: Sequence[str]) -> float:
    """Largest difference of a probability between torch and ONNX on some texts; a check after export."""
    tokenizer, settings = extractor._fitted(), extractor.settings_
    windows = windows_of(as_documents(texts), tokenizer, settings)
    one = Scorer(extractor._module, tokenizer, settings, extractor.encode_labels().code, torch.device("cpu"))
    other = Scorer(exported._model, tokenizer, settings, exported._labels, torch.device("cpu"))
    pairs = zip(one.score(windows, 0.5), other.score(windows, 0.5), strict=True)
    return max(float(np.abs(np.stack((a.start - b.start, a.end - b.end))).max(initial=0.0)) for a, b in pairs)
