"""What nodes ask one another besides the round: who you are with, where peers are, what is newest, blobs by digest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from protocols.types import Address, Digest, PeerKey
from protocols.updates.pieces import PIECE_BYTES, PieceTable
from protocols.wire.codec import U32, U64, Size
from protocols.wire.messages import ENVELOPE_MAX_BYTES

INFO: Final = "/2pm/info/1"
"""The one protocol without a subnet in its id: a stranger asks it first."""
PEERS: Final = "peers/1"
HEAD: Final = "head/1"
KEYS: Final = "keys/1"
BLOB: Final = "blob/1"
PIECES: Final = "pieces/1"
PIECE: Final = "piece/1"

STEP: Final = "step/1"

PART_BYTES: Final = 1 << 20
BLOBS_PER_REQUEST: Final = 16
RESPONSE_MAX_BYTES: Final = 4 << 20
KEY_MAX_BYTES: Final = 2048
"""Of a signed `EpochKey`."""
REQUEST_MAX_BYTES: Final = 64 << 10
PEERS_MAX: Final = 512


@dataclass(frozen=True, slots=True)
class Info:
    """The answer to `INFO` (empty request): where this subnet stands on which chain. The asker verifies it there."""

    chain_id: U64
    registry: Address
    subnet: U64


@dataclass(frozen=True, slots=True)
class PeersRequest:
    """The asker's own signed `AddressRecord`, and whose it wants (nobody's in particular: any)."""

    record: Annotated[bytes, Size(0, 8192)]
    wanted: Annotated[tuple[PeerKey, ...], Size(0, PEERS_MAX)]


@dataclass(frozen=True, slots=True)
class PeersResponse:
    """Signed `AddressRecord` envelopes."""

    records: Annotated[tuple[Annotated[bytes, Size(1, 8192)], ...], Size(0, PEERS_MAX)]


@dataclass(frozen=True, slots=True)
class KeysRequest:
    """The committee keys of which epoch."""

    epoch: U32


@dataclass(frozen=True, slots=True)
class KeysResponse:
    """Signed `EpochKey` envelopes."""

    keys: Annotated[tuple[Annotated[bytes, Size(1, KEY_MAX_BYTES)], ...], Size(0, 16)]


@dataclass(frozen=True, slots=True)
class StepRequest:
    """What a validator states of the last step of which dispute game."""

    game: U64


@dataclass(frozen=True, slots=True)
class StepResponse:
    """The state to which the step leads, and the operator's signature; both empty: it says nothing, or nothing yet."""

    result: Annotated[bytes, Size(0, 32)]
    signature: Annotated[bytes, Size(0, 64)]


@dataclass(frozen=True, slots=True)
class HeadResponse:
    """The newest `HeaderCertificate`, as a signed envelope; nothing before the first."""

    certificate: Annotated[bytes, Size(0, ENVELOPE_MAX_BYTES)]


@dataclass(frozen=True, slots=True)
class BlobRequest:
    """Parts of blobs, from `offset` on."""

    digests: Annotated[tuple[Digest, ...], Size(1, BLOBS_PER_REQUEST)]
    offset: U64


@dataclass(frozen=True, slots=True)
class Part:
    """At most PART_BYTES of a blob of `size` bytes; a size of 0 means that the holder has it not."""

    size: U64
    data: Annotated[bytes, Size(0, PART_BYTES)]


@dataclass(frozen=True, slots=True)
class BlobResponse:
    """In the order of the request; holders stop early where the response would exceed its bound."""

    parts: Annotated[tuple[Part, ...], Size(0, BLOBS_PER_REQUEST)]


@dataclass(frozen=True, slots=True)
class PiecesRequest:
    """Of which blob the table of pieces is wanted."""

    digest: Digest


@dataclass(frozen=True, slots=True)
class PiecesResponse:
    """The table of a blob (empty: the holder has it not), and of a blob of one piece that piece."""

    table: PieceTable
    data: Annotated[bytes, Size(0, PIECE_BYTES)]


@dataclass(frozen=True, slots=True)
class PieceRequest:
    """One piece of a blob; the response is its bytes, nothing where the holder has it not."""

    digest: Digest
    index: U32
