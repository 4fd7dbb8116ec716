"""One process full of libp2p hosts for mesh.py, which sends it a JSON command a line and reads a JSON answer a line.

Hosts are whole: TCP on loopback, Noise, yamux, gossipsub, every signature checked by every host. `ours` joins as a node
does (p2pnode/directory.py); `stock` is py-libp2p as it comes, but for its plaintext default and 120 s heartbeat.
"""

from __future__ import annotations

import gc
import hashlib
import json
import random
import struct
import sys
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import Any, Final, Protocol

import trio
from libp2p import new_host
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_noise_key_pair
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.pubsub.gossipsub import PROTOCOL_ID_V11, GossipSub
from libp2p.pubsub.pubsub import Pubsub
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE_ID
from libp2p.security.noise.transport import Transport as NoiseTransport
from libp2p.tools.anyio_service import background_trio_service
from multiaddr import Multiaddr

from p2pnode.directory import MESH_DIALS, Directory
from p2pnode.errors import Unreachable
from p2pnode.transport.host import Libp2pTransport, open_transport
from p2pnode.transport.limits import Limits
from protocols.types import PeerKey, Secret, Verdict
from protocols.wire.envelope import signer
from simnet.lines import lines_of
from simnet.usage import collect_rarely, used

TOPIC: Final = "benchmark"
LISTEN: Final = "/ip4/127.0.0.1/tcp/0"
STAMP: Final = struct.Struct("!Id")
"""Of a message: its number, and the system's monotonic clock when it was published."""
JOINS_AT_ONCE: Final = 4
ENOUGH: Final = Limits().mesh_degree_low


class Peer(Protocol):
    """A host of either kind."""

    address: str

    async def join(self, others: list[str]) -> None: ...

    async def publish(self, payload: bytes) -> None: ...

    async def receive(self) -> bytes: ...

    def neighbours(self) -> int: ...

    def bytes_sent(self) -> int: ...


class Ours:
    """A node's transport and directory."""

    def __init__(self, transport: Libp2pTransport, seed: Secret) -> None:
        self._transport = transport
        self._directory = Directory(transport, signer(seed)[1], 1)
        self.address = transport.addresses[0]
        self.refused: list[str] = []

    async def join(self, others: list[str]) -> None:
        await self._transport.subscribe(TOPIC, lambda _origin, _payload: Verdict.ACCEPT)
        if self.address == others[0]:
            return
        await self._directory.ask(await self._transport.dial(others[0]))
        await self._directory.mesh()

    async def publish(self, payload: bytes) -> None:
        await self._transport.publish(TOPIC, payload)

    async def receive(self) -> bytes:
        return (await self._transport.receive()).payload

    def neighbours(self) -> int:
        return max(map(len, self._transport.gossip.router.mesh.values()), default=0)

    def bytes_sent(self) -> int:
        return self._transport.bytes_sent()


class StockBytes:
    """What stock hosts write to their sockets; ours count their own."""

    sent = 0

    @classmethod
    def count(cls) -> None:
        """From now on."""
        send_all = trio.SocketStream.send_all

        async def counted(stream: trio.SocketStream, data: Any) -> None:
            cls.sent += len(data)
            await send_all(stream, data)

        trio.SocketStream.send_all = counted  # type: ignore[method-assign]


class Stock:
    """py-libp2p."""

    def __init__(self, host: Any, pubsub: Pubsub, router: GossipSub) -> None:
        self._host, self._pubsub, self._router = host, pubsub, router
        self.address = str(host.get_addrs()[0])

    async def join(self, others: list[str]) -> None:
        self._subscription = await self._pubsub.subscribe(TOPIC)
        chosen = random.Random(self.address).sample(others, min(MESH_DIALS + 1, len(others)))
        for address in {others[0], *chosen} - {self.address}:
            await self._host.connect(info_from_p2p_addr(Multiaddr(address)))

    async def publish(self, payload: bytes) -> None:
        await self._pubsub.publish(TOPIC, payload)

    async def receive(self) -> bytes:
        while True:
            message = await self._subscription.get()
            if message.from_id != self._host.get_id().to_bytes():
                return message.data

    def neighbours(self) -> int:
        return len(self._router.mesh.get(TOPIC, ()))

    def bytes_sent(self) -> int:
        return 0  # see StockBytes


