from __future__ import annotations

import dataclasses

import pytest

from protocols.agreement.certificate import check_list, list_digest
from protocols.agreement.evidence import decode_evidence
from protocols.agreement.machine import (
    ASK_S,
    EVIDENCE,
    GROW_S,
    PROPOSE_S,
    VIEW_MAX,
    VOTE_S,
    Agreement,
    State,
)
from protocols.agreement.memory import LOCK, PROPOSAL, VOTE
from protocols.effects import Journal, Send, SetTimer, Tell
from protocols.events import Received, TimerFired
from protocols.told import Certified, Ready, Shortfall
from protocols.types import Digest
from protocols.wire.messages import (
    PRECOMMIT,
    PREVOTE,
    CellSet,
    Contribution,
    Proposal,
    SetList,
    Status,
    Vote,
)
from tests.protocols.agreement.scene import (
    ALL,
    BY_RANK,
    HELD,
    READY,
    SLOT,
    SMALLER,
    SMALLEST,
    VOTER,
    a_list,
    a_vote,
    agreement,
    begun,
    ends,
    hears,
    held_of,
    polka,
    precommits,
    prevotes,
    proposes,
    voted,
)
from tests.protocols.playbook import (
    CELLS,
    CONTRIBUTORS,
    ROUND,
    STRANGER,
    VIEW,
    Peer,
    blamed,
    of,
    received,
    sent,
)

# ------------------------------------------------------------------------------------------------ the way it goes


def test_a_view_begins_once_nothing_more_is_waited_for() -> None:
    machine = agreement()
    hears(machine, proposes(0))
    assert machine.handle(Ready(HELD, final=False), 1.0) == []
    effects = machine.handle(READY, 2.0)
    assert of(effects, SetTimer) == [SetTimer("propose", 2.0 + PROPOSE_S), SetTimer("ask", 2.0 + ASK_S)]
    assert voted(effects) == [a_vote(PREVOTE, ALL)]


def test_every_vote_is_journalled_before_it_is_sent() -> None:
    machine = begun()
    journal, *sends = hears(machine, proposes(0))
    assert isinstance(journal, Journal)
    assert (journal.kind, journal.slot) == (VOTE, bytes([0, PREVOTE]))
    assert {send.to for send in of(sends, Send)} == set(VIEW.committee)
    journal, *sends = hears(machine, *map(prevotes, BY_RANK[:3]))
    assert isinstance(journal, Journal)
    assert (journal.kind, journal.slot) == (LOCK, bytes([0, PRECOMMIT]))
    assert voted(sends) == [a_vote(PRECOMMIT, ALL)]


def test_the_proposer_proposes_all_that_it_holds_and_journals_it() -> None:
    _, _, journal, *sends = agreement(BY_RANK[0]).handle(READY, 2.0)
    assert isinstance(journal, Journal)
    assert journal.kind == PROPOSAL
    assert sent(sends, Proposal) == [Proposal(0, ALL, None)] * 4


def test_t_precommits_are_a_certificate_that_everybody_can_check() -> None:
    machine = begun()
    told = of(hears(machine, proposes(0), *map(precommits, BY_RANK[:3])), Tell)
    assert isinstance(told[0].event, Certified)
    check_list(told[0].event.certificate, VIEW)
    assert told[0].event.certificate.sets == ALL
    assert machine.state is State.CERTIFIED


def test_votes_may_come_before_the_list_and_of_an_earlier_view() -> None:
    machine = begun()
    hears(machine, *map(precommits, BY_RANK[:3]))
    machine.handle(TimerFired("over"), 0)
    assert len(of(hears(machine, proposes(0)), Tell)) == 1


# -------------------------------------------------------------------------------------------------- what to vote


@pytest.mark.parametrize("cell", [0, 1])
def test_a_list_is_waited_for_until_all_of_it_is_held_and_then_refused(cell: int) -> None:
    missing = next(iter(HELD[cell]))
    held = {each: contributions - {missing} for each, contributions in HELD.items()}
    machine = begun(due=SMALLEST, held=held)
    assert voted(hears(machine, proposes(0))) == []
    assert voted(machine.handle(READY, 0)) == [a_vote(PREVOTE, ALL)], "it came after all"

    machine = begun(due=SMALLEST, held=held)
    hears(machine, proposes(0))
    effects = machine.handle(TimerFired("propose"), 0)
    assert voted(effects) == [a_vote(PREVOTE, None)]
    assert sent(effects, Status) == [Status(SLOT, 0, (missing.manifest,))] * 3


