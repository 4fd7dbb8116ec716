"""Where peers are: signed address records, exchanged with whoever we meet; and connections for the gossip mesh."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import trio

from p2pnode.errors import Unreachable
from p2pnode.peer_cache import CACHED_MAX, CachedPeer
from p2pnode.ports import Transport
from p2pnode.services import PEERS, PEERS_MAX, REQUEST_MAX_BYTES, RESPONSE_MAX_BYTES, PeersRequest, PeersResponse
from p2pnode.transport.discovery.plan import DialPlan
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
HINTS_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class Entry:
    """A peer's newest signed record, and those of its addresses that we may dial."""

    signed: Signed
    record: AddressRecord
    routes: tuple[str, ...]


class Directory:
    """The address book of one node. Records are signed by the peer they speak of; the newest wins.

    Anybody can make keys and fill the book; those whom this node looked for (`find`) keep their place in it, and those
    with a stake on the chain (`vouch`) are dialled first.
    """

    def __init__(self, transport: Transport, sign: Signer, sequence: int) -> None:
        self._transport, self._sign = transport, sign
        self._book: dict[PeerKey, Entry] = {}
        self._hints: dict[PeerKey, tuple[str, ...]] = {}
        self._looked_for: frozenset[PeerKey] = frozenset({transport.peer})
        self._plan = DialPlan(transport.peer)
        self._announce(sequence)
        transport.serve(PEERS, self._serve)

    def missing(self, peers: Iterable[PeerKey]) -> list[PeerKey]:
        """Which of these peers have no known address."""
        return sorted(peer for peer in peers if peer not in self._book)

    def vouch(self, peers: Iterable[PeerKey]) -> None:
        """These are the chain's operators now."""
        self._plan.vouch(peers)

    def hint(self, peer: PeerKey, addresses: Sequence[str]) -> None:
        """Somebody said that a peer is there; true or not shows when it is dialled."""
        if peer in self._book or not addresses:
            return
        self._hints.pop(peer, None)
        self._hints[peer] = tuple(addresses)
        while len(self._hints) > HINTS_MAX:
            del self._hints[next(iter(self._hints))]

    async def ask(self, whom: PeerKey, wanted: Iterable[PeerKey] = ()) -> None:
        """Tells `whom` our address and learns what it knows.

        Raises:
            Unreachable: it does not answer.
            RemoteError: it answers nonsense.
        """
        request = encode(PeersRequest(self._own().encoded, tuple(sorted(wanted))[:PEERS_MAX]))
        answer = await self._transport.request(whom, PEERS, request, max_bytes=RESPONSE_MAX_BYTES)
        for record in decode(answer, PeersResponse, RESPONSE_MAX_BYTES).records:
            self._learn(record, whom)

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
        known = self._hints | {peer: entry.routes for peer, entry in self._book.items() if entry.routes}
        connected = self._transport.connected()
        for peer in self._plan.neighbours(known, connected, MESH_DIALS, trio.current_time()):
            if peer not in connected or peer not in self._book:
                await self._meet(peer)

    async def meet(self, peers: Iterable[PeerKey]) -> None:
        """Sees to a connection with each of these peers whose address is known."""
        for peer in sorted({*peers} & {*self._book} - {self._transport.peer} - self._transport.connected()):
            await self._meet(peer)

    def keep(self) -> tuple[CachedPeer, ...]:
        """The peers to come back by after a restart: those connected now come first."""
        connected, me = self._transport.connected(), self._transport.peer
        known = [(peer, entry) for peer, entry in self._book.items() if peer != me and entry.routes]
        known.sort(key=lambda each: (each[0] not in connected, tagged("keep", me, each[0])))
        return tuple(CachedPeer(entry.signed.encoded, entry.routes) for _, entry in known[:CACHED_MAX])

    def recall(self, peers: Iterable[CachedPeer]) -> None:
        """What `keep` said in an earlier life. Signatures are checked again: files are outside input, too."""
        for each in peers:
            signed, record = _opened(each.record)
            if signed.signer != self._transport.peer:
                self._put(Entry(signed, record, tuple(route for route in each.routes if route in record.addresses)))

    async def _meet(self, peer: PeerKey) -> None:
        """Connects, and has the peer's own record; tells the plan what came of it."""
        entry = self._book.get(peer)
        for address in entry.routes if entry else self._hints.get(peer, ()):
            try:
                if await self._transport.dial(address) == peer:
                    if entry is None:
                        await self.ask(peer, [peer])
                        self._hints.pop(peer, None)
                    self._plan.met(peer)
                    return
            except (Unreachable, RemoteError):
                continue  # its other address, or the next peer
        self._hints.pop(peer, None)
        self._plan.failed(peer, trio.current_time())

    async def _serve(self, asker: PeerKey, request: bytes) -> bytes:
        asked = decode(request, PeersRequest, REQUEST_MAX_BYTES)
        if asked.record:
            self._learn(asked.record, asker)
        self._own()
        wanted = asked.wanted or sorted(self._book, key=lambda peer: tagged("told", asker, peer))[:TOLD_UNASKED]
        found = [self._book[peer].signed.encoded for peer in wanted if peer in self._book]
        return encode(PeersResponse(tuple(found)))

    def _learn(self, encoded: bytes, told_by: PeerKey) -> None:
        signed, record = _opened(encoded)
        known = self._book.get(signed.signer)
        if signed.signer == self._transport.peer or (known and known.record.sequence > record.sequence):
            return
        routes = self._transport.dialable(record.addresses, told_by)
        if known and known.record.sequence == record.sequence:
            more = set(routes) - set(known.routes)
            if not more or signed.encoded != known.signed.encoded:
                return  # nothing new, unless somebody nearer tells the same
            routes = tuple(address for address in record.addresses if address in {*known.routes, *more})
        self._put(Entry(signed, record, routes))

    def _put(self, entry: Entry) -> None:
        peer = entry.signed.signer
        if peer not in self._book and len(self._book) >= BOOK_MAX and not self._forget_one():
            return
        self._book[peer] = entry
        self._hints.pop(peer, None)
        self._transport.learn(peer, entry.routes)

    def _own(self) -> Signed:
        """Our own record, anew if our addresses have changed."""
        entry = self._book[self._transport.peer]
        if entry.record.addresses != self._transport.addresses:
            self._announce(entry.record.sequence + 1)
        return self._book[self._transport.peer].signed

    def _announce(self, sequence: int) -> None:
        record = AddressRecord(sequence, self._transport.addresses)
        self._book[self._transport.peer] = Entry(self._sign(record), record, ())

    def _forget_one(self) -> bool:
        """Makes room: the oldest entry that nobody here looked for goes."""
        oldest = next((peer for peer in self._book if peer not in self._looked_for), None)
        return oldest is not None and self._book.pop(oldest) is not None


def _opened(encoded: bytes) -> tuple[Signed, AddressRecord]:
    signed = open_envelope(encoded, 8192)
    if not isinstance(signed.message, AddressRecord):
        raise RemoteError("not an address record", {signed.signer})
    return signed, signed.message
