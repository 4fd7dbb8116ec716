"""The swarm and the host, so that strangers can neither lock us out nor bring us down.

Upstream
- never gives back the slot of an inbound connection: the handler waits for the swarm's end, so a few hundred
  connections that come and go lock everybody out;
- lets half-open connections hold their slots until a timeout, so a flood of them blocks honest dials;
- runs every stream's handler in the swarm's own nursery: one exception there ends the host;
- asks every new peer who it is (identify: a quarter of a connection's cost) and tells three notifees of every stream.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from ipaddress import ip_address

import trio
from libp2p.abc import IMuxedConn, INetConn, INetStream, ISecureConn
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_noise_key_pair
from libp2p.custom_types import TProtocol
from libp2p.exceptions import BaseLibp2pError
from libp2p.host.basic_host import BasicHost
from libp2p.network.auto_connector import AutoConnector
from libp2p.network.config import ConnectionConfig, RetryConfig
from libp2p.network.connection.raw_connection import RawConnection
from libp2p.network.connection.swarm_connection import SwarmConn
from libp2p.network.exceptions import SwarmException
from libp2p.network.swarm import Swarm as StockSwarm
from libp2p.peer.id import ID
from libp2p.peer.peerstore import PeerStore
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE_ID
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX_ID
from libp2p.transport.upgrader import TransportUpgrader
from multiaddr import Multiaddr

from p2pnode.transport.budget import Budget
from p2pnode.transport.limits import Limits
from p2pnode.transport.overrides.noise import Noise
from p2pnode.transport.overrides.tcp import TCP, TCPStream, Traffic
from p2pnode.transport.overrides.yamux import Yamux

Blame = Callable[[str, ID | None], None]
"""(what happened, who did it if known)"""

Admits = Callable[[ID], bool]
"""Whether we have to do with this peer at all."""


class Upgrader(TransportUpgrader):
    """Noise, then our yamux; upstream builds its own class whatever it is given for /yamux/1.0.0."""

    def __init__(self, noise: Noise, limits: Limits, blame: Blame, admits: Admits) -> None:
        super().__init__({NOISE_ID: noise}, {TProtocol(YAMUX_ID): Yamux})
        self._limits = limits
        self._blame = blame
        self._admits = admits
        evicted = partial(blame, "unread-bytes-evicted")
        self._budget = Budget(limits.unread_bytes, limits.unread_bytes_per_peer, evicted)

    async def upgrade_connection(self, conn: ISecureConn, peer_id: ID) -> IMuxedConn:
        if not self._admits(peer_id):
            raise SwarmException("the peer is banned here")
        await self.muxer_multistream.select_transport(conn)
        return Yamux(conn, peer_id, self._limits, self._blame, self._budget)


class NoAutoConnector(AutoConnector):
    """Upstream dials whoever it knows until the mean of its watermarks is reached, even if the low one is zero."""

    async def run_background_task(self, nursery: trio.Nursery) -> None:
        """No periodic dialling."""

    async def maybe_connect(self) -> None:
        """No dialling when a connection ends."""


class Swarm(StockSwarm):
    """Accepts and dials; the connections it keeps are upstream's."""

    def __init__(
        self, peer_id: ID, peerstore: PeerStore, upgrader: Upgrader, tcp: TCP, limits: Limits, admits: Admits
    ) -> None:
        super().__init__(
            peer_id,
            peerstore,
            upgrader,
            [tcp],
            retry_config=RetryConfig(max_retries=0),
            connection_config=connection_config(limits),
        )
        self.auto_connector = NoAutoConnector(self)
        self._handshakes: OrderedDict[object, tuple[str, trio.CancelScope]] = OrderedDict()
        self._by_address: Counter[str] = Counter()
        self._limits = limits
        self._admits = admits

    async def accept(self, socket: trio.SocketStream, traffic: Traffic, blame: Blame) -> None:
        """One inbound connection from its first byte to its end. Never raises on account of the stranger."""
        try:
            stream = TCPStream(socket, traffic)
        except OSError:
            return blame("handshake-failed", None)  # gone before it began
        address = stream.get_remote_address()[0]
        if self._by_address[address] >= self._places_of(address):
            await stream.close()
            return blame("too-many-of-an-address", None)
        self._by_address[address] += 1
        try:
            conn = await self._shake_hands(RawConnection(stream, False), address)
            if conn is None:
                blame("handshake-failed", None)
            elif isinstance(conn, Yamux):
                await conn.event_closed.wait()
        finally:
            self._by_address -= Counter([address])

    async def dial_address(self, address: Multiaddr, peer_id: ID) -> INetConn:
        """One attempt at one address; raises `BaseLibp2pError` with the reason."""
        return await self._dial_addr_single_attempt(address, peer_id)

    async def notify_opened_stream(self, stream: INetStream) -> None:
        """Nobody listens to these; upstream opens a nursery for each."""

    async def notify_closed_stream(self, stream: INetStream) -> None:
        """As above."""

    async def add_conn(self, muxed_conn: IMuxedConn, direction: str = "unknown") -> SwarmConn:
        """A peer that is banned for what it sent at once, before its connection was registered, must go too."""
        conn = await super().add_conn(muxed_conn, direction)
        if not self._admits(muxed_conn.peer_id):
            await conn.close()
        return conn

    async def drop(self, peer_id: ID) -> None:
        """Closes all connections of a peer."""
        for conn in tuple(self.connections.get(peer_id, ())):
            await conn.close()

    def hosts_of(self, peer_id: ID) -> list[str]:
        """The IP addresses from which, or to which, a peer is connected."""
        muxed = [conn.muxed_conn for conn in self.connections.get(peer_id, ())]
        remotes = [each.get_remote_address() for each in muxed if isinstance(each, Yamux)]
        return [remote[0] for remote in remotes if remote is not None]

    def dialled(self, peer_id: ID) -> bool:
        """Whether it was us who connected."""
        return any(conn.muxed_conn.is_initiator for conn in self.connections.get(peer_id, ()))

    def _places_of(self, address: str) -> int:
        """How many connections one address may have here."""
        local = ip_address(address).is_loopback
        return self._limits.connections_per_local_address if local else self._limits.connections_per_address

    def _make_room(self, address: str) -> None:
        """When all places for handshakes are taken the oldest loses its own: honest ones are quick."""
        of_address = [place for place, (whose, _) in self._handshakes.items() if whose == address]
        local = ip_address(address).is_loopback
        if not local and len(of_address) >= self._limits.handshakes_per_address:
            self._handshakes.pop(of_address[0])[1].cancel()
        elif len(self._handshakes) >= self._limits.handshakes_in_progress:
            self._handshakes.popitem(last=False)[1][1].cancel()

    async def _shake_hands(self, raw: RawConnection, address: str) -> IMuxedConn | None:
        """The connection, or None."""
        self._make_room(address)
        place = object()
        conn = None
        with trio.move_on_after(self._limits.handshake_seconds) as scope:
            self._handshakes[place] = address, scope
            try:
                conn = await self.upgrade_inbound_raw_conn(raw, Multiaddr("/ip4/0.0.0.0"))
            except Exception:  # noqa: BLE001  whatever a stranger's first bytes raise in there, it is refused
                conn = None
            finally:
                self._handshakes.pop(place, None)
        return conn


