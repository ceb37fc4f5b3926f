"""A vocabulary as byte strings: what each token spells, in lexicographic order.

Codecs work with *leaves*: the distinct byte strings of the ordinary tokens, sorted, together with the
single bytes that no token spells, so that any data can be written. Rows of the exact model follow the
same order: leaves first, then the special tokens.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray


def byte_level_alphabet() -> dict[str, int]:
    """Character to byte map of byte-level BPE: printable Latin-1 stands for itself, the rest from U+0100 on."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + i): byte for i, byte in enumerate(others)}


@dataclass(frozen=True)
class Vocabulary:
    """Leaves and special tokens of a tokenizer, and the tokenizer itself.

    Attributes
    ----------
    leaves : tuple of bytes
        Distinct byte strings in lexicographic order, all 256 single bytes among them.
    ids : ndarray of int32
        The tokenizer's id of each row: of the leaves (-1 where no token spells it), then of the specials.
    tokenizer : str
        The tokenizer in the JSON form of the ``tokenizers`` package.
    """

    leaves: tuple[bytes, ...]
    ids: NDArray[np.int32]
    tokenizer: str

    @classmethod
    def build(cls, spelled: dict[int, bytes], specials: list[int], tokenizer: str) -> Vocabulary:
        """Vocabulary from what each ordinary id spells; of ids that spell the same, the lowest stands for all."""
        by_bytes: dict[bytes, int] = {}
        for index in sorted(spelled):
            if spelled[index]:
                by_bytes.setdefault(spelled[index], index)
        for byte in range(256):
            by_bytes.setdefault(bytes([byte]), -1)
        leaves = tuple(sorted(by_bytes))
        ids = [by_bytes[leaf] for leaf in leaves] + sorted(specials)
        return cls(leaves, np.array(ids, np.int32), tokenizer)

    @cached_property
    def row_of_id(self) -> dict[int, int]:
        """Row of each tokenizer id."""
        return {int(index): row for row, index in enumerate(self.ids) if index >= 0}

    @cached_property
    def row_of_bytes(self) -> dict[bytes, int]:
        """Row of each leaf."""
        return {leaf: row for row, leaf in enumerate(self.leaves)}

    @cached_property
    def unspelled(self) -> NDArray[np.int32]:
        """Leaves that no token of the model spells; they get the smallest frequency."""
        return np.flatnonzero(self.ids[: len(self.leaves)] < 0).astype(np.int32)

    @cached_property
    def _encoder(self) -> Any:
        from tokenizers import Tokenizer

        return Tokenizer.from_str(self.tokenizer)

    def encode(self, data: bytes) -> NDArray[np.int32]:
        """Leaves that spell ``data`` exactly, whatever the bytes are.

        Valid UTF-8 goes through the model's tokenizer; every stretch that does not come back byte for
        byte (invalid sequences, what a tokenizer normalises) is spelled byte by byte.
        """
        rows: list[int] = []
        for text, raw in _split_utf8(data):
            rows.extend(
                self._encode_text(text, raw) if text else (self.row_of_bytes[raw[i : i + 1]] for i in range(len(raw)))
            )
        return np.array(rows, np.int32)

    def _encode_text(self, text: str, raw: bytes) -> list[int]:
        encoding = self._encoder.encode(text, add_special_tokens=False)
        known = self.row_of_id
        rows = [known.get(index, -1) for index in encoding.ids]
        if -1 not in rows and self.spell(rows) == raw:
            return rows
        if len(raw) <= 64:
            return [self.row_of_bytes[raw[i : i + 1]] for i in range(len(raw))]
        middle = len(text) // 2
        head, tail = text[:middle], text[middle:]
        return self._encode_text(head, head.encode()) + self._encode_text(tail, tail.encode())

    def spell(self, rows: NDArray[np.int32] | list[int]) -> bytes:
        """The bytes that leaves stand for."""
        leaves = self.leaves
        return b"".join([leaves[row] for row in rows])

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Arrays that hold the vocabulary in a model file."""
        lengths = np.array([len(leaf) for leaf in self.leaves], np.int32)
        joined = np.frombuffer(b"".join(self.leaves), np.uint8)
        tokenizer = np.frombuffer(self.tokenizer.encode(), np.uint8)
        return {"leaf_lengths": lengths, "leaf_bytes": joined, "row_ids": self.ids, "tokenizer": tokenizer}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]]) -> Vocabulary:
        """Inverse of :meth:`to_arrays`."""
        joined = arrays["leaf_bytes"].tobytes()
        ends = np.cumsum(arrays["leaf_lengths"]).tolist()
        leaves = tuple(joined[a:b] for a, b in zip([0, *ends[:-1]], ends, strict=True))
        return cls(leaves, arrays["row_ids"].astype(np.int32), arrays["tokenizer"].tobytes().decode())


def _split_utf8(data: bytes) -> list[tuple[str, bytes]]:
    """Cut data into stretches of valid UTF-8, (text, its bytes), and invalid ones, ("", bytes)."""
    parts: list[tuple[str, bytes]] = []
    position = 0
    while position < len(data):
        try:
            parts.append((data[position:].decode("utf-8"), data[position:]))
            break
        except UnicodeDecodeError as error:
            begin, end = position + error.start, position + error.end
            if begin > position:
                parts.append((data[position:begin].decode("utf-8"), data[position:begin]))
            parts.append(("", data[begin:end]))
            position = end
    return parts


def byte_level_tokenizer(tokens: list[str], merges: list[str], split_digits: bool) -> str:
    """JSON of a byte-level BPE tokenizer without special tokens, so that text that spells one stays text."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    pairs = [(left, right) for left, _, right in (merge.partition(" ") for merge in merges)]
    tokenizer = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, pairs))
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    digits = [pre_tokenizers.Digits(individual_digits=True)] if split_digits else []
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*digits, byte_level])
    return str(tokenizer.to_str())


def sentencepiece_tokenizer(tokens: list[str], scores: list[float], types: list[int]) -> str:
    """JSON of a BPE tokenizer equal to a SentencePiece BPE model with byte fallback.

    The order of merges follows from the scores: a merge is as early as the piece that it makes.
    """
    from tokenizers import Tokenizer, decoders, models

    index = {token: i for i, token in enumerate(tokens)}
    ordinary = [i for i, kind in enumerate(types) if kind in (1, 4)]
    merges: list[tuple[float, int, int, tuple[str, str]]] = []
    for i in ordinary:
        token = tokens[i]
        for cut in range(1, len(token)):
            left, right = token[:cut], token[cut:]
            if left in index and right in index:
                merges.append((-scores[i], index[left], index[right], (left, right)))
    merges.sort()
    model = models.BPE(index, [pair for *_, pair in merges], fuse_unk=True, byte_fallback=True, unk_token="<unk>")
    tokenizer = Tokenizer(model)
    tokenizer.decoder = decoders.ByteFallback()
    specification = json.loads(tokenizer.to_str())
    specification["normalizer"] = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}
    specification["pre_tokenizer"] = {
        "type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False,
    }  # fmt: skip
    return json.dumps(specification, ensure_ascii=False)
