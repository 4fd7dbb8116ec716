from __future__ import annotations

from dataclasses import dataclass, replace

import trio
from trio.testing import MockClock

from p2pnode.heads import ASKED_AT_ONCE, PATIENCE_S, Heads
from p2pnode.services import HEAD, HeadResponse
from protocols.effects import Head
from protocols.types import NO_DIGEST
from protocols.wire.codec import encode
from protocols.wire.envelope import Signed
from protocols.wire.messages import CellResult, Header, HeaderCertificate, MemberSignature, Vote
from tests.p2pnode.kit import InMemory, answering, in_memory
from tests.protocols.playbook import CONTRIBUTORS, ROUND, VIEW, Peer

ME, OTHER, *REST = CONTRIBUTORS
HEADER = Header(
    VIEW.slot(ROUND), NO_DIGEST, NO_DIGEST, NO_DIGEST, NO_DIGEST, (CellResult(0, 3, NO_DIGEST, NO_DIGEST),), None
)
CERTIFICATE = HeaderCertificate(HEADER, (MemberSignature(1, bytes(64)),))


@dataclass
class Ledger:
    head: Head


def heads_of(world: InMemory, peer: Peer, certificate: HeaderCertificate | None) -> tuple[Heads, list[Signed]]:
    delivered: list[Signed] = []
    ledger = Ledger(Head(0, NO_DIGEST, NO_DIGEST, certificate))
    heads = Heads(world.network.attach(peer.key), peer.sign, ledger, delivered.append)  # type: ignore[arg-type]  # a double
    return heads, delivered


async def test_a_newer_head_is_learnt_from_whoever_has_one(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        heads, delivered = heads_of(world, ME, None)
        heads_of(world, OTHER, CERTIFICATE)
        heads_of(world, REST[0], None)
        await heads.ask()
        assert [each.message for each in delivered] == [CERTIFICATE]


async def test_junk_and_silence_harm_nobody(autojump_clock: MockClock) -> None:
    async def never(_: bytes, __: bytes) -> bytes:
        await trio.sleep_forever()
        raise AssertionError

    vote = REST[0].sign(Vote(VIEW.slot(ROUND), 0, 1, NO_DIGEST, None)).encoded
    async with in_memory() as world:
        heads, delivered = heads_of(world, ME, None)
        world.network.attach(OTHER.key).serve(HEAD, never)
        world.network.attach(REST[0].key).serve(HEAD, answering(encode(HeadResponse(vote))))
        world.network.attach(REST[1].key).serve(HEAD, answering(b"junk"))
        await heads.ask()
        assert delivered == []
        assert trio.current_time() < PATIENCE_S + 2


async def test_one_question_at_a_time(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        heads, delivered = heads_of(world, ME, None)
        heads_of(world, OTHER, CERTIFICATE)
        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(heads.ask)
        assert len(delivered) == 1


async def test_others_are_asked_each_time(autojump_clock: MockClock) -> None:
    """Three peers that are behind (or lie) cannot keep this node behind."""
    async with in_memory() as world:
        heads, delivered = heads_of(world, ME, None)
        certificates = [replace(CERTIFICATE, header=replace(HEADER, epsilon_micro=each)) for each in range(len(REST))]
        for peer, certificate in zip(REST, certificates, strict=True):
            heads_of(world, peer, certificate)
        for _ in range(12):
            await heads.ask()
        assert len(delivered) == 12 * ASKED_AT_ONCE
        assert len({each.digest for each in delivered}) == len(REST)
