"""How a peer of a virtual world is made dishonest: it runs honest machines, and strategies change what goes in and out.

So a dishonest peer is as well informed as an honest one, keeps up with the rounds, and does what its strategies say.
All dishonest peers of a world are one conspiracy: they share what they hear. Their choices follow from the seed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any, ClassVar, Final

import trio

from p2pnode.errors import Unreachable
from p2pnode.ports import RequestHandler, Transport
from p2pnode.team import AnyMachine, RoundContext
from protocols.effects import Effect, Effects, Send
from protocols.encryption.scheme import Lanes
from protocols.events import Event, Received
from protocols.machine import Machine
from protocols.types import Digest, PeerKey
from protocols.wire.envelope import Signed
from protocols.wire.messages import Message
from simnet.faults import Gate

REMEMBERED: Final = 400


@dataclass
class Conspiracy:
    """What the dishonest peers of a world have in common.

    Attributes:
        peers: all of them.
        heard: the newest messages that any of them received, to be replayed.
        truths: what updates that were made beside the honest one add to a sum, by root.
        deeds: (kind, culprit, mark): what was done; whoever was told what carries the mark can see that it is wrong.
    """

    seed: int
    peers: frozenset[PeerKey]
    heard: deque[Signed] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    truths: dict[Digest, Lanes] = field(default_factory=dict)
    deeds: set[tuple[str, PeerKey, bytes]] = field(default_factory=set)

    def has_done(self, kind: str, culprit: PeerKey, mark: bytes) -> bool:
        """Whether it was this peer's deed."""
        return (kind, culprit, mark) in self.deeds


@dataclass(frozen=True)
class Scene:
    """One dishonest peer in one round."""

    context: RoundContext
    random: Random
    ring: Conspiracy
    veil: Veil

    @property
    def me(self) -> PeerKey:
        return self.context.me

    def honest(self, peers: Iterable[PeerKey]) -> list[PeerKey]:
        """Those that are not in the conspiracy."""
        return [peer for peer in peers if peer not in self.ring.peers]

    def sign(self, message: Message) -> Signed:
        return self.context.sign(message)

    def some(self, peers: Iterable[PeerKey], least: int = 1) -> frozenset[PeerKey]:
        """A random choice of at least so many."""
        found = sorted(peers)
        return frozenset(self.random.sample(found, self.random.randint(min(least, len(found)), len(found))))

    def did(self, kind: str, *marks: bytes) -> None:
        """Notes what the false thing can be told by: a digest, or its bytes."""
        self.ring.deeds.update((kind, self.me, mark) for mark in marks)


class Strategy:
    """One way to misbehave, in one round. The default changes nothing.

    Attributes:
        kind: its name in scenarios.
    """

    kind: ClassVar[str] = ""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.random = scene, scene.random
        self.view, self.height = scene.context.view, scene.context.height

    def hears(self, machine: AnyMachine, event: Event) -> Event | None:
        """What the machine is told instead; None for nothing."""
        return event

    def does(self, machine: AnyMachine, event: Event, effects: Effects, now: float) -> Effects:
        """What is done instead of these effects, the machine's answer to an event."""
        return [changed for effect in effects for changed in self.change(effect)]

    def change(self, effect: Effect) -> Iterable[Effect]:
        """What is done instead of one effect."""
        return [effect]


class Twisted(Machine[Any]):
    """An honest machine in a dishonest peer."""

    TABLE: ClassVar = {}

    def __init__(self, inner: AnyMachine, strategies: Iterable[Strategy], ring: Conspiracy) -> None:
        super().__init__(inner.state)
        self.inner, self._strategies, self._ring = inner, list(strategies), ring

    def accepts(self, message: type[Message]) -> bool:  # type: ignore[override]  # the inner machine decides
        return self.inner.accepts(message)

    def erase(self) -> None:
        self.inner.erase()

    def handle(self, event: Event, now: float) -> Effects:
        if isinstance(event, Received) and event.sender not in self._ring.peers:
            self._ring.heard.append(event.signed)
        told: Event | None = event
        for strategy in self._strategies:
            told = strategy.hears(self.inner, told) if told is not None else None
        effects = self.inner.handle(told, now) if told is not None else []
        for strategy in self._strategies:
            effects = strategy.does(self.inner, event, effects, now)
        return effects


class Veil(Gate):
    """A dishonest peer's transport: late, deaf to some, or serving junk, as its strategies set it for a round.

    Attributes:
        delay_s: seconds by which all that leaves is late.
        shut: requests of these peers are not answered.
        junk: requests of these peers are answered with damaged bytes.
        dropped: messages of these types are not published.
    """

    def __init__(self, inner: Transport) -> None:
        super().__init__(inner)
        self.reset()

    def reset(self) -> None:
        """As an honest peer's."""
        self.delay_s = 0.0
        self.shut: frozenset[PeerKey] = frozenset()
        self.junk: frozenset[PeerKey] = frozenset()

    async def send(self, to: PeerKey, payload: bytes) -> None:
        await trio.sleep(self.delay_s)
        await super().send(to, payload)

    async def publish(self, topic: str, payload: bytes) -> None:
        await trio.sleep(self.delay_s)
        await super().publish(topic, payload)

    def serve(self, protocol: str, handler: RequestHandler) -> None:
        async def veiled(asker: PeerKey, request: bytes) -> bytes:
            if asker in self.shut:
                raise Unreachable("not for you")
            response = await handler(asker, request)
            if asker in self.junk and response:
                return response[:-1] + bytes([response[-1] ^ 1])
            return response

        super().serve(protocol, veiled)


def sends(effect: Effect, kind: type[Message]) -> bool:
    """Whether an effect sends a message of this type to another peer (or to oneself)."""
    return isinstance(effect, Send) and isinstance(effect.signed.message, kind)
