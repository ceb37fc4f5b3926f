"""The extractor: fit, predict, evaluate, save, load."""

from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, overload

import torch
from torch import nn

from foretell.errors import ModelError
from foretell.spans import encoders, storage
from foretell.spans.batches import batch_labels, examples_of
from foretell.spans.document import Document, Span, as_documents, check_labels
from foretell.spans.evaluation import SpanReport, evaluate_spans
from foretell.spans.fitting import best_threshold, check_training, own_tensors, settings_for, shift_heads
from foretell.spans.layers import LabelCode, TextEncoder
from foretell.spans.lear import Lear
from foretell.spans.pieces import PieceTokenizer
from foretell.spans.precision import Precision
from foretell.spans.rivals import BertMrc, Tagger
from foretell.spans.scoring import Decoder, Decoding, Scorer, score_documents
from foretell.spans.settings import Settings
from foretell.spans.shipped import shipped_extractor
from foretell.spans.training import Collection, Progress, Training, train_epochs

log = logging.getLogger(__name__)
Labels = dict[str, str] | Sequence[str]
_KINDS: dict[str, type[Lear] | type[BertMrc] | type[Tagger]] = {"lear": Lear, "bert-mrc": BertMrc, "tagger": Tagger}


@dataclass(frozen=True)
class EncodedLabels:
    """Labels whose descriptions were encoded; made by :meth:`SpanExtractor.encode_labels`, used any number of times.

    Attributes
    ----------
    names : tuple of str
        Labels, in order.
    code : LabelCode
        Their tensors.
    """

    names: tuple[str, ...]
    code: LabelCode


@dataclass(frozen=True)
class Epoch:
    """What one epoch of training gave.

    Attributes
    ----------
    epoch : int
        From 1.
    loss : float
        Mean of the steps.
    seconds : float
        Of training, without the scoring of development documents.
    f1 : float or None
        Best micro F1 on the development documents, if there are any.
    threshold : float
        The one of ``THRESHOLDS`` that gave it.
    """

    epoch: int
    loss: float
    seconds: float
    f1: float | None
    threshold: float = 0.5


