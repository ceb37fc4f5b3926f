"""Texts as word pieces with character offsets, cut into overlapping windows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.errors import ModelError

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SHAPES = ("other", "lower", "Title", "UPPER", "Upper initial alone", "miXed", "digits", "letters and digits", "mark")
_CHUNK = 100_000
_SPACE = re.compile(r"\s")
_SURROGATE = re.compile("[\ud800-\udfff]")
_REPLACEMENT = "\ufffd"


@dataclass(frozen=True)
class Pieces:
    """Word pieces of a text, n of them.

    Attributes
    ----------
    ids : (n,) int
        Of the encoder's vocabulary.
    starts, ends : (n,) int
        Characters of the text that a piece stands for, white space around it left out.
    words : (n,) int
        Number of the word that a piece belongs to.
    shapes : (n,) int
        Shape of that word, an index into ``SHAPES``.
    """

    ids: Ints
    starts: Ints
    ends: Ints
    words: Ints
    shapes: Ints

    def __len__(self) -> int:
        return len(self.ids)

    def edges(self, *, of_words: bool) -> tuple[Bools, Bools]:
        """Where a span may begin, and where it may end: pieces that stand for something, at the edges of words."""
        real = self.ends > self.starts
        if not of_words or not len(self):
            return real, real
        change = self.words[1:] != self.words[:-1]
        return real & np.concatenate(([True], change)), real & np.concatenate((change, [True]))

    def locate(self, start: int, end: int) -> tuple[int, int] | None:
        """First and last piece of the characters from start to end; None if no piece stands for them."""
        first = int(np.searchsorted(self.ends, start, side="right"))
        last = int(np.searchsorted(self.starts, end, side="left")) - 1
        return (first, last) if first <= last else None

    def cut(self, begin: int, end: int) -> Pieces:
        """Return pieces begin to end."""
        part = slice(begin, end)
        return Pieces(self.ids[part], self.starts[part], self.ends[part], self.words[part], self.shapes[part])


@dataclass(frozen=True)
class Window:
    """Pieces that the model sees at once.

    Attributes
    ----------
    document : int
        Number of the document.
    pieces : Pieces
        Offsets are those of the whole document.
    first : int
        Number of the first piece in the document.
    own : (int, int)
        Pieces of the window, first and end, that no other window has more context for. What begins there is this
        window's to find; every piece of a document is owned by one window.
    """

    document: int
    pieces: Pieces
    first: int
    own: tuple[int, int]


def cut_windows(pieces: Pieces, size: int, overlap: int, document: int = 0) -> list[Window]:
    """Cut a text into windows of at most ``size`` pieces that share ``overlap``; shared ones are owned half and half.

    Examples
    --------
    >>> ten = np.arange(10)
    >>> [(w.first, w.own) for w in cut_windows(Pieces(ten, ten, ten + 1, ten, ten), 6, 2)]
    [(0, (0, 5)), (4, (1, 6))]
    """
    windows = []
    first, begin = 0, 0
    while first < len(pieces):
        end = min(first + size, len(pieces))
        stop = end if end == len(pieces) else end - overlap // 2
        windows.append(Window(document, pieces.cut(first, end), first, (begin - first, stop - first)))
        if end == len(pieces):
            break
        begin, first = stop, end - overlap
    return windows


class PieceTokenizer:
    """A ``tokenizers`` tokenizer that gives pieces with character offsets.

    Parameters
    ----------
    tokenizer : tokenizers.Tokenizer
        Of the encoder.
    """

    def __init__(self, tokenizer: Any) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        framed = tokenizer.encode("a", add_special_tokens=True).ids
        bare = tokenizer.encode("a", add_special_tokens=False).ids
        place = next((i for i in range(len(framed)) if framed[i : i + len(bare)] == bare), None)
        if not bare or place is None:
            raise ModelError("the tokenizer does not frame texts with special tokens", "use a BERT-like encoder")
        self.prefix: list[int] = framed[:place]
        self.suffix: list[int] = framed[place + len(bare) :]
        if not self.prefix or not self.suffix:
            raise ModelError("the tokenizer has no tokens for begin and end", "use a BERT-like encoder")
        self.lowers_case: bool = tokenizer.encode("NATO Ada").tokens == tokenizer.encode("nato ada").tokens

    @classmethod
    def from_file(cls, path: Path) -> PieceTokenizer:
        """Read a ``tokenizer.json``."""
        from tokenizers import Tokenizer

        try:
            return cls(Tokenizer.from_file(str(path)))
        except ModelError:
            raise
        except Exception as error:  # the library raises bare exceptions
            raise ModelError(f"{path}: cannot be read ({error})", "the folder needs a fast tokenizer") from error

    def save(self, path: Path) -> None:
        """Write a ``tokenizer.json``."""
        self._tokenizer.save(str(path))

    def split(self, text: str) -> Pieces:
        """Cut a text into pieces.

        Lone surrogates, which are no characters, are read as U+FFFD; offsets count the text as it is. Long texts
        are tokenized in parts, cut at white space, so that memory stays in bounds.
        """
        clean = _SURROGATE.sub(_REPLACEMENT, text)
        parts = [self._split_part(clean, begin, end) for begin, end in _parts(clean)]
        for before, after in pairwise(parts):
            after.words[:] += before.words[-1] + 1 if len(before.words) else 0
        columns = [
            np.concatenate([getattr(part, name) for part in parts]) if parts else np.zeros(0, np.int64)
            for name in ("ids", "starts", "ends", "words", "shapes")
        ]
        return Pieces(*columns)

    def _split_part(self, text: str, begin: int, end: int) -> Pieces:
        encoding = self._tokenizer.encode(text[begin:end], add_special_tokens=False)
        ids = np.array(encoding.ids, np.int64)
        offsets = [_trim(text, begin + start, begin + stop) for start, stop in encoding.offsets]
        starts, ends = np.array(offsets, np.int64).reshape(-1, 2).T
        words = _words(text, starts, ends, encoding.word_ids)
        return Pieces(ids, starts.copy(), ends.copy(), words, _shapes(text, starts, ends, words))


def _parts(text: str) -> list[tuple[int, int]]:
    """Parts of at most ``_CHUNK`` characters, cut at white space where there is any."""
    parts, begin = [], 0
    while begin < len(text):
        end = begin + _CHUNK
        if end < len(text):
            last = max((match.start() for match in _SPACE.finditer(text, end - 1000, end)), default=-1)
            end = last if last > begin else end
        parts.append((begin, min(end, len(text))))
        begin = end
    return parts


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return start, end


def _words(text: str, starts: Ints, ends: Ints, given: list[int | None]) -> Ints:
    """Number of each piece's word: the tokenizer's words, and within them runs of letters and digits, or of marks."""
    words = np.zeros(len(given), np.int64)
    for i in range(1, len(given)):
        before, after = text[ends[i - 1] - 1 : ends[i - 1]], text[starts[i] : starts[i] + 1]
        words[i] = words[i - 1] + (given[i] != given[i - 1] or before.isalnum() != after.isalnum())
    return words


def _shapes(text: str, starts: Ints, ends: Ints, words: Ints) -> Ints:
    """Shape of each piece's word."""
    shapes = np.zeros(len(words), np.int64)
    begin = 0
    for end in range(1, len(words) + 1):
        if end == len(words) or words[end] != words[begin]:
            shapes[begin:end] = word_shape(text[starts[begin] : ends[end - 1]])
            begin = end
    return shapes


@lru_cache(maxsize=1 << 16)
def word_shape(word: str) -> int:
    """Index into ``SHAPES`` of a word.

    Examples
    --------
    >>> [SHAPES[word_shape(word)] for word in ("Ada", "ada", "NATO", "A", "iPhone", "1815", "B52", "-")]
    ['Title', 'lower', 'UPPER', 'Upper initial alone', 'miXed', 'digits', 'letters and digits', 'mark']
    """
    if word.isdigit():
        return 6
    if not any(character.isalnum() for character in word):
        return 8 if word.strip() else 0
    if any(character.isdigit() for character in word):
        return 7
    if word.islower():
        return 1
    if word.isupper():
        return 4 if len(word) == 1 else 3
    if word[0].isupper() and word[1:].islower():
        return 2
    return 5 if word.lower() != word else 0
