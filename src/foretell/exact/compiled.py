"""The one way in which the contract's Numba functions are compiled."""

from __future__ import annotations

from numba import njit

compiled = njit(nogil=True, cache=True, error_model="numpy", fastmath=False)
"""Release the interpreter lock, keep the machine code on disk, divide as IEEE says, never relax arithmetic."""
