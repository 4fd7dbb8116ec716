"""One libp2p host as the node's `Transport` port (p2pnode/ports.py): TCP, Noise, yamux, gossipsub."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import cast

import trio
from libp2p.abc import INetStream
from libp2p.custom_types import TProtocol
from libp2p.network.stream.net_stream import NetStream
from libp2p.peer.id import ID
from libp2p.tools.anyio_service import background_trio_service
from libp2p.utils.address_validation import expand_wildcard_address
from multiaddr import Multiaddr

from p2pnode.errors import Unreachable
from p2pnode.ports import GossipValidator, Incoming, RequestHandler
from p2pnode.transport.addresses import peer_id_of, peer_key_of, split_address, with_peer
from p2pnode.transport.conduct import Conduct
from p2pnode.transport.dialing import Dialer
from p2pnode.transport.direct import Answering, DirectStreams, Report, Requests, answer_requests, receive_direct
from p2pnode.transport.gossip import Gossip
from p2pnode.transport.inbox import Inbox
from p2pnode.transport.limits import Limits
from p2pnode.transport.overrides.swarm import Admits, Blame, Host, Swarm, build_host, connections_of
from p2pnode.transport.overrides.tcp import Traffic, listen
from protocols.errors import LocalError, MalformedError
from protocols.types import PeerKey, Secret

_GOODBYE_SECONDS = 3.0


class Libp2pTransport:
    """The `Transport` port over one running host. Use `open_transport`."""

    def __init__(
        self, host: Host, swarm: Swarm, traffic: Traffic, prefix: str | None, limits: Limits, conduct: Conduct
    ) -> None:
        report = conduct.report
        self._host = host
        self._swarm = swarm
        self._traffic = traffic
        self._limits = limits
        self._report = report
        self._inbox = Inbox(limits)
        self._dialer = Dialer(host, swarm, limits, report)
        self._direct = DirectStreams(self._dialer.open_stream, limits)
        self._requests = Requests(self._dialer.open_stream, limits, report)
        self._answering = Answering(limits)
        self.conduct = conduct
        listens = by_key(conduct.listens_to)
        self.gossip = Gossip(host, self._inbox, limits, report, blame_by_key(report), listens)
        self._waiting_for_prefix: dict[str, RequestHandler] = {}
        self._prefix: str | None = None
        if prefix is not None:
            self.use_prefix(prefix)

    @property
    def peer(self) -> PeerKey:
        return peer_key_of(self._host.get_id())

    @property
    def addresses(self) -> tuple[str, ...]:
        return tuple(str(address) for address in self._host.get_addrs())

    def use_prefix(self, prefix: str) -> None:
        """Names the parameters we speak under, once: protocols and topics become /2pm/<prefix>/..., messages flow."""
        if self._prefix is not None:
            raise LocalError(f"the transport speaks under prefix {self._prefix!r} already")
        if not prefix or "/" in prefix:
            raise LocalError(f"protocol prefix {prefix!r}: must be one word without a slash")
        self._prefix = prefix
        self._handle(self._full_id("direct/1"), partial(receive_direct, inbox=self._inbox))
        for protocol, handler in self._waiting_for_prefix.items():
            self.serve(protocol, handler)

    async def send(self, to: PeerKey, payload: bytes) -> None:
        await self._direct.send(to, self._full_id("direct/1"), payload)

    async def request(self, to: PeerKey, protocol: str, payload: bytes, *, max_bytes: int) -> bytes:
        return await self._requests.request(to, self._full_id(protocol), payload, max_bytes)

    def serve(self, protocol: str, handler: RequestHandler) -> None:
        """Answers requests; a name that starts with "/" is the full protocol id, others wait for the prefix."""
        if self._prefix is None and not protocol.startswith("/"):
            self._waiting_for_prefix[protocol] = handler
            return
        serve = partial(answer_requests, handler=handler, answering=self._answering)
        self._handle(self._full_id(protocol), serve)

    async def subscribe(self, topic: str, validator: GossipValidator) -> None:
        """Follows a topic under our prefix (literally if it starts with "/"); called again, replaces its validator."""
        await self.gossip.subscribe(topic, self._full_id(topic), validator)

    async def unsubscribe(self, topic: str) -> None:
        await self.gossip.unsubscribe(self._full_id(topic))

    async def publish(self, topic: str, payload: bytes) -> None:
        await self.gossip.publish(self._full_id(topic), payload)

    async def receive(self) -> Incoming:
        return await self._inbox.get()

    async def dial(self, multiaddr: str) -> PeerKey:
        """Connects and waits (shortly) for gossip to flow: peers dialled in a burst would stay outside the mesh."""
        try:
            where, peer = split_address(multiaddr)
        except MalformedError as error:
            raise Unreachable(str(error)) from error
        if peer == self.peer:
            raise Unreachable(f"address {multiaddr} is our own")
        self._dialer.learn(peer, [with_peer(where, peer)])
        await self._dialer.connect(peer)
        await self.gossip.await_neighbour(peer, self._limits.neighbour_seconds)
        return peer

    def learn(self, peer: PeerKey, addresses: Sequence[str]) -> None:
        self._dialer.learn(peer, addresses)

    def dialable(self, addresses: Sequence[str], told_by: PeerKey) -> tuple[str, ...]:
        return self._dialer.dialable(addresses, told_by)

    @property
    def host(self) -> Host:
        """For what runs py-libp2p's own protocols (discovery/relay.py)."""
        return self._host

    @property
    def dialer(self) -> Dialer:
        """For what finds peers (discovery/)."""
        return self._dialer

    def seen_from(self, peer: PeerKey) -> str | None:
        """The IP address at which we dialled a connected peer; None if it came to us, or is not connected."""
        hosts = self._swarm.hosts_of(peer_id_of(peer)) if self._swarm.dialled(peer_id_of(peer)) else []
        return hosts[0] if len(hosts) == 1 else None

    def seen_at(self, host: str) -> None:
        """Announces that others see us at this IP address; the port is the one that we listen on."""
        kind = "ip6" if ":" in host else "ip4"
        port = split_address(self.addresses[0])[0].value_for_protocol("tcp")
        self._host.also_at("seen", Multiaddr(f"/{kind}/{host}/tcp/{port}"))

    def handle_raw(self, protocol: str, handler: Callable[[NetStream], Awaitable[None]]) -> None:
        """Serves a protocol that has no frames of ours; `handler` must not raise."""

        async def handle(stream: INetStream) -> None:
            await handler(cast("NetStream", stream))

        self._host.set_stream_handler(TProtocol(self._full_id(protocol)), handle)

    async def open_raw(self, peer: PeerKey, protocol: str) -> NetStream:
        """A stream for such a protocol; raises `Unreachable`."""
        return await self._dialer.open_stream(peer, self._full_id(protocol))

    def connected(self) -> frozenset[PeerKey]:
        return self._dialer.connected()

    def blame(self, peer: PeerKey, kind: str) -> None:
        self._report(kind, peer)

    def bytes_sent(self) -> int:
        """Bytes written to sockets, everything included."""
        return self._traffic.sent

    def _full_id(self, protocol: str) -> str:
        if protocol.startswith("/"):
            return protocol
        if self._prefix is None:
            raise LocalError(f"protocol {protocol!r} needs a prefix: call use_prefix first")
        return f"/2pm/{self._prefix}/{protocol}"

    def _handle(self, protocol_id: str, serve: Callable[..., Awaitable[None]]) -> None:
        async def handler(stream: INetStream) -> None:
            await serve(cast("NetStream", stream), limits=self._limits, report=self._report)

        self._host.set_stream_handler(TProtocol(protocol_id), handler)


