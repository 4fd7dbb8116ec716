"""Waits for the chain to settle the epochs that somebody wants to know."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NoReturn

import trio

from p2pnode.epochs import Epochs
from p2pnode.errors import ChainError
from p2pnode.ports import Clock
from p2pnode.supervision import Observer
from protocols.errors import LocalError
from protocols.rounds.epoch import EpochView

POLL_S: Final = 0.5
POLL_MAX_S: Final = 8.0


class EpochWatch:
    """Polls the chain, rarely while it fails, and says so once for each reason.

    Args:
        known: told of each wanted epoch's view, once for each time that it was wanted.
    """

    def __init__(self, epochs: Epochs, clock: Clock, observe: Observer, known: Callable[[EpochView], None]) -> None:
        self._epochs, self._clock, self._observe, self._known = epochs, clock, observe, known
        self._wanted: set[int] = set()
        self._news = trio.Event()
        self._said: dict[int, str] = {}

    def want(self, epoch: int) -> None:
        """This epoch is needed."""
        self._wanted.add(epoch)
        self._news.set()

    async def run(self) -> NoReturn:
        """Looks at the chain for ever, while there is an epoch to wait for."""
        pause = POLL_S
        while True:
            while not self._wanted:
                self._news = trio.Event()
                await self._news.wait()
            failed = False
            for epoch in sorted(self._wanted, reverse=True):  # the newest may make the others superfluous
                failed |= not await self._look(epoch)
            pause = min(2 * pause, POLL_MAX_S) if failed else POLL_S
            await self._clock.sleep_until(self._clock.now() + pause)

    async def _look(self, epoch: int) -> bool:
        """False if it failed; an epoch that is not settled yet is no failure."""
        try:
            view = await self._epochs.view(epoch)
        except ChainError as error:
            self._say("chain-failed", epoch, str(error))
            return False
        except LocalError as error:
            self._say("epoch-failed", epoch, str(error))
            return False
        self._said.pop(epoch, None)
        if view is not None:
            self._wanted.discard(epoch)
            self._known(view)
        return True

    def _say(self, name: str, epoch: int, reason: str) -> None:
        if self._said.get(epoch) != reason:
            self._said[epoch] = reason
            self._observe(name, {"epoch": epoch, "reason": reason})
