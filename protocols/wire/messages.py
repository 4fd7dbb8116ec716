"""Every message of the protocol. A definition here is the specification: fields in wire order, bounds in annotations.

`TAGS` numbers the types that travel signed (protocols/wire/envelope.py). Nothing here checks more than shape: what a
message means, and who may say it when, is checked by the machines and by protocols/updates/gossip.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from protocols.params import CELL_MAX, COMMITTEE_MAX
from protocols.types import Digest, Height, PeerKey
from protocols.wire.codec import U8, U16, U32, U64, Bytes32, Bytes64, Size

MAX_CHUNKS: Final = 4096
MAX_STRIPES: Final = 256
MAX_CELLS: Final = 512
MAX_SPOILED: Final = 64
MAX_EXCLUDED: Final = 64
SEALED_MAX_BYTES: Final = 16_384
EPOCH_KEY_BYTES: Final = 1_216
DEGREE_PROOF_MAX_BYTES: Final = 512
ENVELOPE_MAX_BYTES: Final = 512 * 1024
GOSSIP_MAX_BYTES: Final = 64 * 1024
MISSING_MAX: Final = 1024
PREVOTE: Final = 1
PRECOMMIT: Final = 2

Committee = Annotated[tuple[Digest, ...], Size(0, COMMITTEE_MAX)]
Chunks = Annotated[tuple[Digest, ...], Size(1, MAX_CHUNKS)]


@dataclass(frozen=True, slots=True)
class Slot:
    """What every message of a round is bound to: replays elsewhere fail."""

    chain_id: U64
    subnet: U32
    epoch: U32
    committee_root: Digest
    height: Height


@dataclass(frozen=True, slots=True)
class AddressRecord:
    """Where the signer can be dialled: multiaddrs with /p2p/ suffix. A higher sequence replaces a lower one."""

    sequence: U64
    addresses: Annotated[tuple[Annotated[str, Size(1, 256)], ...], Size(0, 16)]


@dataclass(frozen=True, slots=True)
class EpochKey:
    """A committee member's key for the shares of one epoch. A higher sequence (after a restart) replaces it.

    Attributes:
        public: ML-KEM-768, then X25519.
    """

    chain_id: U64
    subnet: U32
    epoch: U32
    committee_root: Digest
    sequence: U16
    public: Annotated[bytes, Size(EPOCH_KEY_BYTES, EPOCH_KEY_BYTES)]


@dataclass(frozen=True, slots=True)
class Dealing:
    """What everybody sees of a dealt key.

    Attributes:
        public: the dealing's one ephemeral key, as an Ed25519 point.
        proof: that the dealer knows it; bound to (committee, height, cell, dealer, root of the ciphertexts).
        degree: the polynomials on which the members' masked combinations lie (protocols/encryption/degree.py).
    """

    public: Bytes32
    proof: Bytes64
    degree: Annotated[bytes, Size(1, DEGREE_PROOF_MAX_BYTES)]


@dataclass(frozen=True, slots=True)
class Manifest:
    """A contributor's one update for one slot.

    Attributes:
        parent: digest of the header that the update was trained from (zero for the first).
        chunk_roots: Merkle root of each ciphertext index, in order.
        shares: SHA-256 of each member's sealed share, by member; zero for a member without a key.
        dealing: nil in the plaintext comparison.
    """

    slot: Slot
    cell: U16
    parent: Digest
    chunk_roots: Chunks
    shares: Committee
    dealing: Dealing | None


@dataclass(frozen=True, slots=True)
class Submission:
    """From a contributor to a committee member or an aggregator: its signed manifest, and the share sealed to a member.

    Attributes:
        manifest: the encoded envelope of the `Manifest`.
        sealed: empty for an aggregator that is no member.
    """

    slot: Slot
    manifest: Annotated[bytes, Size(1, ENVELOPE_MAX_BYTES // 2)]
    sealed: Annotated[bytes, Size(0, SEALED_MAX_BYTES)]


@dataclass(frozen=True, slots=True)
class Receipt:
    """The signer holds what the manifest (by digest of its envelope body) promised it."""

    slot: Slot
    manifest: Digest
    holds: U8  # 1 the share, 2 the ciphertexts


@dataclass(frozen=True, slots=True)
class Dispute:
    """A member shows that the share which a dealer sealed to it is wrong, or is found to lie itself.

    Attributes:
        manifest: the dealer's, as its encoded envelope.
        sealed: the member's sealed share.
        opening: the one opening that fits it (protocols/encryption/sealing.py).
    """

    slot: Slot
    manifest: Annotated[bytes, Size(1, ENVELOPE_MAX_BYTES // 2)]
    sealed: Annotated[bytes, Size(1, SEALED_MAX_BYTES)]
    opening: Bytes32


@dataclass(frozen=True, slots=True)
class Availability:
    """An aggregator holds and has verified its stripes of the ciphertexts of these manifests of its cell."""

    slot: Slot
    cell: U16
    manifests: Annotated[tuple[Digest, ...], Size(0, CELL_MAX)]


@dataclass(frozen=True, slots=True)
class Contribution:
    """One contributor's place in a set."""

    contributor: PeerKey
    manifest: Digest


