"""A node in disputes, at a chain that says what a test wants; whole games are played in chain/test_disputes.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import trio

from p2pnode.disputes import STAND_IN_S, WORD, Disputes
from p2pnode.duties import Duties
from p2pnode.errors import ChainError
from p2pnode.ports import AnchorRecord, Block, OperatorRecord
from p2pnode.services import StepRequest, StepResponse
from p2pnode.verdicts import STEP, SUMS, Verdicts
from protocols.checkpoints.machine import header_digest
from protocols.effects import Journal
from protocols.errors import MalformedError
from protocols.hashing import tagged
from protocols.params import Params
from protocols.types import NO_DIGEST, Address, Digest, PeerKey, Role
from protocols.verification.game import Commit, Game, Move, Outcome, Phase
from protocols.verification.proofs import Stated
from protocols.verification.trace import Recomputed, Trace, states
from protocols.wire.codec import decode, encode
from simnet.memory import VirtualClock
from tests.p2pnode.kit import Seen
from tests.protocols.verification.test_trace import header

ME, OTHER = Address(b"m" * 20), Address(b"o" * 20)
HEADER = header(0)
RECORD = AnchorRecord(
    *(Digest(b"k" * 32), 0, header_digest(HEADER), NO_DIGEST, HEADER.params_digest, OTHER, 5, 0),
    finalised=False,
)
FIRST = tagged("first", RECORD.key)
LAST = tagged("last", HEADER.params_digest)
ROW = states(FIRST, LAST, [Recomputed(HEADER, sums=True, step=True)], 2)
TRACE = Trace(FIRST, LAST, [HEADER])


def a_game(**changes: object) -> Game:
    begun = Game(
        *(1, RECORD.key, 0, OTHER, Address(b"c" * 20), Phase.PROVE, Outcome.OPEN, 100, 0, False),
        *(1, 2, 2, TRACE.root, TRACE.states[1], LAST, TRACE.states[1], False),
    )
    return replace(begun, **changes)  # type: ignore[arg-type]  # untyped for **kwargs


@dataclass
class Arena:
    """What the chain says, and what this node did there."""

    standing: tuple[Game, ...] = ()
    votable: tuple[AnchorRecord, ...] = (RECORD,)
    done: list[Any] = field(default_factory=list)
    away: bool = False

    async def games(self) -> tuple[Game, ...]:
        await trio.lowlevel.checkpoint()
        if self.away:
            raise ChainError("no chain answers")
        return self.standing

    async def disputable(self) -> tuple[AnchorRecord, ...]:
        await trio.lowlevel.checkpoint()
        return tuple(each for each in self.votable if ("challenge", each) not in self.done)

    def ends(self, record: AnchorRecord, params: Digest) -> tuple[Digest, Digest]:
        return tagged("first", record.key), tagged("last", params)

    async def challenge(self, record: AnchorRecord) -> None:
        await trio.lowlevel.checkpoint()
        self.done.append(("challenge", record))

    async def play(self, game: Game, move: Move, _: AnchorRecord) -> None:
        await trio.lowlevel.checkpoint()
        self.done.append((game.number, move))

    async def withdraw(self) -> None:
        await trio.lowlevel.checkpoint()
        self.done.append("withdraw")

    def state(self, game: Game, epoch: int, result: Digest) -> tuple[Stated, bytes]:
        return self.stated(game, epoch, result), result + result

    def stated(self, game: Game, epoch: int, result: Digest) -> Stated:
        return Stated(6, 1, epoch, game.height, game.number << 32 | game.low, result)

    async def validators(self, _: Digest) -> tuple[Address, ...]:
        await trio.lowlevel.checkpoint()
        return (ME,)

    async def prove(self, game: Game, _: int, result: Digest, signatures: Mapping[Address, bytes]) -> bool:
        await trio.lowlevel.checkpoint()
        self.done.append(("prove", game.number, result, dict(signatures)))
        return True


@dataclass
class Chain:
    """One checkpoint, proposed; a signature here is its value twice."""

    operator: Address = ME

    async def anchors(self, _: int) -> tuple[AnchorRecord, ...]:
        await trio.lowlevel.checkpoint()
        return (RECORD,)

    async def head(self) -> Block:
        await trio.lowlevel.checkpoint()
        return Block(1, bytes(32), 50)

    async def operators(self) -> tuple[OperatorRecord, ...]:
        await trio.lowlevel.checkpoint()
        return (OperatorRecord(ME, PeerKey(b"p" * 32), b"", Role.VALIDATOR, 1, 1, 0),)

    @property
    def statements(self) -> Chain:
        return self

    def signer_of(self, stated: Stated, signature: bytes) -> Address | None:
        return ME if signature == stated.value * 2 else None


class Wire:
    """Nobody else is there."""

    def __init__(self) -> None:
        self.handler: Any = None

    def serve(self, _: str, handler: Any) -> None:
        self.handler = handler


class Node:
    """One life of a node, with the journal of the lives before."""

    def __init__(
        self,
        arena: Arena,
        sums: bool | None = True,
        step: bool | None = True,
        journal: Sequence[Journal] = (),
        *,
        knows: bool = True,
        challenges: bool = False,
        operator: Address = ME,
    ) -> None:
        self.arena, self.disk, self.seen, self.wire = arena, list(journal), Seen(), Wire()
        chain: Any = Chain(operator)
        verdicts, duties = Verdicts(()), Duties(chain, VirtualClock(), self.seen, Params())
        for part, right in ((SUMS, sums), (STEP, step)):
            if right is not None:
                verdicts.note(HEADER, part, right=right)
        if knows:
            duties.remember(HEADER)
        wire: Any = self.wire
        self.disputes = Disputes(
            *(chain, VirtualClock(), wire, self.seen, duties, verdicts, Params(), self.keep, self.disk.append, journal),  # type: ignore[arg-type]  # nobody is prosecuted here
            judges=True,
            challenges=challenges,
            turn=0,
        )

    async def keep(self, records: Sequence[Journal]) -> None:
        assert (await self.answer()).result == b"", "nobody hears what is not durable"
        self.disk += records

    async def look(self) -> None:
        arena: Any = self.arena
        await self.disputes.look(arena)

    async def answer(self, game: int = 1) -> StepResponse:
        return decode(await self.wire.handler(PeerKey(b"q" * 32), encode(StepRequest(game))), StepResponse, 256)


async def test_a_validator_states_what_it_recomputed_once_it_is_durable() -> None:
    node = Node(Arena((a_game(),)))
    assert await node.answer() == StepResponse(b"", b"")
    await node.look()
    assert await node.answer() == StepResponse(LAST, LAST + LAST)
    assert [(each.kind, each.payload) for each in node.disk] == [(WORD, LAST)]
    assert await node.answer(2) == StepResponse(b"", b"")
    with pytest.raises(MalformedError):
        await node.wire.handler(PeerKey(b"q" * 32), b"junk")


async def test_it_keeps_its_word_also_if_it_finds_something_else_in_another_life() -> None:
    first = Node(Arena((a_game(),)))
    await first.look()
    again = Node(Arena((a_game(),)), step=False, journal=first.disk)
    await again.look()
    assert await again.answer() == await first.answer()
    assert again.disk == first.disk
    fresh = Node(Arena((a_game(),)), step=False)
    await fresh.look()
    assert await fresh.answer() != await first.answer(), "that is what it would have said"


async def test_of_what_it_has_not_recomputed_it_says_nothing_and_why() -> None:
    for node in (Node(Arena((a_game(),)), step=None), Node(Arena((a_game(),)), knows=False)):
        for _ in range(2):
            await node.look()
        assert (await node.answer()).result == b""
        assert [each["reason"] for each in node.seen.named("dispute-silent")] == [
            "this node has not recomputed the step that is left"
        ]


async def test_validators_end_a_game_that_its_sides_leave(autojump_clock: object) -> None:
    node = Node(Arena((a_game(),)))
    await node.look()
    assert node.arena.done == ["withdraw"]
    await trio.sleep(STAND_IN_S)
    await node.look()
    assert node.arena.done[1:] == [("prove", 1, LAST, {ME: LAST + LAST})]


async def test_a_proposer_defends_and_takes_what_it_is_owed_when_a_game_has_paid() -> None:
    node = Node(Arena((a_game(phase=Phase.COMMIT, defender=ME),)))
    await node.look()
    assert node.arena.done == ["withdraw", (1, Commit(2, TRACE.root))]
    assert node.seen.named("dispute")[0]["side"] == "defender"
    node.arena.standing = ()
    for _ in range(2):
        await node.look()
    assert node.arena.done[2:] == ["withdraw"]
    lost = Node(Arena((a_game(phase=Phase.COMMIT, defender=ME),)), knows=False)
    await lost.look()
    assert lost.arena.done == ["withdraw"]


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, 0),
        ({"step": False}, 1),
        ({"sums": False}, 1),
        ({"step": None}, 0),
        ({"knows": False}, 0),
        ({"step": False, "challenges": False}, 0),
        ({"step": False, "operator": OTHER}, 0),
    ],
    ids=["right", "step", "sums", "unknown step", "unknown header", "not wanted", "its own"],
)
async def test_only_what_was_found_false_is_challenged_and_once(options: dict[str, Any], wanted: int) -> None:
    node = Node(Arena(), **{"challenges": True, **options})
    for _ in range(2):
        await node.look()
    assert node.arena.done.count(("challenge", RECORD)) == wanted


async def test_what_nobody_certified_at_a_known_height_is_false() -> None:
    forged = replace(RECORD, header_digest=Digest(b"x" * 32))
    other_params = replace(RECORD, params_digest=Digest(b"y" * 32))
    node = Node(Arena(votable=(forged, other_params, replace(forged, height=9))), challenges=True)
    await node.look()
    assert node.arena.done == ["withdraw", ("challenge", forged), ("challenge", other_params)]


async def test_a_chain_that_is_away_is_asked_again(autojump_clock: object) -> None:
    arena: Any = Arena(away=True)
    node = Node(arena)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(node.disputes.run, arena)
        await trio.sleep(40)
        assert [each["reason"] for each in node.seen.named("disputes-failed")] == ["no chain answers"]
        arena.away, arena.standing = False, (a_game(),)
        await trio.sleep(40)
        assert (await node.answer()).result == LAST
        nursery.cancel_scope.cancel()
