"""The address book: whose record counts, and that strangers cannot fill or forge it."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

import p2pnode.directory
from p2pnode.directory import HINTS_MAX, MESH_DIALS, TOLD_UNASKED, Directory
from p2pnode.errors import Unreachable
from p2pnode.peer_cache import CachedPeer
from p2pnode.services import PEERS, RESPONSE_MAX_BYTES, PeersRequest, PeersResponse
from p2pnode.transport.discovery.plan import PAUSE_MAX_S
from protocols.errors import RemoteError
from protocols.types import PeerKey
from protocols.wire.codec import decode, encode
from protocols.wire.envelope import open_envelope
from protocols.wire.messages import AddressRecord
from simnet.network import VirtualTransport
from tests.p2pnode.kit import InMemory, answering, in_memory
from tests.protocols.playbook import CONTRIBUTORS, MEMBERS, Peer, a_peer

ME, OTHER, THIRD = CONTRIBUTORS[:3]
CROWD = [a_peer(number) for number in range(1000, 1100)]


class Learning:
    """A transport that remembers what it was told to learn and whom it dialled; it is connected to some."""

    def __init__(self, inner: VirtualTransport) -> None:
        self.inner = inner
        self.learnt: dict[PeerKey, tuple[str, ...]] = {}
        self.dialled: list[str] = []
        self.friends: frozenset[PeerKey] | None = None
        self.refused: set[PeerKey] = set()
        self.moved_to: tuple[str, ...] | None = None

    @property
    def addresses(self) -> tuple[str, ...]:
        return self.moved_to or self.inner.addresses

    def dialable(self, addresses: tuple[str, ...], told_by: PeerKey) -> tuple[str, ...]:
        return () if told_by in self.refused else addresses

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def learn(self, peer: PeerKey, addresses: tuple[str, ...]) -> None:
        self.learnt[peer] = addresses

    def connected(self) -> frozenset[PeerKey]:
        return self.inner.connected() if self.friends is None else self.friends

    async def dial(self, address: str) -> PeerKey:
        self.dialled.append(address)
        return await self.inner.dial(address)


def directory_of(world: InMemory, peer: Peer, sequence: int = 1) -> tuple[Directory, Learning]:
    transport = Learning(world.network.attach(peer.key))
    return Directory(transport, peer.sign, sequence), transport  # type: ignore[arg-type]  # a transport in all it needs


def record(peer: Peer, sequence: int = 1, *addresses: str) -> bytes:
    return peer.sign(AddressRecord(sequence, addresses or (f"/memory/{peer.key.hex()}",))).encoded


async def told(world: InMemory, whom: Peer, encoded: bytes, by: Peer = THIRD) -> list[bytes]:
    """Somebody tells `whom` a record as if it were its own, and hears what it knows."""
    transport = world.network.attach(by.key)
    request = encode(PeersRequest(encoded, ()))
    answer = await transport.request(whom.key, PEERS, request, max_bytes=RESPONSE_MAX_BYTES)
    return list(decode(answer, PeersResponse, RESPONSE_MAX_BYTES).records)


async def test_two_that_meet_know_each_other_and_each_others_friends(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        (mine, transport), (others, _) = directory_of(world, ME), directory_of(world, OTHER)
        await told(world, OTHER, record(THIRD))
        await mine.ask(OTHER.key)
        assert mine.missing([ME.key, OTHER.key, THIRD.key]) == []
        assert others.missing([ME.key]) == []
        assert transport.learnt[THIRD.key] == (f"/memory/{THIRD.key.hex()}",)


async def test_the_newest_record_wins_whatever_the_order(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        _, transport = directory_of(world, ME)
        for sequence in (2, 3, 1, 3):
            await told(world, ME, record(THIRD, sequence, f"/memory/{sequence:064x}"))
        assert transport.learnt[THIRD.key] == (f"/memory/{3:064x}",)


async def test_nobody_speaks_for_another(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        _, transport = directory_of(world, ME)
        forged = record(THIRD).replace(THIRD.key, OTHER.key)
        with pytest.raises(Unreachable, match="signature does not hold"):
            await told(world, ME, forged)
        own = record(ME, 10**6, "/memory/elsewhere")
        await told(world, ME, own)  # even with our own key: where we are, we know best
        assert transport.learnt == {}
        assert open_envelope((await told(world, ME, b""))[0]).message != open_envelope(own).message


async def test_an_answer_of_something_else_is_refused(autojump_clock: MockClock) -> None:
    vote_like = OTHER.sign(AddressRecord(1, ())).encoded[:-1]
    async with in_memory() as world:
        mine, _ = directory_of(world, ME)
        world.network.attach(OTHER.key).serve(PEERS, answering(encode(PeersResponse((vote_like,)))))
        with pytest.raises(RemoteError):
            await mine.ask(OTHER.key)


async def test_who_is_looked_for_is_found_at_whoever_knows(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        mine, _ = directory_of(world, ME)
        world.network.attach(MEMBERS[0].key).serve(PEERS, answering(b"junk"))
        directory_of(world, OTHER)
        await told(world, OTHER, record(THIRD))
        wanted = [THIRD.key, CROWD[0].key]
        await mine.find(wanted)
        assert mine.missing(wanted) == [CROWD[0].key]


async def test_strangers_cannot_fill_the_book(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(p2pnode.directory, "BOOK_MAX", 10)
    async with in_memory() as world:
        mine, transport = directory_of(world, ME)
        await told(world, ME, record(OTHER))
        await mine.find([OTHER.key, THIRD.key])
        for stranger in CROWD[:30]:
            await told(world, ME, record(stranger))
        assert len(await told(world, ME, b"")) == 10
        await told(world, ME, record(THIRD))
        await told(world, ME, record(OTHER, 2, "/memory/moved"))
        assert mine.missing([OTHER.key, THIRD.key]) == []
        assert transport.learnt[OTHER.key] == ("/memory/moved",)


async def test_who_asks_for_nobody_hears_of_some_and_everyone_of_others(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        directory_of(world, ME)
        for each in CROWD:
            await told(world, ME, record(each))
        one, other = await told(world, ME, b"", by=OTHER), await told(world, ME, b"", by=THIRD)
        assert len(one) == len(other) == TOLD_UNASKED
        assert set(one) != set(other)


async def test_the_mesh_is_a_few_of_our_own_choice_past_those_who_are_gone(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        mine, transport = directory_of(world, ME)
        for each in CROWD[:20]:
            await told(world, ME, record(each))
        alive = [world.network.attach(each.key).peer for each in CROWD[:12]]
        transport.friends = frozenset(alive[:1])
        await mine.mesh()
        reached = [
            address for address in transport.dialled if address.removeprefix("/memory/") in map(bytes.hex, alive)
        ]
        assert MESH_DIALS - 1 <= len(reached) <= MESH_DIALS
        transport.dialled.clear()
        await mine.mesh()  # the dead are left alone for a while
        assert set(transport.dialled) == set(reached)
        await trio.sleep(PAUSE_MAX_S)
        await mine.mesh()
        assert len(set(transport.dialled)) > len(set(reached))


async def test_private_addresses_told_from_afar_are_passed_on_but_not_dialled(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        mine, transport = directory_of(world, ME)
        transport.refused = {THIRD.key}
        await told(world, ME, record(OTHER), by=THIRD)
        await mine.meet([OTHER.key])
        await mine.mesh()
        assert (transport.learnt[OTHER.key], transport.dialled) == ((), [])
        assert len(await told(world, ME, b"")) == 2
        await told(world, ME, record(OTHER), by=CROWD[0])  # who is nearer may send us there
        assert transport.learnt[OTHER.key] == (f"/memory/{OTHER.key.hex()}",)


async def test_after_a_restart_peers_are_known_by_what_was_kept(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        mine, _ = directory_of(world, ME)
        for each in CROWD[:20]:
            await told(world, ME, record(each))
        kept = mine.keep()
        assert len(kept) == 20
        again, transport = directory_of(world, ME, 2)
        forged = CachedPeer(kept[0].record, ("/memory/elsewhere",))
        again.recall([*kept[1:], forged])
        assert again.missing([each.key for each in CROWD[:20]]) == []
        assert ("/memory/elsewhere",) not in transport.learnt.values()
        with pytest.raises(RemoteError):
            again.recall([CachedPeer(kept[0].record[:-1] + b"x", ())])


async def test_whom_somebody_heard_of_is_met_and_asked_for_its_own_word(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        mine, transport = directory_of(world, ME)
        directory_of(world, OTHER)
        for number in range(2 * HINTS_MAX):
            mine.hint(PeerKey(number.to_bytes(32, "big")), (f"/memory/{number:064x}",))
        mine.hint(OTHER.key, (f"/memory/{OTHER.key.hex()}",))
        mine.hint(THIRD.key, ())
        assert len(mine._hints) == HINTS_MAX
        transport.friends = frozenset()
        await mine.mesh()
        assert mine.missing([OTHER.key, THIRD.key]) == [THIRD.key]
        assert transport.learnt[OTHER.key] == (f"/memory/{OTHER.key.hex()}",)
        assert mine._hints == {}  # nobody else was there


async def test_operators_are_met_before_strangers(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        mine, transport = directory_of(world, ME)
        for each in CROWD[:60]:
            world.network.attach(each.key)
            await told(world, ME, record(each))
        operators = [each.key for each in CROWD[:MESH_DIALS]]
        mine.vouch(operators)
        transport.friends = frozenset()
        await mine.mesh()
        assert {address.removeprefix("/memory/") for address in transport.dialled} == {*map(bytes.hex, operators)}


async def test_a_changed_address_is_announced_with_the_next_record(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        _, transport = directory_of(world, ME)
        first = open_envelope((await told(world, ME, b""))[0]).message
        transport.moved_to = ("/memory/moved",)
        second = open_envelope((await told(world, ME, b""))[0]).message
        assert isinstance(first, AddressRecord)
        assert isinstance(second, AddressRecord)
        assert (second.sequence, second.addresses) == (first.sequence + 1, ("/memory/moved",))


async def test_it_meets_whom_it_is_told_to_if_it_knows_where_they_are(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        mine, transport = directory_of(world, ME)
        for peer in (OTHER, THIRD):
            world.network.attach(peer.key)
            await told(world, ME, record(peer), by=peer)
        transport.friends = frozenset({THIRD.key})
        await mine.meet([ME.key, OTHER.key, THIRD.key, CROWD[0].key])
        assert transport.dialled == [f"/memory/{OTHER.key.hex()}"]
