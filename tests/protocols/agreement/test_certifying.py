from __future__ import annotations

from collections.abc import Iterable

import pytest

from protocols.agreement.certificate import signatures
from protocols.agreement.evidence import decode_evidence
from protocols.agreement.machine import (
    ANSWERS_MAX,
    ASK_S,
    REPUBLISH_S,
    Agreement,
    State,
)
from protocols.effects import Effects, Journal, Send, SetTimer, Tell
from protocols.events import Started, TimerFired
from protocols.told import Certified
from protocols.wire.messages import (
    PRECOMMIT,
    PREVOTE,
    ListCertificate,
    Proposal,
    SetList,
    Status,
    Vote,
)
from tests.protocols.agreement.scene import (
    ALL,
    BY_RANK,
    READY,
    SLOT,
    SMALLER,
    VOTER,
    a_vote,
    agreement,
    begun,
    hears,
    precommits,
    prevotes,
    proposes,
)
from tests.protocols.playbook import (
    COMMITTEE,
    CONTRIBUTORS,
    ROUND,
    STRANGER,
    VALIDATOR,
    VIEW,
    Peer,
    blamed,
    observed,
    of,
    received,
    sent,
)


def certificate(sets: SetList = ALL, members: Iterable[int] = (1, 2, 3), view: int = 0) -> ListCertificate:
    vote = a_vote(PRECOMMIT, sets, view)
    signed = {member: COMMITTEE[member - 1].sign(vote) for member in members}
    return ListCertificate(sets, view, signatures(signed, len(signed)))


@pytest.mark.parametrize("peer", [VOTER, CONTRIBUTORS[0], VALIDATOR], ids=["member", "contributor", "validator"])
def test_a_certificate_is_enough_for_whoever_comes_late(peer: Peer) -> None:
    machine = agreement(peer)
    assert machine.handle(received(COMMITTEE[0], certificate(view=7)), 0) == [Tell(Certified(certificate(view=7)))]
    assert of(machine.handle(received(COMMITTEE[0], certificate(SMALLER)), 0), Tell) == [], "one list a round"


@pytest.mark.parametrize("state", [State.WATCHING, State.CERTIFIED])
def test_a_false_certificate_is_blamed_in_every_state(state: State) -> None:
    machine = agreement(CONTRIBUTORS[0])
    if state is State.CERTIFIED:
        machine.handle(received(COMMITTEE[0], certificate()), 0)
    effects = machine.handle(received(STRANGER, certificate(SMALLER, (1, 2))), 0)
    assert "certificate refused" in blamed(effects)[STRANGER.key]
    assert of(effects, Tell) == []


def certify(machine: Agreement, now: float) -> Effects:
    machine.handle(READY, now)
    return hears(machine, proposes(0), *map(precommits, BY_RANK[:3]), now=now)


def test_the_proposer_publishes_and_others_only_where_it_does_not() -> None:
    assert len(sent(certify(agreement(BY_RANK[0]), 0), ListCertificate)) == 1
    machine = agreement(BY_RANK[2])
    assert of(certify(machine, 7.0), SetTimer)[-1] == SetTimer("republish", 7.0 + 2 * REPUBLISH_S)
    assert len(sent(machine.handle(TimerFired("republish"), 0), ListCertificate)) == 1
    machine = agreement(BY_RANK[2])
    certify(machine, 0)
    machine.handle(received(STRANGER, certificate(ALL, (1, 2))), 0)
    assert len(sent(machine.handle(TimerFired("republish"), 0), ListCertificate)) == 1, "a forged one does not count"
    assert machine.handle(received(BY_RANK[0], certificate()), 0) == []
    assert machine.handle(TimerFired("republish"), 0) == []


def test_who_watches_asks_f_plus_1_members_if_no_certificate_comes() -> None:
    machine = Agreement(VIEW, ROUND, CONTRIBUTORS[0].key, CONTRIBUTORS[0].sign, "subnet")
    due = VIEW.params.submit_s + VIEW.params.agree_s
    assert machine.handle(Started(), 1.0) == [SetTimer("ask", 1.0 + due)]
    asked = set()
    for _ in range(3):
        *sends, timer = machine.handle(TimerFired("ask"), 50.0)
        assert timer == SetTimer("ask", 50.0 + ASK_S)
        assert sent(sends, Status) == [Status(SLOT, None, ())] * 2
        asked |= {send.to for send in of(sends, Send)}
    assert asked == set(VIEW.committee)


