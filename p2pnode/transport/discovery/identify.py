"""What a peer says that it sees us at (libp2p's identify, its observed address)."""

from __future__ import annotations

from typing import Final

import trio
from google.protobuf.message import DecodeError
from libp2p.exceptions import BaseLibp2pError
from libp2p.identity.identify.pb.identify_pb2 import Identify
from multiaddr import Multiaddr

from p2pnode.errors import Unreachable
from p2pnode.transport.discovery.observed import Observed
from p2pnode.transport.discovery.scope import host_of
from p2pnode.transport.frames import FrameError
from p2pnode.transport.host import Libp2pTransport
from p2pnode.transport.overrides.yamux import reader_of
from protocols.errors import MalformedError
from protocols.types import PeerKey, short

PROTOCOL: Final = "/ipfs/id/1.0.0"
MESSAGE_MAX_BYTES: Final = 16 << 10
ANSWER_S: Final = 10.0
ASK_EVERY_S: Final = 30.0
ASKED_MAX: Final = 64


async def observed_host(transport: Libp2pTransport, peer: PeerKey) -> str:
    """The IP address at which `peer` sees us, in its own words.

    Raises:
        Unreachable: no answer.
        MalformedError: an answer that is none, or names no address.
    """
    with trio.move_on_after(ANSWER_S):
        stream = await transport.open_raw(peer, PROTOCOL)
        try:
            body = await reader_of(stream).varint_frame(MESSAGE_MAX_BYTES)
        except BaseLibp2pError as error:
            raise Unreachable(f"peer {short(peer)} closed the stream of identify") from error
        except FrameError as error:
            raise MalformedError(f"peer {short(peer)} answered identify with {error}", [peer]) from error
        finally:
            with trio.move_on_after(1, shield=True):
                await stream.reset()
        return host_in(body or b"", peer)
    raise Unreachable(f"peer {short(peer)} did not answer identify within {ANSWER_S:g} s")


def host_in(body: bytes, peer: PeerKey) -> str:
    """The observed IP address in an answer; raises `MalformedError`."""
    message = Identify()
    try:
        message.ParseFromString(body)
        host = host_of(f"{Multiaddr(message.observed_addr)}/")
    except (DecodeError, ValueError, LookupError) as error:
        raise MalformedError(f"peer {short(peer)} answered identify with nothing of it", [peer]) from error
    if host is None:
        raise MalformedError(f"peer {short(peer)} sees us at no IP address", [peer])
    return host


async def watch_address(transport: Libp2pTransport) -> None:
    """Asks peers that we dialled what they see, and announces what enough of them agree on. Never returns."""
    observed, asked, announced = Observed(), dict[PeerKey, None](), None
    while True:
        for peer in sorted(transport.connected() - set(asked)):
            witness = transport.seen_from(peer)
            if witness is None:
                continue
            asked[peer] = None
            try:
                observed.saw(witness, await observed_host(transport, peer))
            except (Unreachable, MalformedError):
                continue  # no witness
        while len(asked) > ASKED_MAX:
            del asked[next(iter(asked))]
        if observed.believed not in (None, announced):
            announced = observed.believed
            transport.seen_at(str(announced))
        await trio.sleep(ASK_EVERY_S)
