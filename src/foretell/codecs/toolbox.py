"""The codecs of one archive, made when they are first needed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol, cast

from foretell.codecs.base import (
    AUDIO,
    BYTES,
    DEFAULT_LEVEL,
    IMAGE,
    MODEL_CODECS,
    OCTETS,
    REPEAT,
    TEXT,
    VIDEO,
    FrameCodec,
)
from foretell.codecs.lanes import ABREAST
from foretell.codecs.parallel import ParallelCodec
from foretell.errors import CorruptArchiveError, ModelError
from foretell.exact.threads import thread_count

if TYPE_CHECKING:
    from foretell.codecs.audio.codec import AudioCodec
    from foretell.codecs.image.codec import ImageCodec
    from foretell.codecs.pixels.codec import PixelsCodec
    from foretell.codecs.video.codec import VideoCodec
    from foretell.models.decoder import Decoder
    from foretell.models.registry import Model


class TextFrameCodec(FrameCodec, Protocol):
    """A frame codec for text, with the frame size that suits it, that tells how many bytes it has just done."""

    frame_bytes: int
    progress: Callable[[int], None] | None


@contextlib.contextmanager
def telling(codec: FrameCodec, progress: Callable[[int], None] | None) -> Iterator[None]:
    """Have a codec, if it can, call ``progress`` with the number of bytes that it has just done."""
    slow = cast(TextFrameCodec, codec) if codec.id in (*MODEL_CODECS, IMAGE, VIDEO) else None
    if slow:
        slow.progress = progress
    try:
        yield
    finally:
        if slow:
            slow.progress = None


def load_model(name: str) -> Model:
    """Model of a registry name or path."""
    from foretell.models import registry

    return registry.load_any(name)


def load_model_by_digest(digest: bytes) -> Model:
    """Model that an archive names."""
    from foretell.models import registry

    return registry.load_by_digest(digest)


def new_text_codec(model: Model, level: int) -> TextFrameCodec:
    """Text codec of a model at a level."""
    from foretell.codecs.text import TextCodec

    if model.vocabulary is None:
        raise ModelError(f"{model.name} is no model of text", "leave out --codec text, or choose another model")
    return TextCodec(cast("Decoder", model), level)


def new_bytes_codec(model: Model, level: int) -> TextFrameCodec:
    """Codec for any bytes of a model at a level."""
    from foretell.codecs.bytes import BytesCodec

    return BytesCodec(model, level)


def new_pixels_codec(model: Model, level: int) -> PixelsCodec:
    """Codec for pictures of a model."""
    from foretell.codecs.pixels.codec import PixelsCodec

    return PixelsCodec(model)


def purpose_of(name: str) -> str:
    """What a model is for: ``text``, ``bytes`` or ``pixels``; known language models need not be loaded for it."""
    from foretell.models.known import KNOWN

    if name in (known.name for known in KNOWN):
        return "text"
    return getattr(_model_by_name(name), "purpose", "text")


def octets_memory(level: int, size: int) -> int:
    """Bytes of memory, about, that coding ``size`` bytes as octets takes."""
    from foretell.codecs.octets import memory_needed

    return memory_needed(level, size)


def _new_stored() -> FrameCodec:
    from foretell.codecs.stored import StoredCodec

    return StoredCodec()


def _new_repeat() -> FrameCodec:
    from foretell.codecs.repeat import RepeatCodec

    return RepeatCodec()


def _new_octets(level: int) -> FrameCodec:
    from foretell.codecs.octets import OctetsCodec

    return ParallelCodec("octets", OCTETS, OctetsCodec(level))


def new_audio_codec(level: int) -> AudioCodec:
    """Audio codec of a level."""
    from foretell.codecs.audio.codec import AudioCodec

    return AudioCodec(level)


def new_image_codec(level: int = DEFAULT_LEVEL) -> ImageCodec:
    """Image codec of a level."""
    from foretell.codecs.image.codec import ImageCodec

    return ImageCodec(level)


def new_video_codec() -> VideoCodec:
    """Video codec."""
    from foretell.codecs.video.codec import VideoCodec

    return VideoCodec()


# The last model and codec are kept: concatenated archives mostly share a model, and so do files of one command.
@lru_cache(maxsize=1)
def _model_by_name(name: str) -> Model:
    return load_model(name)


@lru_cache(maxsize=1)
def _model_by_digest(digest: bytes) -> Model:
    model = load_model_by_digest(digest)
    if model.digest != digest:
        raise ModelError(
            f"model {model.name} has digest {model.digest.hex()[:12]}, the archive needs {digest.hex()[:12]}",
            "remove the model from the cache and pull it again",
        )
    return model


@lru_cache(maxsize=1)
def _codec_of(wanted: str | bytes, level: int, codec_id: int) -> tuple[Model, FrameCodec]:
    model = _model_by_digest(wanted) if isinstance(wanted, bytes) else _model_by_name(wanted)
    if codec_id == TEXT:
        return model, new_text_codec(model, level)
    return model, new_bytes_codec(model, level) if codec_id == BYTES else new_pixels_codec(model, level)


def forget_text_codecs() -> None:
    """Let go of the models that are kept for the next archive."""
    for kept in (_codec_of, _model_by_name, _model_by_digest):
        kept.cache_clear()


class Toolbox:
    """Makes codecs on demand, so that a model is loaded only for archives that have text.

    Parameters
    ----------
    level : int
        Level of the archive, 1 to 9.
    model : str or bytes, optional
        Registry name or path (to pack) or SHA-256 (to unpack) of the language model.
    """

    def __init__(self, level: int, model: str | bytes | None = None) -> None:
        self.level = level
        self._wanted = model
        self._codecs: dict[int, FrameCodec] = {}
        self.model: Model | None = None

    def codec(self, codec_id: int) -> FrameCodec:
        """Codec of a number."""
        if codec_id not in self._codecs:
            self._codecs[codec_id] = self._new(codec_id)
        return self._codecs[codec_id]

    def _new(self, codec_id: int) -> FrameCodec:
        if codec_id in MODEL_CODECS:
            return self._modelled(codec_id)
        if codec_id == OCTETS:
            return _new_octets(self.level)
        if codec_id == IMAGE:
            return new_image_codec(self.level)
        if codec_id == VIDEO:
            return new_video_codec()
        if codec_id == AUDIO:
            return ParallelCodec("audio", AUDIO, new_audio_codec(self.level))
        return _new_repeat() if codec_id == REPEAT else _new_stored()

    def text(self) -> TextFrameCodec:
        """Text codec; its model is loaded, and found in ``self.model``, from the first call on."""
        return cast(TextFrameCodec, self.codec(TEXT))

    def _modelled(self, codec_id: int) -> FrameCodec:
        """A codec that needs the model."""
        if self._wanted is None:
            raise CorruptArchiveError("a frame comes before the model it needs", "fetch or make the file anew")
        self.model, codec = _codec_of(self._wanted, self.level, codec_id)
        return codec

    def batch_frames(self, codec_id: int) -> int:
        """Most frames that are worth decoding in one call."""
        if codec_id == TEXT:
            return ABREAST
        # A frame of pictures or video fills all cores by itself; other codecs use one thread for each frame.
        return 1 if codec_id in (*MODEL_CODECS, IMAGE, VIDEO) else thread_count()
