"""A blob that is still coming, piece by piece, in a file of the blob store's format whose index is written last."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import trio

from p2pnode.files import explained
from protocols.types import Digest
from protocols.updates.pieces import piece_hash


class IncomingFile:
    """Pieces go to their places in any order; what was written outlives a crash.

    Args:
        offset: where the blob begins in the file: its index comes before.
        finished: called once the blob is whole; it writes the index and takes the file over.

    Attributes:
        resumed: whether an earlier try has left something.

    Raises:
        LocalError: the disk refuses.
    """

    def __init__(self, path: Path, size: int, offset: int, finished: Callable[[IncomingFile], None]) -> None:
        self.path, self.size, self.offset, self._finished = path, size, offset, finished
        with explained("write", path):
            self.resumed = path.is_file() and path.stat().st_size == offset + size
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.ftruncate(descriptor, offset + size)
            finally:
                os.close(descriptor)

    async def accept(self, at: int, piece: bytes, expected: Digest) -> bool:
        """Puts a piece into its place if it is the one with this digest; in a thread, beside the event loop."""
        return await trio.to_thread.run_sync(self._accept, at, piece, expected)

    def _accept(self, at: int, piece: bytes, expected: Digest) -> bool:
        if piece_hash(piece) != expected:
            return False
        self.write(at, piece)
        return True

    def write(self, at: int, data: bytes) -> None:
        """Puts bytes into their place."""
        with explained("write", self.path), self.path.open("r+b") as file:
            file.seek(self.offset + at)
            file.write(data)

    def read(self, at: int, count: int) -> bytes:
        """What stands there now; zeros where nothing was written."""
        with explained("read", self.path), self.path.open("rb") as file:
            file.seek(self.offset + at)
            return file.read(min(count, self.size - at))

    def finish(self) -> None:
        """The blob is whole: it is among the others from now on."""
        self._finished(self)
