"""Where peers can be dialled, and the dialling: few at a time, one at a time for each peer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import trio
from libp2p.custom_types import TProtocol
from libp2p.exceptions import BaseLibp2pError
from libp2p.network.stream.net_stream import NetStream
from multiaddr import Multiaddr

from p2pnode.errors import Unreachable
from p2pnode.transport.addresses import peer_id_of, peer_key_of, relay_in, split_address, with_peer
from p2pnode.transport.direct import Report
from p2pnode.transport.discovery.scope import Scope, may_dial, scope_of
from p2pnode.transport.limits import Limits
from p2pnode.transport.overrides.swarm import Host, Swarm
from protocols.errors import MalformedError
from protocols.types import PeerKey, short


class Dialer:
    """The address book and the way to a peer."""

    def __init__(self, host: Host, swarm: Swarm, limits: Limits, report: Report) -> None:
        self._host = host
        self._swarm = swarm
        self._limits = limits
        self._report = report
        self._book: dict[PeerKey, tuple[Multiaddr, ...]] = {}
        self._turns: dict[PeerKey, trio.Lock] = {}
        self._slots = trio.CapacityLimiter(limits.dials_in_parallel)
        self._failed: dict[PeerKey, tuple[float, str]] = {}
        self.through: Callable[[Multiaddr, PeerKey], Awaitable[None]] | None = None
        """Dials through a relay (discovery/relay.py), given "<relay's address>/p2p-circuit"."""

    def learn(self, peer: PeerKey, addresses: Sequence[str]) -> None:
        """Replaces what is known of a peer. An address that names another peer or cannot be read is reported."""
        kept = []
        for address in addresses[: self._limits.addresses_per_peer]:
            try:
                where, who = split_address(address)
            except MalformedError:
                self._report("address-refused", peer)
                continue
            if who == peer:
                kept.append(where)
            else:
                self._report("address-refused", peer)
        if kept:
            self._book.pop(peer, None)
            self._book[peer] = tuple(kept)
            self._failed.pop(peer, None)
        while len(self._book) > self._limits.known_peers:
            del self._book[next(iter(self._book))]

    def suggest(self, peer: PeerKey, addresses: Sequence[str]) -> None:
        """As `learn`, of hearsay: what is known already stays."""
        if peer not in self._book:
            self.learn(peer, addresses)

    def addresses_of(self, peer: PeerKey) -> tuple[str, ...]:
        """Where a peer is said to be, with /p2p/ suffix."""
        return tuple(with_peer(where, peer) for where in self._book.get(peer, ()))

    def dialable(self, addresses: Sequence[str], told_by: PeerKey) -> tuple[str, ...]:
        """The addresses that may be dialled when this peer tells them; see discovery/scope.py."""
        scopes = [scope_of(host) for host in self._swarm.hosts_of(peer_id_of(told_by))]
        teller = max((scope for scope in scopes if scope is not None), default=Scope.WORLD)
        return tuple(address for address in addresses if may_dial(address, teller))

    def connected(self) -> frozenset[PeerKey]:
        """The peers with an open connection."""
        return frozenset(peer_key_of(peer) for peer, conns in self._swarm.connections.items() if conns)

    async def connect(self, peer: PeerKey) -> None:
        """Returns with a connection; raises `Unreachable` with every address's reason."""
        if self._is_connected(peer):
            return
        async with self._turns.setdefault(peer, trio.Lock()):
            if self._is_connected(peer):
                return
            self._refuse_if_just_failed(peer)
            try:
                async with self._slots:
                    await self._dial_any(peer)
            except Unreachable:
                if not await self._dial_through(peer):
                    raise

    async def open_stream(self, peer: PeerKey, protocol: str) -> NetStream:
        """A negotiated stream, over a connection that is made if there is none."""
        await self.connect(peer)
        try:
            stream = await self._host.new_stream(peer_id_of(peer), [TProtocol(protocol)])
        except BaseLibp2pError as error:
            raise Unreachable(f"peer {short(peer)} does not speak {protocol} ({_root(error)})") from error
        assert isinstance(stream, NetStream)
        return stream

    def _is_connected(self, peer: PeerKey) -> bool:
        return any(not conn.is_closed for conn in self._swarm.connections.get(peer_id_of(peer), ()))

    def _refuse_if_just_failed(self, peer: PeerKey) -> None:
        until, reason = self._failed.get(peer, (0.0, ""))
        if trio.current_time() < until:
            raise Unreachable(reason)

    async def _dial_any(self, peer: PeerKey) -> None:
        addresses = self._book.get(peer, ())
        reasons = []
        for address in (each for each in addresses if relay_in(each) is None):
            reason = await self._dial(address, peer)
            if reason is None:
                self._failed.pop(peer, None)
                return
            reasons.append(f"{address}: {reason}")
        text = f"peer {short(peer)} cannot be reached: " + ("; ".join(reasons) or "no address of it is known")
        self._remember_failure(peer, text)
        raise Unreachable(text)

    async def _dial_through(self, peer: PeerKey) -> bool:
        """Whether one of its relays led to it. A relay is dialled itself, never through another: no circles."""
        for address in self._book.get(peer, ()):
            relay = relay_in(address)
            if relay is None or self.through is None:
                continue
            where, who = split_address(relay)
            if not self._is_connected(who):
                async with self._slots:
                    if await self._dial(where, who) is not None:
                        continue
            if await self._attempt(self.through(address, peer)) is None:
                self._failed.pop(peer, None)
                return True
        return False

    async def _dial(self, address: Multiaddr, peer: PeerKey) -> str | None:
        """None if it worked, else the reason."""
        return await self._attempt(self._swarm.dial_address(address, peer_id_of(peer)))

    async def _attempt(self, dialling: Awaitable[object]) -> str | None:
        try:
            with trio.fail_after(self._limits.dial_seconds + self._limits.handshake_seconds):
                await dialling
        except trio.TooSlowError:
            return "no answer in time"
        except Exception as error:  # noqa: BLE001  py-libp2p lets whatever the other side provokes through
            return _root(error)
        return None

    def _remember_failure(self, peer: PeerKey, reason: str) -> None:
        now = trio.current_time()
        self._failed = {who: failure for who, failure in self._failed.items() if failure[0] > now}
        self._failed[peer] = (now + self._limits.redial_after_seconds, reason)


def _root(error: BaseException) -> str:
    """The innermost reason that py-libp2p gives, in words."""
    while isinstance(error.__cause__, BaseLibp2pError):
        error = error.__cause__
    return str(error) or type(error).__name__
