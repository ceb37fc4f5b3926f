"""Which codec for which bytes: cuts a segment into frames and keeps what is smallest."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, cast

from foretell.codecs.base import BYTES, IMAGE, OCTETS, PIXELS, REPEAT, STORED, TEXT, VIDEO, EncodedFrame, Settings
from foretell.codecs.detect import text_ranges
from foretell.codecs.repeat import split_runs
from foretell.codecs.toolbox import (
    Toolbox,
    new_audio_codec,
    new_image_codec,
    new_video_codec,
    purpose_of,
    telling,
)
from foretell.errors import VerificationError

if TYPE_CHECKING:
    from foretell.codecs.audio.containers import Sound
    from foretell.codecs.bytes import BytesCodec
    from foretell.codecs.image.containers import Part, PartLayout
    from foretell.codecs.pixels.codec import PixelsCodec

SEGMENT_BYTES = 1 << 22
"""Raw bytes that are looked at together, and the most that share the adaptive model of one frame."""

Progress = Callable[[int], None]

FRAME_COST = 16
"""Bytes that a frame costs besides its payload, about."""
MODEL_COST = 39
"""Bytes that naming a model costs."""
_SMALL_PICTURE = 1 << 16
_FLAT_PICTURE = 8

log = logging.getLogger(__name__)


def encode_segment(
    data: bytes, settings: Settings, tools: Toolbox, progress: Progress | None = None
) -> list[EncodedFrame]:
    """Frames whose raw bytes, joined, are the segment.

    Parameters
    ----------
    data : bytes
        Up to SEGMENT_BYTES of the stream.
    settings : Settings
        What the user asked for.
    tools : Toolbox
        Codecs; ``tools.model`` is set afterwards if any frame is text.
    progress : callable, optional
        Called with numbers of bytes that a language model has just been through.
    """
    if settings.codec == "stored":
        frames = [_stored(data)]
    else:
        frames = []
        for start, end, is_run in split_runs(data):
            piece = data[start:end]
            if is_run:
                frames.append(EncodedFrame(len(piece), REPEAT, piece[:1]))
            else:
                frames += _encode(piece, settings, tools, progress)
    frames = _join_stored(frames)
    if settings.verify:
        verify(data, frames, tools)
    return frames


def find_sound_in(head: bytes, settings: Settings) -> Sound | None:
    """Samples of sound in a stream, from its first segment or as the settings say."""
    if settings.codec not in ("auto", "audio"):
        return None
    from foretell.codecs.audio.containers import ENDLESS, Sound, find_sound
    from foretell.codecs.audio.pcm import parse_format

    return Sound(0, ENDLESS, parse_format(settings.samples)) if settings.samples else find_sound(head)


def encode_sound_segment(
    data: bytes, position: int, sound: Sound, settings: Settings, tools: Toolbox, progress: Progress | None = None
) -> list[EncodedFrame]:
    """As :func:`encode_segment`, for a segment that begins at ``position`` of a stream with sound.

    Whatever is not samples is given to no language model, so that segments can be encoded side by side.
    """
    from foretell.codecs.audio.segments import encode_sound

    codec = new_audio_codec(settings.level)
    codec.progress = progress
    frames = encode_sound(data, position, sound, codec, lambda rest: _code([rest], OCTETS, tools))
    frames = _join_stored(frames)
    if settings.verify:
        verify(data, frames, tools)
    return frames


def find_picture_in(head: bytes, settings: Settings) -> list[Part]:
    """Parts of a stream that is a picture, from its first segment; none if it is not."""
    if settings.codec not in ("auto", "image", "video", "pixels"):
        return []
    from foretell.codecs.image.containers import bands, parts_of
    from foretell.codecs.image.shapes import parse_shape

    return bands(parse_shape(settings.shape)) if settings.shape else parts_of(head)


def wanted_for_picture(head: bytes, settings: Settings) -> int:
    """Bytes that :func:`find_picture_in` wants beyond a first segment."""
    if settings.codec not in ("auto", "image", "video", "pixels") or settings.shape:
        return 0
    from foretell.codecs.image.containers import wants

    return wants(head)


def encode_picture_segment(
    data: bytes, layout: PartLayout, settings: Settings, tools: Toolbox, progress: Progress | None = None
) -> list[EncodedFrame]:
    """As :func:`encode_segment`, for bytes that make up a picture as ``layout`` says."""
    if settings.codec == "pixels":
        payload, codec_id = _encode_pixels(data, layout, settings, tools, progress)
    else:
        payload, codec_id = _encode_picture(data, layout, settings.level, progress)
    if payload is None:
        log.info("this file's picture cannot be coded as such; it is kept as other bytes")
    if payload is None or len(payload) >= len(data):
        pieces = [data[start : start + SEGMENT_BYTES] for start in range(0, len(data), SEGMENT_BYTES)]
        return [frame for piece in pieces for frame in encode_segment(piece, settings, tools, progress)]
    frames = [EncodedFrame(len(data), codec_id, payload)]
    # Drawings and tiny pictures may repeat themselves in ways that bytes tell better.
    if settings.codec == "auto" and (len(data) <= _SMALL_PICTURE or len(payload) * _FLAT_PICTURE < len(data)):
        frames = _smaller(frames, _code([data], OCTETS, tools))
    if settings.verify:
        verify(data, frames, tools)
    return frames


def _encode_picture(data: bytes, layout: PartLayout, level: int, progress: Progress | None) -> tuple[bytes | None, int]:
    from foretell.codecs.video.y4m import VideoLayout

    if isinstance(layout, VideoLayout):
        video = new_video_codec()
        video.progress = progress
        return video.encode(data, layout), VIDEO
    image = new_image_codec(level)
    image.progress = progress
    return image.encode(data, layout), IMAGE


def _encode_pixels(
    data: bytes, layout: PartLayout, settings: Settings, tools: Toolbox, progress: Progress | None
) -> tuple[bytes | None, int]:
    """A picture by the model, or where its samples are not the model's kind by the image codec."""
    codec = cast("PixelsCodec", tools.codec(PIXELS))
    with telling(codec, progress):
        payload = codec.encode(data, layout, settings.tokens)
    if payload is not None:
        return payload, PIXELS
    log.warning("the model cannot code this kind of picture; it is coded without")
    return _encode_picture(data, layout, settings.level, progress)


