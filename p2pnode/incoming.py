"""A blob that is still coming, piece by piece, in a file of the blob store's format whose index is written last."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from p2pnode.files import explained
from protocols.errors import LocalError
from protocols.types import Digest
from protocols.updates.pieces import PieceTable, piece_hash


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

    def __init__(self, path: Path, size: int, offset: int, finished: Finished) -> None:
        self.path, self.size, self.offset, self._finished = path, size, offset, finished
        with explained("write", path):
            path.touch(mode=0o600)
            self.resumed = path.stat().st_size == offset + size
            self._file = path.open("r+b", buffering=0)  # until `close`
            os.ftruncate(self._file.fileno(), offset + size)

    def accept(self, at: int, piece: bytes, expected: Digest) -> bool:
        """Puts a piece into its place if it is the one with this digest. A quarter of a millisecond a piece, on the
        event loop: the way to a thread and back takes as long, and waits for the interpreter's lock besides.
        """
        if piece_hash(piece) != expected:
            return False
        self.write(at, piece)
        return True

    def write(self, at: int, data: bytes) -> None:
        """Puts bytes into their place."""
        with explained("write", self.path):
            rest, at = memoryview(data), self.offset + at
            while rest:
                written = os.pwrite(self._file.fileno(), rest, at)
                rest, at = rest[written:], at + written
            if not os.fstat(self._file.fileno()).st_nlink:
                raise LocalError(
                    f"{self.path} made room for others while it was coming; it is fetched anew when needed"
                )

    def read(self, at: int, count: int) -> bytes:
        """What stands there now; zeros where nothing was written."""
        with explained("read", self.path):
            return os.pread(self._file.fileno(), min(count, self.size - at), self.offset + at)

    def finish(self, table: PieceTable) -> None:
        """The blob is whole: it is among the others from now on."""
        self._finished(self, table)
        self.close()

    def close(self) -> None:
        """Lets go of the file; what has come stays."""
        self._file.close()


Finished = Callable[[IncomingFile, PieceTable], None]
