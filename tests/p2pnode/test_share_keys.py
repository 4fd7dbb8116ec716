"""The committee's keys: made once, found by everybody, erased behind their epoch, renewed after a crash."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import trio
from trio.testing import MockClock

from p2pnode.ports import Incoming, Transport
from p2pnode.services import KEYS, KeysResponse
from p2pnode.share_keys import EARLY_MAX, KIND, ShareKeys
from p2pnode.supervision import Supervisor
from protocols.effects import Journal
from protocols.errors import LocalError
from protocols.params import Params
from protocols.types import PeerKey, Verdict
from protocols.wire.codec import encode
from protocols.wire.envelope import open_envelope
from protocols.wire.messages import EpochKey
from tests.p2pnode.kit import InMemory, Seen, answering, in_memory, settled
from tests.protocols.playbook import COMMITTEE, CONTRIBUTORS, PARAMS, PUBLIC_KEYS, STRANGER, VIEW, Peer, a_peer, a_view

MEMBER, SECOND = COMMITTEE[:2]
OUTSIDER = CONTRIBUTORS[0]
NEXT = a_view(epoch=1)


@dataclass
class Written:
    records: list[Journal] = field(default_factory=list)

    def write(self, record: Journal) -> None:
        self.records.append(record)


@dataclass
class Keeper:
    keys: ShareKeys
    written: Written
    transport: Transport
    heard: list[EpochKey] = field(default_factory=list)

    async def listen(self) -> None:
        """Passes on what gossip brings, as the way in does."""

        def accept(_: PeerKey, __: bytes) -> Verdict:
            return Verdict.ACCEPT

        await self.transport.subscribe("subnet", accept)
        while True:
            incoming: Incoming = await self.transport.receive()
            signed = open_envelope(incoming.payload)
            assert isinstance(signed.message, EpochKey)
            self.heard.append(signed.message)
            self.keys.accept(signed)


def keeper(world: InMemory, peer: Peer, records: tuple[Journal, ...] = (), params: Params = PARAMS) -> Keeper:
    ports, written = world.ports(peer), Written()
    keys = ShareKeys(ports, peer.key, peer.sign, params, written, records, {})
    return Keeper(keys, written, ports.transport)


def at_work(world: InMemory, *keepers: Keeper) -> None:
    tasks = Supervisor(world.nursery, world.ports(STRANGER).clock, Seen())
    for each in keepers:
        tasks.serve("run", each.keys.run)
        tasks.serve("pull", each.keys.pull)
        tasks.serve("listen", each.listen)


def key_of(peer: Peer, sequence: int = 1, epoch: int = 0, public: bytes = PUBLIC_KEYS[1]) -> EpochKey:
    view = a_view(epoch=epoch)
    return EpochKey(view.chain_id, view.subnet, epoch, view.committee_root, sequence, public)


async def test_everybody_learns_all_members_keys(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        keepers = [keeper(world, peer) for peer in (*COMMITTEE, OUTSIDER)]
        at_work(world, *keepers)
        for each in keepers:
            each.keys.open(VIEW)
        await settled(20)
        public = keepers[0].keys.public(0)
        assert sorted(public) == [1, 2, 3, 4]
        assert all(each.keys.public(0) == public for each in keepers)
        own = keepers[0].keys.own(0)
        assert own is not None
        assert own.public == public[1]
        assert keepers[-1].keys.own(0) is None


async def test_what_gossip_did_not_bring_is_asked_for(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        members = [keeper(world, peer) for peer in COMMITTEE]
        at_work(world, *members)
        for each in members:
            each.keys.open(VIEW)
        await settled(20)
        late = keeper(world, OUTSIDER)
        world.nursery.start_soon(late.keys.pull)
        late.keys.open(VIEW)
        await settled(20)
        assert late.keys.public(0) == members[0].keys.public(0)


async def test_keys_are_made_once_for_an_epoch(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        member = keeper(world, MEMBER)
        member.keys.open(VIEW)
        own = member.keys.own(0)
        member.keys.open(VIEW)
        assert member.keys.own(0) is own
        assert [record.kind for record in member.written.records] == [KIND]


async def test_a_restarted_member_replaces_its_key_everywhere(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        first, other = keeper(world, MEMBER), keeper(world, OUTSIDER)
        at_work(world, first, other)
        first.keys.open(VIEW)
        other.keys.open(VIEW)
        await settled()
        before = other.keys.public(0)[1]
        second = keeper(world, MEMBER, tuple(first.written.records))
        at_work(world, second)
        second.keys.open(VIEW)
        await settled()
        own = second.keys.own(0)
        assert own is not None
        assert other.keys.public(0)[1] == own.public != before
        assert other.heard[-1].sequence == 2
        third = keeper(world, MEMBER, (*first.written.records, *second.written.records))
        third.keys.open(NEXT)
        third.keys.open(VIEW)
        assert [(each.slot[-1], each.payload) for each in third.written.records] == [(1, b"\0\1"), (0, b"\0\3")]


async def test_an_older_key_does_not_come_back(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        other = keeper(world, OUTSIDER)
        other.keys.open(VIEW)
        for sequence, public in ((2, PUBLIC_KEYS[2]), (1, PUBLIC_KEYS[1])):
            other.keys.accept(MEMBER.sign(key_of(MEMBER, sequence, public=public)))
        assert other.keys.public(0) == {1: PUBLIC_KEYS[2]}


async def test_keys_of_strangers_mean_nothing(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        other = keeper(world, OUTSIDER)
        other.keys.open(VIEW)
        other.keys.accept(STRANGER.sign(key_of(STRANGER)))
        other.keys.accept(MEMBER.sign(key_of(MEMBER, public=bytes(32))))
        assert other.keys.public(0) == {}


async def test_keys_that_come_before_their_epoch_are_kept_within_bounds(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        other = keeper(world, OUTSIDER)
        other.keys.open(VIEW)
        member = next(peer for peer in COMMITTEE if peer.key == NEXT.committee[0])
        other.keys.accept(member.sign(key_of(member, epoch=1)))
        for number in range(2 * EARLY_MAX):
            stranger = a_peer(2000 + number)
            other.keys.accept(stranger.sign(key_of(stranger, epoch=1)))
            far = EpochKey(1, 1, 2**32 - 1, VIEW.committee_root, 1, PUBLIC_KEYS[1])
            other.keys.accept(stranger.sign(far))
        other.keys.open(NEXT)
        assert other.keys.public(1) == {1: PUBLIC_KEYS[1]}
        other.keys.accept(SECOND.sign(key_of(SECOND, epoch=1, public=PUBLIC_KEYS[3])))
        assert PUBLIC_KEYS[3] in other.keys.public(1).values()


async def test_past_epochs_are_erased(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        member = keeper(world, MEMBER)
        member.keys.open(VIEW)
        pair = member.keys.own(0)
        assert pair is not None
        member.keys.open(NEXT)
        member.keys.erase(before=1)
        assert member.keys.own(0) is None
        assert member.keys.own(1) is not None
        with pytest.raises(LocalError, match="erased"):
            pair.shared_secrets(bytes(1088), PUBLIC_KEYS[1][-32:])
        assert member.keys.public(0) != {}, "others may still ask for the public ones"
        member.keys.forget(before=1)
        assert member.keys.public(0) == {}
        assert member.keys.own(1) is not None


async def test_plaintext_needs_no_keys(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        member = keeper(world, MEMBER, params=PARAMS.with_(scheme="plaintext"))
        member.keys.open(VIEW)
        assert member.keys.own(0) is None
        assert member.written.records == []


async def test_a_peer_that_never_answers_does_not_hold_up_our_own_key(autojump_clock: MockClock) -> None:
    async def never(_: bytes, __: bytes) -> bytes:
        await trio.sleep_forever()
        raise AssertionError

    async with in_memory() as world:
        world.network.attach(STRANGER.key).serve(KEYS, never)
        member, other = keeper(world, MEMBER), keeper(world, OUTSIDER)
        at_work(world, member, other)
        await settled(1)
        member.keys.open(VIEW)
        other.keys.open(VIEW)
        await settled(2)
        assert [each.sequence for each in other.heard] == [1]


async def test_junk_answers_are_survived_and_rarely_asked_for(autojump_clock: MockClock) -> None:
    asked = []

    async def junk(_: bytes, __: bytes) -> bytes:
        asked.append(trio.current_time())
        return b"junk" if len(asked) % 2 else encode(KeysResponse((b"junk",)))

    async with in_memory() as world:
        other = keeper(world, OUTSIDER)
        world.network.attach(STRANGER.key).serve(KEYS, junk)
        other.keys.open(VIEW)
        world.nursery.start_soon(other.keys.pull)
        await settled(100)
        assert 10 < len(asked) < 25
        world.network.attach(STRANGER.key).serve(
            KEYS, answering(encode(KeysResponse((MEMBER.sign(key_of(MEMBER)).encoded,))))
        )
        await settled(20)
        assert other.keys.public(0) == {1: PUBLIC_KEYS[1]}
