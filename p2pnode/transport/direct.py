"""Direct messages and requests over long-lived streams: to open and negotiate one costs as much as ten messages.

A direct message is one frame on the one stream from us to the peer. A request is one frame and its response one frame,
in turns, on a stream of the protocol; a few such streams are kept for each peer and protocol.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio
from libp2p.exceptions import BaseLibp2pError
from libp2p.network.stream.net_stream import NetStream

from p2pnode.errors import Unreachable
from p2pnode.ports import Incoming, RequestHandler
from p2pnode.transport.addresses import peer_key_of
from p2pnode.transport.budget import Turns
from p2pnode.transport.frames import FrameError, FrameReader, pack
from p2pnode.transport.inbox import Inbox
from p2pnode.transport.limits import KIB, Limits
from p2pnode.transport.overrides.yamux import Stream, reader_of
from p2pnode.transport.rates import Rates
from protocols.errors import LocalError, MalformedError, RemoteError
from protocols.types import PeerKey, short

Report = Callable[[str, PeerKey | None], None]
"""(what was refused or went wrong, who did it if it can be said)"""

EXPECTED_BYTES = 256 * KIB
"""Of a response, so much may come before we have seen how long it is: a piece of a blob, whole (services.py)."""

OpenStream = Callable[[PeerKey, str], Awaitable[NetStream]]
"""(peer, full protocol id) -> a negotiated stream; raises Unreachable"""


class DirectStreams:
    """Our side of the streams for direct messages."""

    def __init__(self, open_stream: OpenStream, limits: Limits) -> None:
        self._open = open_stream
        self._limits = limits
        self._streams: dict[PeerKey, NetStream] = {}
        self._turns: dict[PeerKey, trio.Lock] = {}

    async def send(self, to: PeerKey, protocol: str, payload: bytes) -> None:
        """Returns when the frame is handed to the connection.

        Raises:
            LocalError: longer than `direct_message_bytes`.
            Unreachable: not written within `send_seconds`, or too many sends wait for this peer.
        """
        if len(payload) > self._limits.direct_message_bytes:
            raise LocalError(
                f"a direct message of {len(payload)} bytes: {self._limits.direct_message_bytes} are allowed"
            )
        turn = self._turns.setdefault(to, trio.Lock())
        if turn.statistics().tasks_waiting >= self._limits.sends_waiting_per_peer:
            raise Unreachable(f"peer {short(to)}: {self._limits.sends_waiting_per_peer} messages wait for it already")
        with trio.move_on_after(self._limits.send_seconds):
            async with turn:
                return await self._write(to, protocol, pack(payload))
        raise Unreachable(f"peer {short(to)} did not take a message within {self._limits.send_seconds:g} s")

    async def _write(self, to: PeerKey, protocol: str, frame: bytes) -> None:
        """On the stream that is there, or else on a new one, so that a peer that has restarted gets it."""
        kept = self._streams.get(to)
        if kept is not None and await self._written(to, kept, frame):
            return
        fresh = self._streams[to] = await self._open(to, protocol)
        if not await self._written(to, fresh, frame):
            raise Unreachable(f"peer {short(to)} closed the stream")

    async def _written(self, to: PeerKey, stream: NetStream, frame: bytes) -> bool:
        try:
            await stream.muxed_stream.write(frame)
        except BaseLibp2pError:
            self._streams.pop(to, None)
            return False
        except BaseException:  # cancelled with half a frame out
            self._streams.pop(to, None)
            await _reset(stream, self._limits)
            raise
        return True


async def receive_direct(stream: NetStream, inbox: Inbox, limits: Limits, report: Report) -> None:
    """Serves one peer's stream of direct messages until it ends."""
    sender = peer_key_of(stream.muxed_conn.peer_id)
    reader = reader_of(stream)
    async with serving(stream, sender, limits, report):
        while (payload := await reader.frame(limits.direct_message_bytes)) is not None:
            await inbox.put(Incoming(sender, payload, None))