@dataclass(frozen=True, slots=True)
class CellSet:
    """The set S of one cell, sorted by contributor."""

    cell: U16
    contributions: Annotated[tuple[Contribution, ...], Size(1, CELL_MAX)]


@dataclass(frozen=True, slots=True)
class SetList:
    """The one question of a round: which sets are opened. Sorted by cell."""

    slot: Slot
    cells: Annotated[tuple[CellSet, ...], Size(1, MAX_CELLS)]


@dataclass(frozen=True, slots=True)
class MemberSignature:
    """A signature by committee member `member` (1 to n)."""

    member: U8
    signature: Bytes64


Signatures = Annotated[tuple[MemberSignature, ...], Size(1, COMMITTEE_MAX)]


@dataclass(frozen=True, slots=True)
class PrevoteCertificate:
    """t members' prevotes for one list in one view, sorted by member: what lets it be proposed again in a later view.

    Attributes:
        justified: what these prevotes say in the field of this name.
    """

    view: U8
    justified: U8 | None
    votes: Signatures


@dataclass(frozen=True, slots=True)
class Proposal:
    """The proposer of this view asks the members to vote for a list.

    Attributes:
        valid: where the list had t prevotes in an earlier view; nil for a fresh one.
    """

    view: U8
    sets: SetList
    valid: PrevoteCertificate | None


@dataclass(frozen=True, slots=True)
class Vote:
    """A member's vote of one view and phase.

    Attributes:
        phase: PREVOTE or PRECOMMIT.
        sets: digest of the list; nil for none.
        justified: of a prevote for a list proposed again: the view of the prevotes that justify it.
    """

    slot: Slot
    view: U8
    phase: U8
    sets: Digest | None
    justified: U8 | None


@dataclass(frozen=True, slots=True)
class ListCertificate:
    """t members' precommits for one list in one view, sorted by member: the round opens exactly these sets."""

    sets: SetList
    view: U8
    votes: Signatures


@dataclass(frozen=True, slots=True)
class Status:
    """Where its signer stands in a round that is not agreed for it yet; whoever knows more answers.

    Attributes:
        view: of the vote; nil for who has not begun it, or only watches.
        missing: manifests that were proposed and that the signer does not hold.
    """

    slot: Slot
    view: U8 | None
    missing: Annotated[tuple[Digest, ...], Size(0, MISSING_MAX)]


@dataclass(frozen=True, slots=True)
class Aggregate:
    """An aggregator's part of its cell's sum over the certified set.

    Attributes:
        stripes: those that the signer adds, ascending.
        chunk_roots: Merkle root of each summed ciphertext of these stripes, in order.
        statement: the signer's operator answers for it (protocols/verification/proofs.py), 64 bytes; empty where
            nobody has a stake, as in some tests.
    """

    slot: Slot
    cell: U16
    sets: Digest
    stripes: Annotated[tuple[U16, ...], Size(1, MAX_STRIPES)]
    chunk_roots: Chunks
    statement: Annotated[bytes, Size(0, 64)] = b""


