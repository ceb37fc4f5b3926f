"""Interchangeable kernels for products of small-integer matrices, all with the same sums.

Each takes int8 activations (R, K) in [-127, 127] and a packed matrix of weights in [-63, 63] (see
:mod:`foretell.exact.product`), and returns int32 sums (R, N). The bounds are what makes them equal: an
int8 kernel that adds pairs of products in 16 bits cannot saturate, and float32 sums of up to 2048
products stay below 2**24, where every integer is a float32.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.exact.product import BLOCK, PRODUCTS, unpack
from foretell.exact.samples import integers
from foretell.processor import kernel, usable_kernels

SPLIT = 2048
"""Most inputs in one float32 sum: 2048 * 127 * 63 < 2**24."""

Kernel = Callable[[NDArray[np.int8], NDArray[np.int8]], NDArray[np.int32]]


@dataclass(frozen=True)
class Parts:
    """A kernel in two steps: ``prepare`` a packed matrix once, ``multiply`` many times."""

    prepare: Callable[[NDArray[np.int8]], Any]
    multiply: Callable[[NDArray[np.int8], Any], NDArray[np.int32]]

    def __call__(self, left: NDArray[np.int8], packed: NDArray[np.int8]) -> NDArray[np.int32]:
        """Both steps."""
        return self.multiply(left, self.prepare(packed))


def _matrix(packed: NDArray[np.int8]) -> NDArray[np.int8]:
    return unpack(packed, packed.shape[0] * packed.shape[2])


def _multiply_by(product_at: Any) -> Callable[[NDArray[np.int8], NDArray[np.int8]], NDArray[np.int32]]:
    def multiply(left: NDArray[np.int8], packed: NDArray[np.int8]) -> NDArray[np.int32]:
        left, (rows, inputs), blocks = np.ascontiguousarray(left), left.shape, packed.shape[0]
        out = np.empty((rows, blocks * BLOCK), np.int32)
        address, weights, sums = left.ctypes.data, packed.ctypes.data, out.ctypes.data
        product_at(address, inputs, weights, inputs * BLOCK, inputs, blocks, sums, out.shape[1], rows)
        return out

    return multiply


def float_product(left: NDArray[Any], matrix: NDArray[Any]) -> NDArray[np.int64]:
    """``left @ matrix.T`` of small integers by float32 BLAS, in stretches of :data:`SPLIT` inputs."""
    total = np.zeros((left.shape[0], matrix.shape[0]), np.int64)
    for begin in range(0, left.shape[1], SPLIT):
        part = slice(begin, begin + SPLIT)
        total += (left[:, part].astype(np.float32) @ matrix[:, part].astype(np.float32).T).astype(np.int64)
    return total


def _multiply_blas(left: NDArray[np.int8], matrix: NDArray[np.float32]) -> NDArray[np.int32]:
    return float_product(left, matrix).astype(np.int32)


def _multiply_reference(left: NDArray[np.int8], matrix: NDArray[np.int64]) -> NDArray[np.int32]:
    result: NDArray[np.int32] = (left.astype(np.int64) @ matrix.T).astype(np.int32)
    return result


def _multiply_torch(left: NDArray[np.int8], matrix: Any) -> NDArray[np.int32]:
    import torch

    from foretell.exact.torch_decoder import int8_product

    rows = torch.from_numpy(left.astype(np.int8)).to(matrix.device)
    sums: NDArray[np.int32] = int8_product(rows, matrix).cpu().numpy()
    return sums


def _prepare_torch(device: str) -> Callable[[NDArray[np.int8]], Any]:
    def prepare(packed: NDArray[np.int8]) -> Any:
        import torch

        return torch.from_numpy(_matrix(packed)).to(device)

    return prepare


OWN = {name: Parts(lambda packed: packed, _multiply_by(product_at)) for name, product_at in PRODUCTS.items()}
product_blas = Parts(lambda packed: _matrix(packed).astype(np.float32), _multiply_blas)
product_reference = Parts(lambda packed: _matrix(packed).astype(np.int64), _multiply_reference)
product_torch = Parts(_prepare_torch("cpu"), _multiply_torch)
product_cuda = Parts(_prepare_torch("cuda"), _multiply_torch)


def available() -> dict[str, Parts]:
    """The kernels that this machine can run, the one that foretell uses first."""
    own = sorted(usable_kernels(), key=lambda name: name != kernel())
    kernels = {name: OWN[name] for name in own} | {"blas": product_blas, "reference": product_reference}
    if importlib.util.find_spec("torch") is not None:
        import torch

        kernels["torch"] = product_torch
        if torch.cuda.is_available():
            kernels["cuda"] = product_cuda
    return kernels


def measure(rows: int = 240, inputs: int = 576, outputs: int = 3072, seconds: float = 0.1) -> dict[str, float]:
    """Billions of operations (multiplications and additions) a second of each kernel, best of a few runs."""
    left = integers(1, -127, 127, (rows, inputs)).astype(np.int8)
    packed = integers(2, -63, 63, (outputs // 16, inputs // 4, 16, 4)).astype(np.int8)
    speeds = {}
    for name, parts in available().items():
        operand = parts.prepare(packed)
        count = rows if name != "reference" else 4
        parts.multiply(left[:count], operand)
        best, begun = np.inf, time.perf_counter()
        while time.perf_counter() - begun < seconds:
            before = time.perf_counter()
            parts.multiply(left[:count], operand)
            best = min(best, time.perf_counter() - before)
        speeds[name] = 2.0 * count * inputs * outputs / best / 1e9
    return speeds
