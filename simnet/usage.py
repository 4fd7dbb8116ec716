"""What a process uses, and how its garbage is collected."""

from __future__ import annotations

import gc
import os
import resource
from pathlib import Path
from typing import Final

GARBAGE_THRESHOLD: Final = 50_000
"""Objects made between two collections: at Python's 700, a process with many hosts spends a fifth of its time there."""


def used() -> dict[str, float]:
    """This process's memory (at its peak, and now), CPU time and open files: the fields of a `resources` event."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return {
        "peak_rss_bytes": usage.ru_maxrss * 1024,
        "rss_bytes": pages * os.sysconf("SC_PAGE_SIZE"),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
        "open_files": sum(1 for _ in Path("/proc/self/fd").iterdir()),  # sockets too
    }


def collect_rarely() -> None:
    """Spares Python's garbage collector: what is loaded already stays, and no collection need look at it."""
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD)
