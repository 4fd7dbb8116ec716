"""What the logs of the anchor and of the attestation contract say of one subnet's checkpoints, replayed in their order.

A proposal is only a log: the chain keeps no more of it than its proposer's rolling hash. Who opens one shows where in
that hash it stands, and learns it here.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Final

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from contracts.bindings import Checkpoint, Place, checkpoint_key
from contracts.events import (
    Bonded,
    BondForfeited,
    Committed,
    Event,
    Finalised,
    Opened,
    Proposed,
    QuorumReached,
    Revealed,
    Settled,
    SnapshotTaken,
    Unbonded,
    VotingBegan,
)
from p2pnode.ports import AnchorRecord, Block
from protocols.types import Address, Digest

ENTRIES_MAX: Final = 512
"""Of one proposer: to open an older proposal would cost too much."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One proposal in a rolling hash; `before` is the hash before it."""

    key: Digest
    block: Block
    before: bytes

    @property
    def when(self) -> int:
        return self.block.timestamp << 48 | self.block.number

    @property
    def after(self) -> bytes:
        return keccak(encode(["bytes32", "bytes32", "uint256"], (self.before, self.key, self.when)))


@dataclass(frozen=True, slots=True)
class Weights:
    """The validators' weights as taken down at a time (seconds): words of address and weight, addresses ascending."""

    number: int
    table: tuple[int, ...]
    taken_at: int

    @property
    def validators(self) -> tuple[Address, ...]:
        return tuple(Address((word >> 96).to_bytes(20, "big")) for word in self.table)

    def share(self, accounts: set[Address]) -> float:
        """Of the whole weight, that of these accounts."""
        weights = {who: word % 2**96 for who, word in zip(self.validators, self.table, strict=True)}
        return sum(weights[who] for who in accounts & weights.keys()) / sum(weights.values())


@dataclass
class CheckpointLog:
    """A subnet's checkpoints.

    Attributes:
        records: by key, in the order of their first proposal.
        opened_at: when the vote on a checkpoint began, seconds.
        weighed_by: the number of the snapshot that weighs the votes on a checkpoint.
        snapshots: by number.
        committed: the accounts that committed to a vote at a height.
        rejected: checkpoints that lost a dispute.
        voters: whose votes for a checkpoint were counted.
    """

    subnet_id: int
    records: dict[Digest, AnchorRecord] = field(default_factory=dict)
    opened_at: dict[Digest, int] = field(default_factory=dict)
    weighed_by: dict[Digest, int] = field(default_factory=dict)
    snapshots: dict[int, Weights] = field(default_factory=dict)
    committed: defaultdict[int, set[Address]] = field(default_factory=lambda: defaultdict(set))
    rejected: set[Digest] = field(default_factory=set)
    voters: defaultdict[Digest, set[Address]] = field(default_factory=lambda: defaultdict(set))
    _start: dict[Address, bytes] = field(default_factory=dict)
    _entries: defaultdict[Address, list[Entry]] = field(default_factory=lambda: defaultdict(list))

    def apply(self, found: Event, block: Block) -> None:
        """The next event, in the block with it."""
        match found:
            case Bonded(proposer=who, rolling=rolling):
                self._start[Address(who)] = rolling
                self._entries[Address(who)].clear()
            case Unbonded(proposer=who) | BondForfeited(proposer=who):
                self._entries[Address(who)].clear()
            case Proposed():
                self._propose(found, block)
            case Opened(key=key):
                self.opened_at[Digest(key)] = block.timestamp
            case Settled(key=key, upheld=True):
                self.rejected.add(Digest(key))
            case QuorumReached(key=key):
                self._update(key, quorum_block=block.number)
            case Finalised(key=key):
                self._update(key, finalised=True)
            case VotingBegan(key=key, snapshot_id=number):
                self.weighed_by[Digest(key)] = number
            case Revealed(key=key, signers=signers):
                table = self.snapshots[self.weighed_by[Digest(key)]].validators
                self.voters[Digest(key)].update(who for bit, who in enumerate(table) if signers >> bit & 1)
            case SnapshotTaken(snapshot_id=number, table=table):
                self.snapshots[number] = Weights(number, table, block.timestamp)
            case Committed(height=height, validator=who):
                self.committed[height].add(Address(who))
            case _:
                pass

    @property
    def latest(self) -> Weights | None:
        """The newest snapshot."""
        return self.snapshots[max(self.snapshots)] if self.snapshots else None

    def checkpoint(self, key: Digest) -> Checkpoint:
        """A proposed checkpoint as the contract takes it."""
        record = self.records[key]
        return Checkpoint(record.height, record.header_digest, record.parent_key, record.params_digest)

    def place(self, key: Digest) -> Place | None:
        """Where it stands in some bonded proposer's rolling hash, that with the fewest proposals after it."""
        found: Place | None = None
        for who, entries in self._entries.items():
            index = next((i for i in reversed(range(len(entries))) if entries[i].key == key), None)
            if index is None or (found is not None and 2 * (len(entries) - index - 1) >= len(found.later)):
                continue
            later = tuple(word for one in entries[index + 1 :] for word in (one.key, one.when.to_bytes(32, "big")))
            one = entries[index]
            found = Place(who, one.block.timestamp, one.block.number, one.before, later)
        return found

    def unopened(self, key: Digest) -> list[Digest]:
        """What must be opened so that this checkpoint is, itself included, the lowest first."""
        missing: list[Digest] = []
        while key in self.records and key not in self.opened_at:
            missing.insert(0, key)
            key = self.records[key].parent_key
        return missing

    def _propose(self, found: Proposed, block: Block) -> None:
        checkpoint = Checkpoint(found.height, found.header, found.parent, found.params_digest)
        key, who = Digest(checkpoint_key(self.subnet_id, checkpoint)), Address(found.proposer)
        entries = self._entries[who]
        entries.append(Entry(key, block, entries[-1].after if entries else self._start[who]))
        del entries[:-ENTRIES_MAX]
        if key not in self.records:
            self.records[key] = AnchorRecord(
                key=key,
                height=found.height,
                header_digest=Digest(found.header),
                parent_key=Digest(found.parent),
                params_digest=Digest(found.params_digest),
                proposer=who,
                block_number=block.number,
                quorum_block=0,
                finalised=False,
            )

    def _update(self, key: bytes, *, quorum_block: int | None = None, finalised: bool = False) -> None:
        record = self.records[Digest(key)]
        self.records[Digest(key)] = replace(
            record,
            quorum_block=record.quorum_block if quorum_block is None else quorum_block,
            finalised=record.finalised or finalised,
        )
