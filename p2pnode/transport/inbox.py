"""The one queue that the node reads: bounded in messages and in bytes."""

from __future__ import annotations

from collections import Counter, deque

import trio

from p2pnode.ports import Incoming
from p2pnode.transport.limits import Limits
from protocols.types import PeerKey


class Inbox:
    """Direct streams wait for room (their senders feel it); gossip must not wait, it is refused."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._queue: deque[Incoming] = deque()
        self._bytes = 0
        self._of: Counter[PeerKey] = Counter()
        self._bytes_of: Counter[PeerKey] = Counter()
        self._readers = trio.lowlevel.ParkingLot()
        self._writers = trio.lowlevel.ParkingLot()

    async def put(self, message: Incoming) -> None:
        while not self.offer(message):
            await self._writers.park()

    def offer(self, message: Incoming) -> bool:
        """Takes the message if there is room: in all, and in its sender's share."""
        limits, sender = self._limits, message.sender
        full = len(self._queue) >= limits.inbox_messages or self._bytes >= limits.inbox_bytes
        greedy = self._of[sender] >= limits.inbox_share * limits.inbox_messages
        if full or greedy or self._bytes_of[sender] >= limits.inbox_share * limits.inbox_bytes:
            return False
        self._queue.append(message)
        self._count(message, 1)
        self._readers.unpark()
        return True

    async def get(self) -> Incoming:
        while not self._queue:
            await self._readers.park()
        message = self._queue.popleft()
        self._count(message, -1)
        self._writers.unpark_all()  # whose turn it is depends on the sender: let each look
        return message

    def _count(self, message: Incoming, sign: int) -> None:
        sender, size = message.sender, sign * len(message.payload)
        self._bytes += size
        self._of[sender] += sign
        self._bytes_of[sender] += size
        if not self._of[sender]:
            del self._of[sender], self._bytes_of[sender]
