"""Models as readers of symbols: what they foretell of known lanes is what they foretell step by step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from models.gpt_folders import write_bytes_model, write_image_model, write_patches_model, write_text_model
from models.tiny import feed, some_tokens, tiny
from numpy.typing import NDArray

from foretell.codecs.symbol_maps import BYTE_TOKENS, NUMBER_TOKENS, spell, symbol_rows
from foretell.errors import ModelError
from foretell.exact import samples
from foretell.exact.gpt_reference import run_reference
from foretell.models import registry
from foretell.models.gpt.model import Gpt
from foretell.models.gpt.patches import PAD, PatchesModel
from foretell.models.streams import PatchModel, SymbolModel, TokenModel


def make(kind: str, folder: Path) -> SymbolModel:
    if kind == "llama":
        model = tiny("llama")
        return TokenModel(model, symbol_rows(model.vocabulary, BYTE_TOKENS), spell(model.vocabulary, b"token bits"))
    if kind == "patches":
        patches = registry.load_any(str(write_patches_model(folder / kind)))
        assert isinstance(patches, PatchesModel)
        return PatchModel(patches, b"wav")
    write = {"bytes": write_bytes_model, "text": write_text_model, "image": write_image_model}[kind]
    gpt = registry.load_any(str(write(folder / kind)))
    assert isinstance(gpt, Gpt)
    if kind == "image":
        places = (np.arange(4)[:, None] * 8 + np.arange(5)).ravel().astype(np.int32)
        return TokenModel(gpt, np.arange(gpt.tokens, dtype=np.int32), places=places)
    return TokenModel(gpt, symbol_rows(gpt.vocabulary, BYTE_TOKENS))


def stepwise(stream: SymbolModel, lanes: NDArray[np.int32]) -> NDArray[np.int32]:
    reading = stream.read(*lanes.shape)
    parts = [reading.next(None)]
    parts += [reading.next(lanes[:, step]) for step in range(lanes.shape[1] - 1)]
    return np.stack(parts, 1)


@pytest.mark.parametrize("kind", ["llama", "bytes", "text", "image", "patches"])
@pytest.mark.parametrize("lanes", [1, 3])
def test_known_lanes_and_single_steps_agree(
    kind: str, lanes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORETELL_CACHE", str(tmp_path / "cache"))
    stream = make(kind, tmp_path)
    length = min(stream.longest, 20 if kind == "image" else 26)
    block = samples.integers(lanes, 0, stream.symbols - 1, (lanes, length)).astype(np.int32)
    found = stream.predict(block)
    assert found.shape == (lanes, length, stream.symbols)
    assert found.min() >= 1
    assert np.array_equal(found, stepwise(stream, block))
    # Another continuation does not change what was foretold before.
    other = block.copy()
    other[:, length // 2 :] = (other[:, length // 2 :] + 1) % stream.symbols
    assert np.array_equal(stream.predict(other)[:, : length // 2 + 1], found[:, : length // 2 + 1])
    assert np.array_equal(stream.predict(block[:1]), found[:1])


def test_restricted_probabilities_are_those_of_the_model_among_the_symbols() -> None:
    model = tiny("llama")
    rows = symbol_rows(model.vocabulary, BYTE_TOKENS)
    lane = np.frombuffer(b"token number 12, the same bits", np.uint8).astype(np.int32)[None]
    found = TokenModel(model, rows).predict(lane)[0]
    tokens = np.r_[np.int32(model.start), rows[lane[0, :-1]]].astype(np.int32)
    whole = feed(model, tokens)[:, rows]
    assert some_tokens(model, 2).size == 2
    # Both count from their own largest frequency, and refine what is near to it, so they agree up to rounding.
    shares = whole / whole.sum(1, keepdims=True)
    assert np.abs(found / found.sum(1, keepdims=True) - shares).max() < 1e-4


def test_patches_are_read_as_the_paper_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oracle, put together from its parts: patch decoder on whole patches, byte decoder on each patch's bytes."""
    monkeypatch.setenv("FORETELL_CACHE", str(tmp_path / "cache"))
    model = registry.load_any(str(write_patches_model(tmp_path / "m")))
    assert isinstance(model, PatchesModel)
    size, stream = model.config.patch_size, PatchModel(model, b"wav")
    lane = samples.integers(3, 0, 255, (1, 5 * size)).astype(np.int32)
    found = stream.predict(lane)[0]
    units = np.vstack([np.r_[np.array(list(b"wav")), np.full(size - 3, PAD)], lane.reshape(-1, size)]).astype(np.int32)
    features = run_reference(model.patch, model.patch_inputs(units, np.arange(len(units), dtype=np.int32)))
    for number, patch in enumerate(units[1:]):
        rows = model.byte_inputs(patch[:-1], np.arange(1, size, dtype=np.int32))
        first = features[number : number + 1] + model.arrays["byte.positions"][:1]
        wanted = model.frequencies(run_reference(model.byte, np.vstack([first, rows])))
        assert np.array_equal(found[number * size : (number + 1) * size], wanted)


