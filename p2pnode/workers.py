"""The `Workers` port on threads.

JAX, numpy and hashlib let go of the GIL while they compute. What holds it (Pyfhel) belongs in processes: another class
with the same `run`, handed to the node in this one's place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import trio

T = TypeVar("T")


class ThreadWorkers:
    """Runs functions in at most `threads` threads at a time; who comes later waits."""

    def __init__(self, threads: int) -> None:
        self._limiter = trio.CapacityLimiter(threads)

    async def run(self, function: Callable[..., T], *args: object) -> T:
        """The function's result, or its exception.

        The function must have no effect but its result: a cancelled call returns at once, its thread runs on unheard.
        """
        return await trio.to_thread.run_sync(function, *args, limiter=self._limiter, abandon_on_cancel=True)
