"""Dispute games between nodes on the embedded chain: nobody plays by hand, and who was wrong has lost.

The nodes' parts that dispute are real, and so are chain, contracts and signatures; requests go from one to the other in
memory. Four of five validators have recomputed what was certified.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
import trio

import p2pnode.disputes
from contracts.bindings import CheckpointAnchor
from contracts.deploy import deploy
from contracts.deploy_terms import Economics
from contracts.devchain import DevChain, devchain
from contracts.games import DisputeGame, GameRules
from contracts.justice import SlashingManager
from p2pnode.chain.client import EvmChain, found_subnet, open_reader, open_subnet, request_faucet
from p2pnode.chain.reader import ChainReader
from p2pnode.chain.wallet import Places
from p2pnode.disputes import WORD, Disputes
from p2pnode.duties import Duties
from p2pnode.errors import ChainError, Unreachable
from p2pnode.ports import AnchorRecord, RequestHandler
from p2pnode.program import RealClock
from p2pnode.verdicts import STEP, SUMS, Verdicts
from protocols.checkpoints.machine import header_digest
from protocols.effects import Journal, Prosecute
from protocols.params import Params
from protocols.types import NO_DIGEST, Digest, PeerKey, Role, Secret
from protocols.verification.game import Outcome, Phase
from protocols.verification.proofs import Contradiction
from protocols.wire.messages import Header
from tests.p2pnode.kit import Seen
from tests.protocols.verification.test_trace import header

STAKE, BOND = 10**18, 10**16
FOUNDER = Secret(b"\x05" * 32)
RULES = GameRules(BOND, clock_s=600, extension_s=60, prove_s=600, payout_s=30, false_share=10**18 // 2)
ECONOMICS = Economics(exit_delay_s=20_000, commit_s=2, challenge_s=900, snapshot_s=3000, games=RULES)
PARAMS = Params(k_min=3, dropouts=1, committee=4, threshold=3, anchor_every=2)


def lineage(tag: bytes = b"") -> list[Header]:
    """Two certified rounds, of which the second is anchored."""
    first = replace(header(0), total=Digest(tag.ljust(32, b"t")))
    return [first, replace(header(1), parent=header_digest(first))]


CERTIFIED, FORGED = lineage(), lineage(b"forged")


@pytest.fixture(autouse=True)
def _hurry(monkeypatch):
    monkeypatch.setattr(p2pnode.disputes, "POLL_S", 0.1)


@dataclass
class Wires:
    """Requests between the nodes of a test."""

    handlers: dict[PeerKey, RequestHandler] = field(default_factory=dict)


class Wire:
    """All that a dispute asks of a transport."""

    def __init__(self, wires: Wires, peer: PeerKey) -> None:
        self._wires, self.peer = wires, peer

    def serve(self, _: str, handler: RequestHandler) -> None:
        self._wires.handlers[self.peer] = handler

    async def request(self, to: PeerKey, _: str, payload: bytes, *, max_bytes: int) -> bytes:
        await trio.lowlevel.checkpoint()
        if to not in self._wires.handlers:
            raise Unreachable("it is away")
        answer = await self._wires.handlers[to](self.peer, payload)
        assert len(answer) <= max_bytes
        return answer


@dataclass
class Node:
    """An operator's node, as far as it disputes; its disk outlives it."""

    chain: EvmChain
    peer: PeerKey
    wires: Wires
    headers: list[Header]
    judges: bool
    right: bool = True
    challenges: bool = False
    disk: list[Journal] = field(default_factory=list)
    seen: Seen = field(default_factory=Seen)
    prosecuted: list[Prosecute] = field(default_factory=list)

    def begin(self) -> Disputes:
        """A life of this node: all that it knows comes from its disk and the chain."""
        verdicts = Verdicts(self.disk)
        for each in self.headers:
            noted = verdicts.note(each, SUMS, right=True), verdicts.note(each, STEP, right=self.right)
            self.disk += [one for one in noted if one is not None] if self.judges else []
        duties = Duties(self.chain, RealClock(), self.seen, PARAMS)
        for each in self.headers:
            duties.remember(each)

        async def keep(records: list[Journal]) -> None:
            await trio.lowlevel.checkpoint()
            self.disk += records

        return Disputes(
            *(self.chain, RealClock(), Wire(self.wires, self.peer), self.seen, duties, verdicts, PARAMS),
            *(keep, self.prosecuted.append, tuple(self.disk)),
            judges=self.judges,
            challenges=self.challenges,
            turn=self.peer[0],
        )

    async def run(self, task_status: trio.TaskStatus[trio.CancelScope] = trio.TASK_STATUS_IGNORED) -> None:
        disputes = self.begin()
        with trio.CancelScope() as scope:
            task_status.started(scope)
            assert self.chain.arena is not None
            await disputes.run(self.chain.arena)

    def words(self) -> list[bytes]:
        return [each.payload for each in self.disk if each.kind == WORD]


