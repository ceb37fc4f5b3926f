"""Frames of a stretch of a stream that holds samples of sound."""

from __future__ import annotations

import zlib
from collections.abc import Callable

from foretell.codecs.audio.codec import AudioCodec
from foretell.codecs.audio.containers import Sound
from foretell.codecs.base import AUDIO, REPEAT, EncodedFrame

MOST_TAKEN_ALONG = 128
"""Most bytes around samples that are worth less than a frame of their own."""
_REPETITIVE = 1.1
"""If a fast search for repetitions comes this near to the audio codec, the bytes are given to other codecs too."""

Others = Callable[[bytes], list[EncodedFrame]]
"""Frames of bytes that are not, or not only, sound."""


def encode_sound(data: bytes, position: int, sound: Sound, codec: AudioCodec, others: Others) -> list[EncodedFrame]:
    """Frames whose raw bytes, joined, are ``data``.

    Parameters
    ----------
    data : bytes
        A stretch of a stream.
    position : int
        Where in the stream it begins.
    sound : Sound
        Where in the stream samples lie.
    codec : AudioCodec
        What codes them.
    others : callable
        What codes everything else.
    """
    start, end = sound.within(position, position + len(data))
    block = sound.form.block
    start += -(position + start - sound.start) % block
    if end - start < block:
        return others(data)
    frames: list[EncodedFrame] = []
    if start > MOST_TAKEN_ALONG:
        frames += others(data[:start])
        data, end, start = data[start:], end - start, 0
    rest = b""
    if len(data) - end > MOST_TAKEN_ALONG:
        data, rest = data[:end], data[end:]
    frames += _encode(data, start, end, sound, codec, others)
    return frames + (others(rest) if rest else [])


def _encode(data: bytes, start: int, end: int, sound: Sound, codec: AudioCodec, others: Others) -> list[EncodedFrame]:
    """Frames of samples and a few bytes around them, by the audio codec unless others do better."""
    if data == data[:1] * len(data):
        return [EncodedFrame(len(data), REPEAT, data[:1])]
    payload = codec.encode_samples(data, sound.form, start, end)
    if payload is None or len(payload) >= len(data):
        return others(data)
    own = [EncodedFrame(len(data), AUDIO, payload)]
    if len(zlib.compress(data, 1)) > _REPETITIVE * len(payload):
        return own
    rival = others(data)
    return rival if sum(len(frame.payload) for frame in rival) < len(payload) else own