class Requests:
    """Our side of the streams for requests, per peer and protocol."""

    def __init__(self, open_stream: OpenStream, limits: Limits, report: Report) -> None:
        self._open = open_stream
        self._limits = limits
        self._report = report
        self._idle: dict[tuple[PeerKey, str], list[tuple[NetStream, FrameReader]]] = {}
        self._places: dict[tuple[PeerKey, str], trio.Semaphore] = {}

    async def request(self, to: PeerKey, protocol: str, payload: bytes, max_bytes: int) -> bytes:
        """One request and its response; may reach a peer twice if its connection breaks in between.

        Raises:
            LocalError: the request is longer than `request_bytes`.
            MalformedError: the response is longer than `max_bytes`; the culprit is `to`.
            Unreachable: no response within `request_seconds`.
        """
        if len(payload) > self._limits.request_bytes:
            raise LocalError(f"a request of {len(payload)} bytes: {self._limits.request_bytes} are allowed")
        places = self._places.setdefault((to, protocol), trio.Semaphore(self._limits.request_streams_per_peer))
        with trio.move_on_after(self._limits.request_seconds):
            async with places:
                return await self._exchange(to, protocol, pack(payload), min(max_bytes, self._limits.response_bytes))
        raise Unreachable(f"peer {short(to)} did not answer {protocol} within {self._limits.request_seconds:g} s")

    async def _exchange(self, to: PeerKey, protocol: str, frame: bytes, max_bytes: int) -> bytes:
        idle = self._idle.setdefault((to, protocol), [])
        while idle:
            response = await self._try(to, protocol, idle.pop(), frame, max_bytes)
            if response is not None:
                return response
        stream = await self._open(to, protocol)
        response = await self._try(to, protocol, (stream, reader_of(stream)), frame, max_bytes)
        if response is None:
            raise Unreachable(f"peer {short(to)} closed the stream of {protocol} without an answer")
        return response

    async def _try(
        self, to: PeerKey, protocol: str, pair: tuple[NetStream, FrameReader], frame: bytes, max_bytes: int
    ) -> bytes | None:
        """The response, or None if the stream is gone."""
        stream, reader = pair
        try:
            reader.expect(min(max_bytes, EXPECTED_BYTES))
            await stream.muxed_stream.write(frame)
            response = await reader.frame(max_bytes)
        except BaseLibp2pError:
            return None
        except FrameError as error:
            await _reset(stream, self._limits)
            self._report("response-refused", to)
            raise MalformedError(f"peer {short(to)} answered {protocol} with {error}", [to]) from error
        except BaseException:  # cancelled: the next request must not get this one's response
            await _reset(stream, self._limits)
            raise
        if response is not None:
            self._idle[to, protocol].append(pair)
        return response


class Answering:
    """What all streams of requests share: how many may be answered at once, and how often each peer may ask."""

    def __init__(self, limits: Limits) -> None:
        self.turns = Turns(limits.responses_at_once_per_peer)
        self._rates = Rates(limits.requests_per_second, limits.requests_burst, limits.known_peers)
        self._pause = 1.0 / limits.requests_per_second

    async def may_ask(self, asker: PeerKey) -> None:
        """Waits until this peer may ask again."""
        while not self._rates.allows(asker):
            await trio.sleep(self._pause)


async def answer_requests(
    stream: NetStream, handler: RequestHandler, answering: Answering, limits: Limits, report: Report
) -> None:
    """Serves one stream of requests until it ends. A handler's RemoteError blames the asker and closes the stream.

    An answer that the asker does not read within `response_seconds` ends the stream, and so does one that is too much
    for the budget (budget.py).
    """
    asker = peer_key_of(stream.muxed_conn.peer_id)
    reader = reader_of(stream)
    async with serving(stream, asker, limits, report):
        while (request := await reader.frame(limits.request_bytes)) is not None:
            await answering.may_ask(asker)
            async with answering.turns.turn(stream.muxed_conn.peer_id):
                response = await handler(asker, request)
                if len(response) > limits.response_bytes:
                    raise LocalError(f"a response of {len(response)} bytes: {limits.response_bytes} are allowed")
                if not await _read_in_time(stream, pack(response), limits):
                    report("response-unread", asker)
                    return


async def _read_in_time(stream: NetStream, frame: bytes, limits: Limits) -> bool:
    """Sends an answer, which counts against the asker's budget until it is read."""
    muxed = stream.muxed_stream
    holding = muxed.hold(len(frame)) if isinstance(muxed, Stream) else contextlib.nullcontext()
    with holding, trio.move_on_after(limits.response_seconds) as patience:
        await muxed.write(frame)
    return not patience.cancelled_caught


@asynccontextmanager
async def serving(stream: NetStream, peer: PeerKey, limits: Limits, report: Report) -> AsyncIterator[None]:
    """Whatever happens within ends this stream only, and is reported when somebody is to blame."""
    try:
        yield
    except BaseLibp2pError:
        pass  # reset by the peer, or the connection is gone
    except FrameError:
        report("frame-refused", peer)
    except RemoteError:
        report("request-refused", peer)
    except Exception:  # noqa: BLE001  a handler's failure is ours, whoever provoked it; it must not end the host
        report("handler-failed", peer)
    finally:
        await _reset(stream, limits)


async def _reset(stream: NetStream, limits: Limits) -> None:
    with trio.move_on_after(limits.close_seconds, shield=True):
        await stream.reset()
