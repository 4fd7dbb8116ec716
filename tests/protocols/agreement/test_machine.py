from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from protocols.agreement.certificate import check_list, list_digest, signatures
from protocols.agreement.machine import KIND, REPUBLISH_S, VIEW_S, Agreement, State
from protocols.effects import Effects, Journal, Send, SetTimer, Tell
from protocols.events import Received, Started, TimerFired
from protocols.told import Certified, Ready, Shortfall
from protocols.types import NO_DIGEST, Digest
from protocols.wire.messages import CellSet, Contribution, ListCertificate, Proposal, SetList, Vote
from tests.protocols.playbook import (
    CELLS,
    COMMITTEE,
    CONTRIBUTORS,
    ROUND,
    STRANGER,
    VIEW,
    Actor,
    Peer,
    Playbook,
    blamed,
    of,
    offline,
    received,
    sent,
)

HELD = {cell: frozenset(Contribution(peer.key, NO_DIGEST) for peer in peers) for cell, peers in enumerate(CELLS)}
BY_RANK = sorted(COMMITTEE, key=lambda peer: VIEW.proposer_rank(ROUND, VIEW.committee.index(peer.key) + 1))


def a_list(*left_out: Peer) -> SetList:
    """All contributions but of some contributors."""
    absent = {peer.key for peer in left_out}
    held = [sorted(each, key=lambda one: one.contributor) for each in HELD.values()]
    sets = [tuple(one for one in each if one.contributor not in absent) for each in held]
    return SetList(VIEW.slot(ROUND), tuple(CellSet(cell, each) for cell, each in enumerate(sets)))


ALL = a_list()
SMALLER = a_list(CELLS[0][0])
SMALLEST = a_list(CELLS[0][0], CELLS[1][0])


def agreement(peer: Peer, journal: Iterable[Journal] = ()) -> Agreement:
    machine = Agreement(VIEW, ROUND, peer.key, peer.sign, "subnet", journal)
    machine.handle(Started(), 0)
    return machine


def proposes(peer: Peer, sets: SetList = ALL, view: int | None = None) -> Received:
    return received(peer, Proposal(BY_RANK.index(peer) if view is None else view, sets))


def votes(peer: Peer, sets: SetList = ALL) -> Received:
    return received(peer, Vote(VIEW.slot(ROUND), list_digest(sets)))


READY = Ready(HELD, final=True)
VOTER = BY_RANK[2]


# ------------------------------------------------------------------------------------------------------ one machine


def test_a_member_votes_for_the_proposed_list_once_it_holds_all_of_it_and_journals_first() -> None:
    machine = agreement(VOTER)
    assert sent(machine.handle(proposes(BY_RANK[0]), 0), Vote) == []
    journal, *sends = machine.handle(READY, 0)
    assert journal == Journal(KIND, ROUND, b"", list_digest(ALL))
    assert sent(sends, Vote) == [Vote(VIEW.slot(ROUND), list_digest(ALL))] * 4
    assert [send.to for send in of(sends, Send)] == list(VIEW.committee)
    assert machine.state is State.VOTED


def test_or_at_the_proposal_if_it_holds_everything_before() -> None:
    machine = agreement(VOTER)
    assert of(machine.handle(READY, 5.0), SetTimer) == [SetTimer("view", 5.0 + 2 * VIEW_S)]
    assert len(sent(machine.handle(proposes(BY_RANK[0], SMALLER), 0), Vote)) == 4


@pytest.mark.parametrize(
    "missing",
    [
        Contribution(CELLS[0][1].key, NO_DIGEST),
        Contribution(CELLS[1][3].key, NO_DIGEST),
    ],
)
def test_a_list_with_a_contribution_not_held_gets_no_vote(missing: Contribution) -> None:
    held = {cell: contributions - {missing} for cell, contributions in HELD.items()}
    other = Contribution(missing.contributor, Digest(b"its other manifest".ljust(32)))
    machine = agreement(VOTER)
    machine.handle(proposes(BY_RANK[0]), 0)
    assert sent(machine.handle(Ready(held, final=True), 0), Vote) == []
    with_other = {cell: contributions | {other} for cell, contributions in held.items()}
    assert sent(machine.handle(Ready(with_other, final=True), 0), Vote) == []
    assert sent(machine.handle(READY, 0), Vote), "it came after all"


