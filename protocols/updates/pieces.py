"""Big blobs in pieces of 256 KiB: each is checked by itself when it comes, whoever it comes from.

A blob's digest is SHA-256 of it, or, above one piece, a hash over its size and the Merkle root over its pieces'
SHA-256: then the pieces' hashes can be had first, and are checked against the digest alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Annotated, Final

from protocols import merkle
from protocols.errors import MalformedError
from protocols.hashing import tagged
from protocols.types import Digest
from protocols.wire.codec import U64, Size

PIECE_BYTES: Final = 1 << 18
PIECES_MAX: Final = 1 << 12
"""Of a blob of 1 GiB."""


@dataclass(frozen=True, slots=True)
class PieceTable:
    """A blob's size and its pieces' SHA-256, in order; a size of zero where there is no blob."""

    size: U64
    hashes: Annotated[tuple[Digest, ...], Size(0, PIECES_MAX)]

    @property
    def digest(self) -> Digest:
        """The digest of the blob that this is the table of."""
        if self.size <= PIECE_BYTES:
            return self.hashes[0]
        return tagged("pieces", self.size, merkle.root(self.hashes))

    def length(self, index: int) -> int:
        """Bytes of a piece: the last one may be short."""
        return min(PIECE_BYTES, self.size - index * PIECE_BYTES)

    def check(self, digest: Digest, max_bytes: int) -> None:
        """Raises MalformedError unless this is the table of the blob with this digest, and that not too long."""
        if self.size > max_bytes:
            raise MalformedError(f"a blob of {self.size} bytes, at most {max_bytes} expected")
        if not self.hashes or len(self.hashes) != -(-self.size // PIECE_BYTES) or self.digest != digest:
            raise MalformedError("these pieces do not make up the blob that was asked for")


def piece_hash(piece: bytes | memoryview) -> Digest:
    """What a table says of a piece."""
    return Digest(hashlib.sha256(piece).digest())


def table_of(blob: bytes) -> PieceTable:
    """The table of a blob of at least one byte."""
    view = memoryview(blob)
    starts = range(0, max(1, len(view)), PIECE_BYTES)
    return PieceTable(len(view), tuple(piece_hash(view[start : start + PIECE_BYTES]) for start in starts))


def blob_digest(blob: bytes) -> Digest:
    """The digest of a whole blob."""
    return table_of(blob).digest
