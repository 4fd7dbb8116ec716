"""Coming into the mesh: by bootstrap peers, by an earlier life's, by a finder; and real nodes after a restart."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from p2pnode.directory import MESH_DIALS, Directory
from p2pnode.errors import Unreachable
from p2pnode.neighbours import MESH_CHECK_S, Neighbours
from p2pnode.peer_cache import FILE_NAME, read_peers
from p2pnode.supervision import Supervisor
from p2pnode.transport.host import open_transport
from p2pnode.transport.limits import Limits
from protocols.types import PeerKey, Secret
from protocols.wire.envelope import signer
from protocols.wire.messages import AddressRecord
from tests.p2pnode.kit import InMemory, Seen, in_memory
from tests.protocols.playbook import CONTRIBUTORS, Peer, a_peer

ME = CONTRIBUTORS[0]
CROWD = [a_peer(number) for number in range(2000, 2020)]


class Heard:
    """A finder that hears of some and looks for others."""

    def __init__(self) -> None:
        self.tell, self._news = trio.open_memory_channel[tuple[PeerKey, tuple[str, ...]]](100)
        self.sought: list[PeerKey] = []

    async def found(self) -> tuple[PeerKey, tuple[str, ...]]:
        return await self._news.receive()

    async def seek(self, peer: PeerKey) -> None:
        self.sought.append(peer)
        self.tell.send_nowait((peer, (f"/memory/{peer.hex()}",)))


def neighbours(
    world: InMemory, peer: Peer, *bootstrap: str, folder: Path | None = None, finder: Heard | None = None
) -> tuple[Neighbours, Directory, Seen]:
    seen = Seen()
    ports = replace(world.ports(peer), folder=folder or Path("nowhere"), finder=finder)
    directory = Directory(ports.transport, peer.sign, 1)
    tasks = Supervisor(world.nursery, ports.clock, seen)
    return Neighbours(ports, directory, tasks, bootstrap, keep=folder is not None), directory, seen


def at(peer: Peer) -> str:
    return f"/memory/{peer.key.hex()}"


async def test_without_anybody_who_answers_it_says_so(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        lonely, _, _ = neighbours(world, ME, at(CROWD[0]), at(CROWD[1]))
        with pytest.raises(Unreachable, match="no bootstrap peer answers"):
            await lonely.join()
        founder, _, _ = neighbours(world, CROWD[2])
        await founder.join()  # the first of all has nobody to ask


async def test_who_was_known_in_an_earlier_life_shows_the_way(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with in_memory() as world:
        for each in CROWD[1:]:
            neighbours(world, each)
        _, hub, _ = neighbours(world, CROWD[0])
        for each in CROWD[1:]:
            hub._learn(each.sign(AddressRecord(1, (at(each),))).encoded, each.key)
        first, _, _ = neighbours(world, ME, at(CROWD[0]), folder=tmp_path)
        await first.join()
        with trio.move_on_after(2 * MESH_CHECK_S):
            await first.stay()
        assert len(read_peers(tmp_path)) == len(CROWD)

        world.network.detach(CROWD[0].key)
        again, directory, seen = neighbours(world, ME, at(CROWD[0]), folder=tmp_path)
        await again.join()
        assert directory.missing([each.key for each in CROWD]) == []
        assert seen.names == []


async def test_a_damaged_file_is_said_and_joining_goes_on(autojump_clock: MockClock, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"junk")
    async with in_memory() as world:
        neighbours(world, CROWD[0])
        mine, directory, seen = neighbours(world, ME, at(CROWD[0]), folder=tmp_path)
        await mine.join()
        assert directory.missing([CROWD[0].key]) == []
        assert "damaged" in str(seen.named("failed"))


async def test_what_a_finder_hears_is_met_and_who_is_missing_is_sought(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        for each in CROWD[:3]:
            neighbours(world, each)
        finder = Heard()
        mine, directory, _ = neighbours(world, ME, finder=finder)
        world.nursery.start_soon(mine.listen, finder)
        finder.tell.send_nowait((CROWD[0].key, (at(CROWD[0]),)))
        await trio.sleep(1)
        assert directory.missing([CROWD[0].key]) == []
        await mine.find([CROWD[0].key, CROWD[1].key, CROWD[5].key])  # neighbours know one of the two, nobody the other
        assert set(finder.sought) == {CROWD[5].key}


async def test_real_nodes_come_back_by_their_cache_without_a_bootstrap_peer(tmp_path: Path) -> None:
    """Ten nodes over libp2p; one knows the hub only, comes back when the hub is gone and nothing is configured."""

    def report(_kind: str, _peer: PeerKey | None) -> None: ...

    def seed(number: int) -> Secret:
        return Secret(hashlib.sha256(b"neighbour %d" % number).digest())

    async def life(number: int, *bootstrap: str, task_status: trio.TaskStatus[Neighbours]) -> None:
        folder = tmp_path / str(number)
        folder.mkdir(exist_ok=True)
        opened = open_transport(seed(number), "/ip4/127.0.0.1/tcp/0", "test", Limits(), report)
        async with opened as transport, in_memory() as world:
            ports = replace(world.ports(ME), transport=transport, folder=folder)
            directory = Directory(transport, signer(seed(number))[1], 1 + len(list(folder.iterdir())))
            tasks = Supervisor(world.nursery, ports.clock, Seen())
            node = Neighbours(ports, directory, tasks, bootstrap, keep=True)
            await node.join()
            task_status.started(node)
            await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        hub_scope, mine_scope = trio.CancelScope(), trio.CancelScope()

        async def within(scope: trio.CancelScope, *args: object, task_status: trio.TaskStatus[Neighbours]) -> None:
            with scope:
                await life(*args, task_status=task_status)  # type: ignore[arg-type]  # passed through

        hub = await nursery.start(within, hub_scope, 0)
        address = hub._transport.addresses[0]
        others = [await nursery.start(life, number, address) for number in range(1, 9)]
        mine = await nursery.start(within, mine_scope, 9, address)
        mine._keep()
        mine_scope.cancel()
        hub_scope.cancel()
        back = await nursery.start(life, 9)
        assert len(back._transport.connected()) >= MESH_DIALS
        assert back._transport.connected() <= {each._transport.peer for each in others}
        nursery.cancel_scope.cancel()