def test_patches_predict_as_the_float_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    from models.gpt_folders import HEADS, LAYERS, WIDTH, patch_tensors

    monkeypatch.setenv("FORETELL_CACHE", str(tmp_path / "cache"))
    model = registry.load_any(str(write_patches_model(tmp_path / "m")))
    assert isinstance(model, PatchesModel)
    state = {name: torch.from_numpy(value) for name, value in patch_tensors().items()}

    def rival(kind: str, prefix: str, layers: int, positions: int, tokens: int):  # type: ignore[no-untyped-def]
        config = transformers.GPT2Config(
            n_embd=WIDTH, n_head=HEADS, n_layer=layers, n_positions=positions, vocab_size=tokens,
        )  # fmt: skip
        network = getattr(transformers, kind)(config).eval()
        network.load_state_dict({k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)}, strict=False)
        return network

    upper = rival("GPT2Model", "patch_level_decoder.base.", LAYERS, 8, 1)
    lower = rival("GPT2LMHeadModel", "byte_level_decoder.base.", 1, 5, 257)
    size = model.config.patch_size
    lane = samples.integers(9, 0, 255, (1, 6 * size)).astype(np.int32)
    units = np.vstack([np.r_[np.array(list(b"wav")), PAD], lane.reshape(-1, size)]).astype(np.int64)
    with torch.no_grad():
        ones = torch.nn.functional.one_hot(torch.from_numpy(units), 257).float().reshape(len(units), -1)
        weight, bias = (state[f"patch_level_decoder.patch_embedding.{name}"] for name in ("weight", "bias"))
        features = upper(inputs_embeds=(ones @ weight.T + bias)[None]).last_hidden_state[0]
        table, parts = lower.transformer.wte.weight, []
        for number, patch in enumerate(units[1:]):
            rows = torch.cat([features[number : number + 1], table[torch.from_numpy(patch[:-1])]])
            parts.append(lower(inputs_embeds=rows[None]).logits[0, :, :256])
    wanted = torch.log_softmax(torch.cat(parts).double(), -1).numpy()
    found = PatchModel(model, b"wav").predict(lane)[0]
    logs = np.log(found / found.sum(1, keepdims=True))
    gap = (np.exp(wanted) * (wanted - logs)).sum(1)
    assert np.std(wanted) > 0.3
    assert gap.mean() < 0.002  # nats of 5.5 for a byte


def test_numbers_must_be_single_tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORETELL_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ModelError, match=r"no single token for 243 of .*--tokens bytes"):
        symbol_rows(tiny("llama").vocabulary, NUMBER_TOKENS)
    words = tuple(str(value) for value in range(10, 256))
    model = registry.load_any(str(write_text_model(tmp_path / "m", words=words)))
    assert model.vocabulary is not None
    rows = symbol_rows(model.vocabulary, NUMBER_TOKENS)
    assert [model.vocabulary.leaves[row] for row in rows] == [str(value).encode() for value in range(256)]