async def open_ours(stack: AsyncExitStack, seed: bytes, refused: dict[str, int]) -> Peer:
    def report(kind: str, _culprit: PeerKey | None) -> None:
        refused[kind] = refused.get(kind, 0) + 1

    secret = Secret(seed)
    transport = await stack.enter_async_context(open_transport(secret, LISTEN, "benchmark", Limits(), report))
    return Ours(transport, secret)


async def open_stock(stack: AsyncExitStack, seed: bytes, _refused: dict[str, int]) -> Peer:
    keys = create_new_key_pair(seed)
    noise = NoiseTransport(keys, create_noise_key_pair().private_key)
    host = new_host(key_pair=keys, sec_opt={NOISE_ID: noise})
    limits = Limits()
    router = GossipSub(
        [PROTOCOL_ID_V11],
        limits.mesh_degree,
        limits.mesh_degree_low,
        limits.mesh_degree_high,
        heartbeat_interval=limits.heartbeat_seconds,
        spam_protection_enabled=False,
    )
    pubsub = Pubsub(host, router, strict_signing=True)
    await stack.enter_async_context(host.run([Multiaddr(LISTEN)]))
    for service in (router, pubsub):
        await stack.enter_async_context(background_trio_service(service))
    await pubsub.wait_until_ready()
    return Stock(host, pubsub, router)


class Crew:
    """The hosts of this process, and what reached them."""

    def __init__(self) -> None:
        self.peers: list[Peer] = []
        self.refused: dict[str, int] = {}
        self.failures: list[str] = []
        self.received: dict[int, int] = {}
        self.seconds: list[float] = []

    async def open(self, stack: AsyncExitStack, stack_name: str, numbers: Iterable[int]) -> list[str]:
        opener = {"ours": open_ours, "stock": open_stock}[stack_name]
        if stack_name == "stock":
            StockBytes.count()
        for number in numbers:
            seed = hashlib.sha256(f"benchmark {number}".encode()).digest()
            self.peers.append(await opener(stack, seed, self.refused))
        return [peer.address for peer in self.peers]

    async def join(self, nursery: trio.Nursery, others: list[str]) -> None:
        """All of ours, a few at a time; each begins to listen."""
        places = trio.CapacityLimiter(JOINS_AT_ONCE)

        async def one(peer: Peer) -> None:
            async with places:
                try:
                    await peer.join(others)
                except Unreachable as error:
                    self.failures.append(str(error))
            nursery.start_soon(self._listen, peer)

        async with trio.open_nursery() as joining:
            for peer in self.peers:
                joining.start_soon(one, peer)

    async def _listen(self, peer: Peer) -> None:
        while True:
            number, published = STAMP.unpack_from(await peer.receive())
            self.received[number] = self.received.get(number, 0) + 1
            self.seconds.append(time.monotonic() - published)

    def sent(self) -> int:
        return StockBytes.sent + sum(peer.bytes_sent() for peer in self.peers)

    async def obey(self, command: dict[str, Any], nursery: trio.Nursery) -> dict[str, Any]:
        match command["do"]:
            case "join":
                await self.join(nursery, command["others"])
            case "publish":
                stamp = STAMP.pack(command["number"], time.monotonic())
                await self.peers[command["peer"]].publish(stamp + bytes(command["bytes"] - STAMP.size))
            case "state":
                return {"meshed": sum(peer.neighbours() >= ENOUGH for peer in self.peers), "failures": self.failures}
            case "usage":
                if command["collect_garbage"]:
                    gc.collect()
                return {**used(), "sent": self.sent(), "refused": self.refused}
            case "collect":
                answer = {"received": self.received, "seconds": self.seconds}
                self.received, self.seconds = {}, []
                return answer
        return {}


async def main() -> None:
    commands = lines_of(trio.lowlevel.FdStream(sys.stdin.fileno()))
    orders = json.loads(await anext(commands))
    crew = Crew()
    print(json.dumps(used()), flush=True)
    async with trio.open_nursery() as nursery, AsyncExitStack() as stack:
        addresses = await crew.open(stack, orders["stack"], range(*orders["numbers"]))
        print(json.dumps({"addresses": addresses}), flush=True)
        async for line in commands:
            print(json.dumps(await crew.obey(json.loads(line), nursery)), flush=True)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    collect_rarely()
    trio.run(main)