class SpanExtractor:
    """Extract spans by what their labels mean.

    Parameters
    ----------
    encoder : str or Path
        A known encoder (``minilm-l6``, ``e5-small``), fetched on first use, or the folder of any BERT-like encoder, or
        an extractor, whose weights training then goes on from, with other labels: its folder, or ``reader`` or
        ``entities``, which ship with foretell.
    settings : Settings, optional
        What the model is made of.
    training : Training, optional
        How to train it.
    device : str
        Where torch computes: ``cpu``, ``cuda``, or ``auto`` for the second where there is one.
    precision : {"auto", "float32", "bfloat16"}
        Of products of matrices. ``auto``: training takes bfloat16 where the hardware multiplies it natively, and
        prediction float32, so that another machine gives the same spans.

    Attributes
    ----------
    labels_ : dict
        Descriptions by name, after :meth:`fit`.
    settings_ : Settings
        Those of the constructor, with what :func:`settings_for` fitted to the data.
    history_ : list of Epoch
        The course of training.

    References
    ----------
    Yang, Cong, Sun and Liu, "Enhanced Language Representation with Label Knowledge for Span Extraction", EMNLP 2021.
    """

    def __init__(
        self,
        encoder: str | Path = encoders.DEFAULT,
        *,
        settings: Settings | None = None,
        training: Training | None = None,
        device: str = "auto",
        precision: Precision = "auto",
    ) -> None:
        self.encoder = encoder
        self.settings = settings or Settings()
        self.settings_ = self.settings
        self.training = training or Training()
        self.device = device
        self.precision = precision
        self.labels_: dict[str, str] = {}
        self.history_: list[Epoch] = []
        self._module: Any = None
        self._tokenizer: PieceTokenizer | None = None
        self._own: EncodedLabels | None = None

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters of the constructor."""
        return {name: getattr(self, name) for name in ("encoder", "settings", "training", "device", "precision")}

    def set_params(self, **params: Any) -> SpanExtractor:
        """Change parameters of the constructor; returns the extractor."""
        for name, value in params.items():
            if name not in self.get_params():
                raise ModelError(f"no parameter {name!r}", f"there are {', '.join(self.get_params())}")
            setattr(self, name, value)
        return self

    # ---------------------------------------------------------------- training

    def fit(
        self,
        docs: Sequence[Document],
        labels: Labels,
        sample_weight: Sequence[float] | None = None,
        *,
        dev: Sequence[Document] = (),
        flat: bool = False,
        progress: Callable[[Progress], None] | None = None,
        on_epoch: Callable[[Epoch], None] | None = None,
    ) -> SpanExtractor:
        """Train on documents with gold spans.

        Parameters
        ----------
        docs : sequence of Document
            Sentences or longer texts.
        labels : dict or list of str
            Descriptions by name, or names that describe themselves.
        sample_weight : sequence of float, optional
            Weight of each document in the loss.
        dev : sequence of Document
            If given, the weights of the epoch with the best micro F1 on them are kept, and the heads' offsets are
            shifted so that a threshold of 0.5 means the one of ``THRESHOLDS`` that gave it; else the last weights.
        flat : bool
            Whether the development documents are decoded flat; see :meth:`predict`.
        progress : callable, optional
            Called with a :class:`Progress` after each step.
        on_epoch : callable, optional
            Called with an :class:`Epoch` after each epoch.

        Returns
        -------
        SpanExtractor
            This one.

        Raises
        ------
        DocumentError
            If there is nothing to learn from, a span is not in its text, has a label without description, or overlaps
            another of its label while the model is not nested; or if weights do not fit.
        """
        documents = as_documents(docs)
        names = check_labels(labels)
        weights = check_training(documents, names, self.settings, sample_weight)
        torch.manual_seed(self.training.seed)
        tokenizer = self._prepare(documents, names)
        examples = examples_of(documents, list(names), tokenizer, self.settings_, weights)
        batch = batch_labels(names, range(len(names)), tokenizer, self.settings_)
        return self._train([(examples, batch)], as_documents(dev), flat, progress, on_epoch)

    def fit_collections(
        self,
        collections: Sequence[tuple[Sequence[Document], Labels]],
        *,
        progress: Callable[[Progress], None] | None = None,
        on_epoch: Callable[[Epoch], None] | None = None,
    ) -> SpanExtractor:
        """Train on several collections, each annotated with labels of its own, to read descriptions.

        What a collection does not annotate counts neither for nor against its sentences, and one name may have
        different descriptions in two collections. No label gets weights of its own, so that all is learnt from the
        descriptions: a start for training with few documents, whose ``encoder`` the saved extractor then is.

        Parameters
        ----------
        collections : sequence of (documents, labels)
            See :meth:`fit`.
        progress, on_epoch : callable, optional
            See :meth:`fit`.

        Returns
        -------
        SpanExtractor
            This one. Its labels are those of all collections; of one name the first description stays.

        Raises
        ------
        ModelError
            If the model does not read descriptions.
        DocumentError
            As :meth:`fit`.
        """
        if self.settings.heads == "per-label":
            raise ModelError("per-label heads do not read descriptions", "train with other heads than 'per-label'")
        parts = [(as_documents(docs), check_labels(labels)) for docs, labels in collections]
        for documents, names in parts:
            check_training(documents, names, self.settings, None)
        torch.manual_seed(self.training.seed)
        every = {name: text for _, names in reversed(parts) for name, text in names.items()}
        tokenizer = self._prepare([document for documents, _ in parts for document in documents], every)
        prepared = []
        for documents, names in parts:
            examples = examples_of(documents, list(names), tokenizer, self.settings_)
            prepared.append((examples, batch_labels(names, [-1] * len(names), tokenizer, self.settings_)))
        return self._train(prepared, [], False, progress, on_epoch)

    def _train(
        self,
        collections: Sequence[Collection],
        dev: Sequence[Document],
        flat: bool,
        progress: Callable[[Progress], None] | None,
        on_epoch: Callable[[Epoch], None] | None,
    ) -> SpanExtractor:
        """Train the prepared model, and keep the weights of the epoch that is best on development documents."""
        device, tokenizer = self._device(), self._fitted()
        self._module.to(device)
        best, kept = -1.0, None
        self.history_ = []
        for epoch, loss, seconds in train_epochs(
            self._module, collections, tokenizer, self.settings_, self.training, device, progress, self.precision
        ):
            self._own = None
            due = dev and (epoch % self.training.dev_every == 0 or epoch == self.training.epochs)
            f1, threshold = self._best_threshold(dev, flat) if due else (None, 0.5)
            self.history_.append(Epoch(epoch, loss, seconds, f1, threshold))
            if on_epoch:
                on_epoch(self.history_[-1])
            if f1 is not None and f1 > best:
                best, kept = f1, (threshold, copy.deepcopy(self._module.state_dict()))
        if kept is not None:
            self._module.load_state_dict(kept[1])
            shift_heads(self._module, kept[0])
        self._own = None
        return self

    def _best_threshold(self, dev: Sequence[Document], flat: bool) -> tuple[float, float]:
        labels = self._encoded(None)
        scorer = self._scorer(labels, self.precision)
        return best_threshold(dev, scorer, self._fitted(), self.settings_, labels.names, flat)

    def _prepare(self, documents: Sequence[Document], names: dict[str, str]) -> PieceTokenizer:
        """Load the encoder, fit what the settings leave to the data, and make a new model.

        From the folder of an extractor come all weights but those of its labels, so that it learns new ones from few
        examples.
        """
        folder = encoders.find_encoder(str(self.encoder))
        tokenizer = encoders.load_tokenizer(folder)
        trained = storage.is_extractor(folder)
        body = (
            encoders.encoder_from_config(storage.read_config(folder)["encoder"])
            if trained
            else encoders.load_encoder(folder)
        )
        self.settings_ = settings_for(documents, tokenizer, self.settings, body)
        encoder = TextEncoder(body, self.settings_.word_shapes and tokenizer.lowers_case)
        self._module = _KINDS[self.settings_.model](encoder, self.settings_, len(names))
        if trained:
            storage.load_common(folder, self._module, own_tensors(self.settings_))
        self._tokenizer, self.labels_, self._own = tokenizer, names, None
        return tokenizer

    def _device(self) -> torch.device:
        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return torch.device(self.device)

    # -------------------------------------------------------------- prediction

    def encode_labels(self, labels: Labels | None = None) -> EncodedLabels:
        """Encode descriptions once, to be used with many calls of :meth:`predict`.

        Parameters
        ----------
        labels : dict or list of str, optional
            Default: all that the model was trained with. Names in a list keep the descriptions that they were trained
            with. A model with per-label heads takes only those it knows, though with other descriptions if you like;
            others take any labels. With described heads, a name whose description is another one is a new label: it
            is found by that description alone, without the weights that its name had in training.

        Raises
        ------
        ModelError
            If the model cannot know a label.
        """
        tokenizer = self._fitted()
        names = self._described(labels)
        order = list(self.labels_)
        unknown = [name for name in names if name not in self.labels_]
        if unknown and self.settings_.heads == "per-label":
            raise ModelError(
                f"label {unknown[0]!r} is unknown to this model, which knows {', '.join(order)}",
                "train with other heads than 'per-label' to add labels later",
            )
        if unknown and self.settings_.label_embedding == "random":
            raise ModelError(f"label {unknown[0]!r} has no random vector", "only trained labels have one")
        rows = [self._row(name, text) for name, text in names.items()]
        batch = batch_labels(names, rows, tokenizer, self.settings_)
        device = self._device()
        self._module.to(device).eval()
        with torch.inference_mode():
            code = self._module.encode_labels(batch.to(device))
        return EncodedLabels(tuple(names), code)

    def _row(self, name: str, description: str) -> int:
        """Number of a label's own weights; -1 for one that is new, or only called like one of training."""
        if name not in self.labels_:
            return -1
        row = list(self.labels_).index(name)
        by_name = self.settings_.heads != "described" or self.settings_.label_embedding == "random"
        if by_name or self.labels_[name] == description:
            return row
        if self._module.start_head.weight[row].any():
            log.warning("label %s has another description than in training and is read as a new label", name)
        return -1

    def _described(self, labels: Labels | None) -> dict[str, str]:
        if labels is None:
            return self.labels_
        if isinstance(labels, dict):
            return check_labels(labels)
        check_labels(labels)
        return {name: self.labels_.get(name, name) for name in labels}

    @overload
    def predict(  # type: ignore[overload-overlap]  # a string is a sequence of strings
        self,
        texts: str,
        labels: Labels | EncodedLabels | None = ...,
        *,
        threshold: float = ...,
        flat: bool = ...,
        decoding: Decoding | None = ...,
        batch_size: int = ...,
    ) -> list[Span]: ...

    @overload
    def predict(
        self,
        texts: Sequence[str | Document],
        labels: Labels | EncodedLabels | None = ...,
        *,
        threshold: float = ...,
        flat: bool = ...,
        decoding: Decoding | None = ...,
        batch_size: int = ...,
    ) -> list[list[Span]]: ...

    def predict(
        self,
        texts: str | Sequence[str | Document],
        labels: Labels | EncodedLabels | None = None,
        *,
        threshold: float = 0.5,
        flat: bool = False,
        decoding: Decoding | None = None,
        batch_size: int = 16,
    ) -> list[Span] | list[list[Span]]:
        """Find the spans of texts.

        Parameters
        ----------
        texts : str or sequence of str or Document
            Of any length; long ones are read in overlapping windows.
        labels : dict, list of str or EncodedLabels, optional
            See :meth:`encode_labels`.
        threshold : float
            What the probabilities of start, end and (if nested) match have to exceed.
        flat : bool
            Whether to keep, of spans that overlap, only the best. Otherwise spans of different labels may overlap, and
            with a match head also those of one label.
        decoding : {"in-order", "nearest", "match"}, optional
            See :mod:`foretell.spans.decoding`; default ``match`` for nested models, else ``in-order``.
        batch_size : int
            Windows at once.

        Returns
        -------
        list of Span, or list of lists of Span
            For one text, or for each of several, in the order of the text. ``text[span.start:span.end] == span.text``.
        """
        single = isinstance(texts, str)
        documents = as_documents([texts] if isinstance(texts, str) else texts)
        stream = self.stream(
            documents, labels, threshold=threshold, flat=flat, decoding=decoding, batch_size=batch_size
        )
        found = [spans for _, spans in stream]
        return found[0] if single else found

    def stream(
        self,
        documents: Iterable[Document],
        labels: Labels | EncodedLabels | None = None,
        *,
        threshold: float = 0.5,
        flat: bool = False,
        decoding: Decoding | None = None,
        batch_size: int = 16,
        progress: Callable[[int], None] | None = None,
    ) -> Iterator[tuple[Document, list[Span]]]:
        """Find the spans of documents as they come, in memory that does not grow with their number.

        Yields
        ------
        (Document, list of Span)
            Each document and what :meth:`predict` gives for it.
        """
        tokenizer = self._fitted()
        if not 0 <= threshold < 1:
            raise ModelError(f"threshold is {threshold}", "choose 0 or more, and less than 1")
        encoded = self._encoded(labels)
        chosen = decoding or ("match" if self.settings_.nested else "in-order")
        if chosen == "match" and not self.settings_.nested:
            raise ModelError("decoding 'match' needs a nested model", "choose 'in-order' or 'nearest'")
        decoder = Decoder(encoded.names, chosen, threshold, flat, self.settings_.longest)
        scorer = self._scorer(encoded, "float32" if self.precision == "auto" else self.precision)
        for document, pieces, found in score_documents(
            documents,
            scorer,
            tokenizer,
            self.settings_,
            threshold=threshold,
            batch_size=batch_size,
            progress=progress,
        ):
            yield document, decoder.spans(document.text, pieces, found)

    def _scorer(self, labels: EncodedLabels, precision: Precision) -> Scorer:
        device = self._device()
        self._module.to(device).eval()
        return Scorer(self._module, self._fitted(), self.settings_, labels.code, device, precision)

    def _encoded(self, labels: Labels | EncodedLabels | None) -> EncodedLabels:
        if isinstance(labels, EncodedLabels):
            return labels
        if labels is not None:
            return self.encode_labels(labels)
        self._own = self._own or self.encode_labels()
        return self._own

    def evaluate(
        self,
        docs: Sequence[Document],
        labels: Labels | EncodedLabels | None = None,
        *,
        threshold: float = 0.5,
        flat: bool = False,
        decoding: Decoding | None = None,
        batch_size: int = 16,
        progress: Callable[[int], None] | None = None,
    ) -> SpanReport:
        """Predict documents and compare with their gold spans.

        Gold that cannot be represented, or whose label the model does not know, counts as missed. Options are those of
        :meth:`predict`; the time in the report includes the encoding of labels.

        Returns
        -------
        SpanReport
        """
        documents = as_documents(docs)
        begin = time.perf_counter()
        encoded = labels if isinstance(labels, EncodedLabels) else self._encoded(labels)
        found = [
            spans
            for _, spans in self.stream(
                documents,
                encoded,
                threshold=threshold,
                flat=flat,
                decoding=decoding,
                batch_size=batch_size,
                progress=progress,
            )
        ]
        report = evaluate_spans(documents, found, seconds=time.perf_counter() - begin)
        unknown = {span.label for document in documents for span in document.spans} - set(encoded.names)
        return replace(report, unknown=tuple(sorted(unknown)))

    # ------------------------------------------------------------------- files

    def save_pretrained(self, folder: str | Path, *, dtype: storage.Dtype = "float32") -> None:
        """Write ``config.json``, ``tokenizer.json`` and ``model.safetensors``.

        Parameters
        ----------
        folder : path
            Made if need be.
        dtype : {"float32", "float16", "int8"}
            How matrices are kept: whole, in half the bytes, or as integers with a scale per row, in a quarter.
        """
        tokenizer = self._fitted()
        config = {
            "settings": self.settings_.as_dict(),
            "labels": self.labels_,
            "encoder": encoders.encoder_config(self._module.encoder.body),
            "word_shapes": self._module.encoder.shapes is not None,
        }
        storage.save(Path(folder), config, self._module.state_dict(), dtype)
        tokenizer.save(Path(folder) / "tokenizer.json")

    @classmethod
    def from_pretrained(
        cls, folder: str | Path, *, device: str = "auto", precision: Precision = "auto"
    ) -> SpanExtractor:
        """Load what :meth:`save_pretrained` wrote.

        Parameters
        ----------
        folder : str or Path
            Where it is, or the name of one that ships with foretell: ``entities`` or ``reader``.
        device, precision : str
            As of the constructor.

        Raises
        ------
        ModelError
            If the folder holds no such model, or a damaged one.
        """
        path = (None if Path(folder).is_dir() else shipped_extractor(str(folder))) or Path(folder)
        config = storage.read_config(path)
        extractor = cls(str(path), settings=Settings.from_dict(config["settings"]), device=device, precision=precision)
        extractor.labels_ = check_labels(config["labels"])
        extractor._tokenizer = encoders.load_tokenizer(path)
        body = encoders.encoder_from_config(config["encoder"])
        encoder = TextEncoder(body, bool(config["word_shapes"]))
        module: nn.Module = _KINDS[extractor.settings_.model](encoder, extractor.settings_, len(extractor.labels_))
        storage.load_into(path, module)
        module.eval()
        extractor._module = module
        return extractor

    def _fitted(self) -> PieceTokenizer:
        if self._tokenizer is None or self._module is None:
            raise ModelError("the extractor is not trained", "call fit, or load one with from_pretrained")
        return self._tokenizer

    def __repr__(self) -> str:
        return f"SpanExtractor({str(self.encoder)!r}, model={self.settings_.model!r}, labels={list(self.labels_)})"
