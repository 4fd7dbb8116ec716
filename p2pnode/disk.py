"""The `Disk` port on a real folder: a journal, and blobs beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from p2pnode.blobs import BlobStore
from p2pnode.journal import Journal
from protocols.types import Digest


class FolderDisk:
    """One node's durable state under `folder`, held by one process at a time (the journal's lock covers both).

    Raises:
        LocalError: another node holds the folder, the disk refuses, or the journal is damaged.
    """

    def __init__(self, folder: Path, blob_budget_bytes: int) -> None:
        self._journal = Journal(folder / "journal")
        try:
            self._blobs = BlobStore(folder / "blobs", blob_budget_bytes)
        except BaseException:
            self._journal.close()
            raise

    def append(self, record: bytes) -> None:
        """See `Journal.append`."""
        self._journal.append(record)

    def records(self) -> tuple[bytes, ...]:
        """See `Journal.records`."""
        return self._journal.records()

    def put(self, digest: Digest, blob: bytes, *, durable: bool) -> None:
        """See `BlobStore.put`."""
        self._blobs.put(digest, blob, durable=durable)

    def get(self, digest: Digest) -> bytes | None:
        """See `BlobStore.get`."""
        return self._blobs.get(digest)

    def drop(self, digest: Digest) -> None:
        """See `BlobStore.drop`."""
        self._blobs.drop(digest)

    def digests(self) -> tuple[Digest, ...]:
        """See `BlobStore.digests`."""
        return self._blobs.digests()

    def close(self) -> None:
        """Lets go of the folder."""
        self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
