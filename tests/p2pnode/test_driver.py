"""The driver with machines that do as the test says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import trio
from trio.testing import MockClock

from p2pnode.driver import INBOUND_MAX, LEDGER, Driver, Team
from p2pnode.pieces import PieceServer
from p2pnode.services import PIECE, RESPONSE_MAX_BYTES
from p2pnode.supervision import Supervisor
from protocols.effects import (
    AskHeads,
    BeginRound,
    Blame,
    Conclude,
    Fetch,
    Head,
    Job,
    Journal,
    Observe,
    Publish,
    Send,
    SetTimer,
    Step,
    Store,
    Tell,
    Train,
)
from protocols.errors import LocalError, MalformedError
from protocols.events import (
    Fetched,
    FetchFailed,
    JobDone,
    JobFailed,
    Received,
    Started,
    StepFailed,
    Stepped,
    TimerFired,
    Trained,
)
from protocols.told import Shortfall
from protocols.types import NO_DIGEST, Digest, Height, PeerKey
from protocols.updates.pieces import PIECE_BYTES, blob_digest
from protocols.wire.envelope import open_envelope
from protocols.wire.messages import Header, HeaderCertificate, Receipt, Vote
from simnet.memory import MemoryDisk
from tests.p2pnode.kit import InMemory, Seen, in_memory, settled
from tests.protocols.playbook import CONTRIBUTORS, ROUND, VIEW, Peer

ME, OTHER, LIAR = CONTRIBUTORS[:3]
RECEIPT = Receipt(VIEW.slot(ROUND), NO_DIGEST, 1)
BLOBS = [Digest(bytes([number]) * 32) for number in range(1, 5)]


class Scripted:
    """A machine that answers an event's type by effects, and remembers what it was told."""

    def __init__(self, answers: dict[type, Callable[[Any], list[Any]]] | None = None) -> None:
        self.answers = answers or {}
        self.events: list[Any] = []
        self.erased = False

    def erase(self) -> None:
        self.erased = True

    def accepts(self, message: type) -> bool:
        return message is Receipt

    def handle(self, event: Any, _: float) -> list[Any]:
        self.events.append(event)
        answer = self.answers.get(type(event))
        return answer(event) if answer else []

    def got(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def at_start(*effects: object) -> Scripted:
    return Scripted({Started: lambda _: list(effects)})


@dataclass
class Hands:
    asked: list[Any] = field(default_factory=list)

    def ask_heads(self) -> None:
        self.asked.append("heads")

    def begin_round(self, effect: BeginRound) -> None:
        raise LocalError("cannot begin")


class OneModel:
    """A learner whose model is a name."""

    head, model = NO_DIGEST, "genesis"

    def __init__(self) -> None:
        self.remembered: list[Any] = []

    def noise(self, wanted: Train, entropy: Callable[[], bytes]) -> str | None:
        return f"noise for {wanted.members}" if wanted.members else None

    def train(self, model: str, height: int, noise: str | None) -> np.ndarray:
        said = f"{model} trained in {height}" + (f" with {noise}" if noise else "")
        return np.array([ord(letter) for letter in said])

    def step(self, _: str, total: bytes) -> Any:
        if not total:
            raise ZeroDivisionError
        return SimpleNamespace(digest=Digest(total))

    def remember(self, model: Any) -> None:
        self.remembered.append(model)


@dataclass
class Scene:
    world: InMemory
    driver: Driver
    seen: Seen
    disk: MemoryDisk
    hands: Hands
    learner: OneModel

    def begin(self, *machines: Scripted, height: int = 5) -> Team:
        team = Team(height, list(machines))  # type: ignore[arg-type]  # doubles of machines
        self.driver.start(team, Started())
        return team


@asynccontextmanager
async def scene(peer: Peer = ME, disk: MemoryDisk | None = None) -> AsyncIterator[Scene]:
    async with in_memory() as world:
        seen, hands, learner, disk = Seen(), Hands(), OneModel(), disk or MemoryDisk()
        tasks = Supervisor(world.nursery, world.ports(peer).clock, seen)
        ports = world.ports(peer, disk)
        driver = Driver(ports, peer.sign, learner, seen, tasks, hands)  # type: ignore[arg-type]  # doubles
        world.nursery.start_soon(driver.run)
        yield Scene(world, driver, seen, disk, hands, learner)


def journal(height: int = 5, payload: bytes = b"x") -> Journal:
    return Journal("kind", Height(height), b"slot", payload)


class FullDisk(MemoryDisk):
    def append(self, record: bytes) -> None:
        raise LocalError("no space left")


# ---------------------------------------------------------------------------------------------------- what goes wrong


async def test_a_fault_in_one_machine_leaves_the_others_alone(autojump_clock: MockClock) -> None:
    def bug(_: Started) -> list[Any]:
        raise ZeroDivisionError

    async with scene() as at:
        healthy = Scripted()
        at.begin(Scripted({Started: bug}), healthy)
        await settled()
        assert healthy.got(Started)
        assert at.seen.named("unexpected")[0]["task"] == "Scripted"
        next_round = Scripted()
        at.begin(next_round, height=6)
        await settled()
        assert next_round.got(Started)


async def test_what_cannot_be_journalled_is_not_sent(autojump_clock: MockClock) -> None:
    async with scene(disk=FullDisk()) as at:
        other = at.world.network.attach(OTHER.key)
        at.begin(at_start(journal(), Send(OTHER.key, ME.sign(RECEIPT))))
        with trio.move_on_after(20) as waited:
            await other.receive()
        assert waited.cancelled_caught
        assert at.seen.named("failed") == [{"task": "Scripted", "reason": "no space left"}]


async def test_the_ledger_goes_on_behind_an_effect_that_failed(autojump_clock: MockClock) -> None:
    async with scene() as at:
        ledger = at_start(BeginRound(Height(1), Head(1, NO_DIGEST, NO_DIGEST)), SetTimer("round", 0.0), AskHeads())
        at.begin(ledger, height=LEDGER)
        await settled()
        assert at.seen.named("failed")[0]["reason"] == "cannot begin"
        assert ledger.got(TimerFired)
        assert at.hands.asked == ["heads"]


async def test_an_effect_that_nobody_performs_is_seen(autojump_clock: MockClock) -> None:
    async with scene() as at:
        at.begin(at_start("not an effect"))
        await settled()
        assert isinstance(at.seen.named("unexpected")[0]["error"], TypeError)


def divide(by: int) -> float:
    return 1 / by


def refuse(culprit: Any) -> None:
    raise MalformedError("junk", {culprit})


async def test_jobs_come_back_with_result_or_culprit_and_bugs_are_seen(autojump_clock: MockClock) -> None:
    async with scene() as at:
        machine = at_start(Job("good", divide, (2,)), Job("bad", refuse, (OTHER.key,)), Job("bug", divide, (0,)))
        at.begin(machine)
        await settled()
        (done,), (failed,) = machine.got(JobDone), machine.got(JobFailed)
        assert (done.job.purpose, done.result) == ("good", 0.5)
        assert (failed.job.purpose, failed.error.culprits) == ("bad", {OTHER.key})
        assert [each["task"] for each in at.seen.named("unexpected")] == ["bug"]


class BrokenDisk(MemoryDisk):
    def get(self, digest: Digest) -> bytes | None:
        raise OSError("input/output error")


@pytest.mark.parametrize("disk", [MemoryDisk(), BrokenDisk()])
async def test_a_fetch_is_always_answered(autojump_clock: MockClock, disk: MemoryDisk) -> None:
    async with scene(disk=disk) as at:
        machine = at_start(Fetch("blob", None, (BLOBS[0],), (OTHER.key,), 100))
        at.begin(machine)
        await settled()
        assert len(machine.got(FetchFailed)) == 1


async def test_a_big_blob_goes_with_its_round_and_who_lies_about_it_is_named(autojump_clock: MockClock) -> None:
    async def lie(_: PeerKey, __: bytes) -> bytes:
        return bytes(PIECE_BYTES)

    big = b"total" * PIECE_BYTES
    async with scene() as at:
        for peer in (OTHER, LIAR):
            disk = MemoryDisk()
            disk.put(((blob_digest(big), big),), durable=True)
            transport = at.world.ports(peer, disk).transport
            PieceServer(transport, disk, lambda _: None, lambda _: None)
        transport.serve(PIECE, lie)
        wanted = Fetch("total", None, (blob_digest(big),), (LIAR.key, OTHER.key), RESPONSE_MAX_BYTES + 1)
        machine = at_start(wanted)
        at.begin(machine, height=5)
        await settled()
        assert machine.got(Fetched) == [Fetched(wanted, (big,))]
        assert {each["culprit"] for each in at.seen.named("refused")} == {LIAR.key.hex()}
        at.driver.store(7, Store(((blob_digest(big), big),)))
        at.driver.drop(below=6, keep=NO_DIGEST)
        assert at.disk.digests() == (blob_digest(big),), "a later round has it too"
        at.driver.drop(below=8, keep=NO_DIGEST)
        assert at.disk.digests() == ()


async def test_a_step_is_always_answered(autojump_clock: MockClock) -> None:
    async with scene() as at:
        machine = at_start(Step(NO_DIGEST, BLOBS[1]), Step(NO_DIGEST, b""), Step(BLOBS[0], BLOBS[1]))
        at.begin(machine)
        await settled()
        assert machine.got(Stepped) == [Stepped(Digest(BLOBS[1]))]
        assert sorted(each.reason.split()[0] for each in machine.got(StepFailed)) == ["the", "this"]
        assert [each.digest for each in at.learner.remembered] == [BLOBS[1]]
        assert isinstance(at.seen.named("unexpected")[0]["error"], ZeroDivisionError)


async def test_training_starts_from_the_wanted_model_or_not_at_all(autojump_clock: MockClock) -> None:
    async with scene() as at:
        wanted = Train(NO_DIGEST, Height(5), 0, 0), Train(BLOBS[0], Height(5), 0, 0), Train(NO_DIGEST, Height(5), 8, 5)
        machine = at_start(*wanted)
        at.begin(machine)
        await settled()
        assert sorted("".join(map(chr, each.lanes)) for each in machine.got(Trained)) == [
            "genesis trained in 5",
            "genesis trained in 5 with noise for 8",
        ]
        assert "is not trained for" in at.seen.named("failed")[0]["reason"]


# ------------------------------------------------------------------------------------------------------------- sending


async def test_a_peer_that_is_away_for_a_moment_gets_its_message(autojump_clock: MockClock) -> None:
    async with scene() as at:
        at.begin(at_start(Send(OTHER.key, ME.sign(RECEIPT))))
        await trio.sleep(1)
        incoming = await at.world.network.attach(OTHER.key).receive()
        assert open_envelope(incoming.payload).message == RECEIPT
        await settled()
        assert at.driver.sent["Receipt"] == len(incoming.payload)
        assert at.seen.events == []


async def test_a_peer_that_stays_away_is_reported_once(autojump_clock: MockClock) -> None:
    async with scene() as at:
        at.begin(at_start(Send(OTHER.key, ME.sign(RECEIPT))))
        await settled(20)
        (unreachable,) = at.seen.named("unreachable")
        assert (unreachable["peer"], unreachable["kind"]) == (OTHER.key.hex(), "Receipt")
        assert at.driver.sent["Receipt"] == 0


async def test_messages_to_oneself_arrive(autojump_clock: MockClock) -> None:
    async with scene() as at:
        sends = at_start(Send(ME.key, ME.sign(RECEIPT)), Publish("subnet", ME.sign(RECEIPT)))
        at.begin(sends)
        await settled()
        assert [each.message for each in sends.got(Received)] == [RECEIPT, RECEIPT]


async def test_machines_hear_only_what_they_accept(autojump_clock: MockClock) -> None:
    async with scene() as at:
        machine = Scripted()
        team = at.begin(machine)
        at.driver.post(team, Received(ME.sign(Vote(VIEW.slot(ROUND), 0, 1, NO_DIGEST, None))))
        at.driver.post(team, Received(ME.sign(RECEIPT)))
        await settled()
        assert [each.message for each in machine.got(Received)] == [RECEIPT]


async def test_a_conclusion_goes_to_the_ledger(autojump_clock: MockClock) -> None:
    header = Header(VIEW.slot(ROUND), NO_DIGEST, NO_DIGEST, NO_DIGEST, NO_DIGEST, (), None)
    certificate = HeaderCertificate(header, ())

    class Ledgerly(Scripted):
        def accepts(self, message: type) -> bool:
            return message is HeaderCertificate

    async with scene() as at:
        ledger = Ledgerly()
        at.begin(ledger, height=LEDGER)
        at.begin(at_start(Conclude(certificate)))
        await settled()
        assert [each.message for each in ledger.got(Received)] == [certificate]


async def test_observations_and_blame_are_told(autojump_clock: MockClock) -> None:
    async with scene() as at:
        at.begin(at_start(Observe("phase", {"height": 5}), Blame(OTHER.key, "lies")))
        await settled()
        refused = {"kind": "protocol", "culprit": OTHER.key.hex(), "reason": "lies"}
        assert at.seen.events == [("phase", {"height": 5}), ("refused", refused)]


# -------------------------------------------------------------------------------------------------- teams and their end


async def test_machines_of_a_team_tell_each_other_in_order(autojump_clock: MockClock) -> None:
    async with scene() as at:
        ledger, teller, listener = Scripted(), at_start(Tell(Shortfall("too few"))), Scripted()
        at.begin(ledger, height=LEDGER)
        at.begin(teller, listener)
        await settled()
        assert listener.events == [Started(), Shortfall("too few")]
        assert ledger.got(Shortfall) == [Shortfall("too few")]


async def test_a_past_rounds_shortfall_is_not_the_present_rounds(autojump_clock: MockClock) -> None:
    async with scene() as at:
        ledger = Scripted()
        at.begin(ledger, height=LEDGER)
        at.begin(Scripted(), height=6)
        at.begin(at_start(Tell(Shortfall("too few"))), height=5)
        await settled()
        assert ledger.got(Shortfall) == []


async def test_a_round_begun_again_has_new_machines_only(autojump_clock: MockClock) -> None:
    """Else the old ones, who do not know what the new ones signed, could sign something else."""
    async with scene() as at:
        now = at.world.ports(OTHER).clock.now()
        old = at_start(SetTimer("later", now + 5))
        team = at.begin(old)
        await settled(1)
        at.driver.post(team, Received(ME.sign(RECEIPT)))
        new = Scripted()
        at.begin(new)
        await settled(10)
        assert old.got(Received) == old.got(TimerFired) == []
        assert new.events == [Started()]


async def test_a_timer_set_again_fires_once(autojump_clock: MockClock) -> None:
    async with scene() as at:
        now = at.world.ports(OTHER).clock.now()
        machine, other = at_start(SetTimer("t", now + 1), SetTimer("t", now + 2), SetTimer("u", now + 1)), Scripted()
        at.begin(machine, other)
        await settled(10)
        assert [each.name for each in machine.got(TimerFired)] == ["u", "t"]
        assert other.got(TimerFired) == []


async def test_old_rounds_end_and_leave_nothing_but_the_heads_model(autojump_clock: MockClock) -> None:
    async with scene() as at:
        now = at.world.ports(OTHER).clock.now()
        old = at_start(Store(((BLOBS[0], b"model"), (BLOBS[1], b"chunk"))), journal(), SetTimer("t", now + 5))
        at.begin(old, height=5)
        at.begin(at_start(Store(((BLOBS[2], b"new"),))), height=8)
        await settled(1)
        new = at.driver.teams[8].machines
        at.driver.erase(below=7)
        assert old.erased, "before it ends: what it keeps must not outlive its epoch"
        at.driver.drop(below=7, keep=BLOBS[0])
        await settled(10)
        assert not any(machine.erased for machine in new)
        assert old.got(TimerFired) == []
        assert sorted(at.disk.digests()) == [BLOBS[0], BLOBS[2]]
        assert (set(at.driver.teams), set(at.driver.journal)) == ({8}, set())
        at.driver.drop(below=9, keep=BLOBS[3])
        assert at.disk.digests() == ()


async def test_what_was_stored_before_a_restart_is_dropped_in_time_too(autojump_clock: MockClock) -> None:
    disk = MemoryDisk()
    for blob in BLOBS:
        disk.put(((blob, b"old"),), durable=True)
    async with scene(disk=disk) as at:
        records = (journal(4), journal(5, b"first"), journal(5, b"second"))
        at.driver.restore(records, height=5)
        assert at.driver.journal == {5: [*records[1:]]}
        at.driver.drop(below=5, keep=NO_DIGEST)
        assert len(disk.digests()) == len(BLOBS)
        at.driver.drop(below=6, keep=BLOBS[0])
        assert disk.digests() == (BLOBS[0],)


# ------------------------------------------------------------------------------------------------------------ the queue


async def test_whoever_sends_faster_than_we_work_waits(autojump_clock: MockClock) -> None:
    async with in_memory() as world:
        seen, ports = Seen(), world.ports(ME)
        tasks = Supervisor(world.nursery, ports.clock, seen)
        driver = Driver(ports, ME.sign, OneModel(), seen, tasks, Hands())  # type: ignore[arg-type]  # doubles
        machine = Scripted()
        team, message = Team(5, [machine]), Received(ME.sign(RECEIPT))  # type: ignore[list-item]  # a double
        for _ in range(INBOUND_MAX):
            await driver.room()
            driver.post(team, message)
        with trio.move_on_after(1) as waited:
            await driver.room()
        assert waited.cancelled_caught
        assert driver.backlog == INBOUND_MAX
        driver.post(team, TimerFired("ours"))  # what this node has under way itself finds room
        world.nursery.start_soon(driver.run)
        await driver.room()
        await settled()
        assert len(machine.events) == INBOUND_MAX + 1
