"""Who is newest: tells others this node's newest header certificate, and asks around for theirs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Final

import trio

from p2pnode.errors import Unreachable
from p2pnode.ports import Transport
from p2pnode.services import HEAD, RESPONSE_MAX_BYTES, HeadResponse
from protocols.checkpoints.machine import Ledger
from protocols.errors import RemoteError
from protocols.hashing import tagged
from protocols.types import PeerKey
from protocols.wire.codec import decode, encode
from protocols.wire.envelope import Signed, Signer, open_envelope
from protocols.wire.messages import HeaderCertificate

ASKED_AT_ONCE: Final = 3
PATIENCE_S: Final = 5.0


class Heads:
    """Asks a few connected peers at a time, others each time, so that nobody can keep this node behind for long.

    Args:
        deliver: takes what was answered; it is not verified but for its signature.
    """

    def __init__(self, transport: Transport, sign: Signer, ledger: Ledger, deliver: Callable[[Signed], None]) -> None:
        self._transport, self._sign, self._ledger, self._deliver = transport, sign, ledger, deliver
        self._times = 0
        self._asking = False
        transport.serve(HEAD, self._serve)

    async def ask(self) -> None:
        """Asks around, unless it is doing so already."""
        if self._asking:
            return
        self._asking, self._times = True, self._times + 1
        me, times = self._transport.peer, self._times
        try:
            peers = sorted(self._transport.connected(), key=lambda peer: tagged("ask", times, me, peer))
            for peer in peers[:ASKED_AT_ONCE]:
                with trio.move_on_after(PATIENCE_S), contextlib.suppress(Unreachable, RemoteError):  # others may answer
                    await self._ask(peer)
        finally:
            self._asking = False

    async def _ask(self, peer: PeerKey) -> None:
        answer = await self._transport.request(peer, HEAD, b"", max_bytes=RESPONSE_MAX_BYTES)
        certificate = decode(answer, HeadResponse, RESPONSE_MAX_BYTES).certificate
        if certificate:
            signed = open_envelope(certificate)
            if isinstance(signed.message, HeaderCertificate):
                self._deliver(signed)

    async def _serve(self, _: PeerKey, __: bytes) -> bytes:
        certificate = self._ledger.head.certificate
        return encode(HeadResponse(b"" if certificate is None else self._sign(certificate).encoded))
