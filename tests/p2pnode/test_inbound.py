"""What arrives from outside, good and bad."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from p2pnode.driver import LEDGER, Team
from p2pnode.inbound import EARLY_BYTES, EARLY_PEER_BYTES, EARLY_PER_PEER, EarlyMail, Inbound
from p2pnode.ports import Transport
from protocols.events import Received, Spoke
from protocols.types import NO_DIGEST, Digest, Height, Verdict
from protocols.updates.gossip import PROOF, SUBNET
from protocols.wire.envelope import Signed
from protocols.wire.messages import (
    EPOCH_KEY_BYTES,
    AddressRecord,
    CellResult,
    EpochKey,
    Header,
    HeaderCertificate,
    MemberSignature,
    Message,
    Slot,
    Submission,
    Vote,
)
from simnet.network import VirtualTransport
from tests.p2pnode.kit import InMemory, Seen, in_memory, settled
from tests.protocols.playbook import COMMITTEE, CONTRIBUTORS, PARAMS, ROUND, STRANGER, VIEW, Peer

ME, FRIEND = COMMITTEE[:2]
CELLS = (CellResult(0, 3, NO_DIGEST, NO_DIGEST),)
VOTES = (MemberSignature(1, bytes(64)),)


@dataclass
class Driver:
    """Takes what is posted; has room when it is told so."""

    teams: dict[int, Team] = field(default_factory=lambda: {LEDGER: Team(LEDGER, [])})
    posted: list[tuple[int, Message]] = field(default_factory=list)
    spoken: list[Spoke] = field(default_factory=list)
    backlog: int = 0
    has_room: trio.Event = field(default_factory=trio.Event)

    def post(self, team: Team, event: Received | Spoke) -> None:
        if isinstance(event, Spoke):
            self.spoken.append(event)
        else:
            self.posted.append((team.height, event.message))

    async def room(self) -> None:
        await self.has_room.wait()


@dataclass
class Ledger:
    height: int = ROUND


@dataclass
class Keys:
    accepted: list[Signed] = field(default_factory=list)

    def accept(self, signed: Signed) -> None:
        self.accepted.append(signed)


@dataclass
class Scene:
    world: InMemory
    driver: Driver
    keys: Keys
    ledger: Ledger
    inbound: Inbound
    seen: Seen
    views: dict[int, object]
    transport: VirtualTransport

    async def hear(self, *messages: bytes | Message, by: Peer = FRIEND, relay: Peer | None = None) -> None:
        transport: Transport = self.world.network.attach((relay or by).key)
        for message in messages:
            payload = message if isinstance(message, bytes) else by.sign(message).encoded
            await transport.send(ME.key, payload)
        await settled()

    def begin(self, height: int) -> None:
        self.driver.teams[height] = Team(height, [])
        self.ledger.height = height
        self.inbound.begun(self.driver.teams[height])


@asynccontextmanager
async def scene() -> AsyncIterator[Scene]:
    async with in_memory() as world:
        driver, keys, ledger, seen, views = Driver(), Keys(), Ledger(), Seen(), {0: VIEW}
        ports = world.ports(ME)
        inbound = Inbound(ports, driver, keys, views, ledger, PARAMS, seen)  # type: ignore[arg-type]  # doubles
        driver.has_room.set()
        await inbound.subscribe()
        world.nursery.start_soon(inbound.run)
        yield Scene(world, driver, keys, ledger, inbound, seen, views, ports.transport)  # type: ignore[arg-type]


def vote(height: int = ROUND, slot: Slot | None = None, sets: bytes = bytes(32)) -> Vote:
    return Vote(slot or VIEW.slot(height), 0, 1, Digest(sets), None)


def certificate(height: int = ROUND) -> HeaderCertificate:
    return HeaderCertificate(Header(VIEW.slot(height), NO_DIGEST, NO_DIGEST, NO_DIGEST, NO_DIGEST, CELLS, None), VOTES)


@pytest.mark.parametrize(
    "junk", [b"", b"\x00", b"junk" * 99, FRIEND.sign(vote()).encoded[:-1], FRIEND.sign(vote()).encoded + b"\x00"]
)
async def test_junk_is_refused_attributed_and_harmless(autojump_clock: MockClock, junk: bytes) -> None:
    async with scene() as at:
        at.begin(ROUND)
        await at.hear(junk, vote(), by=FRIEND, relay=STRANGER)
        (refused,) = at.seen.named("refused")
        assert (refused["kind"], refused["culprit"]) == ("message", STRANGER.key.hex())
        assert at.driver.posted == [(ROUND, vote())]


async def test_a_forged_name_is_refused_as_its_senders_fault(autojump_clock: MockClock) -> None:
    async with scene() as at:
        at.begin(ROUND)
        signed = STRANGER.sign(vote()).encoded
        await at.hear(signed.replace(STRANGER.key, FRIEND.key), relay=STRANGER)
        assert [each["culprit"] for each in at.seen.named("refused")] == [STRANGER.key.hex()]
        assert at.driver.posted == []


async def test_messages_reach_the_machines_of_their_round(autojump_clock: MockClock) -> None:
    async with scene() as at:
        at.begin(1)
        at.begin(ROUND)
        await at.hear(vote(1), vote(ROUND))
        assert at.driver.posted == [(1, vote(1)), (ROUND, vote(ROUND))]


async def test_messages_of_rounds_long_gone_are_dropped_silently(autojump_clock: MockClock) -> None:
    async with scene() as at:
        at.begin(ROUND)
        await at.hear(vote(0))
        assert at.driver.posted == at.seen.events == []


@pytest.mark.parametrize(
    "changes", [{"chain_id": 1}, {"subnet": 9}, {"epoch": 7}, {"committee_root": Digest(b"another one".ljust(32))}]
)
async def test_messages_bound_to_another_slot_go_no_further(autojump_clock: MockClock, changes: dict[str, int]) -> None:
    async with scene() as at:
        at.begin(ROUND)
        await at.hear(vote(slot=replace(VIEW.slot(ROUND), **changes)), relay=STRANGER)
        (refused,) = at.seen.named("refused")
        assert (refused["culprit"], refused["reason"]) == (STRANGER.key.hex(), "a Vote bound to another slot")
        assert at.driver.posted == []


async def test_what_comes_early_is_delivered_when_its_round_begins(autojump_clock: MockClock) -> None:
    async with scene() as at:
        at.begin(ROUND)
        other = vote(ROUND + 1, sets=b"x" * 32)
        await at.hear(vote(ROUND + 1), other, vote(ROUND + 2))
        assert at.driver.posted == []
        at.begin(ROUND + 1)
        assert at.driver.posted == [(ROUND + 1, vote(ROUND + 1)), (ROUND + 1, other)]
        at.begin(ROUND + 2)
        assert at.driver.posted[2:] == [(ROUND + 2, vote(ROUND + 2))]


async def test_early_mail_with_a_wrong_slot_is_its_senders_fault(autojump_clock: MockClock) -> None:
    """Not its signer's: anybody can send on what somebody signed for another subnet."""
    async with scene() as at:
        at.begin(ROUND)
        foreign = vote(slot=replace(VIEW.slot(ROUND + 1), subnet=9))
        await at.hear(foreign, by=STRANGER, relay=FRIEND)
        at.begin(ROUND + 1)
        assert [each["culprit"] for each in at.seen.named("refused")] == [FRIEND.key.hex()]
        assert at.driver.posted == []


