"""How models that answer questions want to be asked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foretell.errors import UsageError
from foretell.models.decoder import Decoder


@dataclass(frozen=True)
class ChatFormat:
    """Marks around messages, as ids of special tokens, and what the model is told first."""

    begin: int
    end: int
    system: str


FORMATS = {
    "smollm2-135m": ChatFormat(1, 2, "You are a helpful AI assistant named SmolLM, trained by Hugging Face"),
}
"""Chat formats by the name of the model."""


def prompt_rows(target: Decoder, prompt: str, chat: bool) -> NDArray[np.int32]:
    """Rows that a target reads before it answers, or goes on with, a prompt.

    Raises
    ------
    UsageError
        If no chat format is known for the target.
    """
    encode = target.vocabulary.encode
    if not chat:
        return np.concatenate([np.array([target.start], np.int32), encode(prompt.encode())])
    form = FORMATS.get(target.name)
    if form is None:
        raise UsageError(f"no chat format is known for {target.name}; let it go on with the prompt as it is (raw)")
    row = target.vocabulary.row_of_id
    parts: list[NDArray[np.int32]] = []
    for role, text in (("system", form.system), ("user", prompt)):
        message = encode(f"{role}\n{text}".encode())
        parts += [np.array([row[form.begin]], np.int32), message, np.array([row[form.end]], np.int32), encode(b"\n")]
    rows: NDArray[np.int32] = np.concatenate([*parts, np.array([row[form.begin]], np.int32), encode(b"assistant\n")])
    return rows