def settle(settings: Settings) -> Settings:
    """Settings without ``auto`` where the model decides: one of bytes or of pictures codes what it is for."""
    if settings.codec != "auto":
        return settings
    purpose = purpose_of(settings.model)
    return settings if purpose == "text" else replace(settings, codec="bytes" if purpose == "bytes" else "pixels")


def _stored(data: bytes) -> EncodedFrame:
    return EncodedFrame(len(data), STORED, data)


def _join_stored(frames: list[EncodedFrame]) -> list[EncodedFrame]:
    """Make one frame of neighbouring stored ones."""
    joined: list[EncodedFrame] = []
    for codec_id, group in groupby(frames, lambda frame: frame.codec_id):
        if codec_id == STORED:
            joined.append(_stored(b"".join(frame.payload for frame in group)))
        else:
            joined += group
    return joined


def _encode(data: bytes, settings: Settings, tools: Toolbox, progress: Progress | None) -> list[EncodedFrame]:
    """Frames of bytes that are no run: text, octets or stored."""
    if settings.codec == "text":
        return _encode_text(data, tools, progress)
    if settings.codec == "bytes":
        return _encode_bytes(data, settings, tools, progress)
    octets = _code([data], OCTETS, tools)
    if (
        settings.codec in ("octets", "image", "video", "audio", "pixels")
        or settings.level == 1
        or _cost(octets) <= MODEL_COST + FRAME_COST
    ):
        return octets
    ranges = text_ranges(data)
    if not any(is_text for _, _, is_text in ranges):
        return octets
    mixed: list[EncodedFrame] = []
    for start, end, is_text in ranges:
        piece = data[start:end]
        rival = octets if len(piece) == len(data) else _code([piece], OCTETS, tools)
        mixed += _smaller(_encode_text(piece, tools, progress), rival) if is_text else rival
    return mixed if _cost(mixed) + MODEL_COST < _cost(octets) else octets


def _smaller(first: list[EncodedFrame], second: list[EncodedFrame]) -> list[EncodedFrame]:
    return first if _cost(first) < _cost(second) else second


def _encode_text(data: bytes, tools: Toolbox, progress: Progress | None) -> list[EncodedFrame]:
    """Text frames."""
    codec = tools.text()
    pieces = [data[start : start + codec.frame_bytes] for start in range(0, len(data), codec.frame_bytes)]
    with telling(codec, progress):
        return _code(pieces, TEXT, tools)


def _encode_bytes(data: bytes, settings: Settings, tools: Toolbox, progress: Progress | None) -> list[EncodedFrame]:
    """Frames of bytes by the model."""
    codec = cast("BytesCodec", tools.codec(BYTES))
    codec.choose_tokens(settings.tokens)
    pieces = [data[start : start + codec.frame_bytes] for start in range(0, len(data), codec.frame_bytes)]
    with telling(codec, progress):
        return _code(pieces, BYTES, tools)


def _code(pieces: Sequence[bytes], codec_id: int, tools: Toolbox) -> list[EncodedFrame]:
    """One frame for each piece, stored where the codec does not help."""
    payloads = tools.codec(codec_id).encode_frames(pieces)
    return [
        EncodedFrame(len(piece), codec_id, payload) if len(payload) < len(piece) else _stored(piece)
        for piece, payload in zip(pieces, payloads, strict=True)
    ]


def _cost(frames: Sequence[EncodedFrame]) -> int:
    return sum(len(frame.payload) + FRAME_COST for frame in frames)


def verify(data: bytes, frames: Sequence[EncodedFrame], tools: Toolbox) -> None:
    """Decode frames and compare.

    Raises
    ------
    VerificationError
        If any frame does not give its bytes back.
    """
    position = 0
    for codec_id, group in groupby(frames, lambda frame: frame.codec_id):
        batch = list(group)
        codec = tools.codec(codec_id)
        raws = codec.decode_frames([(frame.payload, frame.raw_size) for frame in batch])
        size = sum(frame.raw_size for frame in batch)
        if b"".join(raws) != data[position : position + size]:
            raise VerificationError(
                f"{codec.name} does not restore {size} bytes", "pack with --codec stored and report a bug"
            )
        position += size
