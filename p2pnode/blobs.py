"""Content-addressed files with a bounded total size.

A blob's name is its digest in the protocol, which may be a Merkle root that only the protocol can recompute. So each
file starts with the SHA-256 of what follows, and a blob that the disk has damaged is never handed out.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

from p2pnode.files import explained, make_folder, write_durably
from protocols.errors import LocalError
from protocols.types import Digest

_CHECKSUM_BYTES: Final = 32
_NAME: Final = re.compile("[0-9a-f]{64}")


class BlobStore:
    """Blobs in one folder, a file each.

    Attributes:
        used_bytes: what all blobs take, checksums included; never above the budget.

    Raises:
        LocalError: the disk refuses.
    """

    def __init__(self, folder: Path, budget_bytes: int) -> None:
        self._folder = folder
        self._budget_bytes = budget_bytes
        make_folder(folder)
        with explained("read the folder", folder):
            for unfinished in folder.glob(".new-*"):
                unfinished.unlink()
            self._sizes = {file.name: file.stat().st_size for file in folder.iterdir()}
        self.used_bytes = sum(self._sizes.values())

    def put(self, digest: Digest, blob: bytes, *, durable: bool) -> None:
        """Stores a blob; a no-op if it is there. One that others have too need not be durable on return.

        Raises:
            LocalError: the budget is spent or the disk refuses.
        """
        name, size = digest.hex(), _CHECKSUM_BYTES + len(blob)
        if name in self._sizes:
            return
        if self.used_bytes + size > self._budget_bytes:
            raise LocalError(
                f"no room for a blob of {len(blob)} bytes in {self._folder}: {self.used_bytes} of "
                f"{self._budget_bytes} bytes are in use; raise blob_budget_mib in the settings"
            )
        write_durably(self._folder / name, hashlib.sha256(blob).digest() + blob, replace=True, sync=durable)
        self._sizes[name] = size
        self.used_bytes += size

    def get(self, digest: Digest) -> bytes | None:
        """The blob, or None if it is not here.

        Raises:
            LocalError: the file was damaged on the disk.
        """
        if digest.hex() not in self._sizes:
            return None
        path = self._folder / digest.hex()
        with explained("read", path):
            data = path.read_bytes()
        checksum, blob = data[:_CHECKSUM_BYTES], data[_CHECKSUM_BYTES:]
        if hashlib.sha256(blob).digest() != checksum:
            raise LocalError(f"the blob {path} was damaged on the disk: stop the node, delete that file, and restart")
        return blob

    def drop(self, digest: Digest) -> None:
        """Forgets a blob; a no-op if it is not here."""
        size = self._sizes.pop(digest.hex(), None)
        if size is None:
            return
        self.used_bytes -= size
        with explained("delete", self._folder / digest.hex()):
            (self._folder / digest.hex()).unlink(missing_ok=True)

    def digests(self) -> tuple[Digest, ...]:
        """All blobs that are here."""
        return tuple(Digest(bytes.fromhex(name)) for name in self._sizes if _NAME.fullmatch(name))
