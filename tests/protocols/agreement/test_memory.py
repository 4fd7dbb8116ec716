from __future__ import annotations

import pytest

from protocols.agreement.memory import LOCK, PROPOSAL, VOTE, Lock, Memory
from protocols.effects import Journal
from protocols.types import Digest, Height
from protocols.wire.messages import (
    PRECOMMIT,
    PREVOTE,
    CellSet,
    Contribution,
    MemberSignature,
    PrevoteCertificate,
    Proposal,
    SetList,
    Vote,
)
from tests.protocols.playbook import CELLS, ROUND, VIEW

ONE, OTHER = Digest(b"one".ljust(32)), Digest(b"other".ljust(32))
SETS = SetList(VIEW.slot(ROUND), (CellSet(0, (Contribution(CELLS[0][0].key, ONE),)),))


def vote(sets: Digest | None, phase: int = PREVOTE, view: int = 0) -> Vote:
    return Vote(VIEW.slot(ROUND), view, phase, sets, None)


def lock(view: int, sets: Digest = ONE) -> Lock:
    prevotes = PrevoteCertificate(view, None, (MemberSignature(1, bytes(64)),))
    return Lock(vote(sets, PRECOMMIT, view), SETS, prevotes)


def test_what_was_journalled_is_remembered() -> None:
    memory = Memory(ROUND)
    records = [
        memory.propose(Proposal(1, SETS, None)),
        memory.vote(vote(ONE, view=1)),
        memory.precommit(lock(1)),
        memory.vote(vote(None, view=2)),
    ]
    assert [record.kind for record in records] == [PROPOSAL, VOTE, LOCK, VOTE]
    again = Memory(ROUND, records)
    assert (again.votes, again.proposals, again.lock) == (memory.votes, memory.proposals, memory.lock)
    assert again.lock == lock(1)
    assert again.lock is not None
    assert again.lock.digest == ONE
    assert again.view == 2


def test_the_newest_lock_counts() -> None:
    memory = Memory(ROUND)
    again = Memory(ROUND, [memory.precommit(lock(0)), memory.precommit(lock(3, OTHER))])
    assert again.lock == lock(3, OTHER)


def test_other_heights_and_kinds_are_not_its_own() -> None:
    record = Memory(Height(ROUND + 1)).vote(vote(ONE))
    empty = Memory(ROUND, [record, Journal("release", ROUND, b"", b"anything")])
    assert (empty.votes, empty.view, empty.lock) == ({}, 0, None)


def test_saying_the_same_again_is_no_second_thing_and_anything_else_is_our_fault() -> None:
    memory = Memory(ROUND)
    assert memory.vote(vote(ONE)) == memory.vote(vote(ONE))
    with pytest.raises(AssertionError, match="votes once"):
        memory.vote(vote(OTHER))
    memory.propose(Proposal(0, SETS, None))
    with pytest.raises(AssertionError, match="proposes once"):
        memory.propose(Proposal(0, SETS, lock(0).prevotes))
