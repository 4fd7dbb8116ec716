"""Circuit relay v2 (libp2p specs, relay/circuit-v2.md): peers that nobody can dial are reached through one that can.

py-libp2p's protocol runs as it is on our host: a relayed connection is a stream on which Noise and yamux run once more,
ours, so the relay reads nothing, and limits, bans and the budget hold. Around it: reservations at relays that the
operator named and no others (anybody could bring us connections otherwise), and dialling that cannot go in circles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import trio
from libp2p.abc import INetStream
from libp2p.exceptions import BaseLibp2pError
from libp2p.relay.circuit_v2.config import RelayConfig, RelayRole
from libp2p.relay.circuit_v2.pb.circuit_pb2 import HopMessage, Status
from libp2p.relay.circuit_v2.protocol import PROTOCOL_ID, CircuitV2Protocol
from libp2p.relay.circuit_v2.resources import RelayLimits
from libp2p.relay.circuit_v2.transport import CircuitV2Transport
from libp2p.relay.circuit_v2.utils import read_delimited_msg, write_delimited_msg
from libp2p.tools.anyio_service import background_trio_service
from multiaddr import Multiaddr

from p2pnode.errors import Unreachable
from p2pnode.transport.addresses import peer_id_of, peer_key_of, with_peer
from p2pnode.transport.direct import Report
from p2pnode.transport.host import Libp2pTransport
from protocols.types import PeerKey

RENEW_S: Final = 120.0
ANSWER_S: Final = 10.0
LIMITS: Final = RelayLimits(duration=3600, data=1 << 30, max_circuit_conns=16, max_reservations=32)
"""What we carry for others, where we do: seconds and bytes of a connection, connections, peers that wait for some."""


class Relays:
    """One node's part.

    Args:
        relays: addresses of those through which others shall reach us.
        serve: whether we carry others' connections.
    """

    def __init__(self, transport: Libp2pTransport, report: Report, relays: Sequence[str] = (), *, serve: bool) -> None:
        self._transport, self._report, self._relays, self._serve = transport, report, tuple(relays), serve
        self._protocol = Protocol(transport, report, serve=serve)
        self._client = CircuitV2Transport(transport.host, self._protocol, RelayConfig(roles=RelayRole.STOP))
        transport.dialer.through = self.dial

    @property
    def wanted(self) -> bool:
        """Whether there is anything to run; others are dialled through their relays without it."""
        return self._serve or bool(self._relays)

    async def run(self) -> None:
        """Serves, and keeps reservations. Never returns."""
        async with background_trio_service(self._protocol):
            await self._protocol.event_started.wait()
            while True:
                for address in self._relays:
                    await self._keep(address)
                await trio.sleep(RENEW_S)

    async def dial(self, address: Multiaddr, peer: PeerKey) -> None:
        """Connects through the relay in an address; we are connected with the relay already."""
        await self._client.dial(Multiaddr(with_peer(address, peer)))

    async def _keep(self, address: str) -> None:
        """Reserves a place and announces it, or announces it no more."""
        circuit = Multiaddr(f"{address}/p2p-circuit")
        try:
            relay = await self._transport.dial(address)
            self._protocol.trusted.add(relay)
            await self._reserve(relay)
        except Unreachable:
            self._report("relay-unreachable", None)
            self._transport.host.also_at(address, None)
        else:
            self._transport.host.also_at(address, circuit)

    async def _reserve(self, relay: PeerKey) -> None:
        with trio.move_on_after(ANSWER_S):
            try:
                stream = await self._transport.host.new_stream(peer_id_of(relay), [PROTOCOL_ID])
                await write_delimited_msg(stream, HopMessage(type=HopMessage.RESERVE))
                answer = await read_delimited_msg(stream, HopMessage)
                await stream.close()
            except (BaseLibp2pError, ValueError) as error:  # DecodeError is a ValueError
                raise Unreachable(f"no reservation at the relay: {error}") from error
            if answer.status != Status.OK:
                raise Unreachable(f"the relay gives no reservation (status {answer.status})")
            return
        raise Unreachable(f"the relay did not answer within {ANSWER_S:g} s")


class Protocol(CircuitV2Protocol):
    """py-libp2p's, that takes connections from our own relays only.

    Attributes:
        trusted: these.
    """

    def __init__(self, transport: Libp2pTransport, report: Report, *, serve: bool) -> None:
        super().__init__(transport.host, LIMITS, allow_hop=serve)
        self._report_to = report
        self.trusted: set[PeerKey] = set()

    async def _handle_stop_stream(self, stream: INetStream) -> None:
        relay = peer_key_of(stream.muxed_conn.peer_id)
        if relay not in self.trusted:
            self._report_to("relay-refused", relay)
            await stream.reset()
            return
        await super()._handle_stop_stream(stream)
