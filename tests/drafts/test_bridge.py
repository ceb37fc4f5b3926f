"""model.generate of transformers gives the same tokens with a draft."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
torch.set_num_threads(1)

from drafts.adversaries import RandomDrafter  # noqa: E402
from models.model_files import tensors_of, write_folder  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from foretell.drafts.bridge import with_draft  # noqa: E402
from foretell.drafts.config import config_for  # noqa: E402
from foretell.drafts.networks import new_network  # noqa: E402
from foretell.drafts.networks.base import target_tables  # noqa: E402
from foretell.drafts.neural import NeuralDrafter  # noqa: E402
from foretell.errors import UsageError  # noqa: E402
from foretell.models.convert import convert, digest  # noqa: E402
from foretell.models.decoder import Decoder, from_arrays  # noqa: E402
from foretell.models.hub_files import read_folder  # noqa: E402


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, Decoder]:
    """A small random model, in transformers and in foretell."""
    folder: Path = tmp_path_factory.mktemp("llama")
    write_folder(folder, "llama", tensors_of("llama"))
    source = read_folder(folder)
    settings = json.loads((folder / "config.json").read_text())
    weights = load_file(next(folder.glob("*.safetensors")))
    settings["vocab_size"] = len(weights["model.embed_tokens.weight"])
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**settings)).eval()
    missing, surplus = model.load_state_dict(weights, strict=False)
    assert not surplus
    assert set(missing) <= {"lm_head.weight"}
    if missing:
        model.lm_head.weight = model.model.embed_tokens.weight
    arrays = convert(source)
    return model, from_arrays("tiny", source.config, arrays, digest(source.config, arrays))


@pytest.mark.parametrize(
    "options", [{}, {"do_sample": True, "temperature": 0.8, "top_k": 20}, {"repetition_penalty": 1.3}]
)
@pytest.mark.parametrize("kind", ["random", "lookup", "prism"])
def test_the_same_tokens_in_fewer_passes(pair: tuple[object, Decoder], kind: str, options: dict[str, object]) -> None:
    model, target = pair
    prompt = torch.tensor([[0, 70, 75, 80, 70, 75]])
    settings = {"max_new_tokens": 30, "pad_token_id": 0, **options}
    torch.manual_seed(7)
    expected = model.generate(prompt, **{"do_sample": False, **settings})
    if kind == "random":
        rows = [target.vocabulary.row_of_id[int(i)] for i in expected[0]]
        draft = RandomDrafter(1, target.tokens, [rows[1:]], taps=(0, 1))
    elif kind == "prism":
        torch.manual_seed(1)
        draft = NeuralDrafter(new_network(config_for(target, "prism"), target_tables(target)))
    else:
        draft = "lookup"
    passes = 0

    def count(*_: object) -> None:
        nonlocal passes
        passes += 1

    handle = model.register_forward_hook(count)
    torch.manual_seed(7)
    found = model.generate(prompt, **{"do_sample": False, **settings}, custom_generate=with_draft(draft, target))
    handle.remove()
    assert torch.equal(found, expected)
    assert passes <= 30
    if kind == "random":
        assert passes < 25


def test_dictionaries_and_stops(pair: tuple[object, Decoder]) -> None:
    model, target = pair
    prompt = torch.tensor([[0, 70, 75]])
    plain = model.generate(prompt, do_sample=False, max_new_tokens=12, pad_token_id=0)
    stop = int(plain[0, 8])

    settings = {"do_sample": False, "max_new_tokens": 12, "pad_token_id": 0, "eos_token_id": stop}
    expected = model.generate(prompt, **settings)
    settings["return_dict_in_generate"] = True
    found = model.generate(prompt, **settings, custom_generate=with_draft("lookup", target))
    assert torch.equal(found.sequences, expected)
    assert found.past_key_values.get_seq_length() == expected.shape[1] - 1


def test_what_it_cannot_do_is_refused(pair: tuple[object, Decoder]) -> None:
    model, target = pair
    with pytest.raises(UsageError, match="one text at a time, not 2"):
        model.generate(torch.tensor([[1, 2], [3, 4]]), max_new_tokens=2, custom_generate=with_draft("lookup", target))
    assert np.isfinite(target.head_scale).all()
