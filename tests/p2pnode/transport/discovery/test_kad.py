"""kad-dht over real libp2p: ten others from one address; py-libp2p's own answers us; junk and floods change nothing."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
import trio
from libp2p.custom_types import TProtocol
from libp2p.kad_dht.kad_dht import DHTMode, KadDHT
from libp2p.kad_dht.pb.kademlia_pb2 import Message
from libp2p.peer.peerinfo import PeerInfo
from libp2p.tools.anyio_service import background_trio_service
from libp2p.utils.varint import encode_uvarint
from multiaddr import Multiaddr

from p2pnode.directory import Directory
from p2pnode.errors import Unreachable
from p2pnode.transport.addresses import peer_id_of, peer_key_of, with_peer
from p2pnode.transport.discovery import kad as module
from p2pnode.transport.discovery.kad import Kad, hints_of, parse
from p2pnode.transport.discovery.lookup import ADDRESSES_MAX, BUCKET
from p2pnode.transport.limits import Limits
from protocols.errors import MalformedError
from protocols.types import PeerKey, Secret
from protocols.wire.envelope import signer

KAD = TProtocol("/2pm/test/kad/1.0.0")


def peer(number: int) -> PeerKey:
    return PeerKey(hashlib.sha256(number.to_bytes(4, "big")).digest())


def quiet(_kind: str, _peer: PeerKey | None) -> None: ...


class Member:
    """A node with its directory and its part in the DHT."""

    def __init__(self, node, name: str) -> None:
        self.node, self.transport, self.heard = node, node.transport, {}
        seed = Secret(hashlib.sha256(name.encode()).digest())
        self.directory = Directory(self.transport, signer(seed)[1], 1)
        report = node.transport.conduct.report
        self.kad = Kad(self.transport, Limits(), report, lambda who, where: self.heard.update({who: where}))


@asynccontextmanager
async def members(world, *names: str) -> AsyncIterator[list[Member]]:
    async with AsyncExitStack() as stack:
        yield [Member(await stack.enter_async_context(world.node(name)), name) for name in names]


async def test_with_one_address_ten_others_are_found(world) -> None:
    names = [f"member {number}" for number in range(12)]
    async with members(world, *names) as crowd:
        hub, *others = crowd
        for each in others:
            await each.directory.ask(await each.transport.dial(hub.node.address), [peer(1)])  # where it is, no more
            assert each.directory.missing([hub.transport.peer]) != []
        newcomer = others[-1]
        assert newcomer.transport.connected() == {hub.transport.peer}
        await newcomer.kad.search(newcomer.transport.peer)
        assert {each.transport.peer for each in others[:10]} <= set(newcomer.heard)
        found = await newcomer.kad.search(others[3].transport.peer)
        assert found[0] == others[3].transport.peer
        assert len(newcomer.kad.buckets) == 11


@asynccontextmanager
async def answering(host, answer: Message | bytes) -> AsyncIterator[None]:
    async def handler(stream) -> None:
        await stream.read(100)
        body = answer if isinstance(answer, bytes) else answer.SerializeToString()
        await stream.write(body if isinstance(answer, bytes) else encode_uvarint(len(body)) + body)

    host.set_stream_handler(KAD, handler)
    yield


JUNK = [b"\x05\xff\xff\xff\xff\xff", b"\xff\xff\xff\xff\x0f", b"\xff" * 50, encode_uvarint(10**6)]


@pytest.mark.parametrize("junk", JUNK, ids=["no protobuf", "4 GB", "endless length", "too long"])
async def test_junk_is_named_and_ends_no_search(world, junk: bytes) -> None:
    async with members(world, "us", "honest") as (us, honest), world.hostile(us.node.address) as attacker:
        await honest.directory.ask(await honest.transport.dial(us.node.address))
        culprit = peer_key_of(attacker.get_id())
        async with answering(attacker, junk):
            assert await us.kad.search(peer(1)) == [honest.transport.peer]
        assert us.node.reports["kad-refused", culprit] == 1
        assert {who for _, who in us.node.reports} == {culprit}


async def test_ten_thousand_addresses_of_our_own_network_are_not_dialled(world) -> None:
    """Told on a connection from this machine they might be; what matters is how many, and that none goes further."""
    async with members(world, "us") as (us,), world.hostile(us.node.address) as attacker:
        raw = [Multiaddr(f"/ip4/127.0.0.1/tcp/{port}").to_bytes() for port in range(1, 10_001)]
        lie = Message(
            type=Message.FIND_NODE, closerPeers=[Message.Peer(id=peer_id_of(peer(1)).to_bytes(), addrs=raw[:1500])]
        )
        crowd = [Message.Peer(id=peer_id_of(peer(n)).to_bytes(), addrs=raw[:1]) for n in range(500)]
        assert [len(addresses) for _, addresses in hints_of(lie)] == [ADDRESSES_MAX]
        assert len(hints_of(Message(closerPeers=crowd))) == BUCKET
        async with answering(attacker, Message(type=Message.FIND_NODE, closerPeers=crowd)):
            assert await us.kad.search(peer(1)) == [peer_key_of(attacker.get_id())]
        assert len(us.heard) <= 1 + BUCKET
        dialled = set(us.transport.dialer._book)
        assert len(dialled) <= BUCKET


def test_what_is_no_address_and_no_peer_of_ours_is_passed_over() -> None:
    good, key = Multiaddr("/ip4/8.8.8.8/tcp/1").to_bytes(), peer_id_of(peer(1)).to_bytes()
    answer = Message(
        closerPeers=[
            Message.Peer(id=b"junk", addrs=[good]),
            Message.Peer(id=b"", addrs=[good]),
            Message.Peer(id=key, addrs=[b"junk", b"", Multiaddr("/ip4/8.8.8.8/udp/1").to_bytes(), good]),
        ]
    )
    assert hints_of(answer) == [(peer(1), (with_peer("/ip4/8.8.8.8/tcp/1", peer(1)),))]
    with pytest.raises(MalformedError):
        parse(b"\xff\xff", peer(1))


async def test_who_is_far_is_not_told_of_near_addresses(world, monkeypatch) -> None:
    async with members(world, "us", "friend") as (us, friend):
        await friend.directory.ask(await friend.transport.dial(us.node.address))
        question = Message(type=Message.FIND_NODE, key=peer_id_of(peer(1)).to_bytes())
        near = friend.transport.peer
        assert us.kad.answer(near, question).closerPeers == []
        us.kad.buckets.add(near)
        assert us.kad.answer(peer(2), question).closerPeers == []  # nobody knows from where it asks
        us.transport.learn(near, [with_peer("/ip4/8.8.8.8/tcp/1", near), *us.transport.dialer.addresses_of(near)])
        assert [list(each.addrs) for each in us.kad.answer(peer(2), question).closerPeers] == [
            [Multiaddr("/ip4/8.8.8.8/tcp/1").to_bytes()]
        ]


@pytest.mark.parametrize("kind", [Message.PUT_VALUE, Message.GET_VALUE, Message.ADD_PROVIDER, Message.GET_PROVIDERS])
async def test_nothing_is_stored_for_others(world, kind: int) -> None:
    async with members(world, "us") as (us,), world.hostile(us.node.address) as attacker:
        stream = await attacker.new_stream(peer_id_of(us.transport.peer), [KAD])
        body = Message(type=kind, key=b"key").SerializeToString()
        await stream.write(encode_uvarint(len(body)) + body)
        await world.until(lambda: us.node.reports["request-refused", peer_key_of(attacker.get_id())] == 1)


async def test_a_peer_that_does_not_answer_ends_no_search(world, monkeypatch) -> None:
    monkeypatch.setattr(module, "QUESTION_S", 0.2)
    async with members(world, "us", "honest") as (us, honest), world.hostile(us.node.address) as attacker:
        await honest.directory.ask(await honest.transport.dial(us.node.address))
        attacker.set_stream_handler(KAD, lambda _stream: trio.sleep_forever())
        with pytest.raises(Unreachable):
            await us.kad.ask(peer_key_of(attacker.get_id()), peer(1))
        assert await us.kad.search(peer(1)) == [honest.transport.peer]


async def test_py_libp2ps_own_table_answers_us_and_we_it(world) -> None:
    async with members(world, "us") as (us,), world.stock("theirs") as theirs:
        dht = KadDHT(theirs, DHTMode.SERVER, protocol_prefix=TProtocol("/2pm/test"), enable_random_walk=False)
        async with background_trio_service(dht):
            theirs.set_stream_handler(KAD, dht.handle_stream)  # it serves /ipfs/kad/1.0.0, whatever its prefix
            key = peer_key_of(theirs.get_id())
            await us.transport.dial(str(theirs.get_addrs()[0]))
            far = with_peer("/ip4/8.8.8.8/tcp/1", peer(5))
            theirs.get_peerstore().add_addrs(peer_id_of(peer(5)), [Multiaddr("/ip4/8.8.8.8/tcp/1")], 60)
            await dht.routing_table.add_peer(PeerInfo(peer_id_of(peer(5)), [Multiaddr("/ip4/8.8.8.8/tcp/1")]))
            assert (peer(5), (far,)) in await us.kad.ask(key, peer(5))
            us.transport.learn(peer(7), [with_peer("/ip4/127.0.0.1/tcp/7", peer(7))])
            us.kad.buckets.add(peer(7))
            stream = await theirs.new_stream(peer_id_of(us.transport.peer), [KAD])
            body = Message(type=Message.FIND_NODE, key=peer_id_of(peer(7)).to_bytes()).SerializeToString()
            await stream.write(encode_uvarint(len(body)) + body)
            answer = await stream.read(1000)
            assert peer_id_of(peer(7)).to_bytes() in answer
