"""How kernels are compiled by numba, and kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiled on its first call and kept on disk for the next process, where there is a place to keep it."""
    try:
        kernel: Callable[..., Any] = numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # neither the package's folder nor the user's cache can be written
        kernel = numba.njit(nogil=True)(function)
    return kernel


inlined = numba.njit(nogil=True, inline="always")
