"""A validator's vote on a checkpoint, from the commitment to finality.

Every step first looks whether it is done, by whomever: it may be repeated at any time, also after a crash.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio
from eth_utils.crypto import keccak

from contracts.bindings import Attestation, CheckpointAnchor, Transaction
from p2pnode.chain.checkpoints import CheckpointLog
from p2pnode.chain.reader import ChainReader
from p2pnode.chain.sender import RefusedError, Sender
from p2pnode.chain.statements import Kind, Statement, sign
from p2pnode.errors import ChainError
from p2pnode.ports import AnchorRecord
from protocols.types import Digest, Role

POLL_S: Final = 0.3
STAND_IN_S: Final = 2.0
"""By how much each further validator waits for the one before it to do what one must do for all."""
LATECOMERS_S: Final = 30.0
"""How long votes stay closed for validators that have not committed yet, as long as two thirds have not."""
PATIENCE_S: Final = 90.0
"""How long one step may take."""


class Voting:
    """The votes of one operator's account in one subnet."""

    def __init__(self, reader: ChainReader, sender: Sender) -> None:
        self._reader, self._sender = reader, sender
        self._me = sender.address

    async def attest(self, record: AnchorRecord, epoch: int) -> None:
        """Votes for a checkpoint, and sees to it that it becomes final.

        Raises:
            ChainError: the chain refuses, does not answer, or the vote is not settled within minutes.
        """
        key, height = record.key, record.height
        await self._require_validator()
        subnet_id = self._reader.subnet_id
        statement = Statement(Kind.ATTESTATION, subnet_id, epoch, height, 0, key)
        vote = sign(self._sender.account, statement, self._reader.chain_id, self._reader.registry)
        await self._commit(height, keccak(vote))
        await self._open(key, height)
        await self._commitments(key, height)
        await self._reveal(key, height, epoch, vote)
        await self._finalise(key, height)

    async def _require_validator(self) -> None:
        """Told in words here: to the chain any account may commit, and only a vote without weight is refused."""
        mine = (one for one in await self._reader.operators() if one.address == self._me and not one.left_block)
        if not any(Role.VALIDATOR in one.roles for one in mine):
            raise ChainError(f"0x{self._me.hex()} is no validator of subnet {self._reader.subnet_id}")

    async def _commit(self, height: int, commitment: bytes) -> None:
        contract = await self._attestation()
        known, time = await self._reader.ask(contract.commitment_of(self._reader.subnet_id, height, self._me))
        if not time:
            await self._send(contract.commit(self._reader.subnet_id, height, commitment))
        elif known != commitment[:26]:
            raise ChainError(f"0x{self._me.hex()} has committed to another vote at height {height}")

    async def _open(self, key: Digest, height: int) -> None:
        """Has the vote begin, on all below as well."""
        await self._stand_in(height, lambda log: key in log.opened_at)
        log = await self._reader.checkpoints()
        anchor = CheckpointAnchor((await self._reader.subnet()).anchor)
        for one in log.unopened(key):
            await self._weigh()
            place = (await self._reader.checkpoints()).place(one)
            if place is None:
                raise ChainError(f"nobody with a bond proposed the checkpoint at height {log.records[one].height}")
            transaction = anchor.open(self._reader.subnet_id, log.checkpoint(one), place)
            await self._send(transaction, unless="AlreadyOpened")

    async def _weigh(self) -> None:
        """Takes the validators' weights down if that was never done, is about to be void, or they are others now."""
        contract = await self._attestation()
        latest = (await self._reader.checkpoints()).latest
        records = await self._reader.operators()
        validators = {one.address for one in records if not one.left_block and Role.VALIDATOR in one.roles}
        lifetime = await self._reader.ask(contract.snapshot_seconds())
        now = (await self._reader.head()).timestamp
        if latest is None or set(latest.validators) != validators or now > latest.taken_at + lifetime // 2:
            await self._send(contract.snapshot(self._reader.subnet_id, sorted(validators)))

    async def _commitments(self, key: Digest, height: int) -> None:
        """Waits until commitments are closed, and a while for those that two thirds still need."""
        contract = await self._attestation()
        closed = (await self._log(lambda log: key in log.opened_at)).opened_at[key]
        closed += await self._reader.ask(contract.commit_seconds())
        late = trio.current_time() + LATECOMERS_S
        while True:
            log, now = await self._reader.checkpoints(), (await self._reader.head()).timestamp
            enough = log.snapshots[log.weighed_by[key]].share(log.committed[height]) * 3 >= 2
            if now >= closed and (enough or trio.current_time() >= late):
                return
            await trio.sleep(POLL_S)

    async def _reveal(self, key: Digest, height: int, epoch: int, vote: bytes) -> None:
        contract, log = await self._attestation(), await self._reader.checkpoints()
        weights = log.snapshots[log.weighed_by[key]]
        if self._me not in weights.validators:
            raise ChainError(f"the vote at height {height} is weighed as of before 0x{self._me.hex()} joined")
        bit = 1 << weights.validators.index(self._me)
        tally = await self._reader.ask(contract.tally_of(self._reader.subnet_id, key))
        if tally.voted & bit:
            return
        transaction = contract.reveal(self._reader.subnet_id, epoch, height, key, weights.table, bit, vote)
        await self._send(transaction, unless="VotedAlready")

    async def _finalise(self, key: Digest, height: int) -> None:
        """Makes it final once it has its quorum and may not be disputed any more."""
        anchor = CheckpointAnchor((await self._reader.subnet()).anchor)
        await self._log(lambda log: log.records[key].quorum_block > 0 or log.records[key].finalised)
        record = await self._reader.ask(anchor.record_of(self._reader.subnet_id, key))
        closes_at = record.proposed_at + await self._reader.ask(anchor.challenge_seconds())
        while (await self._reader.head()).timestamp <= closes_at:
            await trio.sleep(POLL_S)
        await self._stand_in(height, lambda log: log.records[key].finalised)
        if not (await self._reader.checkpoints()).records[key].finalised:
            await self._send(anchor.finalise(self._reader.subnet_id, key))

    async def _stand_in(self, height: int, done: Callable[[CheckpointLog], bool]) -> None:
        """Leaves to the validators before this one in the height's order what one must do for all."""
        records = await self._reader.operators()
        order = sorted(one.address for one in records if not one.left_block and Role.VALIDATOR in one.roles)
        rank = (order.index(self._me) - height) % len(order)
        with trio.move_on_after(STAND_IN_S * rank):
            await self._log(done)

    async def _log(self, wanted: Callable[[CheckpointLog], bool]) -> CheckpointLog:
        """The checkpoints, once they are as wanted."""
        with trio.move_on_after(PATIENCE_S):
            while not wanted(log := await self._reader.checkpoints()):
                await trio.sleep(POLL_S)
            return log
        raise ChainError(f"too few validators of subnet {self._reader.subnet_id} vote")

    async def _attestation(self) -> Attestation:
        return Attestation(await self._reader.attestation())

    async def _send(self, transaction: Transaction, unless: str = "") -> None:
        """Sends; that somebody was faster (the contract's error `unless`) is as good."""
        try:
            await self._sender.send(transaction)
        except RefusedError as error:
            if error.name != unless:
                raise
        finally:
            self._reader.expire()
