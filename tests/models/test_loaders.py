"""GGUF files and hub folders give the same model, whatever holds it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import gguf
import numpy as np
import pytest
from models import superblocks
from models.model_files import F32, config_of, interleaved, tensors_of, token_count, write_folder, write_gguf
from models.tiny import feed, some_tokens
from numpy.typing import NDArray

from foretell.errors import ModelError
from foretell.exact import samples
from foretell.exact.reference import forward_reference
from foretell.models.convert import convert, digest
from foretell.models.decoder import from_arrays
from foretell.models.gguf_files import read_gguf
from foretell.models.hub_files import read_folder
from foretell.models.source import ModelSource

TYPES = gguf.GGMLQuantizationType
KINDS = pytest.mark.parametrize("kind", ["llama", "gemma"])
TEXT = "the model is exact, 2026: é 日本\n\u2581 <bos> <|endoftext|>".encode() + b"\r\n\0\xff"


def digest_of(source: ModelSource) -> str:
    return digest(source.config, convert(source)).hex()


@KINDS
def test_a_gguf_file_gives_back_what_was_written(kind: str, tmp_path: Path) -> None:
    path, tensors = tmp_path / "m.gguf", tensors_of(kind)
    write_gguf(path, kind, tensors)
    source = read_gguf(path)
    assert source.config == config_of(kind)
    for name, value in tensors.items():
        found = source.tensor(name)
        assert found is not None
        assert np.array_equal(found, value), name
    assert source.tensor("head") is None
    assert source.vocabulary.spell(source.vocabulary.encode(TEXT)) == TEXT


@KINDS
@pytest.mark.parametrize(("number", "parts"), [("F32", 1), ("BF16", 2)])
def test_a_hub_folder_is_the_same_model_as_a_gguf_file(kind: str, number: str, parts: int, tmp_path: Path) -> None:
    tensors = tensors_of(kind)
    write_gguf(tmp_path / "m.gguf", kind, tensors)
    write_folder(tmp_path / "hub", kind, tensors, number, parts)
    one, other = read_gguf(tmp_path / "m.gguf"), read_folder(tmp_path / "hub")
    assert one.config == other.config
    assert one.vocabulary.leaves == other.vocabulary.leaves
    assert np.array_equal(one.vocabulary.encode(TEXT), other.vocabulary.encode(TEXT))
    assert digest_of(one) == digest_of(other)


@pytest.mark.parametrize(
    ("quantisation", "error"),
    [(TYPES.F16, 1e-3), (TYPES.BF16, 1e-2), (TYPES.Q8_0, 1e-2), (TYPES.Q5_0, 0.08), (TYPES.Q4_1, 0.08)],
)
def test_quantised_gguf_files_are_close(quantisation: TYPES, error: float, tmp_path: Path) -> None:
    tensors = tensors_of("llama")
    write_gguf(tmp_path / "m.gguf", "llama", tensors, quantisation)
    source = read_gguf(tmp_path / "m.gguf")
    for name, value in tensors.items():
        found = source.tensor(name)
        assert found is not None
        assert found.dtype == np.float32
        assert np.abs(found - value).max() <= error * np.abs(value).max(), name
    decoder = from_arrays("m", source.config, convert(source), bytes(32))
    tokens = some_tokens(decoder, 12)
    assert np.array_equal(feed(decoder, tokens), forward_reference(decoder, tokens))


@pytest.mark.parametrize("quantisation", [TYPES.Q4_K, TYPES.Q6_K])
def test_superblocks_are_read_as_they_are_described(quantisation: TYPES, tmp_path: Path) -> None:
    small = {
        "layers": 1,
        "rope_bases": (10000.0,),
        "windows": (0,),
        "width": 256,
        "feed_forward": 256,
        "head_width": 64,
    }
    config = dataclasses.replace(config_of("llama"), **small)
    make = superblocks.q4_k if quantisation == TYPES.Q4_K else superblocks.q6_k
    packed: dict[bytes, NDArray[np.uint8]] = {}
    tensors = {}
    for index, (name, shape) in enumerate(samples.tensor_shapes(config, token_count("llama")).items()):
        if len(shape) == 1:
            tensors[name] = samples.floats(index, shape)
            continue
        raw, tensors[name] = make(shape[0], shape[1], 100 * index)
        packed[tensors[name].tobytes()] = raw
        if name.endswith(("query", "key")):
            # Files have rotary pairs side by side, and rows are packed one by one.
            heads = config.heads if name.endswith("query") else config.kv_heads
            order = interleaved(np.arange(shape[0], dtype=np.float32)[:, None], heads)[:, 0].astype(int)
            packed[interleaved(tensors[name], heads).tobytes()] = raw[order]
    write_gguf(tmp_path / "m.gguf", "llama", tensors, quantisation, lambda value, _: packed[value.tobytes()], config)
    source = read_gguf(tmp_path / "m.gguf")
    assert source.config == config
    for name, value in tensors.items():
        found = source.tensor(name)
        assert found is not None
        assert np.array_equal(found, value), name
    decoder = from_arrays("m", source.config, convert(source), bytes(32))
    tokens = some_tokens(decoder, 6)
    assert np.array_equal(feed(decoder, tokens), forward_reference(decoder, tokens))


def test_another_number_format_is_another_model(tmp_path: Path) -> None:
    tensors, found = tensors_of("llama"), set()
    for quantisation in (F32, TYPES.Q8_0, TYPES.Q4_1):
        write_gguf(tmp_path / "m.gguf", "llama", tensors, quantisation)
        found.add(digest_of(read_gguf(tmp_path / "m.gguf")))
    assert len(found) == 3


def test_what_is_not_a_gguf_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    for content in (b"", b"GGUF", b"something else altogether" * 9):
        path.write_bytes(content)
        with pytest.raises(ModelError, match=r"m\.gguf"):
            read_gguf(path)


def test_other_architectures_are_refused(tmp_path: Path) -> None:
    write_folder(tmp_path, "llama", {})
    with pytest.raises(ModelError, match="lacks the tensor"):
        convert(read_folder(tmp_path))
    settings = json.loads((tmp_path / "config.json").read_text())
    for change in ({"model_type": "mamba"}, {"rope_scaling": {"type": "yarn"}}):
        (tmp_path / "config.json").write_text(json.dumps(settings | change))
        with pytest.raises(ModelError, match="not supported"):
            read_folder(tmp_path)
    (tmp_path / "config.json").unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        read_folder(tmp_path)
