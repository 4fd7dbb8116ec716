"""Dispute games on the chain, as one operator sees and plays them; implements `p2pnode.ports.Arena`.

Nothing is remembered but what saves questions: whoever crashed asks the chain again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from eth_account.signers.local import LocalAccount

from contracts.bindings import Checkpoint, CheckpointAnchor, Transaction
from contracts.games import DisputeGame, ends, quorum_proof
from contracts.games import Game as Standing
from p2pnode.chain.checkpoints import Weights
from p2pnode.chain.reader import ChainReader
from p2pnode.chain.sender import RefusedError
from p2pnode.chain.statements import Kind, Statement, sign, step_value
from p2pnode.errors import ChainError
from p2pnode.ports import AnchorRecord, Arena
from protocols.types import Address, Digest
from protocols.verification.game import Answer, Commit, Drop, Game, Move, Outcome, Phase, Release, Reveal, Timeout
from protocols.verification.proofs import Stated

FASTER: Final = frozenset({"WrongPhase", "AlreadyReleased", "TimedOut", "NotTimedOut"})
"""What a contract says if somebody moved first, or if time went on: the next look tells what is to be done now."""


class Disputes(Arena):
    """One operator's."""

    def __init__(
        self,
        reader: ChainReader,
        send: Callable[[Transaction], Awaitable[None]],
        account: LocalAccount,
        disputes: Address,
    ) -> None:
        self._reader, self._send, self._account = reader, send, account
        self._me = Address(bytes.fromhex(account.address[2:]))
        self._contract = DisputeGame(disputes)
        self._over: set[int] = set()
        self._challenged: set[Digest] = set()
        self._tasks: dict[int, bytes] = {}
        self._payout_s: int | None = None
        reader.on_reorg.append(self._forget)

    async def games(self) -> tuple[Game, ...]:
        ask, contract = self._reader.ask, self._contract
        if self._payout_s is None:
            self._payout_s = await ask(contract.payout_s())
        found = []
        for number in range(1, await ask(contract.game_count()) + 1):
            if number in self._over:
                continue
            standing = await ask(contract.game_of(number))
            mine = standing.subnet_id == self._reader.subnet_id
            if mine and standing.challenger == self._me:
                self._challenged.add(Digest(standing.key))
            if standing.released or not mine:
                self._over.add(number)
                continue
            self._tasks[number] = standing.task
            found.append(await self._game(number, standing))
        return tuple(found)

    async def disputable(self) -> tuple[AnchorRecord, ...]:
        log, now = await self._reader.checkpoints(), (await self._reader.head()).timestamp
        anchor, subnet_id = CheckpointAnchor((await self._reader.subnet()).anchor), self._reader.subnet_id
        window = await self._reader.ask(anchor.challenge_seconds())
        found = []
        for key, record in list(log.records.items()):
            if key not in log.opened_at or record.finalised or key in log.rejected or key in self._challenged:
                continue
            proposed_at = (await self._reader.ask(anchor.record_of(subnet_id, key))).proposed_at
            if now <= proposed_at + window:
                found.append(record)
        return tuple(found)

    def ends(self, record: AnchorRecord, params: Digest) -> tuple[Digest, Digest]:
        first, last = ends(self._reader.subnet_id, _checkpoint(record, params))
        return Digest(first), Digest(last)

    async def challenge(self, record: AnchorRecord) -> None:
        bond = await self._reader.ask(self._contract.bond_wei())
        await self._send(self._contract.challenge(self._reader.subnet_id, record.key, bond))
        self._challenged.add(record.key)

    async def play(self, game: Game, move: Move, record: AnchorRecord) -> None:
        contract, number = self._contract, game.number
        match move:
            case Commit(steps=steps, trace=trace):
                checkpoint = _checkpoint(record, record.params_digest)
                await self._move(contract.commit(number, checkpoint, steps, trace))
            case Reveal(state=state, path=path):
                await self._move(contract.reveal(number, state, path))
            case Answer(agreed=agreed):
                await self._move(contract.answer(number, agreed=agreed))
            case Timeout():
                await self._move(contract.timeout(number))
            case Drop():
                await self._move(contract.drop(number))
            case Release():
                await self._move(contract.release(number))
            case _:
                raise ChainError(f"game {number}: a proof needs what validators state")

    async def withdraw(self) -> None:
        if await self._reader.ask(self._contract.owed_to(self._me)):
            await self._move(self._contract.withdraw(self._me), unless=frozenset({"NothingOwed"}))

    def state(self, game: Game, epoch: int, result: Digest) -> tuple[Stated, bytes]:
        stated = self.stated(game, epoch, result)
        statement = Statement(Kind.STEP, stated.subnet, stated.epoch, stated.height, stated.place, stated.value)
        return stated, sign(self._account, statement, self._reader.chain_id, self._reader.registry)

    def stated(self, game: Game, epoch: int, result: Digest) -> Stated:
        value = step_value(self._tasks[game.number], game.low_state, result)
        place = game.number << 32 | game.low
        return Stated(int(Kind.STEP), self._reader.subnet_id, epoch, game.height, place, value)

    async def validators(self, key: Digest) -> tuple[Address, ...]:
        return (await self._weights(key)).validators

    async def prove(self, game: Game, epoch: int, result: Digest, signatures: Mapping[Address, bytes]) -> bool:
        weights = await self._weights(game.key)
        if weights.share({*signatures}) * 3 < 2:
            return False
        signers = [(bit, who) for bit, who in enumerate(weights.validators) if who in signatures]
        bits, votes = sum(1 << bit for bit, _ in signers), b"".join(signatures[who] for _, who in signers)
        await self._move(self._contract.prove(game.number, quorum_proof(epoch, result, weights.table, bits, votes)))
        return True

    async def _weights(self, key: Digest) -> Weights:
        log = await self._reader.checkpoints()
        if key not in log.weighed_by:
            raise ChainError("no vote is under way on the disputed checkpoint")
        return log.snapshots[log.weighed_by[key]]

    async def _game(self, number: int, standing: Standing) -> Game:
        assert self._payout_s is not None
        return Game(
            number=number,
            key=Digest(standing.key),
            height=standing.height,
            defender=Address(standing.defender),
            challenger=Address(standing.challenger),
            phase=Phase(standing.phase),
            outcome=Outcome(standing.outcome),
            ends_at=await self._reader.ask(self._contract.ends_at(number)),
            pays_at=standing.since + self._payout_s,
            released=standing.released,
            low=standing.low,
            high=standing.high,
            steps=standing.steps,
            trace=Digest(standing.trace),
            low_state=Digest(standing.low_state),
            high_state=Digest(standing.high_state),
            middle=Digest(standing.middle),
            rejected=Digest(standing.key) in (await self._reader.checkpoints()).rejected,
        )

    async def _move(self, transaction: Transaction, unless: frozenset[str] = FASTER) -> None:
        try:
            await self._send(transaction)
        except RefusedError as error:
            if error.name not in unless:
                raise
        finally:
            self._reader.expire()

    async def _forget(self) -> None:
        """A reorg may have taken anything back."""
        self._over.clear()
        self._challenged.clear()


def _checkpoint(record: AnchorRecord, params: Digest) -> Checkpoint:
    return Checkpoint(record.height, record.header_digest, record.parent_key, params)
