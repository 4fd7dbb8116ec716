"""Real hosts over TCP on loopback, and a hostile one built from stock py-libp2p."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import pytest
import trio
from libp2p import new_host
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_noise_key_pair
from libp2p.host.basic_host import BasicHost
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE_ID
from libp2p.security.noise.transport import Transport as NoiseTransport
from multiaddr import Multiaddr

from p2pnode.transport.host import Libp2pTransport, open_transport
from p2pnode.transport.limits import Limits
from protocols.types import PeerKey, Secret

LOOPBACK = "/ip4/127.0.0.1/tcp/0"


@dataclass
class Node:
    """A running transport and what it reported."""

    transport: Libp2pTransport
    reports: Counter[tuple[str, PeerKey | None]] = field(default_factory=Counter)

    @property
    def address(self) -> str:
        return self.transport.addresses[0]


def seed_of(name: str) -> Secret:
    return Secret(hashlib.sha256(name.encode()).digest())


@asynccontextmanager
async def run_node(
    name: str, *, listen: str = LOOPBACK, prefix: str | None = "test", limits: Limits | None = None
) -> AsyncIterator[Node]:
    reports: Counter[tuple[str, PeerKey | None]] = Counter()

    def report(kind: str, culprit: PeerKey | None) -> None:
        reports[kind, culprit] += 1

    async with open_transport(seed_of(name), listen, prefix, limits or Limits(), report) as transport:
        yield Node(transport, reports)


@asynccontextmanager
async def run_nodes(count: int, limits: Limits | None = None) -> AsyncIterator[list[Node]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(run_node(f"node {i}", limits=limits)) for i in range(count)]


@asynccontextmanager
async def run_stock(name: str) -> AsyncIterator[BasicHost]:
    """py-libp2p as it comes, but for its plaintext default."""
    keys = create_new_key_pair(seed_of(name).reveal())
    noise = NoiseTransport(keys, create_noise_key_pair().private_key)
    host = new_host(key_pair=keys, sec_opt={NOISE_ID: noise})
    async with host.run([Multiaddr(LOOPBACK)]):
        yield host


@asynccontextmanager
async def run_hostile(victim_address: str) -> AsyncIterator[BasicHost]:
    """A stock host connected to the victim, for tests to send whatever they like."""
    async with run_stock("hostile") as host:
        await host.connect(info_from_p2p_addr(Multiaddr(victim_address)))
        yield host


async def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Polls; fails the test if it does not come true."""
    with trio.fail_after(seconds):
        while not condition():
            await trio.sleep(0.005)


@dataclass(frozen=True)
class World:
    """What tests need, as one fixture: importlib mode has no importable conftest."""

    node: Callable[..., AbstractAsyncContextManager[Node]] = run_node
    nodes: Callable[..., AbstractAsyncContextManager[list[Node]]] = run_nodes
    stock: Callable[[str], AbstractAsyncContextManager[BasicHost]] = run_stock
    hostile: Callable[[str], AbstractAsyncContextManager[BasicHost]] = run_hostile
    until: Callable[..., object] = until


@pytest.fixture
def world() -> World:
    return World()