async def test_strangers_and_far_rounds_find_no_room(autojump_clock: MockClock) -> None:
    async with scene() as at:
        at.begin(ROUND)
        await at.hear(vote(ROUND + 1), by=STRANGER)
        await at.hear(vote(ROUND + 3))
        for height in (ROUND + 1, ROUND + 2, ROUND + 3):
            at.begin(height)
        assert at.driver.posted == []
        assert [each["culprit"] for each in at.seen.named("refused")] == [STRANGER.key.hex()]


async def test_before_an_epoch_is_settled_anybody_may_write_a_little(autojump_clock: MockClock) -> None:
    async with scene() as at:
        at.views.clear()
        await at.hear(*[vote(ROUND, sets=bytes([number]) * 32) for number in range(EARLY_PER_PEER + 5)], by=STRANGER)
        at.views[0] = VIEW
        at.begin(ROUND)
        assert at.driver.posted == []  # once it is settled, a stranger turns out to have no part in it
        reasons = Counter(each["reason"] for each in at.seen.named("refused"))
        no_part = "a Vote from who has no part in it"
        assert reasons == {"sends too much before the round begins": 5, no_part: EARLY_PER_PEER}


async def test_a_header_goes_to_the_ledger_whatever_its_round(autojump_clock: MockClock) -> None:
    async with scene() as at:
        at.begin(ROUND)
        far = HeaderCertificate(replace(certificate().header, slot=replace(VIEW.slot(90), epoch=18)), VOTES)
        await at.hear(certificate(), far)
        assert at.driver.posted == [(LEDGER, certificate()), (ROUND, certificate()), (LEDGER, far)]


