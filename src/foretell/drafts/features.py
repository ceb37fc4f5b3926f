"""What a target gives for texts, computed once and kept in memory-mapped files for training."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foretell.errors import ModelError, UsageError
from foretell.models.decoder import Decoder

_ABREAST, _ABREAST_ON_DEVICE = 8, 32
"""Texts that go through the target together."""
Read = Callable[[NDArray[np.int32]], NDArray[np.float32]]
"""From texts (B, T) to the outputs of the wanted layers, (B, T, layers, D)."""


@dataclass(frozen=True)
class Features:
    """Texts of equal length, and the output of some of the target's layers at each of their tokens.

    Attributes
    ----------
    target : str
        SHA-256 of the target's exact form, in hexadecimal.
    layers : tuple of int
        The layers, ascending; the last layer is always among them.
    tokens : ndarray of int32, shape (texts, length)
        Rows of the vocabulary.
    outputs : ndarray of float16, shape (texts, length, layers, width)
        Memory-mapped.
    """

    target: str
    layers: tuple[int, ...]
    tokens: NDArray[np.int32]
    outputs: NDArray[np.float16]

    def places_of(self, taps: tuple[int, ...]) -> list[int]:
        """Where layers that a draft reads are among ``layers``.

        Raises
        ------
        ModelError
            If one is not there.
        """
        missing = [tap for tap in taps if tap not in self.layers]
        if missing:
            raise ModelError(f"the features lack layer {missing[0]}", "compute them anew for this draft")
        return [self.layers.index(tap) for tap in taps]


def cut_texts(target: Decoder, documents: Iterable[bytes], length: int) -> Iterator[NDArray[np.int32]]:
    """Pieces of ``length`` tokens of documents; each document begins with the target's start token."""
    for document in documents:
        rows = np.concatenate([np.array([target.start], np.int32), target.vocabulary.encode(document)])
        for begin in range(0, rows.size - length + 1, length):
            yield rows[begin : begin + length]


def compute_features(
    target: Decoder,
    texts: list[NDArray[np.int32]],
    taps: tuple[int, ...],
    folder: Path,
    progress: Callable[[int, int], None] | None = None,
    device: str = "cpu",
) -> Features:
    """Compute features into a folder, or go on where an earlier call was stopped.

    Parameters
    ----------
    texts : list of ndarray of int32
        Of one length.
    taps : tuple of int
        Layers that the draft reads.
    progress : callable, optional
        Called with the number of texts done, and of all.
    device : str
        Where. On accelerators the target's weights are used as floats; a processor is fastest with the exact form.

    Raises
    ------
    UsageError
        If there is no text, or the folder holds features of other texts, layers or another target.
    """
    if not texts:
        raise UsageError("no text is long enough", "give more text, or a smaller length")
    layers = tuple(sorted({*taps, target.config.layers - 1}))
    tokens = np.stack(texts).astype(np.int32)
    count, length = tokens.shape
    settings = {"target": target.digest.hex(), "layers": list(layers), "texts": count, "length": length}
    folder.mkdir(parents=True, exist_ok=True)
    known, outputs_file, done_file = folder / "features.json", folder / "outputs.npy", folder / "done"
    if known.exists():
        same = json.loads(known.read_text()) == settings and np.array_equal(np.load(folder / "tokens.npy"), tokens)
        if not same:
            raise UsageError(f"{folder} holds features of other texts or another model", "name another folder")
        outputs = np.lib.format.open_memmap(outputs_file, "r+")
    else:
        shape = (count, length, len(layers), target.config.width)
        outputs = np.lib.format.open_memmap(outputs_file, "w+", np.float16, shape)
        np.save(folder / "tokens.npy", tokens)
        done_file.write_text("0")
        known.write_text(json.dumps(settings))
    on_processor = device == "cpu"
    read = _exact_reader(target, layers) if on_processor else _float_reader(target, layers, device)
    abreast = _ABREAST if on_processor else _ABREAST_ON_DEVICE
    for begin in range(int(done_file.read_text()), count, abreast):
        part = tokens[begin : begin + abreast]
        outputs[begin : begin + len(part)] = read(part)
        outputs.flush()
        done_file.write_text(str(begin + len(part)))
        if progress:
            progress(begin + len(part), count)
    return load_features(folder)


def halves_pay(device: str) -> bool:
    """Whether products of bfloat16 are faster than those of float32."""
    import torch

    return device != "cpu" or torch.ops.mkldnn._is_mkldnn_bf16_supported()


def _exact_reader(target: Decoder, layers: tuple[int, ...]) -> Read:
    def read(texts: NDArray[np.int32]) -> NDArray[np.float32]:
        count, length = texts.shape
        cache, taps = target.new_cache(count, length), target.new_taps(layers, texts.size)
        streams = np.repeat(np.arange(count, dtype=np.int32), length)
        target.forward(texts.ravel(), streams, np.tile(np.arange(length, dtype=np.int32), count), cache, taps=taps)
        by_layer = taps.values.reshape(len(layers), count, length, -1)
        by_text: NDArray[np.float32] = by_layer.transpose(1, 2, 0, 3)
        return by_text

    return read


def _float_reader(target: Decoder, layers: tuple[int, ...], device: str) -> Read:
    import torch

    from foretell.drafts.float_target import FloatTarget

    model = FloatTarget(target).to(device, torch.bfloat16)

    def read(texts: NDArray[np.int32]) -> NDArray[np.float32]:
        outputs = model(torch.from_numpy(texts.astype(np.int64)).to(device))
        found: NDArray[np.float32] = outputs[list(layers)].permute(1, 2, 0, 3).cpu().numpy()
        return found

    return read


def load_features(folder: Path) -> Features:
    """Features that :func:`compute_features` has finished.

    Raises
    ------
    ModelError
        If they are missing, damaged or not finished.
    """
    try:
        settings = json.loads((folder / "features.json").read_text())
        tokens = np.load(folder / "tokens.npy", allow_pickle=False)
        outputs = np.load(folder / "outputs.npy", mmap_mode="r", allow_pickle=False)
        done = int((folder / "done").read_text())
        shape = (settings["texts"], settings["length"])
        fits = tokens.shape == shape and outputs.shape[:3] == (*shape, len(settings["layers"]))
        features = Features(settings["target"], tuple(settings["layers"]), tokens, outputs)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder}: no features, or damaged ones ({error})", "compute them anew") from error
    if not fits or done < len(tokens):
        raise ModelError(f"{folder}: features of {done} of {len(tokens)} texts", "compute the rest first")
    return features