def test_without_a_proposal_the_vote_is_nil() -> None:
    machine = begun()
    assert voted(machine.handle(TimerFired("propose"), 0)) == [a_vote(PREVOTE, None)]
    assert machine.handle(TimerFired("propose"), 0) == []


@pytest.mark.parametrize("left_out", [CELLS[0][0], CELLS[1][2]])
def test_a_list_that_leaves_out_what_is_due_is_refused_at_once(left_out: Peer) -> None:
    assert voted(hears(begun(), proposes(0, a_list(left_out)))) == [a_vote(PREVOTE, None)]


def test_so_is_one_that_leaves_out_a_whole_cell() -> None:
    only = SetList(SLOT, (ALL.cells[1],))
    assert voted(hears(begun(), proposes(0, only))) == [a_vote(PREVOTE, None)]


def test_due_is_what_was_held_when_the_view_began() -> None:
    machine = begun(due=SMALLER)
    assert voted(hears(machine, proposes(0, SMALLER))) == [a_vote(PREVOTE, SMALLER)], "the rest came later"
    ends(machine)
    assert voted(hears(machine, proposes(1, SMALLER))) == [a_vote(PREVOTE, None, 1)], "now it is due"


def test_a_cell_below_its_quorum_is_not_due() -> None:
    few = {0: frozenset(list(HELD[0])[:2]), 1: HELD[1]}
    machine = agreement()
    machine.handle(Ready(few, final=True), 0)
    only = SetList(SLOT, (ALL.cells[1],))
    assert voted(hears(machine, proposes(0, only))) == [a_vote(PREVOTE, only)]


def at_view(number: int, peer: Peer = VOTER, due: SetList = ALL) -> Agreement:
    machine = begun(peer, due)
    for view in range(number):
        ends(machine, view)
    return machine


def test_behind_the_first_f_plus_1_proposers_lists_may_leave_something_out() -> None:
    """Else who sends its contribution to half of the members would stop every round."""
    assert voted(hears(at_view(1), proposes(1, SMALLER))) == [a_vote(PREVOTE, None, 1)]
    assert voted(hears(at_view(2), proposes(2, SMALLER))) == [a_vote(PREVOTE, SMALLER, 2)]


def test_what_more_than_f_members_lack_is_not_due() -> None:
    contribution = Contribution(CELLS[0][0].key, Digest(b"shown to some".ljust(32)))
    held = {0: held_of(SMALLER)[0] | {contribution}, 1: HELD[1]}
    for lack, vote in ((1, None), (2, SMALLER)):
        machine = agreement()
        machine.handle(Ready(held, final=True), 0)
        hears(machine, *(received(peer, Status(SLOT, 0, (contribution.manifest,))) for peer in BY_RANK[:lack]))
        assert voted(hears(machine, proposes(0, SMALLER))) == [a_vote(PREVOTE, vote)]


def test_later_proposers_leave_out_what_anybody_lacks() -> None:
    contribution = Contribution(CELLS[0][0].key, Digest(b"shown to some".ljust(32)))
    machine = agreement(BY_RANK[2])
    machine.handle(Ready({0: held_of(SMALLER)[0] | {contribution}, 1: HELD[1]}, final=True), 0)
    hears(machine, received(BY_RANK[1], Status(SLOT, 0, (contribution.manifest,))))
    effects = [*ends(machine, 0), *ends(machine, 1)]
    assert sent(effects, Proposal)[0] == Proposal(2, SMALLER, None)


# ---------------------------------------------------------------------------------------------- the end of a view


def test_when_no_list_can_win_any_more_nobody_waits() -> None:
    machine = begun()
    hears(machine, proposes(0))
    assert voted(hears(machine, prevotes(BY_RANK[0], None))) == []
    assert voted(hears(machine, prevotes(BY_RANK[1], None))) == [a_vote(PRECOMMIT, None)]
    assert hears(machine, precommits(BY_RANK[0], None)) == []
    effects = hears(machine, precommits(BY_RANK[1], None), now=7.0)
    assert SetTimer("propose", 7.0 + PROPOSE_S + GROW_S) in effects