class Host(BasicHost):
    """Serves identify and ping, asks nobody for theirs, and survives its handlers."""

    def __init__(self, swarm: Swarm, addresses: Sequence[Multiaddr], blame: Blame) -> None:
        self._more: dict[str, Multiaddr] = {}
        super().__init__(swarm, announce_addrs=addresses, disable_identify_address_discovery=True)
        self._blame = blame

    def also_at(self, why: str, address: Multiaddr | None) -> None:
        """Announces one more address, instead of the one that was announced for the same reason before."""
        self._more.pop(why, None)
        if address is not None:
            self._more[why] = address

    def get_addrs(self) -> list[Multiaddr]:
        """What is announced, with /p2p/ suffix."""
        addresses: list[Multiaddr] = super().get_addrs()
        suffix = Multiaddr(f"/p2p/{self.get_id()}")
        more = [address.encapsulate(suffix) for address in self._more.values()]
        return [*addresses, *(each for each in more if each not in addresses)]

    def _schedule_identify(self, peer_id: ID, *, reason: str) -> None:
        """Who a peer is we know from Noise; what it speaks, from trying."""

    async def _swarm_stream_handler(self, net_stream: INetStream) -> None:
        try:
            await super()._swarm_stream_handler(net_stream)
        except BaseLibp2pError:
            await net_stream.reset()  # it went away, or speaks nothing we know
        except Exception:  # noqa: BLE001  a stream's handler must not end the host
            self._blame("handler-raised", net_stream.muxed_conn.peer_id)
            await net_stream.reset()


def connection_config(limits: Limits) -> ConnectionConfig:
    """py-libp2p's, from ours."""
    return ConnectionConfig(
        max_connections=limits.connections,
        min_connections=0,
        low_watermark=0,
        high_watermark=limits.connections,
        max_connections_per_peer=limits.connections_per_peer,
        dial_timeout=limits.dial_seconds,
        inbound_upgrade_timeout=limits.handshake_seconds,
        outbound_upgrade_timeout=limits.handshake_seconds,
    )


def build_host(
    seed: bytes, addresses: Sequence[Multiaddr], limits: Limits, traffic: Traffic, blame: Blame, admits: Admits
) -> Host:
    """A host with the identity of a 32-byte Ed25519 seed; `addresses` is what it announces to others."""
    keys = create_new_key_pair(seed)
    peer_id = ID.from_pubkey(keys.public_key)
    peerstore = PeerStore()
    peerstore.add_key_pair(peer_id, keys)
    noise = Noise(keys, noise_privkey=create_noise_key_pair().private_key)
    upgrader = Upgrader(noise, limits, blame, admits)
    swarm = Swarm(peer_id, peerstore, upgrader, TCP(traffic, limits.dial_seconds), limits, admits)
    return Host(swarm, addresses, blame)


def connections_of(swarm: Swarm) -> list[SwarmConn]:
    """Every open connection."""
    return [conn for conns in swarm.connections.values() for conn in conns if isinstance(conn, SwarmConn)]
