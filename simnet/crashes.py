"""Nodes killed at a record of their journal, in the virtual world: right before it is durable, or right behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal, get_args

import trio

from p2pnode.learning.task import Task
from p2pnode.node import JOURNAL_RECORD_MAX_BYTES, Node
from protocols.effects import Journal
from protocols.wire.codec import decode
from protocols.wire.envelope import Signed, open_envelope
from simnet.events import Sink
from simnet.memory import MemoryDisk
from simnet.roster import Member
from simnet.scenario import Fault, Scenario
from simnet.world import World

Moment = Literal["before", "torn", "after", "leaving"]
MOMENTS: Final[tuple[Moment, ...]] = get_args(Moment)


@dataclass(frozen=True, slots=True)
class Crash:
    """A node dies at its first record of a kind at this height.

    Attributes:
        moment: `before` the record is on the disk, when all but its last byte is (`torn`), right `after` it is durable
            and nothing has left, or as soon as one more message has left (`leaving`).
        seconds: until it is started again.
        power_cut: what was not flushed is lost wholly, not only by the process.
    """

    node: str
    kind: str
    height: int
    moment: Moment
    seconds: float = 1.0
    power_cut: bool = False


def journal_of(disk: MemoryDisk) -> list[Journal]:
    """A disk's records, read."""
    return [_read(record) for record in disk.records()]


class MortalDisk(MemoryDisk):
    """A disk whose node dies at some of its records.

    Args:
        die: told at the moment of death, with what the disk keeps; the node that called must not come back.
        lies: it says that records are durable as soon as they are written; the last flush is lost in a crash.
    """

    def __init__(
        self, crashes: Iterable[Crash], die: Callable[[Crash, MortalDisk], None], *, lies: bool = False
    ) -> None:
        super().__init__()
        self._crashes, self._die, self._lies = list(crashes), die, lies
        self._leaving: Crash | None = None
        self._before_flush = 0

    async def commit(self) -> None:
        written = [_read(record) for record in self.unflushed]
        places = [(record.kind, record.height) for record in written]
        crash = next((each for each in self._crashes if (each.kind, each.height) in places), None)
        if crash is not None:
            self._crashes.remove(crash)
        if crash is None or crash.moment in ("after", "leaving"):
            self._before_flush = self._flushed
            await super().commit()
        if crash is None:
            return
        if crash.moment == "leaving":
            self._leaving = crash
            return
        self._end(crash)
        await trio.sleep_forever()  # dead: the caller's scope is cancelled

    def left(self) -> None:
        """A message has left the node."""
        if self._leaving is not None:
            crash, self._leaving = self._leaving, None
            self._end(crash)

    def _end(self, crash: Crash) -> None:
        other = MortalDisk(self._crashes, self._die, lies=self._lies)
        if self._lies:
            self._flushed = self._before_flush
        self.crash(torn=crash.moment == "torn", power_cut=crash.power_cut, into=other)
        self._die(crash, other)


class CrashWorld(World):
    """A virtual run in which nodes die at records of their journals, and which remembers all that anybody sent.

    Attributes:
        died: the crashes that came to pass.
        senders: who has sent anything.
    """

    def __init__(
        self,
        scenario: Scenario,
        sink: Sink,
        crashes: Iterable[Crash] = (),
        *,
        lies: bool = False,
        task: Task | None = None,
    ) -> None:
        super().__init__(scenario, sink, task)
        self.died: list[Crash] = []
        self.senders: set[str] = set()
        self._payloads: dict[bytes, None] = {}
        listed = list(crashes)
        self._mortal = {
            name: MortalDisk([each for each in listed if each.node == name], self._bury, lies=lies)
            for name in self.members
        }
        self.disks |= self._mortal

    def said(self) -> list[Signed]:
        """Every message that ever left any node, once."""
        return [open_envelope(payload) for payload in self._payloads]

    def _node(self, member: Member) -> Node:
        node = super()._node(member)
        self.gates[member.name].tap = partial(self._left, member.name)
        return node

    def _left(self, name: str, payload: bytes) -> None:
        self._payloads[payload] = None
        self.senders.add(name)
        self._mortal[name].left()

    def _bury(self, crash: Crash, kept: MortalDisk) -> None:
        name = crash.node
        self.died.append(crash)
        fault = Fault(kind="restart", at_height=crash.height, peers=(name,), seconds=crash.seconds, probability=0)
        self._strike(fault, (name,))
        self.disks[name] = self._mortal[name] = kept


def _read(record: bytes) -> Journal:
    return decode(record, Journal, JOURNAL_RECORD_MAX_BYTES)
