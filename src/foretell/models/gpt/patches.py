"""bGPT: a decoder over patches of bytes, and a small one over the bytes of a patch, both of the GPT-2 family.

The patch decoder reads whole patches, each as the sum of one learned row for every place and byte; what it gives after
a patch is the first input of the byte decoder, which then reads the bytes of the next patch one by one. The first patch
of a unit holds the name of the kind of file (``wav``), padded like every cut patch with the special byte 256.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from foretell.errors import ModelError
from foretell.exact.transform import block_size, rotate_weights
from foretell.models.convert import EMBEDDING_LIMIT, embedding_rows
from foretell.models.gpt.config import GptConfig
from foretell.models.gpt.convert import Arrays, convert_layers
from foretell.models.gpt.head import Head, head_arrays
from foretell.models.gpt.network import Network, check_arrays

BYTES = 256
PAD = 256
"""The special byte that fills patches."""
SYMBOLS = 257
MOST_PATCH = 1024
"""Most bytes in a patch."""


@dataclass(frozen=True)
class PatchesConfig:
    """Sizes of both decoders; ``context`` of the byte decoder is the size of a patch + 1 or more."""

    kind: ClassVar[str] = "bgpt"

    patch: GptConfig
    byte: GptConfig
    patch_size: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        parts = {"patch": self.patch.as_dict(), "byte": self.byte.as_dict()}
        return {"family": self.kind, "patch_size": self.patch_size, **parts}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> PatchesConfig:
        """Inverse of :meth:`as_dict`."""
        patch, byte = GptConfig.from_dict(values["patch"]), GptConfig.from_dict(values["byte"])
        return cls(patch, byte, int(values["patch_size"]))

    def __post_init__(self) -> None:
        if not 1 <= self.patch_size <= MOST_PATCH or self.byte.context < self.patch_size:
            raise ValueError("the byte decoder's context does not hold a patch")
        if self.patch.width != self.byte.width or self.patch.context < 2:
            raise ValueError("both decoders must have one width, and the patch decoder room for two patches")


@dataclass(frozen=True)
class PatchesSource:
    """The model as its files hold it.

    Tensors are those of :func:`foretell.models.gpt.convert.convert_layers`, ``embedding``, ``positions`` and ``head``,
    each after ``patch.`` or ``byte.``, and ``patch.projection.weight`` and ``.bias``.
    """

    config: PatchesConfig
    tensor: Callable[[str], NDArray[np.float32] | None]

    def require(self, name: str) -> NDArray[np.float32]:
        """Tensor that must be there."""
        values = self.tensor(name)
        if values is None:
            raise ModelError(f"the model file lacks the tensor {name!r}")
        return values

    def convert(self, progress: Callable[[float], None] | None = None) -> Arrays:
        """All arrays of the exact model."""
        arrays: Arrays = {}
        for name, config in (("patch", self.config.patch), ("byte", self.config.byte)):

            def part(tensor: str, name: str = name) -> NDArray[np.float32]:
                return self.require(f"{name}.{tensor}")

            share = progress if name == "patch" else None
            arrays |= {f"{name}.{key}": value for key, value in convert_layers(config, part, share).items()}
            arrays[f"{name}.positions"] = part("positions")
        arrays |= self._patch_rows()
        table, head = self.require("byte.embedding"), self.tensor("byte.head")
        arrays["byte.embedding"], arrays["byte.embedding_scale"] = embedding_rows(table, 1.0)
        output = rotate_weights(table if head is None else head, block_size(self.config.byte.width))
        return arrays | head_arrays("byte.head", output)

    def _patch_rows(self) -> Arrays:
        """The projection of one-hot bytes as 16-bit rows of one scale, so that sums of rows are integers."""
        matrix = self.require("patch.projection.weight")
        scale = (np.abs(matrix).max() / np.float32(EMBEDDING_LIMIT)).astype(np.float32)
        safe = scale if scale > 0 else np.float32(1)
        rows = np.clip(np.rint(matrix.T / safe), -EMBEDDING_LIMIT, EMBEDDING_LIMIT).astype(np.int16)
        return {
            "patch.rows": np.ascontiguousarray(rows),
            "patch.rows_scale": np.array([scale], np.float32),
            "patch.rows_bias": self.require("patch.projection.bias"),
        }


class PatchesModel:
    """bGPT whose every number is exact.

    Attributes
    ----------
    patch, byte : Network
        The decoders.
    """

    purpose = "bytes"
    vocabulary = None

    def __init__(self, name: str, config: PatchesConfig, arrays: dict[str, NDArray[Any]], digest: bytes) -> None:
        self.name, self.config, self.digest = name, config, digest
        self.patch, self.byte = (
            Network(
                part,
                {
                    key[6:] if prefix == "patch." else key[5:]: value
                    for key, value in arrays.items()
                    if key.startswith(prefix)
                },
            )
            for prefix, part in (("patch.", config.patch), ("byte.", config.byte))
        )
        width, size = config.byte.width, config.patch_size
        check_arrays(
            {
                "patch.rows": ((size * SYMBOLS, width), np.int16),
                "patch.rows_scale": ((1,), np.float32),
                "patch.rows_bias": ((width,), np.float32),
                "patch.positions": ((config.patch.context, width), np.float32),
                "byte.positions": ((config.byte.context, width), np.float32),
                "byte.embedding": ((SYMBOLS, width), np.int16),
                "byte.embedding_scale": ((SYMBOLS,), np.float32),
                "byte.head": ((SYMBOLS, width), np.int8),
                "byte.head_rest": ((SYMBOLS, width), np.int8),
                "byte.head_scale": ((SYMBOLS,), np.float32),
            },
            arrays,
        )
        self.arrays = arrays
        head, rest, scale = (arrays[f"byte.head{part}"] for part in ("", "_rest", "_scale"))
        self._head = Head(head, rest, scale, BYTES)

    def patch_inputs(self, patches: NDArray[np.int32], places: NDArray[np.int32]) -> NDArray[np.float32]:
        """Inputs (M, width) of the patch decoder for patches (M, patch size) at places (M,) of their units."""
        arrays = self.arrays
        offsets = np.arange(self.config.patch_size, dtype=np.int64) * SYMBOLS
        sums = np.zeros((len(patches), self.config.patch.width), np.int32)
        for column, offset in zip(patches.T, offsets, strict=True):
            sums += arrays["patch.rows"][column + offset]
        projected = sums.astype(np.float32) * arrays["patch.rows_scale"] + arrays["patch.rows_bias"]
        inputs: NDArray[np.float32] = projected + arrays["patch.positions"][places]
        return inputs

    def byte_inputs(self, octets: NDArray[np.int32], places: NDArray[np.int32]) -> NDArray[np.float32]:
        """Inputs (M, width) of the byte decoder for bytes (M,) at places (M,), 1 for the first byte of a patch."""
        arrays = self.arrays
        rows = arrays["byte.embedding"][octets].astype(np.float32) * arrays["byte.embedding_scale"][octets][:, None]
        inputs: NDArray[np.float32] = rows + arrays["byte.positions"][places]
        return inputs

    def frequencies(self, normed: NDArray[np.float32]) -> NDArray[np.int32]:
        """Frequencies (M, 256) of the bytes that follow outputs (M, width) of the byte decoder (overwritten)."""
        return self._head.frequencies(self.byte.states(normed))
