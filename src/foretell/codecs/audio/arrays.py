"""Sound as arrays: packed as WAV files, so that any tool can read what is unpacked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from foretell.codecs.audio.containers import find_sound
from foretell.codecs.audio.head import wav_head
from foretell.codecs.audio.pcm import MOST_CHANNELS, MOST_RATE, PcmFormat

_WIDTHS = {np.dtype(np.uint8): 1, np.dtype(np.int16): 2, np.dtype(np.int32): 4, np.dtype(np.float32): 4}


def compress_audio(array: NDArray[Any], rate: int, *, level: int = 6, verify: bool = False) -> bytes:
    """Pack sound into an archive.

    Parameters
    ----------
    array : array of uint8, int16, int32 or float32, shape (time,) or (time, channels)
        Samples; 8 bits are unsigned, as WAV files have them. 1 to 32 channels.
    rate : int
        Samples of each channel in a second.
    level : int
        As for :func:`foretell.compress`.
    verify : bool
        Decode it before returning.

    Returns
    -------
    bytes
        An archive of a WAV file, for :func:`decompress_audio` or ``foretell unpack``.

    Raises
    ------
    ValueError
        If the array or the rate is of another kind.

    Examples
    --------
    >>> import foretell, numpy as np
    >>> array = np.arange(200, dtype=np.int16).reshape(100, 2)
    >>> again, rate = foretell.decompress_audio(foretell.compress_audio(array, 44100))
    >>> bool((again == array).all()), rate
    (True, 44100)
    """
    from foretell.archive.pack import compress

    width = _WIDTHS.get(array.dtype)
    if width is None or array.ndim not in (1, 2):
        raise ValueError(f"{array.dtype} of {array.ndim} dimensions; sound is uint8, int16, int32 or float32 of 1 or 2")
    channels = array.shape[1] if array.ndim == 2 else 1
    if not 1 <= channels <= MOST_CHANNELS or not 1 <= rate <= MOST_RATE:
        raise ValueError(f"{channels} channels at rate {rate}; there are 1 to {MOST_CHANNELS} channels")
    form = PcmFormat(channels, width, rate, signed=width > 1, floating=array.dtype == np.float32)
    data = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()
    if len(data) >= 1 << 32:
        raise ValueError("a WAV file holds less than 4 GiB; pack the array in parts")
    return compress(wav_head(form, len(data)) + data, level=level, codec="audio", verify=verify)


def decompress_audio(blob: bytes | bytearray | memoryview) -> tuple[NDArray[Any], int]:
    """Unpack the array that :func:`compress_audio` packed, or the sound of any packed WAV, AIFF, AU or CAF file.

    Parameters
    ----------
    blob : bytes-like
        The archive.

    Returns
    -------
    array, shape (time, channels)
        uint8, int16 or float32 if the file has these; int32 otherwise, or if samples have 24 bits.
    int
        Samples of each channel in a second.

    Raises
    ------
    ValueError
        If the original is no sound.
    """
    from foretell.archive.unpack import decompress

    data = decompress(blob)
    sound = find_sound(data)
    if sound is None:
        raise ValueError("the archive holds no sound")
    form = sound.form
    start, end = sound.within(0, len(data))
    end -= (end - start) % form.block
    if form.width == 1 or form.width == 3 or form.floating:
        return _special(data[start:end], form), form.rate
    order = ">" if form.big_endian else "<"
    raw = np.frombuffer(data[start:end], f"{order}i{form.width}")
    return raw.astype(f"=i{form.width}").reshape(-1, form.channels), form.rate


def _special(data: bytes, form: PcmFormat) -> NDArray[Any]:
    from foretell.codecs.audio.pcm import integers_of

    values = integers_of(data, form)
    if form.floating:
        return values.view(np.float32)
    return (values + 128).astype(np.uint8) if form.width == 1 else values
