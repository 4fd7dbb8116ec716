"""The `Disk` port on a real folder: a journal, and blobs beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

import trio

from p2pnode.blobs import BlobStore
from p2pnode.incoming import IncomingFile
from p2pnode.journal import Journal
from protocols.errors import LocalError
from protocols.types import Digest
from protocols.updates.pieces import PieceTable

BEHIND_BYTES: Final = 1 << 20
"""Of blobs that others have too, so much waits in memory for the next commit; what is more is written at once."""


class FolderDisk:
    """One node's durable state under `folder`, held by one process at a time (the journal's lock covers both).

    Raises:
        LocalError: another node holds the folder, the disk refuses, or the journal is damaged.
    """

    def __init__(self, folder: Path, blob_budget_bytes: int) -> None:
        self._journal = Journal(folder / "journal")
        self._appended: list[bytes] = []
        self._committing = trio.Lock()
        try:
            self._blobs = BlobStore(folder / "blobs", blob_budget_bytes)
        except BaseException:
            self._journal.close()
            raise

    def append(self, record: bytes) -> None:
        """A record for the journal; it is written by the next `commit`."""
        self._appended.append(record)

    async def commit(self) -> None:
        """Makes durable what was appended and put, the blobs first: no record tells of a blob that is not there.

        The flushes run in a thread, one for all that came together; the event loop goes on meanwhile.

        Raises:
            LocalError: the disk refuses; the next commit tries again.
        """
        async with self._committing:
            records, self._appended = self._appended, []
            files, new = self._blobs.take_unsynced(), self._blobs.take_unwritten()
            if not (records or files or new):
                return
            try:
                index = await trio.to_thread.run_sync(self._flush, records, files, new)
            except LocalError:
                self._appended[:0] = records
                self._blobs.unsynced(files)
                self._blobs.unfulfilled(new)
                raise
            if new:
                self._blobs.fulfilled(new, index)

    def records(self) -> tuple[bytes, ...]:
        """See `Journal.records`: what was committed."""
        return self._journal.records()

    def put(self, blobs: Sequence[tuple[Digest, bytes]], *, durable: bool) -> None:
        """They are here at once, and on the disk with the next `commit`: one file for all of them, off the loop.

        A crash before takes them; whatever tells others of them waits for that commit.
        """
        behind = self._blobs.unwritten_bytes + sum(len(blob) for _, blob in blobs)
        if durable or behind <= BEHIND_BYTES:
            self._blobs.promise(blobs, durable=durable)
        else:
            self._blobs.put(blobs, durable=False)

    def get(self, digest: Digest) -> bytes | None:
        """See `BlobStore.get`."""
        return self._blobs.get(digest)

    def size(self, digest: Digest) -> int | None:
        """See `BlobStore.size`."""
        return self._blobs.size(digest)

    def read(self, digest: Digest, at: int, count: int) -> bytes:
        """See `BlobStore.read`."""
        return self._blobs.read(digest, at, count)

    def table(self, digest: Digest) -> PieceTable | None:
        """See `BlobStore.table`."""
        return self._blobs.table(digest)

    def incoming(self, digest: Digest, size: int) -> IncomingFile:
        """See `BlobStore.incoming`."""
        return self._blobs.incoming(digest, size)

    def drop(self, digest: Digest) -> None:
        """See `BlobStore.drop`."""
        self._blobs.drop(digest)

    def digests(self) -> tuple[Digest, ...]:
        """See `BlobStore.digests`."""
        return self._blobs.digests()

    def close(self) -> None:
        """Lets go of the folder."""
        self._journal.close()

    def _flush(self, records: list[bytes], files: frozenset[str], new: dict[Digest, bytes]) -> bytes:
        index = self._blobs.fulfil(new) if new else b""
        self._blobs.sync(files)
        if records:
            self._journal.append(*records)
        return index

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
