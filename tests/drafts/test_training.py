"""Features, training, checkpoints: resumable to the bit, and refusing what does not belong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
torch.set_num_threads(1)

from models.tiny import tiny  # noqa: E402

from foretell.drafts import training  # noqa: E402
from foretell.drafts.base import TreeSize  # noqa: E402
from foretell.drafts.chat import prompt_rows  # noqa: E402
from foretell.drafts.checkpoint import load_draft, save_draft  # noqa: E402
from foretell.drafts.config import ARCHITECTURES  # noqa: E402
from foretell.drafts.drafters import new_drafter, train_drafter  # noqa: E402
from foretell.drafts.evaluation import evaluate, step_acceptance  # noqa: E402
from foretell.drafts.features import _float_reader, compute_features, cut_texts, load_features  # noqa: E402
from foretell.drafts.training import Schedule  # noqa: E402
from foretell.errors import ModelError, UsageError  # noqa: E402

DOCUMENTS = [b"the quick brown fox jumps over the lazy dog and the cat. " * 6, b"to be or not to be. " * 12]


def trained(folder: Path, steps: int = 6, **options: object) -> None:
    train_drafter(tiny("llama"), DOCUMENTS, folder, steps=steps, batch=2, length=24, **options)


def weights(folder: Path) -> dict[str, bytes]:
    network = load_draft(folder, tiny("llama"))
    return {name: value.numpy().tobytes() for name, value in network.state_dict().items()}


def test_texts_are_cut_and_begin_with_the_start() -> None:
    target = tiny("llama")
    texts = list(cut_texts(target, DOCUMENTS, 24))
    assert all(text.size == 24 for text in texts)
    assert texts[0][0] == target.start
    joined = target.vocabulary.spell(np.concatenate(texts[:2])[1:].tolist())
    assert DOCUMENTS[0].startswith(joined)


def test_features_stopped_and_taken_up_again_are_the_same(tmp_path: Path) -> None:
    target = tiny("llama")
    texts = list(cut_texts(target, DOCUMENTS, 24))
    whole = compute_features(target, texts, (0,), tmp_path / "whole")
    assert whole.layers == (0, target.config.layers - 1)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compute_features(target, texts, (0,), tmp_path / "parts", stop)
    with pytest.raises(ModelError, match="of 8 of"):
        load_features(tmp_path / "parts")
    again = compute_features(target, texts, (0,), tmp_path / "parts")
    assert np.array_equal(again.outputs, whole.outputs)
    # On accelerators the weights are used as floats, of 16 bits: rounding both ways takes 0.033.
    floats = _float_reader(target, whole.layers, "cpu")(np.stack(texts[:2]))
    assert np.abs(floats - whole.outputs[:2]).mean() < 0.04 * np.abs(floats).mean()
    with pytest.raises(UsageError, match="other texts"):
        compute_features(target, texts[:-1], (0,), tmp_path / "parts")
    with pytest.raises(ModelError, match="lack layer 7"):
        whole.places_of((7,))


def test_training_stopped_and_taken_up_again_gives_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def stop(done: int, total: int, loss: float) -> None:
        seen.append(done)
        if len(seen) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(training, "Schedule", lambda *own, **more: Schedule(*own, save_every=3, **more))
    trained(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "parts", training=stop)
    trained(tmp_path / "parts")
    assert weights(tmp_path / "parts") == weights(tmp_path / "whole")
    log = (tmp_path / "parts" / "log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in log] == [str(step) for step in range(6)]
    with pytest.raises(UsageError, match="other settings"):
        trained(tmp_path / "parts", seed=1)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_trained_draft_comes_back_and_drafts(architecture: str, tmp_path: Path) -> None:
    trained(tmp_path, steps=2, architecture=architecture, draft_rows=60)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["speculators_model_type"] == architecture
    assert config["draft_vocab_size"] == 60
    target = tiny("llama")
    drafter = new_drafter(str(tmp_path), target)
    prompts = [prompt_rows(target, text, chat=False) for text in ("the quick", "to be")]
    found = evaluate(target, drafter, prompts, most=12, size=TreeSize(8, 3, 2))
    plain = evaluate(target, new_drafter("none", target), prompts, most=12, size=TreeSize(8, 3, 2))
    assert found.tokens == plain.tokens
    assert plain.acceptance_length.value == 1
    assert 1 <= found.acceptance_length.low <= found.acceptance_length.value <= found.acceptance_length.high <= 4


def test_half_precision_is_half_as_large(tmp_path: Path) -> None:
    trained(tmp_path / "full", steps=1)
    save_draft(load_draft(tmp_path / "full", tiny("llama")), tmp_path / "half", half=True)
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("full", "half")]
    assert sizes[1] < 0.6 * sizes[0]
    load_draft(tmp_path / "half", tiny("llama"))


def test_damaged_drafts_give_one_clear_error(tmp_path: Path) -> None:
    trained(tmp_path / "good", steps=1)

    def broken(name: str, content: bytes | None) -> Path:
        folder = tmp_path / "bad"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(tmp_path / "good", folder)
        (folder / name).unlink()
        if content is not None:
            (folder / name).write_bytes(content)
        return folder

    model = (tmp_path / "good" / "model.safetensors").read_bytes()
    config = json.loads((tmp_path / "good" / "config.json").read_text())
    config["foretell"]["feed_forward"] += 16
    for name, content, message in (
        ("config.json", None, "no draft"),
        ("config.json", b"{", "damaged config.json"),
        ("config.json", b"[]", "damaged config.json"),
        ("config.json", json.dumps(config).encode(), "does not fit its config.json"),
        ("model.safetensors", None, "missing or damaged"),
        ("model.safetensors", model[: len(model) // 2], "missing or damaged"),
        ("model.safetensors", b"\xff" * 100, "missing or damaged"),
    ):
        with pytest.raises(ModelError, match=message):
            load_draft(broken(name, content), tiny("llama"))
    with pytest.raises(ModelError, match=r"width|tokens|digest"):
        load_draft(tmp_path / "good", tiny("gemma"))


def test_every_text_is_used_once_before_any_is_used_again() -> None:
    schedule = Schedule(10, batch=4, seed=3)
    used = np.concatenate([schedule.texts(step, 8) for step in range(6)])
    for begin in range(0, 24, 8):
        assert sorted(used[begin : begin + 8]) == list(range(8))
    assert used[:8].tolist() != used[8:16].tolist()
    rates = [schedule.rate(step) for step in range(10)]
    assert rates[0] == 1
    assert rates == sorted(rates, reverse=True)


def test_step_acceptance_is_conditional() -> None:
    assert step_acceptance(np.array([0, 0, 1, 3]), 4) == (0.5, 0.5, 1.0, 0.0)
    assert step_acceptance(np.array([0, 0]), 2) == (0.0,)


def test_unknown_architectures_and_short_texts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no architecture is called 'nonsense'"):
        trained(tmp_path, architecture="nonsense")
    with pytest.raises(UsageError, match="no text is long enough"):
        train_drafter(tiny("llama"), [b"short"], tmp_path, length=256)
