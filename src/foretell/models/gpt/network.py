"""The layers of a model of the GPT-2 family: rows of floats in, rows of floats out, and a cache between calls."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.errors import ModelError
from foretell.exact.arithmetic import LOG2_E
from foretell.exact.product import pack
from foretell.exact.threads import cut, run_all, thread_count
from foretell.exact.transform import block_size
from foretell.models.decoder import States, cut_by_stream
from foretell.models.gpt.config import GptConfig
from foretell.models.gpt.layers import (
    GptWeights,
    final_norm,
    layer_inputs,
    layer_outputs,
    quantise_rows,
    run_layers,
)
from foretell.models.layers import ROWS, Cache, Rows, Shape, new_cache

MATRICES = ("qkv", "output", "inner", "down")
_NO_MASK = np.empty((0, 0), np.bool_)


class Network:
    """Layers and last norm; what comes in and what comes out is up to the model around it.

    Parameters
    ----------
    config : GptConfig
        Sizes.
    arrays : dict of ndarray
        From :func:`foretell.models.gpt.convert.convert_layers`.

    Raises
    ------
    ModelError
        If an array is missing or does not fit the sizes.
    """

    def __init__(self, config: GptConfig, arrays: dict[str, NDArray[Any]]) -> None:
        _check_shapes(config, arrays)
        self.config = config
        matrices = {name: pack(arrays[name]) for name in MATRICES}
        self.weights = GptWeights(*((arrays | matrices)[name] for name in GptWeights._fields))
        self.final_norm, self.final_shift = arrays["final_norm"], arrays["final_shift"]
        head_block = block_size(config.head_width)
        scale = np.float32(1.0 / np.sqrt(np.float64(config.head_width)) / head_block) * LOG2_E
        self.shape = Shape(
            config.heads,
            config.heads,
            config.head_width,
            int(config.activation == "gelu"),
            block_size(config.width),
            block_size(config.feed_forward),
            head_block,
            config.epsilon,
            np.float32(scale),
        )

    def new_cache(self, streams: int, slots: int) -> Cache:
        """Empty cache for ``streams`` streams of up to ``slots`` rows each."""
        config = self.config
        return new_cache(config.layers, streams, config.heads, slots, config.head_width)

    def cache_bytes(self, slots: int) -> int:
        """Memory of one stream's cache of ``slots`` rows."""
        return self.config.layers * slots * (2 * self.config.width + 8 * self.config.heads)

    def run(
        self, hidden: NDArray[np.float32], streams: NDArray[np.int32], slots: NDArray[np.int32], cache: Cache
    ) -> NDArray[np.float32]:
        """Feed rows to their streams; return what the last norm gives.

        Parameters
        ----------
        hidden : ndarray of float32, shape (M, width)
            Inputs with their positions added; overwritten.
        streams, slots : ndarray of int32, shape (M,)
            To which stream, into which slot of its cache; rows of a stream are adjacent and in the order of their
            slots, and every earlier slot is filled.
        cache : Cache
            Updated in place.
        """
        count, threads, config = len(hidden), thread_count(), self.config
        rows = Rows(streams, slots, slots, np.zeros(count, np.int32), _NO_MASK)
        queries = np.empty((count, config.heads, 1, config.head_width), np.int8)
        work = (hidden, cache, queries, np.empty((count, config.heads, 1), np.float32))
        fixed = (self.weights, self.shape, rows)
        parts = cut_by_stream(streams, threads)
        if len(parts) < threads and count > ROWS:
            # Many rows of few streams: all threads finish a layer's keys before any attends.
            parts = cut(count, threads, ROWS)
            for layer in range(config.layers):
                run_all(layer_inputs, [(layer, *fixed, a, b, *work) for a, b in parts])
                run_all(layer_outputs, [(layer, *fixed, a, b, *work) for a, b in parts])
        else:
            run_all(run_layers, [(*fixed, a, b, *work) for a, b in parts])
        out = np.empty_like(hidden)
        last = (self.final_norm, self.final_shift, config.epsilon)
        run_all(final_norm, [(hidden, *last, a, b, out) for a, b in parts])
        return out

    def states(self, normed: NDArray[np.float32]) -> States:
        """What the head multiplies, from what :meth:`run` gave (overwritten)."""
        count, width = normed.shape
        integers, scales = np.empty((count, width), np.int8), np.empty(count, np.float32)
        parts = cut(count, thread_count(), ROWS)
        run_all(quantise_rows, [(normed, self.shape.width_block, a, b, integers, scales) for a, b in parts])
        return States(integers, scales)


def _check_shapes(config: GptConfig, arrays: dict[str, NDArray[Any]]) -> None:
    """Refuse arrays that do not fit the sizes: compiled code reads them without bounds checks."""
    width, feed, layers = config.width, config.feed_forward, config.layers
    shift = width if config.centred else 0
    wanted: dict[str, tuple[tuple[int, ...], type]] = {}
    for name, outputs, inputs in (
        ("qkv", 4 * width, width),
        ("output", width, width),
        ("inner", feed, width),
        ("down", width, feed),
    ):
        wanted[name] = (layers, outputs, inputs), np.int8
        wanted[f"{name}_scale"] = (layers, outputs), np.float32
        wanted[f"{name}_bias"] = (layers, 3 * width if name == "qkv" else outputs), np.float32
    for name in ("attention", "feed"):
        wanted[f"{name}_norm"] = (layers, width), np.float32
        wanted[f"{name}_shift"] = (layers, shift), np.float32
    wanted |= {"final_norm": ((width,), np.float32), "final_shift": ((shift,), np.float32)}
    check_arrays(wanted, arrays)


def check_arrays(wanted: dict[str, tuple[tuple[int, ...], type]], arrays: dict[str, NDArray[Any]]) -> None:
    """Compare arrays with the shapes and types that they must have.

    Raises
    ------
    ModelError
        At the first that is missing or differs.
    """
    for name, (shape, kind) in wanted.items():
        if name not in arrays or arrays[name].shape != shape or arrays[name].dtype != kind:
            raise ModelError(f"the model's {name} is missing or does not fit its sizes", "pull the model again")