def test_who_has_the_certificate_answers_a_bounded_number_of_times() -> None:
    machine = begun()
    ask = received(CONTRIBUTORS[0], Status(SLOT, None, ()))
    assert hears(machine, ask) == []
    hears(machine, proposes(0), *map(precommits, BY_RANK[:3]))
    answers = hears(machine, *[ask] * (ANSWERS_MAX + 5))
    assert {send.to for send in of(answers, Send)} == {CONTRIBUTORS[0].key}
    assert len(sent(answers, ListCertificate)) == len(answers) == ANSWERS_MAX


def test_members_tell_each_other_what_got_lost() -> None:
    machine = begun()
    hears(machine, proposes(0), *map(prevotes, BY_RANK[:2]))
    answers = hears(machine, *[received(BY_RANK[1], Status(SLOT, 0, ()))] * (ANSWERS_MAX + 5))
    assert {send.to for send in of(answers, Send)} == {BY_RANK[1].key}
    assert len(answers) == 3 * ANSWERS_MAX
    assert sent(answers[:3], Proposal) + sent(answers[:3], Vote) == [
        Proposal(0, ALL, None),
        *[a_vote(PREVOTE, ALL)] * 2,
    ]


def test_a_member_asks_when_a_view_takes_long() -> None:
    machine = begun()
    *sends, timer = machine.handle(TimerFired("ask"), 9.0)
    assert timer == SetTimer("ask", 9.0 + ASK_S)
    assert sent(sends, Status) == [Status(SLOT, 0, ())] * 3


def test_behind_an_abandoned_round_members_say_that_they_are_here() -> None:
    for peer, announced in ((VOTER, [Status(SLOT, None, ())]), (CONTRIBUTORS[0], [])):
        machine = Agreement(VIEW, ROUND, peer.key, peer.sign, "subnet", (), announce=True)
        assert sent(machine.handle(Started(), 0), Status) == announced


@pytest.mark.parametrize("peer", [VOTER, CONTRIBUTORS[0]])
def test_once_the_epoch_has_closed_nothing_is_signed_any_more(peer: Peer) -> None:
    machine = agreement(peer)
    machine.handle(READY, 0)
    machine.erase()
    assert hears(machine, proposes(0), *map(prevotes, BY_RANK), received(BY_RANK[0], certificate())) == []
    for timer in ("propose", "prevote", "over", "ask", "republish"):
        assert machine.handle(TimerFired(timer), 0) == []
    assert machine.handle(READY, 0) == []


def test_but_what_was_certified_is_still_told_to_who_asks() -> None:
    machine = agreement()
    certify(machine, 0)
    machine.erase()
    assert len(sent(hears(machine, received(CONTRIBUTORS[0], Status(SLOT, None, ()))), ListCertificate)) == 1


def test_two_certificates_are_shouted_about_with_evidence_against_who_signed_both() -> None:
    """More members lie than the committee stands; those of one view are convicted by the certificates alone."""
    for view, culprits in ((0, {COMMITTEE[1].key, COMMITTEE[2].key}), (1, set())):
        machine = agreement(CONTRIBUTORS[0])
        machine.handle(received(COMMITTEE[0], certificate(ALL, (1, 2, 3))), 0)
        effects = machine.handle(received(COMMITTEE[0], certificate(SMALLER, (2, 3, 4), view)), 0)
        assert observed(effects, "forked") == [{"height": ROUND}]
        assert set(blamed(effects)) == culprits
        assert {decode_evidence(record.payload).culprit for record in of(effects, Journal)} == culprits
        again = machine.handle(received(COMMITTEE[0], certificate(ALL, (1, 2, 4), 2)), 0)
        assert again == [], "the same list of another view is none"
