"""Big blobs by digest: pieces from several holders at once, each checked when it comes and written to the disk.

What has come stays: after a holder's death, a crash or a restart only the pieces that are missing are asked for. Memory
is that of the pieces under way, whatever the blob's size.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

import trio

from p2pnode.errors import Unreachable
from p2pnode.ports import Disk, IncomingBlob, Transport
from p2pnode.services import PIECE, PIECES, PieceRequest, PiecesRequest, PiecesResponse
from protocols.errors import MalformedError
from protocols.types import Digest, PeerKey, short
from protocols.updates.pieces import PIECE_BYTES, PieceTable, piece_hash
from protocols.wire.codec import decode, encode

TABLE_MAX_BYTES: Final = 1 << 19
UNDER_WAY: Final = 6
"""Pieces that are asked for at the same time, of all holders: about 1 MiB of memory each, with what carries them."""
LANES_MAX: Final = 4
HEDGE_S: Final = 2.0
"""Without news for so long, pieces that others owe are asked for again: nobody can stall a fetch for long."""
REQUEST_MAX_S: Final = 15.0
TABLES: Final = 8

Accuse = Callable[[PeerKey, str], None]
"""Told who sent what is not in the blob, and what."""


class PieceServer:
    """Answers for the blobs of this disk. A piece that the disk has damaged is not sent: the blob is dropped."""

    def __init__(
        self, transport: Transport, disk: Disk, count: Callable[[int], None], complain: Callable[[str], None]
    ) -> None:
        self._disk, self._count, self._complain = disk, count, complain
        self._tables: OrderedDict[Digest, PieceTable] = OrderedDict()
        transport.serve(PIECES, self._serve_table)
        transport.serve(PIECE, self._serve_piece)

    async def _serve_table(self, _: PeerKey, request: bytes) -> bytes:
        digest = decode(request, PiecesRequest, 64).digest
        table = await self._table(digest)
        if table is None:
            return encode(PiecesResponse(PieceTable(0, ()), b""))
        data = self._piece(digest, table, 0) if len(table.hashes) == 1 else b""
        self._count(len(data))
        return encode(PiecesResponse(table, data))

    async def _serve_piece(self, _: PeerKey, request: bytes) -> bytes:
        asked = decode(request, PieceRequest, 64)
        table = await self._table(asked.digest)
        if table is None or asked.index >= len(table.hashes):
            return b""
        piece = self._piece(asked.digest, table, asked.index)
        self._count(len(piece))
        return piece

    def _piece(self, digest: Digest, table: PieceTable, index: int) -> bytes:
        piece = self._disk.read(digest, index * PIECE_BYTES, PIECE_BYTES)
        if piece_hash(piece) == table.hashes[index]:
            return piece
        self._lose(digest)
        return b""

    async def _table(self, digest: Digest) -> PieceTable | None:
        """Made when it is first asked for, piece by piece; the event loop goes on in between."""
        size = self._disk.size(digest)
        if not size:
            return None
        if digest in self._tables:
            return self._tables[digest]
        hashes = []
        for start in range(0, size, PIECE_BYTES):
            hashes.append(piece_hash(self._disk.read(digest, start, PIECE_BYTES)))
            await trio.lowlevel.checkpoint()
        table = PieceTable(size, tuple(hashes))
        if table.digest != digest:
            if size > PIECE_BYTES:
                self._lose(digest)
            return None  # a small one may be a chunk, which is named by another digest
        self._tables[digest] = table
        while len(self._tables) > TABLES:
            self._tables.popitem(last=False)
        return table

    def _lose(self, digest: Digest) -> None:
        self._complain(f"the blob {short(digest)} was damaged on the disk; it is fetched again when it is needed")
        self._tables.pop(digest, None)
        self._disk.drop(digest)


class PieceFetcher:
    """Brings big blobs onto this disk.

    Args:
        accuse: told of holders that sent what is not in the blob; they are asked for nothing more of it.
    """

    def __init__(self, transport: Transport, disk: Disk, accuse: Accuse) -> None:
        self._transport, self._disk, self._accuse = transport, disk, accuse
        self._under_way: dict[Digest, trio.Lock] = {}

    async def fetch(self, digest: Digest, holders: Sequence[PeerKey], max_bytes: int) -> bytes | None:
        """The blob; see `fetch_to_disk`."""
        return self._disk.get(digest) if await self.fetch_to_disk(digest, holders, max_bytes) else None

    async def fetch_to_disk(self, digest: Digest, holders: Sequence[PeerKey], max_bytes: int) -> bool:
        """Whether the blob is on this disk now. What came of it stays in any case, for the next try.

        Holders that were named are asked first, then whoever is connected: what a peer has it serves, announced or not.
        Who wants what is already under way waits for it.

        Raises:
            LocalError: the disk refuses.
        """
        lock = self._under_way.setdefault(digest, trio.Lock())
        try:
            async with lock:
                return self._disk.size(digest) is not None or await self._bring(digest, holders, max_bytes)
        finally:
            if not lock.statistics().owner and self._under_way.get(digest) is lock:
                del self._under_way[digest]

    async def _bring(self, digest: Digest, holders: Sequence[PeerKey], max_bytes: int) -> bool:
        named = [holder for holder in holders if holder != self._transport.peer]
        others = sorted(self._transport.connected() - set(named))
        for at, holder in enumerate(candidates := [*named, *others]):
            found = await self._table(holder, digest, max_bytes)
            if found is None:
                continue
            if found.data:
                self._disk.put(((digest, found.data),), durable=False)
                return True
            incoming = self._disk.incoming(digest, found.table.size)
            have = await _sound(incoming, found.table)
            download = Download(self, digest, found.table, incoming, have, candidates[at:])
            if await download.run():
                incoming.finish()
                return True
            return False
        return False

    async def _table(self, holder: PeerKey, digest: Digest, max_bytes: int) -> PiecesResponse | None:
        """What a holder has of the blob; None for nothing, nonsense or silence."""
        request = encode(PiecesRequest(digest))
        try:
            with trio.move_on_after(REQUEST_MAX_S):
                answer = await self._transport.request(holder, PIECES, request, max_bytes=TABLE_MAX_BYTES)
                found = decode(answer, PiecesResponse, TABLE_MAX_BYTES)
                if not found.table.size:
                    return None
                found.table.check(digest, max_bytes)
                single = len(found.table.hashes) == 1
                if single != bool(found.data) or (single and piece_hash(found.data) != found.table.hashes[0]):
                    raise MalformedError("the only piece of a blob does not come with its table")
                return found
        except Unreachable:
            return None
        except MalformedError as error:
            self._accuse(holder, str(error))
        return None

    async def piece(self, holder: PeerKey, digest: Digest, index: int, table: PieceTable) -> bytes:
        """One piece, as it came; see `refuse`.

        Raises:
            Unreachable: the holder is silent, or has it no more.
            MalformedError: it is not as long as it must be.
        """
        request = encode(PieceRequest(digest, index))
        with trio.move_on_after(REQUEST_MAX_S):
            piece = await self._transport.request(holder, PIECE, request, max_bytes=PIECE_BYTES)
            if not piece:
                raise Unreachable(f"peer {short(holder)} has piece {index} of {short(digest)} no more")
            if len(piece) != table.length(index):
                raise self.refuse(holder, digest, index)
            return piece
        raise Unreachable(f"peer {short(holder)} did not send a piece within {REQUEST_MAX_S:g} s")

    def refuse(self, holder: PeerKey, digest: Digest, index: int) -> MalformedError:
        """Accuses a holder of a wrong piece; the error to raise."""
        error = MalformedError(f"piece {index} of {short(digest)} is another than its hash says", {holder})
        self._accuse(holder, str(error))
        return error


async def _sound(incoming: IncomingBlob, table: PieceTable) -> set[int]:
    """The pieces that an earlier try has left on the disk."""
    sound = set()
    for index in range(len(table.hashes)) if incoming.resumed else ():
        if piece_hash(incoming.read(index * PIECE_BYTES, PIECE_BYTES)) == table.hashes[index]:
            sound.add(index)
        await trio.lowlevel.checkpoint()
    return sound


class Download:
    """One blob on its way: every holder has a few lanes, each of which asks for one piece at a time."""

    def __init__(
        self,
        fetcher: PieceFetcher,
        digest: Digest,
        table: PieceTable,
        incoming: IncomingBlob,
        have: set[int],
        holders: Sequence[PeerKey],
    ) -> None:
        self._fetcher, self._digest, self._table, self._incoming = fetcher, digest, table, incoming
        self._have, self._holders = have, iter(holders)
        self._claims: dict[int, set[PeerKey]] = {}
        self._gone: set[PeerKey] = set()
        self._lanes = 0
        self._unasked = iter(range(len(table.hashes)))
        self._again: list[int] = []
        self._news = trio.Event()

    async def run(self) -> bool:
        """Whether all pieces are there."""
        holders = list(self._holders)
        async with trio.open_nursery() as nursery:
            each = max(1, min(LANES_MAX, UNDER_WAY // max(1, len(holders))))
            lanes = list(itertools.islice((holder for _ in range(each) for holder in holders), UNDER_WAY))
            spare = [holder for holder in holders if holder not in lanes]
            for holder in lanes:
                nursery.start_soon(self._lane, nursery, holder, spare)
        return self._complete

    @property
    def _complete(self) -> bool:
        return len(self._have) == len(self._table.hashes)

    async def _lane(self, nursery: trio.Nursery, holder: PeerKey, spare: list[PeerKey]) -> None:
        with contextlib.suppress(Unreachable, MalformedError):
            while (index := await self._next(holder)) is not None:
                await self._take(holder, index)
            if self._complete:
                nursery.cancel_scope.cancel()  # what is still asked for twice
            return
        self._gone.add(holder)
        if spare:
            nursery.start_soon(self._lane, nursery, spare.pop(0), spare)
        self._tell()

    async def _take(self, holder: PeerKey, index: int) -> None:
        self._claims.setdefault(index, set()).add(holder)
        try:
            piece = await self._fetcher.piece(holder, self._digest, index, self._table)
            if not await self._incoming.accept(index * PIECE_BYTES, piece, self._table.hashes[index]):
                raise self._fetcher.refuse(holder, self._digest, index)
            self._have.add(index)
        finally:
            self._claims[index].discard(holder)
            if not self._claims[index]:
                del self._claims[index]
                if index not in self._have:
                    self._again.append(index)
            self._tell()

    async def _next(self, holder: PeerKey) -> int | None:
        """A piece that nobody is asked for, or after a while one that others owe; None when nothing is left to ask."""
        while not self._complete and holder not in self._gone:
            index = self._again.pop() if self._again else self._first_unasked()
            if index is not None:
                return index
            with trio.move_on_after(HEDGE_S) as patience:
                await self._news.wait()
            if patience.cancelled_caught:
                owed = next((index for index, by in self._claims.items() if holder not in by), None)
                if owed is not None:
                    return owed
        return None

    def _first_unasked(self) -> int | None:
        return next((index for index in self._unasked if index not in self._have), None)

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()
