"""A chain in memory, with the contracts' rules and a block every virtual second."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeVar

import trio

from p2pnode.errors import ChainError
from p2pnode.ports import AnchorRecord, Block, OperatorRecord, SubnetRecord
from protocols.types import Address, Digest, Height, PeerKey, Role, short
from simnet.memory import GENESIS

T = TypeVar("T")

CHAIN_ID: Final = 2_000_001
SUBNET_ID: Final = 1


@dataclass
class _Anchor:
    record: AnchorRecord
    attesters: set[Address]


class Ledger:
    """The state of the chain, shared by everybody's `VirtualChain`. A transaction stands from the next block on."""

    def __init__(self, seed: int, founder: Address, params: bytes, task: bytes) -> None:
        self._seed = seed
        self.operators: dict[Address, OperatorRecord] = {}
        self.anchors: dict[int, _Anchor] = {}
        self.subnet = SubnetRecord(
            SUBNET_ID, founder, params, task, 0, _contract(seed, "operators"), _contract(seed, "anchor")
        )

    @property
    def number(self) -> int:
        """The head's number: blocks come with the seconds of trio's clock."""
        return int(trio.current_time())

    def block(self, number: int) -> Block:
        if not 0 <= number <= self.number:
            raise ChainError(f"block {number} does not exist yet; the head is {self.number}")
        block_hash = hashlib.sha256(f"simnet block {self._seed} {number}".encode()).digest()
        return Block(number, block_hash, GENESIS + number)

    async def transact(self, change: Callable[[], T]) -> T:
        """Mines `change` into the next block."""
        await trio.sleep_until(self.number + 1)
        return change()

    def open(self, sender: Address) -> None:
        if sender != self.subnet.founder:
            raise ChainError("only its founder can open the subnet")
        if self.subnet.opened_block:
            raise ChainError(f"the subnet is open already, since block {self.subnet.opened_block}")
        self.subnet = replace(self.subnet, opened_block=self.number)

    def register(self, sender: Address, peer: PeerKey, proof: bytes, roles: Role, stake: int) -> None:
        if stake <= 0 or not roles:
            raise ChainError("registration needs a stake and at least one role")
        active = [record for record in self.operators.values() if not record.left_block]
        if any(record.address == sender for record in active):
            raise ChainError(f"operator {short(sender)} is registered already")
        if any(record.peer == peer for record in active):
            raise ChainError(f"peer {short(peer)} belongs to another operator")
        self.operators[sender] = OperatorRecord(sender, peer, proof, roles, stake, self.number, 0)

    def leave(self, sender: Address) -> None:
        self.operators[sender] = replace(self._active(sender, "leave"), left_block=self.number)

    def anchor(self, sender: Address, height: int, header: Digest, parent: Digest, params: Digest) -> None:
        self._active(sender, "anchor")
        standing = self.anchors.get(height)
        if standing:
            if standing.record.header_digest != header:
                raise ChainError(f"another checkpoint stands at height {height} already")
            return
        record = AnchorRecord(Height(height), header, parent, params, sender, self.number, 0, finalised=False)
        self.anchors[height] = _Anchor(record, set())

    def attest(self, sender: Address, height: int, header: Digest) -> None:
        validator = self._active(sender, "attest")
        if Role.VALIDATOR not in validator.roles:
            raise ChainError(f"operator {short(sender)} is no validator")
        standing = self.anchors.get(height)
        if standing is None or standing.record.header_digest != header:
            raise ChainError(f"no such checkpoint is anchored at height {height}")
        if sender in standing.attesters:
            raise ChainError(f"operator {short(sender)} has attested height {height} already")
        standing.attesters.add(sender)
        attested = standing.record.attested_stake + validator.stake
        final = standing.record.finalised or 3 * attested >= 2 * self._validator_stake()
        standing.record = replace(standing.record, attested_stake=attested, finalised=final)

    def _validator_stake(self) -> int:
        records = self.operators.values()
        return sum(record.stake for record in records if Role.VALIDATOR in record.roles and not record.left_block)

    def _active(self, sender: Address, what: str) -> OperatorRecord:
        record = self.operators.get(sender)
        if record is None or record.left_block:
            raise ChainError(f"operator {short(sender)} is not registered and cannot {what}")
        return record


class VirtualChain:
    """The `Chain` port of one operator over a shared `Ledger`."""

    def __init__(self, ledger: Ledger, operator: Address) -> None:
        self._ledger, self._operator = ledger, operator

    @property
    def chain_id(self) -> int:
        return CHAIN_ID

    @property
    def operator(self) -> Address:
        return self._operator

    async def head(self) -> Block:
        return await self.block(self._ledger.number)

    async def block(self, number: int) -> Block:
        await trio.lowlevel.checkpoint()
        return self._ledger.block(number)

    async def subnet(self) -> SubnetRecord:
        await trio.lowlevel.checkpoint()
        return self._ledger.subnet

    async def operators(self) -> tuple[OperatorRecord, ...]:
        await trio.lowlevel.checkpoint()
        return tuple(self._ledger.operators.values())

    async def anchors(self, from_height: int) -> tuple[AnchorRecord, ...]:
        await trio.lowlevel.checkpoint()
        standing = sorted(self._ledger.anchors.items())
        return tuple(anchor.record for height, anchor in standing if height >= from_height)

    async def register(self, peer: PeerKey, peer_proof: bytes, roles: Role, stake: int) -> None:
        await self._ledger.transact(lambda: self._ledger.register(self._operator, peer, peer_proof, roles, stake))

    async def leave(self) -> None:
        await self._ledger.transact(lambda: self._ledger.leave(self._operator))

    async def open(self) -> None:
        """The founder opens the subnet."""
        await self._ledger.transact(lambda: self._ledger.open(self._operator))

    async def anchor(self, height: int, header: Digest, parent: Digest, params: Digest) -> None:
        await self._ledger.transact(lambda: self._ledger.anchor(self._operator, height, header, parent, params))

    async def attest(self, height: int, header: Digest) -> None:
        await self._ledger.transact(lambda: self._ledger.attest(self._operator, height, header))


def _contract(seed: int, name: str) -> Address:
    return Address(hashlib.sha256(f"simnet contract {seed} {name}".encode()).digest()[:20])