def test_a_list_that_cannot_be_voted_for_does_not_stand_in_the_way_of_the_next() -> None:
    """A dishonest first proposer names a contribution that nobody holds."""
    phantom = Contribution(CELLS[0][0].key, Digest(b"nobody has it".ljust(32)))
    cell = CellSet(0, tuple(sorted((phantom, *SMALLER.cells[0].contributions), key=lambda each: each.contributor)))
    machine = agreement(VOTER)
    machine.handle(READY, 0)
    assert sent(machine.handle(proposes(BY_RANK[0], SetList(VIEW.slot(ROUND), (cell,))), 0), Vote) == []
    assert sent(machine.handle(proposes(BY_RANK[1]), 0), Vote)


def test_the_first_proposer_proposes_at_once_and_all_that_it_holds() -> None:
    machine = agreement(BY_RANK[0])
    assert of(machine.handle(Ready(HELD, final=False), 1.0), SetTimer) == []
    assert of(machine.handle(READY, 2.0), SetTimer) == [SetTimer("view", 2.0)]
    assert sent(machine.handle(TimerFired("view"), 2.0), Proposal) == [Proposal(0, ALL)] * 4


def test_a_cell_under_its_quorum_is_left_out_and_with_none_left_the_round_says_why() -> None:
    short = {0: frozenset(list(HELD[0])[:2]), 1: HELD[1]}
    machine = agreement(BY_RANK[1])
    machine.handle(Ready(short, final=True), 0)
    proposal = sent(machine.handle(TimerFired("view"), 0), Proposal)[0]
    assert proposal == Proposal(1, SetList(VIEW.slot(ROUND), (ALL.cells[1],)))

    machine = agreement(BY_RANK[0])
    machine.handle(Ready({0: short[0], 1: frozenset()}, final=True), 0)
    reason = "too few contributions (cell 0: 2 of at least 3, cell 1: 0 of at least 3)"
    assert machine.handle(TimerFired("view"), 0) == [Tell(Shortfall(reason))]


def sets_of(*cells: CellSet, slot: int = ROUND) -> SetList:
    return SetList(VIEW.slot(slot), cells)


TINY = CellSet(0, ALL.cells[0].contributions[:2])
MIXED = CellSet(0, (*ALL.cells[0].contributions[:2], ALL.cells[1].contributions[0]))
DOUBLED = CellSet(0, (ALL.cells[0].contributions[0], *ALL.cells[0].contributions[:3]))


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (proposes(BY_RANK[1], view=0), "proposes out of its turn"),
        (proposes(STRANGER, view=0), "proposes out of its turn"),
        (proposes(CONTRIBUTORS[0], view=0), "proposes out of its turn"),
        (proposes(BY_RANK[0], sets_of(TINY)), "no member may vote for"),
        (proposes(BY_RANK[0], sets_of(MIXED)), "no member may vote for"),
        (proposes(BY_RANK[0], sets_of(DOUBLED)), "no member may vote for"),
        (proposes(BY_RANK[0], sets_of(*ALL.cells[::-1])), "no member may vote for"),
        (proposes(BY_RANK[0], sets_of(ALL.cells[0], SMALLER.cells[0])), "no member may vote for"),
        (proposes(BY_RANK[0], sets_of(dataclasses.replace(ALL.cells[1], cell=2))), "no member may vote for"),
        (proposes(BY_RANK[0], sets_of(*ALL.cells, slot=ROUND + 1)), "no member may vote for"),
        (votes(STRANGER), "not in the committee"),
        (votes(CONTRIBUTORS[0]), "not in the committee"),
    ],
)
def test_who_proposes_or_votes_against_the_rules_is_blamed_and_changes_nothing(event: Received, reason: str) -> None:
    machine = agreement(VOTER)
    machine.handle(READY, 0)
    effects = machine.handle(event, 0)
    assert reason in blamed(effects)[event.sender]
    assert len(effects) == 1
    assert machine.state is State.OPEN


def test_two_votes_are_blamed_and_the_second_does_not_count() -> None:
    machine = agreement(VOTER)
    for sets in (ALL, SMALLER):
        machine.handle(proposes(BY_RANK[(ALL, SMALLER).index(sets)], sets), 0)
    machine.handle(votes(COMMITTEE[0]), 0)
    assert machine.handle(votes(COMMITTEE[0]), 0) == [], "the same again is a repetition"
    machine.handle(votes(COMMITTEE[1], SMALLER), 0)
    machine.handle(votes(COMMITTEE[2], SMALLER), 0)
    twice = machine.handle(votes(COMMITTEE[0], SMALLER), 0)
    assert blamed(twice) == {COMMITTEE[0].key: "votes twice in one round"}
    assert machine.state is State.OPEN