@dataclass
class Scene:
    chain: DevChain
    made: Places
    reader: ChainReader
    wires: Wires
    proposer: Node
    validators: list[Node]

    @property
    def game(self) -> DisputeGame:
        return DisputeGame(self.made["disputes"])

    async def outcome(self) -> Outcome:
        """Waits for the first game's end."""
        return await self.until(self._ended)

    async def _ended(self) -> Outcome | None:
        if not await self.reader.ask(self.game.game_count()):
            return None
        standing = await self.reader.ask(self.game.game_of(1))
        return Outcome(standing.outcome) if standing.phase == Phase.RESOLVED else None

    async def until(self, found: Callable[[], Awaitable[Outcome | None]]) -> Outcome:
        with trio.fail_after(90):
            while (answer := await found()) is None:
                await trio.sleep(0.1)
            return answer

    async def propose(self, headers: list[Header], nursery: trio.Nursery) -> AnchorRecord:
        """The proposer proposes the last of the rounds, and the vote on it begins."""
        last = headers[-1]
        await self.proposer.chain.anchor(1, header_digest(last), NO_DIGEST, last.params_digest)
        (record,) = await self.reader.anchors(0)

        async def vote() -> None:
            with contextlib.suppress(ChainError):  # it waits for others' votes until it is cancelled
                await self.validators[0].chain.attest(record, 0)

        nursery.start_soon(vote)
        with trio.fail_after(30):
            while record.key not in (await self.reader.checkpoints()).opened_at:
                await trio.sleep(0.1)
        return record

    async def paid(self, account: bytes) -> int:
        """Waits until a game has paid, and the account has taken what it is owed; its coins then."""
        self.chain.travel(RULES.payout_s + 1)
        with trio.fail_after(60):
            while not (await self.reader.ask(self.game.game_of(1))).released:
                await trio.sleep(0.1)
            while await self.reader.ask(self.game.owed_to(account)):
                await trio.sleep(0.1)
        return int(str(await self.reader.provider.ask("eth_getBalance", f"0x{account.hex()}", "latest")), 16)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("disputes")
    with devchain(folder / "chain.jsonl", block_seconds=0) as chain:
        deploy(chain.url, FOUNDER.reveal(), folder / "deployment.json", ECONOMICS)
        yield chain, Places(folder / "deployment.json")


@asynccontextmanager
async def scene(deployed: tuple[DevChain, Places]) -> AsyncIterator[Scene]:
    """A subnet of its own, with one who proposes and five who judge."""
    chain, made = deployed
    number = await found_subnet(chain.url, made["subnets"], FOUNDER, b"p", b"t", made["operators"], made["anchor"])
    await open_subnet(chain.url, made["subnets"], number, FOUNDER)
    reader, wires = await open_reader(chain.url, made["subnets"], number), Wires()
    proposers: list[Node] = []
    validators: list[Node] = []

    async def join(role: Role, nodes: list[Node]) -> None:
        operator = EvmChain(reader, Secret(os.urandom(32)), made["court"], None, made["disputes"])
        await request_faucet(chain.url, operator.operator, 10 * STAKE)
        peer = PeerKey(os.urandom(32))
        await operator.register(peer, bytes(64), role, STAKE)
        nodes.append(Node(operator, peer, wires, CERTIFIED, judges=role is Role.VALIDATOR))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(join, Role.COMPUTE, proposers)
        for _ in range(5):
            nursery.start_soon(join, Role.VALIDATOR, validators)
    yield Scene(chain, made, reader, wires, proposers[0], validators)
    await reader.aclose()


