"""The registry: what is pulled can be loaded by name and by digest, and damage is noticed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from models.model_files import tensors_of, write_folder, write_gguf
from models.tiny import feed, some_tokens

from foretell.errors import MissingModelError, ModelError
from foretell.models import registry
from foretell.models.known import KNOWN


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FORETELL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_gguf(tmp_path / "small.gguf", "llama", tensors_of("llama"))
    return tmp_path / "small.gguf"


def cached(folder: Path) -> Path:
    return next(folder.glob("*.safetensors"))


def test_an_empty_cache_lists_what_is_known(folder: Path) -> None:
    models = registry.list_models()
    assert [model.name for model in models] == ["smollm2-135m", "gemma3-270m"]
    assert not any(model.installed for model in models)
    assert registry.info("smollm2-135m").licence == "Apache-2.0"


def test_pull_then_load_by_path_name_and_digest(folder: Path, file: Path) -> None:
    steps: list[int] = []
    info = registry.pull(str(file), steps.append)
    assert info.installed
    assert info.name.startswith("small@")
    assert steps[-1] == file.stat().st_size
    assert [model.name for model in registry.list_models()][2:] == [info.name]
    assert info.digest is not None
    models = [registry.load(str(file)), registry.load(info.name), registry.load_by_digest(bytes.fromhex(info.digest))]
    tokens = some_tokens(models[0], 10)
    expected = feed(models[0], tokens)
    for model in models:
        assert model.digest.hex() == info.digest
        assert np.array_equal(feed(model, tokens), expected)
    assert len(list(folder.iterdir())) == 1


def test_pulling_twice_converts_once(folder: Path, file: Path) -> None:
    registry.pull(str(file))
    before = cached(folder).stat().st_mtime_ns
    registry.pull(str(file))
    assert cached(folder).stat().st_mtime_ns == before


def test_a_folder_is_the_same_model(folder: Path, file: Path, tmp_path: Path) -> None:
    write_folder(tmp_path / "hub", "llama", tensors_of("llama"), "BF16")
    assert registry.pull(str(tmp_path / "hub")).digest == registry.pull(str(file)).digest


@pytest.mark.parametrize("place", [-1, -5000, 40])
def test_a_damaged_file_of_the_cache_is_refused(folder: Path, file: Path, place: int) -> None:
    info = registry.pull(str(file))
    damaged = bytearray(cached(folder).read_bytes())
    damaged[place] ^= 1
    cached(folder).write_bytes(damaged)
    with pytest.raises(ModelError, match=r"damaged.*pull"):
        registry.load(info.name)


@pytest.mark.parametrize("size", [0, 7, 100, 50_000])
def test_a_cut_file_of_the_cache_is_refused(folder: Path, file: Path, size: int) -> None:
    info = registry.pull(str(file))
    cached(folder).write_bytes(cached(folder).read_bytes()[:size])
    with pytest.raises(ModelError, match=r"damaged.*pull"):
        registry.load(info.name)


def test_a_file_under_the_digest_of_another_model_is_refused(folder: Path, file: Path) -> None:
    registry.pull(str(file))
    path = cached(folder)
    path.rename(path.with_name(f"small-{'ab' * 32}.safetensors"))
    with pytest.raises(ModelError, match="wrong SHA-256"):
        registry.load_by_digest(bytes.fromhex("ab" * 32))


def test_missing_models_are_named_with_a_remedy(folder: Path) -> None:
    with pytest.raises(MissingModelError, match="foretell models pull smollm2-135m"):
        registry.load_by_digest(bytes.fromhex(KNOWN[0].digest))
    with pytest.raises(MissingModelError, match="which is not installed"):
        registry.load_by_digest(bytes(32))
    with pytest.raises(ModelError, match="known are smollm2-135m"):
        registry.load("no-such-model")


def test_a_conversion_that_fails_leaves_nothing(folder: Path, tmp_path: Path) -> None:
    tensors = tensors_of("llama")
    del tensors["1.down"]
    write_gguf(tmp_path / "part.gguf", "llama", tensors)
    with pytest.raises(ModelError, match="lacks the tensor"):
        registry.pull(str(tmp_path / "part.gguf"))
    assert not folder.exists() or not list(folder.iterdir())