def test_a_proposers_second_list_is_passed_over() -> None:
    machine = agreement(VOTER)
    machine.handle(proposes(BY_RANK[0], SMALLER), 0)
    assert machine.handle(proposes(BY_RANK[0], ALL), 0) == []
    machine.handle(READY, 0)
    assert machine.handle(votes(COMMITTEE[0], ALL), 0) == []


def test_t_votes_are_a_certificate_that_everybody_can_check() -> None:
    machine = agreement(VOTER)
    machine.handle(proposes(BY_RANK[0]), 0)
    for peer in COMMITTEE[:2]:
        assert machine.handle(votes(peer), 0) == []
    told = of(machine.handle(votes(COMMITTEE[3]), 0), Tell)
    assert isinstance(told[0].event, Certified)
    check_list(told[0].event.certificate, VIEW)
    assert told[0].event.certificate.sets == ALL
    assert machine.state is State.CERTIFIED


def test_votes_may_come_before_the_list() -> None:
    machine = agreement(VOTER)
    for peer in COMMITTEE[:3]:
        assert machine.handle(votes(peer), 0) == []
    assert len(of(machine.handle(proposes(BY_RANK[0]), 0), Tell)) == 1


# --------------------------------------------------------------------------------------------------- certificates


def certificate(sets: SetList = ALL, members: Iterable[int] = (1, 2, 3)) -> ListCertificate:
    votes_ = {member: COMMITTEE[member - 1].sign(Vote(VIEW.slot(ROUND), list_digest(sets))) for member in members}
    return ListCertificate(sets, signatures(votes_, len(votes_)))


@pytest.mark.parametrize("peer", [VOTER, CONTRIBUTORS[0]], ids=["member", "contributor"])
def test_a_certificate_is_enough_for_whoever_comes_late(peer: Peer) -> None:
    machine = agreement(peer)
    assert machine.handle(received(COMMITTEE[0], certificate()), 0) == [Tell(Certified(certificate()))]
    assert machine.handle(received(COMMITTEE[0], certificate(SMALLER)), 0) == [], "one list a round"


@pytest.mark.parametrize("state", [State.WATCHING, State.CERTIFIED])
def test_a_false_certificate_is_blamed_in_every_state(state: State) -> None:
    machine = agreement(CONTRIBUTORS[0])
    if state is State.CERTIFIED:
        machine.handle(received(COMMITTEE[0], certificate()), 0)
    effects = machine.handle(received(STRANGER, certificate(SMALLER, (1, 2))), 0)
    assert "certificate refused" in blamed(effects)[STRANGER.key]
    assert of(effects, Tell) == []


def certify(machine: Agreement, now: float) -> Effects:
    machine.handle(proposes(BY_RANK[0]), now)
    return [effect for peer in COMMITTEE[:3] for effect in machine.handle(votes(peer), now)]


def test_the_proposer_publishes_and_others_only_where_it_does_not() -> None:
    assert sent(certify(agreement(BY_RANK[0]), 0), ListCertificate) == [certificate()]
    machine = agreement(BY_RANK[2])
    assert of(certify(machine, 7.0), SetTimer) == [SetTimer("republish", 7.0 + 2 * REPUBLISH_S)]
    assert sent(machine.handle(TimerFired("republish"), 0), ListCertificate) == [certificate()]
    machine = agreement(BY_RANK[2])
    certify(machine, 0)
    assert machine.handle(received(BY_RANK[0], certificate()), 0) == []
    assert machine.handle(TimerFired("republish"), 0) == []


def test_a_forged_certificate_does_not_keep_the_true_one_from_being_published() -> None:
    machine = agreement(BY_RANK[2])
    certify(machine, 0)
    machine.handle(received(STRANGER, certificate(ALL, (1, 2))), 0)
    assert sent(machine.handle(TimerFired("republish"), 0), ListCertificate) == [certificate()]


# ---------------------------------------------------------------------------------------------- after a restart