@dataclass(frozen=True, slots=True)
class Release:
    """A member's summed key share for one cell and set; at most one set for each (epoch, height, cell), ever."""

    slot: Slot
    cell: U16
    cell_set: Digest
    share: Annotated[bytes, Size(0, SEALED_MAX_BYTES)]


@dataclass(frozen=True, slots=True)
class CellResult:
    """What was opened of one cell: the root of the summed ciphertexts, the summed key, whether it counted."""

    cell: U16
    contributors: U8
    sum_root: Digest
    key_digest: Digest


@dataclass(frozen=True, slots=True)
class Spoiled:
    """A set whose sum could not be opened: one of its contributors spoiled it."""

    height: U64
    contributors: Annotated[tuple[PeerKey, ...], Size(1, CELL_MAX)]


@dataclass(frozen=True, slots=True)
class Excluded:
    """A peer that is drawn into no cell before epoch `until`."""

    peer: PeerKey
    until: U32


@dataclass(frozen=True, slots=True)
class Suspects:
    """What is known of who spoils cells (protocols/rounds/suspects.py), oldest first."""

    spoiled: Annotated[tuple[Spoiled, ...], Size(0, MAX_SPOILED)] = ()
    excluded: Annotated[tuple[Excluded, ...], Size(0, MAX_EXCLUDED)] = ()


NO_SUSPECTS: Final = Suspects()


@dataclass(frozen=True, slots=True)
class Header:
    """A checkpoint: what the subnet's parameters are after a round, and from what.

    Attributes:
        parent: digest of the header before (zero for the first).
        params_digest: blob digest (protocols/updates/pieces.py) of the model's canonical bytes after the outer step.
        sets: digest of the certified list.
        total: blob digest of the weighted total's canonical bytes (protocols/updates/totals.py); zero if none counts.
        epsilon_micro: the largest privacy budget spent by any contributor, in millionths; nil without DP.
        suspects: after this round; cells of the next one follow from it.
    """

    slot: Slot
    parent: Digest
    params_digest: Digest
    sets: Digest
    total: Digest
    cells: Annotated[tuple[CellResult, ...], Size(1, MAX_CELLS)]
    epsilon_micro: U64 | None
    suspects: Suspects = NO_SUSPECTS


@dataclass(frozen=True, slots=True)
class HeaderVote:
    """A member computed this header itself. At most one for each height."""

    header: Header


@dataclass(frozen=True, slots=True)
class HeaderCertificate:
    """t members' signatures over `HeaderVote(header)`, sorted by member."""

    header: Header
    votes: Signatures


Message = (
    AddressRecord
    | EpochKey
    | Manifest
    | Submission
    | Receipt
    | Availability
    | Proposal
    | Vote
    | ListCertificate
    | Aggregate
    | Release
    | HeaderVote
    | HeaderCertificate
    | Status
    | Dispute
)

TAGS: Final[dict[int, type[Message]]] = {
    1: AddressRecord,
    2: EpochKey,
    3: Manifest,
    4: Submission,
    5: Receipt,
    6: Availability,
    7: Proposal,
    8: Vote,
    9: ListCertificate,
    10: Aggregate,
    11: Release,
    12: HeaderVote,
    13: HeaderCertificate,
    14: Status,
    15: Dispute,
}


def slot_of(message: Message) -> Slot | None:
    """The slot that a message is bound to; None for those of a whole epoch or of no epoch."""
    match message:
        case ListCertificate(sets=sets) | Proposal(sets=sets):
            return sets.slot
        case HeaderVote(header=header) | HeaderCertificate(header=header):
            return header.slot
        case AddressRecord() | EpochKey():
            return None
        case _:
            return message.slot
