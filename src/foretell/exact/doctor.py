"""Is this machine's arithmetic that of the contract? Golden digests, recomputed here.

Each check computes something small from seeded integers and compares the SHA-256 of the result with a
constant. What differs anywhere would make archives that other machines cannot read, and is reported.
The checks of whole models and codecs import what builds on this package, which nothing else here does.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.compilation import compiled
from foretell.exact import CONTRACT, kernels
from foretell.exact.arithmetic import exp2_negative, gelu, silu
from foretell.exact.head import frequencies_of
from foretell.exact.product import pack, product
from foretell.exact.rotary import inverse_frequencies, rotary_table
from foretell.exact.samples import floats, gemma_config, integers, llama_config, model
from foretell.exact.softmax import attention_weights
from foretell.exact.threads import thread_count
from foretell.exact.transform import hadamard, quantise, rms_norm
from foretell.processor import cpu_features, cpu_name

GOLDEN: dict[str, str] = {
    "product": "d6b7befe475b997c0a894cf84c1d6ec2481885cc8c2eaa80c8322ecf35fce0cc",
    "norm": "8f53b8a380f84b1523f23789f37bca548e2f69020073a4042c0947f7f191ba16",
    "rotation": "c3f21ec0e1ce9aa11ce52c6a5546e19fa127bbdbe4333eb7e55577f97b4c2e46",
    "positions": "8a5350c037be332c696100418fa953212ce92800a7bcb78721455ef2751bf14f",
    "gates": "bdd4abd9faf9eb1b81a9850d8548fbaee8efc5c3298f09eed5a19587011421c1",
    "attention weights": "73b545d04bd5e099cb971277789fc4a2165175acb1f225593a115b2b940e0c9b",
    "frequencies": "8b18cb1270d28a69cf8ef215a631c0496f0b257d403c40d1d2eb3c8d6d18dd52",
    "forward pass": "75a13aa700cce03268a6801bc506c03514614c01ab1a1c199dd662e6e02a2d4e",
    "text frame": "35f49421659113ad859d75742576f1253bf4dcf7fa631f56487619310f830596",
    "octets frame": "8b34e651dd6499d27dbbbb6a5cb9b4888ae9d7fc7ba78446cf072621c59c22f9",
    "GPT-2 layers": "dc787ffe20f4ba4ba886de97a4e195137d3a935809859ed153edcfcb9191bcda",
    "bytes frame": "c69acc86b9544628fbb10dbdabff4890f890bb58f81463e172254a6f75d12269",
}
REMEDY = (
    "this machine computes other bits than the contract says: do not pack with it; try NUMBA_CPU_NAME=generic, "
    "then other versions of numba and llvmlite, and report these lines"
)
PACKAGES = ("numpy", "numba", "llvmlite", "torch", "tokenizers", "safetensors", "gguf")
TEXT = (
    "The model and the machine: every bit of it is the same.\r\nlevel=info token 12, then 2026-11-22 http://a.b/c\n"
    "def number(): return exact\n\n\0 é ü 日本 <|endoftext|> "
).encode() + bytes([0xFF, 0xC3, 0x28])


@dataclass(frozen=True)
class Check:
    """One golden digest, wanted and found here."""

    name: str
    wanted: str
    found: str

    @property
    def ok(self) -> bool:
        """Whether they agree."""
        return self.wanted == self.found


@dataclass(frozen=True)
class DoctorReport:
    """What ``foretell doctor`` says.

    Attributes
    ----------
    speeds : dict of float
        Billions of operations a second of each product kernel.
    """

    checks: tuple[Check, ...]
    speeds: dict[str, float]
    threads: int
    cpu: str
    features: tuple[str, ...]
    versions: dict[str, str]

    @property
    def ok(self) -> bool:
        """Whether every digest is right."""
        return all(check.ok for check in self.checks)

    def lines(self) -> list[str]:
        """One line for each fact."""
        lines = [f"{check.name:<20} {'ok' if check.ok else 'FAILED'}" for check in self.checks]
        used = next(iter(self.speeds))
        for name, speed in self.speeds.items():
            lines.append(f"kernel {name:<13} {speed:.1f} Gop/s{' (in use)' if name == used else ''}")
        lines.append(f"{'threads':<20} {self.threads}")
        lines.append(f"{'processor':<20} {self.cpu}: {', '.join(self.features) or 'no vector extensions'}")
        lines.append(f"{'versions':<20} " + ", ".join(f"{name} {version}" for name, version in self.versions.items()))
        lines.append(f"{CONTRACT}: " + ("all checks passed" if self.ok else REMEDY))
        return lines

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "ok": self.ok,
            "contract": CONTRACT,
            "checks": [{"name": c.name, "ok": c.ok, "wanted": c.wanted, "found": c.found} for c in self.checks],
            "kernel": next(iter(self.speeds)),
            "gops": {name: round(speed, 2) for name, speed in self.speeds.items()},
            "threads": self.threads,
            "cpu": self.cpu,
            "features": list(self.features),
            "versions": self.versions,
            "remedy": "" if self.ok else REMEDY,
        }


def run() -> DoctorReport:
    """Compute all golden digests and measure the kernels; the first run compiles for a minute or two."""
    checks = tuple(Check(name, GOLDEN.get(name, ""), found) for name, found in digests().items())
    cpu, features = _processor()
    return DoctorReport(checks, kernels.measure(), thread_count(), cpu, features, _versions())


def digests() -> dict[str, str]:
    """SHA-256 of what each check computes on this machine; an error counts as another result."""
    found = {}
    for name, check in _CHECKS.items():
        try:
            found[name] = _digest(check())
        except Exception as error:
            found[name] = f"{type(error).__name__}: {error}"
    return found


def _digest(results: list[NDArray[Any] | bytes]) -> str:
    total = hashlib.sha256()
    for result in results:
        if isinstance(result, bytes):
            total.update(result)
        else:
            total.update(f"{result.dtype.str[1:]} {result.shape}".encode())
            total.update(np.ascontiguousarray(result, result.dtype.newbyteorder("<")).tobytes())
    return total.hexdigest()


def _product() -> list[NDArray[Any] | bytes]:
    left, matrix = integers(1, -127, 127, (13, 640)), integers(2, -63, 63, (96, 640))
    out = np.empty((13, 96), np.int32)
    product(left.astype(np.int8), pack(matrix.astype(np.int8)), out)
    return [out]


def _norm() -> list[NDArray[Any] | bytes]:
    x, weight = floats(3, (9, 576), 12), floats(4, (576,))
    out = np.empty_like(x)
    for row, normed in zip(x, out, strict=True):
        rms_norm(row, weight, 1e-5, normed)
    return [out]


def _rotation() -> list[NDArray[Any] | bytes]:
    x = floats(5, (9, 576), 6)
    whole, scales = np.empty((9, 576), np.int8), np.empty(9, np.float32)
    for index, block in enumerate((16, 32, 64) * 3):
        hadamard(x[index], block)
        scales[index] = quantise(x[index], whole[index])
    return [x, whole, scales]


def _positions() -> list[NDArray[Any] | bytes]:
    return [*rotary_table(600, inverse_frequencies(10000.0, 64)), *rotary_table(600, inverse_frequencies(1e6, 256))]


@compiled
def _gate_rows(x: NDArray[np.float32], out: NDArray[np.float32], powers: NDArray[np.int32]) -> None:
    for i in range(x.size):
        out[0, i] = silu(x[i])
        out[1, i] = gelu(x[i])
        powers[i] = exp2_negative(abs(x[i]))


def _gates() -> list[NDArray[Any] | bytes]:
    x = floats(6, (20_000,), 16) * np.float32(32.0)
    out, powers = np.empty((2, x.size), np.float32), np.empty(x.size, np.int32)
    _gate_rows(x, out, powers)
    return [out, powers]


def _attention() -> list[NDArray[Any] | bytes]:
    sums = integers(7, -(2**18), 2**18, (320,)).astype(np.int32)
    keys, values = np.abs(floats(8, (320,), 6)), np.abs(floats(9, (320,), 6))
    visible = integers(10, 0, 1, (20,)).astype(np.bool_)
    out = np.empty((2, 320), np.int8)
    scale = attention_weights(sums, np.float32(2e-4), keys, values, 7, 300, visible, out[0], out[1])
    return [out, np.array([scale], np.float32)]


def _frequencies() -> list[NDArray[Any] | bytes]:
    sums = integers(11, -(2**20), 2**20, (5000,)).astype(np.int32)
    scales = np.abs(floats(12, (5000,), 6)) * np.float32(1e-3)
    out = np.empty(5000, np.int32)
    frequencies_of(sums, np.float32(0.02), scales, np.arange(3, dtype=np.int32), out)
    return [out]


def _forward() -> list[NDArray[Any] | bytes]:
    results: list[NDArray[Any] | bytes] = []
    for config in (llama_config(), gemma_config()):
        decoder = model(config)
        tokens = integers(13, 0, decoder.tokens - 1, (60,)).astype(np.int32)
        slots = np.arange(60, dtype=np.int32)
        states = decoder.forward(tokens, np.zeros(60, np.int32), slots, decoder.new_cache(1, 60))
        results += [decoder.digest, states.integers, states.scales, decoder.frequencies(states)]
    return results


def _text() -> list[NDArray[Any] | bytes]:
    from foretell.codecs.lanes import Plan
    from foretell.codecs.text import TextCodec

    codec = TextCodec(model(llama_config()))
    codec.plan = Plan(lanes=3, lane_tokens=32, prefix=16, frame_bytes=4096)
    frame = TEXT * 2
    payload = codec.encode_frames([frame])[0]
    return [payload, codec.decode_frames([(payload, len(frame))])[0]]


def _octets() -> list[NDArray[Any] | bytes]:
    from foretell.codecs.octets import OctetsCodec

    codec, frame = OctetsCodec(), TEXT * 3 + integers(14, 0, 255, (200,)).astype(np.uint8).tobytes()
    payload = codec.encode(frame)
    return [payload, codec.decode(payload, len(frame))]


def _gpt() -> list[NDArray[Any] | bytes]:
    from foretell.models.gpt.config import GptConfig
    from foretell.models.gpt.convert import convert_layers
    from foretell.models.gpt.network import Network

    results: list[NDArray[Any] | bytes] = []
    streams, slots = np.zeros(40, np.int32), np.arange(40, dtype=np.int32)
    for activation, centred in (("gelu", True), ("quick_gelu", False)):
        config = GptConfig(2, 96, 2, 192, 64, 1e-5, activation, centred)
        sizes = {"qkv": (96, 288), "output": (96, 96), "inner": (96, 192), "down": (192, 96)}

        def tensor(name: str, sizes: dict[str, tuple[int, int]] = sizes) -> NDArray[np.float32]:
            *_, part, kind = name.split(".")
            shape = sizes.get(part, (96, 96))
            return floats(zlib.crc32(name.encode()), shape if part in sizes and kind == "weight" else shape[1:], 3)

        network = Network(config, convert_layers(config, tensor))
        states = network.run(floats(15, (40, 96), 4), streams, slots, network.new_cache(1, 40))
        results += [states, *network.states(states.copy())]
    return results


def _bytes() -> list[NDArray[Any] | bytes]:
    from foretell.codecs.bytes import BytesCodec

    codec, frame = BytesCodec(model(llama_config())), integers(16, 90, 160, (300,)).astype(np.uint8).tobytes()
    payload = codec.encode_frames([frame])[0]
    return [payload, codec.decode_frames([(payload, 300)])[0]]


_CHECKS: dict[str, Callable[[], list[NDArray[Any] | bytes]]] = {
    "product": _product,
    "norm": _norm,
    "rotation": _rotation,
    "positions": _positions,
    "gates": _gates,
    "attention weights": _attention,
    "frequencies": _frequencies,
    "forward pass": _forward,
    "text frame": _text,
    "octets frame": _octets,
    "GPT-2 layers": _gpt,
    "bytes frame": _bytes,
}


def _processor() -> tuple[str, tuple[str, ...]]:
    """Name and vector extensions of the processor that code is compiled for."""
    telling = ("sse4.2", "avx2", "avx512f", "avx512vnni", "avxvnni", "amx-int8", "neon", "dotprod", "i8mm", "sve")
    return cpu_name(), tuple(feature for feature in telling if feature in cpu_features())


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version(), "system": f"{sys.platform} {platform.machine()}"}
    for package in ("foretell", *PACKAGES):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    for name in ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "FORETELL_KERNEL", "ONEDNN_MAX_CPU_ISA"):
        if name in os.environ:
            versions[name] = os.environ[name]
    return versions