@asynccontextmanager
async def open_transport(
    identity: Secret,
    listen_on: str,
    protocol_prefix: str | None,
    limits: Limits,
    report: Report,
    folder: Path | None = None,
    announce: Sequence[str] = (),
) -> AsyncIterator[Libp2pTransport]:
    """Runs a host as long as the block does.

    Args:
        identity: the 32-byte Ed25519 seed of our peer key.
        listen_on: a multiaddr such as /ip4/0.0.0.0/tcp/4001; port 0 picks a free one.
        protocol_prefix: see `Libp2pTransport.use_prefix`; None if it is learnt from the bootstrap peer.
        report: called with what strangers did and were refused, and with messages that had to be dropped.
        folder: where bans are kept across restarts.
        announce: more addresses under which others reach us, without /p2p/ suffix.

    Raises:
        LocalError: it cannot listen there; the text says why and what to do.
    """
    listeners = await listen(listen_on)
    traffic = Traffic()
    conduct = Conduct(limits, report, folder)
    blame = blame_by_key(conduct.report)
    admits = by_key(lambda peer: not conduct.is_banned(peer))
    addresses = [*announced(listen_on, listeners), *map(Multiaddr, announce)]
    host = build_host(identity.reveal(), addresses, limits, traffic, blame, admits)
    swarm = host.get_network()
    assert isinstance(swarm, Swarm)
    transport = Libp2pTransport(host, swarm, traffic, protocol_prefix, limits, conduct)

    async def accept(socket: trio.SocketStream) -> None:
        await swarm.accept(socket, traffic, blame)

    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        await nursery.start(_run_services, swarm, transport.gossip)
        nursery.start_soon(trio.serve_listeners, accept, listeners)
        conduct.on_ban = lambda peer: nursery.start_soon(swarm.drop, peer_id_of(peer))
        try:
            yield transport
        except Exception as error:  # noqa: BLE001  raised again below, bare instead of in the nursery's group
            failure = error
        finally:
            await _close_all(swarm)
        nursery.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def _run_services(
    swarm: Swarm, gossip: Gossip, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Runs py-libp2p's services until it is cancelled."""
    services = background_trio_service(swarm), background_trio_service(gossip.router)
    async with services[0], services[1], background_trio_service(gossip.pubsub):
        await gossip.pubsub.wait_until_ready()
        task_status.started()
        await trio.sleep_forever()


def announced(listen_on: str, listeners: list[trio.SocketListener]) -> list[Multiaddr]:
    """The addresses under which others reach us: the port that was bound, wildcards spelled out."""
    port = listeners[0].socket.getsockname()[1]
    host = listen_on.split("/tcp/")[0]
    return list(expand_wildcard_address(Multiaddr(f"{host}/tcp/{port}")))


async def _close_all(swarm: Swarm) -> None:
    """Says goodbye on all connections at once; py-libp2p takes a tenth of a second for each, in turn."""
    with trio.move_on_after(_GOODBYE_SECONDS, shield=True):
        async with trio.open_nursery() as nursery:
            for connection in connections_of(swarm):
                nursery.start_soon(connection.close)


def blame_by_key(report: Report) -> Blame:
    """The report by peer key for code that knows peers by their libp2p ids."""

    def blame(kind: str, peer_id: ID | None) -> None:
        try:
            report(kind, None if peer_id is None else peer_key_of(peer_id))
        except MalformedError:
            report(kind, None)  # a peer whose identity is no Ed25519 key

    return blame


_known_key = lru_cache(maxsize=4096)(peer_key_of)
"""Every heartbeat asks about every neighbour."""


def by_key(admits: Callable[[PeerKey], bool]) -> Admits:
    """The same question by libp2p id; who is no Ed25519 identity is never admitted."""

    def ask(peer_id: ID) -> bool:
        try:
            return admits(_known_key(peer_id))
        except MalformedError:
            return False

    return ask
