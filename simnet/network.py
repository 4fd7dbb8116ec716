"""A network in memory: seeded latencies, gossip over a sparse mesh, links that can be cut or lose messages."""

from __future__ import annotations

import contextlib
import hashlib
import heapq
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Final, NoReturn

import trio

from p2pnode.errors import Unreachable
from p2pnode.ports import GossipValidator, Incoming, RequestHandler
from p2pnode.transport.limits import Limits
from protocols.errors import LocalError, MalformedError, TwoPMError
from protocols.types import PeerKey, Verdict, short

REQUEST_TIMEOUT_S: Final = 10.0
INBOX_MESSAGES: Final = 10_000
LIMITS: Final = Limits()
CHORDS: Final = (1, 2, 4)
"""A peer's gossip neighbours stand so many places before and after it on the topic's ring: 6, as in gossipsub."""


@dataclass(frozen=True, slots=True)
class Link:
    """What every link is like: one-way latency between the bounds (seconds, fixed per pair), bytes per second."""

    latency_min_s: float = 0.01
    latency_max_s: float = 0.08
    bytes_per_s: float = 12.5e6


class VirtualNetwork:
    """Carries messages between `VirtualTransport`s. `run` must run while anybody sends."""

    def __init__(self, seed: int, link: Link = Link()) -> None:
        self._seed, self._link = seed, link
        self._losses = random.Random(f"simnet losses {seed}")  # noqa: S311  # reproducible on purpose, guards nothing
        self._loss = 0.0
        self._cut: set[frozenset[PeerKey]] = set()
        self._online: dict[PeerKey, VirtualTransport] = {}
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self.numbers = count()
        self._posted = trio.Event()
        self.tap: Callable[[bytes], None] | None = None
        """Told of each message that is sent or published."""

    async def run(self) -> NoReturn:
        """Delivers what is due, for ever."""
        while True:
            with trio.move_on_at(self._due[0][0] if self._due else math.inf):
                await self._posted.wait()
            self._posted = trio.Event()
            while self._due and self._due[0][0] <= trio.current_time():
                heapq.heappop(self._due)[2]()

    def attach(self, peer: PeerKey) -> VirtualTransport:
        """A new transport for this peer; an older one of the same peer falls off the network."""
        self._online[peer] = VirtualTransport(self, peer)
        return self._online[peer]

    def detach(self, peer: PeerKey) -> None:
        """The peer is gone: whoever calls it finds nobody."""
        self._online.pop(peer, None)

    def cut(self, one: PeerKey, other: PeerKey) -> None:
        """Nothing passes between the two any more; gossip finds its way round them."""
        self._cut.add(frozenset((one, other)))

    def heal(self) -> None:
        """Undoes every cut and loss."""
        self._cut.clear()
        self._loss = 0.0

    def lose(self, probability: float) -> None:
        """From now on each gossiped copy is lost, and each direct call fails, with this probability."""
        self._loss = probability

    def peers(self) -> frozenset[PeerKey]:
        return frozenset(self._online)

    def carries(self, transport: VirtualTransport) -> bool:
        """Whether this very transport is its peer's present one."""
        return self._online.get(transport.peer) is transport

    def linked(self, one: PeerKey, other: PeerKey) -> bool:
        return frozenset((one, other)) not in self._cut

    def reach(self, sender: PeerKey, to: PeerKey) -> VirtualTransport:
        """The transport of a peer that can be called.

        Raises:
            Unreachable: it is gone, the link is cut, or this call was lost.
        """
        target = self._online.get(to)
        if target is None:
            raise Unreachable(f"peer {short(to)} is not on the network")
        if not self.linked(sender, to) or self.lost():
            raise Unreachable(f"peer {short(to)} does not answer peer {short(sender)}: the link is down")
        return target

    def overheard(self, payload: bytes) -> None:
        """Somebody says something."""
        if self.tap is not None:
            self.tap(payload)

    def lost(self) -> bool:
        return self._loss > 0 and self._losses.random() < self._loss

    def delay(self, one: PeerKey, other: PeerKey, size: int) -> float:
        """Seconds that `size` bytes take on this link; the latency is the pair's own and the same all run."""
        pair = hashlib.sha256(b"%d" % self._seed + min(one, other) + max(one, other)).digest()
        share = int.from_bytes(pair[:4], "big") / 2**32
        spread = self._link.latency_max_s - self._link.latency_min_s
        return self._link.latency_min_s + share * spread + size / self._link.bytes_per_s

    def post(self, when: float, action: Callable[[], None]) -> None:
        """Performs `action` at that moment of trio's clock, after all that was posted for it before."""
        heapq.heappush(self._due, (when, next(self._order), action))
        self._posted.set()

    def neighbours(self, peer: PeerKey, topic: str) -> list[VirtualTransport]:
        """To whom a peer passes on what it accepts: a ring of the topic's subscribers with chords."""
        salt = f"{self._seed} {topic} ".encode()
        ring = sorted(
            (key for key, transport in self._online.items() if topic in transport.validators or key == peer),
            key=lambda key: hashlib.sha256(salt + key).digest(),
        )
        if peer not in ring:
            return []
        here = ring.index(peer)
        chosen = {ring[(here + sign * chord) % len(ring)] for chord in CHORDS for sign in (1, -1)} - {peer}
        return [self._online[key] for key in ring if key in chosen and self.linked(peer, key)]


@dataclass(frozen=True, slots=True)
class _Gossip:
    number: int
    origin: PeerKey
    topic: str
    payload: bytes


