"""A blob that is still coming, piece by piece, in a file of the blob store's format whose index is written last."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import trio

from p2pnode.files import explained

STEP_BYTES: Final = 1 << 18
"""Hashed between two looks at whatever else there is to do."""


class IncomingFile:
    """Pieces go to their places in any order; what was written outlives a crash.

    Args:
        offset: where the blob begins in the file: its index comes before.
        finished: called with the blob's SHA-256 once it is whole; it writes the index and takes the file over.

    Attributes:
        resumed: whether an earlier try has left something.

    Raises:
        LocalError: the disk refuses.
    """

    def __init__(self, path: Path, size: int, offset: int, finished: Callable[[IncomingFile, bytes], None]) -> None:
        self.path, self.size, self.offset, self._finished = path, size, offset, finished
        with explained("write", path):
            self.resumed = path.is_file() and path.stat().st_size == offset + size
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.ftruncate(descriptor, offset + size)
            finally:
                os.close(descriptor)

    def write(self, at: int, data: bytes) -> None:
        """Puts a piece into its place."""
        with explained("write", self.path), self.path.open("r+b") as file:
            file.seek(self.offset + at)
            file.write(data)

    def read(self, at: int, count: int) -> bytes:
        """What stands there now; zeros where nothing was written."""
        with explained("read", self.path), self.path.open("rb") as file:
            file.seek(self.offset + at)
            return file.read(min(count, self.size - at))

    async def finish(self) -> None:
        """The blob is whole: it is among the others from now on."""
        whole = hashlib.sha256()
        for at in range(0, self.size, STEP_BYTES):
            whole.update(self.read(at, STEP_BYTES))
            await trio.lowlevel.checkpoint()
        self._finished(self, whole.digest())
