"""A proposer that shows one list to some members and another one to the rest: at most one is ever certified."""

from __future__ import annotations

import pytest

from protocols.agreement.certificate import list_digest
from protocols.agreement.evidence import decode_evidence
from protocols.effects import Blame, Journal
from protocols.events import Received
from protocols.rounds.epoch import EpochView
from protocols.wire.messages import PRECOMMIT, PREVOTE, Proposal, Vote
from tests.protocols.agreement.arena import Arena, a_committee, some_lists
from tests.protocols.playbook import ROUND, of

CARELESS = a_committee(5, 3)
"""More than half is enough: it stands no liar at all."""
OURS = [a_committee(4, 3), a_committee(5, 4), a_committee(7, 5)]


def shown_two_lists(view: EpochView) -> Arena:
    """View 0's proposer shows each half of the others a list of its own, and votes for both; all else arrives."""
    arena = Arena(view, [0], due=some_lists(view)[1], kills=0.0)
    (liar,), members = arena.liars, list(arena.honest.values())
    for number, member in enumerate(members):
        arena.show(member, liar, Proposal(0, arena.lists[number % 2], None))
    for phase in (PREVOTE, PRECOMMIT):
        for number, member in enumerate(members):
            wanted = list_digest(arena.lists[number % 2])
            arena.show(member, liar, Vote(view.slot(ROUND), 0, phase, wanted, None))
        deliver(arena)
    return arena


def deliver(arena: Arena) -> None:
    while any(member.inbox for member in arena.honest.values()):
        for member in arena.honest.values():
            waiting, member.inbox = member.inbox, []
            for signed in waiting:
                arena.receive(member, signed)


def test_where_more_than_half_is_enough_it_has_two_lists_certified() -> None:
    """One of them without a victim that is in the other: two sums that differ by one."""
    assert len(shown_two_lists(CARELESS).certifiable()) == 2


@pytest.mark.parametrize("view", OURS, ids=["3 of 4", "4 of 5", "5 of 7"])
def test_with_us_at_most_one_is(view: EpochView) -> None:
    arena = shown_two_lists(view)
    assert len(arena.certifiable()) <= 1
    assert arena.faults_of_honest() == []


@pytest.mark.parametrize("view", OURS, ids=["3 of 4", "4 of 5", "5 of 7"])
def test_whoever_sees_both_names_it_with_evidence_for_anybody(view: EpochView) -> None:
    arena = shown_two_lists(view)
    (liar,), (member, *_) = arena.liars, arena.honest.values()
    other = next(
        each for each in arena.said[liar.key] if each.message == Proposal(0, arena.lists[1], None)
    )  # as a member that asks where others stand is sent it
    effects = member.machine.handle(Received(other), 0.0)
    assert {blame.culprit for blame in of(effects, Blame)} <= {liar.key}
    found = [
        decode_evidence(record.payload)
        for record in [*member.journal, *of(effects, Journal)]
        if record.kind == "evidence"
    ]
    assert {each.culprit for each in found} == {liar.key}
