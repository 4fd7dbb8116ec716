from __future__ import annotations

import dataclasses

from protocols.agreement.certificate import check_prevotes
from protocols.agreement.machine import (
    State,
)
from protocols.effects import Effects, Journal, Send
from protocols.told import Ready
from protocols.wire.messages import (
    PRECOMMIT,
    PREVOTE,
    Proposal,
    Vote,
)
from tests.protocols.agreement.scene import (
    ALL,
    BY_RANK,
    READY,
    SMALLER,
    VOTER,
    a_vote,
    agreement,
    begun,
    ends,
    hears,
    held_of,
    locked,
    polka,
    prevotes,
    proposes,
    voted,
)
from tests.protocols.playbook import (
    ROUND,
    VIEW,
    of,
    received,
    sent,
)

# ------------------------------------------------------------------------------------------------------- the lock


def test_who_is_locked_refuses_another_list_and_takes_its_own_from_anybody() -> None:
    assert voted(hears(locked(), proposes(1, SMALLER))) == [a_vote(PREVOTE, None, 1)]
    assert voted(hears(locked(), proposes(1, ALL))) == [a_vote(PREVOTE, ALL, 1)]


def test_later_prevotes_unlock_and_earlier_ones_do_not() -> None:
    for view, vote in ((0, None), (1, SMALLER), (2, SMALLER)):
        machine = locked(view=1)
        ends(machine, 2)
        again = hears(machine, proposes(3, SMALLER, polka(SMALLER, view)))
        assert voted(again) == [a_vote(PREVOTE, vote, 3, None if vote is None else view)]


def test_the_lock_is_proposed_again_by_whose_turn_it_is_with_its_prevotes() -> None:
    machine = locked()
    proposal = max(sent([*ends(machine, 1), *ends(machine, 2)], Proposal), key=lambda each: each.view)
    assert (proposal.view, proposal.sets) == (3, ALL)
    assert proposal.valid is not None
    check_prevotes(proposal.valid, ALL, VIEW)
    machine = begun(BY_RANK[1], due=SMALLER)
    assert voted(hears(machine, proposes(0, SMALLER)))
    effects = [*ends(machine, 0), *ends(machine, 1), *ends(machine, 2), *hears(machine, received(VOTER, proposal))]
    assert voted(effects)[-1] == a_vote(PREVOTE, ALL, 3, 0)


def test_what_was_nearly_agreed_is_sent_to_the_next_proposers() -> None:
    machine = begun()
    hears(machine, proposes(0), *map(prevotes, BY_RANK[:3]))
    effects = ends(machine)
    assert {send.to for send in of(effects, Send)} == {BY_RANK[1].key, BY_RANK[2].key}
    assert sent(effects, Proposal) == [Proposal(0, ALL, None)] * 2
    assert sent(effects, Vote) == [a_vote(PREVOTE, ALL)] * 6


# ------------------------------------------------------------------------------------------------- after a crash


def journal_of(effects: Effects) -> list[Journal]:
    return of(effects, Journal)


def test_after_a_crash_a_member_says_the_same_again_and_nothing_else() -> None:
    machine = agreement()
    records = journal_of([*machine.handle(READY, 0), *hears(machine, proposes(0), *map(prevotes, BY_RANK[:3]))])
    again = agreement(journal=records)
    assert again.state is State.OPEN
    effects = again.handle(READY, 0)
    assert voted(effects) == [a_vote(PREVOTE, ALL), a_vote(PRECOMMIT, ALL)]
    assert journal_of(effects) == []
    assert voted(hears(again, proposes(0, SMALLER))) == []


def test_and_keeps_its_lock_with_the_list() -> None:
    machine = agreement()
    records = journal_of([*machine.handle(READY, 0), *hears(machine, proposes(0), *map(prevotes, BY_RANK[:3]))])
    again = agreement(journal=records)
    again.handle(Ready({}, final=True), 0)
    effects: Effects = []
    for view in range(3):
        effects = ends(again, view)
        if view == 0:
            assert voted(hears(again, proposes(1, SMALLER))) == [a_vote(PREVOTE, None, 1)]
    assert sent(effects, Proposal)[0].sets == ALL


def test_a_proposer_proposes_the_same_again_whatever_it_holds_now() -> None:
    records = journal_of(agreement(BY_RANK[0]).handle(READY, 0))
    effects = agreement(BY_RANK[0], records).handle(Ready(held_of(SMALLER), final=True), 0)
    assert sent(effects, Proposal) == [Proposal(0, ALL, None)] * 4
    assert journal_of(effects) == []


def test_it_goes_on_in_the_view_in_which_it_was() -> None:
    machine = begun()
    ends(machine)
    records = journal_of(hears(machine, proposes(1)))
    again = agreement(journal=records)
    assert voted(again.handle(READY, 0)) == [a_vote(PREVOTE, ALL, 1)]


def test_what_was_written_for_another_height_is_not_its_memory() -> None:
    records = [dataclasses.replace(each, height=ROUND + 1) for each in journal_of(hears(begun(), proposes(0)))]
    assert voted(agreement(journal=records).handle(READY, 0)) == []
