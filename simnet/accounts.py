"""Which node of a process used how much CPU: plain data peers cost one thing, members of the committee another."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextvars import ContextVar
from typing import TypeVar

import trio

from p2pnode.ports import Workers

T = TypeVar("T")

NODE: ContextVar[str] = ContextVar("node", default="")
"""Whose task this is: set by a node's first one, inherited by all that it starts."""


class Accounts(trio.abc.Instrument):
    """CPU seconds by node: of its tasks' steps on the event loop, and of its jobs in threads (`Billing`).

    What the loop itself takes to schedule them belongs to nobody.
    """

    def __init__(self) -> None:
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._lock = threading.Lock()
        self._began = 0.0

    def before_task_step(self, task: trio.lowlevel.Task) -> None:  # noqa: ARG002  trio's interface
        self._began = time.thread_time()

    def after_task_step(self, task: trio.lowlevel.Task) -> None:
        self.add(task.context.get(NODE, ""), time.thread_time() - self._began)

    def add(self, node: str, seconds: float) -> None:
        """Puts CPU time on a node's account."""
        with self._lock:
            self._seconds[node] += seconds

    def seconds(self) -> dict[str, float]:
        """So far, by node; what belongs to nobody is under the empty name."""
        with self._lock:
            return {node: round(seconds, 4) for node, seconds in self._seconds.items()}


class Billing:
    """A node's workers, whose time is put on its account."""

    def __init__(self, workers: Workers, accounts: Accounts) -> None:
        self._workers, self._accounts = workers, accounts

    async def run(self, function: Callable[..., T], *args: object) -> T:
        node = NODE.get()

        def timed() -> T:
            began = time.thread_time()
            try:
                return function(*args)
            finally:
                self._accounts.add(node, time.thread_time() - began)

        return await self._workers.run(timed)
