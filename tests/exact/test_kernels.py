"""Kernels of the products give the same sums; so does torch for whole models."""

from __future__ import annotations

import time

import numpy as np
import pytest
from models.tiny import feed, some_tokens, tiny
from numpy.typing import NDArray

from foretell.exact import kernels, reference
from foretell.exact.product import pack
from foretell.exact.reference import ReferenceDecoder
from foretell.exact.samples import floats, integers

torch = pytest.importorskip("torch")
torch_decoder = pytest.importorskip("foretell.exact.torch_decoder")
SHAPES = [(1, 16, 16), (3, 64, 48), (17, 576, 128), (40, 1536, 64), (5, 4608, 32)]


def extreme(seed: int, limit: int, shape: tuple[int, int]) -> NDArray[np.int8]:
    """Mostly the largest magnitudes, which is where kernels overflow."""
    values = integers(seed, -limit, limit, shape)
    values[integers(seed + 1, 0, 3, shape) > 0] = limit
    return values.astype(np.int8)


@pytest.mark.parametrize("name", sorted(kernels.available()))
@pytest.mark.parametrize("shape", SHAPES)
def test_every_kernel_equals_the_oracle(name: str, shape: tuple[int, int, int]) -> None:
    rows, inputs, outputs = shape
    left, matrix = extreme(1, 127, (rows, inputs)), extreme(5, 63, (outputs, inputs))
    expected = reference.product(left, matrix)
    found = kernels.available()[name](left, pack(matrix))
    assert found.dtype == np.int32
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("name", ["int8_product", "float_product"])
@pytest.mark.parametrize("shape", SHAPES)
def test_torch_products_equal_the_oracle(name: str, shape: tuple[int, int, int]) -> None:
    rows, inputs, outputs = shape
    left, matrix = extreme(1, 127, (rows, inputs)), extreme(5, 63, (outputs, inputs))
    right = torch.from_numpy(matrix)
    found = getattr(torch_decoder, name)(torch.from_numpy(left), right.float() if name == "float_product" else right)
    assert np.array_equal(found.numpy(), reference.product(left, matrix))


def test_speeds_are_measured() -> None:
    speeds = kernels.measure(32, 64, 64, 0.01)
    assert set(speeds) == set(kernels.available())
    assert min(speeds.values()) > 0


def test_elementwise_torch_equals_the_oracle() -> None:
    x = floats(3, (100_000,), 20) * np.float32(64.0)
    for name in ("sigmoid", "silu", "gelu"):
        found = getattr(torch_decoder, name)(torch.from_numpy(x)).numpy()
        assert found.tobytes() == getattr(reference, name)(x).tobytes()
    assert np.array_equal(torch_decoder.exp2_negative(torch.from_numpy(np.abs(x))), reference.exp2_negative(np.abs(x)))


@pytest.mark.parametrize("kind", ["llama", "gemma"])
@pytest.mark.parametrize("kernel", ["int8", "fp32"])
def test_torch_equals_the_compiled_decoder(kind: str, kernel: str) -> None:
    model, tokens = tiny(kind), some_tokens(tiny(kind), 60)
    decoder = torch_decoder.TorchDecoder(model, "cpu", kernel)
    assert np.array_equal(feed(decoder, tokens, 25), feed(model, tokens))


@pytest.mark.parametrize("kind", ["llama", "gemma"])
def test_torch_on_streams_of_unequal_length_and_trees(kind: str) -> None:
    model = tiny(kind)
    decoder = torch_decoder.TorchDecoder(model)
    streams = np.repeat(np.arange(4, dtype=np.int32), [30, 30, 1, 12])
    slots = np.concatenate([np.arange(n, dtype=np.int32) for n in (30, 30, 1, 12)])
    rows = some_tokens(model, streams.size)
    visible = np.tril(integers(4, 0, 1, (3, 3)).astype(np.bool_)) | np.eye(3, dtype=np.bool_)
    results = []
    for each in (model, decoder):
        cache = each.new_cache(4, 48)
        first = each.frequencies(each.forward(rows, streams, slots, cache))
        base = np.full(3, 12, np.int32)
        where = np.arange(12, 15, dtype=np.int32)
        states = each.forward(rows[:3], np.full(3, 3, np.int32), where, cache, base, (base, visible))
        results.append((first, each.frequencies(states)))
    assert np.array_equal(results[0][0], results[1][0])
    assert np.array_equal(results[0][1], results[1][1])


def test_an_unknown_torch_kernel_is_refused() -> None:
    with pytest.raises(ValueError, match="int8 or fp32"):
        torch_decoder.TorchDecoder(tiny("llama"), kernel="bf16")


def test_a_decoder_on_float_products_equals_the_compiled_one() -> None:
    model, tokens = tiny("llama"), some_tokens(tiny("llama"), 40)
    assert np.array_equal(feed(ReferenceDecoder(model, kernels.float_product), tokens), feed(model, tokens))


@pytest.mark.cuda
@pytest.mark.parametrize("kind", ["llama", "gemma"])
@pytest.mark.parametrize("kernel", ["int8", "fp32"])
def test_a_gpu_equals_the_compiled_decoder(kind: str, kernel: str, capsys: pytest.CaptureFixture[str]) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    model, tokens = tiny(kind), some_tokens(tiny(kind), 400)
    decoder = torch_decoder.TorchDecoder(model, "cuda", kernel)
    expected = feed(model, tokens)
    feed(decoder, tokens)
    before = time.perf_counter()
    found = feed(decoder, tokens)
    seconds = time.perf_counter() - before
    with capsys.disabled():
        print(f"\n{kind}, {kernel} on {torch.cuda.get_device_name()}: {tokens.size / seconds:.0f} tokens/s")
    assert np.array_equal(found, expected)
