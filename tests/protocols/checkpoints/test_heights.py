from __future__ import annotations

import dataclasses
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocols.checkpoints.machine import (
    ABANDONED,
    FOLLOW_S,
    LAST_ASK_S,
    LAST_ASKS,
    Ledger,
    State,
    header_digest,
    restore,
    restore_height,
)
from protocols.effects import (
    AskHeads,
    BeginRound,
    Finish,
    Journal,
    NeedEpoch,
    SetTimer,
)
from protocols.events import (
    EpochKnown,
    Event,
    Spoke,
    Started,
    TimerFired,
)
from protocols.rounds.epoch import EpochView
from protocols.told import Shortfall
from protocols.types import NO_DIGEST, Height
from tests.protocols.checkpoints.scene import (
    CHAIN,
    GENESIS,
    NEXT,
    ROUND_S,
    apply,
    arrives,
    ledger,
)
from tests.protocols.playbook import (
    PARAMS,
    STRANGER,
    VALIDATOR,
    VIEW,
    observed,
    of,
)

# ------------------------------------------------------------------------------------------------------- abandoning


def test_at_the_deadline_the_round_is_abandoned_with_its_reason_and_the_next_begins_from_the_same_head() -> None:
    machine = ledger()
    machine.handle(Shortfall("cell 0: 2 of at least 3"), 10.0)
    observe, journal, *effects = machine.handle(TimerFired("round"), 75.0)
    assert observed([observe], "abandoned") == [{"height": 0, "reason": "cell 0: 2 of at least 3"}]
    assert journal == Journal(ABANDONED, Height(0), b"", b"")
    assert effects == [AskHeads(), BeginRound(Height(1), GENESIS), SetTimer("round", 75.0 + ROUND_S)]
    (fields,) = observed(machine.handle(TimerFired("round"), 150.0), "abandoned")
    assert fields == {"height": 1, "reason": "no certified result by the deadline"}, "a reason serves one round"


def test_a_late_certificate_still_wins() -> None:
    """Two rounds were abandoned here; the first one was concluded elsewhere."""
    machine = ledger()
    machine.handle(TimerFired("round"), 75.0)
    machine.handle(TimerFired("round"), 150.0)
    assert machine.height == 2
    begin = of(apply(machine, 0, 151.0), BeginRound)[0]
    assert (begin.height, begin.head.header) == (1, header_digest(CHAIN[0]))


def test_nothing_is_abandoned_while_a_header_is_applied() -> None:
    machine = ledger()
    machine.handle(arrives(0), 0)
    assert machine.handle(TimerFired("round"), 75.0) == []


def test_abandoned_up_to_the_border_it_waits_for_the_next_epoch() -> None:
    machine = ledger()
    for _ in VIEW.heights:
        effects = machine.handle(TimerFired("round"), 0)
    assert effects[-1] == NeedEpoch(1)
    assert machine.handle(TimerFired("round"), 0) == []


# ------------------------------------------------------------------------------------------------------------ ending


def test_the_run_ends_at_its_final_height() -> None:
    machine = ledger(PARAMS.with_(final_height=2))
    apply(machine, 0)
    effects = apply(machine, 1)
    assert of(effects, Finish) == [Finish(machine.head)]
    assert of(effects, BeginRound) == []
    assert machine.state is State.FINISHED
    assert machine.head.next_height == 2
    for event in (TimerFired("round"), Shortfall("late"), arrives(3), EpochKnown(NEXT), SPEECH):
        assert of(machine.handle(event, 0), BeginRound) == []


def lingering() -> Ledger:
    """It applied height 0 and abandoned height 1, the last."""
    machine = ledger(PARAMS.with_(final_height=2))
    apply(machine, 0)
    effects = machine.handle(TimerFired("round"), 100.0)
    assert of(effects, Finish) == of(effects, BeginRound) == []
    assert effects[-1] == SetTimer("last", 100.0 + LAST_ASK_S)
    return machine


def test_who_abandons_the_last_round_asks_for_a_while_whether_others_completed_it() -> None:
    machine = lingering()
    for _ in range(LAST_ASKS):
        assert machine.handle(TimerFired("last"), 100.0) == [AskHeads(), SetTimer("last", 100.0 + LAST_ASK_S)]
    assert machine.handle(TimerFired("last"), 100.0) == [Finish(machine.head)]
    assert machine.head.next_height == 1
    for event in (TimerFired("last"), TimerFired("round"), arrives(1), SPEECH):
        assert machine.handle(event, 0) == []


def test_its_late_header_is_applied_and_ends_the_run() -> None:
    machine = lingering()
    effects = apply(machine, 1, 120.0)
    assert of(effects, Finish) == [Finish(machine.head)]
    assert machine.head.next_height == 2
    assert machine.handle(TimerFired("last"), 130.0) == []


def test_a_late_header_of_the_round_before_brings_it_back_into_the_last() -> None:
    machine = ledger(PARAMS.with_(final_height=2))
    for _ in range(2):
        machine.handle(TimerFired("round"), 0)
    assert machine.state is State.LINGERING
    assert of(apply(machine, 0), BeginRound)[0].height == 1


