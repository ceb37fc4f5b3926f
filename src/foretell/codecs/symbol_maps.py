"""Which tokens of a model stand for bytes or for numbers from 0 to 255."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from foretell.errors import ModelError
from foretell.models.vocabulary import Vocabulary

BYTE_TOKENS: Final = 0
NUMBER_TOKENS: Final = 1
TOKEN_CHOICES: Final = {"bytes": BYTE_TOKENS, "numbers": NUMBER_TOKENS}


def symbol_rows(vocabulary: Vocabulary | None, kind: int) -> NDArray[np.int32]:
    """Token of each value from 0 to 255.

    Parameters
    ----------
    vocabulary : Vocabulary or None
        Of the model; without one its tokens are bytes already.
    kind : int
        BYTE_TOKENS: the token that spells the single byte; NUMBER_TOKENS: the one that spells the number in decimal.

    Raises
    ------
    ModelError
        If the numbers are not all single tokens.
    """
    if vocabulary is None:
        if kind == NUMBER_TOKENS:
            raise ModelError("the model reads bytes and has no tokens for numbers", "use --tokens bytes")
        return np.arange(256, dtype=np.int32)
    spelled = [str(value).encode() if kind == NUMBER_TOKENS else bytes([value]) for value in range(256)]
    missing = [text for text in spelled if text not in vocabulary.row_of_bytes]
    if missing:
        raise ModelError(
            f"the model has no single token for {len(missing)} of the numbers 0 to 255, such as {missing[0].decode()}",
            "use --tokens bytes, or another model",
        )
    return np.array([vocabulary.row_of_bytes[text] for text in spelled], np.int32)


def spell(vocabulary: Vocabulary, text: bytes) -> NDArray[np.int32]:
    """Tokens that spell a text, each the longest that fits: the same on every machine, whatever its tokenizer does.

    >>> vocabulary = Vocabulary.build({0: b"to", 1: b"token"}, [], "")
    >>> [vocabulary.leaves[row] for row in spell(vocabulary, b"tokens")]
    [b'token', b's']
    """
    rows, longest = [], max(map(len, vocabulary.leaves))
    while text:
        size = next(n for n in range(min(longest, len(text)), 0, -1) if text[:n] in vocabulary.row_of_bytes)
        rows.append(vocabulary.row_of_bytes[text[:size]])
        text = text[size:]
    return np.array(rows, np.int32)