async def test_keys_go_to_the_keys_and_records_do_not_travel_alone(autojump_clock: MockClock) -> None:
    key = EpochKey(VIEW.chain_id, VIEW.subnet, 0, VIEW.committee_root, 1, bytes(EPOCH_KEY_BYTES))
    async with scene() as at:
        await at.hear(key, AddressRecord(1, ()))
        assert [each.message for each in at.keys.accepted] == [key]
        assert at.seen.named("refused")[0]["reason"] == "AddressRecord messages do not travel alone"


async def test_gossip_of_unknown_epochs_is_not_forwarded_but_used(autojump_clock: MockClock) -> None:
    """Headers and keys of an epoch that the chain has just settled may be here before our own look at it."""
    header = HeaderCertificate(replace(certificate().header, slot=replace(VIEW.slot(5), epoch=1)), VOTES)
    async with scene() as at:
        judge = at.transport.validators["subnet"]
        assert judge(FRIEND.key, FRIEND.sign(header).encoded) is Verdict.IGNORE
        assert at.driver.posted == [(LEDGER, header)]
        at.driver.backlog = 10**6
        assert judge(FRIEND.key, FRIEND.sign(header).encoded) is Verdict.IGNORE
        assert len(at.driver.posted) == 1


async def test_it_takes_no_more_than_the_driver_has_room_for(autojump_clock: MockClock) -> None:
    async with scene() as at:
        at.begin(ROUND)
        at.driver.has_room = trio.Event()
        await at.hear(vote(), vote())
        assert at.driver.posted == []
        at.driver.has_room.set()
        await settled()
        assert len(at.driver.posted) == 2


SIGNED = [
    peer.sign(Submission(VIEW.slot(ROUND), b"m" * size, b""))
    for peer, size in zip(CONTRIBUTORS, (10, 1000, 100_000, 200_000), strict=False)
]


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(CONTRIBUTORS[:3]), st.sampled_from(SIGNED)), max_size=200))
def test_early_mail_is_bounded_and_counts_what_it_holds(letters: list[tuple[int, Peer, Signed]]) -> None:
    mail, kept = EarlyMail(), []
    for height, sender, signed in letters:
        if mail.keep(height, sender.key, signed):
            kept.append((height, sender.key, signed))
        assert mail.bytes == sum(len(each.encoded) for _, _, each in kept) <= EARLY_BYTES
    for height in (0, 2, 3):
        taken = mail.take(height)
        assert {id(each) for _, each in taken} == {id(each) for at, _, each in kept if at == height}
        for peer in CONTRIBUTORS:
            own = [each for sender, each in taken if sender == peer.key]
            assert len(own) <= EARLY_PER_PEER
            assert sum(len(each.encoded) for each in own) <= EARLY_PEER_BYTES
    assert mail.bytes == 0


def test_one_peer_does_not_take_anothers_place() -> None:
    mail = EarlyMail()
    for _ in range(EARLY_PER_PEER + 1):
        mail.keep(Height(1), STRANGER.key, SIGNED[0])
    assert mail.keep(Height(1), FRIEND.key, SIGNED[0])
    assert not mail.keep(Height(1), STRANGER.key, SIGNED[0])


async def test_only_members_and_validators_follow_the_proofs(autojump_clock: MockClock) -> None:
    async with scene() as at:
        await at.inbound.follow_proofs()
        assert set(at.transport.validators) == {SUBNET, PROOF}
        at.views[0] = replace(VIEW, committee=tuple(peer for peer in VIEW.committee if peer != ME.key))
        await at.inbound.follow_proofs()
        assert set(at.transport.validators) == {SUBNET}
        at.views[1] = replace(VIEW, committee=(), validators=frozenset({ME.key}))
        await at.inbound.follow_proofs()
        assert set(at.transport.validators) == {SUBNET, PROOF}


async def test_the_ledger_hears_when_a_committee_speaks_in_a_later_round(autojump_clock: MockClock) -> None:
    async with scene() as at:
        at.begin(ROUND)
        for by in (FRIEND, CONTRIBUTORS[0], STRANGER):
            await at.hear(vote(ROUND + 1), vote(ROUND), vote(ROUND - 1), by=by)
        await at.hear(vote(ROUND + 40, slot=replace(VIEW.slot(ROUND), epoch=9, height=Height(ROUND + 40))))
        assert at.driver.spoken == [Spoke(FRIEND.key, VIEW.slot(ROUND + 1))]
