"""What every codec offers, and the numbers by which archives know them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

STORED: Final = 0
REPEAT: Final = 1
OCTETS: Final = 2
TEXT: Final = 3
IMAGE: Final = 4
VIDEO: Final = 5
AUDIO: Final = 6
BYTES: Final = 7
PIXELS: Final = 8

CODEC_NAMES: Final = {
    STORED: "stored",
    REPEAT: "repeat",
    OCTETS: "octets",
    TEXT: "text",
    IMAGE: "image",
    VIDEO: "video",
    AUDIO: "audio",
    BYTES: "bytes",
    PIXELS: "pixels",
}
MODEL_CODECS: Final = (TEXT, BYTES, PIXELS)
"""Codecs that need the model that an archive names."""

CodecChoice = Literal["auto", "octets", "text", "image", "video", "audio", "bytes", "pixels", "stored"]
CODEC_CHOICES: Final[tuple[CodecChoice, ...]] = (
    "auto", "octets", "text", "image", "video", "audio", "bytes", "pixels", "stored",
)  # fmt: skip

DEFAULT_LEVEL: Final = 6
DEFAULT_MODEL: Final = "smollm2-135m"


class FrameCodec(Protocol):
    """Turns frames into payloads and back, many at a time so that a model can work in batches."""

    name: str
    id: int

    def encode_frames(self, frames: Sequence[bytes]) -> list[bytes]:
        """Payloads of the frames, in order. Never fails on account of what the bytes are."""
        ...

    def decode_frames(self, payloads: Sequence[tuple[bytes, int]]) -> list[bytes]:
        """Frames of (payload, size of the frame in bytes) pairs, in order."""
        ...


@dataclass(frozen=True)
class EncodedFrame:
    """A frame as it goes into an archive: size of the raw bytes, codec number and payload."""

    raw_size: int
    codec_id: int
    payload: bytes


@dataclass(frozen=True)
class Settings:
    """How to pack.

    Parameters
    ----------
    level : int
        1 (fast, no language model) to 9 (smallest).
    codec : {"auto", "octets", "text", "image", "video", "audio", "bytes", "pixels", "stored"}
        ``auto`` looks at the data and keeps what is smallest; with a model of bytes or of pictures it means that model.
    model : str
        Registry name or path of the model.
    verify : bool
        Decode each frame before it is written.
    samples : str
        Layout of raw samples of sound without a header, such as ``s16le,2,44100``.
    shape : str
        Layout of a raw picture without a header, such as ``640x480x3``.
    tokens : {"", "bytes", "numbers"}
        Which tokens of a model of text stand for values from 0 to 255, with the codecs ``bytes`` and ``pixels``.
    """

    level: int = DEFAULT_LEVEL
    codec: CodecChoice = "auto"
    model: str = DEFAULT_MODEL
    verify: bool = False
    samples: str = ""
    shape: str = ""
    tokens: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.level <= 9:
            raise ValueError(f"level is {self.level}; it must be 1 to 9")
        if self.codec not in CODEC_CHOICES:
            raise ValueError(f"codec is {self.codec!r}; it must be one of {', '.join(CODEC_CHOICES)}")
