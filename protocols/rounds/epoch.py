"""Everything about one epoch that follows from the chain: committee, cells, slots, proposers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from protocols.encryption.sealing import is_usable
from protocols.hashing import tagged
from protocols.params import Params
from protocols.rounds.cells import draw_aggregators, draw_cells, stripes
from protocols.rounds.committee import draw_committee
from protocols.types import Address, Digest, Height, PeerKey, Role
from protocols.wire.messages import CellSet, EpochKey, Slot


@dataclass(frozen=True)
class EpochView:
    """One epoch as every honest peer sees it.

    Attributes:
        beacon: 32 bytes that nobody chose (protocol.md, Randomness).
        committee: member index i (1 to n) is committee[i - 1].
        cells: each sorted.
        validators: peers that attest.
        accounts: whose stake answers for a peer.
    """

    chain_id: int
    subnet: int
    epoch: int
    beacon: bytes
    params: Params
    committee: tuple[PeerKey, ...]
    cells: tuple[tuple[PeerKey, ...], ...]
    validators: frozenset[PeerKey]
    accounts: Mapping[PeerKey, Address] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def committee_root(self) -> Digest:
        """Binds messages to this very committee and its beacon."""
        return tagged("committee-root", self.chain_id, self.subnet, self.epoch, self.beacon, *self.committee)

    @cached_property
    def participants(self) -> frozenset[PeerKey]:
        """Who may speak in this epoch's rounds."""
        return frozenset(self.committee).union(*self.cells)

    @cached_property
    def _cells_by_peer(self) -> dict[PeerKey, int]:
        return {peer: cell for cell, members in enumerate(self.cells) for peer in members}

    def partners(self, peer: PeerKey) -> frozenset[PeerKey]:
        """With whom a peer has to do: the committee and its own cell; who sits in the committee or validates, all."""
        if peer in self.committee or peer in self.validators:
            return self.participants | self.validators
        cell = self.cell_of(peer)
        return frozenset((*self.committee, *(self.cells[cell] if cell is not None else ())))

    @property
    def heights(self) -> range:
        """The rounds that this epoch serves."""
        length = self.params.rounds_per_epoch
        return range(self.epoch * length, (self.epoch + 1) * length)

    def slot(self, height: int) -> Slot:
        """What messages of a round are bound to."""
        return Slot(self.chain_id, self.subnet, self.epoch, self.committee_root, Height(height))

    def member_index(self, peer: PeerKey) -> int | None:
        """1 to n for a committee member."""
        return self.committee.index(peer) + 1 if peer in self.committee else None

    def cell_of(self, peer: PeerKey) -> int | None:
        """The cell that a contributor belongs to."""
        return self._cells_by_peer.get(peer)

    def cell_quorum(self, cell: int) -> int:
        """Contributors without whom a cell is not opened: at least m - d and at least k_min."""
        return self.params.quorum(len(self.cells[cell]))

    def admits(self, cell_set: CellSet) -> bool:
        """What a set must be to be voted for or released: of one known cell, big enough, in order, nobody twice."""
        contributors = [contribution.contributor for contribution in cell_set.contributions]
        return (
            cell_set.cell < len(self.cells)
            and contributors == sorted(set(contributors))
            and len(contributors) >= self.cell_quorum(cell_set.cell)
            and set(contributors) <= set(self.cells[cell_set.cell])
        )

    def aggregators(self, height: int, cell: int, stripe: int) -> tuple[PeerKey, ...]:
        """Who adds this stripe of the cell's ciphertexts in this round."""
        return draw_aggregators(self.beacon, height, cell, stripe, self.cells[cell])

    def duties(self, height: int, cell: int, chunks: int) -> dict[PeerKey, tuple[int, ...]]:
        """The stripes of each of the cell's aggregators, of updates of so many ciphertexts."""
        found: dict[PeerKey, tuple[int, ...]] = {}
        for stripe in stripes(chunks):
            for peer in self.aggregators(height, cell, stripe):
                found[peer] = (*found.get(peer, ()), stripe)
        return found

    def proposer_rank(self, height: int, member: int) -> int:
        """0 for the round's first proposer, 1 for who stands in for it, and so on."""
        return (member - 1 - height) % len(self.committee)

    def round_beacon(self, height: int) -> bytes:
        """What the round's public polynomials are drawn from, together with cell and index."""
        return tagged("round-beacon", self.committee_root, height)

    def dealing_context(self, height: int, cell: int, dealer: PeerKey, root: Digest) -> bytes:
        """What a dealing as a whole is bound to: proofs made for another one do not hold."""
        return tagged("dealing", self.committee_root, height, cell, dealer, root)

    def sealing_context(self, height: int, cell: int, dealer: PeerKey, member: int, root: Digest) -> bytes:
        """Associated data of a sealed share: a copy under another name or for another ciphertext does not open."""
        return tagged("sealed-share", self.committee_root, height, cell, dealer, member, root)


def draw_epoch(
    chain_id: int,
    subnet: int,
    epoch: int,
    block_hash: bytes,
    params: Params,
    roster: Iterable[tuple[PeerKey, Role]],
    accounts: Mapping[PeerKey, Address] | None = None,
) -> EpochView:
    """The view that follows from a beacon block and the operators that were active in it.

    Raises:
        LocalError: too few operators for a committee or a cell.
    """
    peers = tuple(roster)
    beacon = tagged("epoch-beacon", chain_id, subnet, epoch, block_hash)

    def holding(role: Role) -> list[PeerKey]:
        return [peer for peer, roles in peers if roles & role]

    return EpochView(
        chain_id,
        subnet,
        epoch,
        beacon,
        params,
        draw_committee(beacon, holding(Role.COMPUTE), params.committee),
        draw_cells(beacon, holding(Role.DATA), params.cell_min),
        frozenset(holding(Role.VALIDATOR)),
        accounts or {},
    )


class EpochKeys:
    """The committee's share-encryption keys as they become known; a member's newest replaces its older ones."""

    def __init__(self, view: EpochView) -> None:
        self._view = view
        self._newest: dict[int, EpochKey] = {}

    def accept(self, sender: PeerKey, key: EpochKey) -> bool:
        """Takes a key from a member of this very committee; False if it means nothing here."""
        member = self._view.member_index(sender)
        known = self._newest.get(member) if member is not None else None
        bound = (key.epoch, key.committee_root) == (self._view.epoch, self._view.committee_root)
        if member is None or not bound or (known is not None and known.sequence >= key.sequence):
            return False
        if not is_usable(key.public):
            return False  # else one member's junk key would fail every contributor's sealing
        self._newest[member] = key
        return True

    @property
    def public(self) -> dict[int, bytes]:
        """Member index -> public key."""
        return {member: key.public for member, key in self._newest.items()}