@pytest.mark.parametrize("second", [SMALLER, SMALLEST])
def test_after_a_restart_a_member_votes_again_for_the_same_list_and_for_no_other(second: SetList) -> None:
    journal = [Journal(KIND, ROUND, b"", list_digest(ALL))]
    machine = agreement(VOTER, journal)
    machine.handle(READY, 0)
    assert sent(machine.handle(proposes(BY_RANK[1], second), 0), Vote) == []
    assert sent(machine.handle(proposes(BY_RANK[0], ALL), 0), Vote) == [Vote(VIEW.slot(ROUND), list_digest(ALL))] * 4


class OneVote(RuleBasedStateMachine):
    """Whatever is proposed and held, in whatever order, with restarts between: one vote."""

    @initialize()
    def begin(self) -> None:
        self.journal: list[Journal] = []
        self.votes: set[Digest] = set()
        self.machine = agreement(VOTER)

    @rule(rank=st.integers(0, 3), sets=st.sampled_from([ALL, SMALLER, SMALLEST, sets_of(TINY)]))
    def propose(self, rank: int, sets: SetList) -> None:
        self.perform(self.machine.handle(proposes(BY_RANK[rank], sets), 0))

    @rule(sets=st.sampled_from([ALL, SMALLER, SMALLEST]))
    def hold(self, sets: SetList) -> None:
        held = {each.cell: frozenset(each.contributions) for each in sets.cells}
        self.perform(self.machine.handle(Ready(held, final=True), 0))

    @rule(member=st.integers(0, 3), sets=st.sampled_from([ALL, SMALLER]))
    def another_votes(self, member: int, sets: SetList) -> None:
        self.perform(self.machine.handle(votes(COMMITTEE[member], sets), 0))

    @rule()
    def restart(self) -> None:
        self.machine = agreement(VOTER, self.journal)

    def perform(self, effects: Effects) -> None:
        self.journal += of(effects, Journal)
        self.votes |= {vote.sets for vote in sent(effects, Vote)}

    @precondition(lambda self: hasattr(self, "votes"))
    @invariant()
    def at_most_one(self) -> None:
        assert len(self.votes) <= 1
        assert self.votes <= {record.payload for record in self.journal}


TestOneVote = OneVote.TestCase


# ------------------------------------------------------------------------------------------------- all together


def committee(*silent: Peer) -> Playbook:
    """All members and a contributor; every member holds everything from the beginning."""
    peers = (*COMMITTEE, CONTRIBUTORS[0])
    actors = [Actor(peer, [Agreement(VIEW, ROUND, peer.key, peer.sign, "subnet")]) for peer in peers]
    play = Playbook(actors)
    for actor in actors:
        actor.behaviour = offline if actor.peer in silent else actor.behaviour
        if actor.peer in COMMITTEE:
            play.post(actor, READY, at=1.0)
    return play.run()


@pytest.mark.parametrize("silent", [(), *itertools.combinations(BY_RANK, 1)])
def test_all_agree_on_one_list_whoever_is_silent(silent: tuple[Peer, ...]) -> None:
    play = committee(*silent)
    certified = [of(actor.effects, Tell)[-1].event for actor in play.actors.values() if actor.peer not in silent]
    assert [each.certificate.sets for each in certified if isinstance(each, Certified)] == [ALL] * len(certified)
    assert blamed(play.effects()) == {}


def test_a_silent_proposer_is_stood_in_for() -> None:
    play = committee(BY_RANK[0])
    (proposer,) = {actor.peer.key for actor in play.actors.values() if sent(actor.effects, Proposal)}
    assert proposer == BY_RANK[1].key


def test_with_t_minus_1_members_nothing_is_certified() -> None:
    play = committee(*BY_RANK[2:])
    assert sent(play.effects(), Vote)
    assert not [tell for tell in of(play.effects(), Tell) if isinstance(tell.event, Certified)]


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from([ALL, SMALLER, SMALLEST])), max_size=12))
def test_two_lists_are_never_certified_while_nobody_votes_twice(cast: list[tuple[int, SetList]]) -> None:
    first = dict(reversed(cast))
    machine = agreement(CONTRIBUTORS[0])
    for sets in (ALL, SMALLER, SMALLEST):
        signers = [member + 1 for member, voted in sorted(first.items()) if voted == sets]
        if signers:
            machine.handle(received(STRANGER, certificate(sets, signers)), 0)
    winners = [sets for sets in (ALL, SMALLER, SMALLEST) if list(first.values()).count(sets) >= 3]
    assert (machine.state is State.CERTIFIED) == (len(winners) == 1)
