"""Durations and sizes for people."""

from __future__ import annotations


def seconds(value: float | None) -> str:
    """A duration for people."""
    if value is None:
        return "–"
    return f"{value:.2f} s" if value < 60 else f"{int(value // 60)} min {value % 60:.0f} s"


def size(value: float | None) -> str:
    """An amount of bytes for people."""
    if value is None:
        return "–"
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError("the loop returns at its last unit")
