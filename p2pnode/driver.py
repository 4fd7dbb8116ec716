"""The one driver: takes events to the machines and performs their effects through the ports.

Machines are handled one event at a time, in order; what takes long (network, jobs, chain) runs in tasks of its own and
comes back as an event; a fetch and a step also when they fail. A job or a training that fails by a fault of ours is
observed and unanswered: its machine sits the round out, and the ledger's deadline ends it.
"""

from __future__ import annotations

import contextlib
import math
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

import trio

from p2pnode.errors import Unreachable
from p2pnode.exchange import BlobExchange
from p2pnode.learner import Learner
from p2pnode.ports import Ports
from p2pnode.services import RESPONSE_MAX_BYTES
from p2pnode.supervision import Observer, Supervisor
from p2pnode.team import AnyMachine
from protocols.effects import (
    Adopt,
    Anchor,
    AskHeads,
    Attest,
    BeginRound,
    Blame,
    Conclude,
    Differ,
    Effect,
    Fetch,
    Finish,
    Job,
    Journal,
    NeedEpoch,
    Observe,
    Prosecute,
    Publish,
    Send,
    SetTimer,
    Step,
    Store,
    Tell,
    Train,
)
from protocols.encryption.lanes import lanes_digest
from protocols.errors import LocalError, MalformedError, RemoteError
from protocols.events import (
    Event,
    Fetched,
    FetchFailed,
    JobDone,
    JobFailed,
    Received,
    StepFailed,
    Stepped,
    TimerFired,
    Trained,
)
from protocols.rounds.contribution import KIND as MANIFEST
from protocols.rounds.contribution import SPENT
from protocols.told import Certified, Shortfall
from protocols.types import Digest, PeerKey
from protocols.wire.codec import encode
from protocols.wire.envelope import Signed, Signer
from protocols.wire.messages import SetList

QUEUE_MAX: Final = 20_000
INBOUND_MAX: Final = 5_000
"""Queued events from which on messages from outside wait: what this node itself has under way always finds room."""
SEND_TRIES: Final = 4
SEND_RETRY_S: Final = 0.5
KEPT: Final = Journal | Store | Adopt
"""Effects that leave something on the disk."""
MODEL: Final = "model"
"""The purpose for which the ledger fetches a model's bytes."""
LEDGER: Final = -1
"""The height under which the ledger's own machine runs: it lives as long as the node."""


class LedgerHands(Protocol):
    """Who performs what only the ledger asks for: the node."""

    def need_epoch(self, epoch: int) -> None: ...

    def begin_round(self, effect: BeginRound) -> None: ...

    def adopt(self, effect: Adopt) -> None: ...

    def ask_heads(self) -> None: ...

    def finish(self, effect: Finish) -> None: ...

    def anchor(self, effect: Anchor) -> None: ...

    def attest(self, effect: Attest) -> None: ...

    def differ(self, effect: Differ) -> None: ...

    def prosecute(self, effect: Prosecute) -> None: ...


@dataclass
class Team:
    """The machines of one round (or the ledger), with what they have running."""

    height: int
    machines: list[AnyMachine]
    scopes: set[trio.CancelScope] = field(default_factory=set)
    timers: dict[tuple[int, str], trio.CancelScope] = field(default_factory=dict)
    closed: bool = False

    def close(self) -> None:
        """Ends everything that still runs for this round; its machines hear nothing any more."""
        self.closed = True
        self.erase()
        for scope in list(self.scopes):
            scope.cancel()

    def erase(self) -> None:
        """Its machines forget their secrets."""
        for machine in self.machines:
            machine.erase()


