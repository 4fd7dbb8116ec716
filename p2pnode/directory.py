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
BOOK_MAX: Final = 16 * PEERS_MAX
TOLD_UNASKED: Final = 64


class Directory:
    """The address book of one node. Records are signed by the peer they speak of; the newest wins.

    Anybody can make keys and fill the book; those whom this node looked for (`find`) keep their place in it.
    """

    def __init__(self, transport: Transport, sign: Signer, sequence: int) -> None:
        self._transport = transport
        own = sign(AddressRecord(sequence, transport.addresses))
        self._book: dict[PeerKey, Signed] = {transport.peer: own}
        self._looked_for: frozenset[PeerKey] = frozenset({transport.peer})
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
        me = self._transport.peer
        wanted = frozenset(wanted)
        self._looked_for = wanted | {me}
        for whom in sorted(self._transport.connected(), key=lambda peer: tagged("ask", me, peer)):
            missing = self.missing(wanted)
            if not missing:
                return
            try:
                await self.ask(whom, missing)
            except (Unreachable, RemoteError):
                continue  # the next one may know

    async def mesh(self) -> None:
        """Sees to connections with the first few known peers in an order of our own (others cannot choose it).

        So gossip finds ways around everybody. To be called again now and then: connections end.
        """
        me, met = self._transport.peer, 0
        for peer in sorted((peer for peer in self._book if peer != me), key=lambda peer: tagged("mesh", me, peer)):
            if met == MESH_DIALS:
                return
            met += peer in self._transport.connected() or await self._meet(peer)

    async def meet(self, peers: Iterable[PeerKey]) -> None:
        """Sees to a connection with each of these peers whose address is known."""
        for peer in sorted({*peers} & {*self._book} - {self._transport.peer} - self._transport.connected()):
            await self._meet(peer)

    async def _meet(self, peer: PeerKey) -> bool:
        for address in _record(self._book[peer]).addresses:
            try:
                return await self._transport.dial(address) == peer
            except (Unreachable, RemoteError):
                continue  # its other address, or the next peer
        return False

    async def _serve(self, asker: PeerKey, request: bytes) -> bytes:
        asked = decode(request, PeersRequest, REQUEST_MAX_BYTES)
        if asked.record:
            self._learn(asked.record)
        wanted = asked.wanted or sorted(self._book, key=lambda peer: tagged("told", asker, peer))[:TOLD_UNASKED]
        found = [self._book[peer].encoded for peer in wanted if peer in self._book]
        return encode(PeersResponse(tuple(found)))

    def _learn(self, encoded: bytes) -> None:
        signed = open_envelope(encoded, 8192)
        record = signed.message
        if not isinstance(record, AddressRecord):
            raise RemoteError("not an address record", {signed.signer})
        known = self._book.get(signed.signer)
        if signed.signer == self._transport.peer or (known and _record(known).sequence >= record.sequence):
            return
        if known is None and len(self._book) >= BOOK_MAX and not self._forget_one():
            return
        self._book[signed.signer] = signed
        self._transport.learn(signed.signer, record.addresses)

    def _forget_one(self) -> bool:
        """Makes room: the oldest entry that nobody here looked for goes."""
        oldest = next((peer for peer in self._book if peer not in self._looked_for), None)
        return oldest is not None and self._book.pop(oldest) is not None


def _record(signed: Signed) -> AddressRecord:
    assert isinstance(signed.message, AddressRecord)
    return signed.message
