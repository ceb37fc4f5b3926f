"""Fixtures for all tests: a text codec that needs no model."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator, Sequence

import pytest

from foretell.codecs import toolbox
from foretell.errors import MissingModelError


class FakeModel:
    name = "fake"
    digest = hashlib.sha256(b"fake").digest()


class FakeTextCodec:
    """zlib in the place of a language model."""

    name = "text"
    id = 3
    frame_bytes = 4096
    progress: Callable[[int], None] | None = None

    def __init__(self, model: FakeModel, level: int) -> None:
        self.level = level

    def encode_frames(self, frames: Sequence[bytes]) -> list[bytes]:
        payloads = []
        for frame in frames:
            payloads.append(zlib.compress(frame, self.level))
            if self.progress:
                self.progress(len(frame))
        return payloads

    def decode_frames(self, payloads: Sequence[tuple[bytes, int]]) -> list[bytes]:
        return [zlib.decompress(payload) for payload, _ in payloads]


def _load_by_digest(digest: bytes) -> FakeModel:
    if digest != FakeModel.digest:
        raise MissingModelError("the model is not on this machine", "run foretell models pull fake")
    return FakeModel()


@pytest.fixture
def fake_text(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[FakeModel]]:
    """Replace the language model by zlib."""
    toolbox.forget_text_codecs()
    monkeypatch.setattr(toolbox, "load_model", lambda name: FakeModel())
    monkeypatch.setattr(toolbox, "load_model_by_digest", _load_by_digest)
    monkeypatch.setattr(toolbox, "new_text_codec", FakeTextCodec)
    yield FakeModel
    toolbox.forget_text_codecs()
