"""Where peers are: signed address records, exchanged with whoever we meet; and connections for the gossip mesh."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from p2pnode.errors import Unreachable
from p2pnode.ports import Transport
from p2pnode.services import PEERS, PEERS_MAX, REQUEST_MAX_BYTES, RESPONSE_MAX_BYTES, PeersRequest, PeersResponse
from protocols.errors import RemoteError
from protocols.hashing import tagged
from protocols.types import PeerKey
from protocols.wire.codec import decode, encode
from protocols.wire.envelope import Signed, Signer, open_envelope
from protocols.wire.messages import AddressRecord

MESH_DIALS: Final = 5
"""Connections that a node opens for gossip alone; others open theirs to it, and the round's streams add more."""


class Directory:
    """The address book of one node. Records are signed by the peer they speak of; the newest wins."""

    def __init__(self, transport: Transport, sign: Signer, sequence: int) -> None:
        self._transport = transport
        own = sign(AddressRecord(sequence, transport.addresses))
        self._book: dict[PeerKey, Signed] = {transport.peer: own}
        transport.serve(PEERS, self._serve)

    def missing(self, peers: Iterable[PeerKey]) -> list[PeerKey]:
        """Which of these peers have no known address."""
        return sorted(peer for peer in peers if peer not in self._book)

    async def ask(self, whom: PeerKey, wanted: Iterable[PeerKey] = ()) -> None:
        """Tells `whom` our address and learns what it knows.

        Raises:
            Unreachable: it does not answer.
            RemoteError: it answers nonsense.
        """
        own = self._book[self._transport.peer].encoded
        request = encode(PeersRequest(own, tuple(sorted(wanted))[:PEERS_MAX]))
        answer = await self._transport.request(whom, PEERS, request, max_bytes=RESPONSE_MAX_BYTES)
        for record in decode(answer, PeersResponse, RESPONSE_MAX_BYTES).records:
            self._learn(record)

    async def find(self, wanted: Iterable[PeerKey]) -> None:
        """Asks connected peers, one after another, for addresses that are still missing."""
        wanted = list(wanted)
        me = self._transport.peer
        for whom in sorted(self._transport.connected(), key=lambda peer: tagged("ask", me, peer)):
            missing = self.missing(wanted)
            if not missing:
                return
            try:
                await self.ask(whom, missing)
            except (Unreachable, RemoteError):
                continue  # the next one may know

    async def mesh(self) -> None:
        """Connects to a few known peers, chosen by hash, so that gossip finds ways around everybody."""
        me = self._transport.peer
        ranked = sorted((peer for peer in self._book if peer != me), key=lambda peer: tagged("mesh", me, peer))
        for peer in ranked[:MESH_DIALS]:
            if peer in self._transport.connected():
                continue
            record = self._book[peer].message
            assert isinstance(record, AddressRecord)
            for address in record.addresses:
                try:
                    await self._transport.dial(address)
                    break
                except Unreachable:
                    continue  # its other address, or the next peer

    async def _serve(self, _: PeerKey, request: bytes) -> bytes:
        asked = decode(request, PeersRequest, REQUEST_MAX_BYTES)
        if asked.record:
            self._learn(asked.record)
        wanted = asked.wanted or tuple(sorted(self._book))[:64]
        found = [self._book[peer].encoded for peer in wanted if peer in self._book]
        return encode(PeersResponse(tuple(found)))

    def _learn(self, encoded: bytes) -> None:
        signed = open_envelope(encoded, 8192)
        record = signed.message
        if not isinstance(record, AddressRecord):
            raise RemoteError("not an address record", {signed.signer})
        known = self._book.get(signed.signer)
        if signed.signer == self._transport.peer or len(self._book) >= 16 * PEERS_MAX:
            return
        if known is None or _sequence(known) < record.sequence:
            self._book[signed.signer] = signed
            self._transport.learn(signed.signer, record.addresses)


def _sequence(signed: Signed) -> int:
    assert isinstance(signed.message, AddressRecord)
    return signed.message.sequence
