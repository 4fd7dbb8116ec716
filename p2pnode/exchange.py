"""Blobs by digest: served from the disk, fetched from whoever holds them, in bounded requests."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from p2pnode.errors import Unreachable
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
from protocols.errors import MalformedError
from protocols.types import Digest, PeerKey, short
from protocols.wire.codec import decode, encode

_ROOM = RESPONSE_MAX_BYTES - 1024


class BlobExchange:
    """Serves and fetches. What it returns is not verified: that is a job (hashing) of whoever asked.

    Args:
        count: told how many blob bytes were sent.
    """

    def __init__(self, transport: Transport, disk: Disk, count: Callable[[int], None]) -> None:
        self._transport, self._disk, self._count = transport, disk, count
        transport.serve(BLOB, self._serve)

    async def fetch(self, wanted: Fetch) -> tuple[bytes, ...] | None:
        """All blobs, from this disk or else from the first holder that has them all; None where nobody has.

        Raises:
            MalformedError: never; a holder that answers nonsense is passed over like one that does not answer.
        """
        local = [self._disk.get(digest) for digest in wanted.digests]
        if all(blob is not None for blob in local):
            return tuple(blob for blob in local if blob is not None)
        for holder in wanted.holders:
            if holder == self._transport.peer:
                continue
            try:
                return await self._from(holder, wanted.digests, wanted.max_bytes)
            except (Unreachable, MalformedError):
                continue  # the next holder; the transport has counted and attributed what was malformed
        return None

    async def _from(self, holder: PeerKey, digests: Sequence[Digest], max_bytes: int) -> tuple[bytes, ...]:
        blobs: list[bytes] = []
        while len(blobs) < len(digests):
            batch = tuple(digests[len(blobs) : len(blobs) + BLOBS_PER_REQUEST])
            parts = await self._request(holder, batch, 0)
            if not parts or parts[0].size == 0:
                raise Unreachable(f"peer {short(holder)} does not have the blob {short(batch[0])}")
            for digest, part in zip(batch, parts, strict=False):
                if part.size == 0:
                    break
                if part.size > max_bytes:
                    raise MalformedError(f"a blob of {part.size} bytes, at most {max_bytes} expected", {holder})
                blobs.append(await self._rest(holder, digest, part))
        return tuple(blobs)

    async def _rest(self, holder: PeerKey, digest: Digest, first: Part) -> bytes:
        data = bytearray(first.data)
        while len(data) < first.size:
            (part,) = await self._request(holder, (digest,), len(data))
            if part.size != first.size or not part.data:
                raise MalformedError("a blob changed its size while it was fetched", {holder})
            data += part.data
        return bytes(data)

    async def _request(self, holder: PeerKey, digests: tuple[Digest, ...], offset: int) -> tuple[Part, ...]:
        request = encode(BlobRequest(digests, offset))
        answer = await self._transport.request(holder, BLOB, request, max_bytes=RESPONSE_MAX_BYTES)
        parts = decode(answer, BlobResponse, RESPONSE_MAX_BYTES).parts
        if len(parts) > len(digests):
            raise MalformedError("more blobs than were asked for", {holder})
        return parts

    async def _serve(self, _: PeerKey, request: bytes) -> bytes:
        asked = decode(request, BlobRequest, REQUEST_MAX_BYTES)
        parts: list[Part] = []
        room = _ROOM
        for digest in asked.digests:
            blob = self._disk.get(digest) or b""
            data = blob[asked.offset : asked.offset + PART_BYTES]
            room -= len(data) + 16
            if room < 0:
                break
            parts.append(Part(len(blob), data))
        self._count(sum(len(part.data) for part in parts))
        return encode(BlobResponse(tuple(parts)))
