"""Ports in memory and stand-ins for the node's parts, shared by the tests of the node."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import trio

from contracts.deploy import Deployment
from p2pnode.chain.client import open_reader
from p2pnode.ports import OperatorRecord, Ports
from protocols.types import Address
from simnet.ledger import Ledger, VirtualChain
from simnet.memory import InlineWorkers, MemoryDisk, VirtualClock, seeded_entropy
from simnet.network import VirtualNetwork
from tests.protocols.playbook import PARAMS, Peer

FOUNDER = Address(b"f" * 20)


@dataclass
class Seen:
    """An observer that remembers."""

    events: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)

    def __call__(self, name: str, fields: Mapping[str, object]) -> None:
        self.events.append((name, fields))

    def named(self, name: str) -> list[Mapping[str, Any]]:
        return [fields for each, fields in self.events if each == name]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.events]


@dataclass(frozen=True)
class Founded:
    """A founded subnet for `spector` on a running dev chain."""

    url: str
    contracts: Deployment
    number: int

    @property
    def registry(self) -> str:
        return f"0x{self.contracts.subnets.hex()}"

    def operators(self) -> tuple[OperatorRecord, ...]:
        async def read() -> tuple[OperatorRecord, ...]:
            reader = await open_reader(self.url, self.contracts.subnets, self.number)
            try:
                return await reader.operators()
            finally:
                await reader.aclose()

        return trio.run(read)


@dataclass
class InMemory:
    """A network and a chain, with as many peers as a test asks for."""

    network: VirtualNetwork
    chain: Ledger
    nursery: trio.Nursery
    lives: Iterator[int] = field(default_factory=count)

    def ports(self, peer: Peer, disk: MemoryDisk | None = None) -> Ports:
        return Ports(
            clock=VirtualClock(),
            entropy=seeded_entropy(next(self.lives), peer.key.hex()),
            transport=self.network.attach(peer.key),
            chain=self.operator(peer),
            disk=disk or MemoryDisk(),
            workers=InlineWorkers(),
            folder=Path("nowhere"),
        )

    def operator(self, peer: Peer) -> VirtualChain:
        return VirtualChain(self.chain, Address(peer.key[:20]))


@asynccontextmanager
async def in_memory() -> AsyncIterator[InMemory]:
    """A running network in memory; what a test starts in its nursery ends with the block."""
    network = VirtualNetwork(seed=1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(network.run)
        yield InMemory(network, Ledger(1, FOUNDER, PARAMS.encode(), b"task"), nursery)
        nursery.cancel_scope.cancel()


def answering(answer: bytes) -> Callable[[bytes, bytes], Awaitable[bytes]]:
    """A handler of requests that always says the same."""

    async def handler(_: bytes, __: bytes) -> bytes:
        return answer

    return handler


async def settled(seconds: float = 3) -> None:
    """Lets so much virtual time pass that whatever is under way arrives."""
    await trio.sleep(seconds)