def test_t_votes_that_do_not_agree_are_waited_on_for_a_while() -> None:
    machine = begun(due=SMALLER)
    hears(machine, proposes(0, SMALLER))
    votes = prevotes(VOTER, SMALLER), prevotes(BY_RANK[0], SMALLER), prevotes(BY_RANK[1], ALL)
    assert hears(machine, *votes, now=3.0) == [SetTimer("prevote", 3.0 + VOTE_S)]
    assert voted(machine.handle(TimerFired("prevote"), 0)) == [a_vote(PRECOMMIT, None)]
    votes = precommits(VOTER, None), precommits(BY_RANK[0], SMALLER), precommits(BY_RANK[1], None)
    assert hears(machine, *votes[:2]) == []
    assert SetTimer("propose", PROPOSE_S + GROW_S) in hears(machine, votes[2]), "two cannot become three"


def test_t_precommits_of_any_kind_end_the_view_in_time() -> None:
    machine = begun()
    votes = precommits(BY_RANK[0]), precommits(BY_RANK[1]), precommits(BY_RANK[2], None)
    assert hears(machine, *votes, now=3.0) == [SetTimer("over", 3.0 + VOTE_S)]
    effects = machine.handle(TimerFired("over"), 9.0)
    assert of(effects, SetTimer)[0] == SetTimer("propose", 9.0 + PROPOSE_S + GROW_S)
    assert machine.handle(TimerFired("over"), 9.0) == [], "it was the last view's"


def test_f_plus_1_members_in_a_later_view_pull_the_others_along() -> None:
    machine = begun()
    assert hears(machine, prevotes(BY_RANK[0], None, 3)) == []
    effects = hears(machine, prevotes(BY_RANK[1], None, 2), now=5.0)
    assert SetTimer("propose", 5.0 + PROPOSE_S + 2 * GROW_S) in effects
    late = agreement()
    hears(late, prevotes(BY_RANK[0], None, 3), prevotes(BY_RANK[1], None, 2))
    assert late.state is State.PROPOSING, "even one that still gathers"


def test_but_not_into_the_first_view_and_not_one_alone() -> None:
    machine = agreement()
    hears(machine, *(prevotes(peer, ALL) for peer in BY_RANK[:3]))
    assert machine.state is State.OPEN
    hears(machine, prevotes(BY_RANK[0], None, 200))
    assert machine.state is State.OPEN


def test_after_the_last_view_the_round_has_failed() -> None:
    machine = begun()
    hears(machine, *(received(peer, Status(SLOT, VIEW_MAX, ())) for peer in BY_RANK[:2]))
    (tell,) = ends(machine, VIEW_MAX)
    assert isinstance(tell, Tell)
    assert isinstance(tell.event, Shortfall)
    assert machine.state is State.VOID
    assert hears(machine, proposes(0)) == []


# ------------------------------------------------------------------------------------------------ what is refused


def sets_of(*cells: CellSet, slot: int = ROUND) -> SetList:
    return SetList(VIEW.slot(slot), cells)


