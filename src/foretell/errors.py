"""Errors a user can meet, each with the file, the frame and the way out."""

from __future__ import annotations


class ForetellError(Exception):
    """Something that a user can act on; printed as one line ``path: frame N: what; remedy``.

    Parameters
    ----------
    what : str
        What is wrong.
    remedy : str
        What to do about it.
    path : str
        File concerned; filled in by :meth:`at` where the code that notices does not know it.
    frame : int, optional
        Number of the frame concerned, counted from 0 over the whole input.
    """

    def __init__(self, what: str, remedy: str = "", *, path: str = "", frame: int | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy
        self.path = path
        self.frame = frame

    def at(self, path: str) -> ForetellError:
        """Name the file, unless it is known already; return the error itself."""
        self.path = self.path or path
        return self

    def __str__(self) -> str:
        parts = [self.path] if self.path else []
        if self.frame is not None:
            parts.append(f"frame {self.frame}")
        parts.append(self.what)
        line = ": ".join(parts)
        return f"{line}; {self.remedy}" if self.remedy else line


class ArchiveError(ForetellError):
    """An archive cannot be read."""


class CorruptArchiveError(ArchiveError):
    """Bytes of an archive are damaged, missing or not those of an archive."""


class UnsupportedVersionError(ArchiveError):
    """An archive is intact but needs a newer foretell."""


class MemoryLimitError(ArchiveError):
    """An archive asks for more memory than the caller allows."""


class ModelError(ForetellError):
    """A model cannot be used."""


class MissingModelError(ModelError):
    """A model that is needed is not on this machine."""


class VerificationError(ForetellError):
    """A frame that was just packed does not give its bytes back; the input is still there."""


class UsageError(ForetellError, ValueError):
    """An argument that cannot be."""
