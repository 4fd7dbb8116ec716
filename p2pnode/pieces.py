"""Big blobs by digest: pieces from several holders at once, each checked when it comes and written to the disk.

What has come stays: after a holder's death, a crash or a restart only the pieces that are missing are asked for. Memory
is that of the pieces under way, whatever the blob's size.
"""

from __future__ import annotations

import contextlib
import math
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
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
BLOBS: Final = 8
"""Whose tables are remembered: those that were asked for last."""
SOUND_S: Final = 60.0
"""A piece that was read and hashed is sent again without hashing for so long. Should the disk damage it meanwhile, we
are accused of it, and whoever asked turns to another holder."""

Accuse = Callable[[PeerKey, str], None]
"""Told who sent what is not in the blob, and what."""


@dataclass(frozen=True, slots=True)
class _Served:
    """A blob that is asked for, and when each of its pieces was last found sound."""

    table: PieceTable
    sound_at: list[float]


class PieceServer:
    """Answers for the blobs of this disk. A piece that the disk has damaged is not sent: the blob is dropped."""

    def __init__(
        self, transport: Transport, disk: Disk, count: Callable[[int], None], complain: Callable[[str], None]
    ) -> None:
        self._disk, self._count, self._complain = disk, count, complain
        self._blobs: OrderedDict[Digest, _Served] = OrderedDict()
        transport.serve(PIECES, self._serve_table)
        transport.serve(PIECE, self._serve_piece)

    async def _serve_table(self, _: PeerKey, request: bytes) -> bytes:
        digest = decode(request, PiecesRequest, 64).digest
        blob = await self._blob(digest)
        if blob is None:
            return encode(PiecesResponse(PieceTable(0, ()), b""))
        data = self._piece(digest, blob, 0) if len(blob.table.hashes) == 1 else b""
        self._count(len(data))
        return encode(PiecesResponse(blob.table, data))

    async def _serve_piece(self, _: PeerKey, request: bytes) -> bytes:
        asked = decode(request, PieceRequest, 64)
        blob = await self._blob(asked.digest)
        if blob is None or asked.index >= len(blob.table.hashes):
            return b""
        piece = self._piece(asked.digest, blob, asked.index)
        self._count(len(piece))
        return piece

    def _piece(self, digest: Digest, blob: _Served, index: int) -> bytes:
        """Hashed again only if that is a minute ago: to hash a piece for each that asks costs as much as to send it."""
        piece = self._disk.read(digest, index * PIECE_BYTES, PIECE_BYTES)
        if (now := trio.current_time()) < blob.sound_at[index] + SOUND_S:
            return piece
        if piece_hash(piece) == blob.table.hashes[index]:
            blob.sound_at[index] = now
            return piece
        self._lose(digest)
        return b""

    async def _blob(self, digest: Digest) -> _Served | None:
        if not self._disk.size(digest):
            self._blobs.pop(digest, None)
            return None
        if digest not in self._blobs:
            table = self._disk.table(digest) or await self._table(digest)
            if table is None:
                return None
            self._blobs[digest] = _Served(table, [-math.inf] * len(table.hashes))
            while len(self._blobs) > BLOBS:
                self._blobs.popitem(last=False)
        return self._blobs[digest]

    async def _table(self, digest: Digest) -> PieceTable | None:
        """Made from the disk, piece by piece; the event loop goes on in between."""
        size, hashes = self._disk.size(digest) or 0, []
        for start in range(0, size, PIECE_BYTES):
            hashes.append(piece_hash(self._disk.read(digest, start, PIECE_BYTES)))
            await trio.lowlevel.checkpoint()
        table = PieceTable(size, tuple(hashes))
        if table.digest == digest:
            return table
        if size > PIECE_BYTES:
            self._lose(digest)
        return None  # a small one may be a chunk, which is named by another digest

    def _lose(self, digest: Digest) -> None:
        self._complain(f"the blob {short(digest)} was damaged on the disk; it is fetched again when it is needed")
        self._blobs.pop(digest, None)
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
        seeking = _Seeking(partial(self._table, digest=digest, max_bytes=max_bytes))
        found = await seeking.run([*named, *others])
        if found is None:
            return False
        if found.data:
            self._disk.put(((digest, found.data),), durable=False)
            return True
        with contextlib.closing(self._disk.incoming(digest, found.table.size)) as incoming:
            have = await _sound(incoming, found.table)
            left = seeking.left(named), seeking.left(others)
            whole = await Download(self, digest, found.table, incoming, have, *left).run()
            if whole:
                incoming.finish(found.table)
            return whole

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


