"""When faults strike, and a transport that can be struck dumb."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import trio

from p2pnode.errors import Unreachable
from p2pnode.ports import GossipValidator, Incoming, RequestHandler, Transport
from protocols.types import PeerKey, short
from simnet.events import Event
from simnet.scenario import MOMENTS, Fault

MUTE_TIMEOUT_S: Final = 10.0


class Director:
    """Watches a run's events and says when a fault's moment has come, once for each fault.

    `strike(fault, names)` is told the victims by name; "committee-K" is resolved by the last epoch that began.
    """

    def __init__(
        self,
        faults: Sequence[Fault],
        names: Mapping[str, str],
        rounds_per_epoch: int,
        strike: Callable[[Fault, tuple[str, ...]], None],
    ) -> None:
        self._pending = sorted(faults, key=_when)
        self._names, self._rounds_per_epoch, self._strike = names, rounds_per_epoch, strike
        self._committee: list[str] = []

    def hear(self, event: Event) -> None:
        """One more event of the run."""
        if event.name == "epoch":
            self._committee = [self._names[peer] for peer in event.fields["committee"] if peer in self._names]
        reached = self._moment(event)
        while reached and self._pending and _when(self._pending[0]) <= reached:
            fault = self._pending.pop(0)
            self._strike(fault, tuple(dict.fromkeys(map(self._resolve, fault.names()))))

    def _moment(self, event: Event) -> tuple[int, int] | None:
        match event.name:
            case "epoch":
                return int(event.fields["epoch"]) * self._rounds_per_epoch, 0
            case "applied" | "abandoned":
                return int(event.fields["height"]) + 1, 0
            case "phase" if event.fields["phase"] in MOMENTS:
                return int(event.fields["height"]), MOMENTS.index(event.fields["phase"])
        return None

    def _resolve(self, name: str) -> str:
        kind, _, number = name.rpartition("-")
        if kind == "committee" and int(number) < len(self._committee):
            return self._committee[int(number)]
        return name


def _when(fault: Fault) -> tuple[int, int]:
    return fault.at_height, MOMENTS.index(fault.after)


class Gate:
    """A transport in front of another one; while `mute`, nothing leaves, though everything still comes in.

    Attributes:
        tap: is told every message that has left.
    """

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.mute = False
        self.tap: Callable[[bytes], None] = lambda _: None

    @property
    def peer(self) -> PeerKey:
        return self._inner.peer

    @property
    def addresses(self) -> tuple[str, ...]:
        return self._inner.addresses

    async def send(self, to: PeerKey, payload: bytes) -> None:
        if self.mute:
            await trio.lowlevel.checkpoint()
        else:
            await self._inner.send(to, payload)
            self.tap(payload)

    async def request(self, to: PeerKey, protocol: str, payload: bytes, *, max_bytes: int) -> bytes:
        if self.mute:
            await trio.sleep(MUTE_TIMEOUT_S)
            raise Unreachable(f"peer {short(to)} did not answer {protocol} within {MUTE_TIMEOUT_S:.0f} s")
        return await self._inner.request(to, protocol, payload, max_bytes=max_bytes)

    def serve(self, protocol: str, handler: RequestHandler) -> None:
        async def unless_mute(asker: PeerKey, request: bytes) -> bytes:
            if self.mute:
                await trio.sleep_forever()
            return await handler(asker, request)

        self._inner.serve(protocol, unless_mute)

    async def subscribe(self, topic: str, validator: GossipValidator) -> None:
        await self._inner.subscribe(topic, validator)

    async def unsubscribe(self, topic: str) -> None:
        await self._inner.unsubscribe(topic)

    async def publish(self, topic: str, payload: bytes) -> None:
        if self.mute:
            await trio.lowlevel.checkpoint()
        else:
            await self._inner.publish(topic, payload)
            self.tap(payload)

    async def receive(self) -> Incoming:
        return await self._inner.receive()

    async def dial(self, multiaddr: str) -> PeerKey:
        return await self._inner.dial(multiaddr)

    def dialable(self, addresses: Sequence[str], told_by: PeerKey) -> tuple[str, ...]:
        return self._inner.dialable(addresses, told_by)

    def learn(self, peer: PeerKey, addresses: Sequence[str]) -> None:
        self._inner.learn(peer, addresses)

    def blame(self, peer: PeerKey, kind: str) -> None:
        self._inner.blame(peer, kind)

    def connected(self) -> frozenset[PeerKey]:
        return self._inner.connected()

    def bytes_sent(self) -> int:
        return self._inner.bytes_sent()