class VirtualTransport:
    """The `Transport` port over a `VirtualNetwork`."""

    def __init__(self, network: VirtualNetwork, peer: PeerKey) -> None:
        self._network, self._peer = network, peer
        self._inbox_in, self._inbox_out = trio.open_memory_channel[Incoming](INBOX_MESSAGES)
        self._handlers: dict[str, RequestHandler] = {}
        self._link_free: dict[PeerKey, float] = {}
        self._seen: set[int] = set()
        self._sent = 0
        self.validators: dict[str, GossipValidator] = {}

    @property
    def peer(self) -> PeerKey:
        return self._peer

    @property
    def addresses(self) -> tuple[str, ...]:
        return (f"/memory/{self._peer.hex()}",)

    def dialable(self, addresses: Sequence[str], told_by: PeerKey) -> tuple[str, ...]:  # noqa: ARG002  all may be here
        return tuple(addresses)

    async def send(self, to: PeerKey, payload: bytes) -> None:
        await trio.lowlevel.checkpoint()
        _within(LIMITS.direct_message_bytes, payload, "direct message")
        target = self._network.reach(self._peer, to)
        self._network.overheard(payload)
        self._sent += len(payload)
        arrives = trio.current_time() + self._network.delay(self._peer, to, len(payload))
        self._link_free[to] = max(arrives, self._link_free.get(to, 0.0))  # a stream keeps its order
        message = Incoming(self._peer, payload, None)
        self._network.post(self._link_free[to], partial(target.deliver, message))

    async def request(self, to: PeerKey, protocol: str, payload: bytes, *, max_bytes: int) -> bytes:
        _within(LIMITS.request_bytes, payload, f"request of {protocol}")
        target = self._network.reach(self._peer, to)
        self._sent += len(payload)
        with trio.move_on_after(REQUEST_TIMEOUT_S):
            await trio.sleep(self._network.delay(self._peer, to, len(payload)))
            response = await target.answer(self._peer, protocol, payload)
            await trio.sleep(self._network.delay(self._peer, to, len(response)))
            self._network.reach(self._peer, to)
            if len(response) > max_bytes:
                raise Unreachable(f"peer {short(to)} answered {len(response)} B to {protocol}, allowed are {max_bytes}")
            return response
        raise Unreachable(f"peer {short(to)} did not answer {protocol} within {REQUEST_TIMEOUT_S:.0f} s")

    async def answer(self, asker: PeerKey, protocol: str, payload: bytes) -> bytes:
        """Runs our handler for another peer; what goes wrong in it reaches the asker as a closed stream."""
        handler = self._handlers.get(protocol)
        if handler is None:
            raise Unreachable(f"peer {short(self._peer)} does not speak {protocol}")
        try:
            response = await handler(asker, payload)
        except TwoPMError as error:
            raise Unreachable(f"peer {short(self._peer)} closed the stream of {protocol}: {error}") from error
        _within(LIMITS.response_bytes, response, f"response to {protocol}")
        self._sent += len(response)
        return response

    def serve(self, protocol: str, handler: RequestHandler) -> None:
        self._handlers[protocol] = handler

    async def subscribe(self, topic: str, validator: GossipValidator) -> None:
        await trio.lowlevel.checkpoint()
        self.validators[topic] = validator

    async def unsubscribe(self, topic: str) -> None:
        await trio.lowlevel.checkpoint()
        self.validators.pop(topic, None)

    async def publish(self, topic: str, payload: bytes) -> None:
        await trio.lowlevel.checkpoint()
        _within(LIMITS.gossip_message_bytes, payload, f"gossip on {topic}")
        self._network.overheard(payload)
        message = _Gossip(next(self._network.numbers), self._peer, topic, payload)
        self._seen.add(message.number)
        self._forward(message)

    def _forward(self, message: _Gossip) -> None:
        for target in self._network.neighbours(self._peer, message.topic):
            self._sent += len(message.payload)
            if not self._network.lost():
                arrives = trio.current_time() + self._network.delay(self._peer, target.peer, len(message.payload))
                self._network.post(arrives, partial(target.hear, message))

    def hear(self, message: _Gossip) -> None:
        """A gossiped copy arrives: the first one is judged and, if good, kept and passed on."""
        if message.number in self._seen or message.topic not in self.validators:
            return
        self._seen.add(message.number)
        if self.validators[message.topic](message.origin, message.payload) is Verdict.ACCEPT:
            self.deliver(Incoming(message.origin, message.payload, message.topic))
            self._forward(message)

    def deliver(self, message: Incoming) -> None:
        """Puts a message into the inbox, unless we are gone by now or the inbox is full."""
        if self._network.carries(self):
            with contextlib.suppress(trio.WouldBlock):  # a full inbox loses what comes, as gossip does
                self._inbox_in.send_nowait(message)

    async def receive(self) -> Incoming:
        return await self._inbox_out.receive()

    async def dial(self, multiaddr: str) -> PeerKey:
        await trio.lowlevel.checkpoint()
        _, _, encoded = multiaddr.rpartition("/memory/")
        try:
            peer = PeerKey(bytes.fromhex(encoded))
        except ValueError as error:
            raise MalformedError(f"{multiaddr!r} is no address of the virtual network") from error
        return self._network.reach(self._peer, peer).peer

    def learn(self, peer: PeerKey, addresses: Sequence[str]) -> None:
        """Nothing to remember: everybody on the virtual network knows where everybody is."""

    def blame(self, peer: PeerKey, kind: str) -> None:
        """Nobody is banned from the virtual network; what was done stands in the run's events."""

    def connected(self) -> frozenset[PeerKey]:
        others = self._network.peers() - {self._peer}
        return frozenset(peer for peer in others if self._network.linked(self._peer, peer))

    def bytes_sent(self) -> int:
        return self._sent


def _within(limit: int, payload: bytes, what: str) -> None:
    if len(payload) > limit:
        raise LocalError(f"a {what} of {len(payload)} bytes: {limit} are allowed")