class Driver:
    """Events in, effects out.

    Args:
        tasks: runs what takes long.
        hands: performs the ledger's own effects.
    """

    def __init__(
        self,
        ports: Ports,
        sign: Signer,
        learner: Learner,
        observe: Observer,
        tasks: Supervisor,
        hands: LedgerHands,
    ) -> None:
        self._ports, self._sign, self._learner, self._observe = ports, sign, learner, observe
        self._tasks, self._hands = tasks, hands
        self._room = trio.Event()
        self._events, self._queue = trio.open_memory_channel[tuple[Team, AnyMachine | None, Event]](QUEUE_MAX)
        self.sent: Counter[str] = Counter()
        self.blobs = BlobExchange(ports.transport, ports.disk, self._count_blobs, self._complain, self._accuse)
        self.teams: dict[int, Team] = {}
        self.journal: dict[int, list[Journal]] = {}
        self.spent: set[bytes] = set()
        """Tags of this node's updates that were certified; see `Contribution`."""
        self.contributed: set[int] = set()
        """Heights for which this node ever made an update: each may have been opened, and costs privacy."""
        self.lists: dict[int, SetList] = {}
        """The certified lists of the rounds that are under way, as far as they reached this node."""
        self._kept: dict[int, set[Digest]] = {}

    def restore(self, records: tuple[Journal, ...], height: int) -> None:
        """Takes up what was journalled before a crash, and the blobs: they count as kept at this height."""
        for record in records:
            if record.height >= height:
                self.journal.setdefault(record.height, []).append(record)
            self._count(record)
        self._kept[height] = set(self._ports.disk.digests())

    def start(self, team: Team, first: Event) -> None:
        """Puts a team to work."""
        previous = self.teams.pop(team.height, None)
        if previous is not None:
            previous.close()
        self.teams[team.height] = team
        self.post(team, first)

    def store(self, height: int, effect: Store) -> None:
        """Keeps blobs until the round is dropped."""
        self._ports.disk.put(effect.blobs, durable=effect.durable)
        self._kept.setdefault(height, set()).update(digest for digest, _ in effect.blobs)

    def erase(self, below: float = math.inf) -> None:
        """Has the machines of rounds below a height forget their secrets; of all, if none is named."""
        for team in self.teams.values():
            if LEDGER < team.height < below:
                team.erase()

    def drop(self, below: int, keep: Digest) -> None:
        """Ends rounds that nobody needs any more, forgets their journal, and makes room; the head's model stays."""
        for height in sorted(height for height in self._kept if height < below):
            for digest in sorted(self._kept.pop(height)):
                if digest == keep:
                    self._kept.setdefault(below, set()).add(digest)
                elif not any(digest in later for later in self._kept.values()):
                    self._ports.disk.drop(digest)
        for height in [height for height in self.teams if LEDGER < height < below]:
            self.teams.pop(height).close()
        for kept in (self.journal, self.lists):
            for height in [height for height in kept if height < below]:
                del kept[height]

    def post(self, team: Team, event: Event, machine: AnyMachine | None = None) -> None:
        """Queues an event for one machine of a team, or for all.

        Raises:
            trio.WouldBlock: the queue is full, which its bound makes a fault of ours.
        """
        self._events.send_nowait((team, machine, event))

    async def room(self) -> None:
        """Waits until messages from outside may be posted: whoever sends faster than we work must wait."""
        while self.backlog >= INBOUND_MAX:
            await self._room.wait()

    @property
    def backlog(self) -> int:
        """Events that are queued."""
        return self._queue.statistics().current_buffer_used

    def write(self, record: Journal) -> None:
        """Records; durable with the disk's next commit, before which nothing that rests on it may leave the node."""
        self._ports.disk.append(encode(record))
        self.journal.setdefault(record.height, []).append(record)
        self._count(record)

    def _count(self, record: Journal) -> None:
        if record.kind == SPENT:
            self.spent.add(record.payload)
        elif record.kind == MANIFEST:
            self.contributed.add(record.height)

    async def run(self) -> None:
        """Handles events for ever."""
        async for team, machine, event in self._queue:
            if self.backlog < INBOUND_MAX:
                self._room.set()
                self._room = trio.Event()
            pending: deque[tuple[AnyMachine | None, Event]] = deque([(machine, event)])
            while pending and not team.closed:
                target, each = pending.popleft()
                for receiver in [target] if target is not None else list(team.machines):
                    await self._handle(team, receiver, each, pending)

    def guard(self, name: str, team: Team, task: Callable[[], Awaitable[None]]) -> None:
        """Runs a task of a team, for as long as the team is there; see `Supervisor.guard`."""

        async def scoped() -> None:
            with trio.CancelScope() as scope:
                team.scopes.add(scope)
                try:
                    await task()
                finally:
                    team.scopes.discard(scope)

        self._tasks.guard(name, scoped)

    async def _handle(
        self, team: Team, machine: AnyMachine, event: Event, pending: deque[tuple[AnyMachine | None, Event]]
    ) -> None:
        """A fault in one machine must not take the others down.

        What is to be kept is kept first, and durable at the cost of one flush before anything else is performed. Behind
        an effect that failed nothing more is performed in a round: it may be the journal's. The ledger has nothing to
        hide, but a next round to begin: its effects are performed whatever happened to those before.
        """
        if isinstance(event, Received) and not machine.accepts(type(event.message)):
            return
        name = type(machine).__name__
        with self._tasks.surviving(name):
            effects = machine.handle(event, self._ports.clock.now())
            if team.height != LEDGER:
                kept = [effect for effect in effects if isinstance(effect, Journal | Store)]
                for record in kept:
                    self._perform(team, machine, record, pending)
                await self._commit(kept)
                for effect in effects:
                    if not isinstance(effect, Journal | Store):
                        self._perform(team, machine, effect, pending)
                return
            for effect in effects:
                with self._tasks.surviving(f"{name}: {type(effect).__name__}"):
                    self._perform(team, machine, effect, pending)
            await self._commit(effects)

    async def _commit(self, effects: Iterable[Effect]) -> None:
        if any(
            isinstance(effect, Journal | Adopt) or (isinstance(effect, Store) and effect.durable) for effect in effects
        ):
            await self._ports.disk.commit()

    def _perform(
        self, team: Team, machine: AnyMachine, effect: Effect, pending: deque[tuple[AnyMachine | None, Event]]
    ) -> None:
        match effect:
            case Journal():
                self.write(effect)
            case Store():
                self.store(team.height, effect)
            case Send():
                self._send(team, effect)
            case Publish():
                self._publish(team, effect)
            case SetTimer():
                self._set_timer(team, machine, effect)
            case Fetch():
                self.guard("fetch", team, lambda: self._fetch(team, machine, effect))
            case Job():
                self.guard(effect.purpose, team, lambda: self._job(team, machine, effect))
            case Train():
                self.guard("train", team, lambda: self._train(team, machine, effect))
            case Step():
                self.guard("step", team, lambda: self._step(team, machine, effect))
            case Tell(event=event):
                pending.append((None, event))
                if isinstance(event, Certified):
                    self.lists[team.height] = event.certificate.sets
                if isinstance(event, Shortfall) and LEDGER in self.teams and team.height == max(self.teams):
                    self.post(self.teams[LEDGER], event)
            case Conclude(certificate=certificate):
                self.post(self.teams[LEDGER], Received(self._sign(certificate)))
            case Observe(name=name, fields=fields):
                self._observe(name, fields)
            case Blame(culprit=culprit, reason=reason):
                self._observe("refused", {"kind": "protocol", "culprit": culprit.hex(), "reason": reason})
            case _:
                self._ledger_effect(effect)

    def _ledger_effect(self, effect: Effect) -> None:
        match effect:
            case NeedEpoch(epoch=epoch):
                self._hands.need_epoch(epoch)
            case BeginRound():
                self._hands.begin_round(effect)
            case Adopt():
                self._hands.adopt(effect)
            case AskHeads():
                self._hands.ask_heads()
            case Finish():
                self._hands.finish(effect)
            case Anchor():
                self._hands.anchor(effect)
            case Attest():
                self._hands.attest(effect)
            case Differ():
                self._hands.differ(effect)
            case Prosecute():
                self._hands.prosecute(effect)
            case _:
                raise TypeError(f"no hand performs {type(effect).__name__}")

    def _send(self, team: Team, effect: Send) -> None:
        if effect.to == self._ports.transport.peer:
            self.post(team, Received(effect.signed))
            return
        self.guard("send", team, lambda: self._send_with_retries(effect.to, effect.signed))

    async def _send_with_retries(self, to: PeerKey, signed: Signed) -> None:
        """Repeats are harmless in this protocol, so a peer that is away for a moment gets another chance."""
        kind = type(signed.message).__name__
        for attempt in range(SEND_TRIES):
            try:
                await self._ports.transport.send(to, signed.encoded)
            except Unreachable as error:
                last = str(error)
                await self._ports.clock.sleep_until(self._ports.clock.now() + SEND_RETRY_S * 2**attempt)
            else:
                self.sent[kind] += len(signed.encoded)
                return
        self._observe("unreachable", {"peer": to.hex(), "kind": kind, "reason": last})

    def _publish(self, team: Team, effect: Publish) -> None:
        self.sent[type(effect.signed.message).__name__] += len(effect.signed.encoded)
        self.guard("publish", team, lambda: self._ports.transport.publish(effect.topic, effect.signed.encoded))
        self.post(team, Received(effect.signed))  # gossip does not bring our own messages back

    def _set_timer(self, team: Team, machine: AnyMachine, effect: SetTimer) -> None:
        key = (id(machine), effect.name)
        if key in team.timers:
            team.timers.pop(key).cancel()
        scope = team.timers[key] = trio.CancelScope()

        async def wait() -> None:
            with scope:
                await self._ports.clock.sleep_until(effect.at)
                if team.timers.get(key) is scope:
                    del team.timers[key]
                self.post(team, TimerFired(effect.name), machine)

        self.guard("timer", team, wait)

    async def _fetch(self, team: Team, machine: AnyMachine, wanted: Fetch) -> None:
        blobs = None
        with self._tasks.surviving("fetch"):
            blobs = await self.blobs.fetch(wanted)
            if wanted.max_bytes > RESPONSE_MAX_BYTES:  # it came by way of the disk, and goes with its round
                self._kept.setdefault(team.height, set()).update(wanted.digests)
            if blobs is not None and wanted.purpose == MODEL:
                await self._read_model(blobs[0])
        self.post(team, FetchFailed(wanted) if blobs is None else Fetched(wanted, blobs), machine)

    async def _read_model(self, blob: bytes) -> None:
        """Off the loop, for a large one takes long; whether it is the model that was asked for, its digest tells."""
        with contextlib.suppress(MalformedError):  # the ledger finds that its digest is another, and asks others
            self._learner.remember(await self._ports.workers.run(self._learner.read, blob))

    async def _job(self, team: Team, machine: AnyMachine, job: Job) -> None:
        try:
            result = await self._ports.workers.run(job.function, *job.arguments)
        except RemoteError as error:
            self.post(team, JobFailed(job, error), machine)
        else:
            self.post(team, JobDone(job, result), machine)

    async def _train(self, team: Team, machine: AnyMachine, wanted: Train) -> None:
        if wanted.parent != self._learner.head:
            raise LocalError(
                f"round {wanted.height} is not trained for: this node has not got the model it starts from"
            )
        noise = self._learner.noise(wanted, self._ports.entropy)
        lanes = await self._ports.workers.run(self._learner.train, self._learner.model, wanted.height, noise)
        digest = await self._ports.workers.run(lanes_digest, lanes)
        self.post(team, Trained(lanes, digest), machine)

    async def _step(self, team: Team, machine: AnyMachine, effect: Step) -> None:
        stepped: Stepped | StepFailed = StepFailed("this node has not got the model that it starts from")
        if effect.parent == self._learner.head:
            with self._tasks.surviving("step"):
                stepped = StepFailed("the outer step failed on this machine")
                model = await self._ports.workers.run(self._learner.step, self._learner.model, effect.total)
                self._learner.remember(model)
                stepped = Stepped(model.digest)
        self.post(team, stepped, machine)

    def _count_blobs(self, size: int) -> None:
        self.sent["Blob"] += size

    def _accuse(self, holder: PeerKey, reason: str) -> None:
        self._observe("refused", {"kind": "blob", "culprit": holder.hex(), "reason": reason})
        self._ports.transport.blame(holder, "blob-refused")

    def _complain(self, reason: str) -> None:
        self._observe("failed", {"task": "disk", "reason": reason})
