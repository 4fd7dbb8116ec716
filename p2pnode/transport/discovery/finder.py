"""The node's `Finder` port: what mDNS and the DHT hear of, in one bounded queue."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

import trio

from p2pnode.transport.direct import Report
from p2pnode.transport.discovery.identify import watch_address
from p2pnode.transport.discovery.kad import Kad
from p2pnode.transport.discovery.mdns import run_mdns
from p2pnode.transport.discovery.relay import Relays
from p2pnode.transport.host import Libp2pTransport
from p2pnode.transport.limits import Limits
from protocols.types import PeerKey

WAITING_MAX: Final = 256

Task = Callable[[], Awaitable[None]]


class Finders:
    """Whatever of it is wanted; each is a task of its own that its user keeps running (`tasks`).

    Args:
        relays: addresses of relays through which others shall reach us.
        relay: whether to be one.
        mdns, dht, observe: whether to use mDNS, to take part in the DHT, to find out at which address others see us.
    """

    def __init__(
        self,
        transport: Libp2pTransport,
        prefix: str,
        limits: Limits,
        report: Report,
        *,
        mdns: bool = False,
        dht: bool = False,
        observe: bool = False,
        relays: Sequence[str] = (),
        relay: bool = False,
    ) -> None:
        self._in, self._out = trio.open_memory_channel[tuple[PeerKey, tuple[str, ...]]](WAITING_MAX)
        self._transport = transport
        self.tasks: dict[str, Task] = {}
        self.kad = Kad(transport, limits, report, self._heard) if dht else None
        if self.kad is not None:
            self.tasks["dht"] = self.kad.run
        if mdns:
            self.tasks["mdns"] = partial(run_mdns, transport.peer, transport.addresses, prefix, self._heard)
        carried = Relays(transport, report, relays, serve=relay)
        if carried.wanted:
            self.tasks["relay"] = carried.run
        if observe:
            self.tasks["addresses"] = partial(watch_address, transport)

    async def found(self) -> tuple[PeerKey, tuple[str, ...]]:
        return await self._out.receive()

    async def seek(self, peer: PeerKey) -> None:
        if self.kad is not None:
            await self.kad.search(peer)

    def _heard(self, peer: PeerKey, addresses: tuple[str, ...]) -> None:
        try:
            self._in.send_nowait((peer, addresses))
        except trio.WouldBlock:
            return  # there are enough to go on with; who is sought is found again