# ------------------------------------------------------------------------------------------------------ meeting again


def speaks(member: int, height: int, view: EpochView = VIEW) -> Spoke:
    return Spoke(view.committee[member - 1], view.slot(height))


SPEECH = speaks(1, 4)


def test_more_members_than_may_lie_are_followed_to_their_round() -> None:
    machine = ledger()
    assert machine.handle(speaks(1, 4), 0) == [], "f members may say anything"
    assert machine.handle(speaks(2, 3), 7.0) == [AskHeads(), SetTimer("follow", 7.0 + FOLLOW_S)]
    assert machine.handle(speaks(3, 3), 8.0) == [], "once is enough"
    observe, *effects = machine.handle(TimerFired("follow"), 12.0)
    assert observed([observe], "abandoned") == [{"height": 0, "reason": "others are in round 3"}]
    begins = [BeginRound(Height(3), GENESIS), SetTimer("round", 12.0 + ROUND_S)]
    assert effects == [Journal(ABANDONED, Height(2), b"", b""), AskHeads(), *begins]
    assert machine.height == 3


def test_a_header_that_comes_meanwhile_wins() -> None:
    machine = ledger()
    hear(machine, speaks(1, 1), speaks(2, 1))
    apply(machine, 0)
    assert machine.height == 1
    assert machine.handle(TimerFired("follow"), 5.0) == []

    machine = ledger()
    hear(machine, speaks(1, 3), speaks(2, 3), arrives(0))
    assert machine.handle(TimerFired("follow"), 5.0) == [SetTimer("follow", 5.0 + FOLLOW_S)], "it is being applied"


def hear(machine: Ledger, *events: Event) -> None:
    for event in events:
        machine.handle(event, 0)


@pytest.mark.parametrize(
    "said",
    [
        [speaks(1, 3), speaks(1, 4)],
        [speaks(1, 3), Spoke(STRANGER.key, VIEW.slot(3))],
        [speaks(1, 3), Spoke(VALIDATOR.key, VIEW.slot(3))],
        [speaks(1, 3), Spoke(VIEW.committee[1], dataclasses.replace(VIEW.slot(3), chain_id=1))],
        [speaks(1, 3), Spoke(VIEW.committee[1], dataclasses.replace(VIEW.slot(3), committee_root=NO_DIGEST))],
        [speaks(1, 3), Spoke(VIEW.committee[1], VIEW.slot(5))],
        [speaks(1, 5, NEXT), speaks(2, 5, NEXT)],
        [speaks(1, 3), speaks(2, 0)],
    ],
    ids=["one", "stranger", "validator", "chain", "root", "not its epoch's", "unknown epoch", "only one ahead"],
)
def test_nothing_less_moves_it(said: list[Spoke]) -> None:
    machine = ledger()
    assert [effect for event in said for effect in machine.handle(event, 0)] == []
    assert machine.handle(TimerFired("follow"), 5.0) == []
    assert machine.height == 0


def test_across_an_epochs_border_too_even_while_the_chain_is_waited_for() -> None:
    machine = Ledger(PARAMS, VALIDATOR.key, 6, GENESIS)
    hear(machine, Started(), EpochKnown(NEXT), speaks(1, 6, NEXT), speaks(3, 6, NEXT))
    assert of(machine.handle(TimerFired("follow"), 5.0), BeginRound)[0].height == 6


def test_a_restart_does_not_go_back_to_abandoned_rounds_but_goes_where_a_late_header_led() -> None:
    machine = ledger()
    records: list[Journal] = []
    for effects in (machine.handle(TimerFired("round"), 0), machine.handle(TimerFired("round"), 0)):
        records += of(effects, Journal)
    again = Ledger(PARAMS, VALIDATOR.key, 6, restore(tuple(records), GENESIS), restore_height(tuple(records)))
    assert again.height == machine.height == 2
    records += of(apply(machine, 0), Journal)
    again = Ledger(PARAMS, VALIDATOR.key, 6, restore(tuple(records), GENESIS), restore_height(tuple(records)))
    assert again.height == machine.height == 1
    assert restore_height(()) == 0


@given(st.lists(st.integers(0, 4), min_size=4, max_size=4))
def test_members_that_abandoned_rounds_at_other_times_meet_again(heights: list[int]) -> None:
    """Each says in which round it is, and f + 1 = 2 are followed: then t = 3 of 4 are in one round."""
    ledgers = []
    for height in heights:
        machine = ledger()
        for _ in range(height):
            machine.handle(TimerFired("round"), 0)
        ledgers.append(machine)
    for _ in range(2):
        said = [speaks(member, each.height) for member, each in enumerate(ledgers, start=1)]
        for machine in ledgers:
            hear(machine, *(speech for speech in said if speech.slot.height > machine.height))
            machine.handle(TimerFired("follow"), 5.0)
    assert max(Counter(machine.height for machine in ledgers).values()) >= PARAMS.threshold
