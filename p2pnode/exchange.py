"""Blobs by digest: served from the disk, fetched from whoever holds them, in bounded requests."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from typing import Final

import trio

from p2pnode.errors import Unreachable
from p2pnode.gathering import Gathering
from p2pnode.pieces import Accuse, PieceFetcher, PieceServer
from p2pnode.ports import Disk, Transport
from p2pnode.services import (
    BLOB,
    BLOBS_PER_REQUEST,
    PART_BYTES,
    REQUEST_MAX_BYTES,
    RESPONSE_MAX_BYTES,
    BlobRequest,
    BlobResponse,
    Part,
)
from protocols.effects import Fetch
from protocols.errors import LocalError, MalformedError
from protocols.types import Digest, PeerKey, short
from protocols.wire.codec import decode, encode

WARM_BYTES: Final = 2 << 20
"""Kept of what was served last, so that it is not read and checked anew for each that asks; or one blob, if larger."""
_ROOM: Final = RESPONSE_MAX_BYTES - 1024
REQUEST_MAX_S: Final = 15.0
"""For one request; the slowest holder that is still of use sends 280 kB/s. A slower one is passed over."""


class BlobExchange:
    """Serves and fetches. What it returns is not verified: that is a job (hashing) of whoever asked.

    Args:
        count: told how many blob bytes were sent.
        complain: told of blobs that this disk has damaged; they are dropped, and fetched like others' blobs.
        accuse: told who sent pieces that are not in a blob.
    """

    def __init__(
        self,
        transport: Transport,
        disk: Disk,
        count: Callable[[int], None],
        complain: Callable[[str], None],
        accuse: Accuse = lambda _holder, _reason: None,
    ) -> None:
        self._transport, self._disk, self._count, self._complain = transport, disk, count, complain
        self._warm: OrderedDict[Digest, bytes] = OrderedDict()
        self._pieces = PieceFetcher(transport, disk, accuse)
        PieceServer(transport, disk, count, complain)
        transport.serve(BLOB, self._serve)

    async def fetch(self, wanted: Fetch) -> tuple[bytes, ...] | None:
        """All blobs, from this disk or else from holders, several at once; None where they do not have them all.

        Whoever answers nonsense, or too slowly, is passed over like one that does not answer.
        """
        local = [self._read(digest) for digest in wanted.digests]
        if all(blob is not None for blob in local):
            return tuple(blob for blob in local if blob is not None)
        holders = [holder for holder in wanted.holders if holder != self._transport.peer]
        if wanted.max_bytes > RESPONSE_MAX_BYTES:  # its digest is one that pieces can be checked against
            found = [await self._pieces.fetch(digest, holders, wanted.max_bytes) for digest in wanted.digests]
            return tuple(blob for blob in found if blob is not None) if None not in found else None
        ask = partial(self._from, wanted.max_bytes)
        return await Gathering(wanted.digests, holders, BLOBS_PER_REQUEST, ask).run()

    async def _from(
        self, max_bytes: int, holder: PeerKey, digests: Sequence[Digest]
    ) -> AsyncIterator[tuple[Digest, bytes]]:
        """See `Ask`."""
        at = 0
        while at < len(digests):
            batch = tuple(digests[at : at + BLOBS_PER_REQUEST])
            parts = await self._request(holder, batch, 0)
            for digest, part in zip(batch, parts, strict=False):
                if part.size > max_bytes:
                    raise MalformedError(f"a blob of {part.size} bytes, at most {max_bytes} expected", {holder})
                if part.size:
                    yield digest, await self._rest(holder, digest, part)
            at += len(parts)

    async def _rest(self, holder: PeerKey, digest: Digest, first: Part) -> bytes:
        data = bytearray(first.data)
        while len(data) < first.size:
            part = (await self._request(holder, (digest,), len(data)))[0]
            if part.size != first.size:
                raise MalformedError("a blob changed its size while it was fetched", {holder})
            data += part.data
        return bytes(data)

    async def _request(self, holder: PeerKey, digests: tuple[Digest, ...], offset: int) -> tuple[Part, ...]:
        """At least one part, and every part as long as it can be: else a holder could make a fetch last for ever."""
        request = encode(BlobRequest(digests, offset))
        with trio.move_on_after(REQUEST_MAX_S):
            answer = await self._transport.request(holder, BLOB, request, max_bytes=RESPONSE_MAX_BYTES)
            parts = decode(answer, BlobResponse, RESPONSE_MAX_BYTES).parts
            if not 1 <= len(parts) <= len(digests):
                raise MalformedError(f"{len(parts)} blobs where {len(digests)} were asked for", {holder})
            for part in parts:
                if len(part.data) != max(0, min(PART_BYTES, part.size - offset)):
                    raise MalformedError("part of a blob is not as long as it must be", {holder})
            return parts
        raise Unreachable(f"peer {short(holder)} did not send a blob's part within {REQUEST_MAX_S:g} s")

    async def _serve(self, _: PeerKey, request: bytes) -> bytes:
        asked = decode(request, BlobRequest, REQUEST_MAX_BYTES)
        parts: list[Part] = []
        room = _ROOM
        for digest in asked.digests:
            blob = self._read(digest) or b""
            data = blob[asked.offset : asked.offset + PART_BYTES]
            room -= len(data) + 16
            if room < 0:
                break
            parts.append(Part(len(blob), data))
        self._count(sum(len(part.data) for part in parts))
        return encode(BlobResponse(tuple(parts)))

    def _read(self, digest: Digest) -> bytes | None:
        """A blob of this disk. What was asked for last is remembered: an update is asked for by six peers at once, and
        a big blob in parts, one after another.
        """
        if digest in self._warm:
            self._warm.move_to_end(digest)
            return self._warm[digest]
        try:
            blob = self._disk.get(digest)
        except LocalError as error:
            self._complain(str(error))
            self._disk.drop(digest)
            return None
        if blob is not None:
            self._warm[digest] = blob
            warm = sum(map(len, self._warm.values()))
            while warm > WARM_BYTES and len(self._warm) > 1:
                warm -= len(self._warm.popitem(last=False)[1])
        return blob
