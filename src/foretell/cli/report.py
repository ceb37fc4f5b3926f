"""What a command says: errors, results as lines or JSON, and progress on a terminal."""

from __future__ import annotations

import json
import logging
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foretell.archive.pack import Summary

_WIDTH = 24
_INTERVAL = 0.1
_UNITS = ("B", "KB", "MB", "GB", "TB", "PB")


def complain(line: str) -> None:
    """Print a one-line error."""
    print(f"foretell: {line}", file=sys.stderr)


def show_notices(*, quiet: bool, verbose: bool) -> None:
    """Print what the library logs, such as the fetching of a model, as lines on standard error."""
    everything = verbose or sys.stderr.isatty()
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("foretell: %(message)s"))
    logger = logging.getLogger("foretell")
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(logging.WARNING if quiet else logging.DEBUG if everything else logging.INFO)


def print_json(values: dict[str, Any]) -> None:
    """Print one JSON object on one line."""
    print(json.dumps(values), flush=True)


def human_size(size: float) -> str:
    """Size for people.

    >>> human_size(1234)
    '1.2 KB'
    """
    for unit in _UNITS:
        if size < 1000 or unit == _UNITS[-1]:
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"


def summary_values(source: str, target: str, summary: Summary, *, packing: bool, seconds: float) -> dict[str, Any]:
    """Return the JSON object of a file that was packed or unpacked."""
    sizes = (summary.raw_bytes, summary.archive_bytes)
    return {
        "input": source,
        "output": target,
        "input_bytes": sizes[0] if packing else sizes[1],
        "output_bytes": sizes[1] if packing else sizes[0],
        "bits_per_byte": round(summary.bits_per_byte, 6),
        "codec": summary.codec,
        "model": summary.model,
        "level": summary.level,
        "seconds": round(seconds, 6),
    }


def summary_line(values: dict[str, Any]) -> str:
    """Say the same for people."""
    rate = max(values["input_bytes"], values["output_bytes"]) / max(values["seconds"], 1e-9)
    using = f"{values['codec']}, {values['model']}" if values["model"] else values["codec"]
    return (
        f"{values['input']}: {human_size(values['input_bytes'])} -> {human_size(values['output_bytes'])}, "
        f"{values['bits_per_byte']:.3f} bits per byte, {using}, {human_size(rate)}/s, {values['output']}"
    )


class Progress:
    """A bar on standard error: share done, bytes, rate, time left; nothing when it is no terminal.

    Parameters
    ----------
    label : str
        What is being worked on.
    total : int, optional
        Bytes in all, where known.
    shown : bool
        Whether the user wants it.
    """

    def __init__(self, label: str, total: int | None, *, shown: bool = True) -> None:
        self._label = label
        self._total = total
        self._shown = shown and sys.stderr.isatty()
        self._begin = self._last = 0.0
        self._drawn = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def __call__(self, done: int) -> None:
        """Show that a number of bytes are done."""
        now = time.monotonic()
        if not self._begin:  # what came before, such as fetching a model, tells nothing about the rate
            self._begin = now
        if not self._shown or now - self._last < _INTERVAL:
            return
        self._last = now
        self._drawn = True
        sys.stderr.write("\r\x1b[K" + self.line(done, now - self._begin))
        sys.stderr.flush()

    def line(self, done: int, seconds: float) -> str:
        """Return the bar after some seconds."""
        rate = done / seconds if seconds > 0 else 0.0
        if not self._total:
            return f"{self._label}: {human_size(done)}, {human_size(rate)}/s"
        share = min(done / self._total, 1.0)
        bar = "#" * round(share * _WIDTH)
        left = (self._total - done) / rate if rate else 0.0
        return (
            f"{self._label}: [{bar:<{_WIDTH}}] {share:4.0%} of {human_size(self._total)}, "
            f"{human_size(rate)}/s, {_clock(left)} left"
        )


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"
