"""Tasks that may fail without taking the node down: whatever happens is shown, and services come back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import trio

from p2pnode.ports import Clock
from protocols.errors import TwoPMError

Observer = Callable[[str, Mapping[str, object]], None]
"""(event name, JSON-able fields): for logs, metrics and reports."""
Task = Callable[[], Awaitable[None]]

BACK_OFF_S: Final = 0.5
BACK_OFF_MAX_S: Final = 30.0


class Supervisor:
    """Runs a node's tasks in its nursery.

    Errors made for people (`TwoPMError`) are observed as "failed", with their sentence; any other exception is a bug
    and observed as "unexpected", with its trace.
    """

    def __init__(self, nursery: trio.Nursery, clock: Clock, observe: Observer) -> None:
        self._nursery, self._clock, self._observe = nursery, clock, observe

    @contextmanager
    def surviving(self, name: str) -> Iterator[None]:
        """Goes on behind the block, whatever exception ended it."""
        try:
            yield
        except TwoPMError as error:
            self._observe("failed", {"task": name, "reason": str(error)})
        except Exception as error:  # noqa: BLE001  # the supervisor: whatever it is, it is shown and survived
            self._observe("unexpected", {"task": name, "error": error})

    def guard(self, name: str, task: Task) -> None:
        """Runs a task once, in the background."""

        async def once() -> None:
            with self.surviving(name):
                await task()

        self._nursery.start_soon(once)

    def serve(self, name: str, task: Task) -> None:
        """Keeps a task running that is never to end: after a failure it is started again, soon at first, then later."""

        async def for_ever() -> None:
            pause = BACK_OFF_S
            while True:
                began = self._clock.now()
                with self.surviving(name):
                    await task()
                if self._clock.now() - began > BACK_OFF_MAX_S:
                    pause = BACK_OFF_S
                await self._clock.sleep_until(self._clock.now() + pause)
                pause = min(2 * pause, BACK_OFF_MAX_S)

        self._nursery.start_soon(for_ever)
