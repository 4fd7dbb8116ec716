"""kad-dht as libp2p's specs have it (kad-dht/README.md): FIND_NODE over a varint and a protobuf, nothing is stored.

py-libp2p's own KadDHT speaks /ipfs/kad/1.0.0 whatever prefix it is given, keeps all addresses that it is told in a
peerstore without bounds, dials them by itself, and signs a record for every message. So only its protobuf is used here;
what is asked next is decided in lookup.py, dialling goes by our dialer's limits, and answers are hearsay: a peer that
is said to be somewhere must still prove its key there.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

import trio
from google.protobuf.message import DecodeError
from libp2p.exceptions import BaseLibp2pError
from libp2p.kad_dht.pb.kademlia_pb2 import Message
from libp2p.network.stream.net_stream import NetStream
from libp2p.utils.varint import encode_uvarint
from multiaddr import Multiaddr

from p2pnode.errors import Unreachable
from p2pnode.transport.addresses import peer_id_of, peer_key_of, relay_in, split_address, with_peer
from p2pnode.transport.direct import Answering, Report, serving
from p2pnode.transport.discovery.lookup import ADDRESSES_MAX, BUCKET, Buckets, Hint, Lookup, key_place, place_of
from p2pnode.transport.frames import FrameError
from p2pnode.transport.host import Libp2pTransport
from p2pnode.transport.limits import Limits
from p2pnode.transport.overrides.yamux import reader_of
from protocols.errors import MalformedError
from protocols.types import PeerKey, short

PROTOCOL: Final = "kad/1.0.0"
MESSAGE_MAX_BYTES: Final = 64 << 10
QUESTION_MAX_BYTES: Final = 4 << 10
QUESTION_S: Final = 10.0
REFRESH_S: Final = 600.0
KEY_MAX_BYTES: Final = 128


class Kad:
    """One peer's part in the table.

    Args:
        heard: told of every peer that a search comes across.
    """

    def __init__(
        self,
        transport: Libp2pTransport,
        limits: Limits,
        report: Report,
        heard: Callable[[PeerKey, tuple[str, ...]], None],
    ) -> None:
        self._transport, self._limits, self._report, self._heard = transport, limits, report, heard
        self._answering = Answering(limits)
        self._turn = trio.Lock()
        self.buckets = Buckets(transport.peer)
        transport.handle_raw(PROTOCOL, self._serve)

    async def run(self) -> None:
        """Keeps the buckets filled: looks for ourselves and for a random place, now and then. Never returns."""
        while True:
            await self.search(self._transport.peer)
            await self.search(PeerKey(secrets.token_bytes(32)))
            await trio.sleep(REFRESH_S)

    async def search(self, target: PeerKey) -> list[PeerKey]:
        """The peers nearest to `target` that answer, nearest first. One search at a time."""
        async with self._turn:
            search = Lookup(place_of(target), self._transport.peer)
            known = {*self.buckets.nearest(search.place), *self._transport.connected()}
            search.start([(peer, self._transport.dialer.addresses_of(peer)) for peer in sorted(known)])
            while asked := search.next():
                async with trio.open_nursery() as nursery:
                    for peer in asked:
                        nursery.start_soon(self._question, search, peer, target)
            for peer, addresses in search.heard.items():
                self._heard(peer, addresses)
            return search.nearest_that_answered()

    async def _question(self, search: Lookup, peer: PeerKey, target: PeerKey) -> None:
        if search.heard[peer]:
            self._transport.dialer.suggest(peer, search.heard[peer])
        try:
            answer = await self.ask(peer, target)
        except Unreachable:
            self.buckets.remove(peer)
            return search.failed(peer)
        except MalformedError:
            self._report("kad-refused", peer)
            self.buckets.remove(peer)
            return search.failed(peer)
        self.buckets.add(peer)
        return search.told(peer, answer, lambda address: bool(self._transport.dialable([address], peer)))

    async def ask(self, peer: PeerKey, target: PeerKey) -> list[Hint]:
        """What one peer answers, bounded but not judged.

        Raises:
            Unreachable: no answer within QUESTION_S.
            MalformedError: an answer that is none.
        """
        question = Message(type=Message.FIND_NODE, key=peer_id_of(target).to_bytes())
        with trio.move_on_after(QUESTION_S):
            stream = await self._transport.open_raw(peer, PROTOCOL)
            try:
                await _write(stream, question)
                body = await reader_of(stream).varint_frame(MESSAGE_MAX_BYTES)
            except BaseLibp2pError as error:
                raise Unreachable(f"peer {short(peer)} closed the stream of {PROTOCOL}") from error
            except FrameError as error:
                raise MalformedError(f"peer {short(peer)} answered {PROTOCOL} with {error}", [peer]) from error
            finally:
                with trio.move_on_after(self._limits.close_seconds, shield=True):
                    await stream.reset()
            if body is None:
                raise Unreachable(f"peer {short(peer)} answered nothing to {PROTOCOL}")
            return hints_of(parse(body, peer))
        raise Unreachable(f"peer {short(peer)} did not answer {PROTOCOL} within {QUESTION_S:g} s")

    async def _serve(self, stream: NetStream) -> None:
        asker = peer_key_of(stream.muxed_conn.peer_id)
        reader = reader_of(stream)
        async with serving(stream, asker, self._limits, self._report):
            while (body := await reader.varint_frame(QUESTION_MAX_BYTES)) is not None:
                await self._answering.may_ask(asker)
                async with self._answering.turns.turn(stream.muxed_conn.peer_id):
                    with trio.fail_after(self._limits.response_seconds):
                        await _write(stream, self.answer(asker, parse(body, asker)))

    def answer(self, asker: PeerKey, question: Message) -> Message:
        """The nearest that we know, with addresses that reach as far as the asker is.

        Raises:
            MalformedError: not a question that is answered here.
        """
        if question.type == Message.PING:
            return Message(type=Message.PING)
        if question.type != Message.FIND_NODE or not 0 < len(question.key) <= KEY_MAX_BYTES:
            raise MalformedError(f"kad-dht question of type {question.type}: only peers are looked for here", {asker})
        place = key_place(question.key)
        connected = [peer for peer in self._transport.connected() if peer != asker]
        known = sorted({*self.buckets.nearest(place), *connected}, key=lambda peer: place_of(peer) ^ place)
        found: list[Message.Peer] = []
        for peer in known:
            addresses = self._transport.dialable(self._transport.dialer.addresses_of(peer), asker)
            if addresses and len(found) < BUCKET:
                raw = [split_address(address)[0].to_bytes() for address in addresses[:ADDRESSES_MAX]]
                found.append(Message.Peer(id=peer_id_of(peer).to_bytes(), addrs=raw))
        return Message(type=Message.FIND_NODE, key=question.key, closerPeers=found)


def parse(body: bytes, who: PeerKey) -> Message:
    """A message of somebody's; raises `MalformedError`."""
    message = Message()
    try:
        message.ParseFromString(body)
    except DecodeError as error:
        raise MalformedError(f"peer {short(who)} sent no kad-dht message", [who]) from error
    return message


def hints_of(answer: Message) -> list[Hint]:
    """The peers in an answer: those with a key of ours and an address that can be read. More is not looked at."""
    found: list[Hint] = []
    for each in answer.closerPeers[:BUCKET]:
        try:
            peer = peer_key_of(each.id)
        except MalformedError:
            continue  # a peer of another kind
        addresses = [address for raw in each.addrs[:ADDRESSES_MAX] if (address := _address(raw, peer)) is not None]
        found.append((peer, tuple(addresses)))
    return found


def _address(raw: bytes, peer: PeerKey) -> str | None:
    try:
        whole = str(Multiaddr(raw))
        text = whole if relay_in(whole) else whole.split("/p2p/")[0]
        split_address(with_peer(text, peer))
    except (ValueError, LookupError, MalformedError):
        return None
    return with_peer(text, peer)


async def _write(stream: NetStream, message: Message) -> None:
    body = message.SerializeToString()
    await stream.muxed_stream.write(encode_uvarint(len(body)) + body)