async def test_a_false_challenge_is_answered_by_the_proposer_s_node_through_kills_and_its_bond_is_lost(deployed):
    async with scene(deployed) as world, trio.open_nursery() as nursery:
        record = await world.propose(CERTIFIED, nursery)
        mallory, witness = world.validators[4], world.validators[1]
        mallory.right, mallory.challenges = False, True
        proposer = await nursery.start(world.proposer.run)
        for node in world.validators:
            nursery.start_soon(node.run)

        async def revealed() -> Outcome | None:
            count = await world.reader.ask(world.game.game_count())
            standing = await world.reader.ask(world.game.game_of(1)) if count else None
            return Outcome.OPEN if standing is not None and standing.phase >= Phase.REVEAL else None

        await world.until(revealed)
        proposer.cancel()  # as by kill -9: nothing of this life is left but the chain
        await nursery.start(world.proposer.run)
        assert await world.outcome() == Outcome.REFUTED
        standing = await world.reader.ask(world.game.game_of(1))
        assert (standing.key, standing.challenger) == (record.key, mallory.chain.operator)
        assert witness.words(), "it is durable before anybody hears it"
        assert set(witness.words()) != set(mallory.words())
        before = await world.proposer.chain.balance()
        assert before < await world.paid(world.proposer.chain.operator) < before + BOND // 2
        anchor = CheckpointAnchor(world.made["anchor"])
        kept = await world.reader.ask(anchor.record_of(world.reader.subnet_id, record.key))
        assert (kept.status, kept.disputes) == (1, 0), "open, and nothing holds it any more"
        assert {each["side"] for each in world.proposer.seen.named("dispute")} == {"defender"}
        nursery.cancel_scope.cancel()


async def test_a_false_proposal_is_challenged_by_a_validator_and_costs_bond_and_stake(deployed):
    async with scene(deployed) as world, trio.open_nursery() as nursery:
        number = await world.reader.ask(world.game.game_count()) + 1
        world.proposer.headers = FORGED  # it defends what nobody certified, as well as it can
        record = await world.propose(FORGED, nursery)
        challenger = world.validators[2]
        challenger.challenges = True
        for node in (world.proposer, *world.validators):
            nursery.start_soon(node.run)

        async def ended() -> Outcome | None:
            if await world.reader.ask(world.game.game_count()) < number:
                return None
            standing = await world.reader.ask(world.game.game_of(number))
            return Outcome(standing.outcome) if standing.phase == Phase.RESOLVED else None

        assert await world.until(ended) == Outcome.UPHELD
        standing = await world.reader.ask(world.game.game_of(number))
        assert (standing.key, standing.challenger) == (record.key, challenger.chain.operator)
        assert standing.forfeited == ECONOMICS.bond_wei
        assert record.key in (await world.reader.checkpoints()).rejected
        manager, head = SlashingManager(world.made["slashing"]), await world.reader.head()
        epochs = range(head.timestamp // ECONOMICS.slash_epoch_s - 2, head.timestamp // ECONOMICS.slash_epoch_s + 1)
        shares = [
            (
                await world.reader.ask(manager.sentence_of(world.made["source"], world.proposer.chain.operator, each))
            ).share
            for each in epochs
        ]
        assert sum(shares) == RULES.false_share, "it was proven, so it costs stake as well"
        nursery.cancel_scope.cancel()


@pytest.mark.slow
async def test_who_answers_two_things_about_one_step_is_brought_to_the_court(deployed):
    async with scene(deployed) as world, trio.open_nursery() as nursery:
        number = await world.reader.ask(world.game.game_count()) + 1
        record = await world.propose(CERTIFIED, nursery)
        mallory, liar = world.validators[4], world.validators[3]
        mallory.right, mallory.challenges = False, True
        arena = mallory.chain.arena
        assert arena is not None
        for node in (world.proposer, mallory):
            nursery.start_soon(node.run)

        async def proving() -> Outcome | None:
            if await world.reader.ask(world.game.game_count()) < number:
                return None
            standing = await world.reader.ask(world.game.game_of(number))
            return Outcome.OPEN if standing.phase == Phase.PROVE else None

        await world.until(proving)
        await arena.games()
        (game,) = [each for each in await liar.chain.arena.games() if each.number == number]
        said = [liar.chain.arena.state(game, 0, Digest(each * 32))[1] for each in (b"a", b"b")]
        answers = [
            p2pnode.disputes.StepResponse(each * 32, sign) for each, sign in zip((b"a", b"b"), said, strict=True)
        ]

        async def two_faced(_: PeerKey, __: bytes) -> bytes:
            await trio.lowlevel.checkpoint()
            answers.reverse()
            return p2pnode.disputes.encode(answers[0])

        world.wires.handlers[liar.peer] = two_faced
        with trio.fail_after(30):
            while not world.proposer.prosecuted:
                await trio.sleep(0.1)
        found = world.proposer.prosecuted[0].proof
        assert isinstance(found, Contradiction)
        assert found.operator == liar.chain.operator
        assert found.first.height == record.height
        assert await mallory.chain.prosecute(found) is True, "the court takes it"
        assert [each.kind for each in world.proposer.disk] == ["contradiction"]
        nursery.cancel_scope.cancel()
