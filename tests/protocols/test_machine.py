from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import ClassVar

import pytest

from protocols.agreement.machine import Agreement
from protocols.checkpoints.machine import Ledger
from protocols.effects import Effects, Fetch, Job, Observe
from protocols.errors import RemoteError, TransitionError
from protocols.events import Event, Fetched, FetchFailed, JobDone, JobFailed, Started, TimerFired
from protocols.machine import Key, Machine, event_key
from protocols.rounds.aggregation import Aggregation
from protocols.rounds.conclusion import Conclusion
from protocols.rounds.contribution import Contribution
from protocols.rounds.custody import Custody
from protocols.rounds.opening import CellOpening
from protocols.told import Available, Ready, Shortfall
from protocols.types import NO_DIGEST
from protocols.verification.audit import Audit
from protocols.wire.messages import Receipt, Vote
from tests.protocols.playbook import COMMITTEE, VIEW, received

ALL = [Agreement, Aggregation, Audit, CellOpening, Conclusion, Contribution, Custody, Ledger]
JOB = Job("add", sum, ((1, 2),))
FETCH = Fetch("sum", None, (NO_DIGEST,), (), 1)
VOTE = received(COMMITTEE[0], Vote(VIEW.slot(0), 0, 1, NO_DIGEST, None))


class State(enum.Enum):
    CLOSED = enum.auto()
    OPEN = enum.auto()


class Door(Machine[State]):
    TABLE: ClassVar[Mapping[tuple[State, Key], str]] = {
        (State.CLOSED, Started): "open",
        (State.OPEN, Vote): "note",
        (State.OPEN, "timer:close"): "close",
        (State.OPEN, "done:add"): "note",
        (State.OPEN, "failed:add"): "note",
        (State.OPEN, "fetched:sum"): "note",
        (State.OPEN, "unfetched:sum"): "note",
    }
    IGNORED: ClassVar[frozenset[Key]] = frozenset()

    def open(self, _: Event, __: float) -> Effects:
        self.state = State.OPEN
        return []

    def close(self, _: Event, __: float) -> Effects:
        self.state = State.CLOSED
        return []

    def note(self, event: Event, now: float) -> Effects:
        return [Observe(str(event_key(event)), {"at": now})]


@pytest.mark.parametrize(
    "event",
    [
        VOTE,
        JobDone(JOB, 3),
        JobFailed(JOB, RemoteError("")),
        Fetched(FETCH, (b"",)),
        FetchFailed(FETCH),
    ],
)
def test_the_table_names_who_answers(event: Event) -> None:
    door = Door(State.OPEN)
    assert door.handle(event, 1.5) == [Observe(str(event_key(event)), {"at": 1.5})]


def test_the_state_decides() -> None:
    door = Door(State.CLOSED)
    assert door.handle(Started(), 0) == []
    assert door.state is State.OPEN
    door.handle(TimerFired("close"), 0)
    assert door.state is State.CLOSED


@pytest.mark.parametrize("event", [VOTE, TimerFired("close"), Fetched(FETCH, ()), FetchFailed(FETCH), Shortfall("")])
def test_what_may_be_late_is_passed_over(event: Event) -> None:
    assert Door(State.CLOSED).handle(event, 0) == []


@pytest.mark.parametrize("event", [JobDone(JOB, 3), JobFailed(JOB, RemoteError(""))])
def test_what_the_table_does_not_allow_is_an_error_with_a_name(event: Event) -> None:
    with pytest.raises(TransitionError, match="Door in state CLOSED does not allow"):
        Door(State.CLOSED).handle(event, 0)
    with pytest.raises(TransitionError, match=r"Door in state OPEN does not allow .*Started"):
        Door(State.OPEN).handle(Started(), 0)


@pytest.mark.parametrize("told", [Ready({}, final=True), Available(0, frozenset()), Shortfall("why")])
def test_what_others_are_told_is_passed_over(told: Event) -> None:
    """The driver hands every `Tell` to every machine of the round, whatever their states."""
    assert Door(State.CLOSED).handle(told, 0) == []


def test_a_machine_says_which_messages_it_has_a_use_for() -> None:
    assert Door.accepts(Vote)
    assert not Door.accepts(Receipt)


@pytest.mark.parametrize("machine", ALL, ids=lambda machine: machine.__name__)
def test_every_name_in_every_table_is_a_method(machine: type[Machine[State]]) -> None:
    assert all(callable(getattr(machine, name)) for name in machine.TABLE.values())
