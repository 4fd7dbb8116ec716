"""The one queue that the node reads: bounded in messages and in bytes."""

from __future__ import annotations

from collections import deque

import trio

from p2pnode.ports import Incoming
from p2pnode.transport.limits import Limits


class Inbox:
    """Direct streams wait for room (their senders feel it); gossip must not wait, it is refused."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._queue: deque[Incoming] = deque()
        self._bytes = 0
        self._readers = trio.lowlevel.ParkingLot()
        self._writers = trio.lowlevel.ParkingLot()

    async def put(self, message: Incoming) -> None:
        while not self.offer(message):
            await self._writers.park()

    def offer(self, message: Incoming) -> bool:
        """Takes the message if there is room."""
        full = len(self._queue) >= self._limits.inbox_messages or self._bytes >= self._limits.inbox_bytes
        if not full:
            self._queue.append(message)
            self._bytes += len(message.payload)
            self._readers.unpark()
        return not full

    async def get(self) -> Incoming:
        while not self._queue:
            await self._readers.park()
        message = self._queue.popleft()
        self._bytes -= len(message.payload)
        self._writers.unpark()
        return message
