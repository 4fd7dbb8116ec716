"""A chain in memory, with the contracts' rules and a block every virtual second."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

import trio

from contracts.bindings import Checkpoint, checkpoint_key
from p2pnode.chain.roles import account_of
from p2pnode.chain.statements import OperatorStatements
from p2pnode.errors import ChainError
from p2pnode.ports import AnchorRecord, Arena, Block, Claim, OperatorRecord, ShareClaim, SubnetRecord
from protocols.encryption.ring import PRIMES
from protocols.types import NO_DIGEST, Address, Digest, PeerKey, Role, Secret, short
from protocols.verification.contradiction import contradiction
from protocols.verification.proofs import Contradiction, Proof, Statements, proof_holds
from protocols.verification.royalties import Grant
from protocols.verification.scores import Share
from simnet.memory import GENESIS

T = TypeVar("T")

CHAIN_ID: Final = 2_000_001
SUBNET_ID: Final = 1


@dataclass
class _Anchor:
    """A checkpoint; stakes of the validators in wei, `total_stake` when it was proposed."""

    record: AnchorRecord
    total_stake: int
    attested_stake: int = 0


class Ledger:
    """The state of the chain, shared by everybody's `VirtualChain`. A transaction stands from the next block on.

    The methods that change it are the contracts' own (`contracts/src`), refusals included, but without bonds,
    commitments and windows: a vote counts at once, and what has its quorum is final.
    """

    def __init__(self, seed: int, founder: Address, params: bytes, task: bytes) -> None:
        self._seed = seed
        self.operators: list[OperatorRecord] = []
        self.anchors: dict[Digest, _Anchor] = {}
        self._attested: dict[tuple[int, Address], Digest] = {}
        self.asked: list[tuple[Address, int, Digest]] = []
        """Every attestation that anybody asked for, granted or not: by whom, of which height, of which checkpoint."""
        self.offences: set[tuple[str, Address, int, int]] = set()
        """What was proven: its name, the operator, height and cell."""
        self._final: Digest = NO_DIGEST
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
        if self._standing(sender):
            raise ChainError(f"operator {short(sender)} is registered already")
        self.operators.append(OperatorRecord(sender, peer, proof, roles, stake, self.number, 0))

    def leave(self, sender: Address) -> None:
        record = self._standing(sender)
        if record is None:
            raise ChainError(f"operator {short(sender)} is not registered")
        self.operators[self.operators.index(record)] = replace(record, left_block=self.number)

    def propose(self, sender: Address, checkpoint: Checkpoint) -> None:
        self._active(sender, Role.COMPUTE, "propose a checkpoint")
        if not self.subnet.opened_block:
            raise ChainError("the subnet is not open yet")
        key = Digest(checkpoint_key(SUBNET_ID, checkpoint))
        if key in self.anchors:
            return
        self._check_parent(checkpoint.height, Digest(checkpoint.parent))
        record = AnchorRecord(
            key=key,
            height=checkpoint.height,
            header_digest=Digest(checkpoint.header),
            parent_key=Digest(checkpoint.parent),
            params_digest=Digest(checkpoint.params_digest),
            proposer=sender,
            block_number=self.number,
            quorum_block=0,
            finalised=False,
        )
        self.anchors[key] = _Anchor(record, self._validator_stake())

    def attest(self, sender: Address, key: Digest) -> None:
        validator = self._active(sender, Role.VALIDATOR, "attest")
        anchor = self.anchors.get(key)
        if anchor is None:
            raise ChainError("no such checkpoint is proposed")
        height = anchor.record.height
        self.asked.append((sender, height, key))
        if validator.joined_block >= anchor.record.block_number:
            raise ChainError(f"operator {short(sender)} joined after the checkpoint at height {height} was proposed")
        if (height, sender) in self._attested:
            raise ChainError(f"operator {short(sender)} has attested height {height} already")
        self._attested[height, sender] = key
        anchor.attested_stake += validator.stake
        if 3 * anchor.attested_stake >= 2 * anchor.total_stake and not anchor.record.finalised:
            anchor.record = replace(anchor.record, quorum_block=self.number)
            self._finalise(key)

    def voters(self, key: Digest) -> tuple[Address, ...]:
        """Who attested a checkpoint."""
        return tuple(sorted(who for (_, who), vote in self._attested.items() if vote == key))

    def convict(self, proof: Proof, statements: Statements) -> bool:
        """The court's judgement; False if it knows of the offence already."""
        if isinstance(proof, Contradiction):
            offence = _equivocation(proof, statements)
        else:
            stated = proof.stated
            operator = statements.signer_of_sum(stated, proof.signature)
            if operator is None or stated.subnet != SUBNET_ID or not proof_holds(proof, PRIMES):
                raise ChainError("the court refuses the proof")
            offence = "wrong sum", operator, stated.height, stated.cell
        known = offence in self.offences
        self.offences.add(offence)
        return not known

    def _check_parent(self, height: int, parent: Digest) -> None:
        if parent == NO_DIGEST and self._final == NO_DIGEST:
            return
        if parent not in self.anchors:
            raise ChainError(f"the parent of the checkpoint at height {height} is unknown")
        last = self.anchors[self._final].record.height if self._final != NO_DIGEST else -1
        if height <= max(self.anchors[parent].record.height, last):
            raise ChainError(f"the checkpoint at height {height} is not above its parent or the last final one")

    def _finalise(self, key: Digest) -> None:
        cursor = key
        while cursor != self._final:
            anchor = self.anchors.get(cursor)
            if anchor is None or anchor.record.finalised:
                raise ChainError("the checkpoint conflicts with a final one")
            anchor.record = replace(anchor.record, finalised=True)
            cursor = anchor.record.parent_key
        self._final = key

    def _validator_stake(self) -> int:
        active = (record for record in self.operators if not record.left_block)
        return sum(record.stake for record in active if Role.VALIDATOR in record.roles)

    def _standing(self, sender: Address) -> OperatorRecord | None:
        return next((item for item in self.operators if item.address == sender and not item.left_block), None)

    def _active(self, sender: Address, role: Role, what: str) -> OperatorRecord:
        record = self._standing(sender)
        if record is None or role not in record.roles:
            raise ChainError(f"operator {short(sender)} is not registered for this role and cannot {what}")
        return record