TINY = CellSet(0, ALL.cells[0].contributions[:2])
MIXED = CellSet(0, (*ALL.cells[0].contributions[:2], ALL.cells[1].contributions[0]))
DOUBLED = CellSet(0, (ALL.cells[0].contributions[0], *ALL.cells[0].contributions[:3]))


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (received(BY_RANK[1], Proposal(0, ALL, None)), "proposes out of its turn"),
        (received(BY_RANK[0], Proposal(1, ALL, None)), "proposes out of its turn"),
        (received(STRANGER, Proposal(0, ALL, None)), "proposes out of its turn"),
        (received(CONTRIBUTORS[0], Proposal(0, ALL, None)), "proposes out of its turn"),
        (proposes(0, sets_of(TINY)), "no member may vote for"),
        (proposes(0, sets_of(MIXED)), "no member may vote for"),
        (proposes(0, sets_of(DOUBLED)), "no member may vote for"),
        (proposes(0, sets_of(*ALL.cells[::-1])), "no member may vote for"),
        (proposes(0, sets_of(ALL.cells[0], SMALLER.cells[0])), "no member may vote for"),
        (proposes(0, sets_of(dataclasses.replace(ALL.cells[1], cell=2))), "no member may vote for"),
        (proposes(0, sets_of(*ALL.cells, slot=ROUND + 1)), "no member may vote for"),
        (proposes(2, ALL, polka(ALL, 2)), "not of an earlier view"),
        (proposes(2, ALL, polka(ALL, 1, ranks=(0, 1))), "needs 3 different members"),
        (proposes(2, ALL, polka(SMALLER, 1)), "does not hold"),
        (proposes(2, ALL, dataclasses.replace(polka(ALL, 1), view=0)), "does not hold"),
        (proposes(2, ALL, dataclasses.replace(polka(ALL, 1), justified=0)), "does not hold"),
        (prevotes(STRANGER), "not in the committee"),
        (precommits(CONTRIBUTORS[0]), "not in the committee"),
        (received(BY_RANK[0], Vote(SLOT, 0, 0, None, None)), "no member may cast"),
        (received(BY_RANK[0], Vote(SLOT, 0, 3, None, None)), "no member may cast"),
        (prevotes(BY_RANK[0], ALL, 1, 1), "no member may cast"),
        (prevotes(BY_RANK[0], None, 1, 0), "no member may cast"),
        (received(BY_RANK[0], Vote(SLOT, 1, PRECOMMIT, list_digest(ALL), 0)), "no member may cast"),
    ],
)
def test_who_proposes_or_votes_against_the_rules_is_blamed_and_changes_nothing(event: Received, reason: str) -> None:
    machine = begun()
    effects = machine.handle(event, 0)
    assert reason in blamed(effects)[event.sender]
    assert len(effects) == 1
    assert machine.state is State.PROPOSING


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        (proposes(0, ALL), proposes(0, SMALLER), "proposes twice in view 0"),
        (prevotes(BY_RANK[0], ALL), prevotes(BY_RANK[0], None), "votes twice in view 0"),
        (precommits(BY_RANK[0], ALL, 1), precommits(BY_RANK[0], SMALLER, 1), "votes twice in view 1"),
        (precommits(BY_RANK[0], ALL, 0), prevotes(BY_RANK[0], SMALLER, 1), "was locked in view 0"),
        (prevotes(BY_RANK[0], SMALLER, 3, 1), precommits(BY_RANK[0], ALL, 2), "was locked in view 2"),
    ],
)
def test_who_contradicts_itself_is_blamed_once_with_evidence_for_everybody(
    first: Received, second: Received, reason: str
) -> None:
    machine = begun()
    hears(machine, first)
    effects = hears(machine, second)
    assert reason in blamed(effects)[BY_RANK[0].key]
    (record,) = [each for each in of(effects, Journal) if each.kind == EVIDENCE]
    assert decode_evidence(record.payload).culprit == BY_RANK[0].key
    assert hears(machine, second) == []


def test_a_second_vote_or_list_does_not_count() -> None:
    machine = begun(due=SMALLER)
    hears(machine, proposes(0, SMALLER), proposes(0, ALL), precommits(BY_RANK[0], ALL))
    hears(machine, *(precommits(peer, SMALLER) for peer in BY_RANK[:3]))
    assert machine.state is not State.CERTIFIED
    assert of(hears(machine, precommits(VOTER, SMALLER)), Tell)


def test_a_vote_against_the_lock_is_found_even_after_the_certificate() -> None:
    machine = begun()
    hears(machine, proposes(0), *map(precommits, BY_RANK[:3]))
    assert blamed(hears(machine, prevotes(BY_RANK[1], SMALLER, 1)))[BY_RANK[1].key]


@pytest.mark.parametrize("late", [1, 2])
def test_so_are_two_proposals_of_one_view_if_one_or_both_come_after_it(late: int) -> None:
    machine = begun()
    said = [proposes(1, ALL), proposes(1, SMALLER)]
    hears(machine, *said[: 2 - late], proposes(0), *map(precommits, BY_RANK[:3]))
    assert machine.state is State.CERTIFIED
    effects = hears(machine, *said[2 - late :])
    assert blamed(effects) == {said[0].sender: "proposes twice in view 1"}
    assert [each.kind for each in effects if isinstance(each, Journal)] == [EVIDENCE]
    assert machine.state is State.CERTIFIED


def test_what_is_far_ahead_is_not_kept() -> None:
    machine = begun()
    for view in range(5, 250):
        hears(machine, proposes(view), prevotes(BY_RANK[0], ALL, view), precommits(BY_RANK[0], ALL, view))
    assert len(list(machine._known.tally.of(VIEW.committee.index(BY_RANK[0].key) + 1))) == 0
    assert len(machine._known.proposals) == 0
