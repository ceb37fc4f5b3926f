"""The GPT-2 family: the float models' predictions, the oracle's bits, and one digest on every machine."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from models.gpt_folders import write_bytes_model, write_image_model, write_text_model
from numpy.typing import NDArray

from foretell.cli import main
from foretell.errors import ModelError
from foretell.exact import samples
from foretell.exact.centred import layer_norm
from foretell.exact.gpt_reference import forward_reference
from foretell.exact.gpt_reference import layer_norm as layer_norm_reference
from foretell.models import registry
from foretell.models.gpt.model import Gpt
from foretell.models.gpt.state_dicts import convert_state_dict

WRITERS = {"bytes": write_bytes_model, "text": write_text_model, "pixels": write_image_model}
PURPOSES = pytest.mark.parametrize("purpose", list(WRITERS))


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FORETELL_CACHE", str(tmp_path / "cache"))
    return tmp_path


def load(folder: Path, purpose: str) -> Gpt:
    model = registry.load_any(str(WRITERS[purpose](folder / purpose)))
    assert isinstance(model, Gpt)
    return model


def some_tokens(model: Gpt, count: int, seed: int = 7) -> NDArray[np.int32]:
    tokens = samples.integers(seed, 0, model.tokens - 1, (count,)).astype(np.int32)
    tokens[0] = model.start
    return tokens


def feed(model: Gpt, tokens: NDArray[np.int32], chunk: int = 0) -> NDArray[np.int32]:
    cache, parts = model.new_cache(1, tokens.size), []
    for begin in range(0, tokens.size, chunk or tokens.size):
        part = tokens[begin : begin + (chunk or tokens.size)]
        slots = np.arange(begin, begin + part.size, dtype=np.int32)
        parts.append(model.frequencies(model.forward(part, np.zeros(part.size, np.int32), slots, cache)))
    return np.concatenate(parts)


@PURPOSES
def test_compiled_code_is_bit_equal_to_the_oracle(purpose: str, cache: Path) -> None:
    model = load(cache, purpose)
    assert model.purpose == purpose
    tokens = some_tokens(model, 60)
    expected = forward_reference(model, tokens)
    for chunk in (0, 1, 17):
        assert np.array_equal(feed(model, tokens, chunk), expected)


@PURPOSES
def test_streams_do_not_touch_each_other(purpose: str, cache: Path) -> None:
    model = load(cache, purpose)
    lanes = [some_tokens(model, 40, seed) for seed in range(3)]
    store = model.new_cache(3, 40)
    together = []
    for step in range(40):
        fed = np.array([lane[step] for lane in lanes], np.int32)
        states = model.forward(fed, np.arange(3, dtype=np.int32), np.full(3, step, np.int32), store)
        together.append(model.frequencies(states))
    for index, lane in enumerate(lanes):
        assert np.array_equal(np.stack(together)[:, index], feed(model, lane))


def test_the_norm_with_a_mean_is_bit_equal_to_the_oracle_and_close_to_floats() -> None:
    x = samples.floats(3, (50, 96), 10) + np.float32(0.3)
    x[0] = 0
    weight, bias, out = samples.floats(4, (96,)), samples.floats(5, (96,)), np.empty_like(x)
    for row, normed in zip(x, out, strict=True):
        layer_norm(row, weight, bias, 1e-5, normed)
    assert np.array_equal(out, layer_norm_reference(x, weight, bias, 1e-5))
    wide = x.astype(np.float64)
    exact = (wide - wide.mean(1, keepdims=True)) / np.sqrt(wide.var(1, keepdims=True) + 1e-5) * weight + bias
    assert np.abs(out - exact).max() < 1e-3


def test_sums_of_floats_in_the_norm_would_depend_on_their_order() -> None:
    x, ones = samples.floats(1, (576,), 4), np.ones(576, np.float32)
    exact, loose = set(), set()
    for seed in range(8):
        order = np.argsort(samples.integers(seed, 0, 2**40, (576,)), kind="stable")
        out = np.empty_like(x)
        layer_norm(x[order], ones, np.zeros(576, np.float32), 1e-5, out)
        exact.add(out[np.argsort(order)].tobytes())
        mean = np.add.accumulate(x[order], dtype=np.float32)[-1] / np.float32(576)
        loose.add((x - mean).tobytes())
    assert len(exact) == 1
    assert len(loose) > 1


def cross_entropy(frequencies: NDArray[np.int32], targets: NDArray[np.int32]) -> float:
    total = frequencies.sum(1, dtype=np.int64)
    return float(-np.log(frequencies[np.arange(targets.size), targets] / total).mean())


def float_model(purpose: str, folder: Path) -> Any:
    transformers = pytest.importorskip("transformers")
    kinds = {"pixels": "ImageGPTForCausalImageModeling"}
    return getattr(transformers, kinds.get(purpose, "GPT2LMHeadModel")).from_pretrained(folder).eval()


@PURPOSES
def test_predictions_are_those_of_the_float_model(purpose: str, cache: Path) -> None:
    torch = pytest.importorskip("torch")
    model = load(cache, purpose)
    rival = float_model(purpose, cache / purpose)
    tokens = some_tokens(model, 64)
    found = feed(model, tokens)
    ids, columns = tokens, np.arange(model.tokens)
    if model.vocabulary:
        known = np.where(model.vocabulary.ids < 0, model.config.start, model.vocabulary.ids)
        ids, columns = known[tokens], known[: model.tokens]
    with torch.no_grad():
        logits = rival(torch.from_numpy(ids.astype(np.int64))[None]).logits[0].double().numpy()[:, columns]
    spelled = np.setdiff1d(np.arange(model.tokens), model.unspelled)
    logits -= np.log(np.exp(logits[:, spelled]).sum(1, keepdims=True))
    drawn = np.random.default_rng(1)
    targets = np.array([drawn.choice(spelled, p=np.exp(row[spelled]) / np.exp(row[spelled]).sum()) for row in logits])
    wanted = float(-logits[np.arange(64), targets].mean())
    assert wanted < 0.97 * np.log(spelled.size)  # what it says is not nothing
    assert abs(cross_entropy(found, targets) - wanted) < 0.01 * wanted


GOLDEN = {
    "bytes": "624fda80a5e0c77c848b10c639a823fb9794b17c20de72057deb69392657dea5",
    "text": "038e9e44ac2a2feeffa2dd2d564fe14d7b9f08313b3cc73f4859fd523b0caff3",
    "pixels": "12a582624ca6a31f2c806485629a72e3e895ff097379fc0667524ded64ccb213",
}


@PURPOSES
def test_conversion_and_frequencies_have_their_golden_digests(purpose: str, cache: Path) -> None:
    model = load(cache, purpose)
    found = feed(model, some_tokens(model, 48)).astype("<i4").tobytes()
    assert hashlib.sha256(model.digest + found).hexdigest() == GOLDEN[purpose]


def test_two_kinds_of_models_of_the_same_weights_differ(cache: Path) -> None:
    one = load(cache / "one", "bytes")
    other = registry.load_any(str(write_bytes_model(cache / "other", tokens=256)))
    assert one.digest != other.digest


def test_what_is_not_supported_is_refused(cache: Path) -> None:
    folder = write_bytes_model(cache / "m")
    config = folder / "config.json"
    plain = config.read_text()
    for old, new, message in (
        ('"gelu_new"', '"relu"', "activation"),
        ('"n_head": 2', '"n_head": 3', "multiples of 16"),
        ('"n_layer": 2', '"n_layer": 3', "lacks the tensor"),
        ('"n_layer": 2', '"layers": 3', "lacks n_layer"),
        ('"gpt2"', '"imagegpt"', "preprocessor_config.json"),
    ):
        config.write_text(plain.replace(old, new))
        with pytest.raises(ModelError, match=message):
            registry.load_any(str(folder))


def test_a_model_of_bytes_is_no_language_model(cache: Path) -> None:
    with pytest.raises(ModelError, match="needed here"):
        registry.load(str(write_bytes_model(cache / "m")))


def test_a_published_state_dict_becomes_a_folder(cache: Path) -> None:
    torch = pytest.importorskip("torch")
    from models.gpt_folders import HEADS, patch_tensors, write_patches_model

    state = {name: torch.from_numpy(value) for name, value in patch_tensors().items()}
    state["byte_level_decoder.base.lm_head.weight"] = state["byte_level_decoder.base.transformer.wte.weight"]
    torch.save({"model": state, "epoch": 3, "best_epoch": 2}, cache / "weights.pth")
    assert main(["models", "convert", str(cache / "weights.pth"), str(cache / "m"), "--heads", str(HEADS)]) == 0
    one, other = (registry.load_any(str(folder)) for folder in (cache / "m", write_patches_model(cache / "other")))
    assert one.digest == other.digest
    assert one.purpose == "bytes"


def test_files_that_hold_more_than_tensors_are_refused(cache: Path) -> None:
    torch = pytest.importorskip("torch")
    (cache / "evil.pth").write_bytes(pickle.dumps(print, 2))
    torch.save({"some": torch.zeros(3)}, cache / "other.pth")
    torch.save([1, 2], cache / "list.pth")
    for name, message in (("evil", "not a PyTorch file"), ("other", "not the weights of bGPT"), ("list", "no state")):
        with pytest.raises(ModelError, match=message):
            convert_state_dict(cache / f"{name}.pth", cache / "m")
        assert not (cache / "m").exists()
