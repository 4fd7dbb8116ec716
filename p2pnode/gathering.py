"""One fetch from several holders: what one has sent stays when it falls silent, and others go on with the rest."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final

import trio

from p2pnode.errors import Unreachable
from protocols.errors import MalformedError
from protocols.types import Digest, PeerKey

AT_ONCE: Final = 2
"""Holders that are asked at the same time: so many responses, of 4 MiB at most, are in memory beside what was asked."""
HEDGE_S: Final = 2.0
"""Without anything new for so long, one more holder is asked for what others owe: nobody can stall a fetch for long."""

Ask = Callable[[PeerKey, Sequence[Digest]], AsyncIterator[tuple[Digest, bytes]]]
"""The blobs that a holder has of those asked for, one after another, perhaps not all.

Raises:
    Unreachable: it does not answer.
    MalformedError: it answers nonsense.
"""


class Gathering:
    """Whole blobs by digest. Which holder sent a blob is not kept: it is verified by whoever asked.

    Args:
        holders: in the order in which they are asked.
        batch: blobs that are asked for at once.
    """

    def __init__(self, wanted: Sequence[Digest], holders: Sequence[PeerKey], batch: int, ask: Ask) -> None:
        self._wanted, self._holders, self._batch, self._ask = wanted, iter(holders), batch, ask
        self._found: dict[Digest, bytes] = {}
        self._claimed: set[Digest] = set()
        self._active = self._waiting = 0
        self._news = trio.Event()

    async def run(self) -> tuple[bytes, ...] | None:
        """All of them, in order; None where the holders together do not have them."""
        async with trio.open_nursery() as nursery:
            batches = -(-len(self._wanted) // self._batch)
            for _ in range(min(AT_ONCE, batches)):
                self._begin(nursery, hedging=False)
            while self._active and not self._complete:
                if not await self._hears_news() and not self._waiting and self._active <= AT_ONCE:
                    self._begin(nursery, hedging=True)
            nursery.cancel_scope.cancel()
        return tuple(self._found[digest] for digest in self._wanted) if self._complete else None

    @property
    def _complete(self) -> bool:
        return len(self._found) == len(set(self._wanted))

    def _begin(self, nursery: trio.Nursery, *, hedging: bool) -> None:
        holder = next(self._holders, None)
        if holder is not None:
            self._active += 1
            nursery.start_soon(self._work, nursery, holder, hedging)

    async def _work(self, nursery: trio.Nursery, holder: PeerKey, hedging: bool) -> None:
        """Asks one holder until it has nothing more to give; then the next one takes its place."""
        asked: set[Digest] = set()
        with contextlib.suppress(Unreachable, MalformedError):  # the transport has counted and attributed the latter
            while owed := [digest for digest in self._missing() if digest not in asked]:
                free = [digest for digest in owed if hedging or digest not in self._claimed]
                if free:
                    asked |= set(free[: self._batch])
                    await self._take(holder, free[: self._batch])
                else:  # others have been asked for the rest; perhaps they have it not
                    self._waiting += 1
                    hedging = not await self._hears_news()
                    self._waiting -= 1
        self._active -= 1
        if not self._complete:
            self._begin(nursery, hedging=False)
        self._tell()

    async def _take(self, holder: PeerKey, batch: Sequence[Digest]) -> None:
        self._claimed |= set(batch)
        try:
            async for digest, blob in self._ask(holder, batch):
                self._found[digest] = blob
                self._tell()
        finally:
            self._claimed -= set(batch)
            self._tell()

    def _missing(self) -> list[Digest]:
        return [digest for digest in dict.fromkeys(self._wanted) if digest not in self._found]

    def _tell(self) -> None:
        self._news.set()
        self._news = trio.Event()

    async def _hears_news(self) -> bool:
        """Waits until something has come or somebody has given up; False if nothing happened for `HEDGE_S`."""
        with trio.move_on_after(HEDGE_S) as patience:
            await self._news.wait()
        return not patience.cancelled_caught
