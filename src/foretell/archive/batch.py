"""Decoding frames of one codec together, each checked, damage of one not touching the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from foretell.archive.layout import corrupt
from foretell.archive.records import Frame, frame_checksum
from foretell.codecs.base import CODEC_NAMES
from foretell.codecs.toolbox import Toolbox, telling
from foretell.errors import CorruptArchiveError, ForetellError, MemoryLimitError

DEFAULT_MEMORY = 1 << 30
"""Most bytes that frames may take in memory at one time, unless the caller says otherwise."""
_LARGEST_BATCH = 1 << 25


def check_memory(raw: int, coded: int, limit: int, frame: int | None = None) -> None:
    """Refuse a frame before memory is taken for it."""
    if raw + coded > limit:
        needed = -(-(raw + coded) // (1 << 20))
        raise MemoryLimitError(
            f"needs {needed} MiB, more than the limit", f"allow it with --memory {needed}M", frame=frame
        )


def belongs(batch: Sequence[Frame], frame: Frame, tools: Toolbox, limit: int) -> bool:
    """Whether a frame should be decoded together with a batch that is not empty."""
    kind = batch[0].head.kind
    if frame.head.kind != kind or len(batch) >= tools.batch_frames(kind):
        return False
    total = sum(other.head.size + other.head.coded for other in (*batch, frame))
    return total <= min(limit, _LARGEST_BATCH)


def decode_batch(
    frames: Sequence[Frame], tools: Toolbox, progress: Callable[[int], None] | None = None
) -> list[bytes | CorruptArchiveError]:
    """Raw bytes of frames of one codec, or the damage found in place of them.

    A slow codec calls ``progress`` with the number of bytes that it has just done.
    """
    try:
        codec = tools.codec(frames[0].head.kind)
        with telling(codec, progress):
            raws = codec.decode_frames(_pairs(frames))
    except (ForetellError, MemoryError) as error:
        if not isinstance(error, CorruptArchiveError):
            raise
        raws = []
    except Exception:
        # Payloads come from anywhere, and a codec may stumble over damaged ones in any way; the frames
        # are then tried one by one.
        raws = []
    if len(raws) != len(frames):
        return [_decode_one(frame, tools) for frame in frames]
    return [_checked(frame, raw) for frame, raw in zip(frames, raws, strict=True)]


def _pairs(frames: Sequence[Frame]) -> list[tuple[bytes, int]]:
    return [(frame.payload, frame.head.size) for frame in frames]


def _decode_one(frame: Frame, tools: Toolbox) -> bytes | CorruptArchiveError:
    codec = tools.codec(frame.head.kind)
    try:
        (raw,) = codec.decode_frames(_pairs([frame]))
    except (ForetellError, MemoryError) as error:
        if not isinstance(error, CorruptArchiveError):
            raise
        return _damage(frame, error)
    except Exception as error:
        return _damage(frame, error)
    return _checked(frame, raw)


def _checked(frame: Frame, raw: bytes) -> bytes | CorruptArchiveError:
    if len(raw) == frame.head.size and frame_checksum(raw, frame.payload) == frame.checksum:
        return raw
    return _damage(frame)


def _damage(frame: Frame, cause: Exception | None = None) -> CorruptArchiveError:
    what = f"{frame.head.size} bytes of {CODEC_NAMES[frame.head.kind]} are damaged"
    if cause is not None:
        what += f" ({type(cause).__name__}: {cause})"
    error = corrupt(what, frame.number)
    error.__cause__ = cause
    return error