class VirtualChain:
    """The `Chain` port of one operator over a shared `Ledger`."""

    def __init__(self, ledger: Ledger, operator: Address, key: Secret | None = None) -> None:
        self._ledger, self._operator = ledger, operator
        self._statements: Statements | None = None
        if key is not None:
            self._statements = OperatorStatements(account_of(key), CHAIN_ID, ledger.subnet.operators)

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

    def confirm(self, blocks: int) -> None:
        """Nothing is to be waited for: no reorganisation takes a block of this world back."""

    async def operators(self) -> tuple[OperatorRecord, ...]:
        await trio.lowlevel.checkpoint()
        return tuple(self._ledger.operators)

    async def anchors(self, from_height: int) -> tuple[AnchorRecord, ...]:
        await trio.lowlevel.checkpoint()
        records = (anchor.record for anchor in self._ledger.anchors.values())
        return tuple(sorted((item for item in records if item.height >= from_height), key=lambda item: item.height))

    async def register(self, peer: PeerKey, peer_proof: bytes, roles: Role, stake: int) -> None:
        await self._ledger.transact(lambda: self._ledger.register(self._operator, peer, peer_proof, roles, stake))

    async def leave(self) -> None:
        await self._ledger.transact(lambda: self._ledger.leave(self._operator))

    async def open(self) -> None:
        """The founder opens the subnet."""
        await self._ledger.transact(lambda: self._ledger.open(self._operator))

    async def anchor(self, height: int, header: Digest, parent: Digest, params: Digest) -> None:
        checkpoint = Checkpoint(height, header, parent, params)
        await self._ledger.transact(lambda: self._ledger.propose(self._operator, checkpoint))

    @property
    def statements(self) -> Statements | None:
        """The operator's signatures, with its real key; None without one."""
        return self._statements

    async def prosecute(self, proof: Proof) -> bool:
        """Whether it was news."""
        assert self._statements is not None
        statements = self._statements
        return await self._ledger.transact(lambda: self._ledger.convict(proof, statements))

    async def punish(self, proof: Proof) -> float | None:  # noqa: ARG002  # no stake is taken here
        """Nothing is to be waited for: what the court knows is settled."""
        await trio.lowlevel.checkpoint()
        return None

    @property
    def arena(self) -> Arena | None:
        """Nothing is disputed in this world."""
        return None

    async def voters(self, key: Digest) -> tuple[Address, ...]:
        """Who attested a checkpoint."""
        await trio.lowlevel.checkpoint()
        return self._ledger.voters(key)

    async def pots(self) -> Mapping[Share, int] | None:
        """There is no money in this world."""
        await trio.lowlevel.checkpoint()
        return None

    async def post_rewards(self, totals: Mapping[tuple[Share, Address], int]) -> tuple[Claim, ...]:
        """Nobody asks for it without pots."""
        raise ChainError(f"nobody pays {len(totals)} rewards here")

    async def shares_left(self) -> int | None:
        """Nor shares of it."""
        await trio.lowlevel.checkpoint()
        return None

    async def grants_posted(self) -> int:
        """Nobody asks for it without shares."""
        raise ChainError("nobody has royalty shares here")

    async def post_grants(self, grants: Sequence[Grant], base: int) -> tuple[ShareClaim, ...]:
        """Nobody asks for it without shares."""
        raise ChainError(f"nobody is granted {len(grants)} shares from {base} on here")

    async def attest(self, record: AnchorRecord, epoch: int) -> None:  # noqa: ARG002  # for a signature; none is made
        await self._ledger.transact(lambda: self._ledger.attest(self._operator, record.key))


def _equivocation(proof: Contradiction, statements: Statements) -> tuple[str, Address, int, int]:
    """As the court judges it: two signatures by one operator, one slot, and not the same."""
    one, other = (proof.first, proof.first_signature), (proof.second, proof.second_signature)
    signers = {statements.signer_of(*one), statements.signer_of(*other)}
    if (
        signers != {proof.operator}
        or proof.first.subnet != SUBNET_ID
        or contradiction(proof.operator, one, other) is None
    ):
        raise ChainError("the court refuses the proof")
    return "equivocation", proof.operator, proof.first.height, proof.first.place


def _contract(seed: int, name: str) -> Address:
    return Address(hashlib.sha256(f"simnet contract {seed} {name}".encode()).digest()[:20])