class _Seeking:
    """Looks for somebody who has a blob: one is asked after another, and the next one already where one is silent.

    Args:
        ask: what a holder has; None for nothing.
    """

    def __init__(self, ask: Callable[[PeerKey], Awaitable[PiecesResponse | None]]) -> None:
        self._ask = ask
        self._found: list[tuple[PeerKey, PiecesResponse]] = []
        self._without: set[PeerKey] = set()

    async def run(self, candidates: Sequence[PeerKey]) -> PiecesResponse | None:
        """What the first one has who has it; None where nobody does."""
        async with trio.open_nursery() as nursery:
            for holder in candidates:
                answered = trio.Event()
                nursery.start_soon(self._one, nursery, holder, answered)
                with trio.move_on_after(HEDGE_S):
                    await answered.wait()
        return self._found[0][1] if self._found else None

    def left(self, holders: Sequence[PeerKey]) -> list[PeerKey]:
        """Those that may have it: who said so first, then who was silent or not asked."""
        first = self._found[0][0]
        return sorted((each for each in holders if each not in self._without), key=lambda each: each != first)

    async def _one(self, nursery: trio.Nursery, holder: PeerKey, answered: trio.Event) -> None:
        found = await self._ask(holder)
        if found is None:
            self._without.add(holder)
        else:
            self._found.append((holder, found))
            nursery.cancel_scope.cancel()
        answered.set()


async def _sound(incoming: IncomingBlob, table: PieceTable) -> set[int]:
    """The pieces that an earlier try has left on the disk."""
    sound = set()
    for index in range(len(table.hashes)) if incoming.resumed else ():
        if piece_hash(incoming.read(index * PIECE_BYTES, PIECE_BYTES)) == table.hashes[index]:
            sound.add(index)
        await trio.lowlevel.checkpoint()
    return sound


class Download:
    """One blob on its way: every holder has a few lanes, each of which asks for one piece at a time.

    Args:
        have: the pieces that are there.
        named: who is said to have it; they have the lanes first.
        others: asked with the lanes that are left.
    """

    def __init__(
        self,
        fetcher: PieceFetcher,
        digest: Digest,
        table: PieceTable,
        incoming: IncomingBlob,
        have: set[int],
        named: Sequence[PeerKey],
        others: Sequence[PeerKey] = (),
    ) -> None:
        self._fetcher, self._digest, self._table, self._incoming = fetcher, digest, table, incoming
        self._have, self._holders = have, [*named, *others]
        self._named = frozenset(named)
        self._lanes: Counter[PeerKey] = Counter()
        self._claims: dict[int, set[PeerKey]] = {}
        self._gone: set[PeerKey] = set()
        self._unasked = iter(range(len(table.hashes)))
        self._again: list[int] = []
        self._news = trio.Event()

    async def run(self) -> bool:
        """Whether all pieces are there."""
        async with trio.open_nursery() as nursery:
            self._open_lanes(nursery)
        return self._complete

    @property
    def _complete(self) -> bool:
        return len(self._have) == len(self._table.hashes)

    def _open_lanes(self, nursery: trio.Nursery) -> None:
        """As many as there may be, evenly over the holders that are left."""
        while self._lanes.total() < UNDER_WAY:
            left = [holder for holder in self._holders if holder not in self._gone and self._lanes[holder] < LANES_MAX]
            holder = min(left, key=lambda each: (each not in self._named, self._lanes[each]), default=None)
            if holder is None:
                return
            self._lanes[holder] += 1
            nursery.start_soon(self._lane, nursery, holder)

    async def _lane(self, nursery: trio.Nursery, holder: PeerKey) -> None:
        try:
            while (index := await self._next(holder)) is not None:
                await self._take(holder, index)
        except (Unreachable, MalformedError):
            self._gone.add(holder)
        self._lanes[holder] -= 1
        if self._complete:
            nursery.cancel_scope.cancel()  # what is still asked for twice
        else:
            self._open_lanes(nursery)
            self._tell()

    async def _take(self, holder: PeerKey, index: int) -> None:
        self._claims.setdefault(index, set()).add(holder)
        try:
            piece = await self._fetcher.piece(holder, self._digest, index, self._table)
            if not self._incoming.accept(index * PIECE_BYTES, piece, self._table.hashes[index]):
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
