"""Bounds on what is kept and done for others: bytes that came and are not used up, answers that are not read yet."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import trio
from libp2p.peer.id import ID


class Budget:
    """Bytes that wait for a peer: on streams, in frames that are not whole yet, in answers that are not read yet.

    Where a peer exceeds its share, or all together the whole, whoever holds most loses the stream that has waited
    longest. An honest peer's bytes do not wait long; of sybils none has to hold most, but all are bounded together.

    Args:
        evicted: told of the peer that loses a stream.
    """

    def __init__(self, total_bytes: int, peer_bytes: int, evicted: Callable[[ID], None]) -> None:
        self._total, self._share, self._evicted = total_bytes, peer_bytes, evicted
        self._holdings: dict[ID, OrderedDict[Holding, None]] = {}
        self.by_peer: Counter[ID] = Counter()
        self.bytes = 0

    def hold(self, peer: ID, evict: Callable[[], None]) -> Holding:
        """An empty holding of this peer; `evict` must end what it stands for, at once."""
        return Holding(self, peer, evict)

    def resize(self, holding: Holding, size: int) -> None:
        """What `Holding.resize` does."""
        more, peer = size - holding.size, holding.peer
        of_peer = self._holdings.setdefault(peer, OrderedDict())
        holding.size = size
        self.bytes += more
        self.by_peer[peer] += more
        if size:
            of_peer.setdefault(holding)
        else:
            of_peer.pop(holding, None)
        if not of_peer:
            del self._holdings[peer], self.by_peer[peer]
        if more > 0:
            self._make_room(peer)

    def _make_room(self, peer: ID) -> None:
        while self.by_peer[peer] > self._share:
            self._evict_oldest(peer)
        while self.bytes > self._total:
            self._evict_oldest(max(self.by_peer, key=self.by_peer.__getitem__))

    def _evict_oldest(self, peer: ID) -> None:
        oldest = next(iter(self._holdings[peer]))
        self.resize(oldest, 0)
        self._evicted(peer)
        oldest.evict()


class Holding:
    """So many bytes of one peer; they count as waiting since they became more than none."""

    def __init__(self, budget: Budget, peer: ID, evict: Callable[[], None]) -> None:
        self._budget, self.peer, self.evict, self.size = budget, peer, evict, 0

    def resize(self, size: int) -> None:
        """May end this holding's stream, or another's."""
        if size != self.size:
            self._budget.resize(self, size)


class Turns:
    """So much work for each peer at the same time; more of it waits."""

    def __init__(self, each: int) -> None:
        self._each = each
        self._busy: Counter[ID] = Counter()
        self._changed = trio.Event()

    @asynccontextmanager
    async def turn(self, peer: ID) -> AsyncIterator[None]:
        """Holds one of the peer's turns for as long as the block lasts."""
        while self._busy[peer] >= self._each:
            await self._changed.wait()
        self._busy[peer] += 1
        try:
            yield
        finally:
            self._busy -= Counter([peer])
            self._changed.set()
            self._changed = trio.Event()
