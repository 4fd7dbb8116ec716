from __future__ import annotations

from protocols.agreement.certificate import check_list, check_prevotes
from protocols.agreement.knowledge import Knowledge
from protocols.wire.messages import PRECOMMIT, PREVOTE, Proposal, SetList
from tests.protocols.agreement.scene import ALL, BY_RANK, HELD, SLOT, SMALLER, a_vote, held_of, polka, proposes
from tests.protocols.playbook import COMMITTEE, VIEW


def knowledge(*proposed: SetList) -> Knowledge:
    """Lists proposed in views 0, 1, ..."""
    known = Knowledge(SLOT, 4, 3, None)
    for view, sets in enumerate(proposed):
        assert known.propose(proposes(view, sets).signed) is None
    return known


def cast(known: Knowledge, phase: int, sets: SetList, view: int, members: int = 3) -> None:
    for member in range(1, members + 1):
        assert known.vote(member, COMMITTEE[member - 1].sign(a_vote(phase, sets, view))) is None


def test_t_precommits_for_a_known_list_are_its_certificate() -> None:
    known = knowledge(ALL)
    cast(known, PRECOMMIT, ALL, 0, members=2)
    assert known.certificate() is None
    cast(known, PRECOMMIT, ALL, 0)
    certificate = known.certificate()
    assert certificate is not None
    check_list(certificate, VIEW)
    assert (certificate.sets, certificate.view) == (ALL, 0)


def test_of_a_list_that_nobody_has_shown_there_is_none_yet() -> None:
    known = knowledge()
    cast(known, PRECOMMIT, ALL, 1)
    assert known.certificate() is None
    known.propose(proposes(1).signed)
    assert known.certificate() is not None


def test_valid_is_what_had_t_prevotes_latest_whichever_came_first() -> None:
    known = knowledge(ALL, SMALLER)
    assert known.valid is None
    cast(known, PREVOTE, SMALLER, 1)
    cast(known, PREVOTE, ALL, 0)
    assert known.valid is not None
    sets, prevotes = known.valid
    assert (sets, prevotes.view) == (SMALLER, 1)
    check_prevotes(prevotes, sets, VIEW)


def test_a_proposal_brings_its_prevotes_along() -> None:
    known = knowledge()
    known.propose(BY_RANK[3].sign(Proposal(3, SMALLER, polka(SMALLER, 1))))
    assert known.valid == (SMALLER, polka(SMALLER, 1))
    assert known.nearly_agreed() == [], "but not as its voters sent them"


def test_what_was_nearly_agreed_can_be_passed_on() -> None:
    known = knowledge(ALL)
    cast(known, PREVOTE, ALL, 0)
    proposal, *votes = known.nearly_agreed()
    assert proposal.message == Proposal(0, ALL, None)
    assert [signed.message for signed in votes] == [a_vote(PREVOTE, ALL)] * 3
    assert [signed.message for signed in known.said_in([0, 1])] == [signed.message for signed in (proposal, *votes)]


def test_a_second_proposal_of_a_view_is_evidence_and_no_proposal() -> None:
    known = knowledge(ALL)
    evidence = known.propose(proposes(0, SMALLER).signed)
    assert evidence is not None
    assert evidence.culprit == BY_RANK[0].key
    cast(known, PRECOMMIT, SMALLER, 0)
    assert known.certificate() is None


def test_views_are_reached_by_so_many() -> None:
    known = knowledge()
    for member, view in ((1, 7), (2, 3), (3, 5), (3, 4)):
        known.came_to(member, view)
    assert [known.reached_by(members) for members in range(1, 5)] == [7, 5, 3, 0]


def test_what_is_lacking_is_told_of_all_lists() -> None:
    assert knowledge(SMALLER, ALL).lacking(HELD) == []
    assert len(knowledge(SMALLER, ALL).lacking(held_of(SMALLER))) == 1
